"""The dry run of docs/NEW_LAYER.md: a kind of layer from outside the package, taken through all that knows layers.

The toy is "sparse": any synapse may be missing. It comes in a package of its own, made for the test.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from by_hand import archive, members_of, npy
from by_hand import facts as array_facts
from conftest import ROOT, Tool

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.codegen import pack
from bs4nn_tc.host.network import host_network
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers import KINDS
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

MODULE = '''
"""Layers whose neurons have a synapse to some of the inputs."""

import numpy as np

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.layers.layer import ArrayRule, Layer, Outline, arriving, frozen_thresholds, integrate_and_fire
from bs4nn_tc.model.limits import check_sizes


def bits(array):
    return np.packbits(array, axis=1, bitorder="little")


class Sparse(Layer):
    kind = "sparse"

    def __init__(self, signs, thresholds):
        self.signs = np.array(signs, np.int8)
        self.thresholds = frozen_thresholds(thresholds, len(self.signs))

    @classmethod
    def outline_of(cls, sizes):
        if not isinstance(sizes, list | tuple) or len(sizes) != 2:
            raise UserError("the sizes of a sparse layer are not [inputs, neurons]")
        check_sizes(sizes)
        inputs, neurons = sizes
        packed = ArrayRule(np.uint8, ((neurons, (inputs + 7) // 8),))
        thresholds = ArrayRule(np.uint16, ((neurons,),))
        arrays = {"positive": packed, "synapses": packed, "thresholds": thresholds}
        return Outline((inputs,), (neurons,), 2 * inputs * neurons, arrays)

    @classmethod
    def from_arrays(cls, sizes, arrays):
        inputs = sizes[0]
        positive, present = (
            np.unpackbits(arrays[name], axis=1, bitorder="little").view(np.int8) for name in ("positive", "synapses")
        )
        if present[:, inputs:].any() or (positive > present).any():
            raise UserError("it has a sign without a synapse, or bits beyond its last input")
        return cls((2 * positive - present)[:, :inputs], arrays["thresholds"])

    def arrays(self):
        thresholds = self.thresholds.astype("<u2")
        return {"positive": bits(self.signs > 0), "synapses": bits(self.signs != 0), "thresholds": thresholds}

    def content(self):
        yield from (array.tobytes() for array in self.arrays().values())

    @property
    def sizes(self):
        return self.signs.shape[::-1]

    def run(self, arrival_times, time_steps, delay):
        steps, spikes, first_spikes = arriving(arrival_times, time_steps)
        rows = np.split(self.signs.T[spikes], first_spikes[1:])
        sums = np.array([part.sum(axis=0, dtype=np.int32) for part in rows])
        return integrate_and_fire(steps, sums, self.thresholds, time_steps, delay)

    def with_thresholds(self, thresholds):
        return Sparse(self.signs, thresholds)

    def with_neurons_at(self, places):
        return Sparse(self.signs[places], self.thresholds[places])

    def with_inputs_at(self, places):
        return Sparse(self.signs[:, places], self.thresholds)
'''


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The kind, registered as docs/NEW_LAYER.md says: a line in KINDS and one in MATRICES."""
    package = tmp_path_factory.mktemp("toy") / "toy_layers"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sparse.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(package.parent)
        made = importlib.import_module("toy_layers.sparse").Sparse
        patch.setitem(KINDS, "sparse", made)
        patch.setitem(naive.MATRICES, "sparse", lambda layer: layer.signs.tolist())
        yield made
    for name in ("toy_layers.sparse", "toy_layers"):
        del sys.modules[name]


def mixed(sparse: Any, seed: int = 0, delay: int = 0) -> Network:
    """A sparse layer, a dense one, and a sparse one whose neurons are the classes."""
    rng = np.random.default_rng(seed)
    layers = (
        sparse(rng.choice([-1, 0, 1], (17, 21)), rng.integers(1, 4, 17)),
        Dense(rng.choice([-1, 1], (11, 17)), rng.integers(1, 4, 11)),
        sparse(rng.choice([-1, 0, 1], (4, 11)), rng.integers(1, 4, 4)),
    )
    order = (rng.permutation(17), rng.permutation(11))
    return Network(layers, 16, delay, int(rng.integers(16)), Input((3, 7), 100), {"seed": seed}, order)


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_the_reference_equals_the_naive_simulator(sparse: Any, seed: int, delay: int) -> None:
    network = mixed(sparse, seed, delay)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 101, (12, 21)) * (rng.random((12, 21)) < rng.random((12, 1)))
    result = reference.run(network, images.astype(np.uint8))
    placed = reference.run(network.placed(), images.astype(np.uint8))
    assert np.array_equal(placed.readout_potential, result.readout_potential)
    for index, image in enumerate(images.tolist()):
        expected = naive.run(network, image)
        assert [times[index].tolist() for times in result.firing_times] == expected.firing_times
        assert result.readout_potential[index].tolist() == expected.readout_potential
        found = (result.answer[index], result.response_time[index], result.spikes[index])
        assert found == (expected.answer, expected.response_time, expected.spikes)


def test_a_file_holds_it_and_its_digest_is_what_spec_says(sparse: Any, tmp_path: Path) -> None:
    network = mixed(sparse)
    network_file.save(network, tmp_path / "n.bs4nn")
    back = network_file.load(tmp_path / "n.bs4nn")
    assert network_file.to_bytes(back) == network_file.to_bytes(network)
    for here, there in zip(network.layers, back.layers, strict=True):
        assert type(here) is type(there)
        assert np.array_equal(here.signs, there.signs)
        assert np.array_equal(here.thresholds, there.thresholds)
    layers = '[{"kind":"sparse","sizes":[21,17]},{"kind":"dense","sizes":[17,11]},{"kind":"sparse","sizes":[11,4]}]'
    text = (
        '{"delay":0,"input":{"intensity_max":100,"kind":"ramp","stages":[]},"layers":'
        + layers
        + f',"readout_step":{network.readout_step},"time_steps":16}}'
    )
    by_hand = hashlib.sha256(text.encode())
    for layer in network.layers:
        signs, thresholds = layer.signs, layer.thresholds.astype("<u2").tobytes()
        masks = [signs > 0] if isinstance(layer, Dense) else [signs > 0, signs != 0]
        for mask in masks:
            by_hand.update(np.packbits(mask, axis=1, bitorder="little").tobytes())
        by_hand.update(thresholds)
    for places in network.order:
        by_hand.update(places.astype("<u2").tobytes())
    assert back.digest == network.digest == by_hand.hexdigest()


def refused(content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        network_file.from_bytes(content)
    assert "\n" not in str(caught.value)


def test_damage_to_it_is_refused(sparse: Any) -> None:
    members = members_of(mixed(sparse))
    damages = 0
    for name in members:
        if name == "header.npy":
            continue
        array = np.load(io.BytesIO(members[name]))
        for place in (0, array.size - 1):
            changed = array.copy()
            changed.flat[place] ^= 1
            buffer = io.BytesIO()
            np.save(buffer, changed)
            refused(archive({**members, name: buffer.getvalue()}), ".")
            damages += 1
    assert damages == 2 * (3 + 2 + 3 + 2)
    beyond = npy(array_facts("(17, 3)"), bytes([0] * 50 + [0x80]))
    refused(archive({**members, "synapses_1.npy": beyond}), "layer 1: it has a sign without a synapse, or bits beyond")
    huge = npy(array_facts("(4000, 4000)"), bytes(16_000_000))
    refused(archive({**members, "synapses_3.npy": huge}), "synapses of layer 3 do not match its sizes")
    refused(archive({name: one for name, one in members.items() if name != "positive_1.npy"}), "arrays do not match")


def test_a_release_that_does_not_know_it_says_so(sparse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = network_file.to_bytes(mixed(sparse))
    monkeypatch.delitem(KINDS, "sparse")
    refused(content, "layer 1 of the network file is of kind 'sparse', and this tool knows dense; a newer release")


def test_what_knows_dense_layers_alone_refuses_it(sparse: Any, tmp_path: Path, tool: Tool) -> None:
    network = mixed(sparse)
    with pytest.raises(UserError, match="layer 1 is of kind 'sparse', which no firmware runs yet"):
        pack.pack(network)
    with pytest.raises(UserError, match="layer 1 is of kind 'sparse'; the host library takes dense layers only"):
        host_network(network)
    network_file.save(network, tmp_path / "n.bs4nn")
    status, _, said = tool("generate", tmp_path / "n.bs4nn", "--board", "qemu-m0", "-o", tmp_path / "project")
    assert status == 2
    assert said.count("\n") == 1
    assert not (tmp_path / "project").exists()


def test_the_page_names_at_most_twelve_files_and_those_that_are_there() -> None:
    page = (ROOT / "docs" / "NEW_LAYER.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `([^`]+)`", page, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert 4 <= len(rows) <= 12
    roots = (ROOT, ROOT / "toolchain" / "bs4nn_tc")
    for name in [name for _, name in rows if "KIND" not in name]:
        assert any((root / name).is_file() for root in roots), name
