"""How files are read: what a user says of them, and what was found in them, so that one more is read the same way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.stages import TYPES

# Kinds of files.
ARRAYS, TABLE, PICTURES, SOUNDS, RECORDINGS = KINDS = ("arrays", "table", "pictures", "sounds", "recordings")
INVERT = ("auto", "yes", "no")
MISSING = ("median", "drop")
_LONGEST_TEXT = 4095


@dataclass(frozen=True)
class Reading:
    """How files become samples; what is None, "" or () is found out, or does not matter for such files.

    Attributes:
        label: the column of a table that holds the classes, by its name, or by its number from 1 on.
        labels: a .npy file with the labels of the samples in another one.
        size: rows and columns that pictures are made to have.
        crop: of pictures, cut the middle out rather than distort it.
        invert: pictures: "yes", "no", or "auto", where ink is dark on a light ground.
        window: of sounds, seconds; of recordings, steps.
        hop: from a window to the next: of recordings, steps.
        group: a regular expression whose first group, in a file's path, is whose sample it is; or a column of a table.
        missing: what is done about missing values: "median" puts the one of the training samples there, "drop" leaves
            the sample out; None refuses them.
        kind: of files, one of `KINDS`; found, like all below.
        type: of the values of a sample, "uint8" or "int16".
        shape: of a sample.
        scale: a value of a sample is a value of the file times this, rounded: one number, or one a feature.
        fill: what stands for missing values, one a feature.
        columns: names of a table's columns, or of a recording's, without those of classes and groups.
        rate: samples a second of sounds.
        classes: the labels as they are in the files, in the order of the classes.
    """

    label: str | None = None
    labels: str | None = None
    size: tuple[int, ...] = ()
    crop: bool = False
    invert: str = "auto"
    window: float | None = None
    hop: float | None = None
    group: str | None = None
    missing: str | None = None
    kind: str = ""
    type: str = ""
    shape: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    fill: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()
    rate: int | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, fits in _RULES.items():
            value: Any = getattr(self, name)
            value = tuple(value) if isinstance(value, list) else value
            if not fits(value):
                raise UserError(f"how a data set is read: '{name}' cannot be {printable(value, 60)}")
            object.__setattr__(self, name, value)

    @property
    def json(self) -> dict[str, Any]:
        """Everything that is not left to be found out, for a network file."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        said = {field.name: said[field.name] for field in fields(self) if said[field.name] != field.default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any] | None) -> Reading:
        """What `json` gave, from a file that nobody should trust; what a later release has added is left out.

        Raises:
            UserError: values that mean nothing.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (said or {}).items() if name in known})

    def of_kind(self, kind: str) -> Reading:
        """The same if it was found in files of this kind, else without what was found."""
        if self.kind in ("", kind):
            return replace(self, kind=kind)
        return Reading(self.label, self.labels, self.size, self.crop, self.invert, group=self.group, kind=kind)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def _all(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and all(map(fits, value))


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


_RULES: Mapping[str, Callable[[Any], bool]] = {
    "label": _or_none(_is_text),
    "labels": _or_none(_is_text),
    "size": lambda value: _all(_is_count)(value) and len(value) in (0, 2),
    "crop": lambda value: isinstance(value, bool),
    "invert": lambda value: value in INVERT,
    "window": _or_none(_is_positive),
    "hop": _or_none(_is_positive),
    "group": _or_none(_is_text),
    "missing": lambda value: value in (None, *MISSING),
    "kind": lambda value: value in ("", *KINDS),
    "type": lambda value: value in ("", *TYPES),
    "shape": _all(_is_count),
    "scale": _all(_is_positive),
    "fill": _all(_is_number),
    "columns": _all(_is_text),
    "rate": _or_none(_is_count),
    "classes": _all(_is_text),
}
