"""Folders of images, one folder a class: all of them as one array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.dataset import Dataset, check_size, every_fifth
from bs4nn_tc.data.sources import folders, pictures
from bs4nn_tc.data.sources.reading import Reading

IMAGES = folders.Kind("image", pictures.ENDINGS)
# Grey value from which on what is drawn on transparent ground is bright.
_BRIGHT = 128


def load(folder: Path, reading: Reading) -> Dataset:
    """A folder of images: CLASS/*.png, or train/CLASS/*.png beside test/CLASS/*.png, see `folders.listed`.

    Where there is neither `test` nor `val`, every fifth image of a class is a test image. Whatever is transparent lies
    on white ground, or on black if what is drawn on it is bright.

    Raises:
        MissingToolError: Pillow is not installed.
        UserError: no such folder, images that cannot be read or differ in size, a class with too few of them.
    """
    pictures.require_pillow()
    listed = folders.listed(folder, IMAGES)
    labels = listed.labels
    is_test = listed.is_test if listed.has_test else every_fifth(labels)
    alone = [f"{folder} has no 'test'; every fifth image of a class is a test image"]
    images, shape, ground = _read(folder, listed.files, is_test)
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
        (*(alone if "training" in listed.counts and not listed.has_test else []), *listed.notes, *ground),
    )


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
