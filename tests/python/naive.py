"""SPEC.md once more, as slowly and literally as possible: pure Python, step by step, no NumPy.

The reference, the C kernel and the trainer's forward pass are all compared with this. It shares no
line with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import naive_stages

from bs4nn_tc.model.network import Network

# A kind of layer as its matrix (out, in) of +1, -1, and 0 where there is no synapse.
MATRICES: dict[str, Callable[[Any], list[list[int]]]] = {
    "dense": lambda layer: layer.signs.tolist(),
}


def prepared(network: Network, sample: list[int]) -> list[int]:
    """What the stages of the input make of a sample."""
    taken = naive_stages.Sample(sample, network.input.shape, network.input.intensity_max)
    return naive_stages.through(network.input.stages, taken).values


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
