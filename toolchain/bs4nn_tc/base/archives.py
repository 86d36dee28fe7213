"""NumPy's files, .npy and .npz, from people whom nobody should trust.

Nothing is unpickled, and nothing is unpacked before its size is known: `Archive.facts` comes from the arrays' own
headers, a few hundred bytes each, so that a caller can refuse what it does not expect before it costs anything.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable

# Members of an archive: a network of 255 layers has 766, the checkpoint of one some more.
MAX_MEMBERS = 4096
# Bytes of one array's header: NumPy writes about 120 for an array of plain numbers, and parses longer ones slowly.
_MAX_HEADER = 1000
_NPY = ".npy"
# How every member's entry in an archive's directory begins.
_ENTRY = b"PK\x01\x02"
# What NumPy before 2.2 makes of the option of that name: one more array, a single truth value.
_OPTION = "allow_pickle"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class ArrayFacts:
    """What an array's header says of it.

    Attributes:
        shape: lengths of its axes.
        dtype: type of its elements.
        by_columns: the first axis varies fastest (Fortran's order).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An .npz archive that has been looked at but not unpacked.

    Attributes:
        facts: what each array's header says, by the array's name.
    """

    def __init__(self, content: bytes) -> None:
        """Read the directory and every array's header.

        The array `allow_pickle` that `numpy.savez(..., allow_pickle=False)` of NumPy before 2.2 adds is left out.

        Raises:
            UserError: no archive, a damaged one, or one with members that are no plain arrays.
        """
        entries = content.count(_ENTRY)  # before zipfile makes an object of each
        if entries > MAX_MEMBERS:
            raise UserError(f"an archive of {entries:,} members; at most {MAX_MEMBERS:,} are read")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            members = self._zip.infolist()
            self._members: dict[str, zipfile.ZipInfo] = {}
            self.facts: dict[str, ArrayFacts] = {}
            for member in members:
                name = member.filename.removesuffix(_NPY)
                shown = printable(member.filename, 60)
                if member.compress_type not in _METHODS:
                    raise UserError(f"its member '{shown}' is packed by another method than NumPy's")
                if name == member.filename or name in self._members:
                    raise UserError(f"it has a member '{shown}' that is no array or comes twice")
                try:
                    with self._zip.open(member) as stream:
                        facts, start = _header(stream)
                except UserError as error:
                    raise UserError(f"the array '{printable(name, 60)}': {error}") from error
                if start + facts.bytes != member.file_size:
                    raise UserError(f"the array '{printable(name, 60)}' is of another size than its header says")
                self._members[name], self.facts[name] = member, facts
            if self.facts.get(_OPTION) == ArrayFacts((), np.dtype(bool)):
                del self._members[_OPTION], self.facts[_OPTION]
        except UserError:
            raise
        except Exception as error:  # whatever a damaged archive makes zipfile, zlib and NumPy raise
            raise UserError(f"it is truncated or damaged ({_first_line(error)})") from error

    def read(self, name: str) -> NDArray[Any]:
        """One array, unpacked: as many bytes as `facts` said, no more.

        Raises:
            UserError: the archive has no such array, or it is damaged.
        """
        if name not in self._members:
            raise UserError(f"it has no array '{name}'")
        try:
            with self._zip.open(self._members[name]) as stream:
                return _array(stream)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"its array '{name}' is damaged ({_first_line(error)})") from error


def read_npy(content: bytes, max_bytes: int) -> NDArray[Any]:
    """The array in a .npy file, read-only: a view of its bytes, so that a large one is in memory once.

    Args:
        content: of the file.
        max_bytes: refused if the array has more.

    Raises:
        UserError: no .npy file, a damaged or larger one, or one of Python objects.
    """
    try:
        facts, start = _header(io.BytesIO(content))
        if facts.bytes > max_bytes:
            raise UserError(f"an array of {facts.bytes:,} bytes; at most {max_bytes:,} are read")
        if start + facts.bytes > len(content):
            raise UserError("it is cut short: its header says more than there is")
        elements = np.frombuffer(content, facts.dtype, math.prod(facts.shape), start)
        return elements.reshape(facts.shape, order="F" if facts.by_columns else "C")
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"no plain NumPy array file ({_first_line(error)})") from error


def to_npz(arrays: Mapping[str, NDArray[Any]], compressed: bool = False) -> bytes:
    """The content of an .npz archive, with the same bytes from every version of NumPy.

    Written member by member, for `numpy.savez(..., allow_pickle=False)` of NumPy before 2.2 takes the option for one
    more array. The dates in it are those of `numpy.savez`: 1980.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}{_NPY}")
            member.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)
    return content.getvalue()


def _header(stream: IO[bytes]) -> tuple[ArrayFacts, int]:
    """What a .npy file says of its array, and at which byte the elements begin."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of NumPy's format")
    width = 2 if version == (1, 0) else 4
    length = stream.read(width)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER:  # NumPy reads all of it before it looks
        raise ValueError(f"a header of {size:,} bytes; at most {_MAX_HEADER:,} are read")
    text = io.BytesIO(length + stream.read(size))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files of Python 2 (10L) are read, and need no advice
        shape, by_columns, dtype = read(text, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise UserError("it holds Python objects, which are never unpickled; save it with numbers or texts alone")
    if dtype.itemsize == 0:
        raise ValueError("it holds elements of no length")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"an axis of impossible length, {shape}")
    return ArrayFacts(tuple(shape), dtype, by_columns), np.lib.format.MAGIC_LEN + width + size


def _array(stream: IO[bytes]) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _first_line(error: Exception) -> str:
    return printable((str(error).splitlines() or [type(error).__name__])[0], 120)
