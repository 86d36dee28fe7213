"""Network files that nobody should trust: read, or refused in one line before they cost time or memory."""

from __future__ import annotations

import functools
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
from by_hand import archive, facts, header_member, members_of, npy, small
from conftest import Tool

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model import network_file
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.limits import MAX_HEADER, MAX_SYNAPSES, check_sizes
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import Scaling, TrainedOn
from bs4nn_tc.training.options import check_sizes as check_hidden

pytestmark = pytest.mark.bounds


def with_header(text: str | Callable[[str], str], version: int = 2) -> bytes:
    """A small network's file whose header is this text, or the old one changed."""
    if not isinstance(text, str):
        text = text(header_text(version))
    return archive({**members_of(small(), version), "header.npy": header_member(text)})


def with_entry(key: str, value: str, version: int = 2) -> bytes:
    """The same with one entry of the header replaced by a JSON text; "a.b" is entry b of entry a."""
    changed = json.loads(header_text(version))
    *above, last = key.split(".")
    functools.reduce(dict.__getitem__, above, changed)[last] = "REPLACED"
    return with_header(json.dumps(changed).replace('"REPLACED"', value), version)


def header_text(version: int) -> str:
    return bytes(np.lib.format.read_array(io.BytesIO(members_of(small(), version)["header.npy"]))).decode()


def refused(content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        network_file.from_bytes(content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# --- network files: the archive


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_made_here_is_read(version: int) -> None:
    """So that the others are refused for what is wrong with them."""
    assert network_file.from_bytes(with_header(lambda text: text, version)).digest == small().digest


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


# --- network files: the header


def test_deep_json_is_refused() -> None:
    refused(with_entry("description", '{"a":' * 1000 + "1" + "}" * 1000), "nested deeper")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', "9" * 5000, '{"a": [1e400]}'])
def test_descriptions_with_what_json_has_not(value: str) -> None:
    refused(with_entry("description", f'{{"test": {value}}}'), "header")


@pytest.mark.parametrize(
    ("version", "key"),
    [
        *((1, key) for key in ("version", "time_steps", "delay", "readout_step", "intensity_max")),
        *((2, key) for key in ("version", "minor", "time_steps", "delay", "readout_step", "input.intensity_max")),
    ],
)
@pytest.mark.parametrize("value", ["true", "false", "-1", "1.0", "null", '"1"', "[1]", "1" * 300, "NaN", '"a\\nb"'])
def test_numbers_of_other_types_and_ranges(version: int, key: str, value: str) -> None:
    refused(with_entry(key, value, version), f"{key.rsplit('.', maxsplit=1)[-1]}|NaN")


@pytest.mark.parametrize(
    "sizes",
    [
        *("[true, 9, 3]", "[13]", "[]", "[13, 0, 3]", "[13, -9, 3]", "[13, 9.0, 3]", "[13, null, 3]", "[13, [9], 3]"),
        *("[65536, 9, 3]", "[1e999, 9]", f"[1{'0' * 300}, 9]", str([1] * 300), str([65_535] * 2), str([4096] * 4)),
        str([65_535, 1] * 20),
    ],
)
def test_impossible_sizes(sizes: str) -> None:
    refused(with_entry("sizes", sizes, 1), "sizes|finite")


_DENSE = '{"kind": "dense", "sizes": %s}'
_FIELDS = {
    "input": ("null", "[]", '"ramp"', "5", "{}", '{"kind": "ramp"}', '{"kind": "ramp", "stages": []}'),
    "input.kind": ("null", "5", '"pixels"', '"ra\\nmp"', '"' + "x" * 9000 + '"', '"\\ud800"', '["ramp"]', "{}"),
    "input.stages": ("null", "{}", '"x"', "5", "true", "[[]]"),
    "input.shape": (
        *("null", '"ab"', "13", "{}", "[true]", "[13.0]", "[0]", "[-13]", "[12]", "[13, 2]", "[[13]]", '["13"]'),
        *("[13, null]", "[1, 1, 1, 13]", f"[1{'0' * 300}]", "[65535, 65535]", str([1] * 90_000), '["a\\nb"]'),
    ),
    "layers": (
        *("null", "{}", "[]", "[5]", "[null]", "[[]]", "[{}]", '["dense"]', '[{"kind": "dense"}]', "5", '"ab"'),
        f"[{_DENSE % [13, 9]}, {_DENSE % [8, 3]}]",
        f"[{_DENSE % [13, 9]}]",
        f"[{', '.join([_DENSE % [1, 1]] * 256)}]",
        f"[{', '.join([_DENSE % [1, 65_535], _DENSE % [65_535, 1]] * 20)}]",
        f"[{', '.join([_DENSE % [4096, 4096]] * 3)}]",
        *(f'[{{"kind": {kind}, "sizes": [13, 3]}}]' for kind in ("5", '"conv"', '"a\\nb"', "null", '["dense"]', "{}")),
        *(
            f"[{_DENSE % sizes}]"
            for sizes in (
                *("null", "13", "{}", '"ab"', "[13]", "[13, 9, 3]", "[13, 3.0]", "[true, 3]", "[13, 0]", "[13, -3]"),
                *("[[13], 3]", f"[1{'0' * 300}, 3]", "[65536, 3]", "[65535, 65535]", '["13", 3]', '[13, "a\\nb"]'),
            )
        ),
    ),
    "class_names": (
        *("5", "true", '"abc"', "{}", '["a"]', '["a", "b", 3]', '["a", "b", ""]', '["a", "b", null]'),
        *('["a", "b", ["c"]]', '["a", "b", "\\ud800"]', '["a", "b", "' + "x" * 300 + '"]', str(["a"] * 999)),
    ),
    "data": ("5", "true", "[]", '"mnist"', "{}", '{"name": "mnist"}'),
    "data.name": ("null", "5", "true", "[]", "{}", '""', '"a\\u0000b"', '"' + "x" * 300 + '"', '"\\ud800"'),
    "data.digest": (
        "5",
        "true",
        "[]",
        '""',
        '"xyz"',
        '"' + "A" * 64 + '"',
        '"' + "a" * 65 + '"',
        '"' + "a" * 64 + '\\n"',
    ),
    "data.polarity": ("5", "true", "[]", "{}", '"grey"', '["bright"]'),
    "data.all_images": ("null", "1", '"true"', "[]", "{}", "0.0"),
    "scaling": ("5", "true", "[]", '"ab"', "{}", '{"theta": 1}', '{"alphas": [1, 2]}'),
    "scaling.theta": ("null", "true", '"1"', "0", "-1", "1e999", "1" * 400, "[1]", "{}"),
    "scaling.alphas": (
        *("null", "5", '"ab"', "{}", "[]", "[1]", "[1, 2, 3]", "[true, 1]", "[0, 1]", "[-1, 1]", '["1", 1]'),
        *("[[1], 1]", "[1, null]", f"[1, {'1' * 400}]", str([1] * 90_000)),
    ),
    "description": ("null", "5", "[]", '"ab"', "true"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in _FIELDS.items() for value in values])
def test_fields_of_other_types_ranges_and_lengths(key: str, value: str) -> None:
    refused(with_entry(key, value), ".")


_MEANS = '{"kind": "square-means", "side": %s}'


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (f"[{_MEANS % 2}]", "does not match its digest"),  # what is wrong with the others is the stages alone
        *((f"[{one}]", "of kind 'None'") for one in ("null", "5", '"square-means"', "[]", "{}", '{"side": 2}')),
        ('[{"kind": "blur", "side": 2}]', "of kind 'blur', and this tool knows square-means, .*; a newer release"),
        ('[{"kind": "a\\nb"}]', r"of kind 'a\\nb'"),
        ('[{"kind": "' + "x" * 90_000 + '"}]', "of kind 'x{39}…'"),
        ('[{"kind": ["square-means"]}]', "of kind"),
        ('[{"kind": "square-means"}]', "has to say its side alone"),
        ('[{"kind": "square-means", "side": 2, "sides": 3}]', "has to say its side alone"),
        *(
            (f"[{_MEANS % side}]", "the side of a square is .*; 2 to 255 is allowed")
            for side in ("0", "1", "-1", "256", str(2**40), "1" * 400, "true", "2.0", '"2"', "null", "[2]", '"a\\nb"')
        ),
        (f"[{_MEANS % 13}]", "stage 1 of the input: squares of 13 x 13 values do not divide a sample of 26 x 2"),
        (f"[{_MEANS % 2}, {_MEANS % 13}]", "stage 2 of the input: .* do not divide a sample of 13 x 1"),
        (str([json.loads(_MEANS % 2)] * 10_000).replace("'", '"'), "10,000 stages; at most 8"),
        ("[]", "an input of 26 x 2, 52 values; layer 1 takes 13"),
    ],
)
def test_stages_of_other_kinds_and_sides(stages: str, words: str) -> None:
    said = f'{{"kind": "ramp", "intensity_max": 16, "shape": [26, 2], "stages": {stages}}}'
    refused(with_entry("input", said), words)


@pytest.mark.parametrize("shape", ["[]", "[52]", "[2, 26, 1]", "[13, 1]"])
def test_stages_need_a_picture_that_they_can_take(shape: str) -> None:
    said = f'{{"kind": "ramp", "intensity_max": 16, "shape": {shape}, "stages": [{_MEANS % 2}]}}'
    refused(with_entry("input", said), "stage 1 of the input: squares of 2 x 2 values do not divide a sample of")


def test_what_version_2_may_leave_open() -> None:
    for key in ("class_names", "data", "scaling", "data.digest", "data.polarity"):
        network_file.from_bytes(with_entry(key, "null"))
    network_file.from_bytes(with_entry("input.shape", "[]"))


def test_an_unknown_kind_of_layer_or_input_names_the_remedy() -> None:
    refused(
        with_entry("layers", '[{"kind": "conv", "sizes": [1]}]'), "'conv', and this tool knows dense; a newer release"
    )
    refused(with_entry("input.kind", '"sound"'), "'sound', and this tool knows ramp; a newer release")


def test_sizes_of_layers_bound_what_is_unpacked() -> None:
    """Layers that would hold 16 MB of signs, in a file of 30 kB: refused by the sizes that its header has."""
    zeros = npy(facts("(4000, 4000)"), bytes(16_000_000))
    content = archive({**members_of(small()), "signs_2.npy": zeros})
    tracemalloc.start()
    refused(content, "signs of layer 2")
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


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
        *({"class_names": ("a",)}, {"class_names": (1, 2, 3)}, {"class_names": ("a", "b", "\ud800")}),
        *({"scaling": Scaling(1, (1,))}, {"data": "mnist"}, {"scaling": 5}),
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


# --- what becomes of descriptions, which version 1 had instead of fields


def described(**description: object) -> Network:
    """The small network of a file of version 1 with this description."""
    return network_file.from_bytes(archive(members_of(small(description=description), 1)))


@pytest.mark.parametrize("value", [5, True, [], {}, None, "", "x" * 100_000, "a/" + "x" * 300, "a\0b"])
def test_a_data_set_that_is_no_name(value: object, tool: Tool, tmp_path: Path) -> None:
    assert described(dataset=value).data is None
    (tmp_path / "n.bs4nn").write_bytes(archive(members_of(small(description={"dataset": value}), 1)))
    for verb in ("evaluate", "tune", "reorder"):
        status, _, said = tool(verb, tmp_path / "n.bs4nn")
        assert status == 2
        assert said.count("\n") == 1
        assert "--dataset" in said


@pytest.mark.parametrize(
    ("theta", "alphas"),
    [
        *(("1", ["1"]), (True, [True]), (0, [0, 0]), (10**400, [10**400] * 2), (-1.0, [1.0]), ([1], {"a": 1})),
        *((None, None), (100, [4]), (100, [4, 5, 6]), (100, "ab")),
    ],
)
def test_theta_and_alphas_that_are_no_numbers(theta: object, alphas: object) -> None:
    network = described(theta=theta, alphas=alphas)
    assert network.scaling is None
    assert network.description == {"theta": theta, "alphas": alphas}


def test_usable_entries_become_fields() -> None:
    network = described(dataset="mnist", theta=100, alphas=[4, 9.5], validation={}, image_shape=[1, 13], seed=3)
    assert network.data == TrainedOn("mnist", all_images=True)
    assert network.scaling == Scaling(100.0, (4.0, 9.5))
    assert network.input.shape == (1, 13)
    assert network.description == {"validation": {}, "seed": 3}
    assert not described(dataset="mnist", validation={"a": 1}).knows_validation_images
    assert network_file.to_bytes(network_file.from_bytes(network_file.to_bytes(network))) == network_file.to_bytes(
        network
    )


@pytest.mark.parametrize(
    "shape", [[13], [2, 7], [True, 13], [1.0, 13], [-1, -13], "ab", None, [1, 1, 13], [0, 0], [[1], 13]]
)
def test_image_shapes_that_are_none(shape: object) -> None:
    assert described(image_shape=shape).input.shape == ()


def test_class_names_for_every_output() -> None:
    """The small network has three."""
    for said, names in (
        (["a", "b", "c"], ("a", "b", "c")),
        (["a", "b", "c", "d"], ("a", "b", "c")),
        (["a"], ("a", "1", "2")),
        ([1, None, "x" * 300], ("0", "1", "2")),
        ({"a": 1}, ("0", "1", "2")),
    ):
        assert described(class_names=said).class_labels == names
    assert small(class_names=("\x1b[31m", "\n", "x" * 255)).class_labels == (r"\x1b[31m", r"\n", "x" * 59 + "…")


def test_inspect_shows_the_beginning_of_a_long_description(tool: Tool, tmp_path: Path) -> None:
    entries = {f"{number:05}": "x" for number in range(50_000)} | {"00000": "y" * 30_000}
    network_file.save(small(description=entries), tmp_path / "n.bs4nn")
    status, shown, _ = tool("inspect", tmp_path / "n.bs4nn")
    assert status == 0
    assert "49,960 entries more; --json shows all" in shown
    assert shown.count("\n") < 150
    assert json.loads(tool("inspect", tmp_path / "n.bs4nn", "--json")[1])["description"] == entries
