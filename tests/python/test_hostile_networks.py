"""Network files that nobody should trust: read, or refused in one line before they cost time or memory."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_hand import archive, facts, members_of, npy, small
from conftest import ROOT, Tool

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model import described, network_file
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.limits import MAX_HEADER, MAX_SYNAPSES, check_sizes
from bs4nn_tc.model.network import Network
from bs4nn_tc.training.options import check_sizes as check_hidden

pytestmark = pytest.mark.bounds


def with_header(text: str | Callable[[str], str]) -> bytes:
    """A small network's file whose header is this text, or the old one changed."""
    members = members_of(small())
    if not isinstance(text, str):
        text = text(bytes(np.lib.format.read_array(io.BytesIO(members["header.npy"]))).decode())
    members["header.npy"] = npy(facts(f"({len(text.encode())},)"), text.encode())
    return archive(members)


def with_entry(key: str, value: str) -> bytes:
    """The same with one entry of the header replaced by a JSON text."""
    changed = {**json.loads(with_header_text()), key: "REPLACED"}
    return with_header(json.dumps(changed).replace('"REPLACED"', value))


def with_header_text() -> str:
    return bytes(np.lib.format.read_array(io.BytesIO(members_of(small())["header.npy"]))).decode()


def refused(content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        network_file.from_bytes(content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# --- network files: the archive


def test_a_file_made_here_is_read() -> None:
    """So that the others are refused for what is wrong with them."""
    assert network_file.from_bytes(with_header(lambda text: text)).digest == small().digest


@pytest.mark.parametrize("member", [b"", b"garbage", npy(facts("(3,)"))[:20], npy("{}"), npy("("), npy(facts("(-3,)"))])
@pytest.mark.parametrize("name", ["header.npy", "signs_1.npy", "more.npy", "readme.txt"])
def test_a_member_that_is_no_array(name: str, member: bytes) -> None:
    refused(archive({**members_of(small()), name: member}), "damaged")


def test_what_unpacks_to_far_more_than_the_header_says_is_not_unpacked() -> None:
    """16 MB of zeros in 16 kB: once as elements, once as the header of an array, once as the file's header."""
    zeros = bytes(16_000_000)
    elements = {"signs_1.npy": npy(facts("(4000, 4000)"), zeros)}
    long_header = {"signs_1.npy": b"\x93NUMPY\2\0" + struct.pack("<I", len(zeros)) + zeros}
    header = {"header.npy": npy(facts("(16000000,)"), zeros)}
    for members, words in ((elements, "signs of layer 1"), (long_header, "a header of 16,000,000"), (header, "header")):
        content = archive({**members_of(small()), **members})
        assert len(content) < 100_000
        tracemalloc.start()
        refused(content, words)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
        tracemalloc.stop()


def test_a_directory_of_many_members_is_not_even_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(b"PK\x03\x04" + b"PK\x01\x02" * 5000, "5,000 members")


def test_headers_that_take_long_to_parse_are_refused() -> None:
    refused(archive({"header.npy": npy(facts("(" + "1," * 4950 + ")"), b"\0")}), "a header of 9,")


def test_a_file_longer_than_any_network_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.bs4nn"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(10**12)
    with pytest.raises(UserError, match="1,000,000,000,000 bytes; at most 16,000,000"):
        network_file.load(path)


def test_the_array_that_older_numpy_adds_is_no_harm() -> None:
    """NumPy before 2.2 takes savez(..., allow_pickle=False) for one more array, and so did files of this tool."""
    network = small()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, member in members_of(network).items():
            made.writestr(name, member)
        option = io.BytesIO()
        np.lib.format.write_array(option, np.asanyarray(False))
        made.writestr("allow_pickle.npy", option.getvalue())
    assert network_file.from_bytes(content.getvalue()).digest == network.digest
    refused(archive({**members_of(network), "allow_pickle.npy": npy(facts("(1,)"), b"\0")}), "arrays do not match")


def test_networks_here_are_written_as_they_are() -> None:
    paths = [*(ROOT / "networks").glob("*.bs4nn"), *(ROOT / "tests" / "golden").glob("*.bs4nn")]
    assert len(paths) > 10
    for path in paths:
        assert network_file.to_bytes(network_file.load(path)) == path.read_bytes()


# --- network files: the header


def test_deep_json_is_refused() -> None:
    refused(with_entry("description", '{"a":' * 1000 + "1" + "}" * 1000), "nested deeper")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', "9" * 5000, '{"a": [1e400]}'])
def test_descriptions_with_what_json_has_not(value: str) -> None:
    refused(with_entry("description", f'{{"test": {value}}}'), "header")


@pytest.mark.parametrize("key", ["version", "time_steps", "delay", "readout_step", "intensity_max"])
@pytest.mark.parametrize("value", ["true", "false", "-1", "1.0", "null", '"1"', "[1]", "1" * 300, "NaN"])
def test_numbers_of_other_types_and_ranges(key: str, value: str) -> None:
    refused(with_entry(key, value), f"{key}|NaN")


@pytest.mark.parametrize(
    "sizes",
    [
        *("[true, 9, 3]", "[13]", "[]", "[13, 0, 3]", "[13, -9, 3]", "[13, 9.0, 3]", "[13, null, 3]", "[13, [9], 3]"),
        *("[65536, 9, 3]", "[1e999, 9]", f"[1{'0' * 300}, 9]", str([1] * 300), str([65_535] * 2), str([4096] * 4)),
        str([65_535, 1] * 20),
    ],
)
def test_impossible_sizes(sizes: str) -> None:
    refused(with_entry("sizes", sizes), "sizes|finite")


def test_a_header_longer_than_any() -> None:
    refused(with_header(" " * 2_000_000), "2,000,000 bytes")


@pytest.mark.parametrize("description", [{"a": "b" * MAX_HEADER}, {"a": 10**5000}])
def test_nothing_is_written_that_could_not_be_read_again(description: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="description"):
        network_file.save(small(description=description), tmp_path / "n.bs4nn")
    assert not (tmp_path / "n.bs4nn").exists()


# --- networks that are made here


@pytest.mark.parametrize(
    "changes",
    [
        *({"delay": True}, {"time_steps": True}, {"input": 16}, {"readout_step": False}, {"delay": 1.0}),
        *({"time_steps": 10**30}, {"time_steps": float("nan")}, {"input": None}, {"readout_step": -2}),
        *({"description": {"a": float("nan")}}, {"description": {"a": {1}}}, {"description": {1: 2}}),
        *({"description": [1]}, {"description": {"a": "\ud800"}}),
        *({"order": ([0.5] * 9,)}, {"order": ([True] * 9,)}, {"input": Input((12,))}, {"input": Input((13, 2))}),
    ],
)
def test_nothing_is_made_that_could_not_be_read_again(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        small(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        *({"intensity_max": True}, {"intensity_max": "16"}, {"intensity_max": 0}, {"intensity_max": 256}),
        *({"shape": (True,)}, {"shape": (2.0, 3)}, {"shape": (0,)}, {"shape": (-4, 4)}, {"shape": (1, 1, 1, 1)}),
        *({"shape": (256, 256)}, {"shape": (10**30,)}, {"shape": "ab"}, {"stages": ("resize",)}),
    ],
)
def test_no_input_is_made_that_no_network_takes(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Input(**changes)


def test_whole_numbers_of_numpy_become_plain_ones() -> None:
    network = small(delay=np.int64(1), time_steps=np.uint8(5), input=Input((np.int64(13),), np.int32(16)))
    assert type(network.delay) is type(network.time_steps) is type(network.input.intensity_max) is int
    assert network_file.from_bytes(network_file.to_bytes(network)).digest == network.digest


@pytest.mark.parametrize(
    ("signs", "thresholds"),
    [
        ([[1, 2]], 1),
        ([[True, True]], 1),
        ([["1", "1"]], 1),
        ([[1, float("nan")]], 1),
        ([[1, 1]], True),
        ([[1, 1]], float("inf")),
        ([[1, 1]], 10**30),
        ([[1, 1]], "1"),
    ],
)
def test_layers_of_other_things(signs: Any, thresholds: Any) -> None:
    with pytest.raises(UserError):
        Dense(signs, thresholds)


def test_the_largest_network_and_what_is_larger() -> None:
    check_sizes((8192, 4096))
    check_sizes([1, *[4096] * 3][:3])
    for sizes, words in (
        ((8192, 4097), "synapses; a network has at most 33,554,432"),
        ([1, 65_535] * 17, "neurons; a network has at most 1,048,576"),
        ([1] * 257, "256 layers"),
    ):
        with pytest.raises(UserError, match=words):
            check_sizes(sizes)
    with pytest.raises(UserError, match="synapses"):
        Dense(np.ones((8193, 4096), np.int8), 1)
    with pytest.raises(UserError, match="1 to 10,000"):
        check_hidden((8,), 10_001)


def test_reading_the_largest_takes_little_memory() -> None:
    """Its signs once, as the network has them, and once while they are frozen."""
    signs = np.ones((4096, 4096), np.int8)
    content = network_file.to_bytes(Network((Dense(signs, 1),), 4))
    tracemalloc.start()
    network = network_file.from_bytes(content)
    assert tracemalloc.get_traced_memory()[1] < 2.5 * signs.size
    tracemalloc.stop()
    assert network.synapses == signs.size <= MAX_SYNAPSES


# --- what the program does with descriptions


@pytest.mark.parametrize("value", [5, True, [], {}, None, "", "x" * 100_000, "a/" + "x" * 300, "a\0b"])
def test_a_data_set_that_is_no_name(value: object, tool: Tool, tmp_path: Path) -> None:
    network = small(description={"dataset": value})
    assert described.trained_on(network) is None
    network_file.save(network, tmp_path / "n.bs4nn")
    for verb in ("evaluate", "tune", "reorder"):
        status, _, said = tool(verb, tmp_path / "n.bs4nn")
        assert status == 2
        assert said.count("\n") == 1
        assert "--dataset" in said


@pytest.mark.parametrize(
    ("theta", "alphas"),
    [("1", ["1"]), (True, [True]), (0, [0, 0]), (10**400, [10**400] * 2), (-1.0, [1.0]), ([1], {"a": 1}), (None, None)],
)
def test_theta_and_alphas_that_are_no_numbers(theta: object, alphas: object) -> None:
    network = small(description={"theta": theta, "alphas": alphas})
    assert described.theta(network) is None
    assert described.alphas(network) is None


def test_usable_entries() -> None:
    network = small(description={"dataset": "mnist", "theta": 100, "alphas": [4, 9.5], "validation": {}})
    assert described.trained_on(network) == "mnist"
    assert described.theta(network) == 100.0
    assert described.alphas(network) == (4.0, 9.5)
    assert described.knows_validation_images(network)
    assert not described.knows_validation_images(small(description={"validation": {"a": 1}}))


def test_class_names_for_every_output() -> None:
    """The small network has three."""
    for said, names in (
        (["a", "b", "c", "d"], ("a", "b", "c")),
        (["a"], ("a", "1", "2")),
        ([1, None, "x" * 300], ("0", "1", "2")),
        ({"a": 1}, ("0", "1", "2")),
    ):
        assert described.class_names(small(description={"class_names": said})) == names


def test_inspect_shows_the_beginning_of_a_long_description(tool: Tool, tmp_path: Path) -> None:
    entries = {f"{number:05}": "x" for number in range(50_000)} | {"00000": "y" * 30_000}
    network_file.save(small(description=entries), tmp_path / "n.bs4nn")
    status, shown, _ = tool("inspect", tmp_path / "n.bs4nn")
    assert status == 0
    assert "49,960 entries more; --json shows all" in shown
    assert shown.count("\n") < 150
    assert json.loads(tool("inspect", tmp_path / "n.bs4nn", "--json")[1])["description"] == entries
