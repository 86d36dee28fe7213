"""A network behind a camera: python benchmarks/camera.py --data-dir DIR

Renders test images of MNIST as ink on unevenly lit paper, as a small camera sees them, and lets the C that goes onto
devices answer the raw frames, stages and all, by one call each: the program of a generated project on this computer.
Every answer is compared with Python's. Beside it stand simpler preparations, as people write them first.

What the stage `ink` chooses was found on renderings of validation images (--validation).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bs4nn_tc import targets
from bs4nn_tc.data import camera, datasets
from bs4nn_tc.device import building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Grey, SquareMeans, Values
from bs4nn_tc.targets import Kind

ROOT = Path(__file__).resolve().parents[1]
# Of a frame, rows and columns.
SIZE = (120, 160)
Picture = NDArray[np.float64]


def light(rng: np.random.Generator) -> Picture:
    """How lit each place of a sheet is, up to 1: from one side, darker around a spot and in the corners."""
    y, x = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]  # type: ignore[misc]
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    side = 1 - rng.uniform(0.1, 0.55) * (along - along.min()) / np.ptp(along)
    away = (x - rng.uniform(-1.2, 1.2)) ** 2 + (y - rng.uniform(-1.2, 1.2)) ** 2
    spot = 1 - rng.uniform(0, 0.3) * (1 - np.exp(-away / (2 * rng.uniform(0.7, 1.5) ** 2)))
    vignette = (1 + rng.uniform(0, 0.4) * (x**2 + y**2) / 2) ** -2
    return np.asarray(side * spot * vignette)


def ink(digit: NDArray[np.uint8], rng: np.random.Generator) -> Picture:
    """How much of each place of a sheet is ink, 0 .. 1: the digit about four times as large, turned a little, moved."""
    angle, scale = np.deg2rad(rng.uniform(-6, 6)), 4 * rng.uniform(0.8, 1.05)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    x -= (SIZE[1] - 1) / 2 + rng.uniform(-10, 10)
    y -= (SIZE[0] - 1) / 2 + rng.uniform(-6, 6)
    column = (np.cos(angle) * x + np.sin(angle) * y) / scale + 14.5  # with one pixel of nothing around
    row = (np.cos(angle) * y - np.sin(angle) * x) / scale + 14.5
    column, row = column.clip(0, 28.999), row.clip(0, 28.999)
    i, j = row.astype(int), column.astype(int)
    down, right = row - i, column - j
    dots = np.pad(digit / 255, 1)
    upper = dots[i, j] * (1 - right) + dots[i, j + 1] * right
    lower = dots[i + 1, j] * (1 - right) + dots[i + 1, j + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)


def render(digit: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A grey frame, (rows, columns): paper and ink in their light, stray light in the lens, the sensor's noise.

    Args:
        digit: (28, 28) uint8.
        rng: all chance.
    """
    paper, kept = rng.uniform(150, 235), rng.uniform(0.15, 0.45)
    seen = paper * light(rng) * (1 - (1 - kept) * ink(digit, rng)) + rng.uniform(0, 12)
    noise = np.sqrt(rng.uniform(1, 4) ** 2 + rng.uniform(0.02, 0.08) * seen)
    return (seen + rng.normal(0, 1, SIZE) * noise).round().clip(0, 255).astype(np.uint8)


def frames(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """(N, rows * columns) grey frames of (N, 784) digits; each follows from the seed and its number alone."""
    pictures = [render(one.reshape(28, 28), np.random.default_rng((seed, number))) for number, one in enumerate(images)]
    return np.stack(pictures).reshape(len(images), -1)


def as_sent(grey: NDArray[np.uint8], form: str) -> NDArray[np.uint8]:
    """The same frames in a camera's format."""
    if form == camera.GREY:
        return grey
    return Grey(form).sample_of(grey, Values(camera.frame_shape(SIZE, form)))


def _pooled(grey: NDArray[np.uint8]) -> Picture:
    """The middle of each frame, 4 x 4 to one: (N, 28, 28)."""
    middle = grey.reshape(-1, *SIZE)[:, 4:116, 24:136].reshape(-1, 28, 4, 28, 4)
    return np.asarray(middle.mean(axis=(2, 4)))


def _contrast(pooled: Picture) -> Picture:
    """Darker than the paper of the whole frame, to its full range."""
    darker = (np.median(pooled, axis=(1, 2), keepdims=True) - pooled).clip(min=0)
    return np.asarray(255 * darker / darker.max(axis=(1, 2), keepdims=True))


SIMPLE: dict[str, Callable[[NDArray[np.uint8]], Picture]] = {
    "the middle, 4 x 4 to one": _pooled,
    "the same, inverted": lambda grey: 255 - _pooled(grey),
    "the same, paper taken off": lambda grey: _contrast(_pooled(grey)),
}


def answers_in_c(network: Network, samples: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the program of a generated project answers, sample by sample."""
    with tempfile.TemporaryDirectory() as folder:
        made = project.generate(network, "camera", [], Path(folder) / "project")
        building.build(made, [building.NATIVE])
        target = targets.open_target(Kind.NATIVE, made)
        try:
            target.expect(network)
            return np.array([target.classify(sample).answer for sample in samples])
        finally:
            target.close()


def main(
    data_dir: Annotated[Path, typer.Option(help="Where MNIST lies, in torchvision's layout.")] = Path("../shared/data"),
    images: Annotated[int, typer.Option(min=1)] = 2000,
    seed: Annotated[int, typer.Option()] = 0,
    validation: Annotated[
        bool, typer.Option("--validation", help="Of validation images, for whoever chooses.")
    ] = False,
    name: Annotated[str, typer.Option("--network", help="One of networks/.")] = "mnist-320-best",
) -> None:
    """Render, answer in C, compare, and print the table."""
    network = network_file.load(ROOT / "networks" / f"{name}.bs4nn")
    mnist = datasets.load("mnist", data_dir)
    shown, labels = mnist.validation() if validation else (mnist.test_images, mnist.test_labels)
    shown, labels = shown[:images], labels[:images]
    grey = frames(shown, seed)
    plain = Kernel(replace(network, input=Input((28, 28))))
    table = Table(
        title=f"{name}, {len(labels):,} {'validation' if validation else 'test'} images", title_justify="left"
    )
    for heading in ("preparation", "strict", "Python = C"):
        table.add_column(heading, justify="left" if heading == "preparation" else "right")
    table.add_row("none: the images themselves", f"{(plain.classify(shown).answer == labels).mean():.2%}", "")
    for what, prepared in SIMPLE.items():
        pixels = prepared(grey).round().astype(np.uint8).reshape(len(grey), -1)
        table.add_row(what, f"{(plain.classify(pixels).answer == labels).mean():.2%}", "")
    half = (SIZE[0] // 2, SIZE[1] // 2)
    small = SquareMeans(2).apply(grey, Values(SIZE))
    for form, size, samples in (
        (camera.GREY, SIZE, grey),
        ("rgb565", SIZE, as_sent(grey, "rgb565")),
        ("grey", half, small),
    ):
        behind = camera.adapted(network, size, form, "dark")
        answers = answers_in_c(behind, samples)
        equal = int((answers == reference.run(behind, samples).answer).sum())
        what = f"ink, {size[1]} x {size[0]} of {form}"
        table.add_row(what, f"{(answers == labels).mean():.2%}", f"{equal:,} of {len(labels):,}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
