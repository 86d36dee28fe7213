"""Intervals, balanced accuracy and confusions: by scipy, scikit-learn and published values, and in 80 columns."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tool
from scipy import stats
from sklearn import metrics

from bs4nn_tc.cli import figures as showing
from bs4nn_tc.data import datasets
from bs4nn_tc.model import statistics
from bs4nn_tc.model.confusion import Confusion

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(right: int, count: int, low: float, high: float) -> None:
    assert statistics.wilson(right / count, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 7, 355, 10_000])
def test_intervals_and_luck_are_scipys(count: int) -> None:
    for right in {0, 1, count // 3, count - 1, count}:
        interval = stats.binomtest(right, count).proportion_ci(0.95, "wilson")
        assert statistics.wilson(right / count, count) == pytest.approx((interval.low, interval.high), abs=1e-12)
        for chance in (0.5, 0.1, 0.001):
            expected = stats.binom.sf(right - 1, count, chance)
            assert statistics.luck(right, count, chance) == pytest.approx(expected, rel=1e-9, abs=1e-280)
    assert statistics.wilson(0.0, 0) == (0.0, 1.0)


def test_balanced_accuracy_and_matrix_are_scikit_learns() -> None:
    labels = RNG.choice(7, 300, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05, 0.0])
    answers = np.where(RNG.random(300) < 0.6, labels, RNG.integers(0, 7, 300))
    found = Confusion(labels, answers, 7)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = metrics.balanced_accuracy_score(labels, answers)
    assert found.balanced_accuracy == pytest.approx(expected, abs=1e-12)
    matrix = metrics.confusion_matrix(labels, answers, labels=np.arange(7))
    assert np.array_equal(found.matrix, matrix)
    worst = found.worst(5)
    assert all(matrix[label, answer] == count for label, answer, count in worst)
    off = np.sort(matrix[~np.eye(7, dtype=bool)])[::-1]
    assert [count for _, _, count in worst] == off[:5].tolist()
    assert found.is_uneven
    assert Confusion(labels, labels, 7).worst(5) == []


@pytest.mark.parametrize(("counts", "uneven"), [([30, 20], False), ([31, 20], True), ([30, 0, 30], False)])
def test_uneven_is_more_than_half_again_as_many(counts: list[int], uneven: bool) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    assert Confusion(labels, labels, len(counts)).is_uneven == uneven


@pytest.mark.parametrize("classes", [2, 10, 12, 47, 300])
def test_confusions_fit_80_columns(classes: int, capsys: pytest.CaptureFixture[str]) -> None:
    labels = RNG.integers(0, classes, 5000)
    answers = np.where(RNG.random(5000) < 0.7, labels, (labels + 1) % classes)
    names = [f"a class with a long name {number}" for number in range(classes)]
    showing.print_confusion(Confusion(labels, answers, classes), names)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    shown = metrics.confusion_matrix(labels, answers)
    if classes <= 10:
        for number, line in enumerate(lines[2:]):
            cells = line.split()[-classes:]
            assert [0 if cell == "." else int(cell) for cell in cells] == shown[number].tolist()
    else:
        assert len(lines) == 2 + 10
        assert [int(line.split()[-1]) for line in lines[2:]] == np.sort((shown - np.diag(np.diag(shown))).ravel())[
            : -10 - 1 : -1
        ].tolist()


def test_train_and_evaluate_show_uneven_classes(tmp_path: Path) -> None:
    """Digits with few twos, threes and fours; the figures again by scikit-learn, from the saved answers."""
    digits = datasets.load("digits")
    for part, images, labels in (
        ("train", digits.train_images, digits.train_labels),
        ("t10k", digits.test_images, digits.test_labels),
    ):
        kept = (labels < 2) | ((labels < 5) & (np.arange(len(labels)) % 3 == 0))
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, kept.sum(), 8, 8) + (images[kept].astype(int) * 15).astype(np.uint8).tobytes()
        )
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, kept.sum()) + labels[kept].astype(np.uint8).tobytes()
        )
    call = ("train", "--dataset", tmp_path, "--hidden", "16", "--epochs", "30", "--run", tmp_path / "run", "--quiet")
    trained = run_tool(*call, "--accept", "-o", tmp_path / "n.bs4nn")
    assert trained.returncode == 0, trained.stderr
    shown = run_tool("evaluate", tmp_path / "n.bs4nn", "--quiet", "--save", tmp_path / "answers.npz")
    told = json.loads(run_tool("evaluate", tmp_path / "n.bs4nn", "--quiet", "--json").stdout)
    labels, answers = datasets.load(str(tmp_path)).test_labels, np.load(tmp_path / "answers.npz")["answer"]
    right = int((labels == answers).sum())
    interval = stats.binomtest(right, len(labels)).proportion_ci(0.95, "wilson")
    assert told["strict_accuracy_interval"] == pytest.approx([interval.low, interval.high], abs=1e-12)
    assert told["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, answers))
    matrix = metrics.confusion_matrix(labels, answers)
    assert told["confusion"] == matrix.tolist()
    for done in (trained, shown):  # in the same words
        assert f"{right / len(labels):.2%} ({100 * interval.low:.1f} to {100 * interval.high:.1f})" in done.stdout
        assert f"{told['balanced_accuracy']:.2%}" in done.stdout
        rows = done.stdout[done.stdout.index("classes in rows") :].splitlines()[2:7]
        assert [[0 if cell == "." else int(cell) for cell in row.split()[-5:]] for row in rows] == matrix.tolist()
    assert "balanced" not in run_tool("evaluate", tmp_path / "n.bs4nn", "--images", "1", "--quiet").stdout
