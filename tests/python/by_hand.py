"""Files made by hand, byte by byte, so that anything may be in them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import Any

import numpy as np
from conftest import random_network

from bs4nn_tc.model import network_file
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import Scaling, TrainedOn


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    """A .npy file with any header."""
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data


def facts(shape: str, kind: str = "|u1") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, member in members.items():
            made.writestr(name, member)
    return content.getvalue()


def members_of(network: Network, version: int = 2) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(network_file.to_bytes(network))) as made:
        members = {name: made.read(name) for name in made.namelist()}
    return members if version == 2 else {**members, "header.npy": header_member(version_1(network))}


def version_1(network: Network) -> str:
    """The header that a file of version 1 has."""
    return json.dumps(
        {
            "format": "bs4nn-network",
            "version": 1,
            "digest": network.digest,
            "sizes": list(network.sizes),
            "time_steps": network.time_steps,
            "delay": network.delay,
            "readout_step": network.readout_step,
            "intensity_max": network.input.intensity_max,
            "description": network.description,
        }
    )


def header_member(text: str) -> bytes:
    return npy(facts(f"({len(text.encode())},)"), text.encode())


def small(**changes: Any) -> Network:
    network = random_network(np.random.default_rng(7), (13, 9, 3), time_steps=5)
    return Network(
        network.layers,
        **{
            "time_steps": 5,
            "input": Input((13,), 16),
            "description": {"seed": 1},
            "class_names": ("a", "b", "c"),
            "data": TrainedOn("none", "0f" * 32, "bright"),
            "scaling": Scaling(100.0, (4.0, 9.5)),
            **changes,
        },
    )
