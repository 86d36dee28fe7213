"""The oracle: every firing time and potential of a network, by SPEC.md, written to be read.

Everything that computes a network anywhere (the C kernel, the trainer, a board) is compared with
this module. It is NumPy and plain loops over images; nothing here is tuned beyond skipping the
steps at which no spike arrives, since no potential changes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers.layer import LayerRun
from bs4nn_tc.model.network import Network


@dataclass(frozen=True)
class Answers:
    """What a network answers on a batch of N images.

    Attributes:
        answer: (N,) int32, class by rule 3 of SPEC.md.
        response_time: (N,) int32, first output firing time in steps, T on a silent image.
        spikes: (N,) int32, input and hidden spikes to decision.
    """

    answer: NDArray[np.int32]
    response_time: NDArray[np.int32]
    spikes: NDArray[np.int32]


@dataclass(frozen=True)
class Result(Answers):
    """What a network answers on a batch of N images, and everything that led to it.

    Attributes:
        firing_times: one (N, neurons) array a layer, T = never: int32, or uint16 from compiled code.
        readout_potential: (N, outputs) int32, output potentials at the readout step; float32 with real weights.
    """

    firing_times: tuple[NDArray[np.integer], ...]
    readout_potential: NDArray[np.int32] | NDArray[np.float32]

    def part(self, first: int, end: int) -> Result:
        """The same for images first .. end - 1 only."""
        where = slice(first, end)
        times = tuple(layer[where] for layer in self.firing_times)
        return Result(
            self.answer[where], self.response_time[where], self.spikes[where], times, self.readout_potential[where]
        )


def run_image(network: Network, image: NDArray[Any]) -> tuple[NDArray[np.int32], list[LayerRun]]:
    """One image through all layers, with no early exit.

    Args:
        network: the network.
        image: (values,) of the network's type, a sample.

    Returns:
        The input firing times (pixels,) and one `LayerRun` a layer.
    """
    input_times = network.input.firing_times(image, network.time_steps)
    runs: list[LayerRun] = []
    arrival_times = input_times
    for layer in network.layers:
        runs.append(layer.run(arrival_times, network.time_steps, network.delay))
        arrival_times = runs[-1].firing_times
    return input_times, runs


def decide(network: Network, output: LayerRun) -> tuple[int, int]:
    """Rule 3 of SPEC.md: (answer, response time) from the output layer's run."""
    response_time = int(output.firing_times.min())
    if response_time == network.time_steps:
        return int(output.potentials_at(network.readout_step).argmax()), response_time
    among_the_first = output.firing_times == response_time
    lowest = np.iinfo(np.int32).min
    return int(np.where(among_the_first, output.crossing_potentials, lowest).argmax()), response_time


def run(network: Network, images: NDArray[Any], on_image: Callable[[], None] | None = None) -> Result:
    """Run a batch of images.

    Args:
        network: the network.
        images: (N, values), samples of the network's type.
        on_image: called after every image, for progress bars.

    Raises:
        UserError: images of another size than the network takes, or a pixel that is too bright.
    """
    check_images(network, images)
    count = len(images)
    answer = np.zeros(count, np.int32)
    response_time = np.zeros(count, np.int32)
    spikes = np.zeros(count, np.int32)
    firing_times = tuple(np.zeros((count, layer.neurons), np.int32) for layer in network.layers)
    readout_potential = np.zeros((count, network.outputs), np.int32)
    for index, image in enumerate(images):
        input_times, runs = run_image(network, image)
        answer[index], response_time[index] = decide(network, runs[-1])
        for times, layer_run in zip(firing_times, runs, strict=True):
            times[index] = layer_run.firing_times
        readout_potential[index] = runs[-1].potentials_at(network.readout_step)
        last_step = network.time_steps - 1
        if response_time[index] < network.time_steps:
            last_step = response_time[index] - network.delay
        before_outputs = (input_times, *(layer_run.firing_times for layer_run in runs[:-1]))
        spikes[index] = sum(int((times <= last_step).sum()) for times in before_outputs)
        if on_image is not None:
            on_image()
    return Result(answer, response_time, spikes, firing_times, readout_potential)


def stream(network: Network, recording: NDArray[Any]) -> Iterator[tuple[int, Result]]:
    """What a device answers to a stream, step by step.

    Args:
        network: its input has a hop.
        recording: (steps, channels), or (steps,), of the type that the network takes.

    Yields:
        (steps that have come by then, the result of the window that ends with them): as soon as a window is full, and
        after every hop.

    Raises:
        UserError: the network takes no stream, or none of so many channels.
    """
    taken = network.input
    if not taken.hop:
        raise UserError("this network takes no stream: its input has no hop")
    steps = recording.reshape(len(recording), -1)
    if steps.shape[1] != taken.step_values:
        raise UserError(f"a stream of {steps.shape[1]:,} channels; this network takes {taken.step_values:,}")
    for end in range(taken.shape[0], len(steps) + 1, taken.hop):
        yield end, run(network, steps[end - taken.shape[0] : end].reshape(1, -1))


def check_images(network: Network, images: NDArray[Any]) -> None:
    """Refuse images that the network cannot take.

    Raises:
        UserError: the wrong number of pixels, or a pixel brighter than the network's intensity_max.
    """
    if images.ndim != 2 or images.shape[1] != network.sample_values:
        pixels = images.shape[1] if images.ndim == 2 else images.shape
        raise UserError(f"the images have {pixels} pixels each, but the network takes {network.sample_values}")
    network.input.check(images)
