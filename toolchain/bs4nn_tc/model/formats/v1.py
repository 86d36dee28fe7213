"""Network files of version 1: dense layers only, one list of sizes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from bs4nn_tc.base.archives import Archive
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.formats import parts
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import check_sizes
from bs4nn_tc.model.network import Network


def read(header: Mapping[str, Any], archive: Archive) -> Network:
    """The network that a file of version 1 holds.

    Raises:
        UserError: an impossible header, or arrays that do not fit it.
    """
    sizes = parts.field(header, "sizes", list)
    try:
        check_sizes(sizes)
    except UserError as error:
        raise UserError(f"the network file's sizes are impossible: {error}") from error
    numbers = {key: parts.field(header, key, int) for key in ("time_steps", "delay", "readout_step", "intensity_max")}
    description = parts.field(header, "description", dict)
    layers, order = parts.read_layers([("dense", pair) for pair in itertools.pairwise(sizes)], archive)
    return Network(
        layers,
        time_steps=numbers["time_steps"],
        delay=numbers["delay"],
        readout_step=numbers["readout_step"],
        input=Input(intensity_max=numbers["intensity_max"]),
        description=description,
        order=order,
    )
