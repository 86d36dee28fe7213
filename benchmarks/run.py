"""Sizes and speeds, in one command: `make bench`, or python benchmarks/run.py [--data-dir DIR]

Bytes are exact and instructions the same on every run: the kernel on five cores, by the compiler and
emulator of the system.
Times are of this machine and only worth comparing with each other. Results go to benchmarks/results.csv.
"""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path
from typing import Annotated

import dense_paper
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bs4nn_tc import training
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.data import datasets
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.device.kernels import FAST, SMALL
from bs4nn_tc.host.network import host_network
from bs4nn_tc.host.structures import PaperStep
from bs4nn_tc.model import importers, reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.study import bench
from bs4nn_tc.training import ordering

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.csv"
CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33")


def authors_network(reference_dir: Path) -> Network | None:
    """The network that the paper's authors published, if its weights are there."""
    if not (reference_dir / "W0_binary.npy").is_file():
        return None
    signs = [importers.load_weights(reference_dir / f"W{layer}_binary.npy") for layer in (0, 1)]
    return importers.network_from_weights(signs, [25, 12], rules="authors")


def instruction_rows(network: Network, dataset: datasets.Dataset) -> list[tuple[str, str, float]]:
    """Executed instructions an inference of the authors' network, counted on emulated cores."""
    network = ordering.order_neurons(network, dataset.train_images)
    rows: list[tuple[str, str, float]] = []
    kernels = [("", FAST, False), (" in portable C", FAST, True), (" by the small kernel", SMALL, False)]
    variants = [
        (board, variant)
        for variant in kernels
        for board in ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33")
        if variant == kernels[0] or board in ("qemu-m0", "qemu-m4")
    ]
    images, labels = dataset.test_images, dataset.test_labels
    for board, (by, kernel, portable) in variants:
        cost = bench.measure(network, load_board(board), images, labels, kernel=kernel, portable=portable)
        what = f"authors' 784-600-10{by}, {cost.core}, {cost.images:,} test images"
        rows.append((what, "instructions an inference, mean", round(cost.instructions_mean)))
        rows.append((what, "instructions an inference, largest", cost.instructions_max))
        rows.append((what, "instructions an inference, hardest synthetic image", cost.instructions_hardest or 0))
        rows.append((what, "bytes of workspace and stack", cost.workspace_bytes + cost.stack_bytes))
        rows.append((what, "bytes of code", cost.code_bytes))
    return rows


def seconds(action: object) -> float:
    """Wall time of calling `action`, best of ten."""
    assert callable(action)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def paper_rows(dataset: datasets.Dataset) -> list[tuple[str, str, float]]:
    """The recipe "paper", 784-600-10, T = 256: an epoch of 60,000 images, compiled and in dense NumPy."""
    rng = np.random.default_rng(0)
    proxies = [rng.uniform(0, 5, (784, 600)), rng.uniform(0, 48, (600, 10))]
    step = PaperStep(100.0, 0.1, 0.01, 0.0, 1, 0, 1, 1)
    alphas = np.full(2, 5.0)
    images, labels = dataset.training()
    count = 40
    times = []
    for first in range(0, 5 * count, count):
        started = time.perf_counter()
        for image, label in zip(images[first : first + count], labels[first : first + count], strict=True):
            dense_paper.learn_image(proxies, alphas, step, image, int(label), 256)
        times.append(time.perf_counter() - started)
    dense = min(times) / count * 60_000
    options = training.resolve(dataset, "paper", (600,), 2, None, 0, [])
    with tempfile.TemporaryDirectory() as folder:
        rows = training.train(dataset, options, Path(folder) / "run").rows
    compiled = min(row["seconds"] for row in rows) / len(images) * 60_000
    what = "training, paper, 784-600-10, T = 256, 60,000 images"
    return [
        (what, "seconds an epoch", round(compiled, 2)),
        (f"{what}, dense NumPy", "seconds an epoch", round(dense, 1)),
        (what, "times as fast as dense NumPy", round(dense / compiled, 1)),
    ]


def host_rows(network: Network, name: str, dataset: datasets.Dataset) -> list[tuple[str, str, float]]:
    """A 784-600-10 network by the reference, the host library and the kernel, and one epoch of training."""
    images, labels = dataset.test_images, dataset.test_labels.astype(np.int32)
    slow = seconds(lambda: reference.run(network, images[:200])) / 200
    fast = seconds(lambda: host_network(network).evaluate(images, labels))
    times = seconds(lambda: host_network(network).times(images, threads=1))
    kernel = Kernel(network)
    answers = seconds(lambda: kernel.classify(images, threads=1))
    traces = seconds(lambda: kernel.trace(images, threads=1))
    epochs = 2
    with tempfile.TemporaryDirectory() as folder:
        options = training.best_defaults(dataset, (600,), epochs)
        rows = training.train(dataset, options, Path(folder) / "run").rows
    learned = len(dataset.training()[0])
    return [
        (f"{name} 784-600-10, reference", "images a second", round(1 / slow)),
        (f"{name} 784-600-10, all firing times, 1 thread", "images a second", round(len(images) / times)),
        (f"{name} 784-600-10, answers, 2 threads", "images a second", round(len(images) / fast)),
        (
            f"{name} 784-600-10, by the kernel, all firing times, 1 thread",
            "images a second",
            round(len(images) / traces),
        ),
        (f"{name} 784-600-10, kernel, answers, 1 thread", "images a second", round(len(images) / answers)),
        (
            f"training, best, 784-600-10, T = 16, {learned:,} images",
            "seconds an epoch",
            min(row["seconds"] for row in rows),
        ),
    ]


def processor_rows() -> list[tuple[str, str, float]]:
    """How wide the vectors of the processor at hand are, which is what speeds on the host depend on most."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return []
    return [("processor", "bits of a vector", 512 if "avx512f" in flags else 256 if "avx2" in flags else 128)]


def main(
    data_dir: Annotated[Path, typer.Option(help="Where MNIST lies, in torchvision's layout.")] = Path("../shared/data"),
    reference_dir: Annotated[Path, typer.Option(help="Where the authors' W0_binary.npy and W1_binary.npy lie.")] = Path(
        "../shared/reference"
    ),
) -> None:
    """Measure, print and rewrite benchmarks/results.csv."""
    rows: list[tuple[str, str, float]] = [
        (f"kernel, {core}", f"bytes of {kind}", count)
        for core in CORES
        for kind, count in bench.kernel_bytes(core).items()
    ]
    try:
        mnist = datasets.load("mnist", data_dir)
        authors = authors_network(reference_dir)
        rng = np.random.default_rng(0)
        signs = [rng.choice([-1, 1], shape, p=[0.3, 0.7]) for shape in ((600, 784), (10, 600))]
        random = Network((Dense(signs[0], 25), Dense(signs[1], 12)), 256, 1, 253)
        rows += processor_rows()
        rows += host_rows(authors or random, "authors'" if authors else "random", mnist)
        rows += paper_rows(mnist)
        if authors:
            rows += instruction_rows(authors, mnist)
        else:
            Console(stderr=True).print(f"instructions are not counted: no weights in {reference_dir}", highlight=False)
    except MissingToolError as error:
        Console(stderr=True).print(f"speeds are not measured: {error}", highlight=False)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "unit", "value"))
        writer.writerows(rows)
    table = Table(title=f"benchmarks, also in {RESULTS.relative_to(ROOT)}", title_justify="left")
    for heading in ("what", "unit", "value"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for what, unit, value in rows:
        table.add_row(what, unit, f"{value:,}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
