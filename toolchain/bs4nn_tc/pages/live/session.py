"""One target for all open pages: one image at a time, opened again after it has died."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.device import boards
from bs4nn_tc.model import reference
from bs4nn_tc.pages import replay
from bs4nn_tc.targets import ApplicationTarget, Kind
from bs4nn_tc.targets.application import LapTooLongError
from bs4nn_tc.targets.runner import Runner

# How long `close` waits for an image that is being classified before it pulls the target away.
CLOSE_SECONDS = 1.0


class Session:
    """A target behind a lock."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.network = runner.network
        self._lock = threading.Lock()
        self._target: ApplicationTarget | None = None
        self._starts = 0
        self._closed = False
        self.label = runner.kind.value

    def start(self) -> None:
        """Open the target now, so that whoever starts the page hears of what is missing.

        Raises:
            TargetError: it does not start or answer, or runs another network.
            MissingToolError: the emulator is not installed.
        """
        with self._lock:
            self._open()

    def classify(self, image: NDArray[np.uint8]) -> dict[str, Any]:
        """Let the target classify one image, and tell what happened, ready for JSON.

        Args:
            image: (pixels,) uint8, intensities 0 .. intensity_max.

        Raises:
            UserError: an image that the network does not take.
            TargetError: the target is gone or does not answer; the next call opens it again.
        """
        reference.check_images(self.network, image[None])
        with self._lock:
            target = self._open()
            started = time.monotonic()
            try:
                trace = target.trace(image)
                timing = _timing(target, self.runner, image)
            except Exception as error:
                self._drop()
                if isinstance(error, TargetError) or not self._closed:
                    raise
                raise TargetError(f"{target.label}: the page has been ended") from error
            seconds = time.monotonic() - started
            told = {"label": target.label, "board": target.identity.board, "starts": self._starts}
        return {
            **replay.describe(self.network, image, trace),
            "timing": timing,
            "target": told,
            "milliseconds": round(seconds * 1e3, 2),
        }

    def close(self) -> None:
        """End the target for good; an image that is being classified gets a second to finish."""
        self._closed = True
        had_lock = self._lock.acquire(timeout=CLOSE_SECONDS)
        try:
            self._drop()
        finally:
            if had_lock:
                self._lock.release()

    def _open(self) -> ApplicationTarget:
        """The target, opened if it is not; the caller holds the lock."""
        if self._closed:
            raise TargetError("the page has been ended")
        if self._target is None:
            target = self.runner.open()
            try:
                target.expect(self.network)
            except UserError:
                target.close()
                raise
            self._target = target
            self.label = target.label
            self._starts += 1
        return self._target

    def _drop(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            target.close()


def _timing(target: ApplicationTarget, runner: Runner, image: NDArray[np.uint8]) -> dict[str, Any]:
    """What an inference that stops with the first output spike takes on the target's board.

    Returns:
        `count` of `unit` (None: nobody counts), `microseconds` [from, to] (None: unknown), and the `assumption`
        behind them in words.
    """
    timing: dict[str, Any] = {"count": None, "unit": "", "microseconds": None}
    if runner.kind is Kind.NATIVE:
        return {**timing, "assumption": "The program on this computer has no counter; an emulated board counts."}
    try:
        _, ticks = target.profile(image)
    except LapTooLongError:
        return {**timing, "assumption": "It took longer than the board's counter reaches."}
    board = runner.board or boards.find_board(target.identity.board)
    mega = 0.0 if board is None else board.f_cpu / 1e6
    if runner.board is None and board is not None and board.emulator is not None:
        # First: such a clock follows the host's, and may not move at all during a short inference.
        assumption = "An emulated board's clock is not the core's; --target emulator counts instructions."
    elif ticks == 0:
        assumption = "This board has no counter of its clock."
    elif runner.board is not None:
        count = targets.instructions(runner.board, ticks)
        timing = {"count": count, "unit": "instructions", "microseconds": [count / mega, 2 * count / mega]}
        assumption = (
            f"Instructions counted by the emulator; at {mega:g} MHz, with 1 to 2 cycles an instruction "
            "and a flash without wait states."
        )
    elif board is None:
        timing |= {"count": ticks, "unit": "cycles"}
        assumption = "Counted by the board itself, whose clock this tool does not know."
    else:
        timing = {"count": ticks, "unit": "cycles", "microseconds": [ticks / mega, ticks / mega]}
        assumption = f"Counted by the board itself, at {mega:g} MHz."
    return {**timing, "assumption": assumption}
