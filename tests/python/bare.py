"""Programs for a bare core without PlatformIO: compiled with any compiler and flags, linked, and run in QEMU."""

from __future__ import annotations

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


def link(board: Board, parts: Sequence[Path], flags: Sequence[str], target: Path) -> Path:
    """Compile, where they are sources, and link C, assembly and objects for an emulated board. Returns `target`."""
    memory = {
        "FLASH_ORIGIN": 0,
        "FLASH_LENGTH": board.flash_bytes,
        "RAM_ORIGIN": 0x20000000,
        "RAM_LENGTH": board.ram_bytes,
        "STACK_BYTES": 2048,
    }
    command = [
        *(arm(), f"-mcpu={board.core}", "-mthumb", "-mfloat-abi=soft", "-std=c99", "-ffreestanding", *flags),
        *("-nostdlib", "-DBOARD_PORT_SEMIHOSTING", f"-I{KERNEL}", f"-I{PORT}", *map(str, parts)),
        *(str(PORT / f"board_{part}.c") for part in ("semihosting", "memory")),
        *(f"-Wl,--defsym={symbol}={value}" for symbol, value in memory.items()),
        *("-lgcc", "-T", str(FIRMWARE / "lib" / "board" / "board.ld"), "-o", str(target)),
    ]
    subprocess.run(command, check=True)
    return target


def emulate(board: Board, program: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on an emulated board to its end."""
    assert board.emulator is not None
    emulator = [require("qemu-system-arm", "qemu-system-arm"), *board.emulator.arguments, "-kernel", str(program)]
    return subprocess.run(emulator, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
