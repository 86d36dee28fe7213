"""The oracle of S4NN networks: answers and firing times in plain NumPy, image by image, written to be read.

The compiled trainer is compared with it before a network is handed over. Potentials are sums in single precision in
the order in which spikes arrive, those of one step by index, so that both see the same number where it meets a
threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model.input import Input
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.model.reference import Result


@dataclass(frozen=True)
class Rules:
    """In what the rules of S4NN and of SPEC.md differ, once weights are real.

    Attributes:
        time_steps: T.
        delay: 1: a neuron fires a step after its potential exceeds its threshold; 0: in the step at which it
            reaches it.
        readout_step: whose potentials answer a silent image; below 0, those before any spike.
    """

    time_steps: int
    delay: int
    readout_step: int


def _run_layer(
    weights: NDArray[np.float32], thresholds: NDArray[np.floating], arrivals: NDArray[np.int32], rules: Rules
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """One layer: firing times, potentials at the crossing, potentials at the readout step, (neurons,) each."""
    order = np.argsort(arrivals, kind="stable")
    order = order[arrivals[order] < rules.time_steps]
    when = arrivals[order]
    none = np.zeros((1, weights.shape[1]), np.float32)
    potentials = np.concatenate([none, np.cumsum(weights[order], axis=0, dtype=np.float32)])
    # A row a step at which anything arrives: its number of spikes so far, which is where the sums stand after it.
    ends = np.flatnonzero(np.append(when[1:] != when[:-1], np.ones(min(1, len(when)), bool))) + 1
    # One more for who never crosses.
    steps, rows = np.append(when[ends - 1] + rules.delay, rules.time_steps), np.append(ends, 0)
    crossed = potentials[rows] > thresholds if rules.delay else potentials[rows] >= thresholds
    crossed[-1] = True
    first = crossed.argmax(axis=0)
    times = np.minimum(steps[first], rules.time_steps).astype(np.int32)
    at_crossing = potentials[rows[first], np.arange(len(first))]
    return times, at_crossing, potentials[np.searchsorted(when, rules.readout_step, side="right")]


def run(network: RealNetwork, images: NDArray[np.uint8]) -> Result:
    """Run a batch of images; silent ones are answered by the potentials at step T - 3.

    Args:
        network: the network.
        images: (N, pixels) uint8; brighter pixels than `intensity_max` fire with it.
    """
    steps = network.time_steps
    times = Input(intensity_max=network.intensity_max).table(steps)[images]
    return run_weights(network.weights, network.thresholds, times, Rules(steps, 1, steps - 3))


def run_weights(
    weights: Sequence[NDArray[np.float32]],
    thresholds: Sequence[NDArray[np.floating] | np.float32] | NDArray[np.float32],
    input_times: NDArray[np.int32],
    rules: Rules,
) -> Result:
    """Run spikes through real-valued weights.

    Args:
        weights: (inputs, neurons) a layer.
        thresholds: one a layer, or (neurons,) a layer.
        input_times: (N, inputs) firing times, T = never.
        rules: to fire and to answer by.

    Returns:
        As for a network of signs, but readout potentials in float32.
    """
    count = len(input_times)
    readouts = np.zeros((count, weights[-1].shape[1]), np.float32)
    answer, response_time, spikes = (np.zeros(count, np.int32) for _ in range(3))
    firing_times = tuple(np.zeros((count, layer.shape[1]), np.int32) for layer in weights)
    for index, times in enumerate(input_times):
        sent = [times]
        for number, (layer, levels) in enumerate(zip(weights, thresholds, strict=True)):
            fired, crossing, readout = _run_layer(layer, np.asarray(levels), sent[-1], rules)
            firing_times[number][index] = fired
            sent.append(fired)
        readouts[index], first = readout, int(fired.min())
        decisive = np.where(fired == first, crossing, -np.inf) if first < rules.time_steps else readout
        answer[index], response_time[index] = int(decisive.argmax()), first
        last = min(first - rules.delay, rules.time_steps - 1)
        spikes[index] = sum(int((layer <= last).sum()) for layer in sent[:-1])
    return Result(answer, response_time, spikes, firing_times, readouts)
