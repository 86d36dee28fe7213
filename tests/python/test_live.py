"""The page of `live`: what it is told about an image, what it refuses, targets that die; and the page in a browser."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import naive
import naive_pictures
import numpy as np
import pytest
import uvicorn
from browser import CONTRASTS, visiting
from conftest import ROOT, assert_refused, networks_and_images, random_network, run_tool
from hypothesis import given, settings
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.data import camera, datasets
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.stages import Grey, Ink, Values
from bs4nn_tc.pages import replay
from bs4nn_tc.pages.live import guards, server, session
from bs4nn_tc.targets import Trace, runner

MNIST_NETWORK = ROOT / "networks" / "mnist-600-best.bs4nn"


# ---- What the page is told ----


def traced(network: Network, image: np.ndarray) -> Trace:
    """What a target that is right says."""
    result = reference.run(network, image[None])
    times = np.concatenate([layer[0] for layer in result.firing_times])
    numbers = int(result.answer[0]), int(result.response_time[0]), int(result.spikes[0])
    return Trace(*numbers, times, result.readout_potential[0])


@settings(max_examples=30, deadline=None)
@given(networks_and_images())
def test_moments_are_spec_md_step_by_step(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    for image in images:
        told = replay.describe(network, image, traced(network, image))
        outcome = naive.run(network, image.tolist())
        assert (told["answer"], told["response_time"]) == (outcome.answer, outcome.response_time)
        assert told["firing_times"] == outcome.firing_times
        assert told["equal"]
        high, steps = network.input.intensity_max, network.time_steps
        arriving = [[(high - pixel) * steps // high for pixel in image.tolist()], *outcome.firing_times[:-1]]
        assert told["input_times"] == arriving[0]
        signs, moments = network.layers[-1].signs.tolist(), told["moments"]
        for index, step in enumerate(moments["steps"]):
            additions = 0
            for times, layer in zip(arriving, network.layers, strict=True):
                additions += sum(layer.neurons for time in times if time <= step)
            assert moments["additions"][index] == additions
            potentials = [
                sum(sign for sign, time in zip(row, arriving[-1], strict=True) if time <= step) for row in signs
            ]
            assert moments["potentials"][index] == potentials
        happening = {time for times in [*arriving, outcome.firing_times[-1]] for time in times if time < steps}
        assert moments["steps"] == sorted(happening)
        last = steps - 1 if outcome.response_time == steps else outcome.response_time - network.delay
        before = [total for step, total in zip(moments["steps"], moments["additions"], strict=True) if step <= last]
        assert told["additions"] == (before[-1] if before else 0)
        assert told["multiply_adds"] == sum(below * above for below, above in itertools.pairwise(network.sizes))


def test_a_target_that_differs_is_told() -> None:
    network = random_network(np.random.default_rng(0), (64, 20, 10))
    image = np.random.default_rng(1).integers(0, 256, 64).astype(np.uint8)
    right = traced(network, image)
    assert replay.describe(network, image, right)["equal"]
    times = right.firing_times.copy()
    times[3] ^= 1
    wrong = Trace(right.answer, right.response_time, right.spikes, times, right.readout_potential)
    assert not replay.describe(network, image, wrong)["equal"]


# ---- Requests, to the host program ----


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="module")
def native(network: Network, tmp_path_factory: pytest.TempPathFactory) -> runner.Runner:
    folder = tmp_path_factory.mktemp("live")
    network_file.save(network, folder / "n.bs4nn")
    return runner.prepare(folder / "n.bs4nn", targets.Kind.NATIVE, None, None, folder / "project")


@pytest.fixture
def opened(native: runner.Runner) -> Iterator[session.Session]:
    with contextlib.closing(session.Session(native)) as made:
        yield made


@contextlib.contextmanager
def asking(application: Starlette, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    """The application behind a socket, as `serve` has it, but in a thread."""
    with server.listen(host, 0) as listener:
        running = uvicorn.Server(server.configuration(application))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://{host}:{listener.getsockname()[1]}", timeout=30) as client:
                yield client
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture
def client(opened: session.Session, digits: datasets.Dataset) -> Iterator[httpx.Client]:
    with asking(server.application(opened, digits)) as made:
        yield made


def kill(opened: session.Session) -> None:
    """Kill the host program behind a session."""
    opened._target.stream._process.kill()  # type: ignore[union-attr]


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    line = response.json()["error"]
    assert "\n" not in line
    for word in words:
        assert word in line


@pytest.mark.bounds
def test_the_answers_are_the_references(client: httpx.Client, network: Network, digits: datasets.Dataset) -> None:
    expected = reference.run(network, digits.test_images[:50])
    for index in range(50):
        image = client.get(f"/images/{index}").json()
        assert image == {
            "index": index,
            "label": str(digits.test_labels[index]),
            "pixels": digits.test_images[index].tolist(),
        }
        told = client.post("/classify", json={"pixels": image["pixels"]}).json()
        assert (told["answer"], told["response_time"]) == (expected.answer[index], expected.response_time[index])
        assert told["firing_times"] == [layer[index].tolist() for layer in expected.firing_times]
        assert told["equal"]
        assert told["target"] == {"label": "native", "board": "native", "starts": 1}
        assert told["timing"]["microseconds"] is told["timing"]["count"] is None


@pytest.mark.bounds
def test_the_page_stands_alone(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    page = response.text
    # Nothing runs and nothing is styled but what stands in the page: no attributes, and one hash for each block.
    policy = dict(rule.split(maxsplit=1) for rule in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks]
        assert len(digests) == 1
        assert policy[rule] == f"'sha256-{digests[0]}'"
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)
    assert not re.search(r"https?://|@import|<link rel=\"stylesheet|src=", page)
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page)
    assert found is not None
    facts = json.loads(found.group(1))
    assert (facts["rows"], facts["columns"], facts["frame"]) == (8, 8, {"size": [160, 160], "ink": "bright"})
    assert (facts["test_images"], facts["synapses"], facts["time_steps"]) == (355, 64 * 40 + 400, 16)


def test_names_cannot_break_out_of_the_page(native: runner.Runner) -> None:
    named = runner.Runner(native.network, "</script><script>alert(1)//", native.kind, None, native.open)
    with asking(server.application(session.Session(named), None)) as client:
        assert "<script>alert" not in client.get("/").text


GOOD = [0] * 64


def frame(ink: str, size: tuple[int, int] = (160, 160)) -> dict[str, str]:
    """A request with a T of that ink, in red, green and blue."""
    picture = np.full((*size, 3), 0 if ink == "bright" else 230, np.uint8)
    picture[size[0] // 4 : size[0] // 4 + 12, size[1] // 4 : 3 * size[1] // 4] = 230 - picture[0, 0]
    picture[size[0] // 4 : 3 * size[0] // 4, size[1] // 2 - 6 : size[1] // 2 + 6] = 230 - picture[0, 0]
    return {"frame": base64.b64encode(picture.tobytes()).decode(), "ink": ink}


def grey_of(asked: dict[str, str], size: tuple[int, int]) -> list[list[int]]:
    """The naive stage's grey of such a request."""
    values = Values((*size, 3))
    grey = naive_pictures.run(Grey("rgb888"), values, list(base64.b64decode(asked["frame"])))
    return [grey[row * size[1] : (row + 1) * size[1]] for row in range(size[0])]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 1400, "no JSON"),
        *(
            (json.dumps({**frame("dark"), **wrong}).encode(), word)
            for wrong, word in (
                ({"ink": "green"}, "neither dark nor bright"),
                ({"ink": None}, "neither dark nor bright"),
                ({"frame": 5}, "no text in base64"),
                ({"frame": ["AAAA"]}, "no text in base64"),
                ({"frame": "AA*A"}, "no text in base64"),
                ({"frame": "AAAA\u00e4"}, "no text in base64"),
                ({"frame": "AAAA"}, "3 bytes; 76,800 are needed"),
                ({"frame": ""}, "0 bytes"),
            )
        ),
        (b"null", "pixels"),
        (b"[]", "pixels"),
        (b"{}", "pixels"),
        (b'{"pixels": "0"}', "pixels"),
        (b'{"pixels": []}', "0 pixels"),
        (json.dumps({"pixels": GOOD[1:]}).encode(), "63 pixels"),
        (json.dumps({"pixels": [*GOOD, 0]}).encode(), "65 pixels"),
        (json.dumps({"pixels": [*GOOD[1:], 17]}).encode(), "pixel 63"),
        (json.dumps({"pixels": [-1, *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [1.0, *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [True, *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [None, *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [float("nan"), *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [[0], *GOOD[1:]]}).encode(), "pixel 0"),
        (json.dumps({"pixels": [10**400, *GOOD[1:]]}).encode(), "pixel 0"),
    ],
)
def test_malformed_requests_are_one_line(client: httpx.Client, body: bytes, word: str) -> None:
    refused(client.post("/classify", content=body, headers={"Content-Type": "application/json"}), 400, word)
    assert client.post("/classify", json={"pixels": GOOD}).status_code == 200


def test_bodies_are_bounded(client: httpx.Client) -> None:
    most = server.BODY_BYTES + 4 * 3 * 160 * 160 // 3

    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1000

    kind = {"Content-Type": "application/json"}
    refused(client.post("/classify", content=b" " * (most + 1), headers=kind), 413, f"{most:,} bytes")
    with contextlib.suppress(httpx.TransportError):  # hung up while it was still sending, or after the line was read
        refused(client.post("/classify", content=endless(), headers=kind), 413, f"{most:,} bytes")
    room = b" " * (most - len(json.dumps({"pixels": GOOD})))
    assert client.post("/classify", content=room + json.dumps({"pixels": GOOD}).encode(), headers=kind).is_success


def test_other_addresses_methods_and_sites(client: httpx.Client) -> None:
    refused(client.get("/nowhere"), 404)
    refused(client.get("/classify"), 405)
    refused(client.get("/images/355"), 404, "no test image 355")
    refused(client.get("/images/-1"), 404)
    refused(client.get("/images/x"), 404)
    for index in ("9" * 5000, "9" * 10, "%EF%BC%91", "1_0", "+1", "%1B[2J", "1%0A"):
        refused(client.get(f"/images/{index}"), 404, "no test image")
    # A page of another site can send plain text here, or point a name of its own to 127.0.0.1.
    body = json.dumps({"pixels": GOOD})
    refused(client.post("/classify", content=body, headers={"Content-Type": "text/plain"}), 415, "application/json")
    for host in (
        "elsewhere.example",
        "localhost.elsewhere.example",
        "192.0.2.1:8017",
        "127.0.0.9",
        "[::1]",
        "",
        "127.0.0.1@x",
    ):
        refused(client.get("/", headers={"Host": host}), 400, "another host")
    for host in ("localhost:8017", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_every_address_that_it_listens_at_may_be_asked_for(opened: session.Session) -> None:
    with asking(server.application(opened, None), "127.0.0.2") as client:
        assert client.get("/").status_code == 200
        refused(client.get("/", headers={"Host": "127.0.0.1"}), 400, "another host")


def test_names_of_this_computer_are_asked_for_where_others_reach_it(opened: session.Session) -> None:
    with server.listen("127.0.0.1", 0) as listener:
        assert server.names(listener, "127.0.0.1") == {"localhost", "127.0.0.1"}
    with server.listen("0.0.0.0", 0) as listener:
        names = server.names(listener, "0.0.0.0")
    assert {"localhost", socket.gethostname()} <= names
    with asking(server.application(opened, None, names)) as client:
        assert client.get("/", headers={"Host": f"{socket.gethostname().upper()}:8017"}).status_code == 200
        assert client.get("/").status_code == 200  # by the address at which it arrives
        refused(client.get("/", headers={"Host": "rebound.example"}), 400, "another host")


@pytest.mark.parametrize(
    "begins",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{",
    ],
    ids=["nothing", "first line", "headers", "body"],
)
def test_half_sent_requests_do_not_hold_all_places(
    begins: bytes, opened: session.Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guards, "REQUEST_SECONDS", 0.3)
    with asking(server.application(opened, None)) as client, contextlib.ExitStack() as slow:
        address = (client.base_url.host, client.base_url.port)
        # One place is left, for the client; a request that finds none would be refused at once, and hold none.
        several = [slow.enter_context(socket.create_connection(address)) for _ in range(server.MAX_CONCURRENCY - 1)]
        for one in several:
            one.sendall(begins)
        end = time.monotonic() + 20
        while client.get("/").status_code == 503:
            assert time.monotonic() < end
            with contextlib.suppress(OSError):
                several[0].sendall(b"x")  # a byte now and then is not enough
            time.sleep(0.05)
        assert client.get("/").status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_requests_that_follow_each_other_are_not_cut_short(
    opened: session.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "REQUEST_SECONDS", 1.0)
    with asking(server.application(opened, None)) as client:
        address = (client.base_url.host, client.base_url.port)
        request = b"GET /images/0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(address, timeout=10) as one:

            def answered() -> bool:
                content = b""
                while not content.endswith(b"}"):
                    piece = one.recv(65_536)
                    assert piece, content
                    content += piece
                return content.startswith(b"HTTP/1.1 404")

            one.sendall(request)
            assert answered()
            time.sleep(1.2)  # idle between requests: for that, uvicorn has a limit of its own
            one.sendall(request + request[:9])
            assert answered()
            one.sendall(request[9:])
            assert answered()
            one.sendall(request[:9])
            assert one.recv(100) == b""


def test_a_target_that_dies_is_told_and_comes_back(client: httpx.Client, opened: session.Session) -> None:
    for start in (1, 2, 3):
        told = client.post("/classify", json={"pixels": GOOD})
        assert told.json()["target"]["starts"] == start
        kill(opened)
        refused(client.post("/classify", json={"pixels": GOOD}), 503, "native", "has ended")
    assert client.post("/classify", json={"pixels": GOOD}).json()["target"]["starts"] == 4


def test_many_at_once(client: httpx.Client, network: Network, digits: datasets.Dataset) -> None:
    expected = reference.run(network, digits.test_images[:64])

    def ask(index: int) -> bool:
        told = client.post("/classify", json={"pixels": digits.test_images[index].tolist()}).json()
        return told["firing_times"] == [layer[index].tolist() for layer in expected.firing_times]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))


def test_an_ended_session_stays_ended(opened: session.Session) -> None:
    image = np.zeros(64, np.uint8)
    opened.classify(image)
    opened.close()
    opened.close()
    with pytest.raises(TargetError, match="ended"):
        opened.classify(image)
    with pytest.raises(UserError, match="63 pixels"):
        opened.classify(image[1:])


def test_close_does_not_wait_for_a_target_that_hangs(opened: session.Session) -> None:
    opened.start()
    process = opened._target.stream._process  # type: ignore[union-attr]
    process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(opened.classify, np.zeros(64, np.uint8))
        time.sleep(0.2)
        started = time.monotonic()
        opened.close()
        with pytest.raises(TargetError):
            waiting.result(timeout=5)
        assert time.monotonic() - started < 5
    assert process.poll() is not None


def test_shapes_of_images(native: runner.Runner, digits: datasets.Dataset) -> None:
    oblong = random_network(np.random.default_rng(0), (12, 5, 2))
    with pytest.raises(UserError, match=r"12 pixels.*--dataset"):
        server.image_shape(oblong, None)
    assert server.image_shape(native.network, digits) == server.image_shape(native.network, None) == (8, 8)
    mnist = network_file.load(MNIST_NETWORK)
    found = server.facts(session.Session(runner.Runner(mnist, "m", targets.Kind.NATIVE, None, native.open)), None)
    assert (found["rows"], found["frame"]) == (28, {"size": (160, 160), "ink": "bright"})
    assert found["class_names"] == [str(digit) for digit in range(10)]
    data = TrainedOn("/some/folder", polarity="dark")
    said = dataclasses.replace(oblong, input=Input((3, 4)), class_names=("no", "yes"), data=data)
    found = server.facts(session.Session(dataclasses.replace(native, network=said)), None)
    assert (found["rows"], found["columns"], found["class_names"]) == (3, 4, ["no", "yes"])
    large = random_network(np.random.default_rng(0), (140 * 3, 5, 2))
    assert server.seen_by(dataclasses.replace(large, input=Input((3, 140))), None) is None
    behind = camera.adapted(mnist, (120, 160), "rgb565", "dark")
    found = server.facts(session.Session(dataclasses.replace(native, network=behind)), None)
    assert (found["rows"], found["columns"], found["frame"]) == (28, 28, {"size": (120, 160), "ink": "dark"})


@pytest.mark.parametrize(
    ("name", "side", "box", "centre"),
    [
        ("mnist", 28, 20, 14.5),
        ("mnist-14x14", 14, 10, 7.25),
        ("fashion-mnist", 28, 28, 14),
        ("fashion-mnist-14x14", 14, 14, 7),
        ("digits", 8, 8, 4),
        ("some/folder", 32, 23, 32 * 14.5 / 28),
    ],
)
def test_drawings_are_framed_as_the_data_set_is(name: str, side: int, box: int, centre: float) -> None:
    trained = dataclasses.replace(random_network(np.random.default_rng(0), (side * side, 4, 10)), data=TrainedOn(name))
    (laid,) = camera.laid_ink(camera.framing_of(trained), (side, side), "bright", 16)
    assert laid == Ink("bright", side, side, (box, box), (round(256 * centre),) * 2, 16)


def test_frames_become_what_devices_make_of_them(opened: session.Session, native: runner.Runner) -> None:
    """Without images MNIST's framing is taken: 20 of 28 are 6 of 8. Where the data set has dark ink, the pixels do."""
    pixels = {}
    dark = dataclasses.replace(native.network, data=TrainedOn("/some/folder", polarity="dark"))
    polarities = (("bright", opened), ("dark", session.Session(dataclasses.replace(native, network=dark))))
    for polarity, asked_for in polarities:
        with asking(server.application(asked_for, None)) as client:
            for ink in ("bright", "dark"):
                told = client.post("/classify", json=frame(ink)).json()
                assert told["equal"]
                pixels[polarity, ink] = told["seen"]
                assert told["answer"] == reference.run(native.network, np.array([told["seen"]], np.uint8)).answer[0]
            empty = {"frame": base64.b64encode(bytes(76_800)).decode(), "ink": "dark"}
            refused(client.post("/classify", json=empty), 422, "nothing dark on light is in the picture")
    laid = Ink("dark", 8, 8, (6, 6), (1061, 1061), 16)
    expected = naive_pictures.ink(laid, grey_of(frame("dark"), (160, 160)))
    assert pixels["bright", "dark"] == [value for line in expected for value in line]
    assert max(pixels["bright", "bright"]) > 12
    for ink in ("bright", "dark"):
        assert pixels["dark", ink] == [16 - value for value in pixels["bright", ink]]


def test_a_network_behind_a_camera_gets_its_frames() -> None:
    """In its camera's own format, and makes the pixels itself."""
    mnist = network_file.load(MNIST_NETWORK)
    behind = camera.adapted(mnist, (60, 80), "rgb565", "dark")
    drawn = server.seen_by(behind, None)
    assert drawn is not None
    asked = frame("dark", (60, 80))
    sample = drawn.sample(np.frombuffer(base64.b64decode(asked["frame"]), np.uint8), "dark")
    assert sample is not None
    grey = grey_of(asked, (60, 80))
    sent = naive_pictures.grey(Grey("rgb565"), sample.reshape(60, 80, 2).tolist())
    assert sent == grey
    seen = [value for line in naive_pictures.ink(behind.input.stages[1], grey) for value in line]
    assert drawn.seen(sample).tolist() == seen
    plain = camera.adapted(mnist, (28, 28), "grey", "bright")
    drawn = server.seen_by(plain, None)
    assert drawn is not None
    assert drawn.ink == "bright"
    bright = drawn.sample(np.full(28 * 28 * 3, 7, np.uint8), "bright")
    assert bright is not None
    assert bright.tolist() == [7] * 784


# ---- The command ----


@contextlib.contextmanager
def serving(*arguments: str | Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`bs4nn-tc live` on any free port, and the address that it names; ended by Ctrl-C, leaving nothing behind."""
    command = [sys.executable, "-m", "bs4nn_tc", "live", *map(str, arguments), "--http-port", "0", "--quiet"]
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), (folder / "stderr").read_text()
        yield process, url
        below = children(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert not [child for child in below if Path(f"/proc/{child}").exists()]
        said = (folder / "stderr").read_text()
        assert "this computer only" in said
        assert "Traceback" not in said
        assert [path.name for path in folder.iterdir()] == ["stderr"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def children(process: subprocess.Popen[Any]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


@pytest.fixture(scope="module")
def made(network: Network, tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    emulated = [boards.load_board("qemu-m3")]
    return project.generate(network, "live_test", emulated, tmp_path_factory.mktemp("live") / "p")


def test_a_project_on_its_emulated_board(made: project.Project, digits: datasets.Dataset, tmp_path: Path) -> None:
    with serving(made.folder, "--dataset", "digits", folder=tmp_path / "run") as (process, url):
        body = {"pixels": httpx.get(f"{url}images/5").json()["pixels"]}
        told = httpx.post(f"{url}classify", json=body).json()
        assert told["equal"]
        assert told["target"]["board"] == "qemu-m3"
        timing = told["timing"]
        assert timing["unit"] == "instructions"
        clock = boards.load_board("qemu-m3").f_cpu / 1e6
        assert timing["microseconds"] == pytest.approx([timing["count"] / clock, 2 * timing["count"] / clock])
        assert timing["count"] > 1000
        # Counted again, on the same image: the same.
        assert httpx.post(f"{url}classify", json=body).json()["timing"] == timing
        (emulator,) = children(process)
        os.kill(emulator, signal.SIGKILL)
        refused(httpx.post(f"{url}classify", json=body), 503, "qemu-m3")
        again = httpx.post(f"{url}classify", json=body, timeout=20).json()
        assert (again["target"]["starts"], again["timing"]) == (2, timing)


def test_a_cable_that_is_pulled_and_put_back(made: project.Project, network: Network) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bs4nn_tc", "emulate", str(made.folder), "--tcp", str(port)]

    def plugged_in() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("socket://")
        return process

    board = plugged_in()
    try:
        chosen = runner.prepare(made.folder, targets.Kind.SERIAL, None, f"socket://127.0.0.1:{port}", Path())
        with asking(server.application(session.Session(chosen), None)) as client:
            told = client.post("/classify", json={"pixels": GOOD}).json()
            assert told["equal"]
            assert told["timing"]["microseconds"] is None
            assert "not the core's" in told["timing"]["assumption"]
            os.killpg(board.pid, signal.SIGKILL)
            board.communicate()
            refused(client.post("/classify", json={"pixels": GOOD}), 503, "serial")
            refused(client.post("/classify", json={"pixels": GOOD}), 503, "cannot open the serial port")
            board = plugged_in()
            assert client.post("/classify", json={"pixels": GOOD}).json()["target"]["starts"] == 2
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(board.pid, signal.SIGKILL)
        board.communicate()


def test_another_network_on_the_board_is_not_believed(made: project.Project, native: runner.Runner) -> None:
    signs = np.array(made.network.layers[-1].signs)
    signs[0, 0] *= -1
    layers = (*made.network.layers[:-1], Dense(signs, made.network.layers[-1].thresholds))
    other = Network(layers, 16, input=Input(intensity_max=16))
    stale = session.Session(runner.Runner(other, "stale", targets.Kind.NATIVE, None, native.open))
    with pytest.raises(TargetError, match="stale"):
        stale.start()


def test_what_live_refuses(made: project.Project, native: runner.Runner, network: Network, tmp_path: Path) -> None:
    file = tmp_path / "n.bs4nn"
    network_file.save(network, file)
    anywhere = ("--http-port", "0")
    assert "Example: bs4nn-tc live" in run_tool("live", "--help").stdout
    assert_refused(run_tool("live", tmp_path / "none.bs4nn", *anywhere), "none.bs4nn")
    assert_refused(run_tool("live", tmp_path, *anywhere), "bs4nn-tc generate")
    assert_refused(run_tool("live", file, *anywhere, "--target", "native", "--board", "qemu-m4"), "--board")
    assert_refused(run_tool("live", file, *anywhere, "--target", "native", "--port", "/dev/x"), "--target serial")
    assert_refused(run_tool("live", file, *anywhere, "--board", "nucleo_f401re"), "--target serial")
    assert_refused(run_tool("live", made.folder, *anywhere, "--board", "qemu-m4"), "qemu-m4", "qemu-m3")
    port = ("--port", "/dev/no-such-port")  # which says that it is serial
    assert_refused(run_tool("live", file, *anywhere, *port), "/dev/no-such-port", status=4)
    assert_refused(run_tool("live", file, "--target", "native", *anywhere, "--dataset", "digit"), "did you mean digits")
    with server.listen("127.0.0.1", 0) as taken:
        number = taken.getsockname()[1]
        assert_refused(run_tool("live", file, "--http-port", str(number)), str(number), "--http-port")
    assert_refused(run_tool("live", file, "--host", "192.0.2.1", *anywhere), "192.0.2.1", "--host")
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(name='starlette')")
    without = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    assert_refused(run_tool("live", file, environment=without), "pip install 'starlette>=", "'uvicorn>=", status=3)
    assert run_tool("boards", environment=without).returncode == 0


def test_it_listens_where_it_says() -> None:
    for host, local in (("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)):
        with server.listen(host, 0) as listener:
            assert server.is_local(listener) is local


# ---- The page, in a browser ----


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The 784-600-10 network of networks/ on an emulated Cortex-M4."""
    with serving(MNIST_NETWORK, folder=tmp_path_factory.mktemp("page") / "run") as both:
        yield both


SEVEN = [[(0.3, 0.25), (0.7, 0.25), (0.6, 0.45), (0.5, 0.65), (0.45, 0.8)]]
ONE = [[(0.52, 0.2), (0.48, 0.8)]]
FOUR = [[(0.36, 0.2), (0.32, 0.5), (0.68, 0.5)], [(0.64, 0.2), (0.62, 0.8)]]


def draw(page: Page, strokes: list[list[tuple[float, float]]]) -> None:
    """Draw by mouse moves."""
    page.get_by_role("button", name="Clear").click()
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    places = [[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke] for stroke in strokes]
    for stroke in places:
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for place in stroke[1:]:
            page.mouse.move(*place, steps=8)
        page.mouse.up()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desktop"])
def test_a_drawn_seven_is_a_seven(browser: Browser, emulated: Any, scheme: Any, size: tuple[int, int]) -> None:
    viewport: Any = {"width": size[0], "height": size[1]}
    with visiting(browser, emulated[1], viewport=viewport, color_scheme=scheme, has_touch=size[0] < 500) as page:
        draw(page, SEVEN)
        expect(page.locator("#answer")).to_have_text("7")
        expect(page.locator("#equal")).to_contain_text("equals the reference")
        expect(page.locator("#status")).to_contain_text("emulator qemu-m4")
        expect(page.locator("#time")).to_contain_text("µs")
        expect(page.locator("#dense")).to_have_text("476,400")
        # The answer can be seen without scrolling, and nothing is wider than the window.
        expect(page.locator("#answer")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        expect(page.locator("#play")).to_have_text("Play", timeout=10_000)  # the race is over
        expect(page.locator("#bars li.fired")).to_contain_text("7")
        assert page.evaluate(CONTRASTS) == []


def test_the_slider_tells_the_race(browser: Browser, emulated: Any) -> None:
    with visiting(browser, emulated[1], reduced_motion="reduce") as page:
        draw(page, FOUR)
        expect(page.locator("#answer")).to_have_text("4")
        slider = page.get_by_role("slider", name="Time step")
        at_decision = int(slider.input_value())
        assert 1 <= at_decision <= 16
        expect(page.locator("#when")).to_contain_text("up to the decision")
        slider.focus()
        page.keyboard.press("Home")
        expect(page.locator("#additions")).to_have_text("0")
        expect(page.locator("#step-text")).to_have_text("before step 0")
        expect(page.locator("#bars li.fired")).to_have_count(0)
        counted = []
        for _ in range(16):
            page.keyboard.press("ArrowRight")
            counted.append(int((page.locator("#additions").text_content() or "").replace(",", "")))
        assert counted == sorted(counted)
        assert counted[-1] > counted[0] > 0
        expect(page.locator("#step-text")).to_have_text("after step 15 (0 to 15)")


@pytest.mark.bounds
def test_drawing_by_keyboard(browser: Browser, emulated: Any) -> None:
    with visiting(browser, emulated[1]) as page:
        page.locator("#sheet").focus()
        for key in ["ArrowUp"] * 8 + [" "] + ["ArrowDown"] * 16 + [" "]:
            page.keyboard.press(key)
        expect(page.locator("#answer")).to_have_text("1")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "sheet"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "clear"


def test_all_drawings_have_equal_lines(browser: Browser, emulated: Any) -> None:
    """However small they are, and wherever; and the server says what the network sees."""
    with visiting(browser, emulated[1]) as page:
        masses = []
        for size in (0.25, 1.0):
            draw(page, [[(0.1 + x * size, 0.1 + y * size) for x, y in stroke] for stroke in FOUR])
            expect(page.locator("#answer")).to_have_text("4")
            expect(page.locator("#seen")).to_have_attribute("aria-label", "What the network sees: your drawing")
            masses.append(page.evaluate("seenPixels.reduce((sum, value) => sum + value, 0)"))
        assert masses[0] == pytest.approx(masses[1], rel=0.1)
        assert page.evaluate("seenPixels.length") == 784


def test_two_tabs_at_once(browser: Browser, emulated: Any) -> None:
    with visiting(browser, emulated[1]) as one, visiting(browser, emulated[1]) as two:
        for _ in range(3):
            draw(one, SEVEN)
            draw(two, ONE)
            expect(one.locator("#answer")).to_have_text("7")
            expect(two.locator("#answer")).to_have_text("1")
        # Really at the same time: forty questions in flight.
        burst = """async () => {
          const [question] = lastQuestion;
          const ask = () => fetch("classify", { method: "POST", headers: { "Content-Type": "application/json" },
                                                body: JSON.stringify(question) }).then((reply) => reply.json());
          return (window.burst = Promise.all(Array.from({ length: 20 }, ask)), 0);
        }"""
        one.evaluate(burst)
        two.evaluate(burst)
        for page, digit in ((one, 7), (two, 1)):
            told = page.evaluate("async () => (await window.burst).map((reply) => [reply.answer, reply.equal])")
            assert told == [[digit, True]] * 20


def test_a_killed_emulator_is_shown_and_comes_back(browser: Browser, emulated: Any) -> None:
    process, url = emulated
    with visiting(browser, url) as one, visiting(browser, url) as two:
        draw(one, SEVEN)
        expect(one.locator("#answer")).to_have_text("7")
        (emulator,) = children(process)
        os.kill(emulator, signal.SIGKILL)
        draw(one, SEVEN)
        expect(one.locator("#status")).to_contain_text("The target is gone: emulator qemu-m4")
        expect(one.locator("#status")).to_have_class("bad")
        expect(one.locator("#verdict")).to_have_text("No answer.")
        one.get_by_role("button", name="Try again").click()
        expect(one.locator("#answer")).to_have_text("7")
        expect(one.locator("#status")).to_contain_text("started again")
        expect(one.locator("#status")).not_to_have_class("bad")
        draw(two, ONE)
        expect(two.locator("#answer")).to_have_text("1")


def test_test_images_in_the_page(browser: Browser, made: project.Project, tmp_path: Path) -> None:
    call = (made.folder, "--target", "native", "--dataset", "digits")
    with serving(*call, folder=tmp_path / "run") as (_, url), visiting(browser, url) as page:
        page.get_by_label("No.").fill("354")
        page.keyboard.press("Enter")
        expect(page.locator("#source")).to_contain_text("test image 354 of digits, a ")
        expect(page.locator("#verdict")).to_contain_text(re.compile("Right|Wrong"))
        expect(page.locator("#equal")).to_contain_text("equals the reference")
        page.get_by_label("No.").fill("355")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("0 to 354")
        page.get_by_role("button", name="Random test image").click()
        expect(page.locator("#status")).to_contain_text("Answered by native")


def test_the_camera(chromium: str, emulated: Any, tmp_path: Path) -> None:
    """A sheet of paper with a four on it, unevenly lit, held before the camera."""
    side, film = 240, tmp_path / "four.y4m"
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    paper = 215 - 70 * x
    for stroke in FOUR:
        for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
            along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
            paper[np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)) < 0.03] = 45
    grey = paper.astype(np.uint8).tobytes() + bytes([128]) * (side * side // 2)
    film.write_bytes(f"YUV4MPEG2 W{side} H{side} F10:1 Ip A1:1 C420jpeg\n".encode() + (b"FRAME\n" + grey) * 10)
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    script = f"--use-file-for-fake-video-capture={film}"
    program = (  # a browser of its own: Playwright allows one at a time in a thread
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from playwright.sync_api import expect\nfrom browser import browsing, visiting\n"
        f"with browsing({chromium!r}, *{(*fake, script)!r}) as browser, visiting(browser, {emulated[1]!r}) as page:\n"
        "    page.get_by_role('button', name='Camera').click()\n"
        "    page.get_by_role('button', name='Take this picture').click()\n"
        "    expect(page.locator('#answer')).to_have_text('4')\n"
        "    page.get_by_role('button', name='Stop camera').click()\n"
        "    expect(page.locator('#video')).to_be_hidden()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
