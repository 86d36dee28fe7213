"""Lines that damage what they carry, boards that restart, ports where something else prints."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from application import compile_application
from conftest import random_network

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import application, frames, serial_port, verify
from bs4nn_tc.targets.stream import ProcessStream, UnansweredError


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)


@pytest.fixture(scope="module")
def program(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    return compile_application(project.generate(network, "far", [], folder / "p"), folder / "program")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 17, (40, 64)).astype(np.uint8)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits of a test: what takes seconds on a line takes none in a pipe."""
    monkeypatch.setattr(frames, "_QUIET_SECONDS", 0.02)
    monkeypatch.setattr(frames, "_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(application, "IDENTIFICATION_SECONDS", 2.0)


# ---- A line that damages, a board that restarts ----


class Line:
    """The host program at the end of a line that damages what it carries, once somebody has been let through."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._stream = ProcessStream([str(program)], "the board")
        self.count = 0
        self.on_reply: Callable[[bytes], bytes] = lambda content: content
        self.on_request: Callable[[bytes], bytes] = lambda content: content

    def write(self, content: bytes) -> None:
        """On to the board."""
        self._stream.write(self.on_request(content))

    def read(self, count: int, deadline: float) -> bytes:
        """What the board says, or what the line makes of it."""
        return self.on_reply(self._stream.read(count, deadline))

    def close(self) -> None:
        """Pull the plug."""
        self._stream.close()

    def restart(self) -> None:
        """What a watchdog does: whatever was under way is gone, and the board tests itself and reports."""
        self._stream.close()
        self._stream = ProcessStream([str(self._program)], "the board")

    def every(self, period: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        """Change one byte out of `period` of those that pass."""

        def passing(content: bytes) -> bytes:
            out = bytearray()
            for index in range(len(content)):
                self.count += 1
                byte = content[index : index + 1]
                out += change(byte) if self.count % period == 0 else byte
            return bytes(out)

        return passing


def flip(byte: bytes) -> bytes:
    return bytes([byte[0] ^ 0x10])


def log_line(byte: bytes) -> bytes:
    return byte + b"\r\n[wifi] beacon lost\r\n"


def checked(line: Line, network: Network, images: np.ndarray, prepare: Callable[[], None]) -> verify.Verification:
    with targets.ApplicationTarget(line, "serial there", on_a_line=True) as target:
        prepare()
        return verify.verify(target, "serial", network, images, reference.run(network, images))


@pytest.mark.parametrize("change", [flip, log_line, lambda _: b""], ids=["damaged", "log line", "lost"])
@pytest.mark.parametrize("period", [997, 1500])
@pytest.mark.usefixtures("hasty")
def test_replies_are_asked_for_again(
    period: int,
    change: Callable[[bytes], bytes],
    program: Path,
    network: Network,
    images: np.ndarray,
) -> None:
    line = Line(program)

    def prepare() -> None:
        line.on_reply = line.every(period, change)

    report = checked(line, network, images, prepare)
    assert report.verified, report
    assert report.images == report.equal == len(images)
    assert 2 <= report.asked_again <= 20  # 180 bytes an image
    assert report.as_dict()["asked_again"] == report.asked_again


@pytest.mark.usefixtures("hasty")
def test_requests_are_sent_again(
    program: Path, network: Network, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the damage is, also in a length, after which the board waits for more, or takes the rest for text."""
    monkeypatch.setattr(application, "ANSWER_SECONDS", 0.3)
    line = Line(program)

    def prepare() -> None:
        line.on_request = line.every(72 * 9 + 1, flip)  # at every place of a request of 72 bytes, sooner or later

    report = checked(line, network, images, prepare)
    assert report.verified, report
    assert report.asked_again > 0


@pytest.mark.usefixtures("hasty")
def test_a_board_that_restarts_is_asked_again(program: Path, network: Network, images: np.ndarray) -> None:
    line = Line(program)

    def prepare() -> None:
        requests = 0

        def restart_sometimes(content: bytes) -> bytes:
            nonlocal requests
            requests += len(content) == 72
            if len(content) == 72 and requests % 25 == 0:
                line.restart()
                return b""
            return content

        line.on_request = restart_sometimes

    report = checked(line, network, images, prepare)
    assert report.verified, report
    assert report.asked_again >= 3  # 80 requests, and those that were lost


@pytest.mark.usefixtures("hasty")
def test_a_board_that_comes_back_as_another_one_is_not_believed(
    program: Path, network: Network, images: np.ndarray, tmp_path: Path
) -> None:
    other = random_network(np.random.default_rng(5), (64, 40, 10), intensity_max=16)
    flashed = compile_application(project.generate(other, "other", [], tmp_path / "p"), tmp_path / "program")
    line = Line(program)

    def prepare() -> None:
        line._program = flashed
        line.restart()

    report = checked(line, network, images, prepare)
    assert not report.verified
    assert report.images == 0
    assert "stale" in str(report.stopped)


@pytest.mark.usefixtures("hasty")
def test_what_was_compared_before_the_line_broke_is_reported(
    program: Path, network: Network, images: np.ndarray
) -> None:
    line = Line(program)

    def prepare() -> None:
        def broken(content: bytes) -> bytes:
            line.count += len(content)
            return content if line.count < 180 * 10 + 90 else flip(content) + content[1:-1] + flip(content[-1:])

        line.on_reply = broken

    report = checked(line, network, images, prepare)
    assert not report.verified
    assert 1 <= report.images == report.equal < len(images)
    assert "serial there" in str(report.stopped)


def test_images_are_sent_so_often_and_no_more(program: Path, images: np.ndarray, hasty: None) -> None:
    line = Line(program)
    asked = 0

    def deaf(content: bytes) -> bytes:
        nonlocal asked
        asked += len(content) == 72
        return frames.encode(b"?") if len(content) == 72 else content  # every image is answered by an error

    with targets.ApplicationTarget(line, "serial there", on_a_line=True) as target:
        line.on_request = deaf
        with pytest.raises(TargetError, match=r"serial there: .*error 3.* \(asked 4 times\)"):
            target.classify(images[0])
    assert asked == application.ATTEMPTS
    stream = ProcessStream([str(program)], "the board")
    with targets.ApplicationTarget(stream, "native") as target, pytest.raises(TargetError, match="another size"):
        target.classify(images[0][1:])  # nothing damages a pipe


# ---- Something else at the port ----


class Sketch:
    """A stream on which something else prints without end, and hears nothing."""

    def __init__(self, says: bytes, pause: float) -> None:
        self._says, self._pause = says, pause

    def write(self, content: bytes) -> None:
        """Nobody listens."""

    def read(self, count: int, deadline: float) -> bytes:
        """More of the same."""
        time.sleep(self._pause)
        return self._says

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("pause", [0, 0.01, 0.05])
@pytest.mark.parametrize(
    "says", [b"temperature 21.5\r\n", b"\xb5", b"\xb5I\x40\0\0\0" + bytes(66), b"\xb5I\xff\xff\xff\xff", bytes(100)]
)
def test_identification_ends_whatever_the_port_prints(
    says: bytes, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "IDENTIFICATION_SECONDS", 0.3)
    monkeypatch.setattr(frames, "_FORGET_SECONDS", 0.05)
    started = time.monotonic()
    with pytest.raises(TargetError, match=r"^serial there: it does not answer.*bs4nn-tc flash") as caught:
        targets.ApplicationTarget(Sketch(says, pause), "serial there", on_a_line=True)
    assert time.monotonic() - started < 10
    assert ("; it said: temperature 21.5" in str(caught.value)) == (says[:1] == b"t")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [frames.IDENTIFY, frames.CLASSIFY])
@pytest.mark.parametrize("says", [b"text ", b"\xb5C\xff\0\0\0", b"\xb5C\0\0\0\0"])
def test_a_frame_has_a_deadline_whatever_comes_instead(kind: bytes, says: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(UnansweredError):
        frames.FrameReader(Sketch(says, 0)).read(kind, 0.1)
    with pytest.raises(UnansweredError):
        frames.FrameReader(Sketch(says, 0)).find(frames.IDENTIFY, 0.1)
    assert time.monotonic() - started < 10


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the descriptor of our side, and the name of the other one."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_port_with_another_sketch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "IDENTIFICATION_SECONDS", 0.5)
    with terminal() as (ours, name):
        ended = threading.Event()

        def print_on() -> None:
            while not ended.wait(0.02):
                os.write(ours, b"\x1b]0;hello\x07 x\r\n")
                os.set_blocking(ours, False)
                with contextlib.suppress(BlockingIOError):
                    os.read(ours, 65_536)

        thread = threading.Thread(target=print_on)
        thread.start()
        try:
            with pytest.raises(TargetError, match=r"does not answer.*it said: \\x1b\]0;hello"):
                targets.open_serial(name)
        finally:
            ended.set()
            thread.join()


def test_a_port_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "IDENTIFICATION_SECONDS", 0.3)
    monkeypatch.setattr(serial_port, "WRITE_SECONDS", 0.1)
    with terminal() as (_, name), pytest.raises(TargetError, match="does not answer"):
        targets.open_serial(name)


def test_a_program_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bs4nn_tc.targets.stream.WRITE_SECONDS", 0.1)
    stream = ProcessStream(["sleep", "60"], "the program")
    with contextlib.closing(stream), pytest.raises(UnansweredError, match="does not take"):
        stream.write(bytes(1_000_000))


# ---- What a board says of itself ----


def identity(name: bytes, board: bytes) -> bytes:
    head = struct.pack("<BBBBIIHH", frames.PROTOCOL_VERSION, 5, 2, 3, 64, 50, 10, 16) + bytes(32)
    return head + bytes([len(name)]) + name + bytes([len(board)]) + board


@pytest.mark.parametrize(
    "name",
    [b"[red]x[/red]", b"\x1b[2J\x1b]0;gone\x07", b"a\nerror: b", b"\xff\xfe\x80", b"n" * 255, "\u202e\u200b".encode()],
)
def test_names_from_a_port_are_one_bounded_line(name: bytes) -> None:
    told = application._identity(identity(name, name) + b"\x01")
    assert told.name == told.board
    assert told.name.isprintable()
    assert 0 < len(told.name) <= application.NAME_CHARACTERS
    assert (told.neurons, told.self_test) == (50, True)
    assert (told.type, told.values, told.stages, told.trace_bytes) == ("int16", 32, 3, 8 + 100 + 40 + 6)


@pytest.mark.parametrize("short", [0, 15, 47, 48, 51, 52, 54, 56])
def test_an_identity_that_ends_too_early_is_refused(short: int) -> None:
    whole = identity(b"net", b"boa")
    assert len(whole) == 56
    with pytest.raises(TargetError, match="cannot be read"):
        application._identity(whole[:short])


def test_firmware_of_an_older_release_is_refused_in_one_line() -> None:
    """As version 1 of the protocol said it: values of a sample, outputs, T, neurons."""
    old = struct.pack("<BBHHHI", 1, 5, 64, 10, 16, 88) + bytes(32) + b"\x03odd\x06native\x01"
    with pytest.raises(
        TargetError, match=r"^the target speaks version 1 of the protocol, this tool version 2; [^\n]*$"
    ):
        application._identity(old)


def test_a_reply_is_no_longer_than_the_network_needs() -> None:
    reader = frames.FrameReader(Sketch(frames.START + b"C" + struct.pack("<I", 2000), 0))
    reader.expect_replies_of(148)
    with pytest.raises(UnansweredError, match=re.escape("2,000 bytes; 1,024 is the limit")):
        reader.read(frames.CLASSIFY, 30)
