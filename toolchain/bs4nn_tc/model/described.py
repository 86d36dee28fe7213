"""What the program does with a network's description: the few entries that it acts upon, checked in one place.

A description may hold anything that JSON has, and may come from anywhere. What is no usable value of an entry counts
as not said.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from bs4nn_tc.model.network import Network

# As long as a path, and a name in it, may be.
_MAX_PATH, _MAX_NAME = 4095, 255


def trained_on(network: Network) -> str | None:
    """Name or folder of the data set that the network was trained on."""
    name = network.description.get("dataset")
    if not isinstance(name, str) or not name or "\0" in name or len(os.fsencode(name)) > _MAX_PATH:
        return None
    return name if all(len(os.fsencode(part)) <= _MAX_NAME for part in Path(name).parts) else None


def theta(network: Network) -> float | None:
    """The firing threshold theta that the whole-number thresholds come from."""
    return _positive(network.description.get("theta"))


def alphas(network: Network) -> tuple[float, ...] | None:
    """The scaling factors alpha that they come from, one a layer."""
    values = network.description.get("alphas")
    if not isinstance(values, list | tuple) or len(values) != len(network.layers):
        return None
    numbers = tuple(number for number in map(_positive, values) if number is not None)
    return numbers if len(numbers) == len(values) else None


def class_names(network: Network) -> tuple[str, ...]:
    """A name for every output neuron: its number where no usable one is said."""
    said = network.description.get("class_names")
    names = said[: network.outputs] if isinstance(said, list | tuple) else []
    usable = [name if isinstance(name, str) and len(name) <= _MAX_NAME else None for name in names]
    usable += [None] * (network.outputs - len(usable))
    return tuple(str(number) if name is None else name for number, name in enumerate(usable))


def knows_validation_images(network: Network) -> bool:
    """Whether it has learned from the validation images, too (`all_images`), so that they say little of it."""
    return network.description.get("validation") == {}


def _positive(value: object) -> float | None:
    """A number above 0 that a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number > 0 else None
