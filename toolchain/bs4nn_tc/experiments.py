"""The paper's experiments on a network: figures as numbers. Drawing is figures.py, printing is the command line.

Everything runs on the host library; strict accuracy stands beside the tie-lenient one that the paper counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc import tuning
from bs4nn_tc.host.network import HostTimes, host_network
from bs4nn_tc.network import Network

NOISES = tuple(range(0, 101, 10))
FACTORS = tuple(range(10, 151, 10))


@dataclass(frozen=True)
class Experiment:
    """The outcome of one experiment.

    Attributes:
        name: of the experiment.
        title: what it shows, for people.
        headings: one a column.
        rows: numbers (or the name of a class, in the first column).
        paper: for some rows (by index) what the paper says, for people.
        kind: how it is drawn: "lines" (first column against the others), "bars", or "matrix".
    """

    name: str
    title: str
    headings: tuple[str, ...]
    rows: list[tuple[float | str, ...]]
    paper: dict[int, str]
    kind: str


@dataclass(frozen=True)
class Material:
    """What experiments run on.

    Attributes:
        network: the network.
        images: (N, pixels) uint8 test images.
        labels: (N,) their classes.
        class_names: one a class.
        dataset: its name; the paper's numbers for MNIST stand beside ours on "mnist" only.
    """

    network: Network
    images: NDArray[np.uint8]
    labels: NDArray[np.integer]
    class_names: tuple[str, ...]
    dataset: str

    def on_mnist(self, paper: dict[int, str]) -> dict[int, str]:
        """The paper's numbers, where they are for this data set."""
        return paper if self.dataset == "mnist" else {}

    def times(self) -> HostTimes:
        """Every firing time."""
        return host_network(self.network).times(self.images)


def _accuracies(network: Network, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> tuple[float, float, float]:
    """Strict accuracy, tie-lenient accuracy (both in per cent), mean response time in steps."""
    times = host_network(network).times(images)
    strict = times.answer == labels
    fired = times.response_time < network.time_steps
    first = times.firing_times[-1][np.arange(len(labels)), labels] == times.response_time
    lenient = np.where(fired, first, strict)
    return 100 * float(strict.mean()), 100 * float(lenient.mean()), float(times.response_time.mean())


def noise(material: Material) -> Experiment:
    """Uniform jitter of up to J per cent of the maximum intensity, up or down, on every test pixel."""
    rng = np.random.default_rng(0)
    high = material.network.intensity_max
    rows: list[tuple[float | str, ...]] = []
    for percent in NOISES:
        jitter = rng.uniform(-percent / 100 * high, percent / 100 * high, material.images.shape)
        noisy = np.clip(np.rint(material.images + jitter), 0, high).astype(np.uint8)
        rows.append((percent, *_accuracies(material.network, noisy, material.labels)))
    headings = ("noise, % of maximum", "strict, %", "tie-lenient, %", "response time, steps")
    paper = material.on_mnist({len(NOISES) - 1: "tie-lenient about 79 %"})
    return Experiment("noise", "accuracy under noise on the pixels", headings, rows, paper, "lines")


def thresholds(material: Material) -> Experiment:
    """One factor on all thresholds: accuracy against response time."""
    rows: list[tuple[float | str, ...]] = []
    for factor in FACTORS:
        other = tuning.turned(material.network, "all", factor)
        rows.append((factor, *_accuracies(other, material.images, material.labels)))
    headings = ("thresholds, % of the trained", "strict, %", "tie-lenient, %", "response time, steps")
    paper = material.on_mnist({FACTORS.index(80): "tie-lenient 91.0 %, 44.9 steps"})
    return Experiment("thresholds", "accuracy and response time by the thresholds", headings, rows, paper, "lines")


def spikes(material: Material) -> Experiment:
    """Spikes of each layer until the decision, and the response time, by class."""
    network, times = material.network, material.times()
    ends = np.where(
        times.response_time < network.time_steps, times.response_time - network.delay, network.time_steps - 1
    )
    steps = (network.intensity_max - np.arange(256)) * network.time_steps // network.intensity_max
    arrivals = [steps[material.images], *times.firing_times[:-1]]
    counts = np.stack([(layer <= ends[:, None]).sum(axis=1) for layer in arrivals], axis=1)
    rows: list[tuple[float | str, ...]] = []
    for label, name in enumerate(material.class_names):
        of_class = material.labels == label
        rows.append((name, *counts[of_class].mean(axis=0).tolist(), float(times.response_time[of_class].mean())))
    layers = ["input spikes", *(f"spikes of layer {number}" for number in range(1, len(arrivals)))]
    by_digit = (74, 188, 87, 87, 127, 107, 95, 121, 93, 134)
    paper = material.on_mnist({label: f"{steps} steps" for label, steps in enumerate(by_digit)})
    return Experiment(
        "spikes", "spikes until the decision, by class", ("class", *layers, "response time, steps"), rows, paper, "bars"
    )


def firing_times(material: Material) -> Experiment:
    """Mean firing time of every output neuron (columns) on the images of every class (rows)."""
    output = material.times().firing_times[-1].astype(np.float64)
    rows: list[tuple[float | str, ...]] = [
        (name, *output[material.labels == label].mean(axis=0).tolist())
        for label, name in enumerate(material.class_names)
    ]
    headings = ("class", *(f"neuron {j}" for j in range(output.shape[1])))
    return Experiment("firing-times", "mean firing times of the output neurons, in steps", headings, rows, {}, "matrix")


def confusion(material: Material) -> Experiment:
    """How many images of every class (rows) get every answer (columns)."""
    answers = material.times().answer
    outputs = material.network.outputs
    rows: list[tuple[float | str, ...]] = [
        (name, *np.bincount(answers[material.labels == label], minlength=outputs).astype(float).tolist())
        for label, name in enumerate(material.class_names)
    ]
    headings = ("class", *(f"answer {j}" for j in range(outputs)))
    return Experiment("confusion", "answers by class", headings, rows, {}, "matrix")


def weights(material: Material) -> Experiment:
    """Share of positive synapses, by layer."""
    rows: list[tuple[float | str, ...]] = [
        (f"layer {number}", 100 * float((layer.signs > 0).mean()))
        for number, layer in enumerate(material.network.layers, start=1)
    ]
    paper = material.on_mnist({0: "77.8 %", 1: "60.5 %"} if len(rows) == 2 else {})
    return Experiment("weights", "share of positive synapses", ("layer", "positive, %"), rows, paper, "bars")


EXPERIMENTS: dict[str, Callable[[Material], Experiment]] = {
    "noise": noise,
    "thresholds": thresholds,
    "spikes": spikes,
    "firing-times": firing_times,
    "confusion": confusion,
    "weights": weights,
}
