"""Stages that code each value by numbers of its own, which follow from training samples (`data/codings.py`).

A table has an entry for each of its *features*: for all values alike (one feature), for each channel, or for each
value. With n features value i is one of feature i mod n, so the channels of a recording stand in the last axis of its
shape. Where a stage makes several values of one, the first ones of all values come first, then the second ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_INTENSITY, whole_number
from bs4nn_tc.model.stages.stage import TYPES, Stage, Values, check_features, whole_numbers

MAX_SHIFT = 16
_MULTIPLIER = 65_535
_LOWEST, _HIGHEST = TYPES["int16"]


def _by_value(table: tuple[int, ...], values: Values) -> NDArray[np.int64]:
    """(values,) int64: each value's entry of a table with one entry a feature."""
    return np.tile(np.array(table, np.int64), values.count // len(table))


def _several(values: Values, times: int) -> Values:
    """`times` values in place of each, as uint8 intensities."""
    shape = (times, *values.shape) if len(values.shape) < 3 else (times * values.count,)
    return Values(shape, "uint8", 0, MAX_INTENSITY)


def _scaled(distance: NDArray[np.int64], multiplier: NDArray[np.int64], shift: int) -> NDArray[np.uint8]:
    """min(floor((d m + h) / 2^s), 255) for d > 0, else 0; h = floor(2^s / 2). Below 2^32: 65,535 x 65,535 + 2^15."""
    product = distance.clip(min=0) * multiplier + ((1 << shift) >> 1)
    return (product >> shift).clip(max=MAX_INTENSITY).astype(np.uint8)


@dataclass(frozen=True)
class Scale(Stage):
    """Each value's place in a range: min(floor(((x - o) m + h) / 2^s), 255) above o, else 0; h = floor(2^s / 2).

    Attributes:
        offset: o of each feature, -32,768 .. 32,767: what becomes 0.
        multiplier: m of each feature, 0 .. 65,535.
        shift: s, 0 .. 16.
    """

    kind: ClassVar[str] = "scale"
    offset: tuple[int, ...]
    multiplier: tuple[int, ...]
    shift: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", whole_numbers("offsets", self.offset, _LOWEST, _HIGHEST))
        object.__setattr__(self, "multiplier", whole_numbers("multipliers", self.multiplier, 0, _MULTIPLIER))
        object.__setattr__(self, "shift", whole_number("the shift of a stage", self.shift, 0, MAX_SHIFT))
        if len(self.offset) != len(self.multiplier):
            raise UserError(f"{len(self.offset):,} offsets and {len(self.multiplier):,} multipliers of a stage")

    def after(self, values: Values) -> Values:
        """See `Stage`: any values, of which uint8 ones are made."""
        check_features(len(self.offset), values)
        return Values(values.shape, "uint8", 0, MAX_INTENSITY)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        distance = samples.astype(np.int64) - _by_value(self.offset, values)
        return _scaled(distance, _by_value(self.multiplier, values), self.shift)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"range of {len(self.offset):,} features"


@dataclass(frozen=True)
class OnOff(Stage):
    """Two values of each: how far it is above a centre, then how far below, both scaled as by `Scale`.

    Attributes:
        centre: of each feature, -32,768 .. 32,767.
        above, below: the multipliers of each feature, 0 .. 65,535.
        shift: 0 .. 16.
    """

    kind: ClassVar[str] = "on-off"
    centre: tuple[int, ...]
    above: tuple[int, ...]
    below: tuple[int, ...]
    shift: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", whole_numbers("centres", self.centre, _LOWEST, _HIGHEST))
        object.__setattr__(self, "above", whole_numbers("multipliers", self.above, 0, _MULTIPLIER))
        object.__setattr__(self, "below", whole_numbers("multipliers", self.below, 0, _MULTIPLIER))
        object.__setattr__(self, "shift", whole_number("the shift of a stage", self.shift, 0, MAX_SHIFT))
        if not len(self.centre) == len(self.above) == len(self.below):
            raise UserError("the centres and multipliers of a stage are not of as many features")

    def after(self, values: Values) -> Values:
        """See `Stage`: any values; two of each."""
        check_features(len(self.centre), values)
        return _several(values, 2)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        distance = samples.astype(np.int64) - _by_value(self.centre, values)
        above = _scaled(distance, _by_value(self.above, values), self.shift)
        below = _scaled(-distance, _by_value(self.below, values), self.shift)
        return np.concatenate([above, below], axis=1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"above and below the centre of {len(self.centre):,} features"


@dataclass(frozen=True)
class Complement(Stage):
    """Each value, and after all of them what each lacks to the highest: a dark value tells something, too."""

    kind: ClassVar[str] = "complement"

    def after(self, values: Values) -> Values:
        """See `Stage`: uint8; two of each value."""
        if values.type != "uint8" or not values.shape:
            raise UserError(f"a complement is of values of type uint8, not of {values.type}")
        return Values(_several(values, 2).shape, "uint8", 0, values.highest)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        return np.concatenate([samples, (values.highest - samples.astype(np.int64)).astype(np.uint8)], axis=1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return "values and complements"


@dataclass(frozen=True)
class _Levels(Stage):
    """A stage with several levels a feature.

    Attributes:
        count: levels of a feature, 1 .. 255.
        levels: those of the first feature in rising order, then those of the next one, and so on.
    """

    count: int
    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole_number("the count of levels of a stage", self.count, 1, 255))
        object.__setattr__(self, "levels", whole_numbers("levels", self.levels, _LOWEST, _HIGHEST))
        if len(self.levels) % self.count:
            raise UserError(f"{len(self.levels):,} levels of a stage are not {self.count} a feature")
        if (np.diff(np.array(self.levels).reshape(-1, self.count), axis=1) < 0).any():
            raise UserError("the levels of a feature are not in rising order")

    @property
    def features(self) -> int:
        """How many have levels of their own."""
        return len(self.levels) // self.count

    def _check(self, values: Values) -> None:
        """Refuse levels that no value of the type can have: on a device they are of the values' type."""
        check_features(self.features, values)
        lowest, highest = TYPES[values.type]
        if min(self.levels) < lowest or max(self.levels) > highest:
            raise UserError(f"the levels of a stage are beyond what {values.type} holds, {lowest:,} to {highest:,}")

    def _reached(self, samples: NDArray[Any], values: Values) -> list[NDArray[np.bool_]]:
        """For each level (N, values) bool: the value is at least the level of its feature."""
        table = np.array(self.levels, np.int64).reshape(-1, self.count)
        return [samples >= np.tile(table[:, level], values.count // len(table)) for level in range(self.count)]


@dataclass(frozen=True)
class Quantiles(_Levels):
    """The share of its feature's levels that a value has reached: floor(255 c / k) for c of k levels."""

    kind: ClassVar[str] = "quantiles"

    def after(self, values: Values) -> Values:
        """See `Stage`: any values, of which uint8 ones are made."""
        self._check(values)
        return Values(values.shape, "uint8", 0, MAX_INTENSITY)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        reached = np.zeros(samples.shape, np.int64)
        for one in self._reached(samples, values):
            reached += one
        return (reached * MAX_INTENSITY // self.count).astype(np.uint8)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"{self.count} quantiles of {self.features:,} features"


@dataclass(frozen=True)
class Thermometer(_Levels):
    """As many values of each as there are levels: 255 where it has reached the level, else 0."""

    kind: ClassVar[str] = "thermometer"

    def after(self, values: Values) -> Values:
        """See `Stage`: any values; `count` of each."""
        self._check(values)
        return _several(values, self.count)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        reached = np.concatenate(self._reached(samples, values), axis=1)
        return np.where(reached, np.uint8(MAX_INTENSITY), np.uint8(0))

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"thermometer of {self.count} levels of {self.features:,} features"
