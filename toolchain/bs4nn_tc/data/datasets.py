"""Data sets by their names: those that we know, files, and folders.

The test images give only the figure that is reported. Whatever is chosen (recipe, epoch, seed,
threshold) is chosen on the validation images, a sixth of the training images.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import TAKEN, Dataset, checked
from bs4nn_tc.data.sources import (
    arrays,
    bundled,
    folders,
    idx,
    image_folder,
    recordings,
    sounds,
    tables,
    torchvision_sets,
)
from bs4nn_tc.data.sources.bundled import DEFAULT_DATA_DIR, NAMES
from bs4nn_tc.data.sources.reading import ARRAYS, Reading
from bs4nn_tc.data.stages import heard, inverted, resized, sized_name, source_and_shape

__all__ = ["DEFAULT_DATA_DIR", "NAMES", "Dataset", "Reading", "is_here", "load", "sized_name"]


def load(name: str, data_dir: Path | None = None, reading: Reading | None = None, prepared: bool = True) -> Dataset:
    """Load a data set.

    Args:
        name: one of `NAMES`, or the path of a file or folder, see docs/DATASETS.md. Of several IDX sets in one folder,
            FOLDER/PREFIX is the one whose files begin so. With "-14x14" after any of these, its images at that size,
            see `stages.resized`.
        data_dir: where MNIST and Fashion-MNIST lie in torchvision's layout; "data" by default.
        reading: how its files are read; what they say themselves by default.
        prepared: dark ink inverted, and of sounds the spectrum, by stages that networks which learn it will have. A
            network that has learned has its own.

    Raises:
        MissingToolError: the data set or the package that brings it is not on this machine.
        UserError: an unknown name, or damaged or unusable data.
    """
    source, shape = source_and_shape(name)
    read = reading or Reading()
    try:
        if shape is None or _is_source(name) or not _is_source(source):
            loaded = checked(_load_source(name, data_dir, read))
            square = min(loaded.image_shape)
            if read.crop and loaded.polarity is not None and loaded.image_shape != (square, square):
                loaded = replace(resized(loaded, (square, square), crop=True), name=loaded.name)
        else:
            whole = checked(_load_source(source, data_dir, replace(read, size=shape)))
            loaded = resized(whole, shape, read.crop)
        return heard(inverted(loaded, _invert(loaded, source, read))) if prepared else loaded
    except MemoryError as error:
        raise UserError(f"{name} does not fit into the memory here; take fewer or smaller images") from error


def _invert(loaded: Dataset, source: str, reading: Reading) -> str:
    """What to do about dark ink: nothing in sets that we know, and in arrays, whose two axes need be no picture."""
    kind = None if loaded.reading is None else loaded.reading.get("kind")
    left = bundled.plain(source) in NAMES or kind == ARRAYS
    return "no" if left and reading.invert == "auto" else reading.invert


def is_here(name: str) -> bool:
    """Whether `load` would find something under a name, however damaged."""
    return any(map(_is_source, {name, source_and_shape(name)[0]}))


def _is_source(name: str) -> bool:
    """Whether something has that very name, with images of their own size."""
    if name.startswith(torchvision_sets.PREFIX):
        return source_and_shape(name)[1] is None
    if bundled.plain(name) in NAMES or (bool(name) and os.path.isdir(name)):  # noqa: PTH112
        return True
    return bool(name) and (_reader_of(name) is not None or _set_in_parent(name) is not None)


# What reads a file, by the end of its name.
_READERS: Mapping[str, Callable[[Path, Reading], Dataset]] = {
    ".npz": arrays.load_npz,
    ".npy": arrays.load_npy,
    **dict.fromkeys(tables.ENDINGS, tables.load),
}
# What reads a folder, by what most of the files in it are; a folder without files is one of images that lacks them.
_FOLDERS: Mapping[folders.Kind, Callable[[Path, Reading], Dataset]] = {
    image_folder.IMAGES: image_folder.load,
    sounds.WAVS: sounds.load,
    recordings.FILES: recordings.load,
}


def _reader_of(name: str) -> Callable[[Path, Reading], Dataset] | None:
    return _READERS.get(Path(name).suffix.lower()) if os.path.isfile(name) else None  # noqa: PTH113


def _load_source(name: str, data_dir: Path | None, reading: Reading) -> Dataset:
    if bundled.plain(name) in NAMES:
        return bundled.load(bundled.plain(name), data_dir, reading)
    if name.startswith(torchvision_sets.PREFIX):
        return torchvision_sets.load(name, data_dir or DEFAULT_DATA_DIR, reading)
    if not _is_source(name):
        raise UserError(_unknown(name))
    return _from_path(name, reading)


def _from_path(name: str, reading: Reading) -> Dataset:
    given = Path(name)
    folder = given.resolve()
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{folder}: the path of a data set must be UTF-8; rename the folder") from error
    reader = _reader_of(name)
    if reader is not None:
        return replace(reader(given, reading), name=str(folder))
    prefix = _set_in_parent(name)
    if prefix is not None:
        return replace(idx.load(given.parent, prefix), name=str(given.parent.resolve() / given.name))
    sets = idx.sets_in(given)
    if len(sets) > 1 and idx.NO_PREFIX not in sets:
        choices = [str(given / _short(prefix)) for prefix in sorted(sets)]
        raise UserError(f"{name} holds several data sets; give one of them: {', '.join(choices[:20])}")
    if sets:
        prefix = idx.NO_PREFIX if idx.NO_PREFIX in sets else min(sets)
        return replace(idx.load(given, prefix), name=str(folder))
    for is_folder, load_folder in ((arrays.is_folder, arrays.load_npy), (tables.is_folder, tables.load)):
        if is_folder(given):
            return replace(load_folder(given, reading), name=str(folder))
    kind = folders.kind_of(given, tuple(_FOLDERS))
    return replace(_FOLDERS[kind](given, reading), name=str(folder))


def _set_in_parent(name: str) -> str | None:
    """The prefix of the IDX set that FOLDER/PREFIX names, if it is no folder of its own."""
    path = Path(name)
    if os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises where a folder above cannot be searched
        return None
    return next((prefix for prefix in idx.sets_in(path.parent) if _short(prefix) == path.name != ""), None)


def _short(prefix: str) -> str:
    return prefix.rstrip("-_. ")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1)
    if near:
        return f"'{name}' is neither a data set ({', '.join(NAMES)}) nor a folder; did you mean {near[0]}?"
    what = "is a file" if os.path.isfile(name) else f"is neither a data set ({', '.join(NAMES)}) nor a folder"  # noqa: PTH113
    return f"'{printable(name, 200)}' {what}; {TAKEN}"
