"""Other people's weights -> `Network`: any list of weight matrices with thresholds or alphas.

Only the signs of the weights are used. `rules="paper"` is the paper's text: a neuron fires when
V >= theta / alpha, a spike arrives in the step in which it is fired, and the potentials of the last step
decide a silent image. `rules="authors"` is what the authors' program does: V > theta / alpha, a
delay of one step, and the potentials of step T - 3 decide (253 of 256).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import archives
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import read_file
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.limits import MAX_INTENSITY, MAX_SYNAPSES, MAX_THRESHOLD, check_sizes
from bs4nn_tc.model.network import Network

Rules = Literal["paper", "authors"]

# Bytes of an array of weights: the largest network's in float32.
_MAX_BYTES = 4 * MAX_SYNAPSES
_MAX_OVERHEAD = 1_000_000


def load_weights(path: Path, transpose: bool = False) -> NDArray[np.int8]:
    """Read one layer's weights from a .npy file and take their signs.

    Args:
        path: a file with an array (out, ...), as PyTorch has it; all after the first axis is flattened to inputs.
        transpose: the array is (..., out) instead, as Keras has it; all before the last axis is flattened.

    Returns:
        (out, in) int8 of -1 and +1.

    Raises:
        UserError: no such file, not a plain numeric array, NaN or infinite weights, a zero (it has no sign), or more
            than a network has.
    """
    weights = _read_array(path)
    if weights.dtype.kind not in "fiu" or weights.ndim < 2 or weights.size == 0:
        raise UserError(
            f"{path} holds {_kind(weights)} of shape {weights.shape}; real weights (out, in), or with --transpose "
            "(in, out), are needed"
        )
    # A view either way.
    weights = weights.reshape(-1, weights.shape[-1]).T if transpose else weights.reshape(len(weights), -1)
    try:
        check_sizes(weights.shape[::-1])
    except UserError as error:
        raise UserError(f"{path} holds weights of shape {weights.shape}: {error}") from error
    if not np.isfinite(weights).all():
        row, column = np.argwhere(~np.isfinite(weights))[0]
        raise UserError(f"{path}: the weight of neuron {row}, input {column} is {weights[row, column]}, not a number")
    zeros = weights == 0
    if zeros.any():
        row, column = np.unravel_index(int(zeros.argmax()), zeros.shape)
        raise UserError(
            f"{path}: {np.count_nonzero(zeros):,} weights are zero (first: neuron {row}, input {column}) "
            "and have no sign; replace them by a small positive or negative number"
        )
    signs = np.ascontiguousarray(weights > 0).view(np.int8)
    signs *= 2
    signs -= 1
    return signs


def fits(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether layers of (out, in) follow each other."""
    return all(above[1] == below[0] for below, above in itertools.pairwise(sizes))


def check_orientation(signs: Sequence[NDArray[np.int8]], transpose: bool | None) -> str | None:
    """Whether the matrices are the right way round, as far as their shapes tell.

    Args:
        signs: one (out, in) array a layer.
        transpose: what the user said; None for nothing, and then they were taken as (out, in).

    Returns:
        A hint for the user where the shapes allow both ways and nothing was said.

    Raises:
        UserError: they fit each other only the other way round.
    """
    shapes = [layer.shape for layer in signs]
    as_taken, other_way = fits(shapes), fits([shape[::-1] for shape in shapes])
    if other_way and not as_taken:
        remedy = "leave out --transpose" if transpose else "add --transpose"
        raise UserError(
            f"as (out, in), layers of {', '.join(map(str, shapes[:9]))} do not follow each other, but they do the "
            f"other way round; {remedy}"
        )
    if other_way and transpose is None:
        return (
            "the shapes fit both ways; they were taken as (out, in), PyTorch's way. If they are Keras' (in, out), add "
            "--transpose; --no-transpose says that this is right"
        )
    return None


def _read_array(path: Path, max_bytes: int = _MAX_BYTES) -> NDArray[Any]:
    """The array in a .npy file; never unpickles."""
    content = read_file(path, max_bytes + _MAX_OVERHEAD)
    try:
        return archives.read_npy(content, max_bytes)
    except UserError as error:
        raise UserError(f"{path} is not a plain NumPy array file: {error}") from error


def _kind(array: NDArray[Any]) -> str:
    """Its type for messages; that of a table with named columns may be long."""
    return printable(array.dtype, 40)


def load_proxies(paths: Sequence[Path], network: Network) -> tuple[NDArray[np.float32], ...]:
    """Real-valued weights, (out, in) a layer: of a run's best-proxies.npz, or of one .npy file a layer.

    Args:
        paths: one .npz file, or .npy files; everything after the first axis is flattened to inputs.
        network: whose weights they are to be.

    Raises:
        UserError: a file cannot be read, or the shapes are not the network's.
    """
    is_archive = len(paths) == 1 and paths[0].suffix == ".npz"
    found = _archived_proxies(paths[0], network) if is_archive else _separate_proxies(paths, network)
    shapes = [(layer.neurons, layer.inputs) for layer in network.layers]
    if [one.shape for one in found] != shapes:
        raise UserError(f"proxy weights of shapes {[one.shape for one in found][:9]}; the network has {shapes[:9]}")
    if any(one.dtype.kind != "f" for one in found):
        raise UserError("proxy weights have to be floating-point numbers")
    with np.errstate(over="ignore"):  # beyond float32 it is infinite, and refused
        weights = tuple(np.ascontiguousarray(one, np.float32) for one in found)
    if not all(np.isfinite(one).all() for one in weights):
        raise UserError("proxy weights have to be finite numbers, as float32")
    return weights


def _separate_proxies(paths: Sequence[Path], network: Network) -> list[NDArray[Any]]:
    """One array of each file, its inputs flattened."""
    most = 8 * max(layer.signs.size for layer in network.layers)
    arrays = [_read_array(path, most) for path in paths]
    return [array.reshape(len(array), -1) if array.ndim and array.size else array for array in arrays]


def _archived_proxies(path: Path, network: Network) -> list[NDArray[Any]]:
    """The arrays (in, out) of a best-proxies.npz, turned to (out, in)."""
    content = read_file(path, 8 * network.synapses + _MAX_OVERHEAD)
    try:
        archive = archives.Archive(content)
        names = [f"proxies_{number}" for number in range(1, len(network.layers) + 1)]
        for name, layer in zip(names, network.layers, strict=True):
            if name in archive.facts and archive.facts[name].shape != (layer.inputs, layer.neurons):
                shape = archive.facts[name].shape
                raise UserError(f"{name} has the shape {shape}; {(layer.inputs, layer.neurons)} is needed")
        return [archive.read(name).T for name in names]
    except UserError as error:
        raise UserError(f"{path} holds no proxy weights of {network.shape_text}: {error}") from error


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
    try:
        number = float(text)
    except ValueError:
        return _thresholds_in(Path(text))
    if not 1 <= number <= MAX_THRESHOLD:
        raise UserError(f"--threshold {printable(text, 40)}: 1 to {MAX_THRESHOLD:,} is allowed")
    if not number.is_integer():
        raise UserError(
            f"--threshold {printable(text, 40)}: a threshold is a whole number, as potentials are; V >= {number:g} "
            f"means V >= {math.ceil(number)}"
        )
    return int(number)


def _thresholds_in(path: Path) -> NDArray[np.integer]:
    if not path.exists():
        raise UserError(f"--threshold {path}: neither a whole number nor a .npy file that exists")
    values = _read_array(path)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise UserError(f"{path} holds {_kind(values)}; whole-number thresholds are needed")
    return values


def network_from_weights(
    signs: Sequence[NDArray[np.int8]],
    thresholds: Sequence[int | NDArray[np.integer]],
    *,
    rules: Rules = "paper",
    time_steps: int = 256,
    readout_step: int | None = None,
    intensity_max: int = MAX_INTENSITY,
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
            layers.append(Dense(layer_signs, layer_thresholds))
        except UserError as error:
            raise UserError(f"layer {number}: {error}") from error
    if readout_step is None:
        readout_step = max(time_steps - 3, 0) if rules == "authors" else time_steps - 1
    return Network(
        tuple(layers),
        time_steps=time_steps,
        delay=1 if rules == "authors" else 0,
        readout_step=readout_step,
        input=Input(intensity_max=intensity_max),
        description=description or {},
    )
