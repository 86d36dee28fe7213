"""What keeps others from the page of `live`: time limits, names of hosts, and what the page itself may run."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
from collections.abc import Collection

import h11
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# How long a request may take to come, from its first byte (or the connection) to its last, seconds.
REQUEST_SECONDS = 10.0
# What a browser runs or shows that stands in the page itself.
_SCRIPTS = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLES = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class TimedProtocol(H11Protocol):
    """HTTP/1.1 by uvicorn, which hangs up on who does not get to the end of a request: uvicorn alone waits for ever."""

    _too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected, and now has to send a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """A piece of a request has come, perhaps its last."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """A request has been answered; the beginning of the next one may be there."""
        super().on_response_complete()
        self._watch(between=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self, between: bool = False) -> None:
        """Start the clock where a request has begun, stop it where one has come to its end."""
        waiting = self.conn.their_state is h11.SEND_BODY or (
            self.conn.their_state is h11.IDLE and not (between and not self.conn.trailing_data[0])
        )
        if not waiting:
            self._forget()
        elif self._too_slow is None:
            self._too_slow = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _forget(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None


class OwnHosts:
    """Refuses requests for another host than this one.

    Whoever owns a name can let it point here, and then their page could read this one (DNS rebinding); but the browser
    still tells the name.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Let requests through to `app` that name one of `names`, or the address at which they have arrived."""
        self._app = app
        self._names = {_plain(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            host = _without_port(Headers(scope=scope).get("host", ""))
            arrived = scope.get("server")
            if host not in self._names and (arrived is None or host != _plain(arrived[0])):
                response = JSONResponse({"error": "the request is for another host than this one"}, 400)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def own_names() -> set[str]:
    """The names of this computer in its network."""
    name = socket.gethostname()
    short = name.split(".")[0]
    return {name, short, f"{short}.local", socket.getfqdn()}


def content_security_policy(page: str) -> str:
    """What a browser may do with a page: run and show what stands in it word for word, and ask only its server."""
    scripts, styles = (_hashes(found.findall(page)) for found in (_SCRIPTS, _STYLES))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; "
        "media-src blob: mediastream:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(texts: list[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _without_port(host: str) -> str:
    """The name or address in a Host header: `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`."""
    if host.startswith("["):
        return _plain(host[1:].partition("]")[0])
    return _plain(host.partition(":")[0])


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")
