"""Where the paper's learning goes from the authors' own weights: python benchmarks/authors_training.py

Takes the proxy weights that the authors have published, and trains on from there by `--recipe paper`. The paper's
figure is the best of 200 epochs on the test images; here stands what the epochs after it give.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bs4nn_tc import training
from bs4nn_tc.data import datasets
from bs4nn_tc.model import importers
from bs4nn_tc.training.paper import PaperTrainer
from bs4nn_tc.training.trainer import Progress

ALPHAS = (4.03707844, 9.06516109)  # as they say


def main(
    data_dir: Annotated[Path, typer.Option(help="Where MNIST lies, in torchvision's layout.")] = Path("../shared/data"),
    reference_dir: Annotated[Path, typer.Option(help="W0_binary.npy and W1_binary.npy.")] = Path("../shared/reference"),
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    option: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="As for train.")] = None,
) -> None:
    """Train on from the authors' proxy weights, and print the test figures of every epoch."""
    dataset = datasets.load("mnist", data_dir)
    options = training.resolve(dataset, "paper", (600,), epochs, None, 0, option or ["decay=0.000001"])
    trainer = PaperTrainer(dataset, options)
    state = trainer.arrays()
    state["alphas"][:] = ALPHAS
    for number in (1, 2):
        weights = np.load(reference_dir / f"W{number - 1}_binary.npy")[:, :, 0].T
        state[f"proxies_{number}"][:] = weights
        state[f"signs_{number}"][:] = np.where(weights >= 0, 1, -1)
        state[f"thresholds_{number}"][:] = importers.threshold_from_alpha(
            options.theta, ALPHAS[number - 1], "authors", len(weights)
        )
    images, labels = np.ascontiguousarray(dataset.test_images), dataset.test_labels.astype(np.int32)
    table = Table(title="test images, after so many more epochs", title_justify="left")
    for heading in ("epoch", "tie-lenient, %", "strict, %", "silent, %"):
        table.add_column(heading, justify="right")
    for epoch in range(epochs + 1):
        found = trainer.host.evaluate(images, labels).figures(labels, options.time_steps).to_choose_by()
        names = ("tie_lenient_accuracy", "strict_accuracy", "silent_share")
        table.add_row(str(epoch), *(f"{100 * found[name]:.2f}" for name in names))
        progress = Progress(epoch=epoch)
        while epoch < epochs and progress.piece < trainer.pieces:
            trainer.learn(progress)
            progress.piece += 1
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
