"""One more file, read as those of the data set were that a network has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.sources import arrays, image_folder, pictures, recordings, sounds, tables
from bs4nn_tc.data.sources.reading import RECORDINGS, Reading


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(N, values) every sample in a file: rows of a table, windows of a recording, a picture, a sound, an array.

    Args:
        path: a file of any kind that gives samples of that shape.
        reading: of the data set, with shape, type and scale.

    Raises:
        MissingToolError: a package that reads such files is not installed.
        UserError: it cannot be read, or holds samples of another shape.
    """
    if not reading.shape or not reading.type or not reading.scale:
        raise UserError(f"{path}: nothing says what a sample of this network is; train it anew with this release")
    ending = path.suffix.lower()
    if ending == ".npy":
        return arrays.read_all(path, reading)
    if ending in tables.ENDINGS:
        read = recordings.read_all if reading.kind == RECORDINGS else tables.read_all
        return read(path, reading)
    if ending in sounds.WAVS.endings:
        return sounds.read_all(path, reading)
    if ending in pictures.ENDINGS and len(reading.shape) == 2 and reading.type == "uint8":
        return image_folder.read_all(path, reading)
    taken = (".npy", *tables.ENDINGS, *sounds.WAVS.endings, *pictures.ENDINGS)
    raise UserError(f"{path} is of no kind that this network takes; files are {', '.join(taken)}")


def read_one(path: Path, reading: Reading) -> NDArray[Any]:
    """(values,) the one sample in a file, see `read_all`.

    Raises:
        MissingToolError, UserError: as for `read_all`, or it holds several samples.
    """
    samples = read_all(path, reading)
    if len(samples) != 1:
        raise UserError(f"{path} holds {len(samples):,} samples; a file of one is needed")
    sample: NDArray[Any] = samples[0]
    return sample
