"""The host library: the C sources beside this file, as `host.h` declares them."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from bs4nn_tc.base import compiled
from bs4nn_tc.base.errors import UserError

_FOLDER = Path(__file__).parent


@functools.cache
def _files(folder: Path) -> tuple[Path, ...]:
    """Its sources; looked for once, for `library` is called for every few images."""
    return tuple(sorted([*folder.glob("*.c"), *folder.glob("*.h")]))


def library() -> ctypes.CDLL:
    """The host library, built if need be.

    Raises:
        MissingToolError: no C compiler.
        TargetError: the compiler refuses the sources, hangs, or makes nothing that works.
        UserError: the cache folder cannot be written.
    """
    loaded = compiled.load(compiled.Sources("host library", _files(_FOLDER), Path(__file__).with_name("trial.py")))
    loaded.host_adam.restype = ctypes.c_int64
    loaded.host_paper_learn.restype = ctypes.c_int64
    loaded.host_s4nn_learn.restype = ctypes.c_int64
    return loaded


def check_memory(status: int) -> None:
    """Take a function's status.

    Raises:
        UserError: it is negative: the C code found no memory.
    """
    if status < 0:
        raise UserError("out of memory in the host library; take a smaller network")
