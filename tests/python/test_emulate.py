"""`emulate`: clients that flood, idle, leave, come together, or are web browsers."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conftest import random_network, run_tool
from emulated import emulated

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import project
from bs4nn_tc.targets import bridge, door, frames


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    return project.generate(network, "far", [boards.load_board("qemu-m4")], tmp_path_factory.mktemp("emulate") / "far")


@pytest.fixture(scope="module")
def tcp(made: project.Project) -> Iterator[str]:
    with emulated(made, "qemu-m4", "--tcp", "0") as (_, url):
        yield url


@pytest.fixture(scope="module")
def terminal(made: project.Project) -> Iterator[str]:
    with emulated(made, "qemu-m4") as (_, path):
        yield path


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


def works(url: str, made: project.Project) -> None:
    with targets.open_serial(url) as target:
        target.expect(made.network)
        assert target.classify(np.zeros(64, np.uint8)).response_time <= 16


def rest(client: socket.socket) -> bytes:
    """Everything that still comes until the other side hangs up."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            content += piece
    return content


NO_TEXT = b"bs4nn-tc emulate: refused: this is the console of a board, which takes frames and no text\r\n"
REQUEST = frames.encode(frames.CLASSIFY, bytes(64))


def flood(descriptor: int) -> int:
    """Send 3 MB of requests, or as many as are taken, without reading an answer; how many bytes were taken."""
    content = memoryview(REQUEST * (3_000_000 // len(REQUEST)))
    taken = 0
    while taken < len(content) and select.select([], [descriptor], [], 0.5)[1]:
        with contextlib.suppress(BlockingIOError):
            taken += os.write(descriptor, content[taken : taken + 65_536])
    return taken


def test_a_client_that_floods_and_leaves(tcp: str, made: project.Project) -> None:
    for _ in range(2):
        with connected(tcp) as client:
            client.setblocking(False)
            assert flood(client.fileno()) > 100_000
        works(tcp, made)


def test_a_client_that_floods_and_stays(tcp: str, made: project.Project) -> None:
    with connected(tcp) as client:
        client.setblocking(False)
        flood(client.fileno())
        works(tcp, made)


def test_a_terminal_that_is_flooded(terminal: str, made: project.Project) -> None:
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        assert flood(descriptor) > 10_000
    finally:
        os.close(descriptor)
    works(terminal, made)


def test_an_idle_client_is_followed_by_the_next(tcp: str, made: project.Project) -> None:
    with connected(tcp), connected(tcp) as idle:  # one of them never says anything
        idle.sendall(frames.encode(frames.IDENTIFY))
        assert idle.recv(1)
        started = time.monotonic()
        works(tcp, made)
        assert time.monotonic() - started < bridge.IDLE_SECONDS + 20
        assert rest(idle).endswith(b"another client has taken over, since nothing came from here\r\n")
    works(tcp, made)


def test_who_comes_while_somebody_is_talking_is_refused_with_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "WAIT_SECONDS", 0.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with contextlib.closing(door.Door(listener)) as entrance:
            url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
            with connected(url) as client:
                client.sendall(REQUEST)
                look(entrance, lambda: bool(entrance._refused))
                assert entrance.admit() is None
                assert re.fullmatch(rb"bs4nn-tc emulate: refused: another client is .*\r\n", client.recv(1000))
            with connected(url) as silent:
                look(entrance, lambda: told(silent))
                assert silent.recv(1000) == b"bs4nn-tc emulate: refused: nothing came\r\n"


def look(entrance: door.Door, until: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not until() and time.monotonic() < end:
        entrance.look(select.select(entrance.descriptors(), [], [], 0.05)[0])


def test_many_clients_at_once_are_bounded() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        entrance = clients.enter_context(contextlib.closing(door.Door(listener)))
        url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        several = [clients.enter_context(connected(url)) for _ in range(30)]
        for client in several[:3]:
            client.sendall(b"\0" + REQUEST)
        end = time.monotonic() + 10
        while time.monotonic() < end and len(several) - 8 > sum(told(client) for client in several):
            entrance.look(select.select(entrance.descriptors(), [], [], 0.05)[0])
            assert len(entrance._guests) <= 8
            assert len(entrance._refused) <= 8
        assert sum(told(client) for client in several) == len(several) - 8
        first = entrance.admit()
        assert first is not None
        with first:
            assert first.recv(1000) == b"\0" + REQUEST  # nothing of it is lost


def told(client: socket.socket) -> bool:
    return bool(select.select([client], [], [], 0)[0])


@pytest.mark.parametrize(
    "begins",
    [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 74\r\n\r\n",
        b"GET /",
        b"OPTIONS * HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"post / http/1.0\n\n",
        b"\r\n\r\nPOST / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=lambda begins: repr(begins[:5]),
)
def test_a_browser_is_refused(begins: bytes, tcp: str) -> None:
    with connected(tcp) as client:
        client.sendall(begins + REQUEST)
        assert client.recv(1000) == NO_TEXT


def test_what_a_browser_sends_never_reaches_the_board(tcp: str, made: project.Project) -> None:
    with connected(tcp) as client:
        for byte in b"POST / HTTP/1.1\r\n\r\n" + REQUEST:
            with contextlib.suppress(OSError):  # hung up on already
                client.sendall(bytes([byte]))
        assert rest(client) == NO_TEXT  # and no answer
    works(tcp, made)


def test_the_refusal_reaches_the_user(tcp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of text that comes instead of an identity is told."""
    monkeypatch.setattr(frames, "encode", lambda *_: b"hello")
    with pytest.raises(TargetError, match="it said: bs4nn-tc emulate: refused: this is the console"):
        targets.open_serial(tcp)


def test_flash_says_whether_a_board_runs(made: project.Project, tcp: str) -> None:
    flashed = run_tool("flash", made.folder)
    assert flashed.returncode == 0, flashed.stderr
    assert "qemu-m4: flashed." in flashed.stdout
    elsewhere = project.generate(made.network, "far", [boards.load_board("qemu-m4")], made.folder.parent / "elsewhere")
    flashed = run_tool("flash", elsewhere.folder)
    assert flashed.returncode == 0, flashed.stderr
    assert "flashed." not in flashed.stdout
    assert "no such board runs" in flashed.stdout
    assert f"bs4nn-tc emulate {elsewhere.folder} --board qemu-m4" in flashed.stdout
