"""Codings: stages whose tables follow from training samples, so that every value's spike tells something.

Equation 1 presumes that a large value means much and a small one nothing. Values that are signed, always large or
skewed need numbers of their own. No coding is the best on all data; who trains lets validation samples choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.stages import (
    Complement,
    Contrast,
    Differences,
    Invert,
    OnOff,
    Quantiles,
    Scale,
    Shape,
    Spectrum,
    Stage,
    Thermometer,
    Values,
)
from bs4nn_tc.model.stages.tables import MAX_SHIFT

# Shares of the training values at which a range begins and ends: a single outlier does not stretch it.
_RANGE = (0.005, 0.995)
# Levels of `quantiles` and of `thermometer`.
_QUANTILES, _THERMOMETER = 15, 4
# A row of fewer values is a table, whose neighbours need have nothing to do with each other.
FEW_VALUES = 64

Features = NDArray[Any]  # (rows, features): all values of each feature


def features_of(samples: NDArray[Any], features: int) -> Features:
    """(rows, features) of (N, values) samples: value i is one of feature i mod `features`."""
    return samples.reshape(-1, features)


def _multipliers(widths: NDArray[np.float64]) -> tuple[tuple[int, ...], int]:
    """Multipliers and the one shift that bring each width to 255; a width of 0 gives the multiplier 0."""
    some = widths[widths > 0]
    if not some.size:
        return (0,) * len(widths), 0
    most = 65_535 * float(some.min()) / MAX_INTENSITY
    shift = int(np.clip(np.floor(np.log2(most)), 0, MAX_SHIFT))
    wanted = np.divide(MAX_INTENSITY * 2.0**shift, widths, out=np.zeros(len(widths)), where=widths > 0)
    return tuple(wanted.round().clip(0, 65_535).astype(int).tolist()), shift


def _bounds(rows: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lowest, highest = np.quantile(rows, _RANGE, axis=0, method="nearest").astype(np.float64)
    # A feature that hardly ever changes has its range where it does.
    still = lowest == highest
    lowest[still], highest[still] = rows.min(axis=0)[still], rows.max(axis=0)[still]
    return lowest, highest


def _range(rows: Features) -> tuple[Stage, ...]:
    lowest, highest = _bounds(rows)
    multiplier, shift = _multipliers(highest - lowest)
    return (Scale(tuple(lowest.astype(int).tolist()), multiplier, shift),)


def _levels(rows: Features, count: int) -> tuple[int, ...]:
    shares = np.arange(1, count + 1) / (count + 1)
    return tuple(np.quantile(rows, shares, axis=0, method="nearest").astype(int).T.ravel().tolist())


def _quantiles(rows: Features) -> tuple[Stage, ...]:
    return (Quantiles(_QUANTILES, _levels(rows, _QUANTILES)),)


def _thermometer(rows: Features) -> tuple[Stage, ...]:
    return (Thermometer(_THERMOMETER, _levels(rows, _THERMOMETER)),)


def _on_off(rows: Features) -> tuple[Stage, ...]:
    lowest, highest = _bounds(rows)
    centre = np.quantile(rows, 0.5, axis=0, method="nearest").astype(np.float64)
    both, shift = _multipliers(np.concatenate([highest - centre, centre - lowest]).clip(min=0))
    return (OnOff(tuple(centre.astype(int).tolist()), both[: len(centre)], both[len(centre) :], shift),)


_FITTED: Mapping[str, Callable[[Features], tuple[Stage, ...]]] = {
    "range": _range,
    "range-pairs": lambda rows: (*_range(rows), Complement()),
    "quantiles": _quantiles,
    "quantile-pairs": lambda rows: (*_quantiles(rows), Complement()),
    "thermometer": _thermometer,
    "on-off": _on_off,
}
# `as-it-comes`: no stages, for values that are intensities already.
AS_IT_COMES, INVERTED = "as-it-comes", "inverted"
NAMES = (AS_IT_COMES, INVERTED, *_FITTED)
# What the tables of a coding are fitted to: all values alike, those of each channel, or each value.
TABLES = ("all", "channel", "value")
# Of a recording whose rate nobody tells here: that of speech.
_RATE, _BANDS, _FRAMES = 8000, 16, 20


def _spectrum(values: Values) -> Stage:
    """Bands of some twenty frames that overlap by half, of 64 to 512 steps each."""
    steps = values.shape[0] if values.shape else 0
    frame = 1 << min(max((2 * steps // _FRAMES).bit_length() - 1, 6), 9)
    return Spectrum.mel(_RATE, frame, frame // 2, _BANDS)


# What may be done to a sample before: how it grows from step to step, all of it spread from 0 to 255, its frequencies.
_BEFORE: Mapping[str, Callable[[Values], Stage]] = {
    "differences": lambda values: Differences(),
    "contrast": lambda values: Contrast(1),
    "spectrum": _spectrum,
}
SYNTAX = f"[{'|'.join(_BEFORE)},]NAME[:{'|'.join(TABLES)}] with a NAME of {', '.join(NAMES)}"


def fit(name: str, samples: NDArray[Any], features: int) -> tuple[Stage, ...]:
    """The stages of a coding, fitted to samples.

    Args:
        name: one of `NAMES`.
        samples: (N, values) uint8 or int16, those to learn from and no others.
        features: so many tables: 1 for all values alike, one a channel, or one a value.

    Raises:
        UserError: no coding of that name.
    """
    if name == AS_IT_COMES:
        return ()
    if name == INVERTED:
        return (Invert(),)
    if name not in _FITTED:
        raise UserError(f"no coding is called '{printable(name, 40)}'; there are {', '.join(NAMES)}")
    return _FITTED[name](features_of(samples, features))


def fit_text(text: str, samples: NDArray[Any], values: Values) -> tuple[Stage, ...]:
    """The stages of a coding as a user names it, fitted to samples.

    Args:
        text: see `SYNTAX`, e.g. "on-off", "range-pairs:value" or "differences,on-off:all". Without one of `TABLES` it
            has a table a channel for recordings, a table a value for rows of values, and one for pictures.
        samples: (N, values), those to learn from and no others.
        values: what one of them is.

    Raises:
        UserError: no such coding, or samples of another kind than it takes.
    """
    before, comma, rest = text.rpartition(",")
    name, colon, tables = rest.partition(":")
    if name not in NAMES or (colon and tables not in TABLES) or (comma and before not in _BEFORE):
        raise UserError(f"--coding {printable(text, 80)}: there is {SYNTAX}")
    stages: tuple[Stage, ...] = ()
    if comma:
        stages = (_BEFORE[before](values),)
        following = stages[0].after(values)
        samples, values = stages[0].apply(samples, values), following
    stages = (*stages, *fit(name, samples, _features(tables, values.shape)))
    # What gives intensities already can be taken as it comes, and nothing else.
    if name in (AS_IT_COMES, INVERTED) and values.type != "uint8":
        raise UserError(f"--coding {text}: samples of type {values.type} are no intensities; take {', '.join(_FITTED)}")
    return stages


def _features(tables: str, shape: Shape) -> int:
    """The tables of a coding that has one for all values, a channel (the last axis) or a value."""
    by_default = {1: "value", 2: "channel"}
    wanted = tables or by_default.get(len(shape), "all")
    return {"all": 1, "channel": shape[-1], "value": math.prod(shape)}[wanted]


def to_try(values: Values) -> tuple[str, ...]:
    """The codings, as `fit_text` takes them, that samples of a shape and type are worth trying with."""
    tables: tuple[str, ...] = {1: ("value", "all"), 2: ("channel", "value")}.get(len(values.shape), ("all", "value"))
    if values.count < FEW_VALUES:
        tables = tables[:1]
    texts = [f"{name}:{tables[0]}" for name in _FITTED]
    texts += [f"{name}:{table}" for name in ("range", "on-off") for table in tables[1:]]
    if values.type == "uint8":
        texts.insert(0, AS_IT_COMES)
    # Neighbours tell something of each other in recordings, in spectra and in many a long row.
    if values.count >= FEW_VALUES and len(values.shape) <= 2:
        texts += [f"differences,{name}" for name in ("on-off:all", "on-off:value", "quantiles:all")]
        texts.append("contrast,as-it-comes")
    return tuple(texts)
