"""Stages for pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import whole_number
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
