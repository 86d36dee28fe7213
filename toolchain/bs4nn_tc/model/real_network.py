"""S4NN networks: real-valued weights, for comparison. They run on the host only and are no network files.

A file is a NumPy archive: weights_1 .. (inputs, neurons) float32, thresholds (layers,) float32, and `facts`, JSON
with the format's version, time steps, largest intensity and a description.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.archives import Archive, to_npz
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import read_file, write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_HEADER, MAX_INTENSITY, MAX_TIME_STEPS, check_sizes, whole_number
from bs4nn_tc.model.network import check_description, header_text

FORMAT = "bs4nn-tc s4nn 1"
SUFFIX = ".s4nn.npz"
# 64 MB of weights; a file of them with its facts, and an archive's own bytes, stays below the other limit.
MAX_WEIGHTS = 2**24
_MAX_BYTES = 4 * MAX_WEIGHTS + 4_000_000


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
    def sizes(self) -> tuple[int, ...]:
        """(inputs, neurons of layer 1, ..., neurons of layer L)."""
        return (len(self.weights[0]), *(layer.shape[1] for layer in self.weights))

    @property
    def shape_text(self) -> str:
        """The sizes as people write them, for instance '784-400-10'."""
        return "-".join(map(str, self.sizes))

    def eight_bit(self) -> RealNetwork:
        """As a microcontroller would have it: weights -127 .. 127, whole-number thresholds in the same scale."""
        scales = [127 / max(float(np.abs(layer).max()), 1e-30) for layer in self.weights]
        rounded = [np.rint(layer * scale).astype(np.float32) for layer, scale in zip(self.weights, scales, strict=True)]
        thresholds = np.floor(self.thresholds * np.array(scales)).astype(np.float32)
        return replace(self, weights=tuple(rounded), thresholds=thresholds)

    def save(self, path: Path) -> None:
        """Write the file; the same network gives the same bytes.

        Raises:
            UserError: the disk is full or the folder cannot be written, or the description is none of plain facts.
        """
        check_description(self.description)
        facts = {
            "format": FORMAT,
            "time_steps": self.time_steps,
            "intensity_max": self.intensity_max,
            "description": self.description,
        }
        arrays = {f"weights_{number}": layer for number, layer in enumerate(self.weights, start=1)}
        text = np.frombuffer(header_text(facts), np.uint8)
        write_atomically(path, to_npz({"facts": text, "thresholds": self.thresholds, **arrays}))


def load(path: Path) -> RealNetwork:
    """Read a file.

    Raises:
        UserError: there is none, or it is no S4NN network.
    """
    content = read_file(path, _MAX_BYTES)
    try:
        return _network(Archive(content))
    except UserError as error:
        raise UserError(f"{path} is no S4NN network: {error}") from error


def _network(archive: Archive) -> RealNetwork:
    """The network in an archive; nothing is unpacked before all shapes are known to fit, for the C code trusts them."""
    names = _checked_names(archive)
    text = archive.facts["facts"]
    if text.dtype != np.uint8 or len(text.shape) != 1 or text.bytes > MAX_HEADER:
        raise UserError(f"its facts are no text of at most {MAX_HEADER:,} bytes")
    said = plain_json.parse(archive.read("facts").tobytes(), "its text of facts")
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        found = said.get("format") if isinstance(said, dict) else None
        raise UserError(f"it has the format '{printable(found, 40)}'; '{FORMAT}' is needed")
    check_description(said.get("description"))
    network = RealNetwork(
        weights=tuple(np.ascontiguousarray(archive.read(name)) for name in names),
        thresholds=archive.read("thresholds"),
        time_steps=whole_number("time_steps", said.get("time_steps"), 1, MAX_TIME_STEPS),
        intensity_max=whole_number("intensity_max", said.get("intensity_max"), 1, MAX_INTENSITY),
        description=said["description"],
    )
    if not all(np.isfinite(array).all() for array in (*network.weights, network.thresholds)):
        raise UserError("a weight or threshold is no number")
    return network


def _checked_names(archive: Archive) -> list[str]:
    """Names of its arrays of weights, whose shapes and types fit each other."""
    facts = archive.facts
    names = [f"weights_{number}" for number in range(1, len(facts) - 1)]
    if set(facts) != {"facts", "thresholds", *names} or not names:
        raise UserError("its arrays are not facts, thresholds and weights_1, weights_2 ...")
    shapes = [facts[name].shape for name in names]
    if any(len(shape) != 2 or facts[name].dtype != np.float32 for name, shape in zip(names, shapes, strict=True)):
        raise UserError("its weights are not (inputs, neurons) arrays of float32")
    if facts["thresholds"].dtype != np.float32 or facts["thresholds"].shape != (len(names),):
        raise UserError("it needs one float32 threshold a layer")
    sizes = (shapes[0][0], *(shape[1] for shape in shapes))
    if [shape[0] for shape in shapes] != list(sizes[:-1]):
        raise UserError("the sizes of its layers do not fit each other")
    check_sizes(sizes, MAX_WEIGHTS)
    return names
