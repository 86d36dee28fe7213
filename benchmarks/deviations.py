"""What each deviation from the paper's learning is worth: python benchmarks/deviations.py --data-dir DIR

MNIST 784-600-10 by the recipe "paper", 20 epochs, seed 0: with all deviations that `mnist-600-paper` is trained with,
and with each of them undone alone. Figures of the best epoch on the validation images go to
benchmarks/deviations.csv; runs are kept in runs/deviations, so that an interrupted call goes on where it was.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from bs4nn_tc import training
from bs4nn_tc.data import datasets

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 20
ALL = {
    "balanced": "1",
    "silent_target": "1",
    "window": "20",
    "gamma": "20",
    "alphas": "4,2",
    "alpha_rate": "0",
    "rate": "1",
    "fall_every": "5",
    "settle": "0.5",
    "shift": "1",
}
# What is undone, and how: as it is in the authors' program.
UNDONE: dict[str, dict[str, str]] = {
    "nothing": {},
    "balanced": {"balanced": "0"},
    "silent_target": {"silent_target": "0"},
    "window": {"window": "0"},
    "gamma": {"gamma": "1"},
    "alphas, alpha_rate": {"alphas": "5,5", "alpha_rate": "0.01"},
    "rate": {"rate": "0.1"},
    "fall_every, settle": {"fall_every": "0", "settle": "0"},
    "shift": {"shift": "0"},
}
UNDONE["all of them"] = {name: value for changes in UNDONE.values() for name, value in changes.items()}


def main(
    data_dir: Annotated[Path, typer.Option(help="Where the data sets lie.")] = Path("../shared/data"),
) -> None:
    """Train them all and write the table."""
    mnist = datasets.load("mnist", data_dir)
    rows = []
    for undone, changes in UNDONE.items():
        settings = [f"{name}={value}" for name, value in {**ALL, **changes}.items()]
        options = training.resolve(mnist, "paper", (600,), EPOCHS, None, 0, settings)
        folder = ROOT / "runs" / "deviations" / undone.replace(", ", "-").replace(" ", "-")
        validation = training.train(mnist, options, folder, resume=folder.exists()).validation
        rows.append({"undone": undone, **{name: round(value, 6) for name, value in validation.items()}})
        print(undone, validation, file=sys.stderr, flush=True)
    with (ROOT / "benchmarks" / "deviations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    typer.run(main)
