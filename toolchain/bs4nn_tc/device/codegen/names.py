"""What a network may be called, and what its C is called then."""

from __future__ import annotations

import re

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable

MAX_NAME_LENGTH = 48
# What C names and files of a network, and the C names of its parts, start with. Nothing else does, so a network may
# have any name, even "a_layers" beside "a".
_NETWORK = "bs4nn_net_"
_PART = "bs4nn_part_"
# What comes after a network's name in the C names of its functions and types: another network's name may not end so.
_ENDINGS = ("_init", "_classify", "_trace", "_after_stages", "_push", "_stream_t")


def check_name(name: str) -> str:
    """Return `name` if it can name a network: as part of `c_name(name)` it never collides with another name in C.

    Raises:
        UserError: it has other characters than small letters, digits and _, starts with none of the letters, is too
            long, or ends as functions do; with a name near it that is right.
    """
    if re.fullmatch(rf"[a-z][a-z0-9_]{{0,{MAX_NAME_LENGTH - 1}}}", name) and not name.endswith(_ENDINGS):
        return name
    near = re.sub(r"[^a-z0-9_]", "_", name.lower())
    near = re.sub(r"^(?![a-z])", "net", near)[:MAX_NAME_LENGTH]
    near = re.sub(rf"({'|'.join(_ENDINGS)})+$", "", near)
    raise UserError(
        f"the network name '{printable(name, 80)}' cannot be used in C: it takes a small letter, then small letters, "
        f"digits and _, {MAX_NAME_LENGTH} at most, and does not end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}; "
        f"name it with --name, for instance --name {near}"
    )


def name_from_file(stem: str) -> str:
    """A network's name from a file's name: capitals become small, dashes, dots and spaces underscores.

    Raises:
        UserError: the result cannot name a network.
    """
    return check_name(re.sub(r"[-. ]", "_", stem.lower()))


def c_name(name: str) -> str:
    """What the network `name` is called in C, and, with .h and .c, its files."""
    return _NETWORK + name


def part_name(name: str, part: str) -> str:
    """What a part of the network `name` is called in C, for instance "layers"; only the network's file needs it."""
    return f"{_PART}{name}_{part}"
