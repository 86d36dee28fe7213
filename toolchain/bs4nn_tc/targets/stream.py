"""Streams of bytes to an application: a child process's pipes, or a serial port. All with time-outs."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import Protocol

from bs4nn_tc.base.errors import TargetError

# Seconds until the other end has taken what it is sent.
WRITE_SECONDS = 30.0


class UnansweredError(TargetError):
    """No whole answer has come, but the other end is still there: asking again may help."""


class Stream(Protocol):
    """What the frames travel over."""

    def write(self, content: bytes) -> None:
        """Send all of `content`.

        Raises:
            UnansweredError: the other end does not take it.
            TargetError: the other end is gone.
        """

    def read(self, count: int, deadline: float) -> bytes:
        """At least 1 and at most `count` bytes, before `deadline` (time.monotonic, seconds).

        Raises:
            UnansweredError: nothing came in time.
            TargetError: the other end is gone.
        """

    def close(self) -> None:
        """Let go of the other end; safe to call twice."""


class ProcessStream:
    """The standard input and output of a child process."""

    def __init__(self, command: list[str], what: str) -> None:
        """Start `command`; `what` names it in messages.

        Raises:
            TargetError: the program cannot be started.
        """
        self._what = what
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise TargetError(f"cannot start {what} ({command[0]}): {error.strerror}") from error
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    def write(self, content: bytes) -> None:
        """Send all of `content`."""
        stdin = self._process.stdin
        assert stdin is not None
        deadline = time.monotonic() + WRITE_SECONDS
        view = memoryview(content)
        try:
            while view:
                if not select.select([], [stdin], [], max(0.0, deadline - time.monotonic()))[1]:
                    raise UnansweredError(f"{self._what} does not take what it is sent")
                view = view[stdin.write(view) or 0 :]
        except (BrokenPipeError, ValueError) as error:
            raise self._gone() from error

    def read(self, count: int, deadline: float) -> bytes:
        """At least 1 and at most `count` bytes, before `deadline`."""
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise UnansweredError(f"{self._what} does not answer")
        content = os.read(stdout.fileno(), count)
        if not content:
            raise self._gone()
        return content

    def close(self) -> None:
        """End the child process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _gone(self) -> TargetError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        said = ""
        if self._process.poll() is not None and self._process.stderr is not None:
            lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1]}" if lines else ""
        return TargetError(f"{self._what} has ended (exit status {self._process.poll()}){said}")
