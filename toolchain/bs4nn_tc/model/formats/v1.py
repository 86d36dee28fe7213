"""Network files of version 1: dense layers only, one list of sizes, and a description that says what else is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from bs4nn_tc.base.archives import Archive
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.formats import parts
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_NEURONS, check_sizes
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import MAX_NAME, Scaling, TrainedOn, is_name


def read(header: Mapping[str, Any], archive: Archive) -> Network:
    """The network that a file of version 1 holds.

    What is usable in its description becomes fields, and is taken out there; what is not stays and means nothing.

    Raises:
        UserError: an impossible header, or arrays that do not fit it.
    """
    sizes = parts.field(header, "sizes", list)
    try:
        check_sizes(sizes)
    except UserError as error:
        raise UserError(f"the network file's sizes are impossible: {error}") from error
    numbers = {key: parts.field(header, key, int) for key in ("time_steps", "delay", "readout_step", "intensity_max")}
    description = dict(parts.field(header, "description", dict))
    layers, order = parts.read_layers([("dense", pair) for pair in itertools.pairwise(sizes)], archive)
    return Network(
        layers,
        time_steps=numbers["time_steps"],
        delay=numbers["delay"],
        readout_step=numbers["readout_step"],
        input=Input(_image_shape(description, sizes[0]), numbers["intensity_max"]),
        class_names=_class_names(description, sizes[-1]),
        data=_trained_on(description),
        scaling=_scaling(description, len(layers)),
        description=description,
        order=order,
    )


def _image_shape(description: dict[str, Any], inputs: int) -> tuple[int, ...]:
    """(rows, columns), or () where no usable ones are said."""
    said = description.get("image_shape")
    if not isinstance(said, list) or len(said) != 2 or any(type(side) is not int for side in said):
        return ()
    if not all(1 <= side <= MAX_NEURONS for side in said) or math.prod(said) != inputs:
        return ()
    return tuple(description.pop("image_shape"))


def _class_names(description: dict[str, Any], outputs: int) -> tuple[str, ...]:
    """One a class, its number where no usable one is said; () without any."""
    said = description.get("class_names")
    if not isinstance(said, list):
        return ()
    usable = [name if isinstance(name, str) and name and len(name) <= MAX_NAME else None for name in said[:outputs]]
    if not any(usable):
        return ()
    usable += [None] * (outputs - len(usable))
    names = tuple(name or str(number) for number, name in enumerate(usable))
    if said == list(names):
        del description["class_names"]
    return names


def _trained_on(description: dict[str, Any]) -> TrainedOn | None:
    # The figures on the validation images stay; a network that has learned from these has none.
    all_images = description.get("validation") == {}
    return TrainedOn(description.pop("dataset"), all_images=all_images) if is_name(description.get("dataset")) else None


def _scaling(description: dict[str, Any], layers: int) -> Scaling | None:
    try:
        scaling = Scaling(description["theta"], description["alphas"])
    except (KeyError, UserError):
        return None
    if len(scaling.alphas) != layers:
        return None
    del description["theta"], description["alphas"]
    return scaling
