"""Signs and thresholds to the words that the C kernel reads (firmware/lib/bs4nn/src/bs4nn.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.layers.layer import Layer
from bs4nn_tc.model.network import Network

WORD_BITS = 32
HALFWORD_BITS = 16


# As in bs4nn_layout.h.
RING_WORDS = 16
RECORD = 2
COUNTS = 4
PLACES_WORDS = 128
BATCH = 8
MIN_PLANES = 7
# Writes the arrays of dense layers.
DENSE_TEMPLATE = "network_dense.c.j2"


@dataclass(frozen=True)
class PackedGroup:
    """Neurons that see the same inputs: they share the count of arrived spikes, the level, and the list of spikes.

    Attributes:
        inputs: what each of its neurons sees.
        neurons: of the group.
        words: words of 32 neurons.
        planes: bit planes of a word's counters.
        threshold: the highest.
        spread: the largest lead, half the distance of a threshold to the highest.
        start: (words, start_planes + 1) uint32, bit planes of the leads and the mask of odd distances; None with
            a shared threshold.
    """

    inputs: int
    neurons: int
    words: int
    planes: int
    threshold: int
    spread: int
    start: NDArray[np.uint32] | None

    @property
    def start_planes(self) -> int:
        """Bit planes in `start`; 0 without one."""
        return 0 if self.start is None else self.start.shape[1] - 1

    @property
    def record_words(self) -> int:
        """Words of workspace for its records: one for every word of neurons, with its planes."""
        return self.words * (RECORD + self.planes)


@dataclass(frozen=True)
class PackedHidden:
    """A hidden dense layer, as the kernel's `bs4nn_layer_t`.

    Attributes:
        group: its neurons.
        columns: (words, inputs) uint32, bit j % 32 of word j / 32 is neuron j, set = +1.
        takes_hidden: the layer below is a hidden one, too.
    """

    group: PackedGroup
    columns: NDArray[np.uint32]
    takes_hidden: bool
    template: ClassVar[str] = DENSE_TEMPLATE

    @property
    def state_words(self) -> int:
        """Words of workspace: records, ring, counts, and the spikes of a hidden layer below."""
        spikes = spikes_words(self.group.inputs) if self.takes_hidden else 0
        return self.group.record_words + RING_WORDS + COUNTS + spikes


@dataclass(frozen=True)
class PackedOutput:
    """A dense output layer.

    Attributes:
        group: its neurons.
        rows: (inputs, halfwords) uint16, bit j % 16 of half-word j / 16 is neuron j, set = +1.
    """

    group: PackedGroup
    rows: NDArray[np.uint16]
    template: ClassVar[str] = DENSE_TEMPLATE

    @property
    def halfwords(self) -> int:
        """Half-words of a row."""
        return int(self.rows.shape[1])

    @property
    def state_words(self) -> int:
        """Words of workspace: records, and the rows of a batch."""
        return self.group.record_words + self.group.words * BATCH


@dataclass(frozen=True)
class PackedNetwork:
    """All layers, and where each finds its state in the workspace.

    Attributes:
        hidden: the hidden layers from the input side.
        output: the output layer.
        state_offsets: first word of each layer's state in the workspace, the output layer's last.
        workspace_words: exact size of the workspace in 32-bit words.
        steps_a_unit: T / intensity_max, rounded down: by so much later fires a pixel that is darker by 1, ...
        remainder_a_unit: ... and what that leaves over; the kernel counts equation 1 up from both.
    """

    hidden: tuple[PackedHidden, ...]
    output: PackedOutput
    state_offsets: tuple[int, ...]
    workspace_words: int
    steps_a_unit: int
    remainder_a_unit: int

    @property
    def layers(self) -> tuple[PackedHidden | PackedOutput, ...]:
        """The hidden layers, then the output layer."""
        return (*self.hidden, self.output)

    @property
    def order_words(self) -> int:
        """Words of workspace that hold the order of the pixels."""
        return self.workspace_words - sum(layer.state_words for layer in self.layers)


def spikes_words(inputs: int) -> int:
    """Words of workspace for the order of `inputs` spikes."""
    return (inputs + 1) // 2


def reachable_thresholds(layer: Layer) -> NDArray[np.int32]:
    """(out,) thresholds with everything above fan-in + 1, which is never reached, lowered to that."""
    return np.minimum(layer.thresholds, min(layer.inputs + 1, 65_535)).astype(np.int32)


def pack_rows(signs: NDArray[np.int8], bits: int) -> NDArray[np.uint32] | NDArray[np.uint16]:
    """(out, in) signs to (in, ceil(out / bits)) words of `bits` bits, 1 = +1, rest clear."""
    neurons, inputs = signs.shape
    words = -(-neurons // bits)
    packed = np.zeros((words * bits // 8, inputs), np.uint8)
    packed[: -(-neurons // 8)] = np.packbits(signs > 0, axis=0, bitorder="little")
    return np.ascontiguousarray(packed.T).view(f"<u{bits // 8}")


def _planes_of(numbers: NDArray[np.int64], count: int) -> NDArray[np.uint32]:
    """(words * 32,) whole numbers to (words, count) bit planes, in two's complement."""
    bits = np.stack([(numbers >> plane) & 1 for plane in range(count)]).reshape(count, -1, WORD_BITS)
    return np.packbits(bits.astype(np.uint8), axis=2, bitorder="little").view("<u4")[:, :, 0].T


def _pack_start(distances: NDArray[np.int32], spread: int) -> NDArray[np.uint32]:
    """(words, bits of spread + 1): the leads in bit planes, then the odd mask."""
    padded = np.zeros(-(-distances.size // WORD_BITS) * WORD_BITS, np.int64)
    padded[: distances.size] = distances
    leads = (
        _planes_of(padded >> 1, spread.bit_length()) if spread else np.zeros((padded.size // WORD_BITS, 0), np.uint32)
    )
    return np.ascontiguousarray(np.hstack([leads, _planes_of(padded & 1, 1)]))


def _group(layer: Dense) -> PackedGroup:
    """All neurons of a dense layer, which are one group."""
    thresholds = reachable_thresholds(layer)
    distances = thresholds.max() - thresholds
    threshold = int(thresholds.max())
    spread = int(distances.max()) >> 1
    # bs4nn_dense.c: counters of neurons that can still fire lie in [-needed(n), needed(n) + spread + 7].
    largest = ((layer.inputs + threshold + 1) >> 1) + spread + 7
    return PackedGroup(
        inputs=layer.inputs,
        neurons=layer.neurons,
        words=-(-layer.neurons // WORD_BITS),
        planes=max(MIN_PLANES, largest.bit_length() + 1),
        threshold=threshold,
        spread=spread,
        start=_pack_start(distances, spread) if distances.any() else None,
    )


def _pack_hidden_dense(layer: Layer, takes_hidden: bool) -> PackedHidden:
    assert isinstance(layer, Dense)
    columns = np.ascontiguousarray(pack_rows(layer.signs, WORD_BITS).astype(np.uint32).T)
    return PackedHidden(_group(layer), columns, takes_hidden)


def _pack_output_dense(layer: Layer) -> PackedOutput:
    assert isinstance(layer, Dense)
    return PackedOutput(_group(layer), pack_rows(layer.signs, HALFWORD_BITS).astype(np.uint16))


@dataclass(frozen=True)
class Packer:
    """How a kind of layer becomes arrays of C.

    Attributes:
        hidden: packs one below others, and is told whether another one lies below it.
        output: packs one whose neurons are the classes.
    """

    hidden: Callable[[Layer, bool], PackedHidden]
    output: Callable[[Layer], PackedOutput]


# By kind of layer; the template that writes its arrays is named by what comes out.
PACKERS = {"dense": Packer(_pack_hidden_dense, _pack_output_dense)}


def _packer(layer: Layer, number: int) -> Packer:
    if layer.kind not in PACKERS:
        raise UserError(
            f"layer {number} is of kind '{layer.kind}', which no firmware runs yet; on a board there are "
            f"{', '.join(PACKERS)} layers"
        )
    return PACKERS[layer.kind]


def pack(network: Network) -> PackedNetwork:
    """Pack a network, its hidden neurons at their places; the workspace is laid out as the kernel expects it.

    Raises:
        UserError: a layer is of a kind that no firmware runs.
    """
    packers = [_packer(layer, number) for number, layer in enumerate(network.layers, start=1)]
    layers = network.placed().layers
    hidden = tuple(packers[number].hidden(layer, number > 0) for number, layer in enumerate(layers[:-1]))
    output = packers[-1].output(layers[-1])
    words = PLACES_WORDS
    offsets = []
    packed_layers: tuple[PackedHidden | PackedOutput, ...] = (*hidden, output)
    for packed_layer in packed_layers:
        offsets.append(words)
        words += packed_layer.state_words
    words = -(-words // 4) * 4  # cleared four words at a time
    unit = divmod(network.time_steps, network.input.intensity_max)
    return PackedNetwork(hidden, output, tuple(offsets), words + spikes_words(network.inputs), *unit)
