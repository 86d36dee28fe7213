"""Training that has come to nothing says so: in one line each, with what to try, and in the JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_tool

from bs4nn_tc import training
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.model import judgement

NAMES = tuple("abcdefghij")
RNG = np.random.default_rng(0)
BALANCED = np.repeat(np.arange(10), 50)
SKEWED = np.repeat([0, 1, 2], [450, 30, 20])  # 90 % are of one class, as heart beats are


def answered(labels: np.ndarray, share: float) -> np.ndarray:
    """That share of every class right, at least one image, the others as the next class."""
    answers = (labels + 1) % (labels.max() + 1)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        answers[of_class[: max(1, round(share * len(of_class)))]] = label
    return answers


def judged(
    answers: np.ndarray, labels: np.ndarray, silent: float = 0.0, names: tuple[str, ...] = NAMES
) -> dict[str, str]:
    return judgement.judge(answers, labels, np.arange(len(labels)) < silent * len(labels), names)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97, 1.0])
def test_a_network_that_has_learned_is_not_warned_of(share: float) -> None:
    assert judged(answered(BALANCED, share), BALANCED) == {}
    assert judged(answered(BALANCED, share), BALANCED, silent=0.5) == {}


@pytest.mark.parametrize(("silent", "text"), [(1.0, "100.0% of the images"), (0.75, "75.0% of the images")])
def test_mostly_silent(silent: float, text: str) -> None:
    found = judged(answered(BALANCED, 0.9), BALANCED, silent)
    assert list(found) == ["silent"]
    assert text in found["silent"]
    assert "tune --max-silent" in found["silent"]


def test_at_chance() -> None:
    found = judged(RNG.integers(0, 10, 500), BALANCED)
    assert list(found) == ["guessing"]
    assert "chance" in found["guessing"]
    assert "10.00%" in found["guessing"]
    assert "--set rate=" in found["guessing"]


def test_at_the_share_of_the_commonest_class_and_classes_that_are_never_the_answer() -> None:
    names = ("normal", "early \x1b[1m", "late")
    found = judged(np.zeros(500, int), SKEWED, names=names)
    assert list(found) == ["guessing", "never answered"]
    assert (
        "90.00% is not clearly better than always answering 'normal', the commonest class (90.00%)" in found["guessing"]
    )
    assert r"classes 'early \x1b[1m', 'late' are never the answer, with 50 images" in found["never answered"]
    # One class is found now and then: the accuracy says no more for it, and the other is still missing.
    answers = np.where(np.arange(500) == 455, 1, 0)
    found = judged(answers, SKEWED, names=names)
    assert "90.20%" in found["guessing"]
    assert "class 'late' is never the answer, with 20 images of it" in found["never answered"]
    # As accurate as the commonest class is common, and yet all of it learned: 30 of 50 rare ones, 12 lost.
    answers = SKEWED.copy()
    answers[:12] = 1
    answers[450:460] = answers[480:490] = 0
    assert judged(answers, SKEWED, names=names) == {}


def test_few_images_or_classes_say_nothing() -> None:
    assert judged(np.array([], int), np.array([], int)) == {}
    assert judged(np.array([3]), np.array([4])) == {}
    assert judged(np.zeros(40, int), np.zeros(40, int)) == {}
    assert judged(np.zeros(40, int), np.zeros(40, int), names=("only",)) == {}


def test_many_missing_classes_are_counted() -> None:
    assert "'b', 'c', 'd', 'e', 'f' and 4 more" in judged(np.zeros(500, int), BALANCED)["never answered"]


def test_of_every_kind_the_first_is_told() -> None:
    told = judgement.warnings({"validation images": {"silent": "s1"}, "test images": {"silent": "s2", "guessing": "g"}})
    assert told == ["validation images: s1", "test images: g"]


def test_the_command_line_warns_and_the_json_carries_it(tmp_path: Path) -> None:
    """A threshold that no output neuron reaches: 100 % silent, and answers of luck."""
    call = [
        "train",
        "--dataset",
        "digits",
        "--hidden",
        "8",
        "--epochs",
        "1",
        "--set",
        "output_threshold=2000",
        "--json",
    ]
    done = run_tool(*call, "--quiet", "--run", tmp_path / "run", "-o", tmp_path / "n.bs4nn")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout)["warnings"]
    assert warnings[0].startswith("validation images: no output neuron fires on 100.0% of the images")
    assert done.stderr.splitlines() == [f"warning: {line}" for line in warnings]
    for fast in ((), ("--fast",)):
        done = run_tool("evaluate", tmp_path / "n.bs4nn", "--quiet", "--json", *fast)
        found = json.loads(done.stdout)["warnings"]
        assert found[0].startswith("test images of digits: no output neuron fires on 100.0%")
        assert done.stderr.splitlines() == [f"warning: {line}" for line in found]


# ---- Nothing fires: why ----


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = datasets.load("digits")
    return dataclasses.replace(whole, train_images=whole.train_images[:600], train_labels=whole.train_labels[:600])


def refused(digits: Dataset, folder: Path, recipe: str, *settings: str, **changes: Any) -> str:
    dataset = dataclasses.replace(digits, **changes)
    options = training.resolve(dataset, recipe, (12,), 1, None, 0, settings)
    with pytest.raises(UserError) as caught:
        training.train(dataset, options, folder / "run")
    return str(caught.value)


@pytest.mark.parametrize("recipe", ["best", "paper", "s4nn"])
def test_black_images_are_told_from_high_thresholds(digits: Dataset, tmp_path: Path, recipe: str) -> None:
    said = refused(digits, tmp_path, recipe, train_images=np.zeros_like(digits.train_images))
    assert "no validation image has a pixel above black" in said
    assert "threshold" not in said


@pytest.mark.parametrize(
    ("recipe", "setting", "threshold"),
    [("best", "hidden_thresholds=65", "65"), ("paper", "theta=5000", "1001"), ("s4nn", "theta=5000", "5000")],
)
def test_thresholds_that_no_number_of_spikes_reaches(
    digits: Dataset, tmp_path: Path, recipe: str, setting: str, threshold: str
) -> None:
    most = int((digits.validation()[0] > 0).sum(axis=1).max())
    said = refused(digits, tmp_path, recipe, setting)
    assert f"no validation image gives more than {most} input spikes" in said
    assert f"--set {setting.partition('=')[0]}=" in said
    assert recipe == "paper" or f"is {threshold}," in said


def test_images_so_dark_that_their_spikes_come_too_late(digits: Dataset, tmp_path: Path) -> None:
    """With 16 intensities and 4 steps, intensity 1 fires at the last step; neurons of a delay of 1 then never fire."""
    dark = (digits.train_images > 8).astype(np.uint8)
    options = training.resolve(digits, "paper", (12,), 1, 4, 0, ["theta=5"])
    with pytest.raises(UserError, match="before the last of 4 time steps"):
        training.train(dataclasses.replace(digits, train_images=dark), options, tmp_path / "run")


def test_black_training_images_are_not_blamed_on_the_rate(digits: Dataset, tmp_path: Path) -> None:
    numbered = np.zeros_like(digits.train_images)
    numbered[:, :2] = np.stack([np.arange(600) // 256, np.arange(600) % 256], axis=1)
    learned = dataclasses.replace(digits, train_images=numbered).training()[0][:, :2].astype(int) @ [256, 1]
    images = digits.train_images.copy()
    images[learned] = 0
    assert "no training image has a pixel above black" in refused(digits, tmp_path, "best", train_images=images)
