"""Other people's weights -> `Network`: any list of weight matrices with thresholds or alphas.

Only the signs of the weights are used. `rules="paper"` is the paper's text: a neuron fires when
V >= theta / alpha, a spike arrives in the step in which it is fired, and the potentials of the last step
decide a silent image. `rules="authors"` is what the authors' program does: V > theta / alpha, a
delay of one step, and the potentials of step T - 3 decide (253 of 256).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.model.network import MAX_THRESHOLD, Layer, Network

Rules = Literal["paper", "authors"]


def load_weights(path: Path) -> NDArray[np.int8]:
    """Read one layer's weights from a .npy file and take their signs.

    Args:
        path: a file with an array (out, ...); everything after the first axis is flattened to inputs.

    Returns:
        (out, in) int8 of -1 and +1.

    Raises:
        UserError: no such file, not a plain numeric array, NaN or infinite weights, or a zero (it has
            no sign).
    """
    weights = _read_array(path)
    if weights.dtype.kind not in "fiu" or weights.ndim < 2 or weights.size == 0:
        raise UserError(f"{path} holds {weights.dtype} of shape {weights.shape}; real weights (out, in) are needed")
    weights = weights.reshape(len(weights), -1)
    if not np.isfinite(weights).all():
        row, column = np.argwhere(~np.isfinite(weights))[0]
        raise UserError(f"{path}: the weight of neuron {row}, input {column} is {weights[row, column]}, not a number")
    if (weights == 0).any():
        row, column = np.argwhere(weights == 0)[0]
        raise UserError(
            f"{path}: {np.count_nonzero(weights == 0):,} weights are zero (first: neuron {row}, input {column}) "
            "and have no sign; replace them by a small positive or negative number"
        )
    return np.where(weights > 0, 1, -1).astype(np.int8)


def _read_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file; never unpickles."""
    with disk_errors(path, "read"):
        content = path.open("rb")
    with content:
        try:
            array: NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
        except (ValueError, EOFError, SyntaxError, MemoryError) as error:
            raise UserError(f"{path} is not a plain NumPy array file: {error}") from error
    return array


def load_proxies(paths: Sequence[Path], network: Network) -> tuple[NDArray[np.float32], ...]:
    """Real-valued weights, (out, in) a layer: of a run's best-proxies.npz, or of one .npy file a layer.

    Args:
        paths: one .npz file, or .npy files; everything after the first axis is flattened to inputs.
        network: whose weights they are to be.

    Raises:
        UserError: a file cannot be read, or the shapes are not the network's.
    """
    if len(paths) == 1 and paths[0].suffix == ".npz":
        try:
            with np.load(paths[0], allow_pickle=False) as archive:
                found = [archive[f"proxies_{number}"].T for number in range(1, len(network.layers) + 1)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{paths[0]} holds no proxy weights of {len(network.layers)} layers: {error}") from error
    else:
        found = [array.reshape(len(array), -1) if array.ndim else array for array in map(_read_array, paths)]
    shapes = [(layer.neurons, layer.inputs) for layer in network.layers]
    if [one.shape for one in found] != shapes:
        raise UserError(f"proxy weights of shapes {[one.shape for one in found]}; the network has {shapes}")
    if any(one.dtype.kind != "f" or not np.isfinite(one).all() for one in found):
        raise UserError("proxy weights have to be finite floating-point numbers")
    return tuple(np.ascontiguousarray(one, np.float32) for one in found)


def threshold_from_alpha(theta: float, alpha: float, rules: Rules, fan_in: int) -> int:
    """The whole-number threshold that stands for theta and alpha (equations 3 and 4).

    A potential V is a whole number, so V >= theta / alpha is V >= ceil(theta / alpha), and the authors'
    V > theta / alpha is V >= floor(theta / alpha) + 1. The division is exact (rational).

    Raises:
        UserError: theta or alpha is not a positive number.
    """
    if not (math.isfinite(theta) and math.isfinite(alpha) and theta > 0 and alpha > 0):
        raise UserError(f"theta {theta} and alpha {alpha} must be positive numbers")
    quotient = Fraction(theta) / Fraction(alpha)
    threshold = math.floor(quotient) + 1 if rules == "authors" else math.ceil(quotient)
    # A threshold above the fan-in is never reached, whatever its value.
    return min(threshold, max(fan_in + 1, 1)) if fan_in < MAX_THRESHOLD else threshold


def thresholds_of_layers(
    signs: Sequence[NDArray[np.int8]],
    theta: float | None,
    alphas: Sequence[float],
    thresholds: Sequence[str],
    rules: Rules,
) -> list[int | NDArray[np.integer]]:
    """One threshold, or one a neuron, for every layer: from theta and alphas, or given directly.

    Args:
        signs: one (out, in) array a layer.
        theta: the firing threshold, with `alphas`.
        alphas: one a layer.
        thresholds: instead: a whole number or the path of a .npy file with (out,) of them, one a layer.
        rules: how theta / alpha is rounded, see `threshold_from_alpha`.

    Raises:
        UserError: both or neither are given, or not one for each layer.
    """
    if thresholds and (theta is not None or alphas):
        raise UserError("give either --theta with --alpha, or --threshold, not both")
    if thresholds:
        if len(thresholds) != len(signs):
            raise UserError(f"{len(signs)} layers need {len(signs)} --threshold, {len(thresholds)} given")
        return [_given_threshold(text) for text in thresholds]
    if theta is None or len(alphas) != len(signs):
        raise UserError(
            f"{len(signs)} layers need --theta and {len(signs)} --alpha ({len(alphas)} given), or --threshold for each"
        )
    return [
        threshold_from_alpha(theta, alpha, rules, layer.shape[1]) for alpha, layer in zip(alphas, signs, strict=True)
    ]


def _given_threshold(text: str) -> int | NDArray[np.integer]:
    if text.isdecimal():
        return int(text)
    path = Path(text)
    values = _read_array(path)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise UserError(f"{path} holds {values.dtype}; whole-number thresholds are needed")
    return values


def network_from_weights(
    signs: Sequence[NDArray[np.int8]],
    thresholds: Sequence[int | NDArray[np.integer]],
    *,
    rules: Rules = "paper",
    time_steps: int = 256,
    readout_step: int | None = None,
    intensity_max: int = 255,
    description: dict[str, Any] | None = None,
) -> Network:
    """Put layers together under one of the two sets of rules.

    Args:
        signs: one (out, in) array of -1 and +1 a layer.
        thresholds: one whole number, or (out,) whole numbers, a layer.
        rules: "paper" (delay 0) or "authors" (delay 1).
        time_steps: T.
        readout_step: r; by default T - 1 (paper) or T - 3 (authors).
        intensity_max: Imax.
        description: plain facts to keep with the network.

    Raises:
        UserError: shapes that do not fit together, or values outside SPEC.md's limits.
    """
    layers = []
    for number, (layer_signs, layer_thresholds) in enumerate(zip(signs, thresholds, strict=True), start=1):
        try:
            layers.append(Layer(layer_signs, layer_thresholds))
        except UserError as error:
            raise UserError(f"layer {number}: {error}") from error
    if readout_step is None:
        readout_step = max(time_steps - 3, 0) if rules == "authors" else time_steps - 1
    return Network(
        tuple(layers),
        time_steps=time_steps,
        delay=1 if rules == "authors" else 0,
        readout_step=readout_step,
        intensity_max=intensity_max,
        description=description or {},
    )
