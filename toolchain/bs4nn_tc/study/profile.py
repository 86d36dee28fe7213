"""What an inference takes on a board by the clock of its own core, or in the instructions that an emulator counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.boards import Board, find_board
from bs4nn_tc.targets import ApplicationTarget, emulator

# Images that an emulated board runs a second time, to see whether it counts.
_MEASURED_TWICE = 8


@dataclass(frozen=True)
class Profile:
    """Laps of a board's clock, one an image.

    Attributes:
        board: as the application names it.
        ticks: of the images.
        emulated: the board is known to be an emulated one.
        known: the board, if its clock is known and means something: an emulated one counts instructions then.
    """

    board: str
    ticks: tuple[int, ...]
    emulated: bool
    known: Board | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: mean, 99 % and largest of ticks and of instructions (None where nobody counts), and a time."""
        ticks = np.array(self.ticks)
        counted: dict[str, NDArray[np.int64] | None] = {"ticks": ticks, "instructions": None}
        clock = None if self.known is None else self.known.f_cpu
        if self.known is not None and self.emulated:
            counted["instructions"] = np.array([emulator.instructions(self.known, lap) for lap in self.ticks])
        row: dict[str, Any] = {"board": self.board, "images": len(self.ticks)}
        for unit, values in counted.items():
            row |= {
                f"{unit}_mean": None if values is None else float(values.mean()),
                f"{unit}_p99": None if values is None else int(np.quantile(values, 0.99, method="higher")),
                f"{unit}_max": None if values is None else int(values.max()),
            }
        row["clock_hz"] = clock
        row["microseconds_mean"] = None if clock is None or self.emulated else float(ticks.mean()) * 1e6 / clock
        return row


def measure(target: ApplicationTarget, images: NDArray[Any], on_image: Callable[[], None]) -> Profile:
    """Run every image to its answer, and read the board's clock.

    Args:
        target: a running application.
        images: (N, values), samples of the network's type.
        on_image: called after every image.

    Raises:
        TargetError: the target does not answer.
        UserError: the board has no counter of its clock, or it does not count.
    """
    name = target.identity.board
    board = find_board(name)
    emulated = board is not None and board.emulator is not None
    ticks = []
    for image in images:
        ticks.append(target.profile(image)[1])
        on_image()
    if emulated:
        once_more = [target.profile(image)[1] for image in images[:_MEASURED_TWICE]]
        board = board if emulator.counts(ticks, once_more) else None
    elif not any(ticks):
        raise UserError(f"{name} has no counter of its clock, or does not count")
    return Profile(name, tuple(ticks), emulated, board)
