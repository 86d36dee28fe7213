"""The widest network that a place has room for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.training import fitting, trials

pytestmark = pytest.mark.bounds


def table() -> Dataset:
    rng = np.random.default_rng(0)
    samples = rng.integers(-999, 999, (40, 12)).astype(np.int16)
    labels = np.arange(40) % 3
    return Dataset("made", samples, labels, samples, labels, (12,), 255, ("a", "b", "c"))


def plan_of(dataset: Dataset, hidden: int) -> memory.Plan:
    """Of a network with random weights and thresholds as training leaves them."""
    rng = np.random.default_rng(1)
    inputs = dataset.train_images.shape[1]
    layers = (
        Dense(rng.choice([-1, 1], (hidden, inputs)), 20),
        Dense(rng.choice([-1, 1], (3, hidden)), 9),
    )
    network = Network(layers, time_steps=32, input=dataset.input)
    return memory.plan(network, pack.pack(network), "network")


@pytest.mark.parametrize("coding", ["range", "on-off:value", "thermometer:all"])
def test_one_neuron_more_than_the_widest_does_not_fit(coding: str) -> None:
    dataset = trials.coded(table(), coding, slice(None))
    place = fitting.room(None, "3KB")
    assert place is not None
    widest = place.widest(dataset)
    fits, too_large = plan_of(dataset, widest), plan_of(dataset, widest + 1)
    assert fits.flash_bytes + fits.code_bytes <= 3072 < too_large.flash_bytes + too_large.code_bytes


def test_a_board_has_room_for_the_widest_and_for_no_wider_one() -> None:
    whole = boards.load_board("qemu-m0")
    small = dataclasses.replace(whole, flash_bytes=whole.reserved_flash_bytes + 3000)
    place = fitting.Room(small, None)
    dataset = trials.coded(table(), "range", slice(None))
    widest = place.widest(dataset)
    kernel = memory.choose_kernel(plan_of(dataset, widest), [small])
    memory.check_fits(plan_of(dataset, widest), "12-n-3", small, kernel)
    with pytest.raises(UserError, match="does not fit"):
        memory.check_fits(plan_of(dataset, widest + 1), "12-n-3", small, kernel)


@pytest.mark.parametrize(
    ("board", "flash", "said"),
    [(None, "16 potatoes", "--flash"), (None, "10", "no network"), ("qemu-m9", None, "unknown board")],
)
def test_what_names_no_room_is_refused_in_one_line(board: str | None, flash: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        place = fitting.room(board, flash)
        assert place is not None
        place.widest(trials.coded(table(), "range", slice(None)))
    assert "\n" not in str(refused.value)
    assert fitting.room(None, None) is None
