"""Stages for pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_INTENSITY, MAX_SAMPLE_VALUES, whole_number
from bs4nn_tc.model.stages.stage import Stage, Values, shape_text


@dataclass(frozen=True)
class SquareMeans(Stage):
    """A picture made smaller: the rounded mean of every square, floor((sum + floor(area / 2)) / area).

    Attributes:
        side: of a square, 2 .. 255 values.
    """

    kind: ClassVar[str] = "square-means"
    side: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "side", whole_number("the side of a square", self.side, 2, 255))

    def after(self, values: Values) -> Values:
        """See `Stage`: (rows, columns) of uint8, both multiples of the side."""
        shape = values.shape
        if values.type != "uint8" or len(shape) != 2 or any(size % self.side for size in shape):
            raise UserError(
                f"squares of {self.side} x {self.side} values do not divide a sample of {shape_text(shape)}"
            )
        return values.of_shape(tuple(size // self.side for size in shape))

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`; of two by two values that is (a + b + c + d + 2) >> 2."""
        rows, columns = self.after(values).shape
        area = self.side * self.side
        pictures = samples.reshape(-1, *values.shape)
        sums = np.full((len(samples), rows, columns), area // 2, np.uint16 if area <= 256 else np.uint32)
        for down, right in itertools.product(range(self.side), repeat=2):
            sums += pictures[:, down :: self.side, right :: self.side]
        return (sums // area).astype(np.uint8).reshape(len(samples), rows * columns)

    def sample_of(self, outcome: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`: squares of equal values."""
        pictures = outcome.reshape(len(outcome), *self.after(values).shape)
        return pictures.repeat(self.side, axis=1).repeat(self.side, axis=2).reshape(len(outcome), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"means of {self.side} x {self.side}"


# Bytes a pixel of each format, see SPEC.md.
FORMATS = {"rgb565": 2, "rgb565le": 2, "rgb888": 3, "yuyv": 2}


def grey_picture(kind: str, values: Values) -> tuple[int, int]:
    """(rows, columns) of what a stage takes that is for pictures of uint8.

    Raises:
        UserError: no such picture.
    """
    if values.type != "uint8" or len(values.shape) != 2:
        raise UserError(f"{kind} takes pictures of uint8, not {shape_text(values.shape)} of {values.type}")
    return values.shape[0], values.shape[1]


@dataclass(frozen=True)
class Grey(Stage):
    """Grey of the bytes of a colour picture, as a camera sends it.

    Attributes:
        format: "rgb565" (the byte with red first), "rgb565le" (the byte with blue first), "rgb888", or "yuyv", whose
            grey is its Y.
    """

    kind: ClassVar[str] = "grey"
    format: str

    def __post_init__(self) -> None:
        if not isinstance(self.format, str) or self.format not in FORMATS:
            raise UserError(f"a picture of format '{printable(self.format, 40)}'; there are {', '.join(FORMATS)}")

    def after(self, values: Values) -> Values:
        """See `Stage`: (rows, columns, bytes a pixel) of bytes 0 .. 255; grey 0 .. 255."""
        size = FORMATS[self.format]
        if values.type != "uint8" or values.highest != MAX_INTENSITY or values.shape[2:] != (size,):
            raise UserError(
                f"{self.format} has rows x columns x {size} bytes 0 to {MAX_INTENSITY}, not "
                f"{shape_text(values.shape)} of {values.type} up to {values.highest:,}"
            )
        return values.of_shape(values.shape[:2])

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        pixels = samples.reshape(len(samples), -1, FORMATS[self.format])
        if self.format == "yuyv":
            return np.ascontiguousarray(pixels[:, :, 0])
        wide = pixels.astype(np.uint32)
        if self.format == "rgb888":
            return ((wide @ np.array([77, 150, 29], np.uint32) + 128) >> 8).astype(np.uint8)
        first, second = (wide[:, :, 0], wide[:, :, 1]) if self.format == "rgb565" else (wide[:, :, 1], wide[:, :, 0])
        made: NDArray[np.uint8] = _GREY_OF_565[first << 8 | second]
        return made

    def sample_of(self, outcome: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`: colours without colour, as far as the format has them."""
        size = FORMATS[self.format]
        if self.format == "rgb888":
            return outcome.repeat(size, axis=1)
        if self.format == "yuyv":
            return np.stack([outcome, np.full_like(outcome, 128)], axis=2).reshape(len(outcome), -1)
        words = _565_OF_GREY[outcome]
        both = (words >> 8, words & 255) if self.format == "rgb565" else (words & 255, words >> 8)
        return np.stack(both, axis=2).astype(np.uint8).reshape(len(outcome), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"grey of {self.format}"


def _greys_of_565() -> NDArray[np.uint8]:
    """(65,536,) uint8: the grey of 5 bits of red, 6 of green and 5 of blue."""
    word = np.arange(1 << 16, dtype=np.uint32)
    grey: NDArray[np.uint8] = (633 * (word >> 11) + 607 * (word >> 5 & 63) + 239 * (word & 31) + 128 >> 8).astype(
        np.uint8
    )
    return grey


_GREY_OF_565 = _greys_of_565()
# For each grey the first of its words; every grey has some.
_565_OF_GREY = np.unique(_GREY_OF_565, return_index=True)[1].astype(np.uint16)


@dataclass(frozen=True)
class Crop(Stage):
    """A part of a picture.

    Attributes:
        top, left: rows above it and columns to the left of it, which are left out.
        rows, columns: of the part.
    """

    kind: ClassVar[str] = "crop"
    top: int
    left: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name, lowest in (("top", 0), ("left", 0), ("rows", 1), ("columns", 1)):
            value = whole_number(f"{name} of a crop", getattr(self, name), lowest, MAX_SAMPLE_VALUES)
            object.__setattr__(self, name, value)

    def after(self, values: Values) -> Values:
        """See `Stage`: a picture of uint8 that has such a part."""
        rows, columns = grey_picture("a crop", values)
        if self.top + self.rows > rows or self.left + self.columns > columns:
            raise UserError(
                f"a crop of {self.rows} x {self.columns} values from row {self.top}, column {self.left} is not inside "
                f"of {rows} x {columns}"
            )
        return values.of_shape((self.rows, self.columns))

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        part = samples.reshape(-1, *values.shape)[:, self.top :, self.left :][:, : self.rows, : self.columns]
        return np.ascontiguousarray(part.reshape(len(samples), -1))

    def sample_of(self, outcome: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`: zeros around it."""
        rows, columns = values.shape
        around = (
            (self.top, rows - self.top - self.rows),
            (self.left, columns - self.left - self.columns),
        )
        return np.pad(outcome.reshape(-1, self.rows, self.columns), ((0, 0), *around)).reshape(len(outcome), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"{self.rows} x {self.columns} from row {self.top}, column {self.left}"


@dataclass(frozen=True)
class Resize(Stage):
    """A picture of another size: each value the mean of the area that it covers, a half upwards.

    Attributes:
        rows, columns: of the new one.
    """

    kind: ClassVar[str] = "resize"
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            value = whole_number(f"{name} of a picture", getattr(self, name), 1, MAX_SAMPLE_VALUES)
            object.__setattr__(self, name, value)

    def after(self, values: Values) -> Values:
        """See `Stage`: a picture of uint8."""
        grey_picture("a change of size", values)
        return values.of_shape((self.rows, self.columns))

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        return area_means(samples.reshape(-1, *values.shape), (self.rows, self.columns)).reshape(len(samples), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"resized to {self.rows} x {self.columns}"


@cache
def _shares(size: int, to: int) -> NDArray[np.int64]:
    """(to, size): how much of each value the new ones cover, where a value is `to` wide, and a new one `size`."""
    new, old = np.arange(to)[:, None], np.arange(size)
    ends = np.minimum((old + 1) * to, (new + 1) * size) - np.maximum(old * to, new * size)
    return ends.clip(min=0)


def area_means(pictures: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures (N, rows, columns) of uint8 in another shape, (N, *shape): of each new value's area the rounded mean."""
    rows, columns = pictures.shape[1:]
    sums = _shares(rows, shape[0]) @ pictures.astype(np.int64) @ _shares(columns, shape[1]).T
    means: NDArray[np.uint8] = ((sums + rows * columns // 2) // (rows * columns)).astype(np.uint8)
    return means


@dataclass(frozen=True)
class Invert(Stage):
    """What each value lacks to the highest: dark becomes bright."""

    kind: ClassVar[str] = "invert"

    def after(self, values: Values) -> Values:
        """See `Stage`: uint8 of any shape that somebody knows."""
        if values.type != "uint8" or not values.shape:
            raise UserError(f"inverted are values of type uint8, not {shape_text(values.shape)} of {values.type}")
        return Values(values.shape, "uint8", 0, values.highest)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        return np.uint8(values.highest) - samples

    def sample_of(self, outcome: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`: the same again."""
        return self.apply(outcome, values)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return "inverted"
