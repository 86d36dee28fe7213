"""Folders of images, one folder a class: all of them as one array."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import splits
from bs4nn_tc.data.dataset import Dataset, check_size, every_fifth
from bs4nn_tc.data.sources import folders, pictures
from bs4nn_tc.data.sources.reading import PICTURES, Reading
from bs4nn_tc.model.limits import MAX_NEURONS

IMAGES = folders.Kind("image", pictures.ENDINGS)
# Pixels of an image that is scaled down: a camera's.
_LARGEST = 50_000_000
# Grey value from which on what is drawn on transparent ground is bright.
_BRIGHT = 128


def load(folder: Path, reading: Reading) -> Dataset:
    """A folder of images: CLASS/*.png, or train/CLASS/*.png beside test/CLASS/*.png, see `folders.listed`.

    Where there is neither `test` nor `val`, every fifth image of a class is a test image, or, with groups, a fifth of
    these. Whatever is transparent lies on white ground, or on black if what is drawn on it is bright. Images of
    different sizes, or too large ones, are scaled to the size of `reading`.

    Raises:
        MissingToolError: Pillow is not installed.
        UserError: no such folder, images that cannot be read or differ in size, a class with too few of them.
    """
    pictures.require_pillow()
    listed = folders.listed(folder, IMAGES)
    labels, notes = listed.labels, [*listed.notes]
    names = folders.groups_of(folder, listed.files, reading.group)
    groups = None if names is None else np.unique(names, return_inverse=True)[1].astype(np.int64)
    is_test = listed.is_test
    if not listed.has_test:
        is_test = every_fifth(labels) if groups is None else splits.held_out(labels, groups, splits.TEST_PARTS)
        if "training" in listed.counts:
            what = "every fifth image of a class is a test image" if groups is None else "a fifth of its groups is one"
            notes.insert(0, f"{folder} has no 'test'; {what}")
    images, shape, more = _read(folder, listed.files, is_test, reading)
    return Dataset(
        str(folder),
        images[~is_test],
        labels[~is_test],
        images[is_test],
        labels[is_test],
        shape,
        255,
        listed.classes,
        listed.counts.get("validation", 0),
        (*notes, *more),
        groups=None if groups is None else groups[~is_test],
        test_groups=None if groups is None else groups[is_test],
        reading=replace(reading.of_kind(PICTURES), type="uint8", shape=shape, scale=(1.0,)).json,
    )


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(1, pixels) the sample that a file makes, of the shape of the data set's samples.

    Raises:
        MissingToolError: Pillow is not installed.
        UserError: it cannot be read.
    """
    pictures.require_pillow()
    picture = pictures.read(path, _LARGEST)
    if picture.grey.shape != reading.shape:
        picture = pictures.fitted(picture, (reading.shape[0], reading.shape[1]), reading.crop)
    grey = picture.grey.reshape(1, -1).copy()
    if picture.alpha is not None:
        _lay_on_ground(grey, {0: picture.alpha.reshape(-1)}, np.zeros(1, bool))
    return grey


# ---- Pixels ----


def _read(
    folder: Path, files: list[Path], is_test: NDArray[np.bool_], reading: Reading
) -> tuple[NDArray[np.uint8], tuple[int, int], list[str]]:
    """All images (N, pixels), their shape, and notes on their size and on what transparent ones lie on."""
    size = reading.size
    images = np.empty((0, 0), np.uint8)
    shape: tuple[int, ...] = ()
    alphas: dict[int, NDArray[np.uint8]] = {}
    changed = several = 0

    def keep(index: int, picture: pictures.Picture) -> None:
        images[index] = picture.grey.reshape(-1)
        if picture.alpha is not None:
            alphas[index] = picture.alpha.reshape(-1)

    for index, path in enumerate(files):
        picture = pictures.read(path, _LARGEST if size else MAX_NEURONS)
        own = picture.grey.shape
        several += picture.first_of_several
        if not shape:
            shape = own if math.prod(own) <= MAX_NEURONS else size
            check_size(folder, len(files), math.prod(shape))
            images = np.empty((len(files), math.prod(shape)), np.uint8)
        if own != shape and not size:
            raise UserError(
                f"{path} has {own} pixels (rows, columns), the images before it {shape}; --size ROWSxCOLUMNS scales "
                "all of them to one size"
            )
        if shape not in (own, size):  # those before were all alike, and are no longer
            check_size(folder, len(files), math.prod(size))
            before, shape, images = (images, shape), size, np.empty((len(files), math.prod(size)), np.uint8)
            for one in range(index):
                alpha = alphas.get(one)
                whole = pictures.Picture(
                    before[0][one].reshape(before[1]), None if alpha is None else alpha.reshape(before[1])
                )
                keep(one, pictures.fitted(whole, (shape[0], shape[1]), reading.crop))
            changed = index
        if own != shape:
            picture, changed = pictures.fitted(picture, (shape[0], shape[1]), reading.crop), changed + 1
        keep(index, picture)
    notes = _lay_on_ground(images, alphas, is_test)
    if several:
        notes.append(f"{several:,} files hold several frames or pages; of each the first one is taken")
    if changed:
        notes.append(
            f"{changed:,} images are scaled to {shape[0]}x{shape[1]} on this computer; a device takes them at that size"
        )
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
