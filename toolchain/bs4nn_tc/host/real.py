"""S4NN on arrays: evaluate and learn. host.h mirrors the structure."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import pointer, pointers
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.host.library import check_memory, library
from bs4nn_tc.host.network import MAX_LAYERS, Dropout, HostAnswers, answers_of
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.real_network import RealNetwork


class _Network(ctypes.Structure):
    _fields_ = (
        ("layer_count", ctypes.c_int32),
        ("time_steps", ctypes.c_int32),
        ("step_of_intensity", ctypes.c_void_p),
        ("sizes", ctypes.c_int32 * (MAX_LAYERS + 1)),
        ("thresholds", ctypes.c_float * MAX_LAYERS),
        ("weights", ctypes.c_void_p * MAX_LAYERS),
    )


class RealRules(ctypes.Structure):
    """`host_s4nn_rules_t` of host.h: how the recipe "s4nn" learns from one image."""

    _fields_ = (
        ("rate", ctypes.c_float),
        ("gamma", ctypes.c_int32),
        ("window", ctypes.c_float),
        ("balanced", ctypes.c_int32),
        ("limits", ctypes.c_float * MAX_LAYERS),
    )


class RealHost:
    """An S4NN network whose weights may change in place, as the C code sees it.

    Attributes:
        network: its weights are shared with the C code.
        time_steps: T.
    """

    def __init__(self, network: RealNetwork) -> None:
        """Keep the arrays (no copies).

        Raises:
            UserError: more layers than the C code takes.
        """
        if len(network.weights) > MAX_LAYERS:
            raise UserError(f"the trainer takes at most {MAX_LAYERS} layers")
        self.network = network
        self.time_steps = network.time_steps
        self._steps = Input(intensity_max=network.intensity_max).table(network.time_steps).astype(np.uint16)
        self._struct = _Network(len(network.weights), network.time_steps, self._steps.ctypes.data)
        self._struct.sizes[0] = len(network.weights[0])
        for number, layer in enumerate(network.weights):
            assert layer.dtype == np.float32
            assert layer.flags.c_contiguous
            self._struct.sizes[number + 1] = layer.shape[1]
            self._struct.thresholds[number] = float(network.thresholds[number])
            self._struct.weights[number] = layer.ctypes.data
        self.hidden_neurons = sum(layer.shape[1] for layer in network.weights[:-1])

    def evaluate(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> HostAnswers:
        """Classify (N, inputs) images; labels (N,) are for the tie-lenient count."""
        return answers_of(library().host_s4nn_evaluate, self._struct, self.hidden_neurons, images, labels)

    def learn(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        order: NDArray[np.int64],
        rules: RealRules,
        dropout: Dropout,
        fired: NDArray[np.int64],
    ) -> int:
        """Learn from images[order] one by one; counts in `fired`; returns how many were right with ties forgiven."""
        right = library().host_s4nn_learn(
            ctypes.byref(self._struct),
            pointers(self.network.weights),
            ctypes.byref(rules),
            pointer(images),
            pointer(labels),
            pointer(order),
            ctypes.c_int64(len(order)),
            ctypes.byref(dropout),
            pointer(fired),
        )
        check_memory(right)
        return int(right)
