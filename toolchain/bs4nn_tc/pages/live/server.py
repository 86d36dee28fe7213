"""The page and the two addresses it asks: Starlette and uvicorn, the extra `live`.

| address | what |
| --- | --- |
| GET / | the page, one file with everything inside |
| POST /classify | `{"pixels": [...]}`, as many whole numbers as a sample has: what `Session.classify` says, `seen` |
| | `{"frame": "...", "ink": "dark"}`, a frame's bytes in base64: the same of what the network makes of it |
| GET /images/N | test image N: `{"pixels": [...], "label": "7", "index": N}` |

Whatever is wrong is answered with a status of 400 and above and `{"error": one line}`.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

import bs4nn_tc
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data import camera
from bs4nn_tc.data import facts as data_facts
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device.codegen import render
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import as_picture
from bs4nn_tc.model.stages.ink import INKS, LARGEST_RESULT
from bs4nn_tc.pages import replay
from bs4nn_tc.pages.live import frames, guards
from bs4nn_tc.pages.live.session import Session

# A value is at most "-32768, " in JSON, three bytes of a frame are four of text; the rest is room for what is around.
BODY_BYTES_A_VALUE = 8
BODY_BYTES = 1024
# Open requests; more are refused by uvicorn. Every page has one at a time.
MAX_CONCURRENCY = 64
# How long Ctrl-C waits for open requests.
SHUTDOWN_SECONDS = 2
# A number of a test image has no more digits.
_INDEX_DIGITS = 9
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def image_shape(network: Network, dataset: Dataset | None) -> tuple[int, int]:
    """(rows, columns) of the network's images: the data set's, those that it says, or a square.

    Raises:
        UserError: no data set, it does not say, and no square.
    """
    if dataset is not None:
        return dataset.picture
    if frames.is_behind_camera(network):
        return as_picture(network.input.behind_stages.shape)
    try:
        return camera.picture_shape(network)
    except UserError as error:
        raise UserError(f"{error}; name a data set of such images with --dataset") from error


def seen_by(network: Network, dataset: Dataset | None) -> frames.Frames | None:
    """How a network sees what is drawn; None where it takes no pictures, or larger ones than ink is laid into."""
    shape = image_shape(network, dataset)
    if not frames.is_behind_camera(network) and (network.input.type != "uint8" or max(shape) > LARGEST_RESULT):
        return None
    framing = camera.framing_of(network) if dataset is None else data_facts.framing(dataset.name, dataset)
    return frames.Frames(network, framing, shape)


def facts(session: Session, dataset: Dataset | None) -> dict[str, Any]:
    """What the page knows from the start, for JSON."""
    network, drawn = session.network, seen_by(session.network, dataset)
    named = network.class_labels if dataset is None else dataset.class_names
    class_names = [named[i] if i < len(named) else str(i) for i in range(network.outputs)]
    return {
        **replay.facts(network, image_shape(network, dataset), class_names),
        "version": bs4nn_tc.__version__,
        "name": printable(session.runner.name),
        "shape": network.shape_text,
        "digest": network.digest,
        # What is sent of a drawing and of the camera: rows and columns, and how a drawing looks in it.
        "frame": None if drawn is None else {"size": drawn.size, "ink": drawn.ink},
        "dataset": None if dataset is None else printable(dataset.name),
        "test_images": 0 if dataset is None else len(dataset.test_images),
        "target": session.runner.kind.value,
        "board": None if session.runner.board is None else session.runner.board.id,
    }


def application(session: Session, dataset: Dataset | None, names: Collection[str] = ("localhost",)) -> Starlette:
    """The web application.

    Args:
        session: the target; closed when the application shuts down.
        dataset: whose test images the page can pick; None for none.
        names: of this computer; requests for other hosts are refused, see `guards.OwnHosts`.

    Raises:
        UserError: nobody knows the shape of the network's images.
    """
    page = render.environment().get_template("live.html.j2").render(facts=facts(session, dataset))
    # The page needs nothing but itself, and no other page has a business with it.
    headers = {
        **_ALWAYS,
        "Content-Security-Policy": guards.content_security_policy(page),
        "Referrer-Policy": "no-referrer",
    }
    drawn = seen_by(session.network, dataset)
    frame_bytes = 0 if drawn is None else drawn.bytes
    most = BODY_BYTES + max(BODY_BYTES_A_VALUE * session.network.sample_values, 4 * frame_bytes // 3)

    async def show(_: Request) -> Response:
        return HTMLResponse(page, headers=headers)

    async def classify(request: Request) -> Response:
        # Another site's page can post text to 127.0.0.1 without asking the browser first, but no JSON.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "the body has to be application/json")
        asked = _object(await _body(request, most))
        sample = _frame(asked, drawn) if "frame" in asked else _sample(asked, session.network)
        told = await run_in_threadpool(session.classify, sample)
        return _json({**told, "seen": (sample if drawn is None else drawn.seen(sample)).tolist()})

    async def test_image(request: Request) -> Response:
        text, count = request.path_params["index"], 0 if dataset is None else len(dataset.test_images)
        known = text.isascii() and text.isdigit() and len(text) <= _INDEX_DIGITS
        index = int(text) if known else count
        if dataset is None or index >= count:
            raise HTTPException(404, f"there is no test image {printable(text, 20)}; there are {count:,}")
        label = dataset.class_names[dataset.test_labels[index]]
        return _json({"index": index, "label": label, "pixels": dataset.test_images[index].tolist()})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _json({"error": error.detail}, error.status_code, error.headers)

    async def gone(_: Request, error: Exception) -> Response:
        return _json({"error": printable(error)}, 503)  # the request was good, the target is not

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(session.close)

    return Starlette(
        routes=[
            Route("/", show),
            Route("/classify", classify, methods=["POST"]),
            Route("/images/{index}", test_image),
        ],
        middleware=[Middleware(guards.OwnHosts, names=names)],
        exception_handlers={HTTPException: refused, UserError: gone},
        lifespan=lifespan,
    )


def _json(value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(value, status, headers={**_ALWAYS, **(headers or {})})


async def _body(request: Request, most: int) -> bytes:
    """The body of a request, of which no more than `most` bytes are ever held."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                # Without hanging up, whoever goes on sending would wait for ever to get rid of the rest.
                raise HTTPException(413, f"the body is longer than {most:,} bytes", {"Connection": "close"})
    except ClientDisconnect as error:
        raise HTTPException(408, "the body did not come to its end") from error
    return bytes(content)


def _object(body: bytes) -> dict[str, Any]:
    """What the body of a request says.

    Raises:
        HTTPException: 400, it is no object of JSON.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is no JSON") from error
    if not isinstance(value, dict):
        raise HTTPException(400, 'the body has to be {"pixels": [...]} or {"frame": "...", "ink": "dark"}')
    return value


def _sample(asked: dict[str, Any], network: Network) -> NDArray[Any]:
    """(values,) of the network's input from what a request says.

    Raises:
        HTTPException: 400, it is no such sample.
    """
    pixels, values = asked.get("pixels"), network.input.sample
    if not isinstance(pixels, list):
        raise HTTPException(400, 'the body has to be {"pixels": [...]} or {"frame": "...", "ink": "dark"}')
    if len(pixels) != network.sample_values:
        raise HTTPException(
            400, f"the image has {len(pixels):,} pixels, but the network takes {network.sample_values:,}"
        )
    for index, pixel in enumerate(pixels):
        if type(pixel) is not int or not values.lowest <= pixel <= values.highest:
            raise HTTPException(400, f"pixel {index} is no whole number from {values.lowest} to {values.highest}")
    return np.array(pixels, values.dtype)


def _frame(asked: dict[str, Any], drawn: frames.Frames | None) -> NDArray[Any]:
    """(values,) of the network's input from the frame that a request holds.

    Raises:
        HTTPException: 400, it is no such frame; 422, nothing is written on it.
    """
    if drawn is None:
        raise HTTPException(400, "the network takes no drawings; pick a test image")
    ink, text = asked.get("ink"), asked["frame"]
    if ink not in INKS:
        raise HTTPException(400, f"the ink is neither {' nor '.join(INKS)}")
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise HTTPException(400, "the frame is no text in base64") from error
    if len(content) != drawn.bytes:
        raise HTTPException(400, f"the frame has {len(content):,} bytes; {drawn.bytes:,} are needed")
    sample = drawn.sample(np.frombuffer(content, np.uint8), ink)
    if sample is None:
        raise HTTPException(422, f"nothing {'dark on light' if ink == 'dark' else 'bright on dark'} is in the picture")
    return sample


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: the port is taken, or the address is not of this computer.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # asyncio only sends at once (TCP_NODELAY) through sockets that say they are TCP; others cost 40 ms an answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose with --host and --http-port (0: any free)"
        ) from error


def is_local(listener: socket.socket) -> bool:
    """Only programs on this computer reach this socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def names(listener: socket.socket, host: str) -> set[str]:
    """What requests may call this computer, besides the addresses at which they arrive.

    Args:
        listener: from `listen`.
        host: as it was given to `listen`.
    """
    return {"localhost", host} | (set() if is_local(listener) else guards.own_names())


def configuration(made: Starlette) -> uvicorn.Config:
    """How uvicorn has to serve the application: with all its limits."""
    return uvicorn.Config(
        made,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONCURRENCY,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        http=guards.TimedProtocol,
        ws="none",
    )


def serve(
    session: Session, dataset: Dataset | None, listener: socket.socket, host: str, on_ready: Callable[[str, str], None]
) -> None:
    """Answer until Ctrl-C, then end the target.

    Args:
        session: the target, started.
        dataset: whose test images the page can pick; None for none.
        listener: from `listen`.
        host: as it was given to `listen`.
        on_ready: called once with the page's address, and a line for people about who answers and who can ask.

    Raises:
        UserError: nobody knows the shape of the network's images.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when everything has ended.
    """
    options = configuration(application(session, dataset, names(listener, host)))
    address, port = listener.getsockname()[:2]
    who = "this computer only" if is_local(listener) else "EVERYBODY who reaches this computer"
    on_ready(
        f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/",
        f"{session.runner.name} ({session.network.shape_text}) on {session.label}, open to {who}",
    )
    # uvicorn shuts down and then raises the signal again: now as Ctrl-C, so that nothing is left lying about.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    uvicorn.Server(options).run(sockets=[listener])
