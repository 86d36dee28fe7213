"""The oracle of S4NN networks: answers and firing times in plain NumPy, image by image, written to be read.

The compiled trainer is compared with it before a network is handed over. Potentials are sums in single precision in
the order in which spikes arrive, those of one step by index, so that both see the same number where it meets a
threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model.input import Input
from bs4nn_tc.model.real_network import RealNetwork


@dataclass(frozen=True)
class RealResult:
    """What an S4NN network answers on N images.

    Attributes:
        answer: (N,) the class: of the output neurons that fire first the one with the highest potential at that step,
            then the lowest index; if none fires, the highest potential at step T - 3.
        response_time: (N,) first output firing time in steps, T on a silent image.
        spikes: (N,) input and hidden spikes before the response.
        firing_times: one (N, neurons) array a layer, T = never.
    """

    answer: NDArray[np.int32]
    response_time: NDArray[np.int32]
    spikes: NDArray[np.int32]
    firing_times: tuple[NDArray[np.int32], ...]


def _run_layer(
    weights: NDArray[np.float32], threshold: np.float32, arrivals: NDArray[np.int32], steps: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """One layer: firing times, potentials at the crossing, potentials at step T - 3, (neurons,) each."""
    order = np.argsort(arrivals, kind="stable")
    order = order[arrivals[order] < steps]
    when = arrivals[order]
    none = np.zeros((1, weights.shape[1]), np.float32)
    potentials = np.concatenate([none, np.cumsum(weights[order], axis=0, dtype=np.float32)])
    # A row a step at which anything arrives: its number of spikes so far, which is where the sums stand after it.
    ends = np.flatnonzero(np.append(when[1:] != when[:-1], np.ones(min(1, len(when)), bool))) + 1
    crossed = potentials[ends] > threshold
    times = np.full(weights.shape[1], steps, np.int32)
    at_crossing = np.zeros(weights.shape[1], np.float32)
    for neuron in np.flatnonzero(crossed.any(axis=0)):
        end = ends[crossed[:, neuron].argmax()]
        times[neuron] = when[end - 1] + 1  # a step later; at step T it is never
        at_crossing[neuron] = potentials[end, neuron]
    return times, at_crossing, potentials[np.searchsorted(when, steps - 3, side="right")]


def run(network: RealNetwork, images: NDArray[np.uint8]) -> RealResult:
    """Run a batch of images.

    Args:
        network: the network.
        images: (N, pixels) uint8; brighter pixels than `intensity_max` fire with it.
    """
    steps, count = network.time_steps, len(images)
    step_of = Input(intensity_max=network.intensity_max).table(steps)
    answer, response_time, spikes = (np.zeros(count, np.int32) for _ in range(3))
    firing_times = tuple(np.zeros((count, layer.shape[1]), np.int32) for layer in network.weights)
    for index, image in enumerate(images):
        times = step_of[image]
        sent = [times]
        for number, (weights, threshold) in enumerate(zip(network.weights, network.thresholds, strict=True)):
            times, crossing, readout = _run_layer(weights, threshold, times, steps)
            firing_times[number][index] = times
            sent.append(times)
        first = int(times.min())
        decisive = np.where(times == first, crossing, -np.inf) if first < steps else readout
        answer[index], response_time[index] = int(decisive.argmax()), first
        spikes[index] = sum(int((layer < first).sum()) for layer in sent[:-1])
    return RealResult(answer, response_time, spikes, firing_times)
