"""The application on an emulated board: QEMU, with the board's UART on its standard input and output."""

from __future__ import annotations

from pathlib import Path

from bs4nn_tc import platformio
from bs4nn_tc.boards import Board
from bs4nn_tc.errors import TargetError
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.stream import ProcessStream


def open_emulator(board: Board, firmware: Path) -> ApplicationTarget:
    """Start QEMU with the firmware that `build` made.

    Raises:
        MissingToolError: QEMU is not installed (with the package that brings it).
        TargetError: the firmware is missing, does not start or does not answer.
    """
    if board.emulator is None:
        raise TargetError(f"{board.id} is a real board; use --target serial")
    if not firmware.is_file():
        raise TargetError(f"{firmware} is missing; build the project first (bs4nn-tc build)")
    command = [platformio.require(platformio.QEMU), *board.emulator.arguments, "-kernel", str(firmware)]
    return ApplicationTarget(ProcessStream(command, f"QEMU ({board.id})"), f"emulator {board.id}")
