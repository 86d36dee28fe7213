"""Samples in files of any kind that is read, without classes, read as those were that a network has learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.data.dataset import ground_of, polarity_of
from bs4nn_tc.data.sources import arrays, image_folder, pictures, recordings, sounds, tables
from bs4nn_tc.data.sources.assembling import natural
from bs4nn_tc.data.sources.reading import TABLE, Reading
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Shape, as_picture, shape_text

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
    if reader is tables.read_all and are_recordings(reading):
        reader = recordings.read_all
    if reader is image_folder.read_all:
        return _picture(path, reading, network.input)
    samples = reader(path, reading)
    if samples.dtype == np.uint8 and samples.max(initial=0) > network.input.intensity_max:
        raise UserError(f"{path} has a value of {samples.max()}; the network takes 0 to {network.input.intensity_max}")
    return samples


def are_recordings(reading: Reading) -> bool:
    """Whether samples are steps x channels, which a text file has one row a step of, not one row a sample."""
    return len(reading.shape) == 2 and reading.type == "int16" and reading.kind != TABLE


def _picture(path: Path, reading: Reading, taken: Input) -> NDArray[np.uint8]:
    """(1, pixels) in the network's intensities."""
    if taken.type != "uint8" or len(reading.shape) > 2:
        raise UserError(
            f"{path} is a picture; the network takes {shape_text(reading.shape)} values of {taken.type}: give such "
            "values in a .npy file"
        )
    grey = image_folder.read_all(path, replace(reading, shape=_picture_shape(reading.shape)))
    highest = taken.intensity_max
    return ((grey.astype(np.int64) * highest + MAX_INTENSITY // 2) // MAX_INTENSITY).astype(np.uint8)


def _picture_shape(shape: Shape) -> Shape:
    """(rows, columns): a square, where only the number of values is known."""
    side = math.isqrt(shape[0])
    return (side, side) if len(shape) == 1 and side * side == shape[0] else as_picture(shape)


def note_on_ink(path: Path, samples: NDArray[Any], network: Network) -> str | None:
    """A line for people where a picture's ink is bright and the network has learned dark ink, or the other way round.

    Args:
        path: the file.
        samples: what `read` has given.
        network: which has to say what it has learned, and to have no stages that might change it.
    """
    learned = None if network.data is None else network.data.polarity
    if path.suffix.lower() not in pictures.ENDINGS or learned is None or network.input.stages:
        return None
    shape = _picture_shape(reading_of(network).shape)
    found = polarity_of(ground_of(samples.reshape(-1, *shape)) / network.input.intensity_max)
    if found == learned:
        return None
    return f"{path} has {found} ink, and the network has learned {learned} ink: invert it"
