"""How the platform builds: for this computer without a board, else for a bare Cortex-M."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
platform = env.PioPlatform()
platform_dir = Path(platform.get_dir())
# Relative to the project, where the linker is started: an absolute path may hold spaces.
linker_script = os.path.relpath(platform_dir.parent / "lib" / "board" / "board.ld", env.subst("$PROJECT_DIR"))
nobuild = "nobuild" in COMMAND_LINE_TARGETS
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic"]


def refuse(message):
    sys.stderr.write(f"error: {message}\n")
    env.Exit(3)


def set_up_host():
    given = {flags: env.get(flags, []) for flags in ("CFLAGS", "CCFLAGS", "CXXFLAGS", "LINKFLAGS")}
    wanted = os.environ.get("CC", "").strip()
    # As bs4nn-tc itself looks for one (base/tools.py): "ccache gcc" is a compiler, too, and a path may hold spaces.
    candidates = [[wanted] if shutil.which(wanted) else shlex.split(wanted)] if wanted else [["gcc"], ["cc"], ["clang"]]
    compiler = next((shlex.join(words) for words in candidates if shutil.which(words[0])), None)
    if compiler is None and not nobuild:
        refuse(f"a C compiler ({wanted or 'gcc, cc, clang'}) is not installed; on Debian: apt-get install gcc")
    env.Tool("gcc")
    env.Tool("g++")
    env.Replace(CC=compiler, PROGSUFFIX=".exe" if sys.platform == "win32" else "", **given)
    env.Append(CFLAGS=["-std=c99"], CCFLAGS=["-O2", "-g", *WARNINGS], CPPDEFINES=["BOARD_PORT_HOST"])


def set_up_board(board):
    package = platform.get_package_dir("toolchain-gccarmnoneeabi")
    on_path = shutil.which("arm-none-eabi-gcc")
    if package and not on_path:
        env.PrependENVPath("PATH", str(Path(package) / "bin"))
    elif not on_path and not nobuild:
        refuse(
            "arm-none-eabi-gcc is not installed; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
        )
    flags = json.loads((platform_dir / "cortex_m.json").read_text(encoding="utf-8"))
    machine = ["-mcpu=" + board.get("build.cpu"), *flags["machine"]]
    memory = board.get("bs4nn.memory")
    env.Replace(
        AR="arm-none-eabi-gcc-ar",
        AS="arm-none-eabi-gcc",
        CC="arm-none-eabi-gcc",
        CXX="arm-none-eabi-g++",
        LINK="arm-none-eabi-gcc",
        OBJCOPY="arm-none-eabi-objcopy",
        RANLIB="arm-none-eabi-gcc-ranlib",
        SIZETOOL="arm-none-eabi-size",
        PROGNAME="firmware",
        PROGSUFFIX=".elf",
        # What PlatformIO sums up and holds against upload.maximum_size.
        SIZEPROGREGEXP=r"^(?:\.vectors|\.text|\.rodata|\.data)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack)\s+(\d+).*",
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    )
    env.Append(
        ASFLAGS=machine,
        ASPPFLAGS=["-x", "assembler-with-cpp"],
        CFLAGS=["-std=c99"],
        CCFLAGS=[*machine, *flags["compile"], *WARNINGS],
        CXXFLAGS=["-fno-exceptions", "-fno-rtti"],
        CPPDEFINES=["BOARD_PORT_" + board.get("bs4nn.port").upper()],
        LINKFLAGS=[
            *machine,
            *flags["link"],
            "-T",
            linker_script,
            *(
                f"-Wl,--defsym={symbol}={value}"
                for symbol, value in (
                    ("FLASH_ORIGIN", memory["flash_origin"]),
                    ("FLASH_LENGTH", board.get("upload.maximum_size")),
                    ("RAM_ORIGIN", memory["ram_origin"]),
                    ("RAM_LENGTH", board.get("upload.maximum_ram_size")),
                    ("STACK_BYTES", memory["stack_bytes"]),
                )
            ),
        ],
        LIBS=flags["libraries"],
    )


# Arduino's port is C++, and empty here: no reason to ask for a C++ compiler.
env.AddBuildMiddleware(lambda *_: None, "*board_arduino.cpp")

has_board = "BOARD" in env
if has_board:
    set_up_board(env.BoardConfig())
else:
    set_up_host()

program_name = "firmware.elf" if has_board else "program"
built = str(Path(env.subst("$BUILD_DIR"), program_name))
program = built if nobuild else env.BuildProgram()
AlwaysBuild(env.Alias("nobuild", program))

if has_board:
    AlwaysBuild(env.Alias("size", program, env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE")))


def execute(target, source, env):
    """Called without a shell: the project's path may hold anything that one would take as its own."""
    command = [env["PYTHONEXE"], platform_dir / "self_test.py", str(source[0])]
    if has_board:
        command.append(env.BoardConfig().manifest_path)
    return subprocess.run(command, env=env["ENV"], check=False).returncode


self_test = env.VerboseAction(execute, "Running $SOURCE")
env.AddPlatformTarget("exec", program, self_test, "Run the self-test")


def flash(target, source, env):
    """What an emulated board holds in its flash: bs4nn-tc emulate runs it, and starts anew when it changes."""
    held = Path(env.subst("$PROJECT_WORKSPACE_DIR"), "flash", f"{env['PIOENV']}.elf")
    held.parent.mkdir(parents=True, exist_ok=True)
    coming = held.with_suffix(".new")
    shutil.copyfile(str(source[0]), coming)
    coming.replace(held)


if has_board:
    env.AddPlatformTarget("upload", program, env.VerboseAction(flash, "Flashing $SOURCE"), "Flash the emulated board")
else:
    env.AddPlatformTarget("upload", program, self_test, "Run the self-test (nothing to flash)")

Default([program])
