"""Network files: what goes in comes out, and nothing damaged comes in."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, networks, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model import network_file
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

pytestmark = pytest.mark.bounds


def small() -> Network:
    network = random_network(np.random.default_rng(7), (13, 9, 3), time_steps=5)
    return Network(network.layers, 5, 1, 3, Input(intensity_max=16), {"dataset": "none", "seed": 1})


@settings(max_examples=50, deadline=None)
@given(networks())
def test_round_trip(network: Network) -> None:
    content = network_file.to_bytes(network)
    back = network_file.from_bytes(content)
    assert back.digest == network.digest
    assert network_file.to_bytes(back) == content
    for before, after in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(before.signs, after.signs)
        assert np.array_equal(before.thresholds, after.thresholds)
    for field in ("time_steps", "delay", "readout_step", "input", "description"):
        assert getattr(back, field) == getattr(network, field)


def test_digest_is_what_spec_says() -> None:
    """Computed here by hand from SPEC.md, so that it can never change unnoticed."""
    network = Network((Dense([[1, -1, 1], [-1, -1, 1]], [2, 300]),), 4, 0, 3)
    numbers = b'{"delay":0,"intensity_max":255,"readout_step":3,"sizes":[3,2],"time_steps":4}'
    assert network.digest == hashlib.sha256(numbers + bytes([0b101, 0b100]) + b"\x02\x00\x2c\x01").hexdigest()


def test_opens_with_numpy_alone() -> None:
    with np.load(io.BytesIO(network_file.to_bytes(small())), allow_pickle=False) as archive:
        assert set(archive.files) == {"header", "signs_1", "thresholds_1", "signs_2", "thresholds_2"}
        assert json.loads(archive["header"].tobytes())["sizes"] == [13, 9, 3]


def test_every_truncation_is_refused() -> None:
    content = network_file.to_bytes(small())
    for length in range(len(content)):
        with pytest.raises(UserError):
            network_file.from_bytes(content[:length])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    network = small()
    content = bytearray(network_file.to_bytes(network))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        back = network_file.from_bytes(bytes(content))
    except UserError:
        return
    assert network_file.to_bytes(back) == network_file.to_bytes(network)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", pickle.dumps({"weights": [1, 2]}), b"\x93NUMPY junk", b"x" * 1000],
    ids=["empty", "magic only", "pickle", "npy", "junk"],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.bs4nn"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"net\.bs4nn"):
        network_file.load(path)


def test_pickled_arrays_inside_are_refused() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array([{"format": "bs4nn-network"}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError):
        network_file.from_bytes(buffer.getvalue())


def rewritten(**changes: object) -> bytes:
    """A file whose header says something else."""
    with np.load(io.BytesIO(network_file.to_bytes(small()))) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = {**json.loads(arrays.pop("header").tobytes()), **changes}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "another format"),
        ({"sizes": [13, 9]}, "sizes"),
        ({"sizes": [13, 9, 4]}, "sizes"),
        ({"sizes": [12, 9, 3]}, "beyond its last input|digest"),
        ({"sizes": "many"}, "sizes"),
        ({"time_steps": 0}, "time_steps"),
        ({"time_steps": 70_000}, "time_steps"),
        ({"delay": 2}, "delay"),
        ({"readout_step": 5}, "readout_step"),
        ({"intensity_max": 0}, "intensity_max"),
        ({"time_steps": 6}, "digest"),
        ({"digest": None}, "digest"),
    ],
)
def test_impossible_content_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        network_file.from_bytes(rewritten(**changes))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.bs4nn"
    network_file.save(small(), path)
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="no space left"):
        network_file.save(random_network(np.random.default_rng(1), (4, 2)), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.bs4nn"]


def test_something_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "W0.npy"
    np.save(path, np.ones((2, 2)))
    before = path.read_bytes()
    with pytest.raises(UserError, match="no network file"):
        network_file.save(small(), path)
    assert path.read_bytes() == before


def test_files_of_version_1_stay_readable() -> None:
    """Frozen when version 1 was made: a change that breaks them needs a new version."""
    for name, digest in json.loads((ROOT / "tests" / "golden" / "digests.json").read_text()).items():
        assert network_file.load(ROOT / "tests" / "golden" / f"{name}.bs4nn").digest == digest
