"""The reference against the naive simulator, and against what the authors' own program answers."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import networks_and_images, random_network
from hypothesis import given, settings

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.model import evaluation, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network


@settings(max_examples=100, deadline=None)
@given(networks_and_images())
def test_reference_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    result = reference.run(network, images)
    for index, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        assert [times[index].tolist() for times in result.firing_times] == expected.firing_times
        assert result.readout_potential[index].tolist() == expected.readout_potential
        assert result.answer[index] == expected.answer
        assert result.response_time[index] == expected.response_time
        assert result.spikes[index] == expected.spikes


def test_equation_1() -> None:
    intensities = np.array([255, 254, 128, 1, 0], np.uint8)
    assert Input().firing_times(intensities, 256).tolist() == [0, 1, 127, 254, 256]
    assert Input().firing_times(intensities, 16).tolist() == [0, 0, 7, 15, 16]
    assert Input(intensity_max=16).firing_times(np.array([16, 15, 1, 0], np.uint8), 16).tolist() == [0, 1, 15, 16]


@pytest.mark.parametrize("high", [1, 2, 16, 100, 255])
@pytest.mark.parametrize("steps", [1, 3, 16, 256, 65_535])
def test_the_table_of_firing_times_is_equation_1(high: int, steps: int) -> None:
    exact = [math.floor(Fraction(high - min(intensity, high), high) * steps) for intensity in range(256)]
    assert Input(intensity_max=high).table(steps).tolist() == exact


def test_ties_go_to_the_highest_potential_then_the_lowest_index() -> None:
    # All three cross at step 0: potentials 1, 3 and 3.
    signs = [[1, 1, -1], [1, 1, 1], [1, 1, 1]]
    network = Network((Dense(signs, 1),), time_steps=4)
    assert reference.run(network, np.full((1, 3), 255, np.uint8)).answer.tolist() == [1]


def test_potentials_of_one_image_can_be_followed() -> None:
    network = random_network(np.random.default_rng(1), (30, 7), time_steps=9)
    image = np.random.default_rng(2).integers(0, 256, 30).astype(np.uint8)
    input_times, runs = reference.run_image(network, image)
    for step in range(9):
        arrived = input_times <= step
        assert runs[0].potentials_at(step).tolist() == network.layers[0].signs[:, arrived].sum(axis=1).tolist()


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (6,)])
def test_images_of_the_wrong_size_are_refused(shape: tuple[int, ...]) -> None:
    network = random_network(np.random.default_rng(0), (6, 3))
    with pytest.raises(UserError, match="pixels"):
        reference.run(network, np.zeros(shape, np.uint8))


def test_pixels_that_are_too_bright_are_refused() -> None:
    network = random_network(np.random.default_rng(0), (6, 3), intensity_max=16)
    with pytest.raises(UserError, match="intensity 17"):
        reference.run(network, np.full((1, 6), 17, np.uint8))


def test_authors_network_on_all_test_images(authors: Network, data_dir: Path) -> None:
    """The figures of the authors' own program, measured independently of this project."""
    mnist = datasets.load("mnist", data_dir)
    result = reference.run(authors, mnist.test_images)
    figures = evaluation.figures(authors, result, mnist.test_labels)
    assert figures.strict_accuracy == pytest.approx(0.9606, abs=1e-9)
    assert figures.tie_lenient_accuracy == pytest.approx(0.9692, abs=1e-9)
    assert figures.response_time == pytest.approx(112.92, abs=0.005)
    assert figures.silent_share == pytest.approx(0.0483, abs=1e-9)
    by_digit = [int(result.response_time[mnist.test_labels == digit].mean()) for digit in range(10)]
    assert by_digit == [74, 188, 87, 87, 127, 107, 95, 121, 93, 134]


def test_authors_network_firing_time_by_firing_time(authors: Network, data_dir: Path, reference_dir: Path) -> None:
    images = datasets.load("mnist", data_dir).test_images[:2000]
    result = reference.run(authors, images)
    with np.load(reference_dir / "official_mnist_first2000.npz") as official:
        assert np.array_equal(result.firing_times[0], official["hidden_firing_time"])
        assert np.array_equal(result.firing_times[1], official["output_firing_time"])
        assert np.array_equal(result.response_time, official["first_spike"])
        assert np.array_equal(result.readout_potential, official["output_potential_at_253"])
        assert np.array_equal(result.answer, official["strict_prediction"])
