"""S4NN networks: real-valued weights, for comparison. They run on the host only and are no network files.

A file is a NumPy archive: weights_1 .. (inputs, neurons) float32, thresholds (layers,) float32, and `facts`, JSON
with the format's version, time steps, largest intensity and a description.
"""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.model.network import MAX_INTENSITY, MAX_TIME_STEPS

FORMAT = "bs4nn-tc s4nn 1"
SUFFIX = ".s4nn.npz"


@dataclass(frozen=True, eq=False)
class RealNetwork:
    """Attributes:
    weights: one (inputs, neurons) float32 array a layer.
    thresholds: (layers,) float32; a neuron fires one step after its potential exceeds its layer's.
    time_steps: T.
    intensity_max: intensity of a pixel that fires at step 0.
    description: plain facts about where the network comes from.
    """

    weights: tuple[NDArray[np.float32], ...]
    thresholds: NDArray[np.float32]
    time_steps: int
    intensity_max: int
    description: dict[str, Any] = field(default_factory=dict)

    @property
    def shape_text(self) -> str:
        """The sizes as people write them, for instance '784-400-10'."""
        return "-".join(str(size) for size in (len(self.weights[0]), *(layer.shape[1] for layer in self.weights)))

    def eight_bit(self) -> RealNetwork:
        """As a microcontroller would have it: weights -127 .. 127, whole-number thresholds in the same scale."""
        scales = [127 / max(float(np.abs(layer).max()), 1e-30) for layer in self.weights]
        rounded = [np.rint(layer * scale).astype(np.float32) for layer, scale in zip(self.weights, scales, strict=True)]
        thresholds = np.floor(self.thresholds * np.array(scales)).astype(np.float32)
        return replace(self, weights=tuple(rounded), thresholds=thresholds)

    def save(self, path: Path) -> None:
        """Write the file; the same network gives the same bytes.

        Raises:
            UserError: the disk is full or the folder cannot be written.
        """
        facts = {
            "format": FORMAT,
            "time_steps": self.time_steps,
            "intensity_max": self.intensity_max,
            "description": self.description,
        }
        arrays = {f"weights_{number}": layer for number, layer in enumerate(self.weights, start=1)}
        content = io.BytesIO()
        text = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)
        np.savez(content, allow_pickle=False, facts=text, thresholds=self.thresholds, **arrays)
        write_atomically(path, content.getvalue())


def load(path: Path) -> RealNetwork:
    """Read a file.

    Raises:
        UserError: there is none, or it is no S4NN network.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(archive["facts"].tobytes())
            arrays = {name: archive[name] for name in archive.files if name != "facts"}
        if facts["format"] != FORMAT:
            raise UserError(f"{path} has the format '{facts['format']}'; '{FORMAT}' is needed")
        thresholds = arrays.pop("thresholds")
        weights = tuple(arrays.pop(f"weights_{number}") for number in range(1, len(arrays) + 1))
        network = RealNetwork(weights, thresholds, facts["time_steps"], facts["intensity_max"], facts["description"])
        _check(network)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no S4NN network: {error}") from error
    return network


def _check(network: RealNetwork) -> None:
    """Refuse what no S4NN network can be; the C code trusts shapes and types.

    Raises:
        ValueError: what is wrong.
    """
    weights, thresholds = network.weights, network.thresholds
    for number, layer in enumerate(weights, start=1):
        if layer.dtype != np.float32 or layer.ndim != 2 or 0 in layer.shape or not np.isfinite(layer).all():
            raise ValueError(f"weights_{number} has to be an (inputs, neurons) array of finite float32 numbers")
    if any(lower.shape[1] != len(upper) for lower, upper in itertools.pairwise(weights)):
        raise ValueError("the sizes of its layers do not fit each other")
    if thresholds.dtype != np.float32 or thresholds.shape != (len(weights),) or not weights:
        raise ValueError("it needs one float32 threshold a layer")
    if not np.isfinite(thresholds).all():
        raise ValueError("a threshold is no number")
    for name, value, highest in (
        ("time_steps", network.time_steps, MAX_TIME_STEPS),
        ("intensity_max", network.intensity_max, MAX_INTENSITY),
    ):
        if type(value) is not int or not 1 <= value <= highest:
            raise ValueError(f"{name} is {value}; 1 to {highest:,} is allowed")
    if not isinstance(network.description, dict):
        raise ValueError("its description is no set of named facts")
