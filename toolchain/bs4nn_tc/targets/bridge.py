"""An emulated board as if it were plugged in somewhere: its console on a TCP port or a pseudo-terminal.

What `verify --target serial` and others say to a real board, they say to this one: same protocol, same code.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import tty
from collections.abc import Callable
from pathlib import Path

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device import platformio
from bs4nn_tc.device.boards import Board

_CHUNK = 65_536
# How often it is looked whether the board has been flashed anew.
_LOOK_SECONDS = 0.2


class _EmulatedBoard:
    """A board that runs what its flash holds, and starts anew when that changes."""

    def __init__(self, board: Board, firmware: Path) -> None:
        if board.emulator is None:
            raise TargetError(f"{board.id} is a real board; plug it in")
        self._command = [platformio.require(platformio.QEMU), *board.emulator.arguments, "-kernel", str(firmware)]
        self._firmware = firmware
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

    def wait(self, *others: int) -> list[int]:
        """The descriptors that have something, among `others` and what the board says."""
        while True:
            ready, _, _ = select.select([self.says, *others], [], [], _LOOK_SECONDS)
            if ready:
                return ready
            with contextlib.suppress(OSError):  # it is being replaced
                found = self._firmware.stat()
                if (found.st_ino, found.st_mtime_ns) != (self._held.st_ino, self._held.st_mtime_ns):
                    self.stop()
                    self._start()

    def stopped(self) -> TargetError:
        """That the board has stopped."""
        return TargetError(f"the emulated board has stopped (exit status {self._process.wait()})")

    def stop(self) -> None:
        """Pull its plug."""
        self._process.kill()
        self._process.communicate()


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _forward(board: _EmulatedBoard, peer: int) -> None:
    """Carry bytes both ways until the peer hangs up.

    Raises:
        TargetError: the emulator has ended.
    """
    while True:
        ready = board.wait(peer)
        if board.says in ready:
            content = os.read(board.says, _CHUNK)
            if not content:
                raise board.stopped()
            try:
                _write_all(peer, content)
            except OSError:
                return
        if peer in ready:
            try:
                content = os.read(peer, _CHUNK)
            except OSError:  # what a pseudo-terminal says when the other side has closed it
                content = b""
            if not content:
                return
            try:
                _write_all(board.hears, content)
            except BrokenPipeError as error:
                raise board.stopped() from error


def serve_socket(board: Board, firmware: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve one client after another on 127.0.0.1:port (0: any free port) until the board stops.

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
        listener.listen(1)
        emulated = _EmulatedBoard(board, firmware)
        try:
            on_ready(f"socket://127.0.0.1:{listener.getsockname()[1]}")
            while True:
                if listener.fileno() in emulated.wait(listener.fileno()):
                    client, _ = listener.accept()
                    with client:
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        _forward(emulated, client.fileno())
                elif not os.read(emulated.says, _CHUNK):  # said to nobody
                    raise emulated.stopped()
        finally:
            emulated.stop()


def serve_terminal(board: Board, firmware: Path, on_ready: Callable[[str], None]) -> None:
    """Serve a pseudo-terminal until the board stops; arguments and errors as for `serve_socket`."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)  # `theirs` stays open, so that clients may come and go
    emulated = _EmulatedBoard(board, firmware)
    try:
        on_ready(os.ttyname(theirs))
        _forward(emulated, ours)
    finally:
        emulated.stop()
        os.close(ours)
        os.close(theirs)
