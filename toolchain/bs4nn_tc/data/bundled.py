"""Data sets with a name: MNIST and Fashion-MNIST in torchvision's layout, and the digits that scikit-learn brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.data import idx
from bs4nn_tc.data.dataset import Dataset, every_fifth

DEFAULT_DATA_DIR = Path("data")
NAMES = ("mnist", "fashion-mnist", "mnist-14x14", "fashion-mnist-14x14", "digits")
# At the end of a name: every two by two pixels become one.
_HALF_SIZE = "-14x14"
_DIGITS = tuple(str(digit) for digit in range(10))
_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(name: str, data_dir: Path | None) -> Dataset:
    """One of `NAMES`.

    Args:
        name: of the data set.
        data_dir: where MNIST and Fashion-MNIST lie; "data" by default.

    Raises:
        MissingToolError: the data set or the package that brings it is not on this machine.
        UserError: damaged files.
    """
    if name == "digits":
        return _digits()
    if name.endswith(_HALF_SIZE):
        whole = load(name.removesuffix(_HALF_SIZE), data_dir)
        rows, columns = whole.image_shape
        return replace(
            whole,
            name=name,
            train_images=half_size(whole.train_images, whole.image_shape),
            test_images=half_size(whole.test_images, whole.image_shape),
            image_shape=(rows // 2, columns // 2),
        )
    if name == "mnist":
        return _torchvision_set(name, "MNIST", data_dir or DEFAULT_DATA_DIR, _DIGITS)
    return _torchvision_set(name, "FashionMNIST", data_dir or DEFAULT_DATA_DIR, _FASHION_CLASSES)


def half_size(images: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Images at half the resolution: the mean of every two by two pixels, (a + b + c + d + 2) >> 2 on a device.

    Args:
        images: (N, rows * columns) uint8.
        shape: (rows, columns), both even.

    Returns:
        (N, rows * columns / 4) uint8.
    """
    rows, columns = shape
    fours = images.reshape(len(images), rows // 2, 2, columns // 2, 2)
    sums: NDArray[np.uint16] = fours.sum(axis=(2, 4), dtype=np.uint16)
    means = (sums + 2) // 4
    return means.astype(np.uint8).reshape(len(images), -1)


def _torchvision_set(name: str, class_name: str, data_dir: Path, class_names: tuple[str, ...]) -> Dataset:
    """MNIST or Fashion-MNIST from torchvision's folder, downloaded by torchvision if it is not there."""
    folder = data_dir / class_name / "raw"
    if idx.NO_PREFIX not in idx.sets_in(folder):
        _download(name, class_name, data_dir, folder)
    return replace(idx.load(folder, idx.NO_PREFIX, class_names), name=name)


def _download(name: str, class_name: str, data_dir: Path, folder: Path) -> None:
    looked = f"{name} is not in {folder}"
    try:
        from torchvision import datasets as torchvision_datasets  # noqa: PLC0415 - torch only where it is needed
    except ImportError as error:
        raise MissingToolError(
            f"{looked}; say where it is with --data-dir, or let torchvision download it: "
            f"{remedies.pip_install('torchvision')}"
        ) from error
    try:
        for train in (True, False):
            getattr(torchvision_datasets, class_name)(str(data_dir), train=train, download=True)
    except Exception as error:  # torchvision raises whatever its mirrors make it raise
        raise MissingToolError(
            f"{looked} and cannot be downloaded ({error}); say where it is with --data-dir"
        ) from error


def _digits() -> Dataset:
    """1,797 images of 8 x 8 pixels, intensities 0 .. 16; every fifth image of a class is a test image."""
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = remedies.pip_install("scikit-learn")
        raise MissingToolError(f"the digits data set comes with scikit-learn; install it with: {remedy}") from error
    bunch = load_digits()
    images = bunch.data.astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    is_test = every_fifth(labels)
    return Dataset("digits", images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 16, _DIGITS)
