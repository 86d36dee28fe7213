"""Images that take a kernel long: made so, and searched for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model.network import Network

MADE = 24
SEARCHED = 3000
# Images that the search goes on from.
_KEPT = 6


def make(network: Network) -> NDArray[np.uint8] | None:
    """(24, values) uint8 samples that take long: no pixel black, spikes spread over all steps in random orders.

    None where the stages of the input lose too much for anybody to know what gives such pixels.

    Half of them let the pixels that the first layer likes least fire first, so that little is decided early.
    """
    rng = np.random.default_rng(0)
    spread = np.linspace(1, network.input.intensity_max, network.inputs).round().astype(np.uint8)
    liking = network.layers[0].signs.sum(axis=0, dtype=np.int64)
    images = []
    for number in range(MADE):
        order = rng.permutation(network.inputs)
        if number % 2:
            noise = rng.normal(0, 1 + number, network.inputs)
            order = np.argsort(liking + noise)[::-1]
        image = np.empty(network.inputs, np.uint8)
        image[order] = spread
        images.append(image)
    return network.input.sample_of(np.stack(images))


def search(network: Network, cost: Callable[[NDArray[np.uint8]], int], tries: int = SEARCHED) -> int | None:
    """The highest cost that is found among images made to be hard and `tries` changed ones, the same on every run.

    None where `make` makes none.

    Args:
        network: whose images they are.
        cost: of one (values,) uint8 sample, for instance the instructions that a board counts.
        tries: how often one of the hardest images so far is changed and measured.
    """
    rng = np.random.default_rng(0)
    made = make(network)
    if made is None:
        return None
    measured = [(cost(image), image) for image in made]
    hardest = sorted(measured, key=lambda found: -found[0])[:_KEPT]
    for _ in range(tries):
        image = hardest[rng.integers(len(hardest))][1].copy()
        pixels = rng.choice(image.size, min(image.size, int(2 ** rng.uniform(0, 6))), replace=False)
        image[pixels] = _changed(image[pixels], network.input.intensity_max, rng)
        found = cost(image)
        if found > hardest[-1][0]:
            hardest[-1] = (found, image)
            hardest.sort(key=lambda one: -one[0])
    return hardest[0][0]


def _changed(pixels: NDArray[np.uint8], high: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Some pixels exchanged, drawn anew, blackened, or fired a little earlier or later."""
    way = rng.integers(4)
    if way == 0:
        return rng.permutation(pixels)
    if way == 1:
        return rng.integers(0, high + 1, pixels.size).astype(np.uint8)
    if way == 2:
        return np.zeros_like(pixels)
    moved = pixels.astype(np.int64) + rng.integers(-high // 8 - 1, high // 8 + 2, pixels.size)
    return moved.clip(0, high).astype(np.uint8)
