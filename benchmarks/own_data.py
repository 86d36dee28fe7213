"""What one command makes of small data sets of other jobs: python benchmarks/own_data.py --data-dir DIR

Each is trained by `bs4nn-tc train --dataset ...` with three seeds and no further options. Tables without test samples
of their own go through a five-fold cross-validation, a fold being one more data set. Beside it, on the same samples: a
forest of 100 trees, logistic regression, and the two in the form that a device would take (weights of 8 bits; ten trees
of depth 8), with bytes by a plain count: see `_logistic` and `_small_forest`. benchmarks/own_data.csv has a row a data
set; runs are kept in runs/own-data.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn import datasets as bundled
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model import network_file

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "runs" / "own-data"
JOBS = ("fsdd_logmel", "magic_wand", "ecg5000")
TABLES = {"wine": bundled.load_wine, "breast-cancer": bundled.load_breast_cancer}
FOLDS = 5


@dataclass(frozen=True)
class Part:
    """One data set to train on: what `train` is given, and the same samples for the others."""

    source: Path
    seeds: int
    train: tuple[NDArray[Any], NDArray[Any]]
    test: tuple[NDArray[Any], NDArray[Any]]


def _parts(name: str, data_dir: Path) -> list[Part]:
    if name in JOBS:
        path = data_dir / "jobs" / f"{name}.npz"
        with np.load(path) as held:
            x, y, test_x, test_y = (held[key] for key in ("train_x", "train_y", "test_x", "test_y"))
        return [Part(path, 3, (x.reshape(len(x), -1), y), (test_x.reshape(len(test_x), -1), test_y))]
    table = TABLES[name]()
    parts = []
    for fold, (learned, tested) in enumerate(
        StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(table.data, table.target)
    ):
        path = RUNS / f"{name}-{fold}.npz"
        arrays = (table.data[learned], table.target[learned], table.data[tested], table.target[tested])
        np.savez(path, **dict(zip(("train_x", "train_y", "test_x", "test_y"), arrays, strict=True)))
        parts.append(Part(path, 3, arrays[:2], arrays[2:]))
    return parts


def _ours(part: Part) -> dict[str, Any]:
    """One command, and what its network takes."""
    folder, file = RUNS / part.source.stem, RUNS / f"{part.source.stem}.bs4nn"
    command = [sys.executable, "-m", "bs4nn_tc", "train", "--dataset", str(part.source), "--seeds", str(part.seeds)]
    command += ["--run", str(folder), "-o", str(file), "--json", "--quiet", "--accept"]
    if (folder / "summary.json").exists():
        command += ["--resume"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    config = json.loads((folder / "seed-0" / "config.json").read_text())
    network = network_file.load(file)
    plan = memory.plan(network, pack.pack(network), "network")
    mean = {what: one["mean"] for what, one in said["test_over_seeds"].items()}
    return {
        "strict": mean["strict_accuracy"],
        "balanced": mean["balanced_accuracy"],
        "silent": mean["silent_share"],
        "coding": config["command"]["coding"],
        "layers": network.shape_text,
        "flash": plan.flash_bytes + plan.code_bytes,
    }


def _logistic(part: Part) -> tuple[float, float, int]:
    """Accuracy of logistic regression on standardised values, the same with weights of 8 bits, and their bytes.

    A byte a weight, four a class for its offset, and four a value for its place and width.
    """
    x, test_x = part.train[0].astype(float), part.test[0].astype(float)
    place, width = x.mean(axis=0), x.std(axis=0)
    width[width == 0] = 1
    model = LogisticRegression(max_iter=2000).fit((x - place) / width, part.train[1])
    scaled = (test_x - place) / width
    step = np.abs(model.coef_).max() / 127
    model_scores = scaled @ (np.rint(model.coef_ / step) * step).T + model.intercept_
    few_bits = (model_scores[:, 0] > 0).astype(int) if len(model.classes_) == 2 else model_scores.argmax(axis=1)
    accuracy = float((model.classes_[few_bits] == part.test[1]).mean())
    rows, values = model.coef_.shape
    return float(model.score(scaled, part.test[1])), accuracy, rows * values + 4 * rows + 4 * values


def _small_forest(part: Part) -> tuple[float, int]:
    """Accuracy of ten trees of depth 8, and their bytes: six a fork (value, threshold, next one), one a leaf."""
    forest = RandomForestClassifier(10, max_depth=8, random_state=0).fit(*part.train)
    leaves = sum(tree.get_n_leaves() for tree in forest.estimators_)
    forks = sum(tree.tree_.node_count for tree in forest.estimators_) - leaves
    return float(forest.score(*part.test)), 6 * forks + leaves


def _row(name: str, data_dir: Path) -> dict[str, Any]:
    parts = _parts(name, data_dir)
    ours = [_ours(part) for part in parts]
    row: dict[str, Any] = {"data set": name}
    for what in ("strict", "balanced", "silent"):
        row[what] = round(float(np.mean([one[what] for one in ours])), 4)
    row["coding"] = " ".join(sorted({one["coding"] for one in ours}))
    row |= {"layers": ours[0]["layers"], "flash": round(float(np.mean([one["flash"] for one in ours])))}
    forests = [RandomForestClassifier(100, random_state=0).fit(*part.train).score(*part.test) for part in parts]
    logistic, small = [_logistic(part) for part in parts], [_small_forest(part) for part in parts]
    row["forest of 100"] = round(float(np.mean(forests)), 4)
    for number, column in enumerate(("logistic regression", "logistic int8", "logistic int8 bytes")):
        row[column] = round(float(np.mean([one[number] for one in logistic])), 4)
    for number, column in enumerate(("ten trees", "ten trees bytes")):
        row[column] = round(float(np.mean([one[number] for one in small])), 4)
    return row


def main(
    data_dir: Annotated[Path, typer.Option(help="Where the folder jobs lies.")] = Path("../shared/data"),
    only: Annotated[list[str] | None, typer.Option(help="These data sets (repeat). [default: all]")] = None,
) -> None:
    """Train them all, print and write the table."""
    RUNS.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in only or [*JOBS, *TABLES]:
        rows.append(_row(name, data_dir))
        print("; ".join(f"{what} {value}" for what, value in rows[-1].items()), flush=True)
    if only:
        return
    with (ROOT / "benchmarks" / "own_data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    typer.run(main)
