"""The host library: the C sources beside this file, as `host.h` declares them."""

from __future__ import annotations

import ctypes
from pathlib import Path

from bs4nn_tc.base import compiled
from bs4nn_tc.base.errors import UserError

_FOLDER = Path(__file__).parent


def library() -> ctypes.CDLL:
    """The host library, built if need be.

    Raises:
        MissingToolError: no C compiler.
        TargetError: the compiler refuses the sources, hangs, or makes nothing that works.
        UserError: the cache folder cannot be written.
    """
    files = tuple(sorted([*_FOLDER.glob("*.c"), *_FOLDER.glob("*.h")]))
    loaded = compiled.load(compiled.Sources("host library", files, Path(__file__).with_name("trial.py")))
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
