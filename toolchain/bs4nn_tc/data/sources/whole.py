"""Values of any type as whole numbers of 8 or 16 bits, by a scale that is remembered: rint(value * scale)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model.stages import TYPES

LOWEST, HIGHEST = TYPES["int16"]
# The most decimals that a power of ten keeps, and how far a whole number may be missed by.
_DECIMALS, _MISSED = 4, 1e-3
# What one scale for all features must leave of each one's range.
_STEPS = 255

Scale = tuple[float, ...]


def type_and_scale(values: NDArray[Any], features: int, picture: bool) -> tuple[str, Scale]:
    """The type of samples, and what to multiply their values by.

    Whole numbers stay as they are where 16 bits hold them. Numbers of a few decimals are multiplied by a power of ten,
    all others by the power of two that uses half of 16 bits: the other half is left for larger ones to come.

    Args:
        values: (N, values) training samples, numbers that are finite.
        features: value i is one of feature i mod this.
        picture: numbers 0 .. 1 are shares of white.
    """
    if values.dtype == np.uint8:
        return "uint8", (1.0,)
    if values.dtype.kind in "iub" and values.size and not picture:
        lowest, highest = int(values.min()), int(values.max())
        if lowest >= LOWEST and highest <= HIGHEST:
            return "int16", (1.0,)
    if picture and values.size and values.min() >= 0:
        brightness = _scale_of_brightness(values)
        if brightness:
            return "uint8", brightness
    return "int16", _scale_to_16_bits(values, features)


def _scale_of_brightness(values: NDArray[Any]) -> Scale | None:
    """The scale to 8 bits of a picture's values from 0 on: of shares of white, or of whole numbers; None of others."""
    largest = float(values.max())
    if values.dtype.kind == "f" and largest <= 1:
        return (255.0,)
    return (1.0,) if largest <= TYPES["uint8"][1] and _are_whole(values) else None


def _scale_to_16_bits(values: NDArray[Any], features: int) -> Scale:
    """One scale for all features, or one for each where a single one leaves too few steps of some."""
    rows = values.reshape(-1, features).astype(np.float64)
    largest = np.abs(rows).max(axis=0, initial=0.0)
    one = _scale_of(values, float(largest.max(initial=0.0)))
    widths = np.ptp(rows, axis=0) if len(rows) else np.zeros(features)
    if features == 1 or (one >= 1 and _is_ten(one)) or (widths[widths > 0] * one >= _STEPS).all():
        return (one,)
    by_columns = values.reshape(-1, features)
    return tuple(_scale_of(by_columns[:, column], float(largest[column])) for column in range(features))


def _are_whole(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "iub" or bool((values == np.rint(values)).all())


def _is_ten(scale: float) -> bool:
    return scale in {10.0**decimals for decimals in range(_DECIMALS + 1)}


def _scale_of(values: NDArray[Any], largest: float) -> float:
    """A power of ten that makes whole numbers of them, or else a power of two."""
    if values.dtype.kind in "iub" and largest <= HIGHEST:
        return 1.0
    numbers = values.astype(np.float64)
    epsilon = 4 * float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
    for decimals in range(_DECIMALS + 1):
        scale = 10.0**decimals
        if largest * scale > HIGHEST:
            break
        missed = np.abs(numbers * scale - np.rint(numbers * scale))
        if (missed <= np.minimum(np.abs(numbers * scale) * epsilon + 1e-9, _MISSED)).all():
            return scale
    if largest == 0:
        return 1.0
    return float(2.0 ** np.clip(np.floor(np.log2(HIGHEST / largest)) - 1, -1000, 1000))


def apply(values: NDArray[Any], kind: str, scale: Scale) -> NDArray[Any]:
    """(N, values) of the type, those beyond it at its ends.

    Args:
        values: (N, values) numbers that are finite.
        kind: "uint8" or "int16".
        scale: one number, or one a feature.
    """
    if values.dtype == np.dtype(kind) and scale == (1.0,):
        return values
    lowest, highest = TYPES[kind]
    factors = np.tile(np.array(scale), values.shape[1] // len(scale))
    whole = np.empty(values.shape, kind)
    for start in range(0, len(values), 4096):  # piece by piece, for numbers of 64 bits are many bytes
        piece = values[start : start + 4096].astype(np.float64) * factors
        whole[start : start + 4096] = np.rint(piece).clip(lowest, highest).astype(kind)
    return whole
