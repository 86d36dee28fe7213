"""Network files: one versioned, checksummed file <-> one `Network`.

The file is a NumPy .npz archive, so that `numpy.load(path)` opens it anywhere, without pickle:

    header        uint8, UTF-8 JSON: format, version, minor, digest, and what `formats.v2` lists
    signs_1 ..    what the kind of each layer says (`model.layers`), for a dense one (out, ceil(in / 8)) uint8,
                  one bit a synapse, 1 = +1, least significant bit first,
    thresholds_1  and (1,) uint16 where all neurons share one threshold, else (out,)
    order_1 ..    (neurons,) uint16, only where the hidden neurons have places of their own: the neuron at each place

Written is version 2; version 1 is read for ever, with the digest that it had.
The digest (SHA-256, `Network.digest`) is checked on every load, and so is every size: nothing is unpacked that the
sizes in the header do not justify.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.archives import Archive, to_npz
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import check_target, disk_errors, read_file, write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.formats import parts, v1, v2
from bs4nn_tc.model.limits import MAX_HEADER
from bs4nn_tc.model.network import Network, header_text

FORMAT = "bs4nn-network"
VERSION = 2
READERS: dict[int, Callable[[Mapping[str, Any], Archive], Network]] = {1: v1.read, 2: v2.read}
# The largest network's signs, thresholds and orders take 9 MB, its header 1 MB, all headers of arrays half a MB.
MAX_BYTES = 16_000_000
_ZIP_MAGIC = b"PK\x03\x04"


def to_bytes(network: Network) -> bytes:
    """The content of a network file; the same network gives the same bytes."""
    version = {"format": FORMAT, "version": VERSION, "minor": v2.minor_of(network), "digest": network.digest}
    header = version | v2.header_of(network)
    text = header_text(header, indent=1)
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, np.uint8)}
    return to_npz(arrays | parts.arrays_of(network))


def save(network: Network, path: Path) -> None:
    """Write a network file, all of it or nothing.

    Raises:
        UserError: the disk is full, the folder is missing, or `path` holds something that is no
            network file.
    """
    check_output(path)
    write_atomically(path, to_bytes(network))


def check_output(path: Path) -> None:
    """Refuse what `save` will refuse, before hours are spent on the network.

    Raises:
        UserError: `path` cannot be written, or holds something that is no network file.
    """
    check_target(path)
    if path.exists():
        with disk_errors(path, "read"), path.open("rb") as file:
            start = file.read(len(_ZIP_MAGIC))
        if start not in (_ZIP_MAGIC, b""):
            raise UserError(f"{path} exists and is no network file; name another output")


def load(path: Path) -> Network:
    """Read and check a network file.

    Raises:
        UserError: a missing, truncated, damaged or impossible file, or one of another version.
    """
    return load_with_version(path)[0]


def load_with_version(path: Path) -> tuple[Network, int]:
    """The same, and the major version of the file.

    Raises:
        UserError: see `load`.
    """
    content = read_file(path, MAX_BYTES)
    try:
        header, archive = _open(content)
        return _network(header, archive), header["version"]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def from_bytes(content: bytes) -> Network:
    """The network in the content of a network file.

    Raises:
        UserError: see `load`.
    """
    return _network(*_open(content))


def _network(header: dict[str, Any], archive: Archive) -> Network:
    network = READERS[header["version"]](header, archive)
    if network.digest != header["digest"]:
        raise UserError("the network file is damaged: its content does not match its digest")
    return network


def _open(content: bytes) -> tuple[dict[str, Any], Archive]:
    """The header of a file, of a version that is known, and all of it with nothing else unpacked."""
    if not content.startswith(_ZIP_MAGIC):
        raise UserError("not a network file (it does not start as an .npz archive does)")
    if len(content) > MAX_BYTES:
        raise UserError(f"{len(content):,} bytes; a network file has at most {MAX_BYTES:,}")
    try:
        archive = Archive(content)
    except UserError as error:
        raise UserError(f"the network file is damaged: {error}; copy it again or make it anew") from error
    if "weights_1" in archive.facts:
        raise UserError("an S4NN network, whose real-valued weights run on the host only; train one of signs")
    return _header(archive), archive


def _header(archive: Archive) -> dict[str, Any]:
    facts = archive.facts.get("header")
    if facts is None or facts.dtype != np.uint8 or len(facts.shape) != 1:
        raise UserError("not a network file: it has no header")
    if facts.bytes > MAX_HEADER:
        raise UserError(f"the network file's header has {facts.bytes:,} bytes; at most {MAX_HEADER:,} are read")
    header = plain_json.parse(archive.read("header").tobytes(), "the network file's header")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError("not a network file: its header names another format")
    if type(header.get("version")) is not int or header["version"] not in READERS:
        raise UserError(
            f"the network file has version {printable(header.get('version'), 20)}, this tool reads versions "
            f"{' and '.join(map(str, READERS))}; use the release of bs4nn-tc that wrote it, or make it anew"
        )
    parts.field(header, "digest", str)
    return header
