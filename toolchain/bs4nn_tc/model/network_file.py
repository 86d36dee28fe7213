"""Network files: one versioned, checksummed file <-> one `Network`.

The file is a NumPy .npz archive, so that `numpy.load(path)` opens it anywhere, without pickle:

    header        uint8, UTF-8 JSON: format, version, digest, sizes, time_steps, delay, readout_step,
                  intensity_max, description
    signs_1 ..    (out, ceil(in / 8)) uint8, one bit a synapse, 1 = +1, least significant bit first
    thresholds_1  (1,) uint16 where all neurons share one threshold, else (out,)
    order_1 ..    (out,) uint16, only where the hidden neurons have places of their own: the neuron at each place

The digest (SHA-256, `Network.digest`) is checked on every load, and so is every size: nothing is unpacked that the
sizes in the header do not justify.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.archives import Archive, ArrayFacts, to_npz
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import check_target, disk_errors, read_file, write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_HEADER, check_sizes
from bs4nn_tc.model.network import Layer, Network, header_text

FORMAT = "bs4nn-network"
VERSION = 1
# The largest network's signs, thresholds and orders take 9 MB, its header 1 MB, all headers of arrays half a MB.
MAX_BYTES = 16_000_000
_ZIP_MAGIC = b"PK\x03\x04"


def to_bytes(network: Network) -> bytes:
    """The content of a network file; the same network gives the same bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "digest": network.digest,
        "sizes": list(network.sizes),
        "time_steps": network.time_steps,
        "delay": network.delay,
        "readout_step": network.readout_step,
        "intensity_max": network.input.intensity_max,
        "description": network.description,
    }
    text = header_text(header, indent=1)
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, np.uint8)}
    for number, layer in enumerate(network.layers, start=1):
        shared = layer.shared_threshold
        arrays[f"signs_{number}"] = layer.packed_signs()
        arrays[f"thresholds_{number}"] = (layer.thresholds if shared is None else np.array([shared])).astype("<u2")
    for number, places in enumerate(network.order, start=1):
        arrays[f"order_{number}"] = places.astype("<u2")
    return to_npz(arrays)


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
    content = read_file(path, MAX_BYTES)
    try:
        return from_bytes(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def from_bytes(content: bytes) -> Network:
    """The network in the content of a network file.

    Raises:
        UserError: see `load`.
    """
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
    header = _header(archive)
    _check_arrays(header["sizes"], archive.facts)
    network = _network(header, archive)
    if network.digest != header["digest"]:
        raise UserError("the network file is damaged: its content does not match its digest")
    return network


def _header(archive: Archive) -> dict[str, Any]:
    facts = archive.facts.get("header")
    if facts is None or facts.dtype != np.uint8 or len(facts.shape) != 1:
        raise UserError("not a network file: it has no header")
    if facts.bytes > MAX_HEADER:
        raise UserError(f"the network file's header has {facts.bytes:,} bytes; at most {MAX_HEADER:,} are read")
    header = plain_json.parse(archive.read("header").tobytes(), "the network file's header")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError("not a network file: its header names another format")
    if type(header.get("version")) is not int or header["version"] != VERSION:
        raise UserError(
            f"the network file has version {printable(header.get('version'), 20)}, this tool reads version {VERSION}; "
            "use the release of bs4nn-tc that wrote it, or make it anew"
        )
    wanted = {
        "digest": str,
        "sizes": list,
        "time_steps": int,
        "delay": int,
        "readout_step": int,
        "intensity_max": int,
        "description": dict,
    }
    for key, kind in wanted.items():
        value = header.get(key)
        # Truth values are ints for Python, and -1 would be the last step for `Network`.
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            raise UserError(f"the network file is damaged: its header has no usable '{key}'")
    try:
        check_sizes(header["sizes"])
    except UserError as error:
        raise UserError(f"the network file's sizes are impossible: {error}") from error
    return header


def _check_arrays(sizes: list[int], facts: dict[str, ArrayFacts]) -> None:
    """Refuse arrays that the sizes do not justify, before any of them is unpacked."""
    expected = {"header"} | {f"{kind}_{number}" for number in range(1, len(sizes)) for kind in ("signs", "thresholds")}
    orders = {f"order_{number}" for number in range(1, len(sizes) - 1)}
    if set(facts) not in (expected, expected | orders):
        raise UserError("the network file is damaged: its arrays do not match its sizes")
    for number, (inputs, neurons) in enumerate(itertools.pairwise(sizes), start=1):
        checks: list[tuple[str, type, Iterable[tuple[int, ...]]]] = [
            (f"signs_{number}", np.uint8, [(neurons, (inputs + 7) // 8)]),
            (f"thresholds_{number}", np.uint16, [(1,), (neurons,)]),
            (f"order_{number}", np.uint16, [(neurons,)]),
        ]
        for name, kind, shapes in checks:
            if name in facts and (facts[name].dtype != kind or facts[name].shape not in shapes):
                what = name.split("_", maxsplit=1)[0]
                raise UserError(f"the network file is damaged: the {what} of layer {number} do not match its sizes")


def _network(header: dict[str, Any], archive: Archive) -> Network:
    layers = []
    for number, inputs in enumerate(header["sizes"][:-1], start=1):
        thresholds = archive.read(f"thresholds_{number}")
        try:
            signs = _signs(archive.read(f"signs_{number}"), inputs)
            layers.append(Layer(signs, thresholds[0] if thresholds.shape == (1,) else thresholds))
        except UserError as error:
            raise UserError(f"layer {number}: {error}") from error
    orders = [name for name in (f"order_{number}" for number in range(1, len(layers))) if name in archive.facts]
    return Network(
        tuple(layers),
        time_steps=header["time_steps"],
        delay=header["delay"],
        readout_step=header["readout_step"],
        input=Input(intensity_max=header["intensity_max"]),
        description=header["description"],
        order=tuple(archive.read(name) for name in orders),
    )


def _signs(packed: NDArray[Any], inputs: int) -> NDArray[np.int8]:
    """(out, ceil(in / 8)) bits to (out, in) signs; the only array of that size is the result."""
    if inputs % 8 and (packed[:, -1] >> (inputs % 8)).any():
        raise UserError("it has bits beyond its last input")
    signs = np.unpackbits(packed, axis=1, count=inputs, bitorder="little").view(np.int8)
    signs *= 2
    signs -= 1
    return signs
