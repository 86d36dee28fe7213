"""Builds the C sources beside it on first use, and loads them with ctypes.

ctypes lets go of Python's lock during a call, so Python threads run the C code side by side. The
library is kept in the user's cache folder under a name made of its sources, compiler, flags and processor.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError
from bs4nn_tc.base.files import cache_folder, disk_errors

_FOLDER = Path(__file__).parent
_FLAGS = ("-O3", "-std=gnu99", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
# Tried in this order: the best for this processor, then what every compiler takes.
_MACHINE_FLAGS: tuple[tuple[str, ...], ...] = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ())


def find_compiler() -> str:
    """The C compiler: $CC, or the first of cc, gcc, clang.

    Raises:
        MissingToolError: there is none.
    """
    named = os.environ.get("CC")
    for name in (named,) if named else ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return path
    raise MissingToolError(
        f"no C compiler is installed ({named or 'cc, gcc or clang'}; needed for training); "
        "on Debian or Ubuntu: sudo apt-get install gcc libc6-dev"
    )


def _processor() -> str:
    """What -march=native looks at."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _compile(compiler: str, sources: list[Path], target: Path) -> None:
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=target.name, dir=target.parent)
        os.close(handle)
    try:
        said = ""
        for machine in _MACHINE_FLAGS:
            command = [compiler, *_FLAGS, *machine, *map(str, sources), "-o", temporary, "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                Path(temporary).replace(target)
                return
            said = done.stderr.strip() or "it said nothing"
        raise TargetError(f"{compiler} cannot compile the host library: {said.splitlines()[0]}")
    finally:
        Path(temporary).unlink(missing_ok=True)


@functools.cache
def library() -> ctypes.CDLL:
    """The host library, built if need be.

    Raises:
        MissingToolError: no C compiler.
        TargetError: the compiler refuses the sources.
    """
    compiler = find_compiler()
    files = sorted([*_FOLDER.glob("*.c"), *_FOLDER.glob("*.h")])
    key = hashlib.sha256()
    for path in files:
        key.update(path.read_bytes())
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    key.update(version + repr((_FLAGS, _MACHINE_FLAGS, compiler, _processor())).encode())
    target = cache_folder() / f"host-{key.hexdigest()[:16]}.so"
    if not target.exists():
        _compile(compiler, [path for path in files if path.suffix == ".c"], target)
    loaded = ctypes.CDLL(str(target))
    loaded.host_adam.restype = ctypes.c_int64
    loaded.host_paper_learn.restype = ctypes.c_int64
    loaded.host_s4nn_learn.restype = ctypes.c_int64
    return loaded


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """An array as the C code takes it: its first element's address."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def pointers(arrays: Sequence[NDArray[Any]]) -> Any:
    """Several arrays as the C code takes them, for instance one a layer."""
    return (ctypes.c_void_p * len(arrays))(*(pointer(array) for array in arrays))


def check_memory(status: int) -> None:
    """Take a function's status.

    Raises:
        UserError: it is negative: the C code found no memory.
    """
    if status < 0:
        raise UserError("out of memory in the host library; take a smaller network")
