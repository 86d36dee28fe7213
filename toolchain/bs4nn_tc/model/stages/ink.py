"""The stage that finds what is written on unevenly lit paper, and lays it as a data set has its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_INTENSITY, whole_number
from bs4nn_tc.model.stages.pictures import area_means, grey_picture
from bs4nn_tc.model.stages.stage import Stage, Values

INKS = ("dark", "bright")
# Of the picture, and of what is made of it.
SMALLEST_SIDE, LARGEST_SIDE, LARGEST_RESULT = 28, 1024, 128
# Found on pictures of validation images (benchmarks/camera.py): the shorter side of a picture has at least so many
# cells, and this is the fewest contrast that is ink.
_CELLS, _FAINTEST = 7, 32
# On a darker ground nothing is ink: it would be noise.
_DARKEST_GROUND = 16
# The shorter side by this is how many values in a row have to be ink, so that a speck is none.
_SPECK = 30
_ROUNDS = 4


@dataclass(frozen=True)
class Ink(Stage):
    """What is written on paper: its ground taken off, cut out, scaled into a box, its centre of mass at a place.

    SPEC.md has every step. Without ink everything is 0.

    Attributes:
        ink: "dark" on light paper, or "bright" on a dark ground.
        rows, columns: of the result, 1 .. 128.
        box: (rows, columns) that the ink is scaled into, keeping its proportions; not larger than the result.
        centre: (row, column) of the place, in 1/256 of a value from the corner.
        highest: what ink becomes, 1 .. 255.
    """

    kind: ClassVar[str] = "ink"
    ink: str
    rows: int
    columns: int
    box: tuple[int, int]
    centre: tuple[int, int]
    highest: int

    def __post_init__(self) -> None:
        if not isinstance(self.ink, str) or self.ink not in INKS:
            raise UserError(f"ink that is '{printable(self.ink, 40)}'; it is {' or '.join(INKS)}")
        for name, largest in (("rows", LARGEST_RESULT), ("columns", LARGEST_RESULT), ("highest", MAX_INTENSITY)):
            object.__setattr__(self, name, whole_number(f"{name} of ink", getattr(self, name), 1, largest))
        sides = (self.rows, self.columns)
        for name, lowest, most in (("box", 1, sides), ("centre", 0, tuple(256 * side for side in sides))):
            pair = getattr(self, name)
            if not isinstance(pair, list | tuple) or len(pair) != len(most):
                raise UserError(f"the {name} of ink is {printable(pair, 40)}; rows and columns are needed")
            checked = (
                whole_number(f"the {name} of ink", one, lowest, high) for one, high in zip(pair, most, strict=True)
            )
            object.__setattr__(self, name, tuple(checked))

    def after(self, values: Values) -> Values:
        """See `Stage`: a picture of uint8, each side 28 to 1,024."""
        sides = grey_picture("ink", values)
        if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sides):
            raise UserError(
                f"ink is looked for in pictures of {SMALLEST_SIDE} to {LARGEST_SIDE:,} rows and columns, not in "
                f"{sides[0]:,} x {sides[1]:,}"
            )
        return Values((self.rows, self.columns), "uint8", 0, self.highest)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        made = np.zeros((len(samples), self.rows, self.columns), np.uint8)
        for sample, result in zip(samples.reshape(-1, *values.shape), made, strict=True):
            self._lay(MAX_INTENSITY - sample if self.ink == "bright" else sample, result)
        return made.reshape(len(samples), -1)

    def _lay(self, picture: NDArray[np.uint8], result: NDArray[np.uint8]) -> None:
        """Lay the dark ink of a picture into the result, which is all 0."""
        contrast = contrasts(picture)
        level = ink_level(contrast)
        if level < _FAINTEST:
            return
        speck = speck_length(*picture.shape)
        found = contrast >= (level + 1) // 2
        down, across = _first_and_last(found, speck), _first_and_last(found.T, speck)
        if down is None or across is None:
            return
        part = _intensities(level, self.highest)[contrast[slice(*across), slice(*down)]]
        small = area_means(part[None], fitting(part.shape, self.box))[0].astype(np.int64)
        mass = int(small.sum())
        if mass == 0:
            return
        corner = []
        for axis in (0, 1):
            middle = 256 * int((small.sum(axis=1 - axis) * np.arange(small.shape[axis])).sum()) // mass
            corner.append(min(max((self.centre[axis] - middle) // 256, 0), result.shape[axis] - small.shape[axis]))
        result[corner[0] :, corner[1] :][: small.shape[0], : small.shape[1]] = small

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"{self.ink} ink into {self.box[0]} x {self.box[1]} of {self.rows} x {self.columns}"


def cell_side(rows: int, columns: int) -> int:
    """The side of the cells in which the ground of a picture is measured: a power of 2."""
    return 1 << ((min(rows, columns) // _CELLS).bit_length() - 1)


def speck_length(rows: int, columns: int) -> int:
    """How many values next to each other have to be ink in a picture, so that they are counted as such."""
    return max(1, min(rows, columns) // _SPECK)


def fitting(shape: tuple[int, ...], box: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of a picture of `shape` that is scaled into a box, its proportions kept."""
    rows, columns = shape
    if columns * box[0] >= rows * box[1]:
        return max(1, (2 * rows * box[1] + columns) // (2 * columns)), box[1]
    return box[0], max(1, (2 * columns * box[0] + rows) // (2 * rows))


def contrasts(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How much darker than the ground around it each value of a picture is, (rows, columns), 0 .. 255 = black."""
    side = cell_side(*picture.shape)
    grounds = _grounds(picture.astype(np.int64), side)
    gains = np.where(grounds < _DARKEST_GROUND, 65_535, 65_535 // (grounds + 1))
    # Between the middles of four cells, by how near each is.
    (top, down), (left, right) = (np.divmod(np.arange(size) + side // 2, side) for size in picture.shape)
    rows = gains[top] * (side - down)[:, None] + gains[top + 1] * down[:, None]
    gain = (rows[:, left] * (side - right) + rows[:, left + 1] * right) // side**2
    bright: NDArray[np.int64] = (picture.astype(np.int64) + 1) * gain // 256
    return MAX_INTENSITY - bright.clip(max=MAX_INTENSITY)


def _grounds(picture: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """The ground in the middle of each cell, and one cell further all around."""
    starts = [np.arange(0, size, side) for size in picture.shape]

    def by_cell(values: NDArray[Any]) -> NDArray[np.int64]:
        sums: NDArray[np.int64] = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
        return sums

    means = by_cell(picture) // by_cell(np.ones_like(picture))
    cells = (slice(None, size) for size in picture.shape)
    bright = picture >= means.repeat(side, axis=0).repeat(side, axis=1)[tuple(cells)]
    grounds = _one_further(by_cell(picture * bright) // by_cell(bright.astype(np.int64)))
    # Cells full of ink have neighbours that are not: closing takes what is narrower than three cells.
    around = np.lib.stride_tricks.sliding_window_view
    wider = around(np.pad(grounds, 1, mode="edge"), (3, 3)).max(axis=(2, 3))
    return _one_further(around(wider, (3, 3)).min(axis=(2, 3)))


def _one_further(grounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Grounds with one more all around, as the last two go on: first above and below, then on both sides."""
    made = np.pad(grounds, 1)
    for one in (made, made.T):
        one[0], one[-1] = (2 * one[1] - one[2]).clip(0, 255), (2 * one[-2] - one[-3]).clip(0, 255)
    return made


def ink_level(contrast: NDArray[np.int64]) -> int:
    """The contrast that ink has: the mean of those that have at least half of it, from half of the highest on."""
    counts = np.bincount(contrast.ravel(), minlength=256)
    sums = counts * np.arange(256)
    level = int(contrast.max())
    for _ in range(_ROUNDS):
        least = (level + 1) // 2
        level = int(sums[least:].sum() // counts[least:].sum())
    return level


def _first_and_last(found: NDArray[np.bool_], length: int) -> tuple[int, int] | None:
    """The first column in which so many neighbours below each other are found, and the one after the last one."""
    rows = len(found) - length + 1
    together = np.logical_and.reduce([found[row : row + rows] for row in range(length)])
    columns = np.flatnonzero(together.any(axis=0))
    return (int(columns[0]), int(columns[-1]) + 1) if columns.size else None


def _intensities(level: int, highest: int) -> NDArray[np.uint8]:
    """(256,) uint8: of each contrast; 0 up to a quarter of the ink's level, the highest from seven eighths on."""
    nothing, everything = level // 4, level - level // 8
    above = (np.arange(256) - nothing).clip(0, everything - nothing)
    return (above * highest // (everything - nothing)).astype(np.uint8)
