"""What is done to a sample before its values become spikes: in whole numbers, so that a device does the same.

A kind of stage is a class and one line in `STAGES`; its C is called by generated code (`device/codegen/stages.py`).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_STAGES, whole_number

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Stage(ABC):
    """One stage: a frozen dataclass whose fields are JSON values.

    Attributes:
        kind: its name in files.
    """

    kind: ClassVar[str]

    @abstractmethod
    def shape_after(self, shape: Shape) -> Shape:
        """The shape of what comes out where a sample of `shape` goes in: no more values, so that they fit in its place.

        Raises:
            UserError: it takes no sample of that shape.
        """

    @abstractmethod
    def apply(self, samples: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
        """What comes out.

        Args:
            samples: (N, values) uint8.
            shape: of one of them, which `shape_after` takes.

        Returns:
            (N, values after) uint8 in C order, none above the largest that went in.
        """

    @abstractmethod
    def sample_of(self, outcome: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
        """(N, values) uint8 samples of `shape` of which `apply` makes this outcome."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it does, for people."""

    @property
    def json(self) -> dict[str, Any]:
        """Its kind and fields, for files and the digest of a network."""
        return {"kind": self.kind, **asdict(self)}


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

    def shape_after(self, shape: Shape) -> Shape:
        """See `Stage`: (rows, columns), both multiples of the side."""
        if len(shape) != 2 or any(size % self.side for size in shape):
            raise UserError(
                f"squares of {self.side} x {self.side} values do not divide a sample of {shape_text(shape)}"
            )
        return tuple(size // self.side for size in shape)

    def apply(self, samples: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
        """See `Stage`; of two by two values that is (a + b + c + d + 2) >> 2."""
        rows, columns = self.shape_after(shape)
        area = self.side * self.side
        pictures = samples.reshape(-1, *shape)
        sums = np.full((len(samples), rows, columns), area // 2, np.uint16 if area <= 256 else np.uint32)
        for down, right in itertools.product(range(self.side), repeat=2):
            sums += pictures[:, down :: self.side, right :: self.side]
        return (sums // area).astype(np.uint8).reshape(len(samples), rows * columns)

    def sample_of(self, outcome: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
        """See `Stage`: squares of equal values."""
        pictures = outcome.reshape(len(outcome), *self.shape_after(shape))
        return pictures.repeat(self.side, axis=1).repeat(self.side, axis=2).reshape(len(outcome), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"means of {self.side} x {self.side}"


STAGES: Mapping[str, type[Stage]] = {
    SquareMeans.kind: SquareMeans,
}


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it: "28 x 28"."""
    return " x ".join(map(str, shape)) or "unknown shape"


def shapes_through(stages: Sequence[Stage], shape: Shape) -> list[Shape]:
    """The shape of a sample, and the shape after each stage.

    Raises:
        UserError: too many stages, or one that does not take what it gets.
    """
    if len(stages) > MAX_STAGES:
        raise UserError(f"an input of {len(stages):,} stages; at most {MAX_STAGES} are allowed")
    shapes = [shape]
    for number, stage in enumerate(stages, start=1):
        if not isinstance(stage, Stage):
            raise UserError(f"stage {number} of the input is of type {type(stage).__name__}; a Stage is needed")
        try:
            shapes.append(stage.shape_after(shapes[-1]))
        except UserError as error:
            raise UserError(f"stage {number} of the input: {error}") from error
    return shapes


def from_json(said: Sequence[object]) -> tuple[Stage, ...]:
    """The stages that `Stage.json` has written.

    Args:
        said: anything that JSON has; nobody has looked at it.

    Raises:
        UserError: a kind that is not known, or fields that are not those of the kind.
    """
    stages = []
    for number, one in enumerate(said, start=1):
        kind = one.get("kind") if isinstance(one, dict) else None
        known = STAGES.get(kind) if isinstance(kind, str) else None
        if not isinstance(one, dict) or known is None:
            raise UserError(
                f"stage {number} of the input is of kind '{printable(kind, 40)}', and this tool knows "
                f"{', '.join(STAGES)}; a newer release of bs4nn-tc may read it"
            )
        names = {field.name for field in fields(known)}
        if set(one) != {"kind", *names}:
            raise UserError(f"stage {number} of the input, {kind}, has to say its {', '.join(sorted(names))} alone")
        try:
            stages.append(known(**{name: one[name] for name in names}))
        except UserError as error:
            raise UserError(f"stage {number} of the input: {error}") from error
    return tuple(stages)
