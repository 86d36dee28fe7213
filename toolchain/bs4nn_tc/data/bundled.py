"""Data sets with a name: MNIST and Fashion-MNIST in torchvision's layout, and the digits that scikit-learn brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.data import idx
from bs4nn_tc.data.dataset import Dataset, every_fifth

DEFAULT_DATA_DIR = Path("data")
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


def _torchvision_set(name: str, data_dir: Path, *, class_name: str, class_names: tuple[str, ...]) -> Dataset:
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


def _digits(name: str, _: Path) -> Dataset:
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
    return Dataset(name, images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 16, _DIGITS)


_LOADERS: dict[str, Callable[[str, Path], Dataset]] = {
    "mnist": partial(_torchvision_set, class_name="MNIST", class_names=_DIGITS),
    "fashion-mnist": partial(_torchvision_set, class_name="FashionMNIST", class_names=_FASHION_CLASSES),
    "digits": _digits,
}
NAMES = tuple(_LOADERS)


def load(name: str, data_dir: Path | None) -> Dataset:
    """One of `NAMES`.

    Args:
        name: of the data set.
        data_dir: where MNIST and Fashion-MNIST lie; "data" by default.

    Raises:
        MissingToolError: the data set or the package that brings it is not on this machine.
        UserError: damaged files.
    """
    return _LOADERS[name](name, data_dir or DEFAULT_DATA_DIR)
