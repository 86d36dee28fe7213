"""An upper bound of the instructions of one inference, whatever the image.

A count of what a kernel can do at most, times what each of these things costs at most on the core (`kernels.Costs`).
It is a model, not a proof: the tests hold it against what emulated cores execute, on images made and searched for to be
hard. For a time, multiply by the cycles that an instruction takes on the core. A core that is not known gets no bound.
"""

from __future__ import annotations

from bs4nn_tc.device.codegen import stages
from bs4nn_tc.device.codegen.pack import PackedHidden, PackedNetwork
from bs4nn_tc.device.cores import core
from bs4nn_tc.device.kernels import Costs, Kernel
from bs4nn_tc.model.network import Network


def steps_at_most(network: Network) -> int:
    """Steps that an inference visits at the most: those with input spikes, and with a delay those after them."""
    with_input = min(network.inputs, network.input.intensity_max, network.time_steps)
    return min(network.time_steps, with_input * (len(network.layers) if network.delay else 1))


def instructions_at_most(network: Network, packed: PackedNetwork, core_name: str, kernel: Kernel) -> int | None:
    """Upper bound of the instructions that stages and kernel execute for one sample on a core.

    Returns:
        None if the core is not known, or nothing of what the kernel costs there.
    """
    instruction_set = core(core_name).instruction_set
    if instruction_set is None or instruction_set not in kernel.costs:
        return None
    costs = kernel.costs[instruction_set]
    steps = steps_at_most(network)
    total = stages.instructions_at_most(network.input, instruction_set)
    pixel = costs.pixel + (0 if packed.hidden else costs.pixel_out)
    total += costs.image + pixel * network.inputs + costs.intensity * 256
    total += steps * (costs.step + costs.layer * len(packed.hidden))
    for number, hidden in enumerate(packed.hidden, start=1):
        direct = number == len(packed.hidden) and packed.output.halfwords == 1
        total += _hidden(hidden, steps, costs, direct)
        if network.delay:  # what fires too late to arrive anywhere is left to C
            total += hidden.group.words * costs.fire_in_c
    output = packed.output.group
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
    group = layer.group
    more_planes = group.planes - 7
    looks = group.words * min(steps, group.inputs)
    total = group.words * (costs.record + costs.plane * group.planes)
    total += looks * (costs.look + costs.look_plane * more_planes)
    total += group.words * group.inputs * (costs.spike + costs.spike_plane * more_planes)
    if group.start is not None:  # at every look C has to find out whether a neuron with a threshold of its own fires
        return total + looks * costs.fire_in_c + group.neurons * costs.fire
    return total + group.neurons * (costs.fire + (costs.fire_alone if direct else costs.fire_in_c))
