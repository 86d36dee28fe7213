"""The application on an emulated board: QEMU, the board's console on its standard input and output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bs4nn_tc.base import tools
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device.boards import Board
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.stream import ProcessStream

# Under -icount an instruction takes 2^6 = 64 ns of the emulated board's time, and never waits for ours.
NANOSECONDS_AN_INSTRUCTION = 64
# Laps of the same instructions differ by so many ticks at most: none is shorter than 40 ns, on a board of 25 MHz.
_TICKS = 2
COUNTING = ("-icount", "shift=6,sleep=off")


def open_emulator(board: Board, firmware: Path, counting: bool = False) -> ApplicationTarget:
    """Start QEMU with the firmware that `build` made.

    Args:
        board: an emulated board.
        firmware: its ELF file.
        counting: let the board's clock count executed instructions, see `instructions`.

    Raises:
        MissingToolError: QEMU is not installed (with the package that brings it).
        TargetError: the firmware is missing, does not start or does not answer.
    """
    if board.emulator is None:
        raise TargetError(f"{board.id} is a real board; use --target serial")
    if not firmware.is_file():
        raise TargetError(f"{firmware} is missing; build the project first (bs4nn-tc build)")
    options = [*board.emulator.arguments, *(COUNTING if counting else ())]
    command = [*tools.require(tools.emulator(board.emulator.program)), *options, "-kernel", str(firmware)]
    return ApplicationTarget(ProcessStream(command, f"QEMU ({board.id})"), f"emulator {board.id}")


def instructions(board: Board, ticks: int) -> int:
    """Executed instructions from ticks of a board that was opened with `counting`.

    A tick is shorter than an instruction on every board here, so the count is right to within one or two.
    """
    return round(ticks * 1e9 / board.f_cpu / NANOSECONDS_AN_INSTRUCTION)


def counts(ticks: Sequence[int], once_more: Sequence[int]) -> bool:
    """Whether an emulated board that somebody else has started counts instructions.

    Then the same images take the same, to within the ticks that an instruction is long; by the clock of this computer
    they never do.

    Args:
        ticks: of images, in turn.
        once_more: of the first of them, again.
    """
    return any(once_more) and all(abs(a - b) <= _TICKS for a, b in zip(ticks, once_more, strict=False))
