"""A camera before a network: `adapt`, and a small version of benchmarks/camera.py, also on an emulated M0."""

from __future__ import annotations

import json
from pathlib import Path

import camera as benchmark
import naive
import numpy as np
import pytest
from conftest import ROOT, Tool, random_network

from bs4nn_tc import targets
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import camera, datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.stages import Crop, Grey, Ink, Invert, Resize, SquareMeans

NETWORK = ROOT / "networks" / "mnist-320-best.bs4nn"
MNIST_INK = Ink("dark", 28, 28, (20, 20), (3712, 3712), 255)
IMAGES = 100


@pytest.fixture(scope="module")
def network() -> Network:
    return network_file.load(NETWORK)


@pytest.fixture(scope="module")
def digits(data_dir: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of the first test images of MNIST, grey; those images; and what they show."""
    mnist = datasets.load("mnist", data_dir)
    shown = mnist.test_images[:IMAGES]
    return benchmark.frames(shown, 0), shown, mnist.test_labels[:IMAGES]


def test_digits_on_unevenly_lit_paper(network: Network, digits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """One call of C for a raw frame answers nearly as well as the images themselves; simpler preparations do not."""
    grey, shown, labels = digits
    behind = camera.adapted(network, benchmark.SIZE, "rgb565", "dark")
    frames = benchmark.as_sent(grey, "rgb565")
    assert frames.shape == (IMAGES, 160 * 120 * 2)
    answers = benchmark.answers_in_c(behind, frames)
    assert np.array_equal(answers, reference.run(behind, frames).answer)
    assert (answers == labels).mean() >= 0.965
    kernel = Kernel(network)
    assert (kernel.classify(shown).answer == labels).mean() >= 0.97
    for prepared in benchmark.SIMPLE.values():
        pixels = prepared(grey).round().astype(np.uint8).reshape(IMAGES, -1)
        assert (kernel.classify(pixels).answer == labels).mean() < 0.8


def test_on_an_emulated_board_of_16_kilobytes(
    network: Network, digits: tuple[np.ndarray, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    """Half of the frame's sides: a whole one is larger than its memory, and that is said before."""
    board = boards.load_board("qemu-m0")
    with pytest.raises(UserError, match="RAM"):
        whole = camera.adapted(network, benchmark.SIZE, "grey", "dark")
        project.generate(whole, "camera", [board], tmp_path / "whole")
    small = SquareMeans(2).apply(digits[0], Input(benchmark.SIZE).sample)
    behind = camera.adapted(network, (60, 80), "grey", "dark")
    expected = reference.run(behind, small)
    assert (expected.answer == digits[2]).mean() >= 0.95
    made = project.generate(behind, "camera", [board], tmp_path / "project")
    building.build(made, [board.id])
    target = targets.open_target(targets.Kind.EMULATOR, made, board)
    try:
        target.expect(behind)
        for index in range(5):
            trace = target.trace(small[index])
            assert (trace.answer, trace.spikes) == (expected.answer[index], expected.spikes[index])
            times = np.concatenate([layer[index] for layer in expected.firing_times])
            assert np.array_equal(trace.firing_times, times)
    finally:
        target.close()


def test_every_frame_is_of_its_own(digits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Fewer of them are the same first ones, and another seed gives others."""
    grey, shown, _ = digits
    assert np.array_equal(benchmark.frames(shown[:3], 0), grey[:3])
    assert (benchmark.frames(shown[:1], 1) != grey[:1]).any()
    twice = benchmark.frames(np.stack([shown[0], shown[0]]), 0)
    assert (twice[0] != twice[1]).any()


# ---- adapt ----


def test_adapt_puts_stages_before_the_same_weights(tool: Tool, tmp_path: Path, network: Network) -> None:
    out = tmp_path / "camera.bs4nn"
    call = ("adapt", NETWORK, "--camera", "160x120", "--format", "rgb565", "--ink", "dark", "-o", out)
    status, said, _ = tool(*call)
    made = network_file.load(out)
    assert status == 0
    assert (
        f"frames of 120 x 160 x 2 bytes, grey of rgb565, dark ink into 20 x 20 of 28 x 28, digest {made.digest[:12]}"
        in said
    )
    assert made.input == Input((120, 160, 2), 255, (Grey("rgb565"), MNIST_INK))
    assert made.digest != network.digest
    assert made.description["adapted_from"] == network.digest
    assert "test" not in made.description
    assert (made.class_labels, made.data, made.time_steps) == (network.class_labels, network.data, network.time_steps)
    for layer, other in zip(made.layers, network.layers, strict=True):
        assert np.array_equal(layer.signs, other.signs)
        assert np.array_equal(layer.thresholds, other.thresholds)
    assert all(map(np.array_equal, made.order, network.order))
    status, said, _ = tool(*call, "--json")
    assert json.loads(said)["digest"] == made.digest
    assert json.loads(said)["input"]["stages"] == [stage.json for stage in made.input.stages]


@pytest.mark.parametrize(
    ("size", "form", "invert", "stages"),
    [
        ((28, 28), "grey", False, ()),
        ((28, 28), "yuyv", True, (Grey("yuyv"), Invert())),
        ((120, 160), "rgb888", False, (Grey("rgb888"), Crop(0, 20, 120, 120), Resize(28, 28))),
        ((160, 120), "rgb565le", True, (Grey("rgb565le"), Invert(), Crop(20, 0, 120, 120), Resize(28, 28))),
        ((28, 40), "grey", False, (Crop(0, 6, 28, 28),)),
    ],
)
def test_without_ink_the_middle_is_taken(
    size: tuple[int, int], form: str, invert: bool, stages: tuple[object, ...], network: Network
) -> None:
    behind = camera.adapted(network, size, form, None, invert=invert)
    assert behind.input.stages == stages
    assert behind.input.shape == camera.frame_shape(size, form)


def test_other_shapes_and_intensities() -> None:
    """Proportions of 2 to 1, dark ink, Imax of 16: pixels become 0 .. 255, the same shares of which fire alike."""
    network = random_network(np.random.default_rng(3), (72, 12, 4), intensity_max=16)
    network = Network(network.layers, 16, input=Input((12, 6), 16), data=TrainedOn("elsewhere", polarity="dark"))
    behind = camera.adapted(network, (48, 40), "grey", None)
    assert behind.input == Input((48, 40), 255, (Crop(0, 8, 48, 24), Resize(12, 6)))
    frame = np.random.default_rng(0).integers(0, 256, (1, 48 * 40)).astype(np.uint8)
    outcome = naive.run(behind, frame[0].tolist())
    assert reference.run(behind, frame).answer[0] == outcome.answer
    assert behind.input.table(16)[[0, 255]].tolist() == network.input.table(16)[[0, 16]].tolist() == [16, 0]
    found = camera.adapted(network, (48, 40), "grey", "dark").input.stages
    assert found == (Ink("dark", 12, 6, (9, 4), (1591, 795), 255), Invert())


def test_its_own_stages_come_last(network: Network) -> None:
    staged = network_file.load(ROOT / "networks" / "mnist-14x14-288-best.bs4nn")
    staged = Network(staged.layers, staged.time_steps, input=Input((28, 28), 255, (SquareMeans(2),)), data=staged.data)
    behind = camera.adapted(staged, (120, 160), "grey", "bright")
    assert [stage.kind for stage in behind.input.stages] == ["ink", "square-means"]
    assert behind.input.stages[0] == Ink("bright", 28, 28, (20, 20), (3712, 3712), 255)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--camera", "160"], "--camera 160: columns and rows such as 160x120"),
        (["--camera", "20x20", "--ink", "dark"], "ink is looked for in pictures of 28 to 1,024"),
        (["--camera", "9999x9999"], "at most"),
    ],
)
def test_cameras_that_do_not_fit(options: list[str], words: str, tool: Tool, tmp_path: Path) -> None:
    status, _, said = tool("adapt", NETWORK, *options, "-o", tmp_path / "out.bs4nn")
    assert status == 2
    assert words in said
    assert not (tmp_path / "out.bs4nn").exists()


def test_networks_that_take_no_pictures() -> None:
    layers = random_network(np.random.default_rng(0), (72, 3)).layers
    for taken, words in (
        (Input((72,)), "72 pixels, which is no square"),
        (Input((8, 3, 3)), "8 x 3 x 3 values of uint8, which is no picture"),
        (Input((36, 2), hop=3), "a stream, which is no picture"),
        (Input((12, 24), 16, (SquareMeans(2),)), "values up to 16"),
    ):
        with pytest.raises(UserError, match=words):
            camera.adapted(Network(layers, 16, input=taken), (120, 160), "grey", "dark")
