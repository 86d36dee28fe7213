"""Arrays of NumPy as data sets: any type, any labels, and one clear line for what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import refused_data

from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.data.sources import arrays

pytestmark = pytest.mark.bounds

RNG = np.random.default_rng(0)


def npz(path: Path, **content: Any) -> str:
    np.savez(path / "a.npz", **content)
    return str(path / "a.npz")


def x_and_y(count: int = 60, values: int = 3, classes: int = 3) -> dict[str, np.ndarray]:
    return {"x": RNG.integers(-300, 300, (count, values)), "y": np.arange(count) % classes}


# ---- numbers ----


@pytest.mark.parametrize(
    ("values", "scale", "whole"),
    [
        ([[1.25, -3.5], [0.75, 100]], [100.0], [[125, -350], [75, 10_000]]),
        ([[1, -3], [7, 100]], [1.0], [[1, -3], [7, 100]]),
        ([[1 / 3, 0.5], [2 / 3, 0.25]], [16_384.0], [[5461, 8192], [10_923, 4096]]),
        ([[1e6, 3.0], [3e6, 1.0]], [2.0**-8, 1.0], [[3906, 3], [11_719, 1]]),
    ],
)
def test_numbers_become_whole_by_a_scale_that_is_kept(
    tmp_path: Path, values: list[list[float]], scale: list[float], whole: list[list[int]]
) -> None:
    x = np.array(values * 10)
    path = npz(tmp_path, train_x=x, train_y=[0, 1] * 10, test_x=x[:2] * 1000, test_y=[0, 1])
    loaded = datasets.load(path)
    assert loaded.train_images.dtype == np.int16
    assert loaded.train_images[:2].tolist() == whole
    assert loaded.reading is not None
    assert loaded.reading["scale"] == scale
    # Test samples beyond 16 bits end there.
    expected = (np.array(values) * 1000 * np.array(scale)).round().clip(-32_768, 32_767)
    assert np.abs(loaded.test_images - expected).max() <= 1


def test_channels_of_different_size_have_scales_of_their_own(tmp_path: Path) -> None:
    x = np.stack([RNG.normal(0, 1e-3, (40, 9)), RNG.normal(0, 500, (40, 9))], axis=2)
    loaded = datasets.load(npz(tmp_path, x=x, y=np.arange(40) % 2))
    assert loaded.image_shape == (9, 2)
    assert loaded.reading is not None
    one, two = loaded.reading["scale"]
    assert one > 1e6
    assert two < 20
    spread = loaded.train_images.reshape(-1, 2).astype(int)
    assert (np.ptp(spread, axis=0) > 10_000).all()


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_pictures_are_intensities(tmp_path: Path, kind: type) -> None:
    pictures = RNG.integers(0, 256, (30, 9, 8)).astype(np.uint8)
    x = pictures / np.float32(255) if kind is np.float32 else pictures.astype(kind)
    loaded = datasets.load(npz(tmp_path, train_x=x, train_y=np.arange(30) % 2, test_x=x[:4], test_y=[0, 1, 0, 1]))
    assert loaded.image_shape == (9, 8)
    assert loaded.train_images.dtype == np.uint8
    assert np.array_equal(loaded.train_images, pictures.reshape(30, 72))


def test_colours_become_the_grey_that_pillow_makes_of_them(tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415 - an extra

    colours = RNG.integers(0, 256, (30, 9, 8, 3)).astype(np.uint8)
    grey = np.stack([np.asarray(Image.fromarray(one).convert("L")) for one in colours]).reshape(30, -1)
    for x in (colours, colours.transpose(0, 3, 1, 2)):
        path = npz(tmp_path, train_x=x, train_y=np.arange(30) % 2, test_x=x[:4], test_y=[0, 1, 0, 1])
        assert np.abs(datasets.load(path).train_images.astype(int) - grey).max() <= 1


# ---- labels, groups, parts ----


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 2, 10], ("1", "2", "10")),
        ([-1.0, 0.0, 4.0], ("-1", "0", "4")),
        (["ten", "two", "a2"], ("a2", "ten", "two")),
        ([b"x", b"y", b"z"], ("x", "y", "z")),
    ],
)
def test_labels_are_whatever_tells_classes_apart(tmp_path: Path, labels: list[Any], names: tuple[str, ...]) -> None:
    given = x_and_y()
    loaded = datasets.load(npz(tmp_path, x=given["x"], y=np.array(labels * 20)))
    assert loaded.class_names == names
    texts = [str(one.decode() if isinstance(one, bytes) else one).removesuffix(".0") for one in labels]
    of_row = {tuple(row): texts[index % 3] for index, row in enumerate(given["x"].tolist())}
    for images, those in ((loaded.train_images, loaded.train_labels), (loaded.test_images, loaded.test_labels)):
        assert [of_row[tuple(row)] for row in images.tolist()] == [names[label] for label in those]


def test_names_of_classes_stand_for_labels_from_1_and_for_one_hot_rows(tmp_path: Path) -> None:
    given = x_and_y()
    for y in (given["y"] + 1, np.eye(3)[given["y"]], given["y"][:, None]):
        loaded = datasets.load(npz(tmp_path, x=given["x"], y=y, class_names=["a", "b", "c"]))
        assert loaded.class_names == ("a", "b", "c")
        assert np.bincount(loaded.test_labels).tolist() == [4, 4, 4]
    refused_data(npz(tmp_path, **given, class_names=["a", "b"]), "2 class_names for 3 classes")


def test_whole_groups_are_held_out(tmp_path: Path) -> None:
    speakers = np.repeat(["ann", "bob", "cy", "di", "ed", "flo"], 10)
    loaded = datasets.load(npz(tmp_path, **x_and_y(), groups=speakers))
    assert loaded.groups is not None
    assert loaded.test_groups is not None
    assert not set(loaded.groups.tolist()) & set(loaded.test_groups.tolist())
    assert len(loaded.test_labels) in (10, 20)
    assert "whole groups" in loaded.notes[0]


def test_files_beside_each_other_and_a_pair_by_name(tmp_path: Path) -> None:
    given = x_and_y()
    whole = datasets.load(npz(tmp_path, **given))
    (tmp_path / "pair").mkdir()
    np.save(tmp_path / "pair" / "X.npy", given["x"])
    np.save(tmp_path / "pair" / "y.npy", given["y"])
    pair = datasets.load(str(tmp_path / "pair"))
    alone = datasets.load(str(tmp_path / "pair" / "X.npy"), None, Reading(labels=str(tmp_path / "pair" / "y.npy")))
    for other in (pair, alone):
        assert np.array_equal(other.train_images, whole.train_images)
        assert np.array_equal(other.test_labels, whole.test_labels)
    refused_data(str(tmp_path / "pair" / "X.npy"), "samples alone", "--labels LABELS.npy")


def test_another_file_is_read_as_the_first_one_was(tmp_path: Path) -> None:
    x = np.array([[0.5, 10.0], [0.25, 20.0]] * 10)
    first = datasets.load(npz(tmp_path, x=x, y=["b", "a"] * 10))
    np.save(tmp_path / "one.npy", [0.123, 3.0])
    reading = Reading.from_json(first.reading)
    assert arrays.read_all(tmp_path / "one.npy", reading).tolist() == [[12, 300]]
    other = datasets.load(npz(tmp_path, x=x[:, ::-1] / 100, y=["b", "a"] * 10), None, reading)
    assert sorted({*other.train_images.ravel().tolist()}) == [0, 10, 20]  # by the first one's scale
    refused_data(npz(tmp_path, x=x, y=["b", "c"] * 10), "label 'c', which is none of the 2 classes", reading=reading)


# ---- what is refused ----


def test_missing_values_are_named_left_out_or_filled(tmp_path: Path) -> None:
    x = RNG.integers(0, 9, (30, 2, 2)).astype(float)
    x[7, 1, 0], x[9, 0, 1] = np.nan, np.inf
    x[:7, 1, 0] = 5
    content = {"train_x": x, "train_y": np.arange(30) % 2, "test_x": x[:4], "test_y": [0, 1, 0, 1]}
    path = npz(tmp_path, **content)
    refused_data(path, "train_x[7, 1, 0] is missing, as are 1 more values", "--missing median", "--missing drop")
    dropped = datasets.load(path, None, Reading(missing="drop"))
    assert dropped.train_images.tolist() == np.delete(x, [7, 9], axis=0).reshape(28, 4).tolist()
    filled = datasets.load(path, None, Reading(missing="median"))
    of_channel = [np.median(np.delete(x[:, :, 0].ravel(), 15)), np.median(np.delete(x[:, :, 1].ravel(), 18))]
    scale = filled.reading["scale"][0] if filled.reading else 0
    assert filled.train_images[7, 2] == round(of_channel[0] * scale)
    assert filled.train_images[9, 1] == round(of_channel[1] * scale)
    content["test_x"] = x[7:11]
    content["train_x"] = np.nan_to_num(x, posinf=0)
    refused_data(npz(tmp_path, **content), "test_x[0, 1, 0] is missing")


def test_what_is_no_data_set_is_said_in_one_line(tmp_path: Path) -> None:
    given = x_and_y()
    x, y = given["x"], given["y"]
    refused_data(npz(tmp_path, x=x.astype(object), y=y), "'x'", "Python objects, which are never unpickled")
    refused_data(npz(tmp_path, a=x, b=y), "no arrays train_x, train_y, test_x and test_y, or x and y (there: a, b)")
    refused_data(npz(tmp_path, x=x, y=y[:-1]), "60 samples, but 59 labels")
    refused_data(npz(tmp_path, train_x=x, train_y=y, test_x=x[:, :2], test_y=y), "(3,), test samples (2,)", "alike")
    refused_data(npz(tmp_path, x=x.astype(str), y=y), "numbers are needed")
    refused_data(npz(tmp_path, x=x[0], y=y), "(3,); (samples, values)")
    refused_data(npz(tmp_path, x=x[:0], y=y[:0]), "shape (0, 3)")
    refused_data(npz(tmp_path, x=x, y=np.zeros(60)), "has 1 class; at least 2 are needed")
    refused_data(npz(tmp_path, x=x, y=[0] * 58 + [1, 1]), "the class '1' has 2 samples; at least 3 are needed")
    refused_data(npz(tmp_path, x=x, y=np.where(y == 0, np.nan, y)), "the label of sample 0 of x is nan")
    refused_data(npz(tmp_path, x=x * 1j, y=y), "type complex128")
    refused_data(npz(tmp_path, x=x, y=y, groups=y[1:]), "60 samples, but 59 groups")
    (tmp_path / "a.npz").write_bytes(b"")
    refused_data(str(tmp_path / "a.npz"), "truncated or damaged")


def test_a_thousand_classes_and_four_samples_of_each(tmp_path: Path) -> None:
    y = np.arange(4000) % 1000
    loaded = datasets.load(npz(tmp_path, x=RNG.integers(0, 99, (4000, 2)), y=y))
    assert len(loaded.class_names) == 1000
    assert (np.bincount(loaded.test_labels) == 1).all()
    assert (np.bincount(loaded.validation()[1]) == 1).all()


def test_more_than_is_read_is_refused_with_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((60, 3)), y=np.zeros(60, np.uint8))
    refused_data(str(tmp_path / "a.npz"), "1,500 bytes; at most 1,000 are read")


def test_tables_of_scikit_learn_by_both_names() -> None:
    for name, shape, first in (("wine", (13,), [1423, 171, 243]), ("breast-cancer", (30,), [17_990, 1038, 12_280])):
        one, two = datasets.load(name), datasets.load(f"sklearn:{name.replace('-', '_')}")
        assert one.name == two.name == name
        assert one.image_shape == shape
        assert one.reading is not None
        rows = np.concatenate([one.train_images, one.test_images])
        assert first in rows[:, :3].tolist()
        assert np.array_equal(one.test_images, two.test_images)
