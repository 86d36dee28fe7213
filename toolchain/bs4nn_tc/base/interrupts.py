"""Ctrl-C that waits for a good moment: work that must not be cut anywhere asks for it when it can stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator


class _Flag:
    """A handler that notes that it was called."""

    def __init__(self) -> None:
        self.up = False

    def __call__(self, _number: int, _frame: object) -> None:
        self.up = True


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C only raises a flag; yields the function that tells whether it is up.

    One within another shares its flag, so that whoever looks first after Ctrl-C stops. Outside the main thread, where
    Ctrl-C does not arrive, the flag stays down.
    """
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, _Flag):
        yield lambda: before.up
        return
    flag = _Flag()
    try:
        signal.signal(signal.SIGINT, flag)
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: flag.up
    finally:
        signal.signal(signal.SIGINT, before)
