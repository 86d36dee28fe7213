"""Network files of version 2: layers of any kind, and fields for all that the program acts upon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bs4nn_tc.base.archives import Archive
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.formats import parts
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers import KINDS
from bs4nn_tc.model.limits import whole_number
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import Scaling, TrainedOn
from bs4nn_tc.model.stages import from_json

MINOR = 1
# Fields of `TrainedOn` that came with minor version 1; a file without them is one of 2.0, byte for byte.
_SINCE_1 = ("split", "reading")
MAX_MINOR = 65_535
_NEWER = "a newer release of bs4nn-tc may read it"


def minor_of(network: Network) -> int:
    """The lowest minor version that has everything that a network says."""
    data = network.data
    return MINOR if data is not None and any(vars(data)[name] is not None for name in _SINCE_1) else 0


def header_of(network: Network) -> dict[str, Any]:
    """What the header of a file says of a network, but for the format, its version and the digest."""
    data, scaling = network.data, network.scaling
    return {
        "time_steps": network.time_steps,
        "delay": network.delay,
        "readout_step": network.readout_step,
        "input": {**network.input.meaning, "shape": list(network.input.shape)},
        "layers": [{"kind": layer.kind, "sizes": list(layer.sizes)} for layer in network.layers],
        "class_names": list(network.class_names) or None,
        "data": None if data is None else _without_none(data),
        "scaling": None if scaling is None else {"theta": scaling.theta, "alphas": list(scaling.alphas)},
        "description": network.description,
    }


def _without_none(data: TrainedOn) -> dict[str, Any]:
    return {name: value for name, value in vars(data).items() if name not in _SINCE_1 or value is not None}


def read(header: Mapping[str, Any], archive: Archive) -> Network:
    """The network that a file of version 2 holds.

    A file of a later minor version is read, too: what that adds in its header or arrays is ignored.

    Raises:
        UserError: an impossible header, or arrays that do not fit it.
    """
    minor = whole_number("minor", header.get("minor"), 0, MAX_MINOR)
    numbers = {key: parts.field(header, key, int) for key in ("time_steps", "delay", "readout_step")}
    kinds = [_kind(one, number) for number, one in enumerate(parts.field(header, "layers", list), start=1)]
    taken = _input(parts.field(header, "input", dict))
    data, scaling = (_optional(header, key, dict) for key in ("data", "scaling"))
    names = _optional(header, "class_names", list)
    description = parts.field(header, "description", dict)
    layers, order = parts.read_layers(kinds, archive, more_arrays=minor > MINOR)
    return Network(
        layers,
        **numbers,
        input=taken,
        class_names=() if names is None else tuple(names),
        data=None if data is None else TrainedOn(*(data.get(key) for key in TrainedOn.__dataclass_fields__)),
        scaling=None if scaling is None else Scaling(scaling.get("theta"), scaling.get("alphas")),
        description=description,
        order=order,
    )


def _optional(header: Mapping[str, Any], key: str, kind: type) -> Any:
    """An entry that may be null."""
    if key in header and header[key] is None:
        return None
    return parts.field(header, key, kind)


def _kind(said: object, number: int) -> tuple[str, object]:
    """Kind and sizes of a layer."""
    if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
        raise UserError(f"{parts.DAMAGED}: its header does not say of which kind layer {number} is")
    if said["kind"] not in KINDS:
        raise UserError(
            f"layer {number} of the network file is of kind '{printable(said['kind'], 40)}', and this tool knows "
            f"{', '.join(KINDS)}; {_NEWER}"
        )
    return said["kind"], said.get("sizes")


def _input(said: Mapping[str, Any]) -> Input:
    if said.get("kind") != Input.kind:
        raise UserError(
            f"the network file's input is of kind '{printable(said.get('kind'), 40)}', and this tool knows "
            f"{Input.kind}; {_NEWER}"
        )
    stages = from_json(parts.field(said, "stages", list))
    kind = parts.field(said, "type", str) if "type" in said else "uint8"
    hop = parts.field(said, "hop", int) if "hop" in said else 0
    return Input(tuple(parts.field(said, "shape", list)), parts.field(said, "intensity_max", int), stages, kind, hop)
