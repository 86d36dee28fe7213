"""Data sets with a name: MNIST and Fashion-MNIST in torchvision's layout, and those that scikit-learn brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.data.dataset import Dataset, every_fifth
from bs4nn_tc.data.sources import idx
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble
from bs4nn_tc.data.sources.reading import TABLE, Reading

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


def _torchvision_set(
    name: str, data_dir: Path, _: Reading, *, class_name: str, class_names: tuple[str, ...]
) -> Dataset:
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


def _of_sklearn(name: str) -> Any:
    """What scikit-learn has under a name."""
    try:
        import sklearn.datasets  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = remedies.pip_install("scikit-learn")
        raise MissingToolError(f"the data set {name} comes with scikit-learn; install it with: {remedy}") from error
    return getattr(sklearn.datasets, f"load_{name.replace('-', '_')}")()


def _digits(name: str, _data_dir: Path, _reading: Reading) -> Dataset:
    """1,797 images of 8 x 8 pixels, intensities 0 .. 16; every fifth image of a class is a test image."""
    bunch = _of_sklearn(name)
    images = bunch.data.astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    is_test = every_fifth(labels)
    return Dataset(name, images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 16, _DIGITS)


def _table(name: str, _: Path, reading: Reading) -> Dataset:
    """A table of numbers; a fifth of every class is for testing."""
    bunch = _of_sklearn(name)
    columns = tuple(map(str, bunch.feature_names))
    facts = Facts(
        name,
        (len(columns),),
        replace(reading.of_kind(TABLE), columns=columns),
        lambda _, sample, value: f"{name}: sample {sample}, {columns[value]}",
        tuple(map(str, bunch.target_names)),
    )
    return assemble(facts, Part(bunch.data, bunch.target), None)


_LOADERS: dict[str, Callable[[str, Path, Reading], Dataset]] = {
    "mnist": partial(_torchvision_set, class_name="MNIST", class_names=_DIGITS),
    "fashion-mnist": partial(_torchvision_set, class_name="FashionMNIST", class_names=_FASHION_CLASSES),
    "digits": _digits,
    "wine": _table,
    "breast-cancer": _table,
    "iris": _table,
}
NAMES = tuple(_LOADERS)


def plain(name: str) -> str:
    """One of `NAMES` for each other way to write it (sklearn:breast_cancer); else the same."""
    short = name.removeprefix("sklearn:").replace("_", "-")
    return short if short in NAMES and _LOADERS[short] in (_digits, _table) else name


def load(name: str, data_dir: Path | None, reading: Reading) -> Dataset:
    """One of `NAMES`.

    Args:
        name: of the data set.
        data_dir: where MNIST and Fashion-MNIST lie; "data" by default.
        reading: how those are read that are neither of these nor the digits.

    Raises:
        MissingToolError: the data set or the package that brings it is not on this machine.
        UserError: damaged files.
    """
    return _LOADERS[name](name, data_dir or DEFAULT_DATA_DIR, reading)
