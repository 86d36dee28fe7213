"""Training that has come to nothing says so: in one line each, with what to try, and in the JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_tool
from scipy import stats

from bs4nn_tc import training
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.model import judgement, network_file
from bs4nn_tc.model.evaluation import Figures

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
    found = judgement.judge(answers, labels, np.arange(len(labels)) < silent * len(labels), names)
    assert all(finding.fails or finding.kind == "silent" for finding in found)
    return {finding.kind: finding.text for finding in found}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97, 1.0])
def test_a_network_that_has_learned_is_not_warned_of(share: float) -> None:
    assert judged(answered(BALANCED, share), BALANCED) == {}
    assert judged(answered(BALANCED, share), BALANCED, silent=0.2) == {}


@pytest.mark.parametrize(
    ("silent", "text", "fails"),
    [(1.0, "100.0%", True), (0.502, "50.2%", True), (0.5, "50.0%", False), (0.202, "20.2%", False)],
)
def test_often_and_mostly_silent(silent: float, text: str, fails: bool) -> None:
    quiet = np.arange(500) < silent * 500
    (found,) = judgement.judge(answered(BALANCED, 0.9), BALANCED, quiet, NAMES)
    assert (found.kind, found.fails, found.word) == ("silent", fails, "SILENT" if fails else "silent")
    assert f"{text} of the images" in found.text
    assert "tune --max-silent" in found.text


def test_at_chance() -> None:
    found = judged(RNG.integers(0, 10, 500), BALANCED)
    assert list(found) == ["guessing"]
    assert "chance" in found["guessing"]
    assert "10.00%" in found["guessing"]
    assert "--set rate=" in found["guessing"]


@pytest.mark.parametrize("classes", [2, 5, 10])
@pytest.mark.parametrize("count", [10, 40, 400])
def test_chance_ends_where_scipy_says(classes: int, count: int) -> None:
    """One right answer more, and luck would give it less than once in 40."""
    labels = np.arange(count) % classes
    least = next(
        k for k in range(count + 1) if stats.binomtest(k, count, 1 / classes, alternative="greater").pvalue <= 0.025
    )
    for right, told in ((least - 1, True), (least, False)):
        answers = np.where(np.arange(count) < right, labels, (labels + 1) % classes)
        assert ("chance" in judged(answers, labels, names=NAMES[:classes]).get("guessing", "")) == told


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


@pytest.mark.parametrize(("lost", "won"), [(12, 25), (12, 26), (0, 5), (0, 6)])
def test_what_is_won_over_the_commonest_class_is_more_than_luck(lost: int, won: int) -> None:
    """Where it and the network differ, a fair coin would favour the network less than once in 40 (McNemar, exact)."""
    answers = SKEWED.copy()
    answers[:lost] = 1
    answers[450 + won :] = 0
    luck = stats.binomtest(won, won + lost, 0.5, alternative="greater").pvalue
    assert ("guessing" in judged(answers, SKEWED, names=NAMES[:3])) == (luck > 0.025)


def test_few_images_or_classes_say_nothing() -> None:
    assert judged(np.array([], int), np.array([], int)) == {}
    assert judged(np.array([3]), np.array([4])) == {}
    assert judged(np.zeros(40, int), np.zeros(40, int)) == {}
    assert judged(np.zeros(40, int), np.zeros(40, int), names=("only",)) == {}
    five = np.array([0, 1, 0, 1, 0])  # all right has a chance of 1 in 32
    assert judged(1 - five, five, names=("a", "b")) == {}
    few_others = np.array([0] * 30 + [1] * 2)
    assert judged(few_others, few_others, names=("a", "b")) == {}


def test_many_missing_classes_are_counted() -> None:
    assert "'b', 'c', 'd', 'e', 'f' and 4 more" in judged(np.zeros(500, int), BALANCED)["never answered"]


def test_of_every_kind_the_first_is_told_and_the_first_images_decide() -> None:
    silent, guessing = (judgement.Finding(kind, kind, fails=True) for kind in ("silent", "guessing"))
    told = judgement.told({"test images": (silent,), "validation images": (silent, guessing)})
    assert [(one.text, one.fails) for one in told] == [
        ("test images: silent", True),
        ("validation images: guessing", False),
    ]
    assert judgement.told({}) == ()


def figures(accuracy: float, images: int) -> Figures:
    return Figures(images, accuracy, accuracy, accuracy, 5.0, 0.0, 20.0)


@pytest.mark.parametrize(
    ("training", "validation", "test", "kinds"),
    [
        ((1.0, 50_000), (0.98, 10_000), (0.98, 10_000), []),
        ((1.0, 100), (0.8, 20), (0.8, 25), []),  # so few say little
        ((1.0, 1000), (0.6, 200), (0.6, 200), ["overfitted"]),
        ((0.97, 1666), (0.93, 334), (0.42, 300), ["shifted"]),  # speakers that were never heard
        ((1.0, 1000), (0.8, 1000), (0.5, 1000), ["overfitted", "shifted"]),
        ((0.9, 1000), (0.8, 1000), (0.9, 1000), []),
    ],
)
def test_accuracy_on_one_set_far_above_another(
    training: tuple[float, int], validation: tuple[float, int], test: tuple[float, int], kinds: list[str]
) -> None:
    found = judgement.compare(figures(*training), figures(*validation), figures(*test))
    assert [one.kind for one in found] == kinds
    assert not any(one.fails for one in found)
    assert [one.kind for one in judgement.compare(figures(*training), figures(*validation))] == [
        kind for kind in kinds if kind == "overfitted"
    ]
    assert judgement.compare(figures(*training), None, figures(*test)) == ()


def test_the_gaps_are_counted_between_the_ends_of_the_intervals() -> None:
    """Ends by scipy: more than 10 points between training and validation, more than 5 between validation and test."""

    def low_and_high(right: int, count: int) -> tuple[float, float]:
        interval = stats.binomtest(right, count).proportion_ci(0.95, "wilson")
        return interval.low, interval.high

    for right in range(150, 201):
        validation = figures(right / 200, 200)
        kinds = {one.kind for one in judgement.compare(figures(1.0, 500), validation, figures(0.7, 400))}
        assert ("overfitted" in kinds) == (low_and_high(500, 500)[0] - low_and_high(right, 200)[1] > 0.10)
        assert ("shifted" in kinds) == (low_and_high(right, 200)[0] - low_and_high(280, 400)[1] > 0.05)


def test_the_command_line_warns_and_the_json_and_the_file_carry_it(tmp_path: Path) -> None:
    """A threshold that no output neuron reaches: 100 % silent, and answers of luck. The file is there all the same."""
    call = ["train", "--dataset", "digits", "--hidden", "8", "--epochs", "1"]
    call += ["--set", "output_threshold=2000", "--json", "--quiet", "--run", str(tmp_path / "run")]
    done = run_tool(*call, "-o", tmp_path / "n.bs4nn")
    assert done.returncode == 5, done.stderr
    told = json.loads(done.stdout)
    warnings = told["warnings"]
    assert warnings[0].startswith("test images: no output neuron fires on 100.0% of the images")
    assert "silent" in told["failed"]
    look, *lines, error = done.stderr.splitlines()
    assert look.startswith("data: ")
    assert lines == [f"warning: {line}" for line in warnings]
    assert error.startswith(f"error: {tmp_path}/n.bs4nn is written, but the network fails (silent")
    assert "--accept" in error
    assert network_file.load(tmp_path / "n.bs4nn").description["warnings"] == warnings
    accepted = run_tool(*call, "--resume", "--accept", "-o", tmp_path / "m.bs4nn")
    assert accepted.returncode == 0, accepted.stderr
    assert accepted.stderr.splitlines() == [look, *lines]
    assert (tmp_path / "m.bs4nn").read_bytes() == (tmp_path / "n.bs4nn").read_bytes()
    for fast in ((), ("--fast",)):
        done = run_tool("evaluate", tmp_path / "n.bs4nn", "--quiet", "--json", *fast)
        assert done.returncode == 0
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
