"""torchvision's sets by their names there, with classes that have the arguments that those of torchvision have."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.data import datasets

pytestmark = pytest.mark.bounds

GREYS = np.random.default_rng(0).integers(0, 256, (60, 6, 8)).astype(np.uint8)


class Stored:
    """What all of them have: a length, and (picture, label) by number."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray) -> None:
        self.pictures, self.labels = pictures, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return Image.fromarray(self.pictures[index]), int(self.labels[index])


class KMNIST(Stored):
    """Parts by `train`, as MNIST, CIFAR10 and USPS."""

    classes = ("o", "ki", "su")

    def __init__(self, root: str, train: bool = True, transform: Any = None, download: bool = False) -> None:
        assert download
        assert Path(root).name == "here"
        part = slice(0, 48) if train else slice(48, 60)
        super().__init__(GREYS[part], np.arange(60)[part] % 3)


class EMNIST(Stored):
    """Several sets, whose parts are made by an argument that its signature does not name."""

    classes = ("N/A", "a", "b")

    def __init__(self, root: str, split: str, **kwargs: Any) -> None:
        if split != "letters":
            raise ValueError(f"no {split}")
        part = slice(0, 48) if kwargs.pop("train") else slice(48, 60)
        assert kwargs == {"download": True}
        super().__init__(GREYS[part], 1 + np.arange(60)[part] % 2)


class SVHN(Stored):
    """Parts by `split`, colours."""

    def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
        part = {"train": slice(0, 48), "test": slice(48, 60)}[split]
        super().__init__(np.stack([GREYS[part]] * 3, axis=3), np.arange(60)[part] % 3)


class EuroSAT(Stored):
    """No parts, pictures of different sizes, as tensors of 0 .. 1."""

    def __init__(self, root: str, download: bool = False) -> None:
        super().__init__(GREYS, np.arange(60) % 3)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.pictures[index][None, :, : 4 + index % 4].astype(np.float32) / 255, self.labels[index]


class VOCDetection(Stored):
    """Something else than a class for each picture."""

    def __init__(self, root: str, download: bool = False) -> None:
        super().__init__(GREYS, np.arange(60))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return Image.fromarray(self.pictures[index]), {"boxes": []}


@pytest.fixture(autouse=True)
def sets(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torchvision")
    module.datasets = types.SimpleNamespace(  # type: ignore[attr-defined]
        KMNIST=KMNIST, EMNIST=EMNIST, SVHN=SVHN, EuroSAT=EuroSAT, VOCDetection=VOCDetection, helper=len
    )
    monkeypatch.setitem(sys.modules, "torchvision", module)


HERE = Path("here")


@pytest.mark.parametrize("name", ["KMNIST", "SVHN", "EMNIST:letters"])
def test_sets_with_two_parts(name: str) -> None:
    loaded = datasets.load(f"torchvision:{name}", HERE)
    assert loaded.name == f"torchvision:{name}"
    assert loaded.image_shape == (6, 8)
    assert np.abs(loaded.train_images.astype(int) - GREYS[:48].reshape(48, 48)).max() <= 1
    assert np.abs(loaded.test_images.astype(int) - GREYS[48:].reshape(12, 48)).max() <= 1
    assert loaded.class_names == {"KMNIST": ("o", "ki", "su"), "SVHN": ("0", "1", "2")}.get(name, ("a", "b"))
    assert loaded.test_labels.tolist() == (np.arange(48, 60) % len(loaded.class_names)).tolist()
    assert datasets.is_here(f"torchvision:{name}-3x4")
    assert datasets.load(f"torchvision:{name}-3x4", HERE).image_shape == (3, 4)


def test_a_set_without_parts_and_of_different_sizes() -> None:
    with pytest.raises(UserError, match="pictures of different sizes; --size ROWSxCOLUMNS"):
        datasets.load("torchvision:EuroSAT", HERE)
    loaded = datasets.load("torchvision:EuroSAT-3x2", HERE)
    assert loaded.image_shape == (3, 2)
    assert abs(loaded.train_images.mean() - GREYS.mean()) < 10  # shares of white are as bright as they were
    assert len(loaded.test_labels) == 12
    assert len(loaded.train_labels) == 48


def test_what_cannot_be_had_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text, kind in (
        ("KMIST", "no data set 'KMIST'; did you mean torchvision:KMNIST", UserError),
        ("helper", "no data set 'helper'", UserError),
        ("EMNIST", "several sets; name one of them after it", UserError),
        ("EMNIST:digits", "cannot be downloaded (no digits); say where it is with --data-dir", MissingToolError),
        ("VOCDetection", "no classification set: the label of a picture is a dict", UserError),
    ):
        with pytest.raises(kind) as caught:
            datasets.load(f"torchvision:{name}", HERE)
        assert text in str(caught.value)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingToolError, match=r"torchvision:KMNIST needs torchvision: .*pip install"):
        datasets.load("torchvision:KMNIST", HERE)
