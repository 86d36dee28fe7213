"""Tries a host library that has just been compiled: `python trial.py PATH`, in a process of its own.

A library that is cut short, or made for another processor, ends the process that loads or calls it. This one has
nothing to lose. What is wrong is printed in one line.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bs4nn_tc.host.structures import Adam, Moments

COUNT = 256  # several of the widest vectors


def problem(path: str) -> str | None:
    """Load the library and let it do one step of Adam; None if the outcome is right.

    Args:
        path: of the library.
    """
    try:
        loaded = ctypes.CDLL(path)
        adam = loaded.host_adam
    except (OSError, AttributeError) as error:
        return str(error)
    floats = ctypes.c_float * COUNT
    proxies, mean, square = floats(*[0.5] * COUNT), floats(), floats()
    signs = (ctypes.c_int8 * COUNT)(*[1] * COUNT)
    gradient = floats(*[1.0 if number % 2 else -1.0 for number in range(COUNT)])
    adam.restype = ctypes.c_int64
    moments = Moments(*(ctypes.addressof(array) for array in (proxies, mean, square, signs)), COUNT)
    step = Adam(1, 1, 10, 1000)
    gradients = (ctypes.c_void_p * 1)(ctypes.addressof(gradient))
    flips = adam(ctypes.byref(moments), gradients, ctypes.c_int32(1), ctypes.byref(step))
    # The first step of Adam goes by the rate, 1, against the gradient: from 0.5 to -0.5, or to the bound 1.
    expected = [-0.5 if number % 2 else 1.0 for number in range(COUNT)]
    close = all(abs(got - wanted) < 1e-3 for got, wanted in zip(proxies, expected, strict=True))
    if not close or flips != COUNT // 2 or list(signs) != [-1 if number % 2 else 1 for number in range(COUNT)]:
        return "it computes something else than one step of Adam"
    return None


if __name__ == "__main__":
    said = problem(sys.argv[1])
    if said is not None:
        sys.exit(said)
