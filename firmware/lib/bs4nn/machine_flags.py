"""PlatformIO: the kernel's assembly is compiled for the same processor as its C.

Some platforms tell the processor (-mcpu, -mthumb and their like) to the C compiler alone. The assembly would then
come out empty, for another processor, and the firmware would not link.
"""

Import("env")  # noqa: F821 - SCons has it

told = [flag for scope in ("CCFLAGS", "CFLAGS") for flag in env.get(scope, []) if str(flag).startswith("-m")]  # noqa: F821
env.AppendUnique(ASPPFLAGS=told)  # noqa: F821
