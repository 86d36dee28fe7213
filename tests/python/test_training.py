"""Training: against independent slow computations, and the promise that nothing is lost."""

from __future__ import annotations

import csv
import dataclasses
import errno
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import dense_paper
import naive
import numpy as np
import pytest
from conftest import ROOT, assert_refused, networks_and_images, random_network, run_tool
from hypothesis import given, settings

from bs4nn_tc import cli, training
from bs4nn_tc.base import locks
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.network import HostNetwork, Surrogate
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.host.structures import Dropout, PaperStep, RealRules
from bs4nn_tc.host.surrogate import WARP_POINTS, AdamStep, warp
from bs4nn_tc.model import network_file, real_network, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.augmentation import moved
from bs4nn_tc.training.best import BestTrainer
from bs4nn_tc.training.loop import choose_output_threshold, host_network
from bs4nn_tc.training.options import PaperOptions
from bs4nn_tc.training.trainer import Progress, settling


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return datasets.load("digits")


def short(digits: Dataset, **changes: object) -> training.BestOptions:
    return dataclasses.replace(training.best_defaults(digits, (24,), 4), **changes)


# ---- The forward pass ----


@settings(max_examples=100, deadline=None)
@given(networks_and_images())
def test_forward_pass_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    labels = np.arange(len(images), dtype=np.int32) % network.outputs
    answers = host_network(network).evaluate(images, labels)
    for index, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        assert answers.answer[index] == expected.answer
        assert answers.response_time[index] == expected.response_time
        fired = expected.response_time < network.time_steps
        right = expected.firing_times[-1][labels[index]] == expected.response_time if fired else None
        assert answers.lenient[index] == (right if fired else expected.answer == labels[index])
        assert answers.spikes[index] == expected.spikes


def test_evaluation_of_all_test_images(authors: Network, data_dir: Path) -> None:
    mnist = datasets.load("mnist", data_dir)
    answers = host_network(authors).evaluate(mnist.test_images, mnist.test_labels.astype(np.int32))
    assert (answers.answer == mnist.test_labels).sum() == 9606
    assert answers.lenient.sum() == 9692


# ---- The recipe "best" ----


def slow_gradients(
    network: Network, image: np.ndarray, label: int, scale: float, windows: list[float]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The module's equations in NumPy, dense, from the reference's potentials: (inputs, neurons) a layer.

    The second list holds the gradients of the hidden thresholds.
    """
    input_times, runs = reference.run_image(network, image)
    _, response_time = reference.decide(network, runs[-1])
    tau = min(response_time, network.time_steps - 1)
    potentials = [np.stack([run.potentials_at(step) for step in range(tau + 1)]) for run in runs]
    logits = scale * potentials[-1][tau]
    slope = np.exp(logits - logits.max())
    slope = slope / slope.sum()
    slope[label] -= 1
    gradients: list[np.ndarray] = []
    of_thresholds: list[np.ndarray] = []
    for number in range(len(runs) - 1, -1, -1):
        layer = network.layers[number]
        times = input_times if number == 0 else runs[number - 1].firing_times
        if number == len(runs) - 1:
            gradient = np.outer(times <= tau, slope)
        else:
            peak, at = potentials[number].max(axis=0), potentials[number].argmax(axis=0)
            triangle = np.maximum(0, 1 - np.abs(peak - layer.thresholds + 0.5) / windows[number])
            slope = (network.layers[number + 1].signs.T @ slope) * triangle
            gradient = slope * ((times[:, None] <= at) & (times[:, None] <= tau))
            of_thresholds.insert(0, -slope)
        gradients.insert(0, gradient)
    return gradients, of_thresholds


@pytest.mark.parametrize("sizes", [(40, 25, 6), (40, 25, 19, 6), (30, 20, 15, 12, 4)])
def test_gradients_equal_a_slow_computation(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    network = random_network(rng, sizes, time_steps=16)
    network = Network(network.layers, 16)
    windows = [6.0, 5.0, 4.0][: len(sizes) - 2]
    host = host_network(network)
    for trial in range(30):
        image = (rng.integers(0, 256, sizes[0]) * (rng.random(sizes[0]) < 0.6)).astype(np.uint8)
        label = trial % sizes[-1]
        found = [np.zeros_like(signs, dtype=np.float32) for signs in host.signs]
        labels = np.array([label], np.int32)
        of_thresholds = [np.zeros(size, np.float32) for size in sizes[1:-1]]
        host.surrogate_gradients(
            image[None],
            labels,
            Surrogate(0.3, windows),
            gradients=found,
            threshold_gradients=of_thresholds,
            dropout=Dropout(),
        )
        expected, expected_of_thresholds = slow_gradients(network, image, label, 0.3, windows)
        for mine, theirs in zip([*found, *of_thresholds], [*expected, *expected_of_thresholds], strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-5)


def silent_case(seed: int) -> tuple[np.random.Generator, list[np.ndarray], np.ndarray, np.ndarray, list[np.ndarray]]:
    """Weights (inputs, neurons) of 50-30-20-5, an image, who of its 50 hidden neurons stays silent, and who is left."""
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-2, 3, shape).astype(np.float32) for shape in ((50, 30), (30, 20), (20, 5))]
    image = (rng.integers(0, 256, (1, 50)) * (rng.random((1, 50)) < 0.6)).astype(np.uint8)
    silent = (rng.random((1, 50)) < 0.3).astype(np.uint8)
    left = [np.arange(50), np.flatnonzero(silent[0, :30] == 0), np.flatnonzero(silent[0, 30:] == 0), np.arange(5)]
    return rng, weights, image, silent, left


def of_those_left(weights: list[np.ndarray], left: list[np.ndarray]) -> list[np.ndarray]:
    """The same of a network that has only these neurons."""
    return [np.ascontiguousarray(one[np.ix_(*left[layer : layer + 2])]) for layer, one in enumerate(weights)]


def host_of(weights: list[np.ndarray], thresholds: list[int], delay: int) -> HostNetwork:
    return HostNetwork(
        [np.where(layer >= 0, 1, -1).astype(np.int8) for layer in weights],
        [np.full(layer.shape[1], threshold, np.int32) for layer, threshold in zip(weights, thresholds, strict=True)],
        time_steps=16,
        input=Input(),
        delay=delay,
        readout_step=13,
    )


# With 0.7 of the neurons left, thresholds above them of 3 and 4 become 2.1 and 2.8, rounded.
WHOLE, LOWERED = [3, 3, 4], [3, 2, 3]


@pytest.mark.parametrize("seed", range(10))
def test_gradients_with_dropout_are_those_without_the_silent_neurons(seed: int) -> None:
    _, weights, image, silent, left = silent_case(seed)
    fewer = of_those_left(weights, left)
    found = []
    for layers, thresholds, dropout in (
        (weights, WHOLE, Dropout(silent, 0.3)),
        (fewer, LOWERED, Dropout()),
    ):
        gradients = [np.zeros_like(layer) for layer in layers]
        of_thresholds = [np.zeros(layer.shape[1], np.float32) for layer in layers[:-1]]
        loss = host_of(layers, thresholds, 0).surrogate_gradients(
            image,
            np.array([2], np.int32),
            Surrogate(0.3, [6.0, 5.0]),
            gradients=gradients,
            threshold_gradients=of_thresholds,
            dropout=dropout,
        )
        found.append((loss, gradients))
    assert found[0][0] == found[1][0]
    assert sum(np.abs(layer).sum() for layer in found[1][1]) > 0
    for mine, theirs in zip(of_those_left(found[0][1], left), found[1][1], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    for mine, theirs in zip(found[0][1], found[1][1], strict=True):  # the silent ones learn nothing
        np.testing.assert_allclose(np.abs(mine).sum(), np.abs(theirs).sum(), rtol=1e-5)


def assert_only_the_others_learn(
    before: list[np.ndarray], after: list[np.ndarray], fewer: list[np.ndarray], left: list[np.ndarray]
) -> None:
    moved = 0
    for start, mine, part, theirs in zip(before, after, of_those_left(after, left), fewer, strict=True):
        np.testing.assert_allclose(part, theirs, atol=1e-5)
        moved += int((mine != start).sum())
    started = of_those_left(before, left)
    assert moved == sum(int((mine != start).sum()) for mine, start in zip(fewer, started, strict=True))


@pytest.mark.parametrize("window", [0.0, 5.0])
def test_paper_with_dropout_learns_as_without_the_silent_neurons(window: float) -> None:
    step = PaperStep(20.0, 0.2, 0.0, 0.0, 2, 0, 1, 1, 1, window, 1)
    learned = 0
    for seed in range(10):
        _, weights, image, silent, left = silent_case(seed)
        fewer, start = of_those_left(weights, left), [layer.copy() for layer in weights]
        for layers, thresholds, dropout in (
            (weights, WHOLE, Dropout(silent, 0.3)),
            (fewer, LOWERED, Dropout()),
        ):
            host = host_of(layers, thresholds, 1)
            host.paper_learn(layers, np.full(3, 4.0), step, image, np.array([2], np.int32), dropout)
        assert_only_the_others_learn(start, weights, fewer, left)
        learned += int((weights[0] != start[0]).any())
    assert learned > 0


@pytest.mark.parametrize("window", [0.0, 5.0])
def test_s4nn_with_dropout_learns_as_without_the_silent_neurons(window: float) -> None:
    rules = RealRules(0.2, 3, window, 1)
    rules.limits[:3] = [np.inf] * 3
    learned = 0
    for seed in range(10):
        _, weights, image, silent, left = silent_case(seed)
        fewer, start = of_those_left(weights, left), [layer.copy() for layer in weights]
        lower = np.array([6, 6 * 0.7, 9 * 0.7], np.float32)
        for layers, thresholds, dropout in (
            (weights, np.array([6, 6, 9], np.float32), Dropout(silent, 0.3)),
            (fewer, lower, Dropout()),
        ):
            host = RealHost(RealNetwork(tuple(layers), thresholds, 16, 255))
            fired = np.zeros(host.hidden_neurons, np.int64)
            host.learn(image, np.array([2], np.int32), rules, dropout, fired)
        assert_only_the_others_learn(start, weights, fewer, left)
        learned += int((weights[0] != start[0]).any())
    assert learned > 0


def test_adam_equals_its_definition() -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(-1, 1, 500).astype(np.float32)
    proxies, mean, square = start.copy(), np.zeros(500, np.float32), np.zeros(500, np.float32)
    signs = np.where(proxies >= 0, 1, -1).astype(np.int8)
    wanted, m, v = start.astype(np.float64), np.zeros(500), np.zeros(500)
    flips = wanted_flips = 0
    for number in range(1, 6):
        parts = [rng.normal(size=500).astype(np.float32) for _ in range(2)]
        gradient = (parts[0].astype(np.float64) + parts[1]) / 10
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        before = wanted >= 0
        wanted = wanted - 0.1 * (m / (1 - 0.9**number)) / (np.sqrt(v / (1 - 0.999**number)) + 1e-8)
        wanted = np.clip(wanted, -1, 1)
        wanted_flips += int((before != (wanted >= 0)).sum())
        flips += AdamStep(0.1, 0.1, number).apply(proxies, mean, square, signs, parts)
        assert not parts[0].any()
        assert not parts[1].any()
    np.testing.assert_allclose(proxies, wanted, atol=1e-4)
    assert np.array_equal(signs > 0, proxies >= 0)
    assert abs(flips - wanted_flips) <= 2


def affine(image: np.ndarray, *numbers: float) -> np.ndarray:
    still = np.zeros((1, 2, WARP_POINTS, WARP_POINTS), np.float32)
    return warp(image, (5, 6), np.array([numbers], np.float32), still).reshape(5, 6)


def test_warp() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 30)).astype(np.uint8)
    square = image.reshape(5, 6)
    assert np.array_equal(affine(image, 1, 0, 0, 0, 1, 0), square)
    right = affine(image, 1, 0, -2, 0, 1, 0)
    assert np.array_equal(right[:, 2:], square[:, :-2])
    assert not right[:, :2].any()
    mirrored = affine(image, -1, 0, 5, 0, 1, 0)
    assert np.array_equal(mirrored, square[:, ::-1])
    half = affine(image, 1, 0, 0.5, 0, 1, 0)
    between = (square[:, :-1].astype(float) + square[:, 1:]) / 2
    np.testing.assert_allclose(half[:, :-1], between, atol=0.51)


def test_warp_by_a_field() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 81)).astype(np.uint8)
    square = image.reshape(9, 9)
    still = np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    field = np.zeros((1, 2, WARP_POINTS, WARP_POINTS), np.float32)
    field[:, 0] = 2  # everything two pixels to the left
    shifted = warp(image, (9, 9), still, field).reshape(9, 9)
    assert np.array_equal(shifted[:, :-2], square[:, 2:])
    field[:] = 0
    field[:, 1] = np.linspace(0, -4, WARP_POINTS)[:, None]  # stretched to twice the height
    stretched = warp(image, (9, 9), still, field).reshape(9, 9)
    assert np.array_equal(stretched[::2], square[:5])
    field[:] = 0
    field[:, :, 2, 2] = 1  # pixels lie two to a cell; only those less than a cell from the middle move
    bent = warp(image, (9, 9), still, field).reshape(9, 9)
    assert bent[4, 4] == square[5, 5]
    assert np.array_equal(bent[:, [0, 1, 2, 6, 7, 8]], square[:, [0, 1, 2, 6, 7, 8]])


def test_images_moved_by_whole_pixels_stay_sharp() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, 2:6, 2:6] = rng.integers(1, 256, (4, 4))
    options = PaperOptions((8,), 1, 0, whole_shift=2, mirror=True)
    seen = {found.tobytes() for found in moved(rng, image.reshape(1, 64).repeat(2000, axis=0), (8, 8), options)}
    shifts = [(rows, columns) for rows in range(-2, 3) for columns in range(-2, 3)]
    assert seen == {
        np.roll(turned, shift, axis=(1, 2)).tobytes() for turned in (image, image[:, :, ::-1]) for shift in shifts
    }


# ---- The recipe "paper" ----


@pytest.mark.parametrize(("early_target", "silent_target"), [(0, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(
    ("decay", "balanced", "window"), [(0.0, 0, 0.0), (1e-3, 0, 0.0), (2.0, 0, 0.0), (1e-3, 1, 0.0), (1e-3, 1, 5.0)]
)
def test_paper_learning_equals_a_slow_computation(
    early_target: int, silent_target: int, decay: float, balanced: int, window: float
) -> None:
    rng = np.random.default_rng(3)
    sizes, time_steps = (50, 30, 5), 32
    starts = [rng.uniform(-2, 3, shape).astype(np.float32) for shape in ((50, 30), (30, 5))]
    step = PaperStep(20.0, 0.2, 0.05, decay, 2, early_target, 1, 1, silent_target, window, balanced)
    images = (rng.integers(0, 256, (12, 50)) * (rng.random((12, 50)) < 0.6)).astype(np.uint8)
    labels = (np.arange(12) % 5).astype(np.int32)

    proxies, alphas = [start.copy() for start in starts], np.full(2, 4.0)
    host = HostNetwork(
        [np.where(layer >= 0, 1, -1).astype(np.int8) for layer in proxies],
        [np.full(size, 6, np.int32) for size in sizes[1:]],  # floor(20 / 4) + 1
        time_steps=time_steps,
        input=Input(),
        delay=1,
        readout_step=time_steps - 3,
    )
    host.paper_learn(proxies, alphas, step, images, labels, Dropout())

    wanted, wanted_alphas = [start.astype(np.float64) for start in starts], np.full(2, 4.0)
    for image, label in zip(images, labels, strict=True):
        dense_paper.learn_image(wanted, wanted_alphas, step, image, int(label), time_steps)
    for mine, theirs, start in zip(proxies, wanted, starts, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
        assert np.abs(theirs - start).max() > 0.1, "nothing was learned, nothing was tested"
    np.testing.assert_allclose(alphas, wanted_alphas, rtol=1e-6)
    for signs, layer in zip(host.signs, proxies, strict=True):
        assert np.array_equal(signs > 0, layer >= 0)


def test_learning_from_all_images(digits: Dataset, tmp_path: Path) -> None:
    count = len(digits.train_images)
    short = training.train(digits, training.resolve(digits, "best", (32,), 3, None, 0, []), tmp_path / "five-sixths")
    options = training.resolve(digits, "best", (32,), 3, None, 0, ["all_images=1"])
    result = training.train(digits, options, tmp_path / "all")
    assert result.validation == {}, "figures of images that are learned from say nothing"
    assert result.best_epoch == 2, "there is nothing to choose an epoch by"
    assert result.network.layers[-1].thresholds[0] == options.output_threshold
    assert short.validation["strict_accuracy"] > 0
    # The last sixth is learned from: there the network knows labels that nobody could guess.
    rng = np.random.default_rng(0)
    taught = dataclasses.replace(digits, train_labels=rng.permutation(digits.train_labels))
    long = training.resolve(taught, "best", (200,), 60, None, 0, ["all_images=1", "shift=0", "rotation=0", "stretch=0"])
    network = training.train(taught, long, tmp_path / "taught").network
    last = slice(count * 5 // 6, count)
    known = reference.run(network, taught.train_images[last]).answer == taught.train_labels[last]
    assert known.mean() > 0.2
    out = tmp_path / "n.bs4nn"
    call = ("train", "--hidden", 16, "--epochs", 2, "--accept", "--set", "all_images=1", "-o", out, "--json")
    one = run_tool(*call, "--run", tmp_path / "one")
    assert one.returncode == 0, one.stderr
    assert json.loads(one.stdout)["validation"] == {}
    assert json.loads(one.stdout)["test"]["images"] == len(digits.test_images)
    several = run_tool("train", "--seeds", 2, "--set", "all_images=1", "--run", tmp_path / "several")
    assert_refused(several, "all_images", "one seed")


def test_paper_recipe_learns(digits: Dataset, tmp_path: Path) -> None:
    options = training.PaperOptions((60,), 12, 0, theta=20.0)
    result = training.train(digits, options, tmp_path / "run")
    assert result.network.delay == 1
    assert result.validation["strict_accuracy"] > 0.5


def test_two_hidden_layers_learn_from_a_mixed_start(digits: Dataset, tmp_path: Path) -> None:
    options = training.PaperOptions(
        (40, 30),
        30,
        0,
        theta=60.0,
        alphas=(12.0, 20.0, 15.0),
        alpha_rate=0.0,
        starts=(5.0, 5.0, 5.0),
        rate=0.3,
        balanced=True,
        silent_target=True,
        window=10.0,
        gamma=20,
        settle=0.5,
    )
    ties = training.train(digits, dataclasses.replace(options, epochs=3), tmp_path / "positive").validation
    assert ties["strict_accuracy"] < 0.2, "all start alike, and fire at once"
    assert ties["tie_lenient_accuracy"] > 0.8
    learned = training.train(digits, dataclasses.replace(options, mixed_start=True), tmp_path / "mixed").validation
    assert learned["strict_accuracy"] > 0.4


# ---- The recipe "s4nn" ----


def slow_s4nn(weights: list[np.ndarray], image: np.ndarray, steps: int, theta: float) -> list[np.ndarray]:
    """Firing times of all layers, pixels first: step by step, dense, in float64."""
    times = [(255 - image.astype(int)) * steps // 255]
    for layer in weights:
        potentials = np.array([layer[times[-1] <= step].sum(axis=0) for step in range(steps)])
        crossed = potentials > theta
        times.append(np.where(crossed.any(axis=0), np.minimum(crossed.argmax(axis=0) + 1, steps), steps))
    return times


def slow_peaks(layer: np.ndarray, times: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Highest potentials up to step `last`, from 0 on, and the steps after those at which they first stood there."""
    potentials = np.array([np.zeros(layer.shape[1])] + [layer[times <= step].sum(axis=0) for step in range(last + 1)])
    return potentials.max(axis=0), potentials.argmax(axis=0)


@pytest.mark.parametrize("sizes", [(30, 20, 4), (30, 15, 10, 4)])
@pytest.mark.parametrize(("limit", "window", "balanced"), [(np.inf, 0.0, 0), (1.5, 0.0, 1), (1.5, 5.0, 1)])
def test_s4nn_learns_by_its_equations(sizes: tuple[int, ...], limit: float, window: float, balanced: int) -> None:
    rng = np.random.default_rng(len(sizes))
    steps, theta, rate, gamma = 40, 6.0, 0.2, 3
    weights = [rng.uniform(-0.5, 1.5, shape).astype(np.float32) for shape in itertools.pairwise(sizes)]
    images = rng.integers(0, 256, (40, 30)).astype(np.uint8)
    images[0] = 0
    labels = rng.integers(0, 4, 40).astype(np.int32)
    network = RealNetwork(
        tuple(layer.copy() for layer in weights), np.full(len(weights), theta, np.float32), steps, 255
    )
    host = RealHost(network)
    answers = host.evaluate(images, labels)
    rules = RealRules(rate, gamma, window, balanced)
    rules.limits[: len(weights)] = [limit] * len(weights)
    wanted = [layer.astype(np.float64) for layer in weights]
    fired = np.zeros(host.hidden_neurons, np.int64)
    learned = False
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        before = slow_s4nn([layer.astype(np.float64) for layer in weights], image, steps, theta)
        first = int(before[-1].min())
        assert answers.response_time[number] == first
        assert answers.spikes[number] == sum((times < first).sum() for times in before[:-1])
        if first < steps:
            assert before[-1][answers.answer[number]] == first
        times = slow_s4nn(wanted, image, steps, theta)
        target, first = times[-1].copy(), times[-1].min()
        last = min(steps - 1, max(first + gamma - 1, times[-1][label]))
        if first < steps:
            target[times[-1] - first < gamma] = min(first + gamma, steps)
        target[label] = first if first < steps else steps - gamma
        error = (target - times[-1]) / steps
        if balanced and first < steps:
            others = np.delete(np.arange(sizes[-1]), label)
            others = others[error[others] != 0]
            if error[others].sum() >= -error[label]:
                error[label] = -error[others].sum()
            else:
                error[others] = -error[label] / max(1, len(others))
        peaks = [slow_peaks(wanted[layer], times[layer], last) for layer in range(len(wanted) - 1)]
        for layer in reversed(range(len(wanted))):
            until = times[layer + 1]
            if window and layer < len(wanted) - 1:
                peak, until = peaks[layer]
                error = error * np.maximum(0, 1 - np.abs(peak - theta) / window)
            if not error.any():
                break
            learned = True
            error = error / np.linalg.norm(error)
            masked = (times[layer][:, None] < until[None, :]) * error
            wanted[layer] = np.clip(wanted[layer] - rate * masked, -limit, limit)
            error = (wanted[layer] * masked).sum(axis=1)
        host.learn(image[None], labels[number : number + 1], rules, Dropout(), fired)
        for mine, theirs in zip(network.weights, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-3)
    assert learned


def test_s4nn_by_the_command_line(tmp_path: Path) -> None:
    settings = ["mixed_start=1", "balanced=1", "window=15", "thetas=15,150", "limits=5,48", "gamma=20", "rate=0.3"]
    call = ["train", "--recipe", "s4nn", "--hidden", "30", "--epochs", "30", "--quiet", "--json"]
    call += [part for setting in [*settings, "settle=1"] for part in ("--set", setting)]
    file = tmp_path / "n.s4nn.npz"
    done = run_tool(*call, "--run", tmp_path / "run", "-o", file)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["test"]["strict_accuracy"] > 0.7
    assert abs(said["test_8bit"]["strict_accuracy"] - said["test"]["strict_accuracy"]) < 0.1
    network = real_network.load(file)
    assert network.shape_text == "64-30-10"
    for name in ("test", "test_8bit"):
        assert network.description[name] == pytest.approx(said[name], abs=1e-6)
    rounded = network.eight_bit()
    assert max(np.abs(layer).max() for layer in rounded.weights) == 127
    assert all((layer == np.rint(layer)).all() for layer in rounded.weights)
    assert_refused(run_tool("generate", file, "--board", "qemu-m4", "-o", tmp_path / "p"), "S4NN", "host only")
    again = run_tool(*call, "--run", tmp_path / "again", "-o", tmp_path / "again.s4nn.npz")
    assert again.returncode == 0
    assert (tmp_path / "again.s4nn.npz").read_bytes() == file.read_bytes()


def test_a_file_that_is_no_s4nn_network_is_refused(tmp_path: Path) -> None:
    weights = (np.ones((4, 3), np.float32), np.ones((3, 2), np.float32))
    thresholds = np.ones(2, np.float32)
    good = RealNetwork(weights, thresholds, 16, 255)
    file = tmp_path / "n.s4nn.npz"
    good.save(file)
    assert real_network.load(file).shape_text == "4-3-2"
    no_number = np.full((4, 3), np.nan, np.float32)
    for what, wrong in {
        "sizes": RealNetwork((weights[0], weights[0]), thresholds, 16, 255),
        "a weight or threshold is no number": RealNetwork((no_number, weights[1]), thresholds, 16, 255),
        "arrays of float32": RealNetwork((weights[0], weights[1].astype(np.float64)), thresholds, 16, 255),
        "one float32 threshold a layer": RealNetwork(weights, thresholds[:1], 16, 255),
        "threshold is no number": RealNetwork(weights, np.float32(np.inf) * thresholds, 16, 255),
        "time_steps is 65536": RealNetwork(weights, thresholds, 65_536, 255),
        "intensity_max is 0": RealNetwork(weights, thresholds, 16, 0),
    }.items():
        wrong.save(file)
        with pytest.raises(UserError, match=what):
            real_network.load(file)
    good.save(file)
    for content in (b"", b"PK", file.read_bytes()[:-40]):
        file.write_bytes(content)
        with pytest.raises(UserError, match="no S4NN network"):
            real_network.load(file)


def test_rates_settle_in_the_last_epochs() -> None:
    factors = [settling(0.4, 10, epoch) for epoch in range(10)]
    assert factors[:6] == [1.0] * 6
    assert factors[9] == pytest.approx(0.05)
    ratios = [later / earlier for earlier, later in itertools.pairwise(factors[5:])]
    assert ratios == pytest.approx([0.05**0.25] * 4)
    assert [settling(0.0, 3, epoch) for epoch in range(3)] == [1.0] * 3


def test_paper_takes_moved_images_and_settling_rates(digits: Dataset, tmp_path: Path) -> None:
    digests = set()
    for number, more in enumerate(([], ["shift=1"], ["settle=1"])):
        options = training.resolve(digits, "paper", (32,), 2, 16, 0, ["theta=5", *more])
        digests.add(training.train(digits, options, tmp_path / str(number)).network.digest)
    assert len(digests) == 3


def test_the_authors_weights_are_where_their_training_goes_on_from(data_dir: Path, reference_dir: Path) -> None:
    script = ROOT / "benchmarks" / "authors_training.py"
    folders = ["--data-dir", str(data_dir), "--reference-dir", str(reference_dir)]
    done = subprocess.run(
        [sys.executable, str(script), "--epochs", "1", *folders], capture_output=True, text=True, check=True
    )
    start, after = (line.split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    assert [float(cell) for cell in start[1:5]] == [0, 96.92, 96.06, 4.83]
    assert 92 < float(after[2]) < 97


# ---- Runs ----


def test_digits_are_learned(digits: Dataset, tmp_path: Path) -> None:
    options = training.best_defaults(digits, (64,), 40)
    result = training.train(digits, options, tmp_path / "run")
    answers = reference.run(result.network, digits.test_images)
    assert (answers.answer == digits.test_labels).mean() > 0.9
    rows = list(csv.DictReader((tmp_path / "run" / "epochs.csv").open()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 41))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 0


@pytest.mark.bounds
def test_tensorboard_reads_the_figures_of_every_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing import event_accumulator  # noqa: PLC0415 - takes a second

    run = tmp_path / "run"
    call = ("train", "--hidden", "20", "--epochs", "3", "--accept", "--quiet", "--tensorboard", "--run", run)
    assert run_tool(*call, "-o", tmp_path / "n.bs4nn").returncode == 0
    events = event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    rows = list(csv.DictReader((run / "epochs.csv").open()))
    assert sorted(events.Tags()["scalars"]) == sorted(set(rows[0]) - {"epoch"})
    for name in ("strict_accuracy", "spikes_to_decision"):
        told = {one.step: one.value for one in events.Scalars(name)}
        assert told == pytest.approx({int(row["epoch"]): float(row[name]) for row in rows}, rel=1e-6)


def test_tensorboard_that_is_not_installed(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingToolError, match=r"pip install '?tensorboardX"):
        training.train(digits, short(digits), tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.bounds
def test_the_same_seed_gives_the_same_bits(digits: Dataset, tmp_path: Path) -> None:
    digests = [
        training.train(digits, short(digits, seed=seed), tmp_path / str(index)).network.digest
        for index, seed in enumerate([1, 1, 2])
    ]
    assert digests[0] == digests[1] != digests[2]


def test_thresholds_are_learned(digits: Dataset, tmp_path: Path) -> None:
    options = dataclasses.replace(short(digits), threshold_rate=30.0)
    learned = training.train(digits, options, tmp_path / "run").network.layers[0].thresholds
    assert len(set(learned.tolist())) > 5
    assert learned.min() >= 1
    assert abs(learned.mean() - options.hidden_thresholds[0]) < 10


@pytest.mark.parametrize("recipe", ["best", "paper", "s4nn"])
def test_resumed_equals_uninterrupted(recipe: str, digits: Dataset, tmp_path: Path) -> None:
    """Interrupted by Ctrl-C in the middle of an epoch, twice."""
    options: training.Options = dataclasses.replace(short(digits), dropout=0.1)
    if recipe == "paper":
        options = training.PaperOptions((24,), 3, 0, theta=20.0, dropout=0.1)
    if recipe == "s4nn":
        options = training.S4nnOptions((24,), 3, 0, theta=10.0, rate=0.05, shift=0.5, dropout=0.1)
    whole = training.train(digits, options, tmp_path / "whole")
    reports = 0

    def interrupt(_report: training.Report) -> None:
        nonlocal reports
        reports += 1
        if reports in (2, 5):
            os.kill(os.getpid(), signal.SIGINT)

    resume = False
    for _ in range(3):
        try:
            pieces = training.train(digits, options, tmp_path / "pieces", resume, interrupt)
        except KeyboardInterrupt:
            resume = True
    assert resume
    if isinstance(whole.network, Network):
        assert pieces.network.digest == whole.network.digest
    else:
        for mine, theirs in zip(pieces.network.weights, whole.network.weights, strict=True):
            assert np.array_equal(mine, theirs)
    for mine, theirs in zip(pieces.rows, whole.rows, strict=True):
        assert {**mine, "seconds": 0} == pytest.approx({**theirs, "seconds": 0})


def test_killed_and_resumed_by_the_command_line(tmp_path: Path) -> None:
    call = ["train", "--dataset", "digits", "--hidden", "24", "--epochs", "150", "--quiet"]
    whole = run_tool(*call, "--run", tmp_path / "whole", "-o", tmp_path / "whole.bs4nn")
    assert whole.returncode == 0, whole.stderr
    killed = [*call, "--run", str(tmp_path / "killed"), "-o", str(tmp_path / "killed.bs4nn")]
    for number in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen([sys.executable, "-m", "bs4nn_tc", *killed], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        rows = tmp_path / "killed" / "epochs.csv"
        seen = rows.stat().st_mtime_ns if rows.exists() else 0
        while (not rows.exists() or rows.stat().st_mtime_ns == seen) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        said = process.communicate()[1].decode()
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert "--resume" in said
        if "--resume" not in killed:
            killed.append("--resume")
    done = run_tool(*killed)
    assert done.returncode == 0, done.stderr
    digests = [network_file.load(tmp_path / f"{name}.bs4nn").digest for name in ("whole", "killed")]
    assert digests[0] == digests[1]


def test_a_run_folder_is_never_overwritten(digits: Dataset, tmp_path: Path) -> None:
    training.train(digits, short(digits), tmp_path / "run")
    with pytest.raises(UserError, match="--resume"):
        training.train(digits, short(digits), tmp_path / "run")
    with pytest.raises(UserError, match="seed is 0 there, 5 here"):
        training.train(digits, short(digits, seed=5), tmp_path / "run", resume=True)
    with pytest.raises(UserError, match="no run to resume"):
        training.train(digits, short(digits), tmp_path / "other", resume=True)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(UserError, match="something else"):
        training.train(digits, short(digits), tmp_path / "thesis")


def test_a_run_of_an_older_release_goes_on_without_what_it_does_not_know(digits: Dataset, tmp_path: Path) -> None:
    whole = training.train(digits, short(digits), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    older = json.loads(path.read_text())
    del older["dropout"]
    path.write_text(json.dumps(older))
    again = training.train(digits, short(digits), tmp_path / "run", resume=True)
    assert isinstance(whole.network, Network)
    assert isinstance(again.network, Network)
    assert again.network.digest == whole.network.digest
    with pytest.raises(UserError, match=r"dropout is None there, 0\.1 here"):
        training.train(digits, dataclasses.replace(short(digits), dropout=0.1), tmp_path / "run", resume=True)
    path.write_text("[1, 2]")
    with pytest.raises(UserError, match="no named values"):
        training.train(digits, short(digits), tmp_path / "run", resume=True)


def test_a_damaged_checkpoint_is_named(digits: Dataset, tmp_path: Path) -> None:
    training.train(digits, short(digits), tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"checkpoint\.npz is damaged"):
        training.train(digits, short(digits), tmp_path / "run", resume=True)


def test_a_dead_network_is_named(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no hidden neuron fires"):
        training.train(digits, short(digits, hidden_thresholds=(60_000,)), tmp_path / "run")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("speed=1", "rate"),
        ("rate", "NAME=VALUE"),
        ("rate=fast", "a value like"),
        ("rate=nan", "a value like"),
        ("hidden_thresholds=1,2", "1 hidden layers need as many"),
        ("batch=0", "1 or more"),
        ("whole_shift=-1", "0 or more pixels"),
        ("still=1.5", "0 to 1"),
        ("output_threshold=70000", "65,535"),
    ],
)
def test_settings_that_cannot_be(setting: str, words: str, tmp_path: Path) -> None:
    call = ("train", "--dataset", "digits", "--hidden", "8", "--run", tmp_path / "run", "--set", setting)
    assert_refused(run_tool(*call), words)
    assert not (tmp_path / "run").exists()


def test_the_trained_file_says_where_it_comes_from(tmp_path: Path) -> None:
    call = (
        "train",
        "--dataset",
        "digits",
        "--hidden",
        "16",
        "--epochs",
        "2",
        "--accept",
        "--run",
        tmp_path / "run",
        "--quiet",
    )
    done = run_tool(*call, "-o", tmp_path / "n.bs4nn", "--json")
    assert done.returncode == 0, done.stderr
    network = network_file.load(tmp_path / "n.bs4nn")
    description = network.description
    digits = datasets.load("digits")
    expected = TrainedOn("digits", digits.training_digest, "bright", split=digits.split_digest)
    assert network.data == expected
    assert network.input == Input((8, 8), 16)
    assert network.class_names == digits.class_names
    assert description["recipe"] == "best"
    assert description["test"]["strict_accuracy"] == pytest.approx(
        json.loads(done.stdout)["test"]["strict_accuracy"], abs=1e-6
    )


def stop(_report: training.Report) -> None:
    """Presses Ctrl-C at the first chance."""
    signal.raise_signal(signal.SIGINT)


def test_the_number_of_threads_changes_nothing(digits: Dataset) -> None:
    options = short(digits)
    arrays = []
    for threads in (1, 2, 5):
        trainer, progress = BestTrainer(digits, options, threads), Progress()
        while progress.piece < trainer.pieces:
            trainer.learn(progress)
            progress.piece += 1
        arrays.append(({name: array.copy() for name, array in trainer.arrays().items()}, progress.loss))
    for more, loss in arrays[1:]:
        assert loss == arrays[0][1]
        for name, array in more.items():
            assert np.array_equal(array, arrays[0][0][name]), name


def test_the_last_epochs_learn_from_images_as_they_are(digits: Dataset) -> None:
    moving = short(digits, shift=1.0, rotation=10.0, stretch=0.1, elastic=0.5)
    resting = short(digits, shift=0.0, rotation=0.0, stretch=0.0, elastic=0.0)

    def learned(changing: Iterable[training.BestOptions]) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for epoch, options in enumerate(changing):
            trainer = BestTrainer(digits, options)
            for name, array in trainer.arrays().items():
                array[...] = arrays.get(name, array)
            progress = Progress(epoch=epoch)
            while progress.piece < trainer.pieces:
                trainer.learn(progress)
                progress.piece += 1
            arrays = trainer.arrays()
        return arrays

    still = learned([dataclasses.replace(moving, still=0.5)] * 4)
    expected = learned([moving, moving, resting, resting])
    others = learned([moving, moving, moving, resting])
    assert all(np.array_equal(still[name], expected[name]) for name in expected)
    assert not np.array_equal(still["proxies_1"], others["proxies_1"])


def test_a_full_disk_is_one_line_and_leaves_the_run_usable(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = short(digits)
    whole = training.train(digits, options, tmp_path / "whole")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(report: training.Report) -> None:
        if report.epoch == 1 and report.done == 1:
            monkeypatch.setattr(os, "replace", full)

    with pytest.raises(UserError, match="no space left"):
        training.train(digits, options, tmp_path / "full", on_report=fill)
    monkeypatch.undo()
    resumed = training.train(digits, options, tmp_path / "full", resume=True)
    assert resumed.network.digest == whole.network.digest


def test_learning_that_does_not_start_is_refused(digits: Dataset, tmp_path: Path) -> None:
    # The paper to the letter: every tie counts as right, no weight ever moves, strict accuracy is chance.
    letter = (
        "delay=0",
        "strict=no",
        "early_target=yes",
        "replacement=no",
        "black_fires=no",
        "fall_every=10",
        "theta=5",
    )
    options = training.resolve(digits, "paper", (32,), 2, 16, 0, letter)
    with pytest.raises(UserError, match="no weight has changed its sign"):
        training.train(digits, options, tmp_path / "run")


def test_one_weight_that_is_no_number_is_enough(digits: Dataset, tmp_path: Path) -> None:
    options = short(digits)
    with pytest.raises(KeyboardInterrupt):
        training.train(digits, options, tmp_path / "run", on_report=stop)
    path = tmp_path / "run" / "checkpoint.npz"
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["proxies_1"][40, 7] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="no number"):
        training.train(digits, options, tmp_path / "run", resume=True)


def test_the_sweep_takes_the_most_accurate_threshold_that_is_not_too_silent(digits: Dataset, tmp_path: Path) -> None:
    options = short(digits, epochs=15)
    training.train(digits, options, tmp_path / "run")
    network = network_file.load(tmp_path / "run" / "best.bs4nn")
    images, labels = digits.validation()
    whole_labels = labels.astype(np.int32)
    trained = int(network.layers[-1].thresholds[0])
    seen = {}
    for threshold in range(max(1, trained // 2), 2 * trained + 1):
        host = host_network(network)
        host.thresholds[-1][:] = threshold
        answers = host.evaluate(images, whole_labels)
        silent = float((answers.response_time == network.time_steps).mean())
        seen[threshold] = (float((answers.answer == labels).mean()), silent)
    for limit in (0.0, 0.05, 0.3, 1.0):
        chosen = choose_output_threshold(network, images, whole_labels, limit)
        threshold = int(chosen.layers[-1].thresholds[0])
        allowed = {t: accuracy for t, (accuracy, silent) in seen.items() if silent <= limit or t == trained}
        assert threshold in allowed
        assert seen[threshold][0] == max(allowed.values())


def test_several_seeds_in_one_command(tmp_path: Path) -> None:
    call = ("train", "--hidden", "16", "--epochs", "2", "--accept", "--run", tmp_path / "run", "--json", "--quiet")
    done = run_tool(*call, "--seed", "5", "--seeds", "3", "-o", tmp_path / "n.bs4nn")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["seeds"] == [5, 6, 7]
    strict = [one["strict_accuracy"] for one in said["test_by_seed"]]
    assert len(set(strict)) > 1
    assert said["test_over_seeds"]["strict_accuracy"]["mean"] == pytest.approx(statistics.mean(strict), abs=1e-6)
    assert said["test_over_seeds"]["strict_accuracy"]["deviation"] == pytest.approx(statistics.stdev(strict), abs=1e-6)
    alone = run_tool("train", "--hidden", "16", "--epochs", "2", "--accept", "--run", tmp_path / "alone", "--json",
                     "--quiet", "--seed", "6", "-o", tmp_path / "alone.bs4nn")  # fmt: skip
    assert json.loads(alone.stdout)["test"] == said["test_by_seed"][1]
    # What is finished is not trained again.
    again = run_tool(*call, "--seed", "5", "--seeds", "3", "-o", tmp_path / "n.bs4nn", "--resume")
    assert json.loads(again.stdout)["test_by_seed"] == said["test_by_seed"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["test_over_seeds"] == said["test_over_seeds"]
    rows = list(csv.DictReader((tmp_path / "run" / "seeds.csv").open()))
    assert [int(row["seed"]) for row in rows] == [5, 6, 7]
    assert [float(row["test_strict_accuracy"]) for row in rows] == strict
    # A list of seeds does the same as a count.
    listed = run_tool(*call[:5], "--run", tmp_path / "list", "--json", "--quiet", "--seeds", "7,5",
                      "-o", tmp_path / "l.bs4nn")  # fmt: skip
    assert json.loads(listed.stdout)["test_by_seed"] == [said["test_by_seed"][2], said["test_by_seed"][0]]


@pytest.mark.parametrize("seeds", ["0", "-1", "1,1", "1,x", "", "1,-2"])
def test_seeds_that_cannot_be(seeds: str, tmp_path: Path) -> None:
    assert_refused(run_tool("train", "--seeds", seeds, "-o", tmp_path / "n.bs4nn"), "--seeds")


def test_resume_needs_to_be_told_nothing_again(tmp_path: Path) -> None:
    """From another folder, with every kind of option, and with several seeds."""
    call = ("train", "--dataset", "digits", "--hidden", 12, "--hidden", 8, "--time-steps", 8, "--epochs", 2, "--accept",
            "--set", "rate=0.02", "--set", "windows=8,6", "--seeds", "4,1", "--quiet")  # fmt: skip
    run = tmp_path / "the run"
    whole, resumed = tmp_path / "whole", ("train", "--run", run, "--resume", "--quiet")
    cli.app([*map(str, call), "--run", str(whole), "-o", str(tmp_path / "whole.bs4nn")], standalone_mode=False)
    command = [sys.executable, "-m", "bs4nn_tc", *map(str, call), "--run", run.name, "-o", "n.bs4nn"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        deadline = time.monotonic() + 60
        while not (run / "seed-4" / "config.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        said = first.stderr.read()
    assert "go on with: bs4nn-tc train --run 'the run' --resume\n" in said
    cli.app(list(map(str, resumed)), standalone_mode=False)
    assert (run / "summary.json").read_bytes() == (whole / "summary.json").read_bytes()
    assert (tmp_path / "n.bs4nn").read_bytes() == (tmp_path / "whole.bs4nn").read_bytes()


def test_resume_refuses_only_what_differs(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    monkeypatch.chdir(tmp_path)

    def resumed(*more: object) -> None:
        cli.app(["train", "--run", str(run), "--resume", "--quiet", "--accept", *map(str, more)], standalone_mode=False)

    with pytest.raises(UserError, match="holds no run to resume"):
        resumed()
    training.train(digits, short(digits, epochs=1), run)
    config = json.loads((run / "config.json").read_text())
    resumed("--hidden", 24, "--epochs", 1, "--seed", 0, "--set", "dropout=0", "-o", "n.bs4nn")
    for more, words in (
        (("--epochs", 2), "epochs is 1 there, 2 here"),
        (("--hidden", 24, "--hidden", 8), "hidden is 24 there, 24, 8 here"),
        (("--recipe", "paper"), "recipe is best there, paper here"),
        (("--set", "dropout=0.5"), r"dropout is 0\.0 there, 0\.5 here"),
        (("--seed", 7), "seed is 0 there, 7 here"),
    ):
        with pytest.raises(UserError, match=words):
            resumed(*more)
    # A data set may have moved; other images are another run.
    (run / "config.json").write_text(json.dumps({**config, "dataset": "/elsewhere/digits"}))
    resumed("--dataset", "digits")
    (run / "config.json").write_text(json.dumps({**config, "data": "0" * 64}))
    with pytest.raises(UserError, match="images or labels were others"):
        resumed()
    for broken in ({"hidden": [True]}, {"epochs": "3"}, {"recipe": "none"}, {"command": []}, {"command": {"seeds": 1}}):
        (run / "config.json").write_text(json.dumps({**config, **broken}))
        with pytest.raises(UserError, match=r"config\.json is damaged"):
            resumed()
    (run / "config.json").unlink()
    os.mkfifo(run / "config.json")
    with pytest.raises(UserError, match="no regular file"):
        resumed()


def test_a_run_that_has_learned_nothing_gives_way(digits: Dataset, tmp_path: Path) -> None:
    """After a failure in the first epoch, or a kill before or after config.json was written."""
    run = tmp_path / "run"
    for _ in range(2):
        with pytest.raises(UserError, match="no hidden neuron fires"):
            training.train(digits, short(digits, hidden_thresholds=(60_000,)), run)
    litter = run / f".bs4nn-tc-{'0' * 16}"
    litter.touch()
    (run / "best.s4nn.npz").touch()  # of another recipe, killed between its best network and its checkpoint
    network = training.train(digits, short(digits), run).network
    assert isinstance(network, Network)
    assert {path.name for path in run.iterdir()} == {"config.json", "checkpoint.npz", "epochs.csv", "best.bs4nn",
                                                     "best-proxies.npz"}  # fmt: skip
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / litter.name).touch()
    again = training.train(digits, short(digits), tmp_path / "killed").network
    assert isinstance(again, Network)
    assert again.digest == network.digest


def test_two_do_not_train_in_one_folder(tmp_path: Path) -> None:
    call = ("train", "--hidden", 8, "--epochs", 1, "--accept", "--run", tmp_path / "run", "-o", tmp_path / "n.bs4nn")
    with locks.only_one(tmp_path / "run"), pytest.raises(UserError, match="another process"):
        cli.app(list(map(str, call)), standalone_mode=False)
    assert not (tmp_path / "run").exists()
