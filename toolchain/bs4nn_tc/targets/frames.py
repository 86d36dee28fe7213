"""The frames of firmware/src/protocol.h on the host's side: bytes to payloads and back.

0xB5 | kind (1) | length (4, little-endian) | payload (length) | CRC-16/CCITT (2, little-endian)
"""

from __future__ import annotations

import binascii
import contextlib
import struct
import time

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.targets.stream import Stream

PROTOCOL_VERSION = 1
START = b"\xb5"
IDENTIFY, CLASSIFY, TRACE, PROFILE, ERROR = b"I", b"C", b"T", b"P", b"E"
MAX_LENGTH = 1 << 20

_DEVICE_ERRORS = {
    1: "a frame arrived damaged",
    2: "a frame was too long for it",
    3: "it does not know that kind of frame",
    4: "the image has another size than its network takes",
    5: "its stack has grown over its end, so nothing that it says can be believed; give it more stack",
    -1: "a NULL pointer reached the kernel",
    -2: "its network is inconsistent",
    -3: "its workspace is too small",
    -4: "a pixel is too bright for its network",
}


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as bytes."""
    body = kind + struct.pack("<I", len(payload)) + payload
    return START + body + struct.pack("<H", binascii.crc_hqx(body, 0xFFFF))


class FrameReader:
    """Takes frames out of a stream, skipping the text between them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.text = bytearray()

    def read(self, kind: bytes, seconds: float) -> bytes:
        """The payload of the next frame, which has to be of `kind`.

        Raises:
            TargetError: nothing complete in `seconds`, a damaged frame, another kind, or an error
                that the application reports.
        """
        deadline = time.monotonic() + seconds
        found, payload = self._next(deadline)
        while found == IDENTIFY != kind:  # an application that restarts reports by itself
            found, payload = self._next(deadline)
        if found == ERROR and payload:
            code = struct.unpack("<b", payload[:1])[0]
            raise TargetError(f"the target reports error {code}: {_DEVICE_ERRORS.get(code, 'unknown')}")
        if found != kind:
            raise TargetError(f"the target sent a frame of kind {found!r} where {kind!r} was expected")
        return payload

    def forget(self) -> None:
        """Throw away what has come and is at hand, until nothing more comes for a moment."""
        self._buffer.clear()
        with contextlib.suppress(TargetError):
            while True:
                self._stream.read(65_536, time.monotonic() + 0.2)

    def _next(self, deadline: float) -> tuple[bytes, bytes]:
        """Kind and payload of the next frame, whatever it is."""
        while self._buffer[:1] != START:
            start = self._buffer.find(START)
            skipped = len(self._buffer) if start < 0 else start
            self.text += self._buffer[:skipped]
            del self.text[:-4096]
            del self._buffer[:skipped]
            if not self._buffer:
                self._fill(1, deadline)
        self._fill(6, deadline)
        length = struct.unpack_from("<I", self._buffer, 2)[0]
        if length > MAX_LENGTH:
            del self._buffer[:1]
            raise TargetError(f"the target sent a frame of {length:,} bytes; {MAX_LENGTH:,} is the limit")
        self._fill(8 + length, deadline)
        frame = bytes(self._buffer[: 8 + length])
        del self._buffer[: 8 + length]
        if binascii.crc_hqx(frame[1:-2], 0xFFFF) != struct.unpack("<H", frame[-2:])[0]:
            raise TargetError("the target sent a damaged frame (its checksum is wrong)")
        return frame[1:2], frame[6:-2]

    def _fill(self, count: int, deadline: float) -> None:
        while len(self._buffer) < count:
            self._buffer += self._stream.read(65_536, deadline)
