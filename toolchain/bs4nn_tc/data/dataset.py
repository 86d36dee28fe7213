"""What a data set is, how its training images are split, and what nobody can learn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data import splits
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_NEURONS
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.model.stages import Stage, as_picture, shape_text

# Bytes of the images of a data set, training and test together: MNIST has 55 million, the largest EMNIST 640 million.
MAX_BYTES = 1_000_000_000
TAKEN = (
    "taken are arrays (.npz, .npy), tables (.csv, .tsv), a folder of IDX files (train-images-idx3-ubyte and its like, "
    "also as .gz), and a folder of images, sounds or recordings, one folder a class (CLASS/*.png, CLASS/*.wav, "
    "CLASS/*.csv, or train/CLASS/*.png beside test/CLASS/*.png)"
)
# Darker than this share of white, every pixel fires in the last steps or never.
_DARK = 8

Indices = slice | NDArray[np.int64]

# Images that are looked at for their ground.
_LOOKED_AT = 2000
# One in so many training images is for validation.
_VALIDATION_PARTS = 6
# Fewer training images, validation images of a class, or groups of validation images say little by one split.
_FEW, _FEW_OF_A_CLASS, _FEW_GROUPS = 600, 10, 3


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and labels; whatever they are, they are called images here.

    Attributes:
        name: of a bundled data set, or the absolute path of a file or folder, which means the same from everywhere.
        train_images: (N, values) uint8 intensities 0 .. intensity_max, or int16, which no network takes before stages
            have made intensities of them (`data/codings.py`); some of them are for validation.
        train_labels: (N,) int64, 0 .. classes - 1.
        test_images: (M, values) of the same type.
        test_labels: (M,) int64.
        image_shape: of one sample: (rows, columns), (values,), (steps, channels) or (planes, rows, columns).
        intensity_max: Imax; 255 for int16.
        class_names: one a class.
        validation_count: so many of the last training images are validation images by the data set's own split; 0
            where it has none.
        notes: what whoever uses the data set should know, a line each.
        stages: what has made the images of `samples`; () where they are as they came.
        samples: the same data set before that; None without stages.
        groups: (N,) int64, whose each training sample is (a speaker, a person, a device); None where nobody knows.
        test_groups: (M,) int64, those of the test samples, by the same numbers.
        stratified: validation samples are drawn from all training samples, alike from each class, and not the last.
        reading: how files became the samples, for whoever reads one more: `sources.Reading.json`.
        hop: steps from one sample of a stream to the next; None where samples are no parts of a stream.
    """

    name: str
    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    image_shape: tuple[int, ...]
    intensity_max: int
    class_names: tuple[str, ...]
    validation_count: int = 0
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    samples: Dataset | None = None
    groups: NDArray[np.int64] | None = None
    test_groups: NDArray[np.int64] | None = None
    stratified: bool = False
    reading: dict[str, Any] | None = None
    hop: int | None = None

    def __post_init__(self) -> None:
        # They are only ever shown (a class is its number), and come from names of folders: pages, tables and figures
        # take them as they are.
        object.__setattr__(self, "class_names", tuple(printable(one, 60) for one in self.class_names))

    @cached_property
    def _split(self) -> tuple[Indices, Indices]:
        """Which training images are to learn from, and which to choose by."""
        count = len(self.train_labels)
        if not self.validation_count and (self.stratified or self.groups is not None):
            chosen = splits.held_out(self.train_labels, self.groups, _VALIDATION_PARTS)
            return np.flatnonzero(~chosen), np.flatnonzero(chosen)
        for learned in (count - self.validation_count, count * 5 // 6):
            parts = slice(None, learned), slice(learned, None)
            if all(len(np.unique(self.train_labels[part])) == len(self.class_names) for part in parts):
                return parts
        # Sorted by class, or a class is rare: five sixths of every class, each in the order in which they come.
        held_out = np.zeros(count, bool)
        for label in range(len(self.class_names)):
            own = np.flatnonzero(self.train_labels == label)
            held_out[own[max(1, len(own) * 5 // 6) :]] = True
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    @property
    def learned(self) -> Indices:
        """Which training images are to learn from; the others are for validation."""
        return self._split[0]

    def folds(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """(indices to learn from, indices to choose by) of training images: a cross-validation where there are few.

        One pair, the split of `training` and `validation`, where the data set brings its validation images, or where
        there are so many that those decide by themselves; else up to five pairs, by groups where there are groups.
        """
        learned, chosen = (np.arange(len(self.train_labels))[part] for part in self._split)
        few = len(self.train_labels) < _FEW or np.bincount(self.train_labels[chosen]).min() < _FEW_OF_A_CLASS
        few |= self.groups is not None and len(np.unique(self.groups[chosen])) < _FEW_GROUPS
        if self.validation_count or not few:
            return [(learned, chosen)]
        return splits.folds(self.train_labels, self.groups)

    @cached_property
    def split_digest(self) -> str:
        """SHA-256 of the test samples, their labels and the places of the validation samples: what was not learned."""
        taken = self if self.samples is None else self.samples
        places = np.arange(len(self.train_labels))[self._split[1]]
        digest = hashlib.sha256(places.astype("<i8").tobytes())
        for array in (taken.test_images, taken.test_labels.astype("<i8")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def training_digest(self) -> str:
        """SHA-256 of the training images and labels: says whether two sets are the same, wherever they lie."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def ground(self) -> float | None:
        """Median brightness of the borders of samples, as a share of white; None for what is no grey picture."""
        if self.samples is not None:
            return self.samples.ground
        if len(self.image_shape) != 2 or min(self.image_shape) < 2 or self.train_images.dtype != np.uint8:
            return None
        return ground_of(self.train_images[:_LOOKED_AT].reshape(-1, *self.image_shape)) / self.intensity_max

    @property
    def polarity(self) -> str | None:
        """Whether ink is "bright" on a black ground or "dark" on a light one; None for what is no grey picture."""
        return None if self.ground is None else polarity_of(self.ground)

    @property
    def picture(self) -> tuple[int, int]:
        """(rows, columns) in which an image is shown and moved."""
        return as_picture(self.image_shape)

    @property
    def input(self) -> Input:
        """The input side of a network that learns these images: with the stages, it takes the samples."""
        taken = self if self.samples is None else self.samples
        kind = str(taken.train_images.dtype)
        return Input(taken.image_shape, self.intensity_max, self.stages, kind, taken.hop or 0)

    def for_network(self, network: Network | RealNetwork) -> Dataset:
        """The images that a network takes: the samples, where its own input has the stages.

        Raises:
            UserError: its stages take samples of another shape, or make something else of them.
        """
        if isinstance(network, RealNetwork) or not network.input.stages:
            return self
        taken = self if self.samples is None else self.samples
        begun = network.input.stages[: len(self.stages)]
        if taken.image_shape != network.input.shape or self.stages != begun:
            raise UserError(
                f"{self.name} has images of {shape_text(self.image_shape)}, but the network takes "
                f"{shape_text(network.input.shape)} and makes {shape_text(network.input.behind_stages.shape)} of them"
            )
        return taken

    def training(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Images and labels to learn from: the first five sixths (50,000 of MNIST).

        Where these or the last sixth lack a class, five sixths of every class.
        """
        part = self._split[0]
        return self.train_images[part], self.train_labels[part]

    def validation(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Images and labels to choose by: those that `training` leaves (the last 10,000 of MNIST)."""
        part = self._split[1]
        return self.train_images[part], self.train_labels[part]


def ground_of(pictures: NDArray[Any]) -> float:
    """Median of the borders of (N, rows, columns) pictures."""
    borders = (pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1])
    return float(np.median(np.concatenate([border.reshape(-1) for border in borders])))


def polarity_of(ground: float) -> str:
    """What ink is like on a ground of such a share of white: "dark" on a light one, else "bright"."""
    return "dark" if ground > 0.5 else "bright"


def check_size(what: object, images: int, pixels: int) -> None:
    """Refuse a data set by its size, before it is read.

    Args:
        what: names it in messages.
        images: of the whole set.
        pixels: of an image.

    Raises:
        UserError: images that are larger than a network's input side, or too many of them.
    """
    if pixels > MAX_NEURONS:
        raise UserError(
            f"{what} has images of {pixels:,} pixels; a network takes at most {MAX_NEURONS:,}: scale them down"
        )
    if images * pixels > MAX_BYTES:
        raise UserError(
            f"{what}: {images:,} images of {pixels:,} pixels are {images * pixels:,} bytes; at most {MAX_BYTES:,} are "
            "read: take fewer or smaller images"
        )


def every_fifth(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) bool: the fifth, tenth, ... image of each class; the last one of a class of less than five."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        chosen[own[4::5] if len(own) >= 5 else own[-1:]] = True
    return chosen


def checked(dataset: Dataset) -> Dataset:
    """The data set, with a note if it is very dark.

    Raises:
        UserError: nobody can learn from it: less than two classes, a class without images, images that are all alike.
    """
    name, classes = dataset.name, len(dataset.class_names)
    if not 2 <= classes <= MAX_NEURONS:
        raise UserError(
            f"{name} has {classes:,} class{'es' * (classes != 1)}; at least 2 are needed, {MAX_NEURONS:,} taken"
        )
    for part, labels in (("training", dataset.training()[1]), ("test", dataset.test_labels)):
        missing = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
        if missing.size:
            raise UserError(
                f"{name} has no {part} image of class '{dataset.class_names[missing[0]]}'; add some, or leave it out"
            )
    for part, images in (("training", dataset.train_images), ("test", dataset.test_images)):
        if not images.any():
            raise UserError(f"{name}: all {len(images):,} {part} images are black (every pixel is 0)")
    if all(np.array_equal(dataset.train_images[0], image) for image in dataset.train_images):
        raise UserError(f"{name}: all {len(dataset.train_images):,} training images are alike; nothing can be learned")
    brightest = int(dataset.train_images.max())
    if brightest * _DARK < dataset.intensity_max:
        note = (
            f"the images are dark: their brightest pixel is {brightest} of {dataset.intensity_max}; scale them so that "
            f"white is {dataset.intensity_max}"
        )
        return replace(dataset, notes=(*dataset.notes, note))
    return dataset
