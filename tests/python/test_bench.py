"""Counting instructions: exact, repeatable, and of the right thing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, assert_refused, random_network, run_tool

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.data import datasets
from bs4nn_tc.device import boards
from bs4nn_tc.device.kernels import FAST, KERNELS, Kernel
from bs4nn_tc.model import network_file
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.study import bench
from bs4nn_tc.targets import emulator


def test_counts_repeat_and_grow_with_the_spikes() -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    silent = Dense(network.layers[1].signs, 41)  # no early exit
    network = Network((network.layers[0], silent), 16, input=Input(intensity_max=16))
    rng = np.random.default_rng(1)
    images = rng.integers(1, 17, (3, 64)) * (rng.random((3, 64)) < [[0.0], [0.1], [0.9]])
    labels = np.array([0, 1, 2])
    for board in ("qemu-m0", "qemu-m4", "qemu-m33"):
        first, again = (bench.measure(network, boards.load_board(board), images.astype(np.uint8), labels) for _ in "ab")
        assert first == again
        black, sparse, dense = first.instructions_by_class[:3]
        assert 100 < black < sparse < dense == first.instructions_max
        assert first.instructions_mean == pytest.approx((black + sparse + dense) / 3)
        assert 1_000 < first.code_bytes < 7_200
        assert 50 < first.stack_bytes < 1_500


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
@pytest.mark.parametrize(
    ("sizes", "delay", "shared"),
    [((64, 40, 10), 0, True), ((100, 70, 33, 40), 1, False), ((200, 400, 10), 1, True), ((784, 17), 0, True)],
)
def test_no_image_needs_more_than_the_bound(sizes: tuple[int, ...], delay: int, shared: bool, kernel: Kernel) -> None:
    network = random_network(np.random.default_rng(3), sizes, time_steps=256, delay=delay, shared_thresholds=shared)
    never = Dense(network.layers[-1].signs, 65_535)  # no early exit
    network = Network((*network.layers[:-1], never), 256, delay)
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (10, sizes[0])).astype(np.uint8)
    for board in ("qemu-m0", "qemu-m4"):
        cost = bench.measure(network, boards.load_board(board), images, np.zeros(10, np.int64), kernel=kernel)
        assert cost.instructions_hardest is not None
        assert cost.instructions_bound > max(cost.instructions_hardest, cost.instructions_max)
        assert cost.instructions_hardest > cost.instructions_mean


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4"])
def test_words_that_are_looked_at_in_every_step_stay_below_the_bound(board: str) -> None:
    # Three spikes a step, after which every neuron lacks one: nobody fires, and no word can be left alone.
    signs = np.tile([-1, 1, 1, 1, -1, -1], 128)[:765]
    layers = (Dense(np.tile(signs, (256, 1)), 3), Dense(np.ones((2, 256), np.int8), 65_535))
    ramp = np.repeat(np.arange(255, 0, -1), 3).astype(np.uint8)
    cost = bench.measure(Network(layers, 256), boards.load_board(board), ramp[None], np.zeros(1, np.int64))
    assert cost.instructions_bound is not None
    assert cost.instructions_bound > 1.5 * cost.instructions_max


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4"])
def test_the_bound_is_within_eight_times_of_the_hardest_image(board: str) -> None:
    network = network_file.load(ROOT / "networks" / "mnist-600-paper.bs4nn")
    black = np.zeros((1, 784), np.uint8)
    cost = bench.measure(network, boards.load_board(board), black, np.zeros(1, np.int64))
    assert cost.instructions_hardest is not None
    assert cost.instructions_bound is not None
    assert cost.instructions_hardest < cost.instructions_bound < 8 * cost.instructions_hardest


BUDGETS = json.loads((ROOT / "benchmarks" / "budgets.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, dict[str, int]]]:
    """Bytes of the kernels' code and stack on the cores of the budgets."""
    by_name = {**KERNELS, "fast in C": FAST.in_c}
    return {
        name: {core: bench.kernel_bytes(core, by_name[name]) for core in by_core}
        for name, by_core in BUDGETS["bytes"].items()
    }


def test_code_and_stack_keep_within_their_budgets(measured: dict[str, dict[str, dict[str, int]]]) -> None:
    """benchmarks/budgets.json holds bytes of the kernels' code and stack; a change has to be meant, and noted."""
    moved = {
        (kernel, core, kind): measured[kernel][core][kind] - most
        for kernel, by_core in BUDGETS["bytes"].items()
        for core, budget in by_core.items()
        for kind, most in budget.items()
        if measured[kernel][core][kind] > most
    }
    assert not moved, f"bytes over the budget: {moved}; needed: {measured}"


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4"])
@pytest.mark.parametrize("name", BUDGETS["instructions"])
def test_instructions_keep_within_their_budgets(name: str, board: str, data_dir: Path) -> None:
    """Dark digits and bright clothes, whose words meet far more spikes a step: what helps one may cost the other."""
    network = network_file.load(ROOT / "networks" / f"{name}.bs4nn")
    dataset = datasets.load(name.rsplit("-", 2)[0], data_dir)
    images, labels = dataset.test_images[:20], dataset.test_labels[:20]
    cost = bench.measure(network, boards.load_board(board), images, labels)
    assert cost.instructions_mean <= BUDGETS["instructions"][name][board]


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
def test_a_kernel_saves_the_flash_that_it_promises(
    kernel: Kernel, measured: dict[str, dict[str, dict[str, int]]]
) -> None:
    """Against the fast one, on every core; and it promises what it saves, to within a twentieth."""
    cores = measured[kernel.name]
    saved = min(measured[FAST.name][core]["code"] - cores[core]["code"] for core in cores)
    assert 0.95 * saved <= kernel.saves_flash_bytes <= saved


def test_a_smaller_core_needs_more_instructions() -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    images = np.full((1, 64), 16, np.uint8)
    counts = [
        bench.measure(network, boards.load_board(board), images, np.array([0])).instructions_mean
        for board in ("qemu-m0", "qemu-m4")
    ]
    assert counts[0] > counts[1]


def test_real_boards_are_not_counted() -> None:
    network = random_network(np.random.default_rng(0), (4, 2))
    with pytest.raises(TargetError, match="real board"):
        bench.measure(network, boards.load_board("nucleo_f401re"), np.zeros((1, 4), np.uint8), np.zeros(1, np.int64))


def test_bench_by_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "n.bs4nn"
    network_file.save(random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16), path)
    call = ("bench", path, "--board", "qemu-m0", "--board", "qemu-m4", "--dataset", "digits", "--images", "5")
    done = run_tool(*call, "--json", "--csv", tmp_path / "rows.csv")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["board"] for row in rows] == ["qemu-m0", "qemu-m4"]
    assert rows[0]["instructions_max"] >= rows[0]["instructions_p99"] > 0
    written = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [float(row["instructions_mean"]) for row in written] == [row["instructions_mean"] for row in rows]
    assert_refused(run_tool("bench", path, "--board", "qemu-m9", "--dataset", "digits"), "qemu-m9")


def test_a_count_that_runs_over_is_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 2^10 ns an instruction, 25.6 ticks each, the counter's 2^24 ticks last for 655,360 instructions."""
    monkeypatch.setattr(emulator, "COUNTING", ("-icount", "shift=10,sleep=off"))
    rng = np.random.default_rng(0)
    signs = [rng.choice([-1, 1], shape) for shape in ((1500, 3000), (9, 1500))]
    network = Network((Dense(signs[0], 60), Dense(signs[1], 1501)), 255)  # no output neuron ever fires
    image = rng.integers(1, 256, (1, 3000)).astype(np.uint8)
    board = boards.load_board("qemu-m3")
    with pytest.raises(TargetError, match="longer than the board's counter"):
        bench.measure(network, board, image, np.zeros(1, np.int64))
    assert bench.measure(network, board, np.zeros_like(image), np.zeros(1, np.int64)).instructions_hardest is None
