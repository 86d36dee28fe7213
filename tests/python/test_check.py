"""A look at a data set: each thing that spoils what is learned is named, and nothing that does not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bs4nn_tc import cli
from bs4nn_tc.data import check, datasets
from bs4nn_tc.data.dataset import Dataset

pytestmark = pytest.mark.bounds


def table(count: int = 900, **changes: Any) -> Dataset:
    """Three classes of as many samples, 5 features of int16, 10 groups; nothing is wrong with it."""
    rng = np.random.default_rng(0)
    values, labels = rng.integers(-900, 900, (count + 300, 5)).astype(np.int16), np.arange(count + 300) % 3
    groups = np.arange(count) // 3 % 10
    whole = Dataset(
        "t",
        values[:count],
        labels[:count],
        values[count:],
        labels[count:],
        (5,),
        255,
        ("a", "b", "c"),
        groups=groups,
        test_groups=np.arange(300) % 2 + 10,
        reading={"kind": "table", "scale": [10.0], "columns": ["v", "w", "x", "y", "z"]},
    )
    return dataclasses.replace(whole, **changes)


def changed(images: np.ndarray, place: Any, value: Any) -> np.ndarray:
    images = images.copy()
    images[place] = value
    return images


SPOILED: dict[str, tuple[Callable[[Dataset], dict[str, Any]], str]] = {
    "in both parts": (
        lambda whole: {"test_images": changed(whole.test_images, slice(0, 7), whole.train_images[20:27])},
        "7 of 300 test samples are training samples",
    ),
    "two classes": (
        lambda whole: {"train_images": changed(whole.train_images, [4, 9], whole.train_images[[0, 0]])},
        "1 training samples are the same as one of another class",  # 0, 4 and 9 are of classes 0, 1 and 0
    ),
    "groups in both parts": (lambda whole: {"test_groups": np.arange(300) % 12}, "10 of 10 groups have training and"),
    "torn groups": (
        lambda whole: {"groups": np.minimum(whole.groups, 8) * (whole.train_labels > 0)},
        "no group can be held out",
    ),
    "empty": (lambda whole: {"train_images": changed(whole.train_images, [3, 6], 0)}, "2 of 900 training samples"),
    "even": (lambda whole: {"test_images": changed(whole.test_images, 5, 44)}, "1 of 300 test samples have one and"),
    "uneven": (
        lambda whole: {"train_labels": np.where(np.arange(900) % 33 > 2, 2, whole.train_labels)},
        "class 'c' has 844 training samples, 'a' has 28; look at the balanced accuracy",
    ),
    "few": (
        lambda whole: {
            "train_images": whole.train_images[:450],
            "train_labels": whole.train_labels[:450],
            "groups": whole.groups[:450] if whole.groups is not None else None,
        },
        "450 training samples are few",
    ),
    "constant": (
        lambda whole: {"train_images": changed(whole.train_images, (slice(None), [1, 3]), 7)},
        "2 features never change (w, y)",
    ),
    "counts samples": (
        lambda whole: {"train_images": changed(whole.train_images, (slice(None), 2), np.arange(900))},
        "feature 'x' rises from each sample to the next",
    ),
    "beyond": (lambda whole: {"test_images": whole.test_images * 2}, "of the test values are beyond"),
    "clipped": (
        lambda whole: {"train_images": changed(whole.train_images, (slice(0, 60), slice(None)), 32_767)},
        "of the values are at the end of 16 bits",
    ),
}


def test_nothing_is_said_of_a_data_set_with_nothing_wrong() -> None:
    seen = check.look(table())
    assert seen.findings == []
    assert seen.summary == (
        f"{seen.facts['training']} samples to learn from, {seen.facts['validation']} to choose by, 300 to test with; "
        f"3 classes of 400; 5 values of int16, {table().train_images.min()} to {table().train_images.max()}"
    )


@pytest.mark.parametrize("kind", list(SPOILED))
def test_what_spoils_is_named_with_its_number(kind: str) -> None:
    change, text = SPOILED[kind]
    whole = table()
    found = {one.kind: one.text for one in check.look(dataclasses.replace(whole, **change(whole))).findings}
    assert kind in found
    assert text in found[kind], found[kind]
    assert "\n" not in found[kind]
    also = {"clipped": {"two classes", "even", "beyond"}, "constant": {"beyond"}, "counts samples": {"beyond"}}
    assert set(found) - {kind} <= also.get(kind, set()), found


def test_features_are_told_as_they_are_in_the_file() -> None:
    facts = check.look(table()).facts
    assert [one["name"] for one in facts["features"]] == ["v", "w", "x", "y", "z"]
    assert [one["lowest"] for one in facts["features"]] == (table().train_images.min(axis=0) / 10).tolist()
    assert [one["median"] for one in facts["features"]] == (np.median(table().train_images, axis=0) / 10).tolist()
    assert facts["classes"]["b"]["test"] == 100


def test_the_known_digits_have_nothing_wrong() -> None:
    assert check.look(datasets.load("digits")).findings == []


def test_dark_shapes_that_nothing_inverts_are_named(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for index in range(30):
            picture = np.full((9, 9), 240, np.uint8)
            picture[2 + (label == "b") * 3, index % 7 + 1] = index
            Image.fromarray(picture).save(tmp_path / label / f"{index}.png")
    for invert, kinds in (("no", {"dark ink", "few"}), ("auto", {"few"})):
        loaded = datasets.load(str(tmp_path), None, datasets.Reading(invert=invert))
        assert {one.kind for one in check.look(loaded).findings} - {"two classes", "in both parts"} == kinds


def test_the_verb_tells_people_and_programs_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("kind,a,b\n" + "".join(f"k{i % 2},{i * 7 % 50},5\n" for i in range(100)), encoding="utf-8")
    call = ["data", str(path), "--label", "kind"]
    cli.app([*call, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert (told["training"] + told["validation"], told["test"]) == (80, 20)
    assert told["classes"]["k1"] == {"training": 33, "validation": 7, "test": 10}
    first = told["features"][0]
    assert (first["name"], first["lowest"], first["highest"]) == ("a", 0.0, 49.0)
    assert {"constant", "few"} <= {one["kind"] for one in told["findings"]}
    cli.app(call, standalone_mode=False)
    captured = capsys.readouterr()
    assert "1 features never change (b)" in captured.err
    assert "k1" in captured.out
    assert "highest" in captured.out


def test_training_begins_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = f"train --hidden 20 --epochs 1 --quiet --accept --run {tmp_path}/run -o {tmp_path}/n.bs4nn"
    cli.app(call.split(), standalone_mode=False)
    assert capsys.readouterr().err.startswith("data: 1,201 samples to learn from, 241 to choose by, 355 to test with; ")
