"""An application somewhere behind a stream: identify it, classify images, trace them."""

from __future__ import annotations

import codecs
import contextlib
import io
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

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
# Of that, for one question and the zeros after it: a frame that somebody has left unfinished takes up to 65,535 bytes.
RECOVERY_SECONDS = 2.0
RECOVERY_ZEROS = 8192
# How often an image is sent over a line that may damage it, or to a board that may restart.
ATTEMPTS = 4
# Of the texts that a target says of itself, and of what it printed last, so many characters are shown.
NAME_CHARACTERS = 80
SAID_CHARACTERS = 120
# BOARD_LAP_TOO_LONG of board.h.
LAP_TOO_LONG = 0xFFFF_FFFF


class LapTooLongError(TargetError):
    """An inference takes longer than the board's counter reaches."""


@dataclass(frozen=True)
class Identity:
    """What an application says of itself.

    Attributes:
        inputs: values of a sample.
        name: of the network, as it may be printed.
        board: as it may be printed.
        self_test: None where firmware of an older release does not tell.
    """

    protocol: int
    kernel_format: int
    inputs: int
    outputs: int
    time_steps: int
    neurons: int
    digest: str
    name: str
    board: str
    self_test: bool | None = None


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
    """

    firing_times: NDArray[np.int32]
    readout_potential: NDArray[np.int32]


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
        if self.identity.self_test is False:
            raise VerificationError(
                f"{self.label}: its self-test FAILED: it does not compute what the reference computes, so nothing "
                "that it answers is believed; generate, build and flash it again"
            )
        self._network = network

    def classify(self, image: NDArray[np.uint8]) -> Answer:
        """Classify one sample (values,) uint8, stopping with the first output spike."""
        return Answer(*struct.unpack("<HHI", self._request(frames.CLASSIFY, image)[:8]))

    def trace(self, image: NDArray[np.uint8]) -> Trace:
        """Classify one sample (values,) uint8, running on to the last step."""
        payload = self._request(frames.TRACE, image)
        neurons, outputs = self.identity.neurons, self.identity.outputs
        if len(payload) != 8 + 2 * neurons + 4 * outputs:
            raise TargetError(f"{self.label}: a trace of {len(payload)} bytes came back")
        times = np.frombuffer(payload, "<u2", neurons, 8).astype(np.int32)
        if self._network is not None:
            times = self._network.from_places(times)
        potentials = np.frombuffer(payload, "<i4", outputs, 8 + 2 * neurons).astype(np.int32)
        answer, response_time, spikes = struct.unpack_from("<HHI", payload)
        return Trace(answer, response_time, spikes, times, potentials)

    def profile(self, image: NDArray[np.uint8]) -> tuple[Answer, int]:
        """Classify one image; the answer, and the ticks of the board's clock that it took (0: no counter).

        Raises:
            LapTooLongError: it took longer than the board's counter reaches.
        """
        payload = self._request(frames.PROFILE, image)
        if len(payload) != 12:
            raise TargetError(f"{self.label}: a profile of {len(payload)} bytes came back")
        answer, response_time, spikes, ticks = struct.unpack("<HHII", payload)
        if ticks == LAP_TOO_LONG:
            raise LapTooLongError(f"{self.label}: an inference takes longer than the board's counter reaches")
        return Answer(answer, response_time, spikes), ticks

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

    def _request(self, kind: bytes, image: NDArray[np.uint8]) -> bytes:
        """The payload of the answer, of at least 8 bytes; asked for `_attempts` times if need be."""
        request = frames.encode(kind, image.tobytes())
        unanswered = UnansweredError()
        for attempt in range(self._attempts):
            if attempt > 0:
                self._prepare_to_ask_again()
            try:
                self._stream.write(request)
                payload = self._reader.read(kind, ANSWER_SECONDS)
            except UnansweredError as error:
                unanswered = error
            except TargetError as error:
                raise TargetError(f"{self.label}: {error}{self._said()}") from error
            else:
                if len(payload) < 8:
                    raise TargetError(f"{self.label}: an answer of {len(payload)} bytes came back")
                return payload
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
        self._reader.expect_replies_of(self.identity.neurons, self.identity.outputs)

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


def _identity(payload: bytes) -> Identity:
    try:
        protocol, kernel_format, inputs, outputs, time_steps, neurons = struct.unpack_from("<BBHHHI", payload)
        if protocol != frames.PROTOCOL_VERSION:
            raise TargetError(
                f"the target speaks version {protocol} of the protocol, this tool version "
                f"{frames.PROTOCOL_VERSION}; generate, build and flash it again"
            )
        digest = payload[12:44].hex()
        texts = []
        position = 44
        for _ in range(2):
            end = position + 1 + payload[position]
            if end > len(payload):
                raise IndexError
            texts.append(printable(payload[position + 1 : end].decode(errors="backslashreplace"), NAME_CHARACTERS))
            position = end
    except (struct.error, IndexError) as error:
        raise TargetError("the target sent an identity that cannot be read") from error
    self_test = bool(payload[position]) if position < len(payload) else None
    name, board = texts
    return Identity(protocol, kernel_format, inputs, outputs, time_steps, neurons, digest, name, board, self_test)
