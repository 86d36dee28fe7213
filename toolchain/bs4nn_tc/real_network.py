"""S4NN networks: real-valued weights, for comparison. They run on the host only and are no network files.

A file is a NumPy archive: weights_1 .. (inputs, neurons) float32, thresholds (layers,) float32, and `facts`, JSON
with the format's version, time steps, largest intensity and a description.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.errors import UserError
from bs4nn_tc.files import write_atomically

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
            if facts["format"] != FORMAT:
                raise UserError(f"{path} has the format '{facts['format']}'; '{FORMAT}' is needed")
            weights = tuple(archive[f"weights_{number}"] for number in range(1, len(archive.files) - 1))
            return RealNetwork(
                weights, archive["thresholds"], facts["time_steps"], facts["intensity_max"], facts["description"]
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no S4NN network: {error}") from error
