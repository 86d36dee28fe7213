"""An emulated board as if it were plugged in somewhere: its console on a TCP port or a pseudo-terminal.

What `verify --target serial` and others say to a real board, they say to this one: same protocol, same code. One client
talks to the board at a time; who comes while another one is talking waits, see `door.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import time
import tty
from collections.abc import Callable, Sequence
from pathlib import Path

from bs4nn_tc.base import tools
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.device.boards import Board
from bs4nn_tc.targets.door import LOOK_SECONDS, Door
from bs4nn_tc.targets.emulator import COUNTING

# So many bytes wait on their way to the board, and to the client; who sends more waits until these have been taken.
_WAITING_BYTES = 65_536
# A client for which no byte has moved for so long may be followed by another one, seconds.
IDLE_SECONDS = 3.0


def is_running(firmware: Path) -> bool:
    """Whether an emulated board runs what `firmware` holds, and starts anew when that changes."""
    try:
        with _lock_path(firmware).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it has never run
        return False
    return False


def _lock_path(firmware: Path) -> Path:
    """What whoever runs this firmware holds a lock on: that ends with the process, however it ends."""
    return firmware.with_suffix(".running")


class _EmulatedBoard:
    """A board that runs what its flash holds, and starts anew when that changes. Counts instructions."""

    def __init__(self, board: Board, firmware: Path) -> None:
        if board.emulator is None:
            raise TargetError(f"{board.id} is a real board; plug it in")
        options = [*board.emulator.arguments, *COUNTING]
        program = tools.require(tools.emulator(board.emulator.program))
        self._command = [*program, *options, "-kernel", str(firmware)]
        self._firmware = firmware
        if not firmware.is_file():
            raise TargetError(f"{firmware} is missing; flash the board (bs4nn-tc flash)")
        with disk_errors(firmware, "run"):
            self._lock = _lock_path(firmware).open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._start()

    def _start(self) -> None:
        try:
            self._held = self._firmware.stat()
        except OSError as error:
            raise TargetError(f"{self._firmware} is missing; flash the board (bs4nn-tc flash)") from error
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=nowhere, bufsize=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.hears, self.says = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self.hears, False)
        os.set_blocking(self.says, False)
        self._look_at = time.monotonic() + LOOK_SECONDS

    def start_anew_if_flashed(self) -> bool:
        """Look from time to time whether the firmware has changed; True if the board has started anew with it."""
        if time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + LOOK_SECONDS
        with contextlib.suppress(OSError):  # it is being replaced
            found = self._firmware.stat()
            if (found.st_ino, found.st_mtime_ns) != (self._held.st_ino, self._held.st_mtime_ns):
                self._end()
                self._start()
                return True
        return False

    def stopped(self) -> TargetError:
        """That the board has stopped."""
        return TargetError(f"the emulated board has stopped (exit status {self._process.wait()})")

    def stop(self) -> None:
        """Pull its plug."""
        self._end()
        self._lock.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


class _HungUpError(Exception):
    """The client has gone."""


class _Console:
    """Carries bytes between an emulated board and a client, and never waits for one of them alone.

    A board that writes does not read, and a client that has gone takes nothing: who waits for one of them may wait for
    ever.
    """

    def __init__(self, board: _EmulatedBoard) -> None:
        self._board = board
        self._to_board, self._to_client = bytearray(), bytearray()

    def forget(self) -> None:
        """Throw away what is on its way: another client would not know what to make of it."""
        self._to_board.clear()
        self._to_client.clear()

    def carry(self, client: int | None, others: Sequence[int] = ()) -> tuple[bool, set[int]]:
        """Carry what can be carried now, and wait a moment where that is nothing.

        Args:
            client: its descriptor, non-blocking; None where there is none: then nobody hears what the board says.
            others: descriptors to look at meanwhile.

        Returns:
            Whether the client has sent or taken anything, and those of `others` that have something to read.

        Raises:
            _HungUpError: the client has gone.
            TargetError: the board has stopped.
        """
        board = self._board
        if board.start_anew_if_flashed():
            self.forget()
        reading, writing = list(others), []
        if len(self._to_client) < _WAITING_BYTES:
            reading.append(board.says)
        if self._to_board:
            writing.append(board.hears)
        if client is not None:
            reading += [client] if len(self._to_board) < _WAITING_BYTES else []
            writing += [client] if self._to_client else []
        readable, writable, _ = select.select(reading, writing, [], LOOK_SECONDS)
        if board.says in readable:
            content = os.read(board.says, _WAITING_BYTES)
            if not content:
                raise board.stopped()
            self._to_client += content if client is not None else b""
        if board.hears in writable:
            try:
                del self._to_board[: os.write(board.hears, self._to_board)]
            except BrokenPipeError as error:
                raise board.stopped() from error
        moved = False
        if client is not None:
            moved = self._exchange(client, client in readable, client in writable)
        return moved, set(readable).intersection(others)

    def _exchange(self, client: int, readable: bool, writable: bool) -> bool:
        try:
            if readable:
                content = os.read(client, _WAITING_BYTES)
                if not content:
                    raise _HungUpError
                self._to_board += content
            if writable:
                del self._to_client[: os.write(client, self._to_client)]
        except BlockingIOError:
            return False
        except OSError as error:  # what a pseudo-terminal says, too, when the other side has closed it
            raise _HungUpError from error
        return readable or writable


def serve_socket(board: Board, firmware: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve one client after another on 127.0.0.1:port (0: any free port) until the board stops.

    A client that comes while another one is talking to the board takes over once that one has been silent for
    `IDLE_SECONDS`, or is refused with a line. So is whatever begins with text, as web browsers do: a page of any site
    could otherwise have the board do what it likes.

    Args:
        board: an emulated board.
        firmware: what it has been flashed with, an ELF file; the board starts anew when it changes.
        port: TCP port.
        on_ready: called once with the URL to give to --port.

    Raises:
        TargetError: the port is taken, or the emulated board has stopped.
        MissingToolError: QEMU is not installed.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise TargetError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from error
        listener.listen()
        emulated = _EmulatedBoard(board, firmware)
        try:
            on_ready(f"socket://127.0.0.1:{listener.getsockname()[1]}")
            with contextlib.closing(Door(listener)) as door:
                _serve_clients(_Console(emulated), door)
        finally:
            emulated.stop()


def _serve_clients(console: _Console, door: Door) -> None:
    client: socket.socket | None = None
    moved_at = 0.0
    try:
        while True:
            try:
                moved, ready = console.carry(client.fileno() if client else None, door.descriptors())
            except _HungUpError:
                assert client is not None
                client.close()
                client = None
                console.forget()
                continue
            now = time.monotonic()
            moved_at = now if moved else moved_at
            door.look(ready)
            if client is None or now - moved_at >= IDLE_SECONDS:
                following = door.admit()
                if following is not None:
                    if client is not None:
                        door.refuse(client, "another client has taken over, since nothing came from here")
                    console.forget()
                    client, moved_at = following, now
    finally:
        if client is not None:
            client.close()


def serve_terminal(board: Board, firmware: Path, on_ready: Callable[[str], None]) -> None:
    """Serve a pseudo-terminal until the board stops; arguments and errors as for `serve_socket`."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)  # `theirs` stays open, so that clients may come and go
    os.set_blocking(ours, False)
    emulated = _EmulatedBoard(board, firmware)
    try:
        on_ready(os.ttyname(theirs))
        console = _Console(emulated)
        while True:
            console.carry(ours)
    finally:
        emulated.stop()
        os.close(ours)
        os.close(theirs)
