"""Random networks by the thousand: python tests/python/many_networks.py COUNT KERNEL

Each runs random, constant and adversarial images through a C kernel and the naive simulator;
every firing time, potential, answer and count of spikes has to be equal. Prints one line, or stops at the first
difference.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import naive
import numpy as np
from conftest import random_network
from kernel import Kernel
from numpy.typing import NDArray

from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network


def network(rng: np.random.Generator) -> Network:
    """1 to 4 layers, odd widths, extreme thresholds, T from 1 to 1,000, shared or own thresholds, places."""
    sizes = tuple(int(size) for size in rng.choice([1, 2, 7, 31, 32, 33, 40, 64, 65, 90], rng.integers(2, 6)))
    made = random_network(
        rng,
        sizes,
        time_steps=int(rng.choice([1, 2, 3, 16, 100, 256, int(rng.integers(1, 1001))])),
        delay=int(rng.integers(2)),
        intensity_max=int(rng.choice([1, 2, 16, 100, 255])),
        shared_thresholds=bool(rng.integers(2)),
    )
    layers = list(made.layers)
    for number, layer in enumerate(layers):
        if rng.random() < 0.3:  # always, hardly or never reached
            extremes = np.array([1, 2, 3, layer.inputs, layer.inputs + 1, 65_535])
            layers[number] = Dense(layer.signs, rng.choice(extremes, layer.neurons))
        if rng.random() < 0.3:  # mostly +1, so that much fires
            signs = np.where(rng.random(layer.signs.shape) < 0.85, 1, -1)
            layers[number] = Dense(signs, layers[number].thresholds)
    order = tuple(rng.permutation(layer.neurons) for layer in layers[:-1]) if rng.integers(2) else ()
    return dataclasses.replace(made, layers=tuple(layers), order=order)


def images(rng: np.random.Generator, made: Network) -> NDArray[np.uint8]:
    """(7, pixels): random, sparse, black, white, one grey, two intensities, and every spike a step of its own."""
    high, pixels = made.input.intensity_max, made.inputs
    return np.stack(
        [
            rng.integers(0, high + 1, pixels),
            rng.integers(0, high + 1, pixels) * (rng.random(pixels) < 0.2),
            np.zeros(pixels),
            np.full(pixels, high),
            np.full(pixels, rng.integers(0, high + 1)),
            np.where(rng.random(pixels) < 0.5, high, rng.integers(0, high + 1)),
            rng.permutation(np.linspace(0, high, pixels).astype(int)),
        ]
    ).astype(np.uint8)


def differences(made: Network, pixels: NDArray[np.uint8], name: str) -> Iterator[str]:
    """What the kernel has computed differently from the naive simulator."""
    kernel = Kernel(made, name)
    for index, image in enumerate(pixels):
        expected = naive.run(made, image.tolist())
        result, times, potentials = kernel.trace(image)
        early = kernel.classify(image)
        if times != expected.firing_times or potentials != expected.readout_potential:
            yield f"image {index}: {times} {potentials}, expected {expected}"
        for found in (result, early):
            if (found.answer, found.response_time, found.spikes) != (
                expected.answer,
                expected.response_time,
                expected.spikes,
            ):
                yield f"image {index}: {found.answer} {found.response_time} {found.spikes}, expected {expected}"


def main(count: int, name: str) -> None:
    """Compare `count` networks."""
    done = 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        made = network(rng)
        pixels = images(rng, made)
        for difference in differences(made, pixels, name):
            sys.exit(f"seed {seed}, {made.shape_text}: {difference}")
        done += len(pixels)
    print(f"{count} networks, {done} images: all equal")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
