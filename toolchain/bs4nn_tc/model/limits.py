"""How large a network and its parts may be (SPEC.md), and the checks that hold them there."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Sequence

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable

MAX_TIME_STEPS = 65_535
MAX_NEURONS = 65_535
MAX_THRESHOLD = 65_535
MAX_INTENSITY = 255
MAX_LAYERS = 255
MAX_STAGES = 8
# Values of a sample where stages make fewer of them: a megapixel.
MAX_SAMPLE_VALUES = 2**20
# Of a whole network: 4 MB of signs, more than a microcontroller has flash, and a second's work to read.
MAX_SYNAPSES = 2**25
MAX_ALL_NEURONS = 2**20
# Bytes of what a file says of its network, as JSON; most of that is the description.
MAX_HEADER = 2**20


def whole_number(name: str, value: object, lowest: int, highest: int) -> int:
    """`value` as a plain int; a truth value is none.

    Raises:
        UserError: no whole number, or one out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not lowest <= int(value) <= highest:
        allowed = f"{lowest} or {highest}" if highest == lowest + 1 else f"{lowest} to {highest:,}"
        raise UserError(f"{name} is {printable(value, 40)}; {allowed} is allowed")
    return int(value)


def check_sizes(sizes: Sequence[int], most_synapses: int = MAX_SYNAPSES) -> None:
    """Refuse networks of fully connected layers that are too large to be read again.

    Args:
        sizes: (inputs, neurons of layer 1, ..., neurons of layer L).
        most_synapses: of all layers together.

    Raises:
        UserError: too many layers, neurons or synapses, or a size below 1.
    """
    if not 1 <= len(sizes) - 1 <= MAX_LAYERS:
        raise UserError(f"{len(sizes) - 1} layers; 1 to {MAX_LAYERS} are allowed")
    for size in sizes:
        whole_number("a layer's size", size, 1, MAX_NEURONS)
    synapses = sum(below * above for below, above in itertools.pairwise(sizes))
    check_totals(sum(sizes[1:]), synapses, most_synapses)


def check_totals(neurons: int, synapses: int, most_synapses: int = MAX_SYNAPSES) -> None:
    """Refuse more neurons or synapses than a network has, all layers together.

    Raises:
        UserError: too many.
    """
    for what, count, most in (("neurons", neurons, MAX_ALL_NEURONS), ("synapses", synapses, most_synapses)):
        if count > most:
            raise UserError(f"{count:,} {what}; a network has at most {most:,}: take smaller layers")
