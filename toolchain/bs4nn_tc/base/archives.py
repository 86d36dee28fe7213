"""NumPy's files, .npy and .npz, from people whom nobody should trust.

Nothing is unpickled, and nothing is unpacked before its size is known: `Archive.facts` comes from the arrays' own
headers, a few hundred bytes each, so that a caller can refuse what it does not expect before it costs anything.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError

# Members of an archive: a network of 255 layers has 766.
MAX_MEMBERS = 4096
# Bytes of one array's header; NumPy's own limit for what it parses.
_MAX_HEADER = 10_000
_NPY = ".npy"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class ArrayFacts:
    """What an array's header says of it.

    Attributes:
        shape: lengths of its axes.
        dtype: type of its elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An .npz archive that has been looked at but not unpacked."""

    def __init__(self, content: bytes) -> None:
        """Read the directory and every array's header.

        Raises:
            UserError: no archive, a damaged one, or one with members that are no plain arrays.
        """
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            members = self._zip.infolist()
            if len(members) > MAX_MEMBERS:
                raise UserError(f"an archive of {len(members):,} members; at most {MAX_MEMBERS:,} are read")
            self._members: dict[str, zipfile.ZipInfo] = {}
            self.facts: dict[str, ArrayFacts] = {}
            for member in members:
                name = member.filename.removesuffix(_NPY)
                if member.compress_type not in _METHODS:
                    raise UserError(f"its member '{member.filename}' is packed by another method than NumPy's")
                if name == member.filename or name in self._members:
                    raise UserError(f"it has a member '{member.filename}' that is no array or comes twice")
                with self._zip.open(member) as stream:
                    facts, start = _header(stream)
                if start + facts.bytes != member.file_size:
                    raise UserError(f"the array '{name}' is of another size than its header says")
                self._members[name], self.facts[name] = member, facts
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
    """The array in a .npy file.

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
        return _array(io.BytesIO(content))
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
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=_MAX_HEADER)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError("it holds Python objects or nothing, which is not read")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"an axis of impossible length, {shape}")
    return ArrayFacts(tuple(shape), dtype), stream.tell()


def _array(stream: IO[bytes]) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
