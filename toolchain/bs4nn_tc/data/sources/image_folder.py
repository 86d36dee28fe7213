"""Folders of images, one folder a class: which files belong to which class and part, and all of them as one array."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.data.dataset import TAKEN, Dataset, check_size, every_fifth
from bs4nn_tc.data.sources import pictures
from bs4nn_tc.data.sources.assembling import natural

_ROLES = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}
# Left behind by file managers and archives, beside everything that begins with a dot.
_LITTER = ("__macosx", "thumbs.db", "desktop.ini")
# One to learn from, one to choose by, one to test with.
_FEWEST = 3
# Grey value from which on what is drawn on transparent ground is bright.
_BRIGHT = 128


@dataclass
class _Found:
    """What has been found in a data set's folders.

    Attributes:
        files: path and label of every image, part by part, mixed within a part.
        unused: how many files of which ending were passed over.
    """

    files: list[tuple[Path, int]] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)


def load(folder: Path) -> Dataset:
    """A folder of images: CLASS/*.png, or train/CLASS/*.png beside test/CLASS/*.png.

    Deeper folders belong to the class that they lie in. `val` beside both is for validation; where there is no `test`,
    it is for testing; where there is neither, every fifth image of a class is a test image. Whatever is transparent
    lies on white ground, or on black if what is drawn on it is bright.

    Raises:
        MissingToolError: Pillow is not installed.
        UserError: no such folder, images that cannot be read or differ in size, a class with too few of them.
    """
    pictures.require_pillow()
    parts, notes = _parts(folder)
    first = parts.get("training", folder)
    classes = _classes(first)
    found = _Found()
    counts: dict[str, int] = {}
    for role, part in (parts or {"all": folder}).items():
        extra = set(_classes(part)) - set(classes)
        if extra:
            raise UserError(f"{part} has a class '{min(extra)}' that {first} has not")
        _find(part, classes, found)
        counts[role] = len(found.files) - sum(counts.values())
    if not found.files:
        raise UserError(f"{folder} holds no images ({', '.join(pictures.ENDINGS)}); {TAKEN}")
    labels = np.array([label for _, label in found.files], np.int64)
    is_test = np.arange(len(labels)) >= len(labels) - counts.get("test", 0)
    if "test" not in parts:
        _check_counts(folder, classes, labels)
        is_test = every_fifth(labels)
    images, shape, ground = _read(folder, [path for path, _ in found.files], is_test)
    if found.unused:
        listed = ", ".join(f"{count} {ending}" for ending, count in sorted(found.unused.items()))
        notes.append(f"files in {folder} that are no images of a class and are not used: {listed}")
    return Dataset(
        str(folder),
        images[~is_test],
        labels[~is_test],
        images[is_test],
        labels[is_test],
        shape,
        255,
        tuple(classes),
        counts.get("validation", 0),
        (*notes, *ground),
    )


# ---- Which folder is what ----


def _folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in the order of their names with numbers as numbers, without litter."""
    with disk_errors(folder, "read"):
        found = [path for path in folder.iterdir() if not _is_litter(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: natural(path.name))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _parts(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders "training", "validation" and "test" of a data set that brings its split, in this order, and notes.

    Nothing if the folder's folders are classes.
    """
    parts, others = _roles(folder)
    if "training" not in parts:
        for path in parts.values():
            if _folders_in(path):
                raise UserError(f"{folder} has '{path.name}' with classes in it, but no 'train' beside it")
        return {}, []
    if len(parts) == 1 and (others or not _folders_in(parts["training"])):
        return {}, []
    notes = [f"{folder} is split into {', '.join(path.name for path in parts.values())}; not used: {', '.join(others)}"]
    notes = notes if others else []
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append(f"{folder} has no 'test'; the images in '{parts['test'].name}' are its test images")
    elif "test" not in parts:
        notes.append(f"{folder} has no 'test'; every fifth image of a class is a test image")
    return {role: parts[role] for role in ("training", "validation", "test") if role in parts}, notes


def _roles(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders that are called like a part of a data set, by what they are for, and the names of all others."""
    parts: dict[str, Path] = {}
    others = []
    for path in _folders_in(folder):
        role = _ROLES.get(path.name.lower())
        if role is None:
            others.append(path.name)
        elif role in parts:
            raise UserError(f"{folder} has '{parts[role].name}' and '{path.name}' for the same; leave one of them")
        else:
            parts[role] = path
    return parts, others


def _classes(folder: Path) -> list[str]:
    """Names of the classes in a part."""
    folders = _folders_in(folder)
    if not folders:
        raise UserError(f"{folder} is no data set, for it holds no folders of images; {TAKEN}")
    if len(folders) == 1:
        deeper = f"; if the folders in it are the classes, give {folders[0]}" if _folders_in(folders[0]) else ""
        raise UserError(f"{folder} has 1 class, '{folders[0].name}'; at least 2 are needed{deeper}")
    return [path.name for path in folders]


def _check_counts(folder: Path, classes: list[str], labels: NDArray[np.int64]) -> None:
    for name, count in zip(classes, np.bincount(labels, minlength=len(classes)), strict=True):
        if count < _FEWEST:
            raise UserError(
                f"{folder}: the class '{name}' has {count} images; at least {_FEWEST} are needed "
                "(to learn from, to choose by, to test with): add some, or leave the class out"
            )


# ---- Files ----


def _find(part: Path, classes: list[str], found: _Found) -> None:
    """Add the images of a part, in an order that mixes the classes and is the same everywhere."""
    with disk_errors(part, "read"):
        present = {path.name: path.is_dir() for path in part.iterdir() if not _is_litter(path.name)}
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        if present.get(name):
            files += [(path, label) for path in _files_below(part / name, found)]
    found.unused.update(Path(name).suffix.lower() or name for name, is_folder in present.items() if not is_folder)
    files.sort(key=lambda item: hashlib.sha256(os.fsencode(item[0].relative_to(part).as_posix())).digest())
    found.files += files


def _files_below(folder: Path, found: _Found) -> Iterator[Path]:
    """The images in a class's folder and in the folders in it; links to folders may lead anywhere, even around."""
    folders = [folder]
    while folders:
        here = folders.pop()
        with disk_errors(here, "read"), os.scandir(here) as entries:
            listed = [
                (here / one.name, one.is_dir(follow_symlinks=False)) for one in entries if not _is_litter(one.name)
            ]
        for path, is_folder in listed:
            if is_folder:
                folders.append(path)
            elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a link leads to itself
                found.unused["link to a folder"] += 1
            elif path.suffix.lower() in pictures.ENDINGS:
                yield path
            else:
                found.unused[path.suffix.lower() or path.name] += 1


# ---- Pixels ----


def _read(
    folder: Path, files: list[Path], is_test: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], tuple[int, int], list[str]]:
    """All images (N, pixels), their shape, and a note on what transparent ones lie on."""
    images = np.empty((0, 0), np.uint8)
    shape: tuple[int, ...] = ()
    alphas: dict[int, NDArray[np.uint8]] = {}
    for index, path in enumerate(files):
        picture = pictures.read(path)
        if index == 0:
            shape = picture.grey.shape
            check_size(folder, len(files), picture.grey.size)
            images = np.empty((len(files), picture.grey.size), np.uint8)
        if picture.grey.shape != shape:
            raise UserError(
                f"{path} has {picture.grey.shape} pixels (rows, columns), the images before it {shape}; scale all of "
                "them to one size"
            )
        images[index] = picture.grey.reshape(-1)
        if picture.alpha is not None:
            alphas[index] = picture.alpha.reshape(-1)
    notes = _lay_on_ground(images, alphas, is_test)
    return images, (shape[0], shape[1]), notes


def _lay_on_ground(
    images: NDArray[np.uint8], alphas: dict[int, NDArray[np.uint8]], is_test: NDArray[np.bool_]
) -> list[str]:
    """Lay transparent images on white ground, or on black if what the training images show is bright."""
    if not alphas:
        return []
    light = weight = 0
    for index, alpha in alphas.items():
        if not is_test[index]:
            light += int(images[index].astype(np.int64) @ alpha.astype(np.int64))
            weight += int(alpha.sum(dtype=np.int64))
    ground = 0 if light >= _BRIGHT * weight > 0 else 255
    for index, alpha in alphas.items():
        opaque = alpha.astype(np.int64)
        images[index] = (images[index] * opaque + ground * (255 - opaque) + 127) // 255
    kind = ("black", "bright") if ground == 0 else ("white", "dark")
    return [f"{len(alphas):,} images are transparent in places; they lie on {kind[0]}, for what they show is {kind[1]}"]
