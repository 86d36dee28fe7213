"""The kernel by other compilers, for other processors, with other flags: it answers alike, or is refused for a reason.

The program is tests/firmware/test_side_by_side: two networks, the naive simulator's answers, and every firing time.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import bare
import pytest
from bare import KERNEL, PORT, arm
from conftest import ROOT, require

from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.kernels import KERNELS

GOLDEN = ROOT / "tests" / "golden" / "network"
PROGRAM = ROOT / "tests" / "firmware" / "test_side_by_side" / "test_main.c"
INCLUDE = [f"-I{folder}" for folder in (KERNEL, PORT, GOLDEN, ROOT / "tests" / "firmware")]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
PASSED = "3 Tests 0 Failures 0 Ignored\n"

each_kernel = pytest.mark.parametrize("kernel", KERNELS)
# Thumb-1 and Thumb-2, both kernels, in two tests.
one_of_each = pytest.mark.parametrize(("name", "kernel"), [("qemu-m0", "small"), ("qemu-m4", "fast")])


def sources(kernel: str) -> list[Path]:
    """The kernel's C and assembly."""
    return KERNELS[kernel].sources


def objects(compiler: Sequence[str], files: Sequence[Path], folder: Path) -> list[Path]:
    """Compile each file by itself."""
    made = []
    for file in files:
        made.append(folder / f"{file.name}.o")
        subprocess.run([*compiler, *INCLUDE, "-c", str(file), "-o", str(made[-1])], check=True)
    return made


def value_of(macro: str, command: Sequence[str], language: str) -> str:
    """What a macro of bs4nn_layout.h is."""
    call = [*command, f"-I{KERNEL}", "-x", language, "-E", "-dM", str(KERNEL / "bs4nn_layout.h")]
    lines = subprocess.run(call, capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split(maxsplit=2)[2] for line in lines if line.startswith(f"#define {macro} "))


@pytest.mark.parametrize(
    ("flags", "taken"),
    [
        ("-mcpu=cortex-m0 -mthumb", True),
        ("-mcpu=cortex-m33 -mthumb", True),
        ("-march=armv7-a -mthumb", True),
        ("-mcpu=cortex-m0 -mthumb -mbig-endian", False),
        ("-mcpu=cortex-m4 -mthumb -mbig-endian", False),
        ("-march=armv4t -mthumb", False),
        ("-march=armv5te -mthumb", False),
        ("-march=armv7-a -marm", False),
        ("-mcpu=cortex-m4 -mthumb -DBS4NN_PORTABLE", False),
    ],
)
def test_what_takes_the_assembly(flags: str, taken: bool) -> None:
    """C that counts on the assembly and assembly that is there: one condition, seen alike by both."""
    for language in ("c", "assembler-with-cpp"):
        assert value_of("BS4NN_ASSEMBLY", [arm(), *flags.split()], language) == str(int(taken))


@each_kernel
@pytest.mark.parametrize(
    ("flags", "emulator"),
    [
        ("-march=armv7-a -mbig-endian -Wl,--be8", "qemu-armeb"),
        ("-march=armv6s-m -mbig-endian -Wl,--be8", "qemu-armeb"),
        ("-march=armv5te -mbig-endian", "qemu-armeb"),
        ("-march=armv4t", "qemu-arm"),
    ],
)
def test_other_processors(flags: str, emulator: str, kernel: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    command = [arm(), *flags.split(), "-mthumb", "-mfloat-abi=soft", "-O2", "-std=c99", "-ffreestanding", "-nostdlib"]
    command += ["-DBOARD_PORT_SEMIHOSTING"]  # of board_memory.c
    parts = [*sources(kernel), PROGRAM, ROOT / "tests" / "linux" / "board_linux.c", PORT / "board_memory.c"]
    subprocess.run([*command, *INCLUDE, "-Wl,-e,board_start", *map(str, parts), "-o", str(program)], check=True)
    if shutil.which(emulator) is None:
        pytest.skip(f"NOT TESTED: what {flags} computes (it links); no {emulator} here: apt-get install qemu-user")
    done = subprocess.run([emulator, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.endswith(PASSED), done.stdout


@each_kernel
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("qemu-m0", "-O2 -fpack-struct"),
        ("qemu-m4", "-Os -fpack-struct"),
        ("qemu-m0", "-O0"),
        ("qemu-m4", "-Os -flto"),
    ],
)
def test_flags(flags: str, name: str, kernel: str, tmp_path: Path) -> None:
    """What changes the layout of structures, keeps the compiler from inlining, or takes all files for one."""
    board = load_board(name)
    program = bare.link(board, [*sources(kernel), PROGRAM], [*flags.split(), *INCLUDE], tmp_path / "program.elf")
    done = bare.emulate(board, program)
    assert done.stdout.endswith(PASSED), done.stdout + done.stderr


@one_of_each
def test_c_compiled_as_cpp_links(name: str, kernel: str, tmp_path: Path) -> None:
    board = load_board(name)
    c = [path for path in sources(kernel) if path.suffix == ".c"]
    compiler = [arm("g++"), f"-mcpu={board.core}", "-mthumb", "-O2", "-std=c++11", "-fno-exceptions", *WARNINGS]
    compiled = objects([*compiler, "-x", "c++"], c, tmp_path)
    assembly = [path for path in sources(kernel) if path.suffix == ".S"]
    program = bare.link(board, [*compiled, *assembly, PROGRAM], ["-O2", *INCLUDE], tmp_path / "program.elf")
    done = bare.emulate(board, program)
    assert done.stdout.endswith(PASSED), done.stdout + done.stderr


@one_of_each
def test_clang(name: str, kernel: str, tmp_path: Path) -> None:
    """No warning beside the assembly or without it, and the same answers."""
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("NOT TESTED: the kernel by clang; apt-get install clang")
    board = load_board(name)
    target = [clang, f"--target={'armv6m' if name == 'qemu-m0' else 'armv7em'}-none-eabi", f"-mcpu={board.core}"]
    machine = [*target, "-mfloat-abi=soft", "-ffreestanding", "-std=c99", "-O2", *WARNINGS]
    c = [path for path in sources(kernel) if path.suffix == ".c"]
    for here in ([*machine, "-DBS4NN_PORTABLE"], [clang, "-std=c99", "-O2", *WARNINGS]):
        objects(here, c, tmp_path)
    compiled = objects([*target, "-Werror"], [path for path in sources(kernel) if path.suffix == ".S"], tmp_path)
    compiled += objects(machine, c, tmp_path)
    done = bare.emulate(board, bare.link(board, [*compiled, PROGRAM], INCLUDE, tmp_path / "program.elf"))
    assert done.stdout.endswith(PASSED), done.stdout + done.stderr


def test_a_short_int_is_refused_with_the_reason() -> None:
    """An int of 16 bits by its macro, and AVR's compiler where there is one."""
    compilers = [[require("gcc", "gcc"), "-U__INT_MAX__", "-D__INT_MAX__=32767"]]
    compilers += [[found] for found in [shutil.which("avr-gcc")] if found is not None]
    for compiler in compilers:
        for source in {path for kernel in KERNELS for path in sources(kernel) if path.suffix == ".c"}:
            call = [*compiler, *INCLUDE, "-E", str(source)]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            assert done.returncode != 0
            assert "whose int has 16 (AVR, MSP430) is not supported" in done.stderr
