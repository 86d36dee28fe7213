"""Signs and thresholds to the words that the C kernel reads (firmware/lib/bs4nn/src/bs4nn.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.network import Layer, Network

WORD_BITS = 32
HALFWORD_BITS = 16


# As in bs4nn.c.
RING = 64
COUNTS = 3
SORT_WORDS = 128
MIN_PLANES = 3


@dataclass(frozen=True)
class PackedHidden:
    """A hidden layer as the kernel's `bs4nn_hidden_t`.

    Attributes:
        rows: (inputs, words) uint32, bit j % 32 of word j / 32 is neuron j, set = +1.
        threshold: the highest.
        spread: the largest lead, half the distance of a threshold to the highest.
        start: (words, bits of spread + 1) uint32, bit planes of the leads and the mask of odd distances;
            None with a shared threshold.
        planes: bit planes of a word's counters.
        feeds_hidden: the layer above is a hidden one, too.
    """

    inputs: int
    neurons: int
    words: int
    planes: int
    threshold: int
    spread: int
    start: NDArray[np.uint32] | None
    rows: NDArray[np.uint32]
    feeds_hidden: bool

    @property
    def state_words(self) -> int:
        """Words of workspace: planes, alive, seen, ring, counts, and the spikes for a hidden layer above."""
        groups = -(-self.words // WORD_BITS)
        spikes = (self.neurons + 1) // 2 if self.feeds_hidden else 0
        return self.words * (self.planes + 2) + groups * RING + COUNTS + spikes


@dataclass(frozen=True)
class PackedOutput:
    """The output layer as the kernel's `bs4nn_output_t`.

    Attributes:
        rows: (inputs, halfwords) uint16, bit j % 16 of half-word j / 16 is neuron j, set = +1.
        threshold: the highest.
        spread: as in a hidden layer.
        planes: bit planes of a word's counters.
        thresholds: (neurons,) uint16; None with a shared threshold.
    """

    inputs: int
    neurons: int
    halfwords: int
    planes: int
    threshold: int
    spread: int
    thresholds: NDArray[np.uint16] | None
    rows: NDArray[np.uint16]

    @property
    def state_words(self) -> int:
        """Words of workspace: planes, alive, odd distances."""
        return (self.halfwords + 1) // 2 * (self.planes + 2)


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


def _pack_start(distances: NDArray[np.int32], words: int, spread: int) -> NDArray[np.uint32]:
    """(words, bits of spread + 1): the leads sliced into planes, then the odd mask."""
    padded = np.zeros(words * WORD_BITS, np.int64)
    padded[: distances.size] = distances
    columns = [(padded >> 1 >> plane) & 1 for plane in range(spread.bit_length())] + [padded & 1]
    bits = np.stack(columns, axis=0).reshape(len(columns), words, WORD_BITS).astype(np.uint8)
    packed = np.packbits(bits, axis=2, bitorder="little").view("<u4")[:, :, 0]
    return np.ascontiguousarray(packed.T)


def pack_hidden(layer: Layer, feeds_hidden: bool) -> PackedHidden:
    """Pack one hidden layer."""
    thresholds = reachable_thresholds(layer)
    distances = thresholds.max() - thresholds
    spread = int(distances.max()) >> 1
    words = -(-layer.neurons // WORD_BITS)
    return PackedHidden(
        inputs=layer.inputs,
        neurons=layer.neurons,
        words=words,
        planes=max(MIN_PLANES, (layer.inputs + spread).bit_length()),
        threshold=int(thresholds.max()),
        spread=spread,
        start=_pack_start(distances, words, spread) if distances.any() else None,
        rows=pack_rows(layer.signs, WORD_BITS).astype(np.uint32),
        feeds_hidden=feeds_hidden,
    )


def pack_output(layer: Layer) -> PackedOutput:
    """Pack the output layer."""
    thresholds = reachable_thresholds(layer)
    spread = int(thresholds.max() - thresholds.min()) >> 1
    return PackedOutput(
        inputs=layer.inputs,
        neurons=layer.neurons,
        halfwords=-(-layer.neurons // HALFWORD_BITS),
        planes=max(MIN_PLANES, (layer.inputs + spread).bit_length()),
        threshold=int(thresholds.max()),
        spread=spread,
        thresholds=thresholds.astype(np.uint16) if thresholds.min() < thresholds.max() else None,
        rows=pack_rows(layer.signs, HALFWORD_BITS).astype(np.uint16),
    )


def pack(network: Network) -> PackedNetwork:
    """Pack a network; the workspace is laid out as bs4nn.c expects it."""
    layers = network.layers[:-1]
    hidden = tuple(pack_hidden(layer, number < len(layers)) for number, layer in enumerate(layers, start=1))
    output = pack_output(network.layers[-1])
    order = (network.inputs + 1) // 2
    words = order + output.state_words
    offsets = []
    for packed_layer in hidden:
        offsets.append(words)
        words += packed_layer.state_words
    return PackedNetwork(hidden, output, tuple(offsets), max(words, order + SORT_WORDS))
