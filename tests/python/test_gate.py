"""The gate after training: what it lets through, and faults planted in the compiled code that it has to catch."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import networks_and_images, random_network
from hypothesis import given, settings

from bs4nn_tc import training
from bs4nn_tc.base import compiled
from bs4nn_tc.base.errors import VerificationError
from bs4nn_tc.data import datasets
from bs4nn_tc.host import library
from bs4nn_tc.host.network import host_network
from bs4nn_tc.model import real_reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training import gate

BEST = training.BestOptions((20,), 1, 0, 16, (5,), 5, (5.0,), 0.5, 0.3)
PAPER = training.PaperOptions((20,), 1, 0, gamma=1)
WAITING = training.PaperOptions((20,), 1, 0, gamma=2)
S4NN = training.S4nnOptions((20,), 1, 0)


# ---- The engines against slow ones ----


@settings(max_examples=25, deadline=None)
@given(networks_and_images())
def test_the_forward_pass_of_training_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    never, delay = network.time_steps, network.delay
    awaited = (np.arange(len(images)) % network.outputs).astype(np.int32)
    for margin, waiting in ((0, None), (3, None), (0, awaited), (never, None)):
        got = host_network(network).forward(images, margin, waiting)
        for index, image in enumerate(images):
            expected = naive.run(network, image.tolist())
            assert got.answer[index] == expected.answer
            assert got.response_time[index] == expected.response_time
            # What has to be known at least: the step of the decision is the first at which a run may end.
            until = expected.response_time
            if margin == never:
                until = never
            elif until < never:
                last = until if waiting is None else expected.firing_times[-1][awaited[index]]
                until = max(until + margin, last)
            for layer, times in enumerate(expected.firing_times):
                last = until if layer == len(expected.firing_times) - 1 else until - delay
                assert got.firing_times[layer][index].tolist() == [
                    time if time <= last or until >= never else never for time in times
                ]


def slow_real(network: RealNetwork, image: list[int]) -> tuple[int, int, int, list[list[int]]]:
    """S4NN step by step in pure Python: answer, response time, spikes, firing times."""
    never = network.time_steps
    sent = [[(network.intensity_max - pixel) * never // network.intensity_max for pixel in image]]
    for weights, threshold in zip(network.weights, network.thresholds, strict=True):
        neurons = weights.shape[1]
        potentials, times, crossing, readout = [0.0] * neurons, [never] * neurons, [0.0] * neurons, [0.0] * neurons
        for step in range(never):
            for j in range(neurons):
                potentials[j] += sum(float(weights[i, j]) for i, time in enumerate(sent[-1]) if time == step)
                if potentials[j] > threshold and times[j] == never:
                    times[j] = step + 1
                    crossing[j] = potentials[j]
            if step == never - 3:
                readout = list(potentials)
        sent.append(times)
    first = min(sent[-1])
    if first < never:
        answer = max((j for j in range(neurons) if sent[-1][j] == first), key=lambda j: (crossing[j], -j))
    else:
        answer = max(range(neurons), key=lambda j: (readout[j], -j))
    return answer, first, sum(time < first for layer in sent[:-1] for time in layer), sent[1:]


def real_network(rng: np.random.Generator, sizes: tuple[int, ...], steps: int, whole: bool) -> RealNetwork:
    weights = [rng.uniform(-2, 3, shape) for shape in itertools.pairwise(sizes)]
    layers = tuple((np.rint(layer) if whole else layer).astype(np.float32) for layer in weights)
    return RealNetwork(layers, rng.integers(1, 9, len(layers)).astype(np.float32), steps, 16)


@pytest.mark.parametrize("sizes", [(12, 5), (12, 9, 4), (12, 8, 7, 3)])
@pytest.mark.parametrize("steps", [1, 2, 3, 9, 40])
def test_the_reference_of_s4nn_equals_a_pure_python_one(sizes: tuple[int, ...], steps: int) -> None:
    rng = np.random.default_rng([len(sizes), steps])
    network = real_network(rng, sizes, steps, whole=True)  # sums are exact, and ties frequent
    images = (rng.integers(0, 17, (30, 12)) * (rng.random((30, 12)) < 0.6)).astype(np.uint8)
    images[:10] //= 8
    got = real_reference.run(network, images)
    for index, image in enumerate(images.tolist()):
        answer, first, spikes, times = slow_real(network, image)
        assert (got.answer[index], got.response_time[index], got.spikes[index]) == (answer, first, spikes)
        assert [layer[index].tolist() for layer in got.firing_times] == times


# ---- What passes ----


def cases(options: training.Options, seed: int) -> tuple[Network | RealNetwork, np.ndarray, np.ndarray]:
    """A random network for these options, images and labels."""
    rng = np.random.default_rng(seed)
    images = (rng.integers(0, 17, (120, 30)) * (rng.random((120, 30)) < 0.5)).astype(np.uint8)
    labels = rng.integers(0, 4, 120).astype(np.int32)
    if isinstance(options, training.S4nnOptions):
        return real_network(rng, (30, 20, 4), 24, whole=False), images, labels
    delay = int(isinstance(options, training.PaperOptions))
    network = random_network(rng, (30, 20, 4), time_steps=24, delay=delay, intensity_max=16)
    return dataclasses.replace(network, readout_step=21), images, labels


@pytest.mark.parametrize("options", [BEST, PAPER, WAITING, S4NN], ids=["best", "paper", "waiting", "s4nn"])
def test_the_gate_lets_sound_networks_pass(options: training.Options) -> None:
    for seed in range(4):
        gate.check(*cases(options, seed), options)
    network, images, labels = cases(options, 9)
    gate.check(network, images[:1], labels[:1], options)


def test_the_gate_lets_two_hidden_layers_pass() -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 30)).astype(np.uint8), rng.integers(0, 4, 40).astype(np.int32)
    for delay, options in ((0, BEST), (1, PAPER), (1, WAITING)):
        gate.check(random_network(rng, (30, 20, 12, 4), time_steps=40, delay=delay), images, labels, options)
    weights = tuple(rng.uniform(-1, 2, shape).astype(np.float32) for shape in itertools.pairwise((30, 20, 12, 4)))
    gate.check(RealNetwork(weights, np.array([6, 9, 9], np.float32), 40, 255), images, labels, S4NN)


# ---- Faults ----

FORWARD_TIE = (
    "host_forward.c",
    "spikes[k]] > output->potential[run->answer]",
    "spikes[k]] >= output->potential[run->answer]",
)
FORWARD_SILENT = (
    "host_forward.c",
    "run->readout[j] > run->readout[run->answer]",
    "run->readout[j] < run->readout[run->answer]",
)
FORWARD_FIRE = ("host_forward.c", "if (potential[j] >= level[j]) {", "if (potential[j] > level[j]) {")
FORWARD_STOP = ("host_forward.c", "step - run->deciding_step >= margin", "step - run->deciding_step > margin")
EVALUATED_TIE = ("host_times.c", "if (reached > highest)", "if (reached >= highest)")
REAL_TIE = ("host_s4nn.c", "potential > highest)", "potential >= highest)")
REAL_SILENT = ("host_s4nn.c", "potential > highest)", "(first < network->time_steps) == (potential > highest))")
REAL_READOUT = ("host_s4nn.c", "step > never - 3", "step > never - 2")
REAL_FIRE = ("host_s4nn.c", "(potential[j] > threshold)", "(potential[j] > threshold + 0.5f)")


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Compiles the host library with one change, for this test."""

    def planted(file: str, old: str, new: str) -> None:
        folder = tmp_path / "host"
        shutil.copytree(library._FOLDER, folder)
        text = (folder / file).read_text()
        assert text.count(old) == 1
        (folder / file).write_text(text.replace(old, new))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(library, "_FOLDER", folder)
        monkeypatch.setattr(compiled, "_FLAGS", ("-O0", *compiled._FLAGS[1:]))
        monkeypatch.setattr(compiled, "_MACHINE_FLAGS", ((),))

    return planted


@pytest.mark.parametrize(
    ("fault", "caught_by"),
    [
        (FORWARD_TIE, (BEST, PAPER, WAITING)),
        (FORWARD_SILENT, (BEST, PAPER, WAITING)),
        (FORWARD_FIRE, (BEST, PAPER, WAITING)),
        (FORWARD_STOP, (BEST, WAITING)),
        (EVALUATED_TIE, (BEST, PAPER)),
        (REAL_TIE, (S4NN,)),
        (REAL_SILENT, (S4NN,)),
        (REAL_READOUT, (S4NN,)),
        (REAL_FIRE, (S4NN,)),
    ],
    ids=lambda value: value[2] if isinstance(value[0], str) else None,
)
def test_the_gate_catches_a_planted_fault(
    plant: Callable[..., None], fault: tuple[str, str, str], caught_by: tuple[training.Options, ...]
) -> None:
    plant(*fault)
    for options in caught_by:
        with pytest.raises(VerificationError, match="please report this"):
            gate.check(*cases(options, 0), options)


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ("best", FORWARD_TIE),
        ("best", FORWARD_SILENT),
        ("paper", FORWARD_TIE),
        ("paper", FORWARD_SILENT),
        ("s4nn", REAL_SILENT),
    ],
    ids=lambda value: value if isinstance(value, str) else value[2],
)
def test_training_with_a_planted_fault_hands_nothing_over(
    plant: Callable[..., None], tmp_path: Path, recipe: str, fault: tuple[str, str, str]
) -> None:
    plant(*fault)
    digits = datasets.load("digits")
    short = dataclasses.replace(digits, train_images=digits.train_images[:300], train_labels=digits.train_labels[:300])
    options = training.resolve(short, recipe, (12,), 1, None, 0, ["theta=20"] if recipe != "best" else [])
    with pytest.raises(VerificationError, match="trainer and the reference disagree"):
        training.train(short, options, tmp_path / "run")
