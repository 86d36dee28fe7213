"""An upper bound of the instructions of one inference, whatever the image.

A count of what a kernel (firmware/lib/bs4nn, firmware/small) can do at most, times what each of these things costs at
most, read off the compiled code of the two instruction sets. It is a model, not a proof: the tests hold it against
what emulated cores execute, on images made and searched for to be hard. For a time, multiply by the cycles that an
instruction takes on the core. A core that is not known gets no bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bs4nn_tc.device.codegen.pack import PackedHidden, PackedNetwork, pack
from bs4nn_tc.device.cores import InstructionSet, core
from bs4nn_tc.model.network import Network

KernelName = Literal["assembly", "portable", "small"]


@dataclass(frozen=True)
class Costs:
    """Instructions of the things that an inference is made of.

    Attributes:
        image: once: setting up, reading the result.
        pixel: sorting one pixel that is not black.
        intensity: looking for the pixels of one intensity.
        step: one visited step; layer: what each hidden layer adds to it.
        record: setting up one word of neurons; plane: the same for each of its bit planes.
        look: looking at one word in which nobody fires; look_plane: for each plane beyond the seventh.
        spike: counting one spike in one word, and having looked ahead at it; spike_plane: for each plane beyond the
            seventh.
        fire: sending one spike; fire_alone: what it costs more where it is the only one of its word to fire then;
            fire_in_c: the same where the assembly does not do it by itself.
        batch: for every word of output neurons; batch_plane: for every plane of it.
        output: looking at the output layer; output_plane: for every word and plane of it, and for every
            plane of a potential.
    """

    image: int
    pixel: int
    intensity: int
    step: int
    layer: int
    record: int
    plane: int
    look: int
    look_plane: int
    spike: int
    spike_plane: int
    fire: int
    fire_alone: int
    fire_in_c: int
    batch: int
    batch_plane: int
    output: int
    output_plane: int


# One column for each kernel on each instruction set.
_COLUMNS: tuple[tuple[KernelName, InstructionSet], ...] = (
    ("assembly", "thumb-2"),
    ("assembly", "thumb-1"),
    ("portable", "thumb-2"),
    ("portable", "thumb-1"),
    ("small", "thumb-2"),
    ("small", "thumb-1"),
)
_ROWS = {
    "image": (1600, 2000, 1700, 2100, 2400, 3000),
    "pixel": (14, 22, 18, 26, 24, 34),
    "intensity": (40, 60, 40, 60, 30, 45),
    "step": (35, 55, 35, 55, 60, 90),
    "layer": (75, 115, 75, 115, 90, 130),
    "record": (40, 60, 40, 60, 40, 60),
    "plane": (24, 36, 24, 36, 6, 8),
    "look": (81, 125, 115, 180, 80, 120),
    "look_plane": (10, 15, 12, 18, 9, 14),
    "spike": (14, 21, 18, 28, 15, 22),
    "spike_plane": (1, 1, 1, 2, 1, 2),
    "fire": (18, 30, 40, 60, 90, 140),
    "fire_alone": (75, 120, 300, 450, 60, 90),
    "fire_in_c": (300, 450, 300, 450, 60, 90),
    "batch": (16, 30, 20, 36, 30, 40),
    "batch_plane": (0, 0, 0, 0, 8, 10),
    "output": (130, 210, 130, 210, 180, 270),
    "output_plane": (11, 18, 11, 18, 10, 15),
}
_COSTS = {column: Costs(**{name: row[index] for name, row in _ROWS.items()}) for index, column in enumerate(_COLUMNS)}


def steps_at_most(network: Network) -> int:
    """Steps that an inference visits at the most: those with input spikes, and with a delay those after them."""
    with_input = min(network.inputs, network.input.intensity_max, network.time_steps)
    return min(network.time_steps, with_input * (len(network.layers) if network.delay else 1))


def instructions_at_most(
    network: Network, core_name: str, kernel: KernelName = "assembly", packed: PackedNetwork | None = None
) -> int | None:
    """Upper bound of the instructions that a kernel executes for one image on a core; None if the core is not known."""
    instruction_set = core(core_name).instruction_set
    if instruction_set is None:
        return None
    costs = _COSTS[kernel, instruction_set]
    packed = packed or pack(network)
    steps = steps_at_most(network)
    total = costs.image + costs.pixel * network.inputs + costs.intensity * 256
    total += steps * (costs.step + costs.layer * len(packed.hidden))
    for number, hidden in enumerate(packed.hidden, start=1):
        direct = number == len(packed.hidden) and packed.output.halfwords == 1
        total += _hidden(hidden, steps, costs, direct)
        if network.delay:  # what fires too late to arrive anywhere is left to C
            total += hidden.words * costs.fire_in_c
    output = packed.output
    total += output.inputs * output.words * (costs.batch + costs.batch_plane * output.planes)
    # A look at the output layer; with thresholds of their own, one that lets nobody fire may take two.
    look = costs.output + costs.output_plane * output.planes * output.words * (1 if output.start is None else 2)
    total += min(steps, output.inputs) * look
    # Once, the potentials of all output neurons: where some of them fire, or at the readout step.
    total += 2 * network.outputs * (costs.fire + costs.output_plane * output.planes)
    return total


def _hidden(layer: PackedHidden, steps: int, costs: Costs, direct: bool) -> int:
    """What a hidden layer takes at the most, but for the steps themselves.

    Args:
        layer: the layer.
        steps: that are visited at the most.
        costs: of the kernel on the core.
        direct: the assembly itself sends its spikes, to an output layer of up to 16 neurons.
    """
    more_planes = layer.planes - 7
    looks = layer.words * min(steps, layer.inputs)
    total = layer.words * (costs.record + costs.plane * layer.planes)
    total += looks * (costs.look + costs.look_plane * more_planes)
    total += layer.words * layer.inputs * (costs.spike + costs.spike_plane * more_planes)
    if layer.start is not None:  # at every look C has to find out whether a neuron with a threshold of its own fires
        return total + looks * costs.fire_in_c + layer.neurons * costs.fire
    return total + layer.neurons * (costs.fire + (costs.fire_alone if direct else costs.fire_in_c))
