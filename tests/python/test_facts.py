"""What is known of data sets: frozen for those in the table, and following from the images for all others."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from bs4nn_tc import training
from bs4nn_tc.data import datasets, facts
from bs4nn_tc.data.datasets import Dataset

pytestmark = pytest.mark.bounds


def made(name: str, images: np.ndarray, shape: tuple[int, int], classes: int = 10, intensity_max: int = 255) -> Dataset:
    labels = np.arange(len(images)) % classes
    names = tuple(str(label) for label in range(classes))
    return Dataset(name, images, labels, images[:classes], labels[:classes], shape, intensity_max, names)


# What each had before there was a table, by width: hidden thresholds, output threshold, windows, scale.
ONE, THREE = 20 / 28, (300, 200, 100)
FROZEN = {
    "mnist": {
        (32,): ((12,), 9, (20.0,), 0.6),
        (99,): ((12,), 9, (20.0,), 0.6),
        (100,): ((12,), 12, (20.0,), 0.5),
        (199,): ((12,), 12, (20.0,), 0.5),
        (200,): ((16,), 16, (24.0,), 0.4),
        (399,): ((16,), 16, (24.0,), 0.4),
        (400,): ((20,), 24, (28.0,), 0.3),
        (1000,): ((20,), 24, (28.0,), 0.3),
        (600, 600): ((20, 10), 30, (28.0, 28.0 * ONE), 0.3),
        (64, 32): ((12, 6), 11, (20.0, 20.0 * ONE), 0.6),
        THREE: ((16, 8, 8), 20, (24.0, 24.0 * ONE, 24.0 * ONE), 0.4),
    },
    "mnist-14x14": {
        (32,): ((11,), 14, (7.0,), 0.4),
        (600,): ((11,), 14, (7.0,), 0.4),
        (64, 32): ((11, 5), 17, (7.0, 5.0), 0.4),
    },
    "fashion-mnist": {
        (100,): ((30,), 80, (28.0,), 0.08),
        (1000,): ((30,), 80, (28.0,), 0.08),
        (600, 600): ((30, 15), 100, (28.0, 28.0 * ONE), 0.08),
    },
    "fashion-mnist-14x14": {
        (100,): ((16,), 40, (10.0,), 0.12),
        THREE: ((16, 8, 8), 50, (10.0, 10.0 * ONE, 10.0 * ONE), 0.12),
    },
    "digits": {
        (32,): ((12,), 6, (10.0,), 0.5),
        (128,): ((12,), 6, (10.0,), 0.5),
        (64, 32): ((12, 6), 7, (10.0, 10.0 * ONE), 0.5),
    },
}
_DIGITS = {"rotation": 6.0, "stretch": 0.06, "mirror": False}
_CLOTHES = {"start": 0.05, "rotation": 0.0, "stretch": 0.0, "mirror": True, "still": 0.15}
COMMON = {
    "mnist": {**_DIGITS, "start": 0.02, "shift": 1.0, "still": 0.15},
    "mnist-14x14": {**_DIGITS, "start": 0.02, "shift": 0.5, "still": 0.15},
    "fashion-mnist": {**_CLOTHES, "shift": 0.9},
    "fashion-mnist-14x14": {**_CLOTHES, "shift": 0.45},
    "digits": {**_DIGITS, "start": 0.3, "shift": 0.5, "still": 0.0, "epochs": 100, "rate": 1e-2, "batch": 20},
}
ALL = {"epochs": 20, "seed": 0, "all_images": False, "whole_shift": 0, "dropout": 0.0, "time_steps": 16, "rate": 1e-3,
       "batch": 100, "elastic": 0.0, "threshold_rate": 0.0, "max_silent": 0.1, "last_threshold": 0, "evenly": 0.0,
       "roll": 0, "recipe": "best"}  # fmt: skip


@pytest.mark.parametrize("name", FROZEN)
def test_options_of_known_data_sets_are_what_they_have_always_been(name: str) -> None:
    dataset = made(name, np.zeros((20, 16), np.uint8), (4, 4))
    for hidden, (thresholds, output, windows, scale) in FROZEN[name].items():
        of_width = {"hidden_thresholds": thresholds, "output_threshold": output, "windows": windows, "scale": scale}
        expected = {**ALL, **COMMON[name], **of_width, "hidden": hidden}
        assert dataclasses.asdict(training.best_defaults(dataset, hidden)) == expected
        expected |= {"epochs": 7, "seed": 3, "time_steps": 32}
        assert dataclasses.asdict(training.best_defaults(dataset, hidden, 7, 3, 32)) == expected


@pytest.mark.parametrize(
    ("name", "width"),
    [("mnist", 600), ("mnist-14x14", 288), ("fashion-mnist", 1000), ("digits", 512), ("/some/folder", 1000)],
)
def test_default_widths(name: str, width: int) -> None:
    assert facts.width(name) == width


# ---- What follows from the images ----


@functools.cache
def loaded(name: str, data_dir: Path) -> Dataset:
    return datasets.load(name, data_dir)


def unknown(dataset: Dataset) -> Dataset:
    """The same images under a name that nobody knows."""
    return dataclasses.replace(dataset, name="/some/folder")


@pytest.mark.parametrize("name", FROZEN)
def test_what_the_images_say_is_near_to_what_was_found(name: str, data_dir: Path) -> None:
    dataset = loaded(name, data_dir)
    width = facts.width(name)
    found, said = facts.learning(dataset, width), facts.learning(unknown(dataset), width)
    assert said.hidden_threshold == pytest.approx(found.hidden_threshold, rel=0.3)
    for value in ("output_threshold", "window", "scale", "rate", "batch", "epochs"):
        assert 0.33 < getattr(said, value) / getattr(found, value) < 3, value


def test_an_unknown_data_set_gets_thresholds_for_the_spikes_that_it_has() -> None:
    rng = np.random.default_rng(0)
    sparse = rng.integers(0, 256, (300, 64)) * (rng.random((300, 64)) < 0.25)
    for images, arrived in ((sparse, 8), (np.full((300, 64), 255), 64), (np.full((300, 784), 51), 784 / 5)):
        side = int(images.shape[1] ** 0.5)
        options = training.best_defaults(made("/some/folder", images.astype(np.uint8), (side, side)), (600,))
        assert options.hidden_thresholds == (round(2 * arrived**0.5),)
    for grey, threshold in ((115, 2), (1, 1)):  # four pixels bring no more spikes than they are
        options = training.best_defaults(made("/some/folder", np.full((300, 4), grey, np.uint8), (2, 2)), (64,))
        assert options.hidden_thresholds == (threshold,)
        assert options.windows[0] >= 1
    few = training.best_defaults(made("/some/folder", sparse.astype(np.uint8), (8, 8)), (600,))
    many = training.best_defaults(made("/some/folder", np.tile(sparse, (200, 1)).astype(np.uint8), (8, 8)), (600,))
    assert (few.batch, few.epochs, few.rate) == (10, 240, 1e-2)  # 250 images to learn from, 50,000 below
    assert (many.batch, many.epochs, many.rate) == (100, 20, 1e-3)
    assert (few.shift, few.rotation, few.mirror) == (0, 0, False)


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_framing_follows_from_the_images(name: str, data_dir: Path) -> None:
    dataset = loaded(name, data_dir)
    known, found = facts.framing(name, dataset), facts.framing("/some/folder", unknown(dataset))
    assert found.box == known.box
    assert found.centre == pytest.approx(known.centre, abs=0.01)
    assert not found.dark_ink
    # The same on white paper, at the left of images that are wider than high.
    images = np.pad(dataset.train_images.reshape(-1, *dataset.image_shape), ((0, 0), (0, 0), (0, 7)))
    paper = (dataset.intensity_max - images).astype(np.uint8).reshape(len(images), -1)
    rows, columns = dataset.image_shape[0], dataset.image_shape[1] + 7
    found = facts.framing("/some/folder", made("/some/folder", paper, (rows, columns), 10, dataset.intensity_max))
    assert found.dark_ink
    assert found.box == known.box
    wanted = (known.centre[0], known.centre[1] * dataset.image_shape[1] / columns)
    assert found.centre == pytest.approx(wanted, abs=0.01)


def test_framing_without_images_or_ink_is_that_of_mnist() -> None:
    white = made("/some/folder", np.full((20, 16), 255, np.uint8), (4, 4))
    framings = [facts.framing(None, None), facts.framing("/some/folder", None), facts.framing("/some/folder", white)]
    assert framings == [facts.framing("mnist-7x7", None)] * 3 == [facts.MNIST_FRAMING] * 3
    assert facts.framing("digits-4x4", None) == facts.framing("digits", None) != facts.MNIST_FRAMING
