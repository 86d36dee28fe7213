"""The kinds of layers: one module each, and one line in `KINDS`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.layers.layer import Layer, Outline
from bs4nn_tc.model.limits import MAX_LAYERS, check_totals

KINDS: dict[str, type[Layer]] = {
    "dense": Dense,
}


def numbered(name: str, number: int) -> str:
    """An array's name in a file: `name` of layer `number`, counted from 1."""
    return f"{name}_{number}"


def check_outlines(outlines: Sequence[Outline]) -> None:
    """Refuse layers that do not follow each other, or make too large a network.

    Raises:
        UserError: too many layers, neurons or synapses, or a layer that takes other inputs than the one below gives.
    """
    if not 1 <= len(outlines) <= MAX_LAYERS:
        raise UserError(f"{len(outlines)} layers; 1 to {MAX_LAYERS} are allowed")
    for number, (below, above) in enumerate(itertools.pairwise(outlines), start=2):
        if above.inputs != below.neurons:
            raise UserError(
                f"layer {number} takes {above.inputs} inputs, but layer {number - 1} has {below.neurons} neurons"
            )
    check_totals(sum(one.neurons for one in outlines), sum(one.synapses for one in outlines))
