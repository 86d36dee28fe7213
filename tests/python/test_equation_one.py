"""Equation 1 stands once in Python: where `Input` has another ramp, all that runs a network here follows."""

from __future__ import annotations

import itertools
import re

import naive
import numpy as np
import pytest
from conftest import ROOT, random_network

from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.host.network import host_network
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model import real_reference, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.pages import report
from bs4nn_tc.study import experiments

STEPS = 16


def bent(image: np.ndarray) -> np.ndarray:
    """The intensities that fire by equation 1 when those of `image` fire by the other ramp: dim ones later."""
    return (image.astype(int) ** 2 // 255).astype(np.uint8)


@pytest.fixture
def other_ramp(monkeypatch: pytest.MonkeyPatch) -> None:
    true = Input.table
    monkeypatch.setattr(Input, "table", lambda self, steps: true(self, steps)[bent(np.arange(256))])


@pytest.fixture
def network() -> Network:
    return random_network(np.random.default_rng(3), (60, 40, 5), time_steps=STEPS, delay=1)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (12, 60)).astype(np.uint8)


@pytest.fixture
def expected(network: Network, images: np.ndarray) -> list[naive.Outcome]:
    """By a simulator that has equation 1 of its own, of the bent images."""
    return [naive.run(network, bent(image).tolist()) for image in images]


@pytest.mark.usefixtures("other_ramp")
def test_the_reference_and_the_host_library_follow(
    network: Network, images: np.ndarray, expected: list[naive.Outcome]
) -> None:
    labels = np.zeros(len(images), np.int32)
    host = host_network(network)
    for found in (reference.run(network, images), host.times(images), host.forward(images, STEPS)):
        for layer, times in enumerate(found.firing_times):
            assert times.tolist() == [one.firing_times[layer] for one in expected]
    assert host.evaluate(images, labels).answer.tolist() == [one.answer for one in expected]


def test_networks_with_real_weights_follow(images: np.ndarray, request: pytest.FixtureRequest) -> None:
    rng = np.random.default_rng(5)
    layers = tuple(rng.uniform(-1, 2, shape).astype(np.float32) for shape in itertools.pairwise((60, 20, 4)))
    real = RealNetwork(layers, np.array([9, 9], np.float32), STEPS, 255)
    labels = np.zeros(len(images), np.int32)
    expected = RealHost(real).evaluate(bent(images), labels).spikes.tolist()
    assert real_reference.run(real, images).spikes.tolist() != expected
    request.getfixturevalue("other_ramp")
    assert real_reference.run(real, images).spikes.tolist() == expected
    assert RealHost(real).evaluate(images, labels).spikes.tolist() == expected


@pytest.mark.usefixtures("other_ramp")
def test_pages_and_experiments_follow(network: Network, images: np.ndarray, expected: list[naive.Outcome]) -> None:
    labels = np.arange(12) % 5
    names = tuple("abcde")
    dataset = Dataset("a", images, labels, images, labels, (6, 10), 255, names)
    samples = report._samples(network, dataset, reference.run(network, images))
    assert samples
    for sample in samples:
        assert sample["input_times"] == [(255 - one) * STEPS // 255 for one in bent(images[sample["index"]]).tolist()]
    rows = experiments.spikes(experiments.Material(network, images, labels, names, "a", (6, 10))).rows
    for label, (_, *counts, _) in enumerate(rows):
        assert sum(counts) == pytest.approx(np.mean([one.spikes for one in expected[label::5]]))


def test_nothing_else_computes_with_time_steps_and_the_largest_intensity() -> None:
    """In one line, at least; pages and C are not reached by the other ramp."""
    both = re.compile(r"intensity_max.*[*/%].*time_steps|time_steps.*[*/%].*intensity_max", re.IGNORECASE)
    files = [
        path
        for folder, kinds in (("toolchain/bs4nn_tc", "*.[pch]*"), ("templates", "*.j2"), ("firmware", "*.[chS]*"))
        for path in (ROOT / folder).rglob(kinds)
        if path.suffix != ".pyc"
    ]
    assert len(files) > 100
    found = {path.name for path in files if path.is_file() and both.search(path.read_text())}
    assert found <= {"input.py"}
