"""An emulated board as if it were plugged in somewhere: its console on a TCP port or a pseudo-terminal.

What `verify --target serial` and others say to a real board, they say to this one: same protocol, same code.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import tty
from collections.abc import Callable
from pathlib import Path

from bs4nn_tc import platformio
from bs4nn_tc.boards import Board
from bs4nn_tc.errors import TargetError

_CHUNK = 65_536


def _emulator(board: Board, firmware: Path) -> subprocess.Popen[bytes]:
    if board.emulator is None:
        raise TargetError(f"{board.id} is a real board; plug it in")
    if not firmware.is_file():
        raise TargetError(f"{firmware} is missing; build the project first (bs4nn-tc build)")
    command = [platformio.require(platformio.QEMU), *board.emulator.arguments, "-kernel", str(firmware)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, bufsize=0)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _forward(process: subprocess.Popen[bytes], peer: int) -> None:
    """Carry bytes both ways until the peer hangs up.

    Raises:
        TargetError: the emulator has ended.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    console = process.stdout.fileno()
    while True:
        ready, _, _ = select.select([console, peer], [], [])
        if console in ready:
            content = os.read(console, _CHUNK)
            if not content:
                raise TargetError(f"the emulated board has stopped (exit status {process.wait()})")
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
                _write_all(process.stdin.fileno(), content)
            except BrokenPipeError as error:
                raise TargetError(f"the emulated board has stopped (exit status {process.wait()})") from error


def serve_socket(board: Board, firmware: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve one client after another on 127.0.0.1:port (0: any free port) until the board stops.

    Args:
        board: an emulated board.
        firmware: its ELF file.
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
        process = _emulator(board, firmware)
        assert process.stdout is not None
        try:
            on_ready(f"socket://127.0.0.1:{listener.getsockname()[1]}")
            while True:
                ready, _, _ = select.select([listener.fileno(), process.stdout.fileno()], [], [])
                if listener.fileno() in ready:
                    client, _ = listener.accept()
                    with client:
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        _forward(process, client.fileno())
                elif not os.read(process.stdout.fileno(), _CHUNK):  # said to nobody
                    raise TargetError(f"the emulated board has stopped (exit status {process.wait()})")
        finally:
            process.kill()
            process.wait()


def serve_terminal(board: Board, firmware: Path, on_ready: Callable[[str], None]) -> None:
    """Serve a pseudo-terminal until the board stops; arguments and errors as for `serve_socket`."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)  # `theirs` stays open, so that clients may come and go
    process = _emulator(board, firmware)
    try:
        on_ready(os.ttyname(theirs))
        _forward(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
