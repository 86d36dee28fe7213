"""The answer that came second, and by how much: what a single answer says of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Second:
    """Which class would have been the answer without the first one.

    Attributes:
        answer: the class.
        steps: how many steps later its neuron fires; None if it never does, or on a silent sample.
        potential: on a silent sample, by how much its potential at the readout step is lower; else None.
    """

    answer: int
    steps: int | None
    potential: int | None


def second(
    firing_times: NDArray[np.integer], potentials: NDArray[np.number], answer: int, time_steps: int
) -> Second | None:
    """Who comes second on one sample; None where there is one output neuron only.

    The next to fire; of those that fire at the same step, or never, the one with the highest potential at the readout
    step, then the lowest index.

    Args:
        firing_times: (outputs,) of a run to the last step, `time_steps` = never.
        potentials: (outputs,) at the readout step.
        answer: the class that came first.
        time_steps: T.
    """
    others = np.delete(np.arange(len(firing_times)), answer)
    if not others.size:
        return None
    chosen = int(others[np.lexsort((others, -potentials[others], firing_times[others]))[0]])
    if firing_times[answer] >= time_steps:
        return Second(chosen, None, int(potentials[answer] - potentials[chosen]))
    fires = firing_times[chosen] < time_steps
    return Second(chosen, int(firing_times[chosen] - firing_times[answer]) if fires else None, None)
