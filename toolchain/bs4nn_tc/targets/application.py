"""An application somewhere behind a stream: identify it, classify samples, trace them."""

from __future__ import annotations

import codecs
import contextlib
import io
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import TargetError, VerificationError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import frames
from bs4nn_tc.targets.stream import Stream, UnansweredError

# Seconds until the first frame: an emulated M0 tests itself before it reports.
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0
# Until an application that has been running for a while says who it is, whatever else its port prints.
IDENTIFICATION_SECONDS = 45.0
# Of that, for one question and the zeros after it: a frame that somebody has left unfinished takes as many bytes as a
# sample has.
RECOVERY_SECONDS = 2.0
RECOVERY_ZEROS = 8192
# How often an image is sent over a line that may damage it, or to a board that may restart.
ATTEMPTS = 4
# Of the texts that a target says of itself, and of what it printed last, so many characters are shown.
NAME_CHARACTERS = 80
SAID_CHARACTERS = 120
# What the replies to samples begin with, and what an identity does.
_ANSWER, _IDENTITY = struct.Struct("<HHI"), struct.Struct("<BBBBIIHH")
_DIGEST_BYTES = 32
# By the bytes of a value.
_TYPES = {1: "uint8", 2: "int16"}
# BOARD_LAP_TOO_LONG of board.h.
LAP_TOO_LONG = 0xFFFF_FFFF


class LapTooLongError(TargetError):
    """An inference takes longer than the board's counter reaches."""


@dataclass(frozen=True)
class Identity:
    """What an application says of itself.

    Attributes:
        type: of the values of a sample.
        values: of a sample.
        stages: of the input.
        name: of the network, as it may be printed.
        board: as it may be printed.
        self_test: whether it has passed.
    """

    protocol: int
    kernel_format: int
    type: str
    values: int
    stages: int
    neurons: int
    outputs: int
    time_steps: int
    digest: str
    name: str
    board: str
    self_test: bool

    @property
    def sample_bytes(self) -> int:
        """Of a sample."""
        return self.values * np.dtype(self.type).itemsize

    @property
    def trace_bytes(self) -> int:
        """Of the reply to a traced sample."""
        return _ANSWER.size + 2 * self.neurons + 4 * self.outputs + 2 * self.stages


@dataclass(frozen=True)
class Answer:
    """One inference with early exit."""

    answer: int
    response_time: int
    spikes: int


@dataclass(frozen=True)
class Trace(Answer):
    """One inference to the last step.

    Attributes:
        firing_times: (neurons of all layers,) int32, layer by layer, T = never.
        readout_potential: (outputs,) int32.
        stages: CRC-16 of what comes out of each stage of the input, see `verify`.
    """

    firing_times: NDArray[np.int32]
    readout_potential: NDArray[np.int32]
    stages: tuple[int, ...] = ()


class ApplicationTarget:
    """A running application. Use as a context manager.

    Attributes:
        label: names the target in messages.
        identity: what it last said of itself.
        asked_again: how often an image had to be sent once more.
    """

    def __init__(self, stream: Stream, label: str, on_a_line: bool = False) -> None:
        """Wait for the application's identity.

        Args:
            stream: an open stream.
            label: names the target in messages and reports, e.g. "emulator qemu-m4".
            on_a_line: the application has been running for a while, behind a line that may damage what it carries: it
                is asked who it is, and asked again where no whole answer comes. Otherwise it has been started just
                now, and reports by itself.

        Raises:
            TargetError: no application answers, or one of another version.
        """
        self.label = label
        self.asked_again = 0
        self._attempts = ATTEMPTS if on_a_line else 1
        self._network: Network | None = None
        self._stream = stream
        self._reader = frames.FrameReader(stream)
        try:
            if on_a_line:
                self.recover()
            else:
                self._identify(self._reader.read(frames.IDENTIFY, START_SECONDS))
        except TargetError as error:
            stream.close()
            raise TargetError(f"{label}: {error}{self._said()}") from error
        except BaseException:
            stream.close()
            raise

    def recover(self) -> None:
        """Come to terms with an application in whatever state it is, and ask who it is.

        It may be in the middle of a frame that somebody else began, and wait for the rest: zeros fill that up,
        and between frames they mean nothing.

        Answers come in the order of the questions: once it has said who it is, nothing from before is on its way.

        Raises:
            TargetError: it does not say who it is in `IDENTIFICATION_SECONDS`, whatever else it prints.
        """
        end = time.monotonic() + IDENTIFICATION_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                self._reader.forget()
                self._stream.write(frames.encode(frames.IDENTIFY))
                self._identify(self._reader.find(frames.IDENTIFY, min(RECOVERY_SECONDS, left)))
                self._reader.forget()  # the same once more, where it was asked more than once
                return
            except UnansweredError:
                with contextlib.suppress(UnansweredError):
                    self._stream.write(bytes(RECOVERY_ZEROS))
        raise TargetError(
            f"it does not answer: nobody says in {IDENTIFICATION_SECONDS:g} seconds that this is an application of "
            "bs4nn-tc; flash it (bs4nn-tc flash)"
        )

    @property
    def stream(self) -> Stream:
        """The bytes themselves, for whoever tests what an application makes of garbage."""
        return self._stream

    @property
    def text(self) -> str:
        """What the application has printed for people so far."""
        return self._reader.text.decode(errors="replace").replace("\r\n", "\n")

    def expect(self, network: Network) -> None:
        """Check that the target runs `network`, in whose order its traces come from now on, and can be believed.

        Raises:
            TargetError: it runs another one: the firmware is stale.
            VerificationError: it has found in its self-test that it does not compute what the reference computes.
        """
        if self.identity.digest != network.digest:
            raise TargetError(
                f"{self.label} runs another network ({self.identity.name}, digest {self.identity.digest[:12]}, "
                f"expected {network.digest[:12]}): its firmware is stale; build and flash it again"
            )
        if not self.identity.self_test:
            raise VerificationError(
                f"{self.label}: its self-test FAILED: it does not compute what the reference computes, so nothing "
                "that it answers is believed; generate, build and flash it again"
            )
        self._network = network

    def classify(self, sample: NDArray[Any]) -> Answer:
        """Classify one sample (values,) of the network's type, stopping with the first output spike."""
        return Answer(*_ANSWER.unpack_from(self._request(frames.CLASSIFY, _little_endian(sample), _ANSWER.size)))

    def trace(self, sample: NDArray[Any]) -> Trace:
        """Classify one sample (values,) of the network's type, running on to the last step."""
        identity = self.identity
        payload = self._request(frames.TRACE, _little_endian(sample), identity.trace_bytes)
        first = _ANSWER.size
        times = np.frombuffer(payload, "<u2", identity.neurons, first).astype(np.int32)
        if self._network is not None:
            times = self._network.from_places(times)
        first += 2 * identity.neurons
        potentials = np.frombuffer(payload, "<i4", identity.outputs, first).astype(np.int32)
        stages = np.frombuffer(payload, "<u2", identity.stages, first + 4 * identity.outputs)
        answer, response_time, spikes = _ANSWER.unpack_from(payload)
        return Trace(answer, response_time, spikes, times, potentials, tuple(stages.tolist()))

    def profile(self, sample: NDArray[Any]) -> tuple[Answer, int]:
        """Classify one sample; the answer, and the ticks of the board's clock that it took (0: no counter).

        Raises:
            LapTooLongError: it took longer than the board's counter reaches.
        """
        payload = self._request(frames.PROFILE, _little_endian(sample), 12)
        answer, response_time, spikes, ticks = struct.unpack("<HHII", payload)
        if ticks == LAP_TOO_LONG:
            raise LapTooLongError(f"{self.label}: an inference takes longer than the board's counter reaches")
        return Answer(answer, response_time, spikes), ticks

    def begin_stream(self) -> None:
        """Forget the steps that have been pushed."""
        self._push(b"")

    def push(self, step: NDArray[Any]) -> Answer | None:
        """Add one step (channels,) of the network's type to the stream; the answer where it completes a window or hop.

        Raises:
            TargetError: no answer: the step may have arrived or not, so that the stream has to begin anew.
        """
        payload = self._push(_little_endian(step))
        return Answer(*_ANSWER.unpack_from(payload)) if payload else None

    def sample(self, played: NDArray[Any] | None = None) -> NDArray[Any]:
        """A sample (values,) of the board's sensor, of the network's type.

        Args:
            played: a sample that the board is to give in place of its sensor's.

        Raises:
            TargetError: it has no sensor, or that gave no sample.
        """
        if played is not None:
            self._request(frames.LOAD, _little_endian(played), 0)
        content = self._request(frames.SAMPLE, b"", self.identity.sample_bytes)
        kind = np.dtype(self.identity.type)
        return np.frombuffer(content, kind.newbyteorder("<")).astype(kind)

    def listen(self) -> Iterator[str]:
        """What the application prints for people from now on, as it comes; ends when the stream does."""
        # A line end, and a character, may come in two pieces.
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        while True:
            try:
                content = self._stream.read(256, time.monotonic() + 3600)
            except TargetError as error:
                raise TargetError(f"{self.label}: {error}") from error
            yield decoder.decode(content)

    def close(self) -> None:
        """End the application where that is possible, and the stream."""
        self._stream.close()

    def _push(self, step: bytes) -> bytes:
        """The payload of the reply: empty or an answer."""
        try:
            self._stream.write(frames.encode(frames.PUSH, step))
            payload = self._reader.read(frames.PUSH, ANSWER_SECONDS)
        except TargetError as error:
            raise TargetError(f"{self.label}: {error}{self._said()}") from error
        if len(payload) not in (0, _ANSWER.size):
            raise TargetError(f"{self.label}: an answer of {len(payload)} bytes came back")
        return payload

    def _request(self, kind: bytes, payload: bytes, length: int) -> bytes:
        """The payload of the answer, which has to have that length; asked for `_attempts` times if need be."""
        request = frames.encode(kind, payload)
        unanswered = UnansweredError()
        for attempt in range(self._attempts):
            if attempt > 0:
                self._prepare_to_ask_again()
            try:
                self._stream.write(request)
                answer = self._reader.read(kind, ANSWER_SECONDS)
            except UnansweredError as error:
                unanswered = error
            except TargetError as error:
                raise TargetError(f"{self.label}: {error}{self._said()}") from error
            else:
                if len(answer) != length:
                    raise TargetError(f"{self.label}: a reply of {len(answer)} bytes came back, not {length}")
                return answer
        times = f" (asked {self._attempts} times)" if self._attempts > 1 else ""
        raise TargetError(f"{self.label}: {unanswered}{times}") from unanswered

    def _prepare_to_ask_again(self) -> None:
        """Nothing from before is on its way any more, and the target still is what it was."""
        self.asked_again += 1
        try:
            self.recover()
        except TargetError as error:
            raise TargetError(f"{self.label}: {error}{self._said()}") from error
        if self._network is not None:
            self.expect(self._network)

    def _identify(self, payload: bytes) -> None:
        self.identity = _identity(payload)
        self._reader.expect_replies_of(max(self.identity.trace_bytes, self.identity.sample_bytes))

    def _said(self) -> str:
        """The last whole line of text that came over a port, for messages: who is it that does not answer?"""
        whole = self.text.split("\n")[:-1]
        lines = [line.strip() for line in whole if line.strip() and "\N{REPLACEMENT CHARACTER}" not in line]
        return f"; it said: {printable(lines[-1], SAID_CHARACTERS)}" if lines and self._attempts > 1 else ""

    def __enter__(self) -> ApplicationTarget:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _little_endian(values: NDArray[Any]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _identity(payload: bytes) -> Identity:
    try:
        protocol = payload[0]
        if protocol != frames.PROTOCOL_VERSION:
            raise TargetError(
                f"the target speaks version {protocol} of the protocol, this tool version "
                f"{frames.PROTOCOL_VERSION}; generate, build and flash it again"
            )
        _, kernel_format, value_bytes, stages, sample_bytes, neurons, outputs, time_steps = _IDENTITY.unpack_from(
            payload
        )
        kind = _TYPES[value_bytes]
        values = sample_bytes // value_bytes
        position = _IDENTITY.size + _DIGEST_BYTES
        digest = payload[_IDENTITY.size : position].hex()
        texts = []
        for _ in range(2):
            end = position + 1 + payload[position]
            if end > len(payload):
                raise IndexError
            texts.append(printable(payload[position + 1 : end].decode(errors="backslashreplace"), NAME_CHARACTERS))
            position = end
        self_test = bool(payload[position])
    except (struct.error, IndexError, KeyError) as error:
        raise TargetError("the target sent an identity that cannot be read") from error
    name, board = texts
    sizes = values, stages, neurons, outputs, time_steps
    return Identity(protocol, kernel_format, kind, *sizes, digest, name, board, self_test)
