"""An application somewhere behind a stream: identify it, classify images, trace them."""

from __future__ import annotations

import codecs
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
from bs4nn_tc.targets.stream import Stream

# Seconds until the first frame: an emulated M0 tests itself before it reports.
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0
# A frame that somebody has left unfinished takes up to 65,535 bytes more.
RECOVERY_ATTEMPTS = 20
RECOVERY_ZEROS = 4096
RECOVERY_SECONDS = 2.0
# BOARD_LAP_TOO_LONG of board.h.
LAP_TOO_LONG = 0xFFFF_FFFF


class LapTooLongError(TargetError):
    """An inference takes longer than the board's counter reaches."""


@dataclass(frozen=True)
class Identity:
    """What an application says of itself; `self_test` is None where firmware of an older release does not tell."""

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
    """A running application. Use as a context manager."""

    def __init__(self, stream: Stream, label: str, greets: bool = True) -> None:
        """Wait for the application's identity.

        Args:
            stream: an open stream.
            label: names the target in messages and reports, e.g. "emulator qemu-m4".
            greets: the application was started just now and reports by itself; otherwise it is asked.

        Raises:
            TargetError: no application answers, or one of another version.
        """
        self.label = label
        self._network: Network | None = None
        self._stream = stream
        self._reader = frames.FrameReader(stream)
        try:
            if greets:
                self.identity = _identity(self._reader.read(frames.IDENTIFY, START_SECONDS))
            else:
                self.recover()
        except TargetError as error:
            stream.close()
            raise TargetError(f"{label}: {error}") from error
        except BaseException:
            stream.close()
            raise

    def recover(self) -> None:
        """Come to terms with an application in whatever state it is, and ask who it is.

        It may be in the middle of a frame that somebody else began, and wait for the rest: zeros fill that up,
        and between frames they mean nothing.

        Raises:
            TargetError: it does not say who it is.
        """
        for attempt in range(RECOVERY_ATTEMPTS):
            try:
                self._stream.write(frames.encode(frames.IDENTIFY))
                self.identity = _identity(self._reader.read(frames.IDENTIFY, RECOVERY_SECONDS))
                return
            except TargetError:
                if attempt + 1 == RECOVERY_ATTEMPTS:
                    raise
                self._reader.forget()
                self._stream.write(bytes(RECOVERY_ZEROS))
        raise AssertionError

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
        """Classify one image (pixels,) uint8, stopping with the first output spike."""
        return Answer(*struct.unpack("<HHI", self._request(frames.CLASSIFY, image)[:8]))

    def trace(self, image: NDArray[np.uint8]) -> Trace:
        """Classify one image (pixels,) uint8, running on to the last step."""
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
        try:
            self._stream.write(frames.encode(kind, image.tobytes()))
            payload = self._reader.read(kind, ANSWER_SECONDS)
        except TargetError as error:
            raise TargetError(f"{self.label}: {error}") from error
        if len(payload) < 8:
            raise TargetError(f"{self.label}: an answer of {len(payload)} bytes came back")
        return payload

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
            texts.append(printable(payload[position + 1 : end].decode("ascii")))
            position = end
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise TargetError("the target sent an identity that cannot be read") from error
    self_test = bool(payload[position]) if position < len(payload) else None
    name, board = texts
    return Identity(protocol, kernel_format, inputs, outputs, time_steps, neurons, digest, name, board, self_test)
