"""IDX files, the format of MNIST's makers: four files a data set, plain or gzipped, under the names people have.

Sizes come from the headers and are checked before anything is read.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, opened
from bs4nn_tc.data.dataset import Dataset, check_size

# What stands before "train-images-idx3-ubyte" in the names of a set's files: nothing for MNIST's.
NO_PREFIX = ""
_NAME = re.compile(r"(.*?)(train|t10k|test)[-_. ](images|labels)[-_. ]?idx.*", re.IGNORECASE | re.DOTALL)
_USUAL_NAME = re.compile(r"idx[13]-ubyte(\.gz)?")
_TYPES = {8: "uint8", 9: "int8", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20

# The files of one data set: ("train" or "test", "images" or "labels") to path.
Files = dict[tuple[str, str], Path]


@dataclass(frozen=True)
class _Header:
    """What a file's header says of the array in it."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes of the header."""
        return 4 + 4 * len(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        dimensions = "1 dimension" if len(self.shape) == 1 else f"{len(self.shape)} dimensions"
        return f"{dimensions} of {self.dtype.name}"


def sets_in(folder: Path) -> dict[str, Files]:
    """The data sets whose files lie in a folder, by the prefix of their names.

    A file may lie in a folder of its own name, as some programs unpack it. Of several for the same thing the one with
    the usual name is taken, and a plain one rather than a gzipped one. A folder that is not there holds none.

    Raises:
        UserError: the folder cannot be read.
    """
    found: dict[str, dict[tuple[str, str], list[tuple[Any, ...]]]] = {}
    for depth, path in _entries(folder):
        match = _NAME.fullmatch(path.name)
        if match is None or path.name.startswith("."):
            continue
        prefix, part, kind = match[1], match[2].lower(), match[3].lower()
        usual = _USUAL_NAME.fullmatch(path.name, match.end(3) + 1)
        rank = (not usual, path.suffix == ".gz", depth, part == "test", path.name, path)
        files = found.setdefault(prefix, {})
        files.setdefault(("train" if part == "train" else "test", kind), []).append(rank)
    return {prefix: {key: min(ranks)[-1] for key, ranks in files.items()} for prefix, files in found.items()}


def _entries(folder: Path, depth: int = 0) -> Iterator[tuple[int, Path]]:
    """What lies in a folder, and in its folders with names of IDX files; each with how deep that is."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a folder above cannot be searched
        return
    with disk_errors(folder, "read"):
        entries = sorted(folder.iterdir())
    for path in entries:
        if not os.path.isdir(path):  # noqa: PTH112
            yield depth, path
        elif depth == 0 and _NAME.fullmatch(path.name):
            yield from _entries(path, depth + 1)


def load(folder: Path, prefix: str, class_names: tuple[str, ...] | None = None) -> Dataset:
    """The data set with a prefix in a folder.

    Args:
        folder: holds the files.
        prefix: one of those that `sets_in` gives.
        class_names: of the labels 0, 1, ...; if None, the labels that occur are the classes and their names.

    Raises:
        UserError: a file is missing, damaged, too large or of a type that is not taken, or they do not fit each other.
    """
    files = sets_in(folder).get(prefix, {})
    headers = _read_headers(folder, prefix, files)
    arrays = {key: _read_array(files[key], header) for key, header in headers.items()}
    train_labels, test_labels = (arrays[part, "labels"].astype(np.int64) for part in ("train", "test"))
    if class_names is None:
        values = np.union1d(train_labels, test_labels)
        train_labels, test_labels = np.searchsorted(values, train_labels), np.searchsorted(values, test_labels)
        class_names = tuple(str(value) for value in values)
    for one in (train_labels, test_labels):
        if not 0 <= one.min() <= one.max() < len(class_names):
            odd = one.min() if one.min() < 0 else one.max()
            raise UserError(f"{folder}: a label is {odd}; its classes are 0 to {len(class_names) - 1}")
    train, test = arrays["train", "images"], arrays["test", "images"]
    # A row of features is an image of one row.
    shape = train.shape[1:] if train.ndim == 3 else (1, train.shape[1])
    return Dataset(
        str(folder),
        train.reshape(len(train), -1),
        train_labels,
        test.reshape(len(test), -1),
        test_labels,
        (shape[0], shape[1]),
        255,
        class_names,
    )


def _read_headers(folder: Path, prefix: str, files: Files) -> dict[tuple[str, str], _Header]:
    """The headers of all four files, which fit each other."""
    headers: dict[tuple[str, str], _Header] = {}
    for part, name in (("train", "train"), ("test", "t10k")):
        for kind, dimensions in (("images", 3), ("labels", 1)):
            if (part, kind) not in files:
                raise UserError(f"{folder} has no file {prefix}{name}-{kind}-idx{dimensions}-ubyte (or .gz)")
            headers[part, kind] = _read_header(files[part, kind], kind)
        images, labels = (headers[part, kind].shape[0] for kind in ("images", "labels"))
        if images != labels or images == 0:
            raise UserError(f"{folder}: {images:,} {name} images, but {labels:,} labels")
    train, test = headers["train", "images"].shape, headers["test", "images"].shape
    if train[1:] != test[1:]:
        raise UserError(f"{folder}: training images are {train[1:]}, test images {test[1:]} pixels")
    if 0 in train[1:]:
        raise UserError(f"{folder}: images of {train[1:]} pixels hold nothing to learn from")
    check_size(folder, train[0] + test[0], math.prod(train[1:]))
    return headers


@contextlib.contextmanager
def _content(path: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """A file's content, unpacked as it is read.

    By what is in it, not by its name: browsers unpack what they fetch and leave the name.
    """
    with opened(path) as file:
        if file.peek(2)[:2] != _GZIP:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"{path} is damaged: {error}; get it again") from error


def _read_header(path: Path, kind: str) -> _Header:
    """The header of a file of "images" or "labels", after a look at its type and at the length of the file."""
    with _content(path) as file:
        packed, length = isinstance(file, gzip.GzipFile), os.fstat(file.fileno()).st_size
        start = file.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
            raise UserError(
                f"{path} is no IDX file (it begins with {start.hex() or 'nothing'}); get it again or unpack it"
            )
        sizes = file.read(4 * start[3])
    if len(sizes) != 4 * start[3]:
        raise UserError(f"{path} is cut short in its header; get it again")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    header = _Header(np.dtype(_TYPES[start[2]]), shape)
    if kind == "images" and (header.dtype != np.uint8 or len(shape) not in (2, 3)):
        raise UserError(
            f"{path} is no IDX file of images: it has {header}; taken is uint8 with 3 dimensions (images, rows, "
            "columns) or 2 (images, features): convert it with NumPy"
        )
    if kind == "labels" and (header.dtype.kind not in "iu" or len(shape) != 1):
        raise UserError(
            f"{path} is no IDX file of labels: it has {header}; taken is 1 dimension of whole numbers: convert it with "
            "NumPy"
        )
    whole = header.length + header.bytes
    # What cannot be packed grows by a thousandth at most, and by a header of gzip's own.
    if length > whole + whole // 1000 + _PIECE if packed else length != whole:
        raise UserError(_another_length(path, f"{length:,}", header))
    return header


def _read_array(path: Path, header: _Header) -> NDArray[Any]:
    """The array, and not a byte more than the header says."""
    array = np.empty(header.shape, header.dtype)
    bytes_of_it = array.reshape(-1).view(np.uint8).data
    with _content(path) as file:
        file.read(header.length)
        done = 0
        while done < header.bytes:
            read = file.readinto(bytes_of_it[done : done + _PIECE])
            if not read:
                raise UserError(_another_length(path, f"{header.length + done:,}", header))
            done += read
        if file.read(1):
            raise UserError(_another_length(path, "more", header))
    return array


def _another_length(path: Path, length: str, header: _Header) -> str:
    return f"{path} has {length} bytes where its header says {header.length + header.bytes:,}; get it again"
