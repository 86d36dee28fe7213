"""S4NN in the host library: evaluated and learned from."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import pointer
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.host import structures
from bs4nn_tc.host.library import check_memory, library
from bs4nn_tc.host.network import HostAnswers, answers_of
from bs4nn_tc.host.structures import MAX_LAYERS, Dropout, RealRules
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.real_network import RealNetwork


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
        self._struct = structures.RealNetworkStruct(len(network.weights), network.time_steps, self._steps.ctypes.data)
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
        rules: RealRules,
        dropout: Dropout,
        fired: NDArray[np.int64],
    ) -> int:
        """Learn from images one by one; counts in `fired`; returns how many were right with ties forgiven."""
        given = structures.Images(images, labels)
        right = library().host_s4nn_learn(
            ctypes.byref(self._struct),
            ctypes.byref(rules),
            ctypes.byref(given),
            ctypes.byref(dropout),
            pointer(fired),
        )
        check_memory(right)
        return int(right)
