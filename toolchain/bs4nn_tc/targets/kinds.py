"""The kinds of targets, and how each is opened."""

from __future__ import annotations

from enum import StrEnum

from bs4nn_tc.device import building
from bs4nn_tc.device.boards import Board, load_board
from bs4nn_tc.device.codegen.project import Project
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.emulator import open_emulator
from bs4nn_tc.targets.native import open_native
from bs4nn_tc.targets.serial_port import open_serial


class Kind(StrEnum):
    """What a network runs on: a program on this computer, an emulated board, or a board on a serial port."""

    NATIVE = "native"
    EMULATOR = "emulator"
    SERIAL = "serial"


def emulated_boards(made: Project) -> list[Board]:
    """The boards of a project that can be emulated."""
    return [board for board in map(load_board, made.boards) if board.emulator is not None]


def open_target(
    kind: Kind, made: Project | None, board: Board | None = None, port: str | None = None, counting: bool = False
) -> ApplicationTarget:
    """Start a target, or reach it.

    Args:
        kind: of the target.
        made: the project that was built; a serial board has its firmware already.
        board: the emulated board.
        port: of the serial board; None for the only one that is plugged in.
        counting: let the emulated board's clock count executed instructions.

    Raises:
        MissingToolError: the emulator is not installed.
        TargetError: the program is missing, or the target does not start or answer.
    """
    if kind is Kind.SERIAL:
        return open_serial(port)
    assert made is not None
    if kind is Kind.NATIVE:
        return open_native(building.program_path(made, building.NATIVE))
    assert board is not None
    return open_emulator(board, building.program_path(made, board.id), counting)
