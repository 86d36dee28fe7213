"""An upper bound of the instructions of one inference, whatever the image.

A count of what a kernel (firmware/lib/bs4nn, firmware/small) can do at most, times what each of these things costs at
most, read off the compiled code of the two instruction sets. It is a model, not a proof: the tests hold it against
what emulated cores execute. For a time, multiply by the cycles that an instruction takes on the core.
"""

from __future__ import annotations

from dataclasses import dataclass

from bs4nn_tc.device.codegen.pack import PackedNetwork, pack
from bs4nn_tc.model.network import Network


@dataclass(frozen=True)
class Costs:
    """Instructions of the things that an inference is made of.

    Attributes:
        image: once: setting up, reading the result.
        pixel: sorting one pixel that is not black.
        intensity: looking for the pixels of one intensity.
        step: one visited step; layer: what each hidden layer adds to it.
        record: setting up one word of neurons; plane: the same for each of its bit planes.
        look: looking at one word, with up to seven spikes and neurons that fire; look_plane: for each plane
            beyond the seventh.
        spike: counting one spike in one word; spike_plane: for each plane beyond the seventh.
        fire: sending one spike; batch: for every word of output neurons; batch_plane: for every plane of it.
        output: looking at the output layer; output_plane: for every word and plane of it.
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
    batch: int
    batch_plane: int
    output: int
    output_plane: int


THUMB_1_CORES = ("cortex-m0", "cortex-m0plus", "cortex-m1", "cortex-m23")
THUMB_2 = Costs(
    image=1600,
    pixel=14,
    intensity=40,
    step=45,
    layer=120,
    record=40,
    plane=24,
    look=340,
    look_plane=14,
    spike=10,
    spike_plane=2,
    fire=30,
    batch=16,
    batch_plane=0,
    output=160,
    output_plane=26,
)
THUMB_1 = Costs(
    image=2000,
    pixel=22,
    intensity=60,
    step=75,
    layer=190,
    record=60,
    plane=36,
    look=540,
    look_plane=22,
    spike=16,
    spike_plane=2,
    fire=50,
    batch=30,
    batch_plane=0,
    output=260,
    output_plane=40,
)
SMALL_THUMB_2 = Costs(
    image=2400,
    pixel=24,
    intensity=30,
    step=130,
    layer=120,
    record=40,
    plane=6,
    look=240,
    look_plane=14,
    spike=14,
    spike_plane=2,
    fire=170,
    batch=30,
    batch_plane=8,
    output=260,
    output_plane=14,
)
SMALL_THUMB_1 = Costs(
    image=3000,
    pixel=34,
    intensity=45,
    step=190,
    layer=170,
    record=60,
    plane=8,
    look=380,
    look_plane=22,
    spike=20,
    spike_plane=3,
    fire=250,
    batch=40,
    batch_plane=10,
    output=400,
    output_plane=20,
)


def costs_of(core: str, small: bool = False) -> Costs:
    """The costs for a core, e.g. "cortex-m4", of the kernel or of the small one."""
    if small:
        return SMALL_THUMB_1 if core in THUMB_1_CORES else SMALL_THUMB_2
    return THUMB_1 if core in THUMB_1_CORES else THUMB_2


def steps_at_most(network: Network) -> int:
    """Steps that an inference visits at the most: those with input spikes, and with a delay those after them."""
    with_input = min(network.inputs, network.intensity_max, network.time_steps)
    return min(network.time_steps, with_input * (len(network.layers) if network.delay else 1))


def instructions_at_most(network: Network, core: str, packed: PackedNetwork | None = None, small: bool = False) -> int:
    """Upper bound of the instructions that the kernel, or the small one, executes for one image on a core."""
    packed = packed or pack(network)
    costs = costs_of(core, small)
    steps = steps_at_most(network)
    total = costs.image + costs.pixel * network.inputs + costs.intensity * 256
    total += steps * (costs.step + costs.layer * len(packed.hidden))
    output_words = packed.output.words
    for hidden in packed.hidden:
        more_planes = hidden.planes - 7
        looks = min(steps, hidden.inputs)
        total += hidden.words * (costs.record + costs.plane * hidden.planes)
        total += hidden.words * looks * (costs.look + costs.look_plane * more_planes)
        total += hidden.words * hidden.inputs * (costs.spike + costs.spike_plane * more_planes)
        total += hidden.neurons * costs.fire
    total += packed.output.inputs * output_words * (costs.batch + costs.batch_plane * packed.output.planes)
    total += network.outputs * costs.fire
    total += steps * (costs.output + costs.output_plane * packed.output.planes * output_words)
    return total
