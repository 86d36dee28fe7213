"""SPEC.md once more, as slowly and literally as possible: pure Python, step by step, no NumPy.

The reference, the C kernel and the trainer's forward pass are all compared with this. It shares no
line with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import naive_pictures

from bs4nn_tc.model.network import Network

# A kind of layer as its matrix (out, in) of +1, -1, and 0 where there is no synapse.
MATRICES: dict[str, Callable[[Any], list[list[int]]]] = {
    "dense": lambda layer: layer.signs.tolist(),
}


def square_means(picture: list[list[int]], side: int) -> list[list[int]]:
    """Every square's mean, to the nearest whole number, a half upwards."""
    rows, columns = len(picture) // side, len(picture[0]) // side
    sums = [[0] * columns for _ in range(rows)]
    for y, line in enumerate(picture):
        for x, value in enumerate(line):
            sums[y // side][x // side] += value
    return [[math.floor(Fraction(sum_, side * side) + Fraction(1, 2)) for sum_ in line] for line in sums]


def _square_means(stage: Any, values: Any, sample: list[int]) -> list[int]:
    columns = values.shape[1]
    picture = [sample[first : first + columns] for first in range(0, len(sample), columns)]
    return [value for line in square_means(picture, stage.side) for value in line]


# A kind of stage as what it makes of a sample, of which `Values` is known.
STAGES: dict[str, Callable[[Any, Any, list[int]], list[int]]] = {
    "square-means": _square_means,
    **dict.fromkeys(naive_pictures.PICTURES, naive_pictures.run),
}


def prepared(network: Network, sample: list[int]) -> list[int]:
    """What the stages of the input make of a sample."""
    for stage, values in zip(network.input.stages, network.input.passed, strict=False):
        sample = STAGES[stage.kind](stage, values, sample)
    return sample


@dataclass
class Outcome:
    """Everything SPEC.md says about one image."""

    firing_times: list[list[int]]
    readout_potential: list[int]
    answer: int
    response_time: int
    spikes: int


def run(network: Network, sample: list[int]) -> Outcome:
    """One sample, every step, every neuron, every synapse."""
    steps, delay, high = network.time_steps, network.delay, network.input.intensity_max
    synapses = [MATRICES[layer.kind](layer) for layer in network.layers]
    thresholds = [layer.thresholds.tolist() for layer in network.layers]
    input_times = [(high - intensity) * steps // high for intensity in prepared(network, sample)]
    potentials = [[0] * len(rows) for rows in synapses]
    times = [[steps] * len(rows) for rows in synapses]
    crossed = [[False] * len(rows) for rows in synapses]
    readout = [0] * len(synapses[-1])
    at_crossing = [0] * len(synapses[-1])

    for step in range(steps):
        for number, rows in enumerate(synapses):
            arrival_times = input_times if number == 0 else times[number - 1]
            arriving = [i for i, time in enumerate(arrival_times) if time == step]
            for j, row in enumerate(rows):
                potentials[number][j] += sum(row[i] for i in arriving)
                if not crossed[number][j] and potentials[number][j] >= thresholds[number][j]:
                    crossed[number][j] = True
                    if step + delay < steps:
                        times[number][j] = step + delay
                        if number == len(synapses) - 1:
                            at_crossing[j] = potentials[number][j]
        if step == network.readout_step:
            readout = list(potentials[-1])

    first = min(times[-1])
    if first < steps:
        answer = max((j for j, time in enumerate(times[-1]) if time == first), key=lambda j: (at_crossing[j], -j))
        last_step = first - delay
    else:
        answer = max(range(len(readout)), key=lambda j: (readout[j], -j))
        last_step = steps - 1
    before_outputs = [input_times, *times[:-1]]
    spikes = sum(time <= last_step for layer in before_outputs for time in layer)
    return Outcome(times, readout, answer, first, spikes)
