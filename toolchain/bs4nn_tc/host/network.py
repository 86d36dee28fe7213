"""The host library's functions on arrays: evaluate, gradients, updates. host.h mirrors the structures."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import in_threads, pointer, pointers
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.host.library import check_memory, library
from bs4nn_tc.model import reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network

MAX_LAYERS = 16
EVALUATION_THREADS = 2
MAX_FAN_IN = 32_766  # potentials are 16 bits wide here, and the largest number means "has crossed"


class _Layer(ctypes.Structure):
    _fields_ = (
        ("inputs", ctypes.c_int32),
        ("neurons", ctypes.c_int32),
        ("signs", ctypes.c_void_p),
        ("thresholds", ctypes.c_void_p),
    )


class _Network(ctypes.Structure):
    _fields_ = (
        ("layer_count", ctypes.c_int32),
        ("time_steps", ctypes.c_int32),
        ("delay", ctypes.c_int32),
        ("readout_step", ctypes.c_int32),
        ("step_of_intensity", ctypes.c_void_p),
        ("layers", _Layer * MAX_LAYERS),
    )


class PaperStep(ctypes.Structure):
    """`host_paper_t` of host.h: how the recipe "paper" learns from one image."""

    _fields_ = (
        ("threshold", ctypes.c_float),
        ("rate", ctypes.c_float),
        ("alpha_rate", ctypes.c_float),
        ("decay", ctypes.c_float),
        ("gamma", ctypes.c_int32),
        ("early_target", ctypes.c_int32),
        ("strict", ctypes.c_int32),
        ("black_fires", ctypes.c_int32),
        ("silent_target", ctypes.c_int32),
        ("window", ctypes.c_float),
        ("balanced", ctypes.c_int32),
    )


class Dropout(ctypes.Structure):
    """`host_dropout_t` of host.h: hidden neurons that stay silent while images are learned from."""

    _fields_ = (("silent", ctypes.c_void_p), ("kept", ctypes.c_float))

    def __init__(self, silent: NDArray[np.uint8] | None = None, share: float = 0.0) -> None:
        """Keep the array (no copy).

        Args:
            silent: (N, hidden neurons of all layers) uint8, 1 where one stays silent; None if nobody does.
            share: of the hidden neurons that do.
        """
        super().__init__(None if silent is None else silent.ctypes.data, 1 - share)
        self._array = silent

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int, hidden_neurons: int, share: float) -> Dropout:
        """Draw, for each of `count` images, who stays silent; takes nothing from `rng` if share is 0."""
        if share == 0:
            return cls()
        return cls((rng.random((count, hidden_neurons)) < share).astype(np.uint8), share)


@dataclass(frozen=True)
class HostAnswers:
    """What `HostNetwork.evaluate` returns.

    Attributes:
        answer: (N,) int32, the class.
        response_time: (N,) int32, T on a silent image.
        lenient: (N,) uint8, 1 where the label is among the first to fire.
        spikes: (N,) int32, input and hidden spikes to decision.
        fired: (hidden neurons,) int64, on how many images each hidden neuron fired before the decision.
    """

    answer: NDArray[np.int32]
    response_time: NDArray[np.int32]
    lenient: NDArray[np.uint8]
    spikes: NDArray[np.int32]
    fired: NDArray[np.int64]


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
        return function(
            ctypes.byref(network),
            pointer(images[part]),
            pointer(labels[part]),
            ctypes.c_int32(len(labels[part])),
            *(pointer(array[part]) for array in (answer, response_time, lenient, spikes)),
            pointer(counts),
        )

    check_memory(in_threads(work, len(images), EVALUATION_THREADS))
    return HostAnswers(answer, response_time, lenient, spikes, np.sum(fired, axis=0))


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

        Raises:
            UserError: more layers or inputs than the C code takes.
        """
        if len(signs) > MAX_LAYERS or max(layer.shape[0] for layer in signs) > MAX_FAN_IN:
            raise UserError(f"the trainer takes at most {MAX_LAYERS} layers of at most {MAX_FAN_IN:,} inputs each")
        self.signs = list(signs)
        self.thresholds = list(thresholds)
        self.time_steps = time_steps
        self.delay = delay
        self._steps = input.table(time_steps).astype(np.uint16)
        self._struct = _Network(
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
            self._struct.layers[number] = _Layer(*layer.shape, layer.ctypes.data, values.ctypes.data)

    @property
    def hidden_neurons(self) -> int:
        """Neurons of all hidden layers together."""
        return sum(layer.shape[1] for layer in self.signs[:-1])

    def evaluate(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> HostAnswers:
        """Classify (N, inputs) images; labels (N,) are for the tie-lenient count."""
        return answers_of(library().host_evaluate, self._struct, self.hidden_neurons, images, labels)

    def times(self, images: NDArray[np.uint8], threads: int | None = None) -> reference.Result:
        """Every firing time of (N, inputs) images, run to the last step, on all processors or so many `threads`."""
        images = np.ascontiguousarray(images)
        count = len(images)
        neurons = [layer.shape[1] for layer in self.signs]
        times = np.empty((count, sum(neurons)), np.uint16)
        readout = np.empty((count, neurons[-1]), np.int32)
        answer, response_time, spikes = (np.empty(count, np.int32) for _ in range(3))

        def work(part: slice) -> int:
            status: int = library().host_times(
                ctypes.byref(self._struct),
                pointer(images[part]),
                ctypes.c_int32(len(images[part])),
                *(pointer(array[part]) for array in (times, readout, answer, response_time, spikes)),
            )
            return status

        check_memory(in_threads(work, count, threads))
        by_layer = tuple(np.split(times, np.cumsum(neurons)[:-1], axis=1))
        return reference.Result(answer, response_time, spikes, by_layer, readout)

    def forward(
        self, images: NDArray[np.uint8], margin: int = 0, awaited: NDArray[np.int32] | None = None
    ) -> HostForward:
        """Run images as the recipes "best" and "paper" do while they learn.

        Args:
            images: (N, inputs) uint8.
            margin: a run stops so many steps after the first output spike, ...
            awaited: (N,) int32, and not before this output neuron has fired; None: nobody is waited for.
        """
        count = len(images)
        neurons = [layer.shape[1] for layer in self.signs]
        times = np.empty((count, sum(neurons)), np.uint16)
        potentials = np.empty((count, neurons[-1]), np.int32)
        answer, response_time = (np.empty(count, np.int32) for _ in range(2))
        status = library().host_forward(
            ctypes.byref(self._struct),
            pointer(np.ascontiguousarray(images)),
            ctypes.c_int32(count),
            ctypes.c_int32(margin),
            None if awaited is None else pointer(awaited),
            *(pointer(array) for array in (times, potentials, answer, response_time)),
        )
        check_memory(status)
        by_layer = tuple(np.split(times, np.cumsum(neurons)[:-1], axis=1))
        return HostForward(answer, response_time, by_layer, potentials)

    def surrogate_gradients(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        *,
        scale: float,
        windows: Sequence[float],
        gradients: Sequence[NDArray[np.float32]],
        threshold_gradients: Sequence[NDArray[np.float32]],
        dropout: Dropout,
    ) -> float:
        """Add the summed gradients of (N, inputs) images to the arrays given; returns the summed loss.

        Args:
            images: (N, inputs) uint8.
            labels: (N,) int32.
            scale: of the output potentials in the softmax.
            windows: half width of the surrogate's triangle, one a hidden layer.
            gradients: (inputs, neurons) float32 a layer, of the signs.
            threshold_gradients: (neurons,) float32 a hidden layer.
            dropout: of these images.
        """
        loss = ctypes.c_double(0)
        status = library().host_surrogate_gradients(
            ctypes.byref(self._struct),
            pointer(images),
            pointer(labels),
            ctypes.c_int32(len(images)),
            ctypes.byref(dropout),
            ctypes.c_float(scale),
            (ctypes.c_float * len(windows))(*windows),
            pointers(gradients),
            pointers(threshold_gradients),
            ctypes.byref(loss),
        )
        check_memory(status)
        return loss.value

    def paper_learn(
        self,
        proxies: Sequence[NDArray[np.float32]],
        alphas: NDArray[np.float64],
        step: PaperStep,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        order: NDArray[np.int64],
        dropout: Dropout,
    ) -> tuple[int, int]:
        """Learn from images[order] one by one; returns (answered right with ties forgiven, sign flips)."""
        flips = ctypes.c_int64(0)
        right = library().host_paper_learn(
            ctypes.byref(self._struct),
            pointers(proxies),
            pointers(self.signs),
            pointers(self.thresholds),
            pointer(alphas),
            ctypes.byref(step),
            pointer(images),
            pointer(labels),
            pointer(order),
            ctypes.c_int64(len(order)),
            ctypes.byref(dropout),
            ctypes.byref(flips),
        )
        check_memory(right)
        return int(right), flips.value


def host_network(network: Network) -> HostNetwork:
    """A deployable network as the host library runs it."""
    return HostNetwork(
        [np.ascontiguousarray(layer.signs.T) for layer in network.layers],
        [np.array(layer.thresholds) for layer in network.layers],
        time_steps=network.time_steps,
        input=network.input,
        delay=network.delay,
        readout_step=network.readout_step,
    )


@dataclass(frozen=True)
class AdamStep:
    """One step of Adam: means decay by 0.9 and 0.999, both corrected for their start at zero.

    Attributes:
        gradient_scale: factor on the summed gradients, 1 / batch.
        rate: learning rate of this step.
        number: of this step, from 1.
    """

    gradient_scale: float
    rate: float
    number: int

    def apply(
        self,
        proxies: NDArray[np.float32],
        mean: NDArray[np.float32],
        square: NDArray[np.float32],
        signs: NDArray[np.int8],
        gradients: Sequence[NDArray[np.float32]],
    ) -> int:
        """Move flat `proxies`, clip them to -1 .. 1, and clear `gradients`; returns the sign flips."""
        flips: int = library().host_adam(
            pointer(proxies),
            pointer(mean),
            pointer(square),
            pointer(signs),
            pointers(gradients),
            ctypes.c_int32(len(gradients)),
            ctypes.c_int64(proxies.size),
            ctypes.c_float(self.gradient_scale),
            ctypes.c_float(self.rate),
            ctypes.c_float(1 / (1 - 0.9**self.number)),
            ctypes.c_float(1 / (1 - 0.999**self.number)),
        )
        return flips


# Control points of a displacement field in each direction, as in host.h.
WARP_POINTS = 5


def warp(
    images: NDArray[np.uint8], shape: tuple[int, int], maps: NDArray[np.float32], fields: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Warp (N, pixels) images: the pixel at (x, y) comes from A (x, y) + b + field(x, y), bilinear.

    Args:
        images: (N, rows x columns) uint8.
        shape: rows and columns.
        maps: (N, 6) float32, A and b as A00 A01 b0 A10 A11 b1.
        fields: (N, 2, WARP_POINTS, WARP_POINTS) float32, displacements in pixels at points from edge to edge.
    """
    warped = np.empty_like(images)
    library().host_warp(
        pointer(images),
        ctypes.c_int32(len(images)),
        ctypes.c_int32(shape[0]),
        ctypes.c_int32(shape[1]),
        pointer(maps),
        pointer(fields),
        pointer(warped),
    )
    return warped
