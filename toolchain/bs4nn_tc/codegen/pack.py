"""Signs and thresholds to the words that the C kernel reads (firmware/lib/bs4nn/src/bs4nn.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.network import Layer, Network

WORD_BITS = 32
HALFWORD_BITS = 16


@dataclass(frozen=True)
class PackedHidden:
    """A hidden layer as the kernel's `bs4nn_hidden_t`.

    Attributes:
        rows: (inputs, words) uint32, bit j % 32 of word j / 32 is neuron j, set = +1.
        threshold: shared by all neurons, or 0 where they differ.
        start: (words, planes + 1) uint32, starting value of the bit planes and the mask of odd
            thresholds; None with a shared threshold.
        planes: bit planes a word.
    """

    inputs: int
    neurons: int
    words: int
    planes: int
    threshold: int
    start: NDArray[np.uint32] | None
    rows: NDArray[np.uint32]

    @property
    def state_words(self) -> int:
        """Words of workspace: planes, alive and fired masks, and two counters."""
        return self.words * (self.planes + 2) + 2


@dataclass(frozen=True)
class PackedOutput:
    """The output layer as the kernel's `bs4nn_output_t`.

    Attributes:
        rows: (inputs, halfwords) uint16, bit j % 16 of half-word j / 16 is neuron j, set = +1.
        threshold: shared by all neurons, or 0 where they differ.
        thresholds: (neurons,) uint16; None with a shared threshold.
    """

    inputs: int
    neurons: int
    halfwords: int
    threshold: int
    thresholds: NDArray[np.uint16] | None
    rows: NDArray[np.uint16]


@dataclass(frozen=True)
class PackedNetwork:
    """All layers, and where each finds its state in the workspace.

    Attributes:
        hidden: the hidden layers from the input side.
        output: the output layer.
        state_offsets: first word of each hidden layer's state in the workspace.
        workspace_words: exact size of the workspace in 32-bit words.
    """

    hidden: tuple[PackedHidden, ...]
    output: PackedOutput
    state_offsets: tuple[int, ...]
    workspace_words: int

    @property
    def order_words(self) -> int:
        """Words of workspace that hold the order of the pixels."""
        inputs = self.hidden[0].inputs if self.hidden else self.output.inputs
        return (inputs + 1) // 2


def planes_needed(inputs: int, highest_threshold: int) -> int:
    """Bit planes of the counters of one hidden layer.

    A neuron that has not fired has a counter D >= -M with M = (inputs + threshold + 1) >> 1, and one
    step lifts it to M - 1 at the most, so two's complement needs 2^(planes - 1) >= M.
    """
    largest = (inputs + highest_threshold + 1) >> 1
    return max(2, 1 + (largest - 1).bit_length())


def reachable_thresholds(layer: Layer) -> NDArray[np.int32]:
    """(out,) thresholds with everything above fan-in + 1, which is never reached, lowered to that."""
    return np.minimum(layer.thresholds, min(layer.inputs + 1, 65_535)).astype(np.int32)


def pack_rows(signs: NDArray[np.int8], bits: int) -> NDArray[np.uint32] | NDArray[np.uint16]:
    """(out, in) signs to (in, ceil(out / bits)) words of `bits` bits, 1 = +1, rest clear."""
    neurons, inputs = signs.shape
    words = -(-neurons // bits)
    wide = np.zeros((inputs, words * bits), np.uint8)
    wide[:, :neurons] = signs.T > 0
    return np.packbits(wide, axis=1, bitorder="little").view(f"<u{bits // 8}")


def _pack_start(thresholds: NDArray[np.int32], words: int, planes: int) -> NDArray[np.uint32]:
    """(words, planes + 1): D = -((threshold + 1) >> 1) sliced into planes, then the odd mask."""
    padded = np.ones(words * WORD_BITS, np.int64)
    padded[: thresholds.size] = thresholds
    start = -((padded + 1) >> 1)
    columns = [(start >> plane) & 1 for plane in range(planes)] + [padded & 1]
    bits = np.stack(columns, axis=0).reshape(planes + 1, words, WORD_BITS).astype(np.uint8)
    packed = np.packbits(bits, axis=2, bitorder="little").view("<u4")[:, :, 0]
    return np.ascontiguousarray(packed.T)


def pack_hidden(layer: Layer) -> PackedHidden:
    """Pack one hidden layer."""
    thresholds = reachable_thresholds(layer)
    words = -(-layer.neurons // WORD_BITS)
    planes = planes_needed(layer.inputs, int(thresholds.max()))
    shared = bool((thresholds == thresholds[0]).all())
    return PackedHidden(
        inputs=layer.inputs,
        neurons=layer.neurons,
        words=words,
        planes=planes,
        threshold=int(thresholds[0]) if shared else 0,
        start=None if shared else _pack_start(thresholds, words, planes),
        rows=pack_rows(layer.signs, WORD_BITS).astype(np.uint32),
    )


def pack_output(layer: Layer) -> PackedOutput:
    """Pack the output layer."""
    thresholds = reachable_thresholds(layer)
    shared = bool((thresholds == thresholds[0]).all())
    return PackedOutput(
        inputs=layer.inputs,
        neurons=layer.neurons,
        halfwords=-(-layer.neurons // HALFWORD_BITS),
        threshold=int(thresholds[0]) if shared else 0,
        thresholds=None if shared else thresholds.astype(np.uint16),
        rows=pack_rows(layer.signs, HALFWORD_BITS).astype(np.uint16),
    )


def pack(network: Network) -> PackedNetwork:
    """Pack a network; the workspace is laid out as bs4nn.c expects it."""
    hidden = tuple(pack_hidden(layer) for layer in network.layers[:-1])
    words = (network.inputs + 1) // 2 + network.outputs
    offsets = []
    for layer in hidden:
        offsets.append(words)
        words += layer.state_words
    return PackedNetwork(hidden, pack_output(network.layers[-1]), tuple(offsets), words)
