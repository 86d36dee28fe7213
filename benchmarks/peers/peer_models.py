"""The peers' networks: weights from fixed seeds, the C that holds them, and what they answer, in NumPy.

Nothing is trained here, but emlearn's: what the others learned would hardly change the instructions they take, which
depend on the sizes and, in int8-skip, on how many pixels (and about half of the hidden neurons) are not 0.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peer_firmware import HERE, Peer

from bs4nn_tc.base.errors import MissingToolError, TargetError
from bs4nn_tc.data.datasets import Dataset

SIZES = (784, 600, 10)
BNN_WORDS = 25  # of a row in the binary network: 784 synapses, and one word more than a multiple of 8
Integers = NDArray[np.int64]


def integer_peers(images: NDArray[np.uint8]) -> list[Peer]:
    """The peers in plain C, with what they should compute for these images."""
    int8, bnn = int8_scores(images), bnn_scores(images)
    return [
        Peer("int8-plain", ("int8_plain.c",), int8_source(), int8.argmax(axis=1), int8),
        Peer("int8", ("int8_dense.c",), int8_source(), int8.argmax(axis=1), int8),
        Peer("int8-skip", ("int8_skip.c",), int8_source(transposed=True), int8.argmax(axis=1), int8),
        Peer("bnn-xnor", ("bnn_xnor.c",), bnn_source(), bnn.argmax(axis=1), bnn),
    ]


def cmsis_nn_peer(images: NDArray[np.uint8], checkout: Path) -> Peer:
    """The int8 layers by CMSIS-NN.

    Raises:
        MissingToolError: it does not lie there.
    """
    sources = (
        checkout / "Source" / "FullyConnectedFunctions" / "arm_fully_connected_s8.c",
        checkout / "Source" / "NNSupportFunctions" / "arm_nn_vec_mat_mult_t_s8.c",
    )
    missing = [path for path in sources if not path.is_file()]
    if missing:
        raise MissingToolError(f"{missing[0]} is missing; give --cmsis-nn a checkout of CMSIS-NN")
    scores = int8_scores(images)
    library = tuple(path.resolve() for path in sources)
    include = checkout.resolve() / "Include"
    return Peer("cmsis-nn", ("cmsis_nn.c",), int8_source(), scores.argmax(axis=1), scores, library, (include,))


def emlearn_peer(dataset: Dataset, images: NDArray[np.uint8], python: Path) -> Peer:
    """A network that scikit-learn trains on 6,000 images and emlearn generates, both in another Python.

    Raises:
        MissingToolError: that Python has no emlearn.
        TargetError: emlearn fails.
    """
    # Not this Python's packages, and a path that another folder does not change.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = python.absolute()
    try:
        subprocess.run([python, "-c", "import emlearn, sklearn"], capture_output=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingToolError(
            "emlearn is not installed; install it beside this project: "
            "python3 -m venv .venv-peers && .venv-peers/bin/pip install emlearn scikit-learn"
        ) from error
    with tempfile.TemporaryDirectory(prefix="bs4nn-emlearn-") as name:
        folder = Path(name)
        learned, labels = dataset.train_images[:6000], dataset.train_labels[:6000]
        np.savez(folder / "images.npz", train_images=learned, train_labels=labels, test_images=images)
        command = [python, HERE / "emlearn_model.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        if done.returncode:
            raise TargetError(f"emlearn makes no network: {done.stderr.strip().splitlines()[-1]}")
        model = (folder / "model.h").read_text(encoding="utf-8")
        answers = np.load(folder / "answers.npy")
    return Peer("emlearn", ("emlearn.c",), model, answers, includes=(Path(done.stdout),), uses_float=True, shift=3)


@dataclass(frozen=True)
class Int8Layer:
    """An int8 layer: `weights` (neurons, inputs), `bias`, and a factor multiplier * 2^(-31 - shift)."""

    weights: Integers
    bias: Integers
    multiplier: int
    shift: int

    def sums_to_bytes(self, inputs: Integers) -> Integers:
        """The requantised sums, as TensorFlow Lite rounds them, before they are clamped."""
        high = ((inputs @ self.weights.T + self.bias) * self.multiplier + (1 << 30)) >> 31
        mask = (1 << self.shift) - 1
        return (high >> self.shift) + ((high & mask) > (mask >> 1) + (high < 0))


def int8_layers() -> list[Int8Layer]:
    """Two layers with weights from a normal distribution; the factors put their results into 8 bits."""
    rng = np.random.default_rng(0)
    layers = []
    for inputs, neurons, multiplier, shift in ((784, 600, 0x60000000, 9), (600, 10, 0x50000000, 9)):
        weights = np.clip(np.rint(rng.normal(0, 30, (neurons, inputs))), -127, 127).astype(np.int64)
        layers.append(Int8Layer(weights, rng.integers(-5000, 5000, neurons), multiplier, shift))
    return layers


def int8_scores(images: NDArray[np.uint8]) -> Integers:
    """(N, 10) what the last int8 layer gives."""
    hidden, output = int8_layers()
    activations = np.clip(hidden.sums_to_bytes(images.astype(np.int64)), 0, 255)
    return np.clip(output.sums_to_bytes(activations), -128, 127)


def int8_source(transposed: bool = False) -> str:
    """model.h of the int8 peers.

    Args:
        transposed: one row an input instead of one row a neuron.
    """
    lines = ["#include <stdint.h>"]
    for index, layer in enumerate(int8_layers()):
        lines += [
            f"#define INT8_MULTIPLIER_{index} {layer.multiplier}",
            f"#define INT8_SHIFT_{index} {layer.shift}",
            _array(f"int32_t int8_bias_{index}", layer.bias),
            _array(f"int8_t int8_weights_{index}", layer.weights.T if transposed else layer.weights),
        ]
    return "\n".join(lines) + "\n"


def _array(declaration: str, values: Integers) -> str:
    return f"static const {declaration}[{values.size}] = {{{','.join(map(str, values.ravel()))}}};"


def _bnn_layers() -> tuple[Integers, Integers, Integers, Integers]:
    """Random bits (600, 784) and (10, 600), limits of the hidden neurons and bias of the outputs."""
    rng = np.random.default_rng(0)
    bits = [rng.integers(0, 2, (neurons, inputs)) for inputs, neurons in pairwise(SIZES)]
    return bits[0], bits[1], rng.integers(370, 415, 600), rng.integers(-20, 20, 10)


def bnn_scores(images: NDArray[np.uint8]) -> Integers:
    """(N, 10) bias of each class less twice its differing synapses; pixels from 128 up are bright."""
    first, second, limits, bias = _bnn_layers()
    hidden = _differing(images >> 7, first) <= limits
    return bias - 2 * _differing(hidden, second)


def bnn_source() -> str:
    """model.h of the binary network: rows of 32 synapses a word, the first in the lowest bit."""
    first, second, limits, bias = _bnn_layers()
    arrays = (
        _array("uint32_t bnn_weights_0", _words(first)),
        _array("uint32_t bnn_weights_1", _words(second)),
        _array("uint16_t bnn_limits", limits),
        _array("int16_t bnn_bias", bias),
    )
    return "\n".join(("#include <stdint.h>", f"#define BNN_WORDS {BNN_WORDS}u", *arrays)) + "\n"


def _differing(inputs: NDArray[Any], bits: Integers) -> Integers:
    """(N, neurons) how many inputs differ from the neuron's bit."""
    signs = 2 * inputs.astype(np.int64) - 1
    count: Integers = (bits.shape[1] - signs @ (2 * bits - 1).T) // 2
    return count


def _words(bits: Integers) -> Integers:
    padded = np.zeros((len(bits), 32 * BNN_WORDS), np.uint8)
    padded[:, : bits.shape[1]] = bits
    words: Integers = np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.int64)
    return words
