"""Network files: what goes in comes out, and nothing damaged comes in."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Tool, networks, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn

pytestmark = pytest.mark.bounds


def small() -> Network:
    network = random_network(np.random.default_rng(7), (13, 9, 3), time_steps=5)
    return Network(network.layers, 5, 1, 3, Input((13,), 16), {"seed": 1}, data=TrainedOn("none"))


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
    for field in ("time_steps", "delay", "readout_step", "input", "description", "class_names", "data", "scaling"):
        assert getattr(back, field) == getattr(network, field)


def test_digest_is_what_spec_says() -> None:
    """Computed here by hand from SPEC.md, so that it can never change unnoticed."""
    network = Network((Dense([[1, -1, 1], [-1, -1, 1]], [2, 300]),), 4, 0, 3)
    numbers = b'{"delay":0,"intensity_max":255,"readout_step":3,"sizes":[3,2],"time_steps":4}'
    assert network.digest == hashlib.sha256(numbers + bytes([0b101, 0b100]) + b"\x02\x00\x2c\x01").hexdigest()


def test_opens_with_numpy_alone() -> None:
    with np.load(io.BytesIO(network_file.to_bytes(small())), allow_pickle=False) as archive:
        assert set(archive.files) == {"header", "signs_1", "thresholds_1", "signs_2", "thresholds_2"}
        assert json.loads(archive["header"].tobytes())["layers"] == [
            {"kind": "dense", "sizes": [13, 9]},
            {"kind": "dense", "sizes": [9, 3]},
        ]


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


def dense(*sizes: int) -> list[dict[str, object]]:
    """What a header says of dense layers."""
    return [{"kind": "dense", "sizes": list(pair)} for pair in itertools.pairwise(sizes)]


def rewritten(more: dict[str, np.ndarray] | None = None, **changes: object) -> bytes:
    """A file whose header says something else, and that may hold more arrays."""
    with np.load(io.BytesIO(network_file.to_bytes(small()))) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = {**json.loads(arrays.pop("header").tobytes()), **changes}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays, **(more or {}))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, "version 3, this tool reads versions 1 and 2"),
        ({"format": "other"}, "another format"),
        ({"layers": [[13, 9]]}, "of which kind layer 1 is"),
        ({"layers": dense(13, 9)}, "3 names|arrays|classes"),
        ({"layers": dense(13, 9, 4)}, "sizes"),
        ({"layers": dense(12, 9, 3)}, "beyond its last input|12"),
        ({"layers": "many"}, "layers"),
        ({"input": {"kind": "ramp", "shape": [12], "intensity_max": 16, "stages": []}}, "layer 1 takes 13"),
        ({"input": {"kind": "ramp", "shape": [], "intensity_max": 0, "stages": []}}, "intensity_max"),
        ({"time_steps": 0}, "time_steps"),
        ({"time_steps": 70_000}, "time_steps"),
        ({"delay": 2}, "delay"),
        ({"readout_step": 5}, "readout_step"),
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


def test_a_later_minor_version_is_read_and_what_it_adds_ignored() -> None:
    """Fields in its header and arrays; the same fields and arrays in a file of this version: fields only."""
    added = {
        "colour": {"deep": [1]},
        "input": {"kind": "ramp", "shape": [13], "intensity_max": 16, "stages": [], "x": 1},
    }
    assert network_file.from_bytes(rewritten(minor=7, **added)).digest == small().digest
    assert network_file.from_bytes(rewritten(**added)).digest == small().digest
    more = {"more_1": np.zeros(5, "f8")}
    assert network_file.from_bytes(rewritten(more, minor=7)).digest == small().digest
    with pytest.raises(UserError, match="arrays do not match"):
        network_file.from_bytes(rewritten(more))


GOLDEN = ROOT / "tests" / "golden"


def test_files_of_version_1_stay_readable() -> None:
    """Frozen when version 1 was made."""
    for name, digest in json.loads((GOLDEN / "digests.json").read_text()).items():
        assert network_file.load_with_version(GOLDEN / f"{name}.bs4nn")[1] == 1
        assert network_file.load(GOLDEN / f"{name}.bs4nn").digest == digest


def test_files_of_version_2_are_written_as_they_were() -> None:
    """Frozen when version 2 was made: a change that breaks them needs a new version."""
    for name, digest in json.loads((GOLDEN / "digests.json").read_text()).items():
        path = GOLDEN / f"{name}-2.bs4nn"
        network = network_file.load(path)
        assert network.digest == digest
        assert network_file.to_bytes(network) == path.read_bytes()


def images_for(network: Network) -> np.ndarray:
    """20 images by a formula that needs no generator of random numbers, most pixels of them black, the last but few."""
    index, pixel = np.ogrid[:20, : network.inputs]
    shades = (pixel * 37 + index * 101) ^ (pixel >> 3)
    images = shades % (network.input.intensity_max + 1)
    return np.where((pixel * 13 + index * 7) % 19 < index, images, 0).astype(np.uint8)


def test_published_networks_are_what_they_were() -> None:
    """Digests, answers and firing times, frozen before there was a version 2; and the same as files of version 2."""
    paths = sorted((ROOT / "networks").glob("*.bs4nn"))
    frozen = json.loads((GOLDEN / "published.json").read_text())
    assert {path.stem for path in paths} == set(frozen)
    for path in paths:
        network = network_file.load(path)
        result = reference.run(network, images_for(network))
        firing_times = hashlib.sha256(b"".join(times.astype("<i4").tobytes() for times in result.firing_times))
        assert frozen[path.stem] == {
            "digest": network.digest,
            "answers": result.answer.tolist(),
            "firing_times": firing_times.hexdigest(),
        }
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["digest"] == network.digest
        assert network_file.from_bytes(network_file.to_bytes(network)).digest == network.digest


@pytest.mark.parametrize("arguments", [("-o", "new.bs4nn"), ("--in-place",)])
def test_upgrade_fills_in_what_the_description_says(arguments: tuple[str, ...], tmp_path: Path, tool: Tool) -> None:
    old, new = tmp_path / "old.bs4nn", tmp_path / "new.bs4nn"
    shutil.copy(ROOT / "networks" / "mnist-64-best.bs4nn", old)
    before = network_file.load(old)
    given = [str(new) if word == new.name else word for word in arguments]
    status, said, _ = tool("upgrade", old, *given, "--json")
    assert status == 0
    told = json.loads(said)
    assert (told["from_version"], told["version"], told["digest"]) == (1, 2, before.digest)
    assert told["filled_in"]["data set"] == "mnist, all images"
    written = old if arguments == ("--in-place",) else new
    network, version = network_file.load_with_version(written)
    assert (version, network.digest) == (2, before.digest)
    assert network.data == TrainedOn("mnist", all_images=True)
    assert network.input == Input((28, 28), 255)
    assert network.class_names == tuple("0123456789")
    assert "dataset" not in network.description
    assert network.description["recipe"] == "best"
    assert network_file.load_with_version(old)[1] == (2 if written == old else 1)
    status, said, _ = tool("upgrade", written, "--in-place", "--json")
    assert (status, json.loads(said)["filled_in"]) == (0, {})


def test_upgrade_asks_where_to_write(tool: Tool, tmp_path: Path) -> None:
    path = ROOT / "networks" / "mnist-64-best.bs4nn"
    for arguments in ((), ("-o", tmp_path / "new.bs4nn", "--in-place")):
        status, _, said = tool("upgrade", path, *arguments)
        assert status == 2
        assert "-o" in said
        assert "--in-place" in said
    assert not list(tmp_path.iterdir())
