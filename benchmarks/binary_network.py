"""The plain binary network that the paper compares with: python benchmarks/binary_network.py [--dataset mnist]

Not spiking: signs of real-valued proxy weights in both layers, hidden neurons that are 0 or 1 (binary sigmoid), Adam
from 1e-3 to 1e-4, squared hinge loss, proxies that start uniform in +-1/sqrt(n). Hidden neurons have a threshold
that is learned, as a microcontroller would fold it into an integer; nothing is normalised. NumPy only.
The epoch is chosen on the validation images; the test images give the figure that is printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from bs4nn_tc.data import datasets

BATCH = 100
Floats = NDArray[np.float32]


class Adam:
    """Adam (0.9, 0.999, 1e-8) on a list of arrays, in place."""

    def __init__(self, arrays: list[Floats]) -> None:
        self._arrays = arrays
        self._means = [np.zeros_like(array) for array in arrays]
        self._squares = [np.zeros_like(array) for array in arrays]
        self._step = 0

    def apply(self, gradients: list[Floats], rate: float) -> None:
        """One step."""
        self._step += 1
        scale = rate * np.sqrt(1 - 0.999**self._step) / (1 - 0.9**self._step)
        for k, gradient in enumerate(gradients):
            self._means[k] += 0.1 * (gradient - self._means[k])
            self._squares[k] += 0.001 * (gradient * gradient - self._squares[k])
            self._arrays[k] -= np.float32(scale) * self._means[k] / (np.sqrt(self._squares[k]) + np.float32(1e-8))


def signs(proxies: Floats) -> Floats:
    """+1 where a proxy is not negative, else -1."""
    return np.where(proxies >= 0, np.float32(1), np.float32(-1))


def hidden_sums(images: Floats, first: Floats) -> Floats:
    """(N, hidden) sums of the hidden neurons, in units of their standard deviation for random signs."""
    return images @ signs(first) / np.float32(np.sqrt(first.shape[0]) / 2)


def accuracy(arrays: list[Floats], images: Floats, labels: NDArray[Any]) -> float:
    """Share of right answers."""
    first, threshold, second = arrays
    hidden = (hidden_sums(images, first) > threshold).astype(np.float32)
    return float(((hidden @ signs(second)).argmax(axis=1) == labels).mean())


def gradients(arrays: list[Floats], images: Floats, labels: NDArray[Any]) -> list[Floats]:
    """Of the mean squared hinge loss; the sign and the step pass gradients straight through, within their window."""
    first, threshold, second = arrays
    sums = hidden_sums(images, first) - threshold
    hidden = (sums > 0).astype(np.float32)
    scale = np.float32(1 / np.sqrt(second.shape[0]))
    scores = hidden @ signs(second) * scale
    targets = np.full_like(scores, -1)
    targets[np.arange(len(labels)), labels] = 1
    slope = -2 * targets * np.maximum(0, 1 - targets * scores) / np.float32(len(labels))
    down = slope @ signs(second).T * scale * (np.abs(sums) < 1) * np.float32(0.5)
    to_first = images.T @ down / np.float32(np.sqrt(first.shape[0]) / 2)
    return [np.asarray(found, np.float32) for found in (to_first, -down.sum(axis=0), hidden.T @ slope * scale)]


def main(
    dataset: Annotated[str, typer.Option(help="mnist or fashion-mnist.")] = "mnist",
    hidden: Annotated[int, typer.Option(help="Hidden neurons.")] = 600,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 30,
    seed: Annotated[int, typer.Option(help="Of start and order.")] = 0,
    data_dir: Annotated[Path, typer.Option(help="Where the data sets lie.")] = Path("../shared/data"),
) -> None:
    """Train, choose on validation, print the test accuracy."""
    console = Console()
    loaded = datasets.load(dataset, data_dir)
    rng = np.random.default_rng(seed)

    def scaled(images: NDArray[np.uint8]) -> Floats:
        return np.asarray(images / loaded.intensity_max, np.float32)

    images, labels = loaded.training()
    pixels, outputs = images.shape[1], len(loaded.class_names)
    arrays = [
        rng.uniform(-1, 1, (pixels, hidden)).astype(np.float32) / np.float32(np.sqrt(pixels)),
        np.zeros(hidden, np.float32),
        rng.uniform(-1, 1, (hidden, outputs)).astype(np.float32) / np.float32(np.sqrt(hidden)),
    ]
    adam, material = Adam(arrays), scaled(images)
    validation, validation_labels = scaled(loaded.validation()[0]), loaded.validation()[1]
    best, kept = 0.0, arrays
    for epoch in range(epochs):
        rate = 1e-3 * 0.1 ** (epoch / max(1, epochs - 1))
        order = rng.permutation(len(material))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            adam.apply(gradients(arrays, material[chosen], labels[chosen]), rate)
            for proxies in (arrays[0], arrays[2]):
                np.clip(proxies, -1, 1, out=proxies)
        reached = accuracy(arrays, validation, validation_labels)
        console.print(f"epoch {epoch + 1}/{epochs}, validation {reached:.2%}", highlight=False)
        if reached > best:
            best, kept = reached, [array.copy() for array in arrays]
    tested = accuracy(kept, scaled(loaded.test_images), loaded.test_labels)
    console.print(f"plain binary network {pixels}-{hidden}-{outputs}, {dataset}: test {tested:.2%}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
