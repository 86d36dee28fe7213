"""Arrays of NumPy: one .npz file, or .npy files beside each other. Nothing is ever unpickled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.archives import Archive, read_npy
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import read_file
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import MAX_BYTES, Dataset
from bs4nn_tc.data.sources import whole
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble, with_fill
from bs4nn_tc.data.sources.reading import ARRAYS, Reading

# The names that people give to what we call train_x and so on, in lower case.
_NAMES = {
    "train_x": ("train_x", "x_train", "train_images", "train_data", "xtrain"),
    "train_y": ("train_y", "y_train", "train_labels", "ytrain"),
    "test_x": ("test_x", "x_test", "test_images", "test_data", "xtest"),
    "test_y": ("test_y", "y_test", "test_labels", "ytest"),
    "x": ("x", "data", "images", "samples", "features"),
    "y": ("y", "labels", "target", "targets", "label"),
    "train_group": ("train_group", "train_groups"),
    "test_group": ("test_group", "test_groups"),
    "groups": ("groups", "group"),
    "class_names": ("class_names", "classes", "target_names"),
}
_NEEDED = "train_x, train_y, test_x and test_y, or x and y"
# Sides from which on values 0 .. 1 in two axes are a picture.
_SMALLEST_PICTURE = 8
# Red, green, blue: their shares of grey in thousandths, as Pillow has them.
_GREY = (299, 587, 114)

Arrays = Mapping[str, NDArray[Any]]


def is_folder(folder: Path) -> bool:
    """Whether it holds .npy files of a data set."""
    return {"x", "y"} <= set(_files_in(folder)) or {"train_x", "train_y"} <= set(_files_in(folder))


def _files_in(folder: Path) -> dict[str, Path]:
    """The .npy files with a name that is known, by that name."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a folder above cannot be searched
        return {}
    files = {path.stem.lower(): path for path in sorted(folder.glob("*.npy"))}
    found = {name: next((files[one] for one in others if one in files), None) for name, others in _NAMES.items()}
    return {name: path for name, path in found.items() if path is not None}


def load_npz(path: Path, reading: Reading) -> Dataset:
    """An .npz file with `train_x`, `train_y`, `test_x`, `test_y`, or `x` and `y`.

    Besides, where it has them: `class_names`, and `groups`, or `train_group` and `test_group`.

    Raises:
        UserError: damaged or too large, arrays that are missing, of objects, or do not fit each other.
    """
    try:
        archive = Archive(read_file(path, MAX_BYTES))
        known = {name.lower(): name for name in archive.facts}
        names = {one: next((known[a] for a in others if a in known), None) for one, others in _NAMES.items()}
        chosen = {one: name for one, name in names.items() if name is not None}
        size = sum(archive.facts[name].bytes for name in chosen.values())
        if size > MAX_BYTES:
            raise UserError(f"its arrays have {size:,} bytes; at most {MAX_BYTES:,} are read: take fewer samples")
        arrays = {one: archive.read(name) for one, name in chosen.items()}
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not {"x", "y"} <= set(arrays) and not {"train_x", "train_y"} <= set(arrays):
        there = printable(", ".join(archive.facts) or "none", 120)
        raise UserError(f"{path} has no arrays {_NEEDED} (there: {there}); save it with these names")
    return _from_arrays(path, arrays, reading)


def load_npy(path: Path, reading: Reading) -> Dataset:
    """A .npy file of samples, with the labels in another one, or a folder of files x.npy, y.npy and their like.

    Raises:
        UserError: as for `load_npz`.
    """
    if os.path.isdir(path):  # noqa: PTH112
        files = _files_in(path)
    else:
        beside = Path(reading.labels) if reading.labels else None
        if beside is None:
            raise UserError(f"{path} holds samples alone; name the file with their classes by --labels LABELS.npy")
        files = {"x": path, "y": beside}
        reading = replace(reading, labels=str(beside.resolve()))
    arrays = {}
    for name, file in files.items():
        try:
            arrays[name] = read_npy(read_file(file, MAX_BYTES + 4096), MAX_BYTES)
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
    return _from_arrays(path, arrays, reading)


def _from_arrays(path: Path, arrays: Arrays, reading: Reading) -> Dataset:
    samples = _parts(path, arrays)
    (shape, picture), *others = [one[1:] for one in samples]
    if any(other[0] != shape for other in others):
        raise UserError(f"{path}: training samples are {shape}, test samples {others[0][0]} values; they must be alike")
    names = arrays.get("class_names")

    def where(part: str, sample: int, value: int) -> str:
        name = {"training": "train_x", "test": "test_x"}.get(part, "x")
        place = ", ".join(map(str, np.unravel_index(value, shape)))
        return f"{path}: {name}[{sample}, {place}]"

    facts = Facts(
        str(path),
        shape,
        reading.of_kind(ARRAYS),
        where,
        () if names is None else tuple(printable(one, 255) for one in names.reshape(-1).tolist()),
        picture,
    )
    return assemble(facts, samples[0][0], samples[1][0] if others else None)


def _parts(path: Path, arrays: Arrays) -> list[tuple[Part, tuple[int, ...], bool]]:
    """Training and test samples, or all samples alone."""
    if {"train_x", "train_y", "test_x", "test_y"} <= set(arrays):
        return [
            _part(path, f"{part}_x", arrays[f"{part}_x"], arrays[f"{part}_y"], arrays.get(f"{part}_group"))
            for part in ("train", "test")
        ]
    if "train_x" in arrays and "train_y" in arrays:
        return [_part(path, "x", arrays["train_x"], arrays["train_y"], arrays.get("train_group"))]
    return [_part(path, "x", arrays["x"], arrays["y"], arrays.get("groups"))]


def _part(
    path: Path, name: str, x: NDArray[Any], y: NDArray[Any], group: NDArray[Any] | None
) -> tuple[Part, tuple[int, ...], bool]:
    """Samples, their shape, and whether they are pictures."""
    values, picture = _samples(path, name, x)
    y = _one_a_sample(y)
    if y.ndim != 1 or y.dtype.kind not in "iufbUS":
        raise UserError(f"{path}: the labels of {name} are {y.shape} of type {y.dtype}; one number or text a sample")
    for what, one in (("labels", y), ("groups", group)):
        if one is not None and len(one) != len(x):
            raise UserError(f"{path}: {name} has {len(x):,} samples, but {len(one):,} {what}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        place = int(np.argmin(np.isfinite(y)))
        raise UserError(f"{path}: the label of sample {place} of {name} is {y[place]}; leave the sample out")
    flat = None if group is None else group.reshape(-1)
    return Part(values.reshape(len(values), -1), y, flat), values.shape[1:], picture


def _one_a_sample(y: NDArray[Any]) -> NDArray[Any]:
    """Labels, where they were a column, or where one of as many columns as classes is 1."""
    if y.ndim == 2 and y.shape[1] == 1:
        return y.reshape(-1)
    if y.ndim == 2 and y.dtype.kind in "iufb" and len(y) and (y.sum(axis=1) == 1).all() and (y.max(axis=1) == 1).all():
        labels: NDArray[Any] = y.argmax(axis=1)
        return labels
    return y


def _samples(path: Path, name: str, x: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """(N, values), (N, rows, columns) or (N, steps, channels), and whether they are pictures."""
    if x.dtype.kind not in "iufb":
        raise UserError(f"{path}: {name} is of type {x.dtype}; numbers are needed, whole or not")
    if x.ndim < 2 or x.ndim > 4 or 0 in x.shape:
        raise UserError(
            f"{path}: {name} has the shape {x.shape}; (samples, values), (samples, rows, columns) and (samples, steps, "
            "channels) are taken"
        )
    if x.dtype == bool:
        x = x.astype(np.uint8) * 255
    if x.ndim == 4:
        x = grey(path, name, x)
    if x.ndim == 2:
        return x, False
    if x.shape[2] == 1:  # one channel
        return x.reshape(x.shape[:2]), False
    sides = min(x.shape[1:]) >= _SMALLEST_PICTURE
    if x.dtype == np.uint8:
        return x, sides
    finite = x[np.isfinite(x)] if x.dtype.kind == "f" else x
    return x, sides and bool(finite.size) and finite.min() >= 0 and finite.max() <= (1 if x.dtype.kind == "f" else 255)


def grey(path: object, name: str, x: NDArray[Any]) -> NDArray[Any]:
    """(N, rows, columns) of pictures with planes or colours."""
    if x.shape[1] in (1, 3) and x.shape[3] not in (1, 3, 4):
        x = x.transpose(0, 2, 3, 1)
    if x.shape[3] == 1:
        return x[..., 0]
    if x.shape[3] not in (3, 4):
        raise UserError(f"{path}: {name} has the shape {x.shape}; of four axes, the last is 1, 3 or 4 colours")
    if x.dtype.kind == "f":
        shades: NDArray[Any] = x[..., :3] @ (np.array(_GREY, x.dtype) / 1000)
        return shades
    sums = np.full(x.shape[:3], 500, np.int64)
    for plane, share in enumerate(_GREY):
        sums += x[..., plane].astype(np.int64) * share
    return (sums // 1000).astype(x.dtype)


def _samples_in(content: bytes) -> NDArray[Any]:
    """Of an .npz file: its only array, its test samples, or its samples."""
    archive = Archive(content)
    known = {name.lower(): name for name in archive.facts}
    wanted = [*known] if len(known) == 1 else [*_NAMES["test_x"], *_NAMES["x"]]
    name = next((known[one] for one in wanted if one in known), None)
    if name is None:
        there = printable(", ".join(archive.facts) or "none", 120)
        raise UserError(f"there is no array x of samples (there: {there}); save it with this name")
    if archive.facts[name].bytes > MAX_BYTES:
        raise UserError(f"its samples have {archive.facts[name].bytes:,} bytes; at most {MAX_BYTES:,} are read")
    return archive.read(name)


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(N, values) samples of a .npy or .npz file: one of them, or several along its first axis.

    Raises:
        UserError: no such file, or no samples of the shape that the network takes.
    """
    try:
        content = read_file(path, MAX_BYTES)
        array = _samples_in(content) if path.suffix.lower() == ".npz" else read_npy(content, MAX_BYTES)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if array.shape == reading.shape or array.size == np.prod(reading.shape, dtype=np.int64):
        array = array.reshape(1, -1)
    else:
        array, _ = _samples(path, "the array", array)
        array = array.reshape(len(array), -1)
    if array.shape[1] != np.prod(reading.shape, dtype=np.int64):
        raise UserError(f"{path} has {array.shape[1]:,} values a sample; {reading.shape} are needed")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        if not reading.fill:
            raise UserError(f"{path} has values that are missing or infinite")
        array = with_fill(array, reading.fill)
    if array.dtype == np.dtype(reading.type):  # as a sensor gives them
        return array
    return whole.apply(array, reading.type, reading.scale)
