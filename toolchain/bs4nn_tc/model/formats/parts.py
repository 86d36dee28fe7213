"""What the versions of network files have in common: the arrays of layers, and fields of a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.archives import Archive, ArrayFacts
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers import KINDS, check_outlines, numbered
from bs4nn_tc.model.layers.layer import ArrayRule, Layer, Outline
from bs4nn_tc.model.network import Network

DAMAGED = "the network file is damaged"
_ORDER = "order"


def field(header: Mapping[str, Any], key: str, kind: type) -> Any:
    """An entry of a header, of exactly this type and not negative.

    Raises:
        UserError: it is missing or of another type; truth values are ints for Python, but not here.
    """
    value = header.get(key)
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise UserError(f"{DAMAGED}: its header has no usable '{key}'")
    return value


def arrays_of(network: Network) -> dict[str, NDArray[Any]]:
    """The arrays that hold a network's layers and order, by name."""
    arrays = {
        numbered(name, number): array
        for number, layer in enumerate(network.layers, start=1)
        for name, array in layer.arrays().items()
    }
    orders = {numbered(_ORDER, number): places.astype("<u2") for number, places in enumerate(network.order, start=1)}
    return arrays | orders


def read_layers(
    kinds: Sequence[tuple[str, object]], archive: Archive, more_arrays: bool = False
) -> tuple[tuple[Layer, ...], tuple[NDArray[Any], ...]]:
    """The layers of a file and the order of their neurons; nothing is unpacked that their sizes do not justify.

    Args:
        kinds: (kind, sizes) of every layer, as the header says.
        archive: the file.
        more_arrays: it may hold others, too; they are ignored.

    Raises:
        UserError: sizes or arrays that do not fit, or content outside the contract.
    """
    outlines = []
    for number, (kind, sizes) in enumerate(kinds, start=1):
        try:
            outlines.append(KINDS[kind].outline_of(sizes))
        except UserError as error:
            raise UserError(f"the network file's sizes are impossible: layer {number}: {error}") from error
    try:
        check_outlines(outlines)
    except UserError as error:
        raise UserError(f"the network file's sizes are impossible: {error}") from error
    orders = _check_arrays(outlines, archive.facts, more_arrays)
    layers = []
    for number, ((kind, sizes), outline) in enumerate(zip(kinds, outlines, strict=True), start=1):
        arrays = {name: archive.read(numbered(name, number)) for name in outline.arrays}
        try:
            layers.append(KINDS[kind].from_arrays(sizes, arrays))
        except UserError as error:
            raise UserError(f"layer {number}: {error}") from error
    return tuple(layers), tuple(archive.read(name) for name in orders)


def _check_arrays(outlines: Sequence[Outline], facts: Mapping[str, ArrayFacts], more: bool) -> list[str]:
    """Refuse arrays that the layers' sizes do not justify, before any of them is unpacked; the names of the orders."""
    expected = {"header"}
    orders = [numbered(_ORDER, number) for number in range(1, len(outlines))]
    for number, outline in enumerate(outlines, start=1):
        rules = {**outline.arrays, _ORDER: ArrayRule(np.uint16, ((outline.neurons,),))}
        expected |= {numbered(name, number) for name in outline.arrays}
        for name, rule in rules.items():
            found = facts.get(numbered(name, number))
            if found is not None and (found.dtype != rule.dtype or found.shape not in rule.shapes):
                raise UserError(f"{DAMAGED}: the {name} of layer {number} do not match its sizes")
    ordered = [name for name in orders if name in facts]
    unexpected = set(facts) - expected - set(orders)
    if not expected <= set(facts) or len(ordered) not in (0, len(orders)) or (unexpected and not more):
        raise UserError(f"{DAMAGED}: its arrays do not match its sizes")
    return ordered
