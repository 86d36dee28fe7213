"""The C kernels on the host, with the undefined-behaviour sanitizer, against the naive simulator and the authors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import networks_and_images, random_network
from hypothesis import given, settings
from kernel import Kernel, sanitized_environment

from bs4nn_tc.data import datasets
from bs4nn_tc.device.kernels import KERNELS
from bs4nn_tc.model import reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network


@settings(max_examples=200, deadline=None)
@given(networks_and_images())
def test_kernel_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    built = [Kernel(network, name) for name in KERNELS]
    for image in images:
        expected = naive.run(network, image.tolist())
        for kernel in built:
            result, times, potentials = kernel.trace(image)
            assert times == expected.firing_times
            assert potentials == expected.readout_potential
            for found in (result, kernel.classify(image)):
                assert found.answer == expected.answer
                assert found.response_time == expected.response_time
                assert found.spikes == expected.spikes


def sanitized(script: str, *arguments: str) -> str:
    """What a script beside this one prints, under the address and undefined-behaviour sanitizers."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        env=sanitized_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", KERNELS)
def test_many_networks_with_the_sanitizers(name: str) -> None:
    """2,000 random networks (many_networks.py)."""
    assert sanitized("many_networks.py", "2000", name) == "2000 networks, 14000 images: all equal\n"


@pytest.mark.parametrize("name", KERNELS)
def test_hostile_structures_with_the_sanitizers(name: str) -> None:
    """2,000 structures with wrong fields (hostile_structures.py)."""
    assert sanitized("hostile_structures.py", "2000", name).startswith("2000 structures: refused, or run")


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("sizes", [(2500, 40), (1300, 1100, 11), (784, 600, 600, 10), (40, 2100, 70)])
def test_wide_and_deep_networks(sizes: tuple[int, ...], delay: int, name: str) -> None:
    rng = np.random.default_rng(len(sizes) + delay)
    network = random_network(rng, sizes, time_steps=64, delay=delay)
    kernel = Kernel(network, name)
    density = np.array([[0.1]] * 3 + [[0.9]] * 3)
    images = (rng.integers(0, 256, (6, sizes[0])) * (rng.random((6, sizes[0])) < density)).astype(np.uint8)
    expected = reference.run(network, images)
    for index, image in enumerate(images):
        result, times, potentials = kernel.trace(image)
        assert times == [layer[index].tolist() for layer in expected.firing_times]
        assert potentials == expected.readout_potential[index].tolist()
        assert result.answer == kernel.classify(image).answer == expected.answer[index]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("threshold", [1, 32_767, 65_533, 65_534, 65_535])
def test_the_largest_fan_in(threshold: int, name: str) -> None:
    """65,535 inputs, all +1 or all but one: the counters must neither overflow nor miss the last spike."""
    inputs = 65_535
    signs = np.ones((3, inputs), np.int8)
    signs[1, -1] = -1
    signs[2] = -1
    network = Network((Dense(signs, threshold), Dense([[1, 1, 1], [1, -1, 1]], [1, 65_535])), time_steps=3)
    image = np.full((1, inputs), 255, np.uint8)
    expected = reference.run(network, image)
    result, times, potentials = Kernel(network, name).trace(image[0])
    assert times == [layer[0].tolist() for layer in expected.firing_times]
    assert times[0] == [0, 0 if threshold <= 65_533 else 3, 3]
    assert potentials == expected.readout_potential[0].tolist()
    assert result.answer == expected.answer[0]


@pytest.mark.parametrize("name", KERNELS)
def test_authors_network(authors: Network, data_dir: Path, reference_dir: Path, name: str) -> None:
    """Every firing time of the published answers, by the C kernels."""
    kernel = Kernel(authors, name)
    images = datasets.load("mnist", data_dir).test_images[:2000]
    with np.load(reference_dir / "official_mnist_first2000.npz") as official:
        hidden, output = official["hidden_firing_time"], official["output_firing_time"]
        first, potential = official["first_spike"], official["output_potential_at_253"]
        answer = official["strict_prediction"]
    for index, image in enumerate(np.ascontiguousarray(images)):
        result, times, potentials = kernel.trace(image)
        assert times == [hidden[index].tolist(), output[index].tolist()]
        assert potentials == potential[index].tolist()
        assert (result.answer, result.response_time) == (answer[index], first[index])
        assert kernel.classify(image).answer == answer[index]
