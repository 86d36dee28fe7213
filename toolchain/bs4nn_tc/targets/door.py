"""Who wants to talk to a board behind a TCP port: let in one after another, or refused with a line."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass

# How often whatever may have changed is looked at, seconds.
LOOK_SECONDS = 0.2
# So many clients wait, and so many that were refused may still read why.
_PLACES = 8
# How long a client waits for its turn, or may say nothing, seconds.
WAIT_SECONDS = 10.0
# How long a client that was refused has to read why, seconds: closed at once, the line may be thrown away.
_READ_SECONDS = 1.0
# What a client begins with is a frame (0xB5) or zeros. Text, with which a browser begins whatever it was made to send,
# and the first byte of TLS are below this.
_BINARY = 0x80


@dataclass
class _Guest:
    """A client that waits.

    Attributes:
        socket: its connection, non-blocking.
        until: when its patience, or ours, ends (time.monotonic, seconds).
        spoke: it has begun as a client of ours does.
    """

    socket: socket.socket
    until: float
    spoke: bool = False


class Door:
    """The clients that have come and do not talk to the board yet."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        listener.setblocking(False)
        self._guests: list[_Guest] = []
        self._refused: list[_Guest] = []

    def descriptors(self) -> list[int]:
        """Where something may happen that `look` has to look at."""
        return [self._listener.fileno(), *(guest.socket.fileno() for guest in self._guests if not guest.spoke)]

    def look(self, ready: Collection[int]) -> None:
        """See who has come, how each begins, and who has waited for too long.

        Args:
            ready: those of `descriptors` that have something to read.
        """
        now = time.monotonic()
        for guest in list(self._guests):
            why = self._judge(guest) if guest.socket.fileno() in ready else None
            if why is None and now > guest.until:
                why = "another client is talking to the board" if guest.spoke else "nothing came"
            if why is not None:
                self._guests.remove(guest)
                self.refuse(guest.socket, why)
        if self._listener.fileno() in ready:
            with contextlib.suppress(OSError):  # it has gone again
                client, _ = self._listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._guests.append(_Guest(client, now + WAIT_SECONDS))
        if len(self._guests) > _PLACES:
            self.refuse(self._guests.pop().socket, "too many clients are waiting for the board")
        while self._refused and (now > self._refused[0].until or len(self._refused) > _PLACES):
            self._refused.pop(0).socket.close()

    def admit(self) -> socket.socket | None:
        """The client whose turn it is, if there is one."""
        for guest in self._guests:
            if guest.spoke:
                self._guests.remove(guest)
                return guest.socket
        return None

    def refuse(self, client: socket.socket, why: str) -> None:
        """Tell a client why it has to go; it is hung up on a moment later."""
        with contextlib.suppress(OSError):
            client.send(f"bs4nn-tc emulate: refused: {why}\r\n".encode())
        self._refused.append(_Guest(client, time.monotonic() + _READ_SECONDS))

    def close(self) -> None:
        """Hang up on everybody."""
        for guest in (*self._guests, *self._refused):
            guest.socket.close()

    @staticmethod
    def _judge(guest: _Guest) -> str | None:
        """Look at the first byte of a client; why it has to go, or None."""
        try:
            first = guest.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return "gone"
        if not first:
            return "gone"
        if 0 < first[0] < _BINARY:
            return "this is the console of a board, which takes frames and no text"
        guest.spoke = True
        return None
