"""The deployable network of SPEC.md: frozen, whole numbers only.

Everything else in the package either makes a `Network` (training, importers), stores it
(network_file), runs it (reference, targets) or turns it into C (codegen). This module depends on
NumPy alone.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_HEADER, MAX_LAYERS, MAX_THRESHOLD, MAX_TIME_STEPS, check_sizes, whole_number

# Synapses that are looked at together, so that no copy of a large layer is made to check it.
_BLOCK = 2**20


def check_description(description: object) -> None:
    """Refuse facts that are none of JSON, and so could not be read again from a file.

    Raises:
        UserError: no dict, or values that JSON has not.
    """
    what = "the network's description"
    if not isinstance(description, dict):
        raise UserError(f"{what} is no set of named facts")
    plain_json.check(description, what)


def header_text(header: dict[str, Any], **options: Any) -> bytes:
    """What a file says of its network, as JSON with sorted names; `options` are those of `json.dumps`.

    Raises:
        UserError: it is longer than any reader takes, or a number in it is.
    """
    try:
        text = json.dumps(header, sort_keys=True, **options).encode()
    except ValueError as error:  # a whole number of more than 4,300 digits
        raise UserError(f"the network's description cannot be written as JSON ({error})") from error
    if len(text) > MAX_HEADER:
        raise UserError(f"the network's description takes {len(text):,} bytes; at most {MAX_HEADER:,} are written")
    return text


@dataclass(frozen=True, eq=False)
class Layer:
    """One fully connected layer of integrate-and-fire neurons.

    Attributes:
        signs: (out, in) int8, every entry -1 or +1.
        thresholds: (out,) int32, 1 .. 65,535: a neuron fires when its potential reaches it.
    """

    signs: NDArray[np.int8]
    thresholds: NDArray[np.int32]

    def __init__(self, signs: ArrayLike, thresholds: ArrayLike) -> None:
        """Check and freeze. `thresholds` is one value for all neurons or one a neuron.

        Raises:
            UserError: a shape, sign or threshold outside the contract.
        """
        given_signs = np.asarray(signs)
        if given_signs.ndim != 2 or 0 in given_signs.shape:
            raise UserError(f"signs have shape {given_signs.shape}; a layer needs (out, in), both at least 1")
        check_sizes(given_signs.shape[::-1])
        if given_signs.dtype.kind not in "iuf" or not all(
            ((block == 1) | (block == -1)).all() for block in _row_blocks(given_signs)
        ):
            raise UserError("signs must all be -1 or +1")
        given_thresholds = np.asarray(thresholds)
        if given_thresholds.dtype.kind not in "iuf" or not np.all(given_thresholds == np.floor(given_thresholds)):
            raise UserError(f"thresholds must be whole numbers, 1 to {MAX_THRESHOLD:,}")
        if given_thresholds.shape not in ((), (given_signs.shape[0],)):
            raise UserError(
                f"thresholds have shape {given_thresholds.shape}; one value or {given_signs.shape[0]} are needed"
            )
        if given_thresholds.min() < 1 or given_thresholds.max() > MAX_THRESHOLD:
            raise UserError(
                f"thresholds run from {given_thresholds.min()} to {given_thresholds.max()}; "
                f"1 to {MAX_THRESHOLD:,} is allowed"
            )
        frozen_signs = np.array(given_signs, dtype=np.int8, order="C")
        frozen_thresholds = np.array(
            np.broadcast_to(given_thresholds, (given_signs.shape[0],)), dtype=np.int32, order="C"
        )
        frozen_signs.setflags(write=False)
        frozen_thresholds.setflags(write=False)
        object.__setattr__(self, "signs", frozen_signs)
        object.__setattr__(self, "thresholds", frozen_thresholds)

    @property
    def inputs(self) -> int:
        """Number of inputs, the fan-in of every neuron."""
        return int(self.signs.shape[1])

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.signs.shape[0])

    @property
    def shared_threshold(self) -> int | None:
        """The one threshold of all neurons, or None where they differ."""
        first = int(self.thresholds[0])
        return first if np.all(self.thresholds == first) else None

    def packed_signs(self) -> NDArray[np.uint8]:
        """(out, ceil(in / 8)) uint8, one bit a synapse, 1 = +1, least significant bit first."""
        packed = np.empty((self.neurons, -(-self.inputs // 8)), np.uint8)
        done = 0
        for block in _row_blocks(self.signs):
            packed[done : done + len(block)] = np.packbits(block > 0, axis=1, bitorder="little")
            done += len(block)
        return packed


def _row_blocks(signs: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of a matrix, as many at a time as have about a million entries."""
    rows = max(1, _BLOCK // signs.shape[1])
    for first in range(0, len(signs), rows):
        yield signs[first : first + rows]


@dataclass(frozen=True, eq=False)
class Network:
    """A binarized spiking network as SPEC.md defines it.

    Attributes:
        layers: from the input side to the output side; fan-in of each = neurons of the one before.
        time_steps: T, 1 .. 65,535; steps are 0 .. T-1 and T means "never".
        delay: d, 0 (the paper) or 1 (the authors' program): crossing at step t fires at t + d.
        readout_step: r, 0 .. T-1: its output potentials decide when nobody fires; T-1 by default.
        input: the sample that it takes, and how that becomes spikes.
        description: plain facts about where the network comes from (data set, recipe, accuracy ...);
            JSON values only, no part of the network's meaning or digest.
        order: where the neurons of the hidden layers lie on a device: () for the order of `layers`, else one
            (neurons,) int32 array a hidden layer, order[l][place] = neuron. It changes no answer, only how
            fast it comes; everything that is reported keeps the order of `layers`.
    """

    layers: tuple[Layer, ...]
    time_steps: int
    delay: int = 0
    readout_step: int = -1
    input: Input = field(default_factory=Input)
    description: dict[str, Any] = field(default_factory=dict)
    order: tuple[NDArray[np.int32], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise UserError(f"{len(self.layers)} layers; 1 to {MAX_LAYERS} are allowed")
        for number, (below, above) in enumerate(itertools.pairwise(self.layers), start=2):
            if above.inputs != below.neurons:
                raise UserError(
                    f"layer {number} takes {above.inputs} inputs, but layer {number - 1} has {below.neurons} neurons"
                )
        check_sizes(self.sizes)
        steps = whole_number("time_steps", self.time_steps, 1, MAX_TIME_STEPS)
        readout = steps - 1 if self.readout_step == -1 else self.readout_step
        for name, value, lowest, highest in (
            ("time_steps", steps, 1, MAX_TIME_STEPS),
            ("delay", self.delay, 0, 1),
            ("readout_step", readout, 0, steps - 1),
        ):
            object.__setattr__(self, name, whole_number(name, value, lowest, highest))
        self._check_input()
        check_description(self.description)
        self._check_order()

    def _check_input(self) -> None:
        if not isinstance(self.input, Input):
            raise UserError(f"the input of a network is of type {type(self.input).__name__}; an Input is needed")
        shape = self.input.shape
        if shape and math.prod(shape) != self.inputs:
            sides = " x ".join(map(str, shape))
            raise UserError(f"an input of {sides} is {math.prod(shape):,} values; layer 1 takes {self.inputs:,}")

    def _check_order(self) -> None:
        if any(np.asarray(places).dtype.kind not in "iu" for places in self.order):
            raise UserError("an order is not one of whole numbers")
        object.__setattr__(self, "order", tuple(np.array(places, dtype=np.int32) for places in self.order))
        if self.order and len(self.order) != len(self.layers) - 1:
            raise UserError(f"an order for {len(self.order)} hidden layers; {len(self.layers) - 1} are needed")
        for number, (places, layer) in enumerate(zip(self.order, self.layers, strict=False), start=1):
            if not np.array_equal(np.sort(places), np.arange(layer.neurons)):
                raise UserError(f"the order of layer {number} does not name each of its {layer.neurons} neurons once")
            places.setflags(write=False)

    @property
    def inputs(self) -> int:
        """Number of pixels of an image."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.layers[-1].neurons

    @property
    def sizes(self) -> tuple[int, ...]:
        """(inputs, neurons of layer 1, ..., neurons of layer L)."""
        return (self.inputs, *(layer.neurons for layer in self.layers))

    @property
    def shape_text(self) -> str:
        """The sizes as people write them, for instance '784-600-10'."""
        return "-".join(map(str, self.sizes))

    @property
    def synapses(self) -> int:
        """Number of synapses, one bit each."""
        return sum(layer.inputs * layer.neurons for layer in self.layers)

    def placed(self) -> Network:
        """The same network with its hidden neurons moved to their places on a device, without its description."""
        layers = list(self.layers)
        for number, places in enumerate(self.order):
            here, above = layers[number], layers[number + 1]
            layers[number] = Layer(here.signs[places], here.thresholds[places])
            layers[number + 1] = Layer(np.take(above.signs, places, axis=1), above.thresholds)
        return replace(self, layers=tuple(layers), order=(), description={})

    def from_places(self, values: NDArray[Any]) -> NDArray[Any]:
        """(neurons of all layers,) values in the order of a device to the order of `layers`."""
        ordered = np.array(values)
        first = 0
        for places in self.order:
            ordered[first + places] = values[first : first + places.size]
            first += places.size
        return ordered

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of everything that gives the network its meaning and order, see SPEC.md."""
        numbers = {
            "delay": self.delay,
            "intensity_max": self.input.intensity_max,
            "readout_step": self.readout_step,
            "sizes": list(self.sizes),
            "time_steps": self.time_steps,
        }
        digest = hashlib.sha256(json.dumps(numbers, sort_keys=True, separators=(",", ":")).encode())
        for layer in self.layers:
            digest.update(layer.packed_signs().tobytes())
            digest.update(layer.thresholds.astype("<u2").tobytes())
        for places in self.order:
            digest.update(places.astype("<u2").tobytes())
        return digest.hexdigest()
