"""What one stage of an input is, and what flows between two of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_SAMPLE_VALUES, whole_number

Shape = tuple[int, ...]
# A sample is a row of values, a picture or a recording of several channels, or a picture of several planes.
_MAX_AXES = 3
# The types of values, and what they hold.
TYPES = {"uint8": (0, 255), "int16": (-32_768, 32_767)}


@dataclass(frozen=True)
class Values:
    """What is known of a sample, or of what a stage makes of it.

    Attributes:
        shape: (values,), (rows, columns), (steps, channels) or (planes, rows, columns); () where nobody knows it.
        type: of a value: "uint8" or "int16".
        lowest, highest: no value is beyond them.
    """

    shape: Shape
    type: str = "uint8"
    lowest: int = 0
    highest: int = 255

    def __post_init__(self) -> None:
        shape = tuple(self.shape)
        if len(shape) > _MAX_AXES:
            raise UserError(f"an input of {len(shape)} axes; at most {_MAX_AXES} are allowed")
        sides = tuple(whole_number("a side of the input", side, 1, MAX_SAMPLE_VALUES) for side in shape)
        if math.prod(sides) > MAX_SAMPLE_VALUES:
            raise UserError(f"an input of {math.prod(sides):,} values; at most {MAX_SAMPLE_VALUES:,} are allowed")
        object.__setattr__(self, "shape", sides)

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's name of the type."""
        return np.dtype(self.type)

    @property
    def bytes(self) -> int:
        """Bytes of all values."""
        return self.count * self.dtype.itemsize

    def of_shape(self, shape: Shape) -> Values:
        """The same values in another shape."""
        return replace(self, shape=shape)


def of_type(shape: Shape, kind: str) -> Values:
    """Values of a type, of which nothing else is known.

    Raises:
        UserError: no type of values.
    """
    lowest, highest = TYPES[kind]
    return Values(shape, kind, lowest, highest)


@dataclass(frozen=True)
class Stage(ABC):
    """One stage: a frozen dataclass whose fields are whole numbers, texts, or tuples of whole numbers.

    Attributes:
        kind: its name in files.
    """

    kind: ClassVar[str]

    @abstractmethod
    def after(self, values: Values) -> Values:
        """What comes out where such values go in.

        Raises:
            UserError: it takes none of that shape or type.
        """

    @abstractmethod
    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """What comes out.

        Args:
            samples: (N, values) of the type that `values` says, C order.
            values: what one of them is; `after` takes it.

        Returns:
            (N, values after) of the type after, in C order.
        """

    def sample_of(self, outcome: NDArray[Any], values: Values) -> NDArray[Any] | None:
        """(N, values) samples of which `apply` makes this outcome; None for stages that lose too much for that."""
        del outcome, values
        return None

    @property
    @abstractmethod
    def text(self) -> str:
        """What it does, for people."""

    @property
    def json(self) -> dict[str, Any]:
        """Its kind and fields, for files and the digest of a network."""
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"kind": self.kind, **fields}


def whole_numbers(what: str, given: object, lowest: int, highest: int) -> tuple[int, ...]:
    """The whole numbers of a stage's list.

    Raises:
        UserError: no list, an empty one, or something else in it.
    """
    if not isinstance(given, list | tuple) or not given:
        raise UserError(f"the {what} of a stage are {printable(given, 40)}; a list of whole numbers is needed")
    return tuple(whole_number(f"one of the {what} of a stage", one, lowest, highest) for one in given)


def check_features(features: int, values: Values) -> None:
    """Refuse a stage that has no entry for some values.

    Raises:
        UserError: value i is of feature i mod `features`, and the last ones are not of all.
    """
    if not values.shape or values.count % features:
        raise UserError(f"a table of {features:,} features does not fit {values.count:,} values")


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it: "28 x 28"."""
    return " x ".join(map(str, shape)) or "unknown shape"


def as_picture(shape: Shape) -> tuple[int, int]:
    """(rows, columns) in which values of a shape are shown: a row of values as one line, planes below each other."""
    columns = shape[-1] if shape else 1
    return math.prod(shape[:-1]), columns
