"""As nordicnrf52 10.11.0 does: the processor is told to the C compiler and the linker, not to the assembler."""

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
machine = ["-mcpu=" + board.get("build.cpu"), "-mthumb"]
tool = "arm-none-eabi-"
env.Replace(
    AR=tool + "ar", AS=tool + "as", CC=tool + "gcc", CXX=tool + "g++", LINK=tool + "gcc", RANLIB=tool + "ranlib"
)
env.Replace(SIZETOOL=tool + "size", PROGNAME="firmware", PROGSUFFIX=".elf")
env.Append(
    ASFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=[*machine, "-Os", "-ffunction-sections", "-fdata-sections", "-Wall", "-Werror"],
    CXXFLAGS=["-fno-exceptions", "-fno-rtti"],
    LINKFLAGS=[
        *machine,
        "-Os",
        "-nostartfiles",
        "--specs=nosys.specs",
        "-Wl,--gc-sections",
        "-Wl,--entry=main",
        "-Wl,--defsym=__StackTop=0x20008000",
        "-Wl,--defsym=end=0x20000000",
    ],
    LIBS=["c", "gcc"],
)
Default([env.BuildProgram(), env.Alias("upload", [], "true")])
