"""What our kernel is compared with computes what it should: benchmarks/peers on emulated boards against NumPy."""

from __future__ import annotations

import dataclasses

import numpy as np
import peer_firmware
import peer_models
import pytest
from conftest import require
from numpy.typing import NDArray

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device.boards import load_board


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """A sparse image and one without a black pixel."""
    require("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    require("qemu-system-arm", "qemu-system-arm")
    rng = np.random.default_rng(0)
    return (rng.integers(1, 256, (2, 784)) * (rng.random((2, 784)) < [[0.2], [1.0]])).astype(np.uint8)


@pytest.mark.parametrize("name", ["int8-plain", "int8", "int8-skip", "bnn-xnor"])
def test_a_peer_computes_what_numpy_computes(name: str, images: NDArray[np.uint8]) -> None:
    """`measure` refuses an answer or a score that differs from the peer's."""
    board = load_board("qemu-m4")
    peer = next(peer for peer in peer_models.integer_peers(images) if peer.name == name)
    assert peer.scores is not None
    assert len(np.unique(peer.scores)) > 10
    count = peer_firmware.measure(peer, board, images)
    sparse, dense = count.instructions
    assert 100_000 < sparse <= dense < 3_000_000
    assert (sparse < dense / 2) == (name == "int8-skip")
    assert 300 < count.code_bytes < 2_000
    synapses = 784 * 600 + 600 * 10
    assert count.constant_bytes >= (synapses // 8 if name == "bnn-xnor" else synapses)
    second = np.array([0, 1])
    for wrong in (
        dataclasses.replace(peer, scores=peer.scores + second[:, np.newaxis]),
        dataclasses.replace(peer, answers=(peer.answers + second) % 10),
    ):
        with pytest.raises(TargetError, match="first for image 1"):
            peer_firmware.measure(wrong, board, images)


def test_code_for_a_smaller_core_takes_as_many_instructions_on_a_larger_one(images: NDArray[np.uint8]) -> None:
    """The one peer that the Cortex-M0 board has room for, there and where the others run."""
    (bnn,) = (peer for peer in peer_models.integer_peers(images) if peer.name == "bnn-xnor")
    board = load_board("qemu-m0")
    there = peer_firmware.measure(bnn, board, images, machine=board).instructions
    elsewhere = peer_firmware.measure(bnn, board, images).instructions
    assert np.abs(there - elsewhere).max() <= 2


def test_a_count_that_runs_over_is_no_count(images: NDArray[np.uint8]) -> None:
    int8 = peer_models.integer_peers(images)[0]
    with pytest.raises(TargetError, match="smaller shift"):
        peer_firmware.measure(dataclasses.replace(int8, shift=10), load_board("qemu-m4"), images)
