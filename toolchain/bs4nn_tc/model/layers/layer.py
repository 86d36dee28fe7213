"""What any kind of layer has: all that networks, their files and the reference know of one.

A kind is a subclass in a module of its own, named in `layers.KINDS`. Its spikes are integrated as SPEC.md's rule 2 says
by the functions at the end: a kind says which sums arrive at its neurons, and nothing else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_THRESHOLD


@dataclass(frozen=True)
class ArrayRule:
    """What an array of a file has to look like before it is unpacked: its type, and one of these shapes."""

    dtype: type[np.generic]
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Outline:
    """A layer as its sizes alone tell it, before any array is read.

    Attributes:
        input_shape: of the firing times that it takes.
        output_shape: of those that it gives.
        synapses: how many bits of weights it has.
        arrays: what a file may hold for it, by name.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    synapses: int
    arrays: Mapping[str, ArrayRule]

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return math.prod(self.input_shape)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.output_shape)


@dataclass(frozen=True)
class LayerRun:
    """One layer on one image.

    Attributes:
        steps: (S,) int32, the steps at which spikes arrive, rising.
        potentials: (S, neurons) int32, the potential of every neuron after each of these steps.
        firing_times: (neurons,) int32, T = never.
        crossing_potentials: (neurons,) int32, potential at the crossing step; 0 where there is none.
    """

    steps: NDArray[np.int32]
    potentials: NDArray[np.int32]
    firing_times: NDArray[np.int32]
    crossing_potentials: NDArray[np.int32]

    def potentials_at(self, step: int) -> NDArray[np.int32]:
        """(neurons,) int32, the potentials after all spikes up to and including `step`."""
        arrived = int(np.searchsorted(self.steps, step, side="right"))
        return self.potentials[arrived - 1] if arrived else np.zeros_like(self.firing_times)


class Layer(ABC):
    """One layer of a network: frozen, whole numbers only.

    Attributes:
        kind: its name in files.
        signs: int8, -1 and +1, in a shape of the kind's own.
        thresholds: (neurons,) int32, 1 .. 65,535: a neuron fires when its potential reaches it.
    """

    kind: ClassVar[str]
    signs: NDArray[np.int8]
    thresholds: NDArray[np.int32]

    @classmethod
    @abstractmethod
    def outline_of(cls, sizes: object) -> Outline:
        """What the sizes in a file's header say of a layer.

        Args:
            sizes: anything that JSON has; nobody has looked at it.

        Raises:
            UserError: no sizes of this kind, or beyond the limits of SPEC.md.
        """

    @classmethod
    @abstractmethod
    def from_arrays(cls, sizes: object, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The layer of a file.

        Args:
            sizes: as `outline_of` takes them.
            arrays: by name, of the types and shapes that the outline allows.

        Raises:
            UserError: content outside the contract.
        """

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a file holds of it, by name; `from_arrays` reads it."""

    @abstractmethod
    def content(self) -> Iterator[bytes]:
        """All that gives it its meaning, as it goes into the network's digest."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """What a file's header says of it, for `outline_of`."""

    @abstractmethod
    def run(self, arrival_times: NDArray[np.int32], time_steps: int, delay: int) -> LayerRun:
        """Integrate and fire, for the reference.

        Args:
            arrival_times: (inputs,) int32, the step at which each input's one spike arrives, T = never.
            time_steps: T.
            delay: d; a neuron that crosses at step t has firing time t + d, and T or later is never.
        """

    @abstractmethod
    def with_thresholds(self, thresholds: ArrayLike) -> Self:
        """The same layer with other thresholds: one value, or one a neuron.

        Raises:
            UserError: thresholds outside the contract.
        """

    @abstractmethod
    def with_neurons_at(self, places: NDArray[np.int32]) -> Self:
        """The same neurons in another order: places[place] = neuron."""

    @abstractmethod
    def with_inputs_at(self, places: NDArray[np.int32]) -> Self:
        """The same layer above one whose neurons have moved: places[place] = input."""

    @cached_property
    def outline(self) -> Outline:
        """Its shapes and counts."""
        return self.outline_of(self.sizes)

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.outline.inputs

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.outline.neurons

    @property
    def shared_threshold(self) -> int | None:
        """The one threshold of all neurons, or None where they differ."""
        first = int(self.thresholds[0])
        return first if np.all(self.thresholds == first) else None


def frozen_thresholds(thresholds: ArrayLike, neurons: int) -> NDArray[np.int32]:
    """(neurons,) int32, checked and frozen; `thresholds` is one value for all neurons or one a neuron.

    Raises:
        UserError: no whole numbers, of another shape, or beyond 1 .. 65,535.
    """
    given = np.asarray(thresholds)
    if given.dtype.kind not in "iuf" or not np.all(given == np.floor(given)):
        raise UserError(f"thresholds must be whole numbers, 1 to {MAX_THRESHOLD:,}")
    if given.shape not in ((), (neurons,)):
        raise UserError(f"thresholds have shape {given.shape}; one value or {neurons} are needed")
    if given.min() < 1 or given.max() > MAX_THRESHOLD:
        raise UserError(f"thresholds run from {given.min()} to {given.max()}; 1 to {MAX_THRESHOLD:,} is allowed")
    frozen = np.array(np.broadcast_to(given, (neurons,)), dtype=np.int32, order="C")
    frozen.setflags(write=False)
    return frozen


def arriving(
    arrival_times: NDArray[np.int32], time_steps: int
) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.intp]]:
    """The spikes that arrive, in the order in which they do.

    Args:
        arrival_times: (inputs,) int32, T = never.
        time_steps: T.

    Returns:
        The S steps at which any arrive, rising; the inputs in order; and where in that order each step begins, (S,).
    """
    inputs = np.flatnonzero(arrival_times < time_steps)
    in_order = inputs[np.argsort(arrival_times[inputs], kind="stable")]
    steps, first_spikes = np.unique(arrival_times[in_order], return_index=True)
    return steps.astype(np.int32), in_order, first_spikes


def integrate_and_fire(
    steps: NDArray[np.int32], sums: NDArray[np.int32], thresholds: NDArray[np.int32], time_steps: int, delay: int
) -> LayerRun:
    """V_j(t) = all sums up to t; a neuron crosses where V_j >= threshold_j for the first time.

    Args:
        steps: (S,) the steps at which spikes arrive, rising.
        sums: (S, neurons) what each neuron's potential grows by in each of them.
        thresholds: (neurons,).
        time_steps: T.
        delay: d.
    """
    if steps.size == 0:
        none = np.zeros(len(thresholds), np.int32)
        return LayerRun(steps, none[:0, None] + none, none + np.int32(time_steps), none)
    potentials = np.cumsum(sums, axis=0, dtype=np.int32)
    crossed = potentials >= thresholds
    has_crossed = crossed.any(axis=0)
    first = crossed.argmax(axis=0)
    firing_times = np.where(has_crossed, steps[first] + delay, time_steps)
    crossing_potentials = np.where(has_crossed, potentials[first, np.arange(len(thresholds))], 0)
    return LayerRun(
        steps,
        potentials,
        np.minimum(firing_times, time_steps).astype(np.int32),
        crossing_potentials.astype(np.int32),
    )
