"""Codings: stages whose tables follow from training samples, so that every value's spike tells something.

Equation 1 presumes that a large value means much and a small one nothing. Values that are signed, always large or
skewed need numbers of their own. No coding is the best on all data; who trains lets validation samples choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.stages import Complement, OnOff, Quantiles, Scale, Stage, Thermometer
from bs4nn_tc.model.stages.tables import MAX_SHIFT

# Shares of the training values at which a range begins and ends: a single outlier does not stretch it.
_RANGE = (0.005, 0.995)
# Levels of `quantiles` and of `thermometer`.
_QUANTILES, _THERMOMETER = 15, 4

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
AS_IT_COMES = "as-it-comes"
NAMES = (AS_IT_COMES, *_FITTED)


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
    if name not in _FITTED:
        raise UserError(f"no coding is called '{name}'; there are {', '.join(NAMES)}")
    return _FITTED[name](features_of(samples, features))
