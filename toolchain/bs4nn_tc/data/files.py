"""Samples in files of any kind that is read, without classes, read as those were that a network has learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.data.sources import arrays, image_folder, pictures, recordings, sounds, tables
from bs4nn_tc.data.sources.assembling import natural
from bs4nn_tc.data.sources.reading import RECORDINGS, Reading
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.network import Network

_READERS: Mapping[str, Callable[[Path, Reading], NDArray[Any]]] = {
    ".npy": arrays.read_all,
    ".npz": arrays.read_all,
    ".wav": sounds.read_all,
    **dict.fromkeys(tables.ENDINGS, tables.read_all),
    **dict.fromkeys(pictures.ENDINGS, image_folder.read_all),
}


def listed(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and for a folder those in it, and in the folders in it, that are read.

    Raises:
        UserError: a folder that cannot be read, or holds none.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        with disk_errors(path, "read"):
            inside = [one for one in path.rglob("*") if one.suffix.lower() in _READERS and one.is_file()]
        if not inside:
            raise UserError(f"{path} holds no file of samples ({', '.join(_READERS)})")
        found += sorted(inside, key=lambda one: natural(str(one)))
    return found


def reading_of(network: Network) -> Reading:
    """How the network's data set was read, with what its input says where that is not known."""
    said = Reading.from_json(None if network.data is None else network.data.reading)
    shape = network.input.shape or (network.sizes[0],)
    return replace(said, type=network.input.type, shape=shape, scale=said.scale or (1.0,))


def read(path: Path, network: Network) -> NDArray[Any]:
    """(N, values) all samples of a file, of the type and values that a network takes.

    Raises:
        MissingToolError: what reads such files is not installed.
        UserError: no kind of file that is read, one that cannot be read, or samples that the network does not take.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} is no file of samples; taken are {', '.join(_READERS)}")
    reading = reading_of(network)
    if reader is tables.read_all and reading.kind == RECORDINGS:
        reader = recordings.read_all
    samples = reader(path, reading)
    if reader is image_folder.read_all:
        samples = _as_learned(samples, network)
    highest = int(samples.max(initial=0))
    if samples.dtype == np.uint8 and highest > network.input.intensity_max:
        raise UserError(f"{path} has a value of {highest}; the network takes 0 to {network.input.intensity_max}")
    return samples


def _as_learned(grey: NDArray[np.uint8], network: Network) -> NDArray[np.uint8]:
    """(N, pixels) of 0 .. 255 in the intensities of a network, its ink as bright or dark as what that has learned."""
    highest = network.input.intensity_max
    return ((grey.astype(np.int64) * highest + MAX_INTENSITY // 2) // MAX_INTENSITY).astype(np.uint8)
