"""One image step by step, for pages that replay it: `live` and `report`.

What is told comes from the target: its answer, its firing times. The potentials over the steps follow from these
firing times; the reference is only asked whether everything is equal.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import Trace


def facts(network: Network, shape: tuple[int, int], class_names: list[str]) -> dict[str, Any]:
    """What a replay knows of the network from the start, for JSON.

    Args:
        network: the network.
        shape: (rows, columns) of its images.
        class_names: one an output neuron.
    """
    return {
        "class_names": class_names,
        "layers": [layer.neurons for layer in network.layers],
        "thresholds": network.layers[-1].thresholds.tolist(),
        "time_steps": network.time_steps,
        "delay": network.delay,
        "readout_step": network.readout_step,
        "intensity_max": network.input.intensity_max,
        "synapses": network.synapses,
        "rows": shape[0],
        "columns": shape[1],
    }


def describe(network: Network, image: NDArray[np.uint8], trace: Trace) -> dict[str, Any]:
    """One image as a target has traced it, for the page.

    Args:
        network: the network that was run.
        image: (pixels,) uint8.
        trace: what the target said.

    Returns:
        Plain values for JSON. `moments` are the steps at which anything happens, rising, with the additions so
        far (one for every spike and every neuron that it reaches) and the output potentials after that step.
        `last_step` is the step of the decision: nothing after it has to be computed.
    """
    bounds = np.cumsum([0, *(layer.neurons for layer in network.layers)])
    times = [trace.firing_times[first:end] for first, end in itertools.pairwise(bounds)]
    arriving = [network.input.firing_times(image, network.time_steps), *times[:-1]]
    never = network.time_steps
    silent = trace.response_time == never
    last_step = never - 1 if silent else trace.response_time - network.delay

    def additions_until(step: int) -> int:
        pairs = zip(arriving, network.layers, strict=True)
        return sum(int((spikes <= step).sum()) * layer.neurons for spikes, layer in pairs)

    steps = np.unique(np.concatenate([*arriving, times[-1]]))
    steps = steps[steps < never]
    output = network.layers[-1].run(arriving[-1], never, network.delay)
    expected = reference.run(network, image[None])
    equal = (
        (trace.answer, trace.response_time, trace.spikes)
        == (int(expected.answer[0]), int(expected.response_time[0]), int(expected.spikes[0]))
        and np.array_equal(trace.firing_times, np.concatenate([layer[0] for layer in expected.firing_times]))
        and np.array_equal(trace.readout_potential, expected.readout_potential[0])
    )
    return {
        "answer": trace.answer,
        "response_time": trace.response_time,
        "silent": silent,
        "last_step": last_step,
        "spikes": trace.spikes,
        "input_times": arriving[0].tolist(),
        "firing_times": [layer.tolist() for layer in times],
        "moments": {
            "steps": steps.tolist(),
            "additions": [additions_until(int(step)) for step in steps],
            "potentials": [output.potentials_at(int(step)).tolist() for step in steps],
        },
        "additions": additions_until(last_step),
        "multiply_adds": network.synapses,
        "equal": bool(equal),
    }
