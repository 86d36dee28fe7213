"""The fully connected layer: every neuron has a synapse of one bit to every input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers.layer import (
    ArrayRule,
    Layer,
    LayerRun,
    Outline,
    arriving,
    frozen_thresholds,
    integrate_and_fire,
)
from bs4nn_tc.model.limits import check_sizes

# Synapses that are looked at together, so that no copy of a large layer is made.
_BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """One fully connected layer of integrate-and-fire neurons.

    Attributes:
        signs: (out, in) int8, every entry -1 or +1.
        thresholds: (out,) int32, 1 .. 65,535: a neuron fires when its potential reaches it.
    """

    kind: ClassVar[str] = "dense"
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
        frozen_signs = np.array(given_signs, dtype=np.int8, order="C")
        frozen_signs.setflags(write=False)
        object.__setattr__(self, "signs", frozen_signs)
        object.__setattr__(self, "thresholds", frozen_thresholds(thresholds, given_signs.shape[0]))

    @classmethod
    def outline_of(cls, sizes: object) -> Outline:
        """See `Layer`: the sizes are (inputs, neurons)."""
        if not isinstance(sizes, list | tuple) or len(sizes) != 2:
            raise UserError("the sizes of a dense layer are not [inputs, neurons]")
        check_sizes(sizes)
        inputs, neurons = (int(size) for size in sizes)
        arrays = {
            "signs": ArrayRule(np.uint8, ((neurons, (inputs + 7) // 8),)),
            "thresholds": ArrayRule(np.uint16, ((1,), (neurons,))),
        }
        return Outline((inputs,), (neurons,), inputs * neurons, arrays)

    @classmethod
    def from_arrays(cls, sizes: object, arrays: Mapping[str, NDArray[Any]]) -> Dense:
        """See `Layer`."""
        thresholds = arrays["thresholds"]
        signs = _unpacked(arrays["signs"], cls.outline_of(sizes).inputs)
        return cls(signs, thresholds[0] if thresholds.shape == (1,) else thresholds)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Layer`: `thresholds` is (1,) where all neurons share one."""
        shared = self.shared_threshold
        thresholds = self.thresholds if shared is None else np.array([shared])
        return {"signs": self.packed_signs(), "thresholds": thresholds.astype("<u2")}

    def content(self) -> Iterator[bytes]:
        """See `Layer`: the packed signs, then one little-endian uint16 threshold a neuron."""
        yield self.packed_signs().tobytes()
        yield self.thresholds.astype("<u2").tobytes()

    @property
    def sizes(self) -> tuple[int, ...]:
        """(inputs, neurons)."""
        return (int(self.signs.shape[1]), int(self.signs.shape[0]))

    def run(self, arrival_times: NDArray[np.int32], time_steps: int, delay: int) -> LayerRun:
        """See `Layer`: V_j(t) = sum over i with t_i <= t of B_ji."""
        steps, spikes, first_spikes = arriving(arrival_times, time_steps)
        sums = np.zeros((len(steps), self.neurons), np.int32)
        done = 0
        # One row a step with the sum of the signs that arrive there. No matrix product: the threads of a BLAS library
        # wait for each other, for ever so long where other programs keep the processor busy.
        for block in _row_blocks(self.signs) if steps.size else ():
            part = slice(done, done + len(block))
            np.add.reduceat(block.T[spikes], first_spikes, axis=0, dtype=np.int32, out=sums[:, part])
            done += len(block)
        return integrate_and_fire(steps, sums, self.thresholds, time_steps, delay)

    def with_thresholds(self, thresholds: ArrayLike) -> Dense:
        """See `Layer`."""
        return Dense(self.signs, thresholds)

    def with_neurons_at(self, places: NDArray[np.int32]) -> Dense:
        """See `Layer`."""
        return Dense(self.signs[places], self.thresholds[places])

    def with_inputs_at(self, places: NDArray[np.int32]) -> Dense:
        """See `Layer`."""
        return Dense(np.take(self.signs, places, axis=1), self.thresholds)

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


def _unpacked(packed: NDArray[Any], inputs: int) -> NDArray[np.int8]:
    """(out, ceil(in / 8)) bits to (out, in) signs; the only array of that size is the result."""
    if inputs % 8 and (packed[:, -1] >> (inputs % 8)).any():
        raise UserError("it has bits beyond its last input")
    signs = np.unpackbits(packed, axis=1, count=inputs, bitorder="little").view(np.int8)
    signs *= 2
    signs -= 1
    return signs
