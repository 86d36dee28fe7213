"""Options that say how the files of a data set are read: the same for every verb that reads them the first time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from inspect import Parameter
from typing import Annotated, Any

import typer

from bs4nn_tc.data.datasets import Reading

_PANEL = "How files are read (docs/DATASETS.md)"


class Invert(StrEnum):
    """Whether dark becomes bright."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


class Missing(StrEnum):
    """What is done about missing values."""

    MEDIAN = "median"
    DROP = "drop"


def _option(kind: Any, text: str, *names: str, **more: Any) -> Any:
    return Annotated[kind, typer.Option(*names, help=text, rich_help_panel=_PANEL, show_default=False, **more)]


# Name of the parameter to its type with the option.
OPTIONS: Mapping[str, Any] = {
    "label": _option(
        str | None, "Tables: the column with the classes. [default: one called label, else the last]", metavar="COLUMN"
    ),
    "labels": _option(str | None, "Of a .npy file of samples: the file with their classes.", metavar="FILE.npy"),
    "crop": _option(bool, "Pictures: cut out the middle rather than distort it.", "--crop"),
    "invert": _option(
        Invert | None, "Pictures: dark ink on light ground becomes bright, on the device, too. [default: auto]"
    ),
    "window": _option(float | None, "Length of a sample: seconds of sounds, steps of recordings."),
    "hop": _option(float | None, "Recordings: steps from a window to the next one. [default: half a window]"),
    "group": _option(
        str | None,
        "Whose a sample is, so that nobody is in two parts: tables, a column; files, a regular expression with ( ).",
        metavar="COLUMN|PATTERN",
    ),
    "missing": _option(Missing | None, "Missing values: put the median there, or drop the sample. [default: refuse]"),
}


def reads_files(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options above; it gets them together, as its argument `reading`."""
    signature = inspect.signature(verb, eval_str=True)
    own = [one for name, one in signature.parameters.items() if name != "reading"]
    added = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=False if name == "crop" else None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]

    @functools.wraps(verb)
    def with_reading(**given: Any) -> None:
        said = [(name, given.pop(name)) for name in OPTIONS]
        known: dict[str, Any] = {
            name: str(one) if isinstance(one, StrEnum) else one for name, one in said if one is not None
        }
        verb(**given, reading=Reading(**known))

    parameters = [*own, *added]
    with_reading.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_reading.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_reading
