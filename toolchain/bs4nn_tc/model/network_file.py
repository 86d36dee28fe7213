"""Network files: one versioned, checksummed file <-> one `Network`.

The file is a NumPy .npz archive, so that `numpy.load(path)` opens it anywhere, without pickle:

    header        uint8, UTF-8 JSON: format, version, digest, sizes, time_steps, delay, readout_step,
                  intensity_max, description
    signs_1 ..    (out, ceil(in / 8)) uint8, one bit a synapse, 1 = +1, least significant bit first
    thresholds_1  (1,) uint16 where all neurons share one threshold, else (out,)
    order_1 ..    (out,) uint16, only where the hidden neurons have places of their own: the neuron at each place

The digest (SHA-256, `Network.digest`) is checked on every load, and so is every size.
"""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, write_atomically
from bs4nn_tc.model.network import Layer, Network

FORMAT = "bs4nn-network"
VERSION = 1
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
        "intensity_max": network.intensity_max,
        "description": network.description,
    }
    text = json.dumps(header, indent=1, sort_keys=True, allow_nan=False).encode()
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, np.uint8)}
    for number, layer in enumerate(network.layers, start=1):
        shared = layer.shared_threshold
        arrays[f"signs_{number}"] = layer.packed_signs()
        arrays[f"thresholds_{number}"] = (layer.thresholds if shared is None else np.array([shared])).astype("<u2")
    for number, places in enumerate(network.order, start=1):
        arrays[f"order_{number}"] = places.astype("<u2")
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def save(network: Network, path: Path) -> None:
    """Write a network file, all of it or nothing.

    Raises:
        UserError: the disk is full, the folder is missing, or `path` holds something that is no
            network file.
    """
    if path.exists():
        with disk_errors(path, "read"), path.open("rb") as file:
            start = file.read(len(_ZIP_MAGIC))
        if start not in (_ZIP_MAGIC, b""):
            raise UserError(f"{path} exists and is no network file; name another output")
    write_atomically(path, to_bytes(network))


def load(path: Path) -> Network:
    """Read and check a network file.

    Raises:
        UserError: a missing, truncated, damaged or impossible file, or one of another version.
    """
    with disk_errors(path, "read"):
        content = path.read_bytes()
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
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # whatever a damaged archive makes zipfile and NumPy raise
        raise UserError(f"the network file is truncated or damaged ({error}); copy it again or make it anew") from error
    if "weights_1" in arrays:
        raise UserError("an S4NN network, whose real-valued weights run on the host only; train one of signs")
    header = _header(arrays.pop("header", None))
    network = _network(header, arrays)
    if network.digest != header["digest"]:
        raise UserError("the network file is damaged: its content does not match its digest")
    return network


def _header(raw: NDArray[Any] | None) -> dict[str, Any]:
    if raw is None or raw.dtype != np.uint8:
        raise UserError("not a network file: it has no header")
    try:
        header = json.loads(raw.tobytes())
    except ValueError as error:
        raise UserError("the network file is damaged: its header cannot be read") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError("not a network file: its header names another format")
    if header.get("version") != VERSION:
        raise UserError(
            f"the network file has version {header.get('version')}, this tool reads version {VERSION}; "
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
        if not isinstance(header.get(key), kind):
            raise UserError(f"the network file is damaged: its header has no usable '{key}'")
    if len(header["sizes"]) < 2 or not all(type(size) is int and size >= 1 for size in header["sizes"]):
        raise UserError("the network file is damaged: its sizes are impossible")
    return header


def _network(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Network:
    sizes = header["sizes"]
    expected = {f"{kind}_{number}" for number in range(1, len(sizes)) for kind in ("signs", "thresholds")}
    orders = {f"order_{number}" for number in range(1, len(sizes) - 1)}
    has_order = bool(orders & set(arrays))
    if set(arrays) != (expected | orders if has_order else expected):
        raise UserError("the network file is damaged: its arrays do not match its sizes")
    layers = []
    for number, (inputs, neurons) in enumerate(itertools.pairwise(sizes), start=1):
        packed, thresholds = arrays[f"signs_{number}"], arrays[f"thresholds_{number}"]
        if packed.dtype != np.uint8 or packed.shape != (neurons, (inputs + 7) // 8):
            raise UserError(f"the network file is damaged: the signs of layer {number} do not match its sizes")
        if thresholds.dtype != np.uint16 or thresholds.shape not in ((1,), (neurons,)):
            raise UserError(f"the network file is damaged: the thresholds of layer {number} do not match its sizes")
        bits = np.unpackbits(packed, axis=1, bitorder="little")
        if bits[:, inputs:].any():
            raise UserError(f"the network file is damaged: layer {number} has bits beyond its last input")
        signs = bits[:, :inputs].astype(np.int8) * 2 - 1
        try:
            layers.append(Layer(signs, thresholds[0] if thresholds.shape == (1,) else thresholds))
        except UserError as error:
            raise UserError(f"layer {number}: {error}") from error
    return Network(
        tuple(layers),
        time_steps=header["time_steps"],
        delay=header["delay"],
        readout_step=header["readout_step"],
        intensity_max=header["intensity_max"],
        description=header["description"],
        order=tuple(_order(arrays[f"order_{number}"]) for number in range(1, len(sizes) - 1)) if has_order else (),
    )


def _order(places: NDArray[Any]) -> NDArray[Any]:
    if places.dtype != np.uint16 or places.ndim != 1:
        raise UserError("the network file is damaged: an order is not one of whole numbers")
    return places
