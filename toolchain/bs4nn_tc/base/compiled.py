"""C for this computer: sources become a shared library on first use, and ctypes calls it.

ctypes lets go of Python's lock during a call, so Python threads run the C code side by side. A library is kept in
the user's cache folder. Its name is made of its sources, compiler, flags and processor, and of the SHA-256 of what the
file holds: one that has been cut short or damaged since is not loaded (it would end this process) but built anew.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from bs4nn_tc.base import tools
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.base.files import cache_folder, disk_errors
from bs4nn_tc.base.text import printable

_FLAGS = ("-O3", "-std=gnu99", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
# Tried in this order: the best for this processor, then what every compiler takes.
_MACHINE_FLAGS: tuple[tuple[str, ...], ...] = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ())
# A compiler takes some seconds, on a small board a minute; one that has not ended by then never will.
_COMPILE_SECONDS, _ASK_SECONDS = 150.0, 20.0
# What a compiler left here that was killed so long ago is removed by the next.
_LITTER_SECONDS = 3600.0
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Sources:
    """What a library is made of.

    Attributes:
        name: for people, for instance "host library"; its first word begins the names of files.
        files: C sources and headers.
        trial: a Python program that is given the path of a new library, lets it compute something, and ends with one
            line if the outcome is wrong. It runs in a process of its own, which a bad library may end.
    """

    name: str
    files: tuple[Path, ...]
    trial: Path

    @property
    def prefix(self) -> str:
        """Of its files in the cache."""
        return f"{self.name.split()[0]}-"


def _processor() -> str:
    """What -march=native looks at."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _run(command: list[str], seconds: float) -> tuple[int, str]:
    """Run a program that may hang, with all that it starts; returns its status and what it said.

    Raises:
        TargetError: it cannot be started, or has not ended in time.
    """
    try:
        # In a session of its own, so that what it has started can be ended with it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise TargetError(f"cannot start {command[0]}: {error.strerror}") from error
    with process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TargetError(
                    f"{command[0]} has not ended after {seconds:.0f} seconds; name another C compiler with CC="
                ) from error
            raise
    return process.returncode, said.decode(errors="replace")


def _complaint(said: str) -> str:
    """The line of a compiler's output that says most: its first error, or its first line."""
    # That the linker has failed is all that collect2 knows; the linker has said why.
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("collect2: ")]
    errors = [line for line in lines if "error" in line.lower()]
    return printable([*errors, *lines, "it said nothing"][0], 300)


def _check_whole(path: Path, compiler: str, name: str) -> None:
    """Refuse a library that ends early: on a full disk, compilers may leave one and say that all went well.

    Raises:
        TargetError: it is not there, or shorter than it says itself.
    """
    if not path.exists():
        raise TargetError(f"{compiler} left no {name} in {path.parent}, and said nothing of an error")
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return  # of another system: loading it has to tell
        file.seek(0)
        try:
            found = ELFFile(file)
            end = found["e_shoff"] + found["e_shnum"] * found["e_shentsize"]  # what linkers write last
        except (ELFError, ValueError):
            end = math.inf
    if path.stat().st_size < end:
        raise TargetError(
            f"{compiler} wrote only a part of the {name} to {path.parent} ({path.stat().st_size:,} bytes), and "
            "said nothing; is there room on that disk?"
        )


def _try(path: Path, compiler: str, sources: Sources) -> bool:
    """Load and call a new library in a process of its own; False if it is for another processor than this one.

    Raises:
        TargetError: it does not load, or computes something wrong.
    """
    status, said = _run([sys.executable, "-I", str(sources.trial), str(path)], _COMPILE_SECONDS)
    if status == 0:
        return True
    if status == -signal.SIGILL:
        return False
    why = _complaint(said) if status > 0 else f"signal {-status}"
    raise TargetError(
        f"{compiler} made no {sources.name} that works ({why.replace(str(path), 'it')}); name another C compiler with "
        f"CC=, or, if programs may not run from {path.parent}, another folder with XDG_CACHE_HOME="
    )


def _compile(compiler: list[str], sources: Sources, folder: Path, name: str) -> Path:
    """Compile, try, and put into the cache under a name with its checksum; returns the path."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".{sources.prefix}*"):
            if time.time() - left.stat().st_mtime > _LITTER_SECONDS:
                left.unlink()
        handle, made = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        os.close(handle)
    temporary = Path(made)
    code = [str(path) for path in sources.files if path.suffix == ".c"]
    # Headers are found beside any of the sources.
    include = [f"-I{one}" for one in sorted({str(path.parent) for path in sources.files})]
    said = ""
    try:
        for machine in _MACHINE_FLAGS:
            command = [*compiler, *_FLAGS, *machine, *include, *code, "-o", made, "-lm"]
            status, said = _run(command, _COMPILE_SECONDS)
            if status != 0:
                continue
            with disk_errors(folder):
                _check_whole(temporary, compiler[0], sources.name)
                if not _try(temporary, compiler[0], sources):
                    said = "what it makes is for another processor"
                    continue
                with temporary.open("rb+") as file:
                    target = folder / f"{name}-{_checksum(file.read())}.so"
                    os.fsync(file.fileno())
                temporary.replace(target)
            return target
        raise TargetError(f"{compiler[0]} cannot compile the {sources.name}: {_complaint(said)}")
    finally:
        temporary.unlink(missing_ok=True)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _kept(folder: Path, name: str) -> Path | None:
    """The library of that name in the cache, if it is there and whole."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        try:
            if path.stem == f"{name}-{_checksum(path.read_bytes())}":
                return path
        except OSError:  # unreadable: as good as not there
            continue
    return None


def load(sources: Sources) -> ctypes.CDLL:
    """The library of these sources, built if need be.

    Raises:
        MissingToolError: no C compiler.
        TargetError: the compiler refuses the sources, hangs, or makes nothing that works.
        UserError: the cache folder cannot be written.
    """
    with _LOCK:  # two threads would both compile
        return _load(sources)


@functools.cache
def _load(sources: Sources) -> ctypes.CDLL:
    compiler = tools.require(tools.HOST_COMPILER)
    key = hashlib.sha256()
    for path in sources.files:
        key.update(path.read_bytes())
    _, version = _run([*compiler, "--version"], _ASK_SECONDS)
    key.update(version.encode() + repr((_FLAGS, _MACHINE_FLAGS, compiler, _processor())).encode())
    folder, name = cache_folder(), f"{sources.prefix}{key.hexdigest()[:16]}"
    path = _kept(folder, name) or _compile(compiler, sources, folder, name)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise TargetError(
            f"cannot load the {sources.name}: {printable(error)}; if programs may not run from there, name another "
            "folder with XDG_CACHE_HOME="
        ) from error


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    """An array as the C code takes it: its first element's address."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def pointers(arrays: Sequence[NDArray[Any]]) -> Any:
    """Several arrays as the C code takes them, for instance one a layer."""
    return (ctypes.c_void_p * len(arrays))(*(pointer(array) for array in arrays))


def in_threads(work: Callable[[slice], int], count: int, threads: int | None = None) -> int:
    """Let C code `work` on `count` images in parts, one a thread, on all processors or so many `threads`.

    Returns:
        The lowest of what it returned, which is where C code puts errors; 0 without images.
    """
    workers = max(1, min(threads or os.cpu_count() or 1, count))
    if workers == 1:
        return work(slice(0, count))
    bounds = np.linspace(0, count, workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        return min(pool.map(work, map(slice, bounds[:-1], bounds[1:])))
