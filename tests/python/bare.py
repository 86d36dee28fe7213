"""Programs for a bare core without PlatformIO: compiled with any compiler and flags, linked, and run in QEMU."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from conftest import ROOT, require

from bs4nn_tc.device.boards import Board

FIRMWARE = ROOT / "firmware"
KERNEL = FIRMWARE / "lib" / "bs4nn" / "src"
PORT = FIRMWARE / "lib" / "board" / "src"


def arm(name: str = "gcc") -> str:
    """GCC or G++ for bare Arm cores."""
    return require(f"arm-none-eabi-{name}", "gcc-arm-none-eabi")


def compiler(board: Board, flags: Sequence[str]) -> list[str]:
    """A compiler for an emulated board, with the library's headers and the port's."""
    machine = [f"-mcpu={board.core}", "-mthumb", "-mfloat-abi=soft", "-std=c99", "-ffreestanding"]
    return [arm(), *machine, *flags, "-DBOARD_PORT_SEMIHOSTING", f"-I{KERNEL}", f"-I{PORT}"]


def link(board: Board, parts: Sequence[Path], flags: Sequence[str], target: Path) -> Path:
    """Compile, where they are sources, and link C, assembly and objects for an emulated board. Returns `target`."""
    memory = json.loads(board.manifest.read_text())["bs4nn"]["memory"]
    symbols = {
        "FLASH_ORIGIN": memory["flash_origin"],
        "FLASH_LENGTH": board.flash_bytes,
        "RAM_ORIGIN": memory["ram_origin"],
        "RAM_LENGTH": board.ram_bytes,
        "STACK_BYTES": memory["stack_bytes"],
    }
    command = [
        *(*compiler(board, flags), "-nostdlib", *map(str, parts)),
        *(str(PORT / f"board_{part}.c") for part in ("semihosting", "memory")),
        *(f"-Wl,--defsym={symbol}={value}" for symbol, value in symbols.items()),
        *("-lgcc", "-T", str(FIRMWARE / "lib" / "board" / "board.ld"), "-o", str(target)),
    ]
    subprocess.run(command, check=True)
    return target


def emulate(board: Board, program: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on an emulated board to its end; bytes that are no text become U+FFFD."""
    assert board.emulator is not None
    emulator = [require("qemu-system-arm", "qemu-system-arm"), *board.emulator.arguments, "-kernel", str(program)]
    return run(emulator)


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program without input to its end, as above."""
    nothing = subprocess.DEVNULL
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", stdin=nothing, timeout=60, check=False
    )


# The beginning of a program that says numbers, a line each.
SAY = r"""
#include "board.h"
static void say(uint32_t value)
{
    char text[12];
    int i = 12;
    text[--i] = '\n';
    do {
        text[--i] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0u);
    board_write(&text[i], (size_t)(12 - i));
}
"""
