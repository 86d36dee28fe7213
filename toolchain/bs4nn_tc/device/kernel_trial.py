"""Tries a kernel that has just been compiled: `python kernel_trial.py PATH`, in a process of its own.

A library that is cut short, or made for another processor, ends the process that loads or calls it. This one has
nothing to lose. What is wrong is printed in one line.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model import reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network


def problem(path: str) -> str | None:
    """Load the library and let it answer a few images; None if it says what the reference says.

    Args:
        path: of the library.
    """
    rng = np.random.default_rng(0)
    sizes = (40, 70, 50, 5)
    layers = tuple(
        Dense(rng.choice([-1, 1], (neurons, inputs)), rng.integers(1, 9, neurons))
        for inputs, neurons in itertools.pairwise(sizes)
    )
    network = Network(layers, time_steps=16)
    images = rng.integers(0, 256, (20, sizes[0])).astype(np.uint8)
    try:
        got = Kernel(network, ctypes.CDLL(path)).trace(images, threads=1)
    except (OSError, AttributeError) as error:
        return str(error)
    expected = reference.run(network, images)
    pairs = zip((got.answer, *got.firing_times), (expected.answer, *expected.firing_times), strict=True)
    return None if all(np.array_equal(*pair) for pair in pairs) else "it computes something else than the reference"


if __name__ == "__main__":
    said = problem(sys.argv[1])
    if said is not None:
        sys.exit(said)
