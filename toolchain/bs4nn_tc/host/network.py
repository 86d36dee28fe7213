"""A network in the host library: evaluated, run and learned from."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import in_threads, pointer
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.host import structures
from bs4nn_tc.host.library import check_memory, library
from bs4nn_tc.host.structures import MAX_LAYERS, Dropout, PaperStep, a_layer_each
from bs4nn_tc.model import reference
from bs4nn_tc.model.evaluation import Figures, figures_of
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network

EVALUATION_THREADS = 2
# With fewer images to hand them over would take longer than they do.
_FOR_THREADS = 256
MAX_FAN_IN = 32_766  # potentials are 16 bits wide here, and the largest number means "has crossed"


class Surrogate(NamedTuple):
    """How the recipe "best" sees an error.

    Attributes:
        scale: of the output potentials in the softmax.
        windows: half width of the surrogate's triangle, one a hidden layer.
    """

    scale: float
    windows: Sequence[float]


@dataclass(frozen=True)
class HostAnswers(reference.Answers):
    """What `HostNetwork.evaluate` returns.

    Attributes:
        lenient: (N,) uint8, 1 where the label is among the first to fire; on a silent image, where it answers.
        fired: (hidden neurons,) int64, on how many images each hidden neuron fired before the decision.
    """

    lenient: NDArray[np.uint8]
    fired: NDArray[np.int64]

    def figures(self, labels: NDArray[np.int32], time_steps: int) -> Figures:
        """The figures of SPEC.md, by (N,) labels."""
        return figures_of(self, self.lenient, labels, time_steps)


def answers_of(
    function: Callable[..., int],
    network: ctypes.Structure,
    hidden_neurons: int,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
) -> HostAnswers:
    """What `host_evaluate`, or another function of the host library like it, answers, in two threads."""
    answer, response_time, spikes = (np.zeros(len(images), np.int32) for _ in range(3))
    lenient = np.zeros(len(images), np.uint8)
    fired: list[NDArray[np.int64]] = []

    def work(part: slice) -> int:
        counts = np.zeros(max(1, hidden_neurons), np.int64)
        fired.append(counts)
        own = structures.Images(images[part], labels[part])
        arrays = (pointer(array[part]) for array in (answer, response_time, lenient, spikes))
        answers = structures.Answers(*arrays, pointer(counts))
        return function(ctypes.byref(network), ctypes.byref(own), ctypes.byref(answers))

    check_memory(in_threads(work, len(images), EVALUATION_THREADS if len(images) >= _FOR_THREADS else 1))
    return HostAnswers(answer, response_time, spikes, lenient, np.sum(fired, axis=0))


@dataclass(frozen=True)
class HostForward:
    """What `HostNetwork.forward` returns.

    Attributes:
        answer: (N,) int32, the class.
        response_time: (N,) int32, T on a silent image.
        firing_times: one (N, neurons) uint16 array a layer, T = not fired when the run stopped.
        potentials: (N, outputs) int32, of the output neurons when the run stopped.
    """

    answer: NDArray[np.int32]
    response_time: NDArray[np.int32]
    firing_times: tuple[NDArray[np.uint16], ...]
    potentials: NDArray[np.int32]


class HostNetwork:
    """A network whose signs and thresholds may change, as the C code sees it.

    Attributes:
        signs: one (inputs, neurons) int8 array a layer; shared with the C code, change them in place.
        thresholds: one (neurons,) int32 array a layer; likewise.
        time_steps: T.
        delay: d.
    """

    def __init__(
        self,
        signs: Sequence[NDArray[np.int8]],
        thresholds: Sequence[NDArray[np.int32]],
        *,
        time_steps: int,
        input: Input,
        delay: int = 0,
        readout_step: int | None = None,
    ) -> None:
        """Keep the arrays (no copies).

        Args:
            signs, thresholds, time_steps, delay: see above.
            input: images to be answered are its samples.
            readout_step: r; T - 1 if not given.

        Raises:
            UserError: more layers or inputs than the C code takes.
        """
        if len(signs) > MAX_LAYERS or max(layer.shape[0] for layer in signs) > MAX_FAN_IN:
            raise UserError(f"the trainer takes at most {MAX_LAYERS} layers of at most {MAX_FAN_IN:,} inputs each")
        self.signs = list(signs)
        self.thresholds = list(thresholds)
        self.time_steps = time_steps
        self.delay = delay
        self._input = input
        self._steps = input.table(time_steps).astype(np.uint16)
        self._struct = structures.BinaryNetwork(
            len(signs),
            time_steps,
            delay,
            time_steps - 1 if readout_step is None else readout_step,
            self._steps.ctypes.data,
        )
        for number, (layer, values) in enumerate(zip(self.signs, self.thresholds, strict=True)):
            assert layer.dtype == np.int8
            assert values.dtype == np.int32
            assert layer.flags.c_contiguous
            self._struct.layers[number] = structures.Layer(*layer.shape, layer.ctypes.data, values.ctypes.data)

    @property
    def hidden_neurons(self) -> int:
        """Neurons of all hidden layers together."""
        return sum(layer.shape[1] for layer in self.signs[:-1])

    def evaluate(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> HostAnswers:
        """Classify (N, values) samples; labels (N,) are for the tie-lenient count."""
        pixels = np.ascontiguousarray(self._input.prepare(images))
        return answers_of(library().host_evaluate, self._struct, self.hidden_neurons, pixels, labels)

    def times(self, images: NDArray[np.uint8], threads: int | None = None) -> reference.Result:
        """Every firing time of (N, values) samples, run to the last step, on all processors or so many `threads`."""
        images = np.ascontiguousarray(self._input.prepare(images))
        count = len(images)
        neurons = [layer.shape[1] for layer in self.signs]
        times = np.empty((count, sum(neurons)), np.uint16)
        readout = np.empty((count, neurons[-1]), np.int32)
        answer, response_time, spikes = (np.empty(count, np.int32) for _ in range(3))

        def work(part: slice) -> int:
            own = structures.Images(images[part])
            arrays = (pointer(array[part]) for array in (answer, response_time, spikes, times, readout))
            result = structures.Result(*arrays)
            status: int = library().host_times(ctypes.byref(self._struct), ctypes.byref(own), ctypes.byref(result))
            return status

        check_memory(in_threads(work, count, threads))
        by_layer = tuple(np.split(times, np.cumsum(neurons)[:-1], axis=1))
        return reference.Result(answer, response_time, spikes, by_layer, readout)

    def forward(
        self, images: NDArray[np.uint8], margin: int = 0, awaited: NDArray[np.int32] | None = None
    ) -> HostForward:
        """Run images as the recipes "best" and "paper" do while they learn.

        Args:
            images: (N, values) uint8, samples.
            margin: a run stops so many steps after the first output spike, ...
            awaited: (N,) int32, and not before this output neuron has fired; None: nobody is waited for.
        """
        count = len(images)
        neurons = [layer.shape[1] for layer in self.signs]
        times = np.empty((count, sum(neurons)), np.uint16)
        potentials = np.empty((count, neurons[-1]), np.int32)
        answer, response_time = (np.empty(count, np.int32) for _ in range(2))
        given = structures.Images(np.ascontiguousarray(self._input.prepare(images)), awaited)
        stopped = structures.Stopped(*(pointer(array) for array in (answer, response_time, times, potentials)))
        status = library().host_forward(
            ctypes.byref(self._struct), ctypes.byref(given), ctypes.c_int32(margin), ctypes.byref(stopped)
        )
        check_memory(status)
        by_layer = tuple(np.split(times, np.cumsum(neurons)[:-1], axis=1))
        return HostForward(answer, response_time, by_layer, potentials)

    def surrogate_gradients(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        surrogate: Surrogate,
        *,
        gradients: Sequence[NDArray[np.float32]],
        threshold_gradients: Sequence[NDArray[np.float32]],
        dropout: Dropout,
    ) -> float:
        """Add the summed gradients of (N, inputs) images to the arrays given; returns the summed loss.

        Args:
            images: (N, inputs) uint8, pixels: whoever learns has prepared them once.
            labels: (N,) int32.
            surrogate: scale and windows.
            gradients: (inputs, neurons) float32 a layer, of the signs.
            threshold_gradients: (neurons,) float32 a hidden layer.
            dropout: of these images.
        """
        given = structures.Images(images, labels)
        struct = structures.SurrogateStruct(
            surrogate.scale,
            (ctypes.c_float * MAX_LAYERS)(*surrogate.windows),
            a_layer_each(gradients),
            a_layer_each(threshold_gradients),
        )
        status = library().host_surrogate_gradients(
            ctypes.byref(self._struct), ctypes.byref(given), ctypes.byref(dropout), ctypes.byref(struct)
        )
        check_memory(status)
        return float(struct.loss)

    def paper_learn(
        self,
        proxies: Sequence[NDArray[np.float32]],
        alphas: NDArray[np.float64],
        step: PaperStep,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        dropout: Dropout,
    ) -> tuple[int, int]:
        """Learn from (N, inputs) pixels one by one; returns (answered right with ties forgiven, sign flips)."""
        given = structures.Images(images, labels)
        weights = structures.PaperWeights(
            a_layer_each(proxies), a_layer_each(self.signs), a_layer_each(self.thresholds), pointer(alphas)
        )
        right = library().host_paper_learn(
            ctypes.byref(self._struct),
            ctypes.byref(weights),
            ctypes.byref(step),
            ctypes.byref(given),
            ctypes.byref(dropout),
        )
        check_memory(right)
        return int(right), weights.flips


def host_network(network: Network) -> HostNetwork:
    """A deployable network as the host library runs it.

    Raises:
        UserError: layers of a kind that it does not know, or beyond its limits.
    """
    layers = network.dense_layers("the host library")
    return HostNetwork(
        [np.ascontiguousarray(layer.signs.T) for layer in layers],
        [np.array(layer.thresholds) for layer in layers],
        time_steps=network.time_steps,
        input=network.input,
        delay=network.delay,
        readout_step=network.readout_step,
    )
