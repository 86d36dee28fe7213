"""The application on a board behind a serial port (or pyserial's socket:// and rfc2217:// URLs)."""

from __future__ import annotations

import time

import serial
from serial.tools import list_ports

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.stream import WRITE_SECONDS, UnansweredError

BAUD_RATE = 115_200
POLL_SECONDS = 0.1
# A USB board that restarts when its port is opened needs this long before it listens.
SETTLE_SECONDS = 2.0


class SerialStream:
    """A serial port as a stream."""

    def __init__(self, port: str) -> None:
        # What travels over a network does not know how many bytes are waiting.
        self._counts = "://" not in port
        try:
            self._port = serial.serial_for_url(
                port, baudrate=BAUD_RATE, timeout=POLL_SECONDS, write_timeout=WRITE_SECONDS
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise TargetError(f"cannot open the serial port {port}: {error}") from error

    def write(self, content: bytes) -> None:
        """Send all of `content`."""
        try:
            self._port.write(content)
        except serial.SerialTimeoutException as error:
            raise UnansweredError("the board does not take what it is sent") from error
        except OSError as error:
            raise TargetError(f"the serial port is gone: {error}") from error

    def read(self, count: int, deadline: float) -> bytes:
        """At least 1 and at most `count` bytes, before `deadline`."""
        try:
            while time.monotonic() < deadline:
                content: bytes
                if self._counts:
                    content = self._port.read(max(1, min(count, self._port.in_waiting)))
                else:
                    content = self._port.read(1)
                    if content and count > 1:
                        self._port.timeout = 0  # whatever is there
                        content += self._port.read(count - 1)
                        self._port.timeout = POLL_SECONDS
                if content:
                    return content
        except OSError as error:
            raise TargetError(f"the serial port is gone: {error}") from error
        raise UnansweredError("the board does not answer")

    def close(self) -> None:
        """Close the port; the board goes on running."""
        self._port.close()


def find_port() -> str:
    """The serial port of the one board that is plugged in.

    Raises:
        TargetError: none, or several to choose from.
    """
    ports = [port.device for port in list_ports.comports() if port.vid is not None]
    if len(ports) == 1:
        return str(ports[0])
    if not ports:
        raise TargetError("no board is plugged in (no USB serial port was found); name one with --port")
    raise TargetError(f"several boards are plugged in ({', '.join(ports)}); choose one with --port")


def open_serial(port: str | None) -> ApplicationTarget:
    """Talk to the board at `port`, or at the only port there is.

    Raises:
        TargetError: no port, or no application that answers there.
    """
    port = port or find_port()
    stream = SerialStream(port)
    if any(port == known.device and known.vid is not None for known in list_ports.comports()):
        time.sleep(SETTLE_SECONDS)
    return ApplicationTarget(stream, f"serial {port}", on_a_line=True)
