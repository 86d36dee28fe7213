"""Where a network comes from, as far as the program acts upon it: what it has learned, and where thresholds come from.

Neither is part of its meaning or digest.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable

# Ink on its ground: bright on black as in MNIST, or dark on light as on paper.
POLARITIES = ("bright", "dark")
# As long as a path, and a name in it, may be.
_MAX_PATH, MAX_NAME = 4095, 255
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class TrainedOn:
    """The data set that a network was trained on.

    Attributes:
        name: of a bundled data set, or the path of a folder.
        digest: SHA-256 of its training images and labels, 64 hex digits; None where nobody knows it.
        polarity: one of `POLARITIES`; None where nobody knows it.
        all_images: it has learned from the validation images, too, so that they say little of it.
        split: SHA-256 of its test images, their labels and the places of validation images; None where nobody knows.
        reading: how its files were read, `Reading.json` in `data/sources/reading.py`; None where that is clear.
    """

    name: str
    digest: str | None = None
    polarity: str | None = None
    all_images: bool = False
    split: str | None = None
    reading: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise UserError(f"a data set cannot have the name '{printable(self.name, 40)}'; a name or a path is needed")
        for digest in (self.digest, self.split):
            if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
                raise UserError("a digest of a data set is not one of 64 hex digits")
        if self.polarity is not None and self.polarity not in POLARITIES:
            raise UserError(f"the polarity of a data set is not one of {', '.join(POLARITIES)}")
        if not isinstance(self.all_images, bool):
            raise UserError("whether a network has learned all images is neither true nor false")
        if self.reading is not None and not isinstance(self.reading, dict):
            raise UserError("how the files of a data set are read is no list of named values")
        plain_json.check(self.reading, "how the files of a data set are read")


@dataclass(frozen=True)
class Scaling:
    """The real numbers that whole-number thresholds come from: a neuron fires at theta / alpha of its layer.

    Attributes:
        theta: the firing threshold of all layers.
        alphas: the scaling factors, one a layer.
    """

    theta: float
    alphas: tuple[float, ...]

    def __post_init__(self) -> None:
        theta = _positive(self.theta)
        said: object = self.alphas
        given = said if isinstance(said, list | tuple) else ()
        alphas = tuple(number for number in map(_positive, given) if number is not None)
        if theta is None or not alphas or len(alphas) != len(given):
            raise UserError("theta and alphas are not all positive numbers")
        object.__setattr__(self, "theta", theta)
        object.__setattr__(self, "alphas", alphas)


def is_name(value: object) -> bool:
    """Whether it can name a data set: a text that can be a path."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        return len(os.fsencode(value)) <= _MAX_PATH and all(
            len(os.fsencode(part)) <= MAX_NAME for part in Path(value).parts
        )
    except UnicodeEncodeError:
        return False


def _positive(value: object) -> float | None:
    """A number above 0 that a float holds, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number > 0 else None
