"""A C kernel as a shared library, called on any network without generating or compiling anything.

Built once a session with the undefined-behaviour sanitizer, which stops the program at a finding; and with the
address sanitizer where that one has been loaded before Python (see sanitized_environment).
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from conftest import require

from bs4nn_tc.base import resources
from bs4nn_tc.device import kernels
from bs4nn_tc.device.codegen import stages
from bs4nn_tc.device.kernel_library import KernelNetwork
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Stage, Values


class _Instance(ctypes.Structure):
    _fields_ = (("network", ctypes.c_void_p), ("workspace", ctypes.c_void_p))


class Trace(ctypes.Structure):
    _fields_ = (("firing_times", ctypes.c_void_p), ("readout_potentials", ctypes.c_void_p))


class Result(ctypes.Structure):
    """`bs4nn_result_t`."""

    _fields_ = (("answer", ctypes.c_uint16), ("response_time", ctypes.c_uint16), ("spikes", ctypes.c_uint32))


@functools.cache
def _library(name: str) -> ctypes.CDLL:
    target = Path(tempfile.mkdtemp(prefix="bs4nn-kernel-")) / "kernel.so"
    flags = ["-std=c99", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        flags.append("-fsanitize=address")
    include = f"-I{resources.KERNEL}"
    sources = [str(path) for path in (*kernels.KERNELS[name].sources, *kernels.STAGES) if path.suffix == ".c"]
    subprocess.run([require("gcc", "gcc"), *flags, include, *sources, "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def square_means(sample: np.ndarray, pixels: np.ndarray, shape: tuple[int, int], side: int) -> None:
    """`bs4nn_square_means` of a picture of `shape`."""
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in (sample, pixels)]
    _library("fast").bs4nn_square_means(*addresses, *map(ctypes.c_uint32, (*shape, side)))


def _guarded(count: int, dtype: np.dtype | type) -> tuple[np.ndarray, np.ndarray]:
    """Room for values at a word's address between two guards, and all of it, which `_is_guarded` looks at."""
    size = count * np.dtype(dtype).itemsize
    whole = np.full(-(-size // 4) * 4 + 8, 0xA5, np.uint8)
    return whole[4 : 4 + size].view(dtype), whole


def _is_guarded(room: np.ndarray, whole: np.ndarray) -> bool:
    return bool((whole[:4] == 0xA5).all() and (whole[4 + room.nbytes :] == 0xA5).all())


def stage(one: Stage, values: Values, sample: np.ndarray) -> np.ndarray:
    """What the C of a stage makes of a sample: beside it, and where it may, in place; it touches nothing else."""
    kind, after = stages.in_c(one), one.after(values)
    tables = [np.array(table.values, table.ctype.removesuffix("_t")) for table in kind.tables(one, values)]
    scratch = _guarded(kind.scratch_bytes(one, values), np.uint8)
    made = []
    for in_place in (False, True) if kind.in_place else (False,):
        largest = max(values.bytes, after.bytes) if in_place else after.bytes
        to, whole = _guarded(largest, np.uint8)
        source = to[: values.bytes].view(values.dtype) if in_place else _guarded(values.count, values.dtype)[0]
        source[:] = sample
        rooms = [source, to, *([scratch[0]] if scratch[0].size else []), *tables]
        addresses = [ctypes.c_void_p(room.ctypes.data) for room in rooms]
        function = getattr(_library("fast"), kind.function)
        function(*addresses, *map(ctypes.c_uint32, kind.numbers(one, values)))
        assert _is_guarded(to, whole)
        assert _is_guarded(*scratch)
        assert in_place or np.array_equal(source, sample)
        made.append(to[: after.bytes].view(after.dtype).copy())
    assert np.array_equal(made[0], made[-1])
    return made[0]


def sanitized_environment() -> dict[str, str]:
    """Environment for a Python whose C memory the address sanitizer watches."""
    library = subprocess.run(
        [require("gcc", "gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}


class Kernel:
    """A network in the C kernel, in a workspace of exactly the planned size between two guards."""

    GUARD = 0xA5A5_5A5A

    def __init__(self, network: Network, kernel: str = "fast") -> None:
        self.network = network
        self._library = _library(kernel)
        self._network = KernelNetwork(network)
        self._memory = np.full(self._network.workspace_words + 2, self.GUARD, np.uint32)
        self._instance = _Instance()
        workspace = self._memory[1:-1]
        status = self._library.bs4nn_init(
            ctypes.byref(self._instance),
            ctypes.byref(self._network.struct),
            ctypes.c_void_p(workspace.ctypes.data),
            ctypes.c_size_t(workspace.nbytes),
        )
        assert status == 0, status

    def classify(self, image: np.ndarray) -> Result:
        """Early exit."""
        result = Result()
        answer = self._library.bs4nn_classify(
            ctypes.byref(self._instance), ctypes.c_void_p(image.ctypes.data), ctypes.byref(result)
        )
        assert answer == result.answer
        self._check_guards()
        return result

    def trace(self, image: np.ndarray) -> tuple[Result, list[list[int]], list[int]]:
        """To the last step: result, firing times by layer, readout potentials."""
        sizes = [layer.neurons for layer in self.network.layers]
        times = np.full(sum(sizes) + 1, 0xABCD, np.uint16)
        potentials = np.full(sizes[-1] + 1, 0x5555, np.int32)
        result = Result()
        to = Trace(times.ctypes.data, potentials.ctypes.data)
        answer = self._library.bs4nn_trace(
            ctypes.byref(self._instance), ctypes.c_void_p(image.ctypes.data), ctypes.byref(to), ctypes.byref(result)
        )
        assert answer == result.answer
        assert times[-1] == 0xABCD
        assert potentials[-1] == 0x5555
        self._check_guards()
        by_layer = [part.tolist() for part in np.split(self.network.from_places(times[:-1]), np.cumsum(sizes)[:-1])]
        return result, by_layer, potentials[:-1].tolist()

    def _check_guards(self) -> None:
        assert self._memory[0] == self._memory[-1] == self.GUARD
