"""The frames of firmware/src/protocol.h on the host's side: bytes to payloads and back.

0xB5 | kind (1) | length (4, little-endian) | payload (length) | CRC-16/CCITT (2, little-endian)
"""

from __future__ import annotations

import binascii
import math
import struct
import time

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.targets.stream import Stream, UnansweredError

PROTOCOL_VERSION = 2
START = b"\xb5"
IDENTIFY, CLASSIFY, TRACE, PROFILE, PUSH, ERROR = b"I", b"C", b"T", b"P", b"S", b"E"
SAMPLE, LOAD = b"R", b"L"
MAX_LENGTH = 1 << 20
# An identity, the longest of what does not depend on the network: numbers, digest, two texts.
_IDENTITY_LENGTH = 1024
# A frame that has begun comes without longer pauses, seconds; and so does one whose first byte was damaged.
_PAUSE_SECONDS = 5.0
# Nothing more comes where nothing has come for so long, seconds; and nobody waits longer than that for it.
_QUIET_SECONDS = 0.2
_FORGET_SECONDS = 1.0
# So much of what a target prints for people is kept, bytes.
_TEXT_LENGTH = 4096

_DEVICE_ERRORS = {
    1: "a frame arrived damaged",
    2: "a frame was too long for it",
    3: "it does not know that kind of frame",
    4: "the sample has another size than its network takes",
    5: "its stack has grown over its end, so nothing that it says can be believed; give it more stack",
    6: "it has no sensor, or that gave no sample: write application_read_sample (see the project's README), or play "
    "recorded samples with --play",
    -1: "a NULL pointer reached the kernel",
    -2: "its network is inconsistent",
    -3: "its workspace is too small",
    -4: "a pixel is too bright for its network",
}


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as bytes."""
    body = kind + struct.pack("<I", len(payload)) + payload
    return START + body + struct.pack("<H", binascii.crc_hqx(body, 0xFFFF))


# What a device says of a request that has been damaged on its way.
_DAMAGED_REQUEST = (1, 2, 3, 4)


class FrameReader:
    """Takes frames out of a stream, skipping the text between them.

    Attributes:
        text: the last of what came between the frames.
        longest: no frame is longer, bytes; one that says so is damaged.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.text = bytearray()
        self.longest = MAX_LENGTH

    def expect_replies_of(self, most_bytes: int) -> None:
        """From now on no frame is longer than so many bytes, or an identity."""
        self.longest = min(MAX_LENGTH, max(_IDENTITY_LENGTH, most_bytes))

    def read(self, kind: bytes, seconds: float) -> bytes:
        """The payload of the next frame, which has to be of `kind`.

        Raises:
            UnansweredError: nothing complete in `seconds`, whatever else comes; a damaged frame, another kind, a
                target that has restarted, or one that a damaged request has reached.
            TargetError: another error that the application reports, or the other end is gone.
        """
        # Whoever starts prints something, tests itself and then reports; whoever answers does so in one go.
        pause = math.inf if kind == IDENTIFY else _PAUSE_SECONDS
        found, payload = self._next(time.monotonic() + seconds, pause)
        if found == ERROR and payload:
            code = struct.unpack("<b", payload[:1])[0]
            kind_of_error = UnansweredError if code in _DAMAGED_REQUEST else TargetError
            raise kind_of_error(f"the target reports error {code}: {_DEVICE_ERRORS.get(code, 'unknown')}")
        if found == IDENTIFY != kind:  # an application that starts reports by itself
            raise UnansweredError("the target has restarted")
        if found != kind:
            raise UnansweredError(f"the target sent a frame of kind {found!r} where {kind!r} was expected")
        return payload

    def find(self, kind: bytes, seconds: float) -> bytes:
        """The payload of the next whole frame of `kind`, whatever comes before it.

        Raises:
            UnansweredError: none in `seconds`.
            TargetError: the other end is gone.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                found, payload = self._next(deadline)
            except UnansweredError:
                if time.monotonic() >= deadline:
                    raise
                continue
            if found == kind:
                return payload

    def forget(self) -> None:
        """Throw away what has come and is at hand, until nothing more comes for a moment.

        Raises:
            TargetError: the other end is gone.
        """
        self._keep_text(self._buffer)
        self._buffer.clear()
        end = time.monotonic() + _FORGET_SECONDS
        try:
            while (now := time.monotonic()) < end:
                self._keep_text(self._stream.read(65_536, now + _QUIET_SECONDS))
        except UnansweredError:
            return

    def _next(self, deadline: float, pause: float = math.inf) -> tuple[bytes, bytes]:
        """Kind and payload of the next frame, whatever it is; text before it may be followed by a `pause`."""
        while self._buffer[:1] != START:
            start = self._buffer.find(START)
            skipped = len(self._buffer) if start < 0 else start
            self._keep_text(self._buffer[:skipped])
            del self._buffer[:skipped]
            if not self._buffer:
                self._fill(1, deadline, pause if skipped else math.inf)
        self._fill(6, deadline, _PAUSE_SECONDS)
        length = struct.unpack_from("<I", self._buffer, 2)[0]
        if length > self.longest:
            del self._buffer[:1]
            raise UnansweredError(f"the target sent a frame of {length:,} bytes; {self.longest:,} is the limit")
        self._fill(8 + length, deadline, _PAUSE_SECONDS)
        frame = bytes(self._buffer[: 8 + length])
        if binascii.crc_hqx(frame[1:-2], 0xFFFF) != struct.unpack("<H", frame[-2:])[0]:
            del self._buffer[:1]  # a whole frame may lie behind what only looked like the start of one
            raise UnansweredError("the target sent a damaged frame (its checksum is wrong)")
        del self._buffer[: 8 + length]
        return frame[1:2], frame[6:-2]

    def _fill(self, count: int, deadline: float, pause: float = math.inf) -> None:
        """At least `count` bytes in the buffer: before `deadline`, whatever comes, and without a longer `pause`."""
        while len(self._buffer) < count:
            now = time.monotonic()
            if now >= deadline:
                raise UnansweredError("no whole answer came in time")
            self._buffer += self._stream.read(65_536, min(deadline, now + pause))

    def _keep_text(self, content: bytes | bytearray) -> None:
        self.text += content
        del self.text[:-_TEXT_LENGTH]
