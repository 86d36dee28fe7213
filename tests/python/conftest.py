"""What several tests share: the data that lies outside the checkout, random networks, the command line."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from bs4nn_tc import cli
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.device import platformio
from bs4nn_tc.model import importers
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
# Started in the background, tests and the programs that they start would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _needed(variable: str, default: Path, what: str) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED: {what} is missing; say where it is with {variable}=DIR")
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """MNIST and Fashion-MNIST in torchvision's layout."""
    return _needed("BS4NN_TC_DATA", SHARED / "data", "MNIST")


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The weights that the BS4NN authors published, and what they answer."""
    return _needed("BS4NN_TC_REFERENCE", SHARED / "reference", "the authors' published network")


@pytest.fixture(scope="session")
def authors(reference_dir: Path) -> Network:
    """The authors' network, imported."""
    signs = [importers.load_weights(reference_dir / f"W{layer}_binary.npy") for layer in (0, 1)]
    return importers.network_from_weights(signs, [25, 12], rules="authors")


def random_network(
    rng: np.random.Generator,
    sizes: tuple[int, ...],
    *,
    time_steps: int = 16,
    delay: int = 0,
    intensity_max: int = 255,
    shared_thresholds: bool = False,
) -> Network:
    """A network with random signs, thresholds around what random spikes reach, and a random readout step."""
    layers = []
    for inputs, neurons in itertools.pairwise(sizes):
        high = max(2, int(inputs**0.5) + 2)
        thresholds = rng.integers(1, high, () if shared_thresholds else neurons)
        layers.append(Dense(rng.choice([-1, 1], (neurons, inputs)), thresholds))
    return Network(
        tuple(layers),
        time_steps=time_steps,
        delay=delay,
        readout_step=int(rng.integers(time_steps)),
        input=Input(intensity_max=intensity_max),
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Networks of 1 to 4 layers, odd widths, extreme thresholds, few and many steps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = draw(st.integers(1, 4))
    sizes = tuple(draw(st.integers(1, 70)) for _ in range(depth + 1))
    network = random_network(
        rng,
        sizes,
        time_steps=draw(st.sampled_from([1, 2, 3, 7, 16, 100, 256, 1000])),
        delay=draw(st.integers(0, 1)),
        intensity_max=draw(st.sampled_from([1, 2, 16, 100, 255])),
        shared_thresholds=draw(st.booleans()),
    )
    if draw(st.booleans()):  # thresholds that are always, hardly or never reached
        extremes = np.array([1, 2, 3, 5, sizes[0], sizes[0] + 1, 65_535])
        layers = tuple(Dense(layer.signs, rng.choice(extremes, layer.neurons)) for layer in network.layers)
        network = Network(layers, network.time_steps, network.delay, network.readout_step, network.input)
    if draw(st.booleans()):  # hidden neurons at places of their own
        order = tuple(rng.permutation(layer.neurons) for layer in network.layers[:-1])
        network = dataclasses.replace(network, order=order)
    return network


@st.composite
def networks_and_images(draw: st.DrawFn) -> tuple[Network, np.ndarray]:
    """A network with random, constant, sparse and one-step images."""
    network = draw(networks())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high, pixels = network.input.intensity_max, network.inputs
    images = np.stack(
        [
            rng.integers(0, high + 1, pixels),
            np.full(pixels, high),
            np.zeros(pixels),
            rng.integers(0, high + 1, pixels) * (rng.random(pixels) < 0.2),
            np.where(rng.random(pixels) < 0.5, high, rng.integers(0, high + 1)),
        ]
    )
    return network, images.astype(np.uint8)


def run_tool(
    *arguments: str | Path, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Call the command line as a user does."""
    command = [sys.executable, "-m", "bs4nn_tc", *map(str, arguments)]
    variables = {**os.environ, "COLUMNS": "200", **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, **options)


# The command line in the tests' own process: exit status, standard output, standard error.
Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tool:
    """Call the command line without starting a process, which takes most of the time of a refusal."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bs4nn-tc", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return call


def refused_data(folder: Path | str, *words: str, reading: datasets.Reading | None = None) -> str:
    """Loading a data set ends in one line that holds these words; returns it."""
    with pytest.raises(UserError) as caught:
        datasets.load(str(folder), None, reading)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return text


def assert_refused(done: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    """One clear line with these words, and the exit status; no traceback."""
    assert done.returncode == status, done.stderr + done.stdout
    lines = [line for line in done.stderr.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def require(program: str, package: str) -> str:
    """Path of a program that the tests need; `make setup` installs it."""
    path = shutil.which(program)
    assert path is not None, f"{program} is not installed: run make setup, or apt-get install {package}"
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PlatformIO without its registry, a cache folder of our own, nothing of the user's."""
    for name in [name for name in os.environ if name.startswith("PLATFORMIO_")] + ["CC", "CXX"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(platformio.MODE_VARIABLE, "offline")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    platformio.registry_is_reachable.cache_clear()
    yield
    platformio.registry_is_reachable.cache_clear()


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip(
            "NOT TESTED: the pages of `live` and `report` in a browser; no chromium here: apt-get install chromium"
        )
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    from browser import browsing  # noqa: PLC0415 - needs playwright

    with browsing(chromium) as made:
        yield made
