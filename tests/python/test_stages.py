"""What is done to a sample before it becomes spikes: NumPy, C and the naive simulator do the same."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import kernel
import naive
import naive_stages
import numpy as np
import pytest
from conftest import random_network, require
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.kernels import STAGES
from bs4nn_tc.model import network_file, reference, stages
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import SquareMeans, Values

GUARD = 0xA5


def naive_means(sample: np.ndarray, shape: tuple[int, int], side: int) -> list[int]:
    """The naive simulator's, of one sample."""
    return naive_stages.run(SquareMeans(side), Values(shape), sample.tolist())


def with_stage(shape: tuple[int, int], side: int, *, hidden: int = 20, intensity_max: int = 255) -> Network:
    """A random network behind a stage."""
    pixels = shape[0] * shape[1] // side**2
    network = random_network(np.random.default_rng(5), (pixels, hidden, 4), intensity_max=intensity_max)
    return Network(network.layers, network.time_steps, input=Input(shape, intensity_max, (SquareMeans(side),)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 20), st.integers(0, 2**32 - 1), st.booleans())
@example(1, 1, 255, 0, True)
@example(1, 1, 255, 1, False)
@example(1, 4, 127, 2, False)
def test_means_of_squares_in_python_and_c(rows: int, columns: int, side: int, seed: int, bright: bool) -> None:
    """Also where the sample lies, and with nothing touched around it."""
    shape, pixels = (rows * side, columns * side), rows * columns
    size = pixels * side**2
    rng = np.random.default_rng(seed)
    sample = rng.integers(200 if bright else 0, 256, size).astype(np.uint8)
    if seed % 2:
        sample[:] = 255
    expected = naive_means(sample, shape, side)
    several = SquareMeans(side).apply(np.stack([sample, sample[::-1]]), Values(shape))
    assert several[0].tolist() == expected
    assert several.flags.c_contiguous  # C takes it as it lies

    guarded = np.full(pixels + 2, GUARD, np.uint8)
    kernel.square_means(sample, guarded[1:-1], shape, side)
    assert guarded.tolist() == [GUARD, *expected, GUARD]
    in_place = np.concatenate(([GUARD], sample, [GUARD])).astype(np.uint8)
    kernel.square_means(in_place[1:-1], in_place[1:-1], shape, side)
    assert in_place[1 : pixels + 1].tolist() == expected
    assert in_place[0] == in_place[-1] == GUARD
    assert np.array_equal(in_place[pixels + 1 : -1], sample[pixels:])


SANITIZED = """
#include "bs4nn_stages_pictures.h"
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static const uint16_t cases[][3] = {
        {2, 2, 2}, {6, 4, 2}, {2, 30, 2}, {3, 3, 3}, {12, 9, 3}, {20, 40, 20}, {255, 255, 255},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = (size_t)cases[i][0] * cases[i][1], pixels = size / cases[i][2] / cases[i][2];
        uint8_t *sample = malloc(size), *apart = malloc(pixels);
        memset(sample, 255, size);
        bs4nn_square_means(sample, apart, cases[i][0], cases[i][1], cases[i][2]);
        bs4nn_square_means(sample, sample, cases[i][0], cases[i][1], cases[i][2]);
        if (memcmp(sample, apart, pixels) != 0 || apart[pixels - 1] != 255) {
            return 1;
        }
        free(sample);
        free(apart);
    }
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_reads_and_writes_nothing_else(compiler: str, tmp_path: Path) -> None:
    """In memory of the exact sizes, with the sanitizers."""
    (tmp_path / "main.c").write_text(SANITIZED)
    flags = [
        "-std=c99",
        "-g",
        "-O1",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        f"-I{resources.KERNEL}",
    ]
    sources = [tmp_path / "main.c", *(path for path in STAGES if path.suffix == ".c")]
    subprocess.run([require(compiler, compiler), *flags, *sources, "-o", tmp_path / "program"], check=True)
    subprocess.run([tmp_path / "program"], check=True)


def test_a_mean_is_rounded_to_the_nearest_and_a_half_upwards() -> None:
    squares = np.array([[0, 0, 0, 1], [0, 1, 0, 1], [255, 255, 255, 254], [255, 255, 254, 254]], np.uint8)
    assert SquareMeans(2).apply(squares, Values((2, 2))).ravel().tolist() == [0, 1, 255, 255]


def test_the_reference_and_the_naive_simulator_prepare_a_sample() -> None:
    network = with_stage((6, 9), 3, intensity_max=200)
    samples = np.random.default_rng(1).integers(0, 201, (20, 54)).astype(np.uint8)
    result = reference.run(network, samples)
    small = np.array([naive_means(sample, (6, 9), 3) for sample in samples], np.uint8)
    behind = Network(network.layers, network.time_steps, input=network.input.behind_stages)
    assert behind.input == Input((2, 3), 200)
    assert np.array_equal(reference.run(behind, small).readout_potential, result.readout_potential)
    assert len(np.unique(result.response_time)) > 1
    for index, sample in enumerate(samples):
        expected = naive.run(network, sample.tolist())
        assert [times[index].tolist() for times in result.firing_times] == expected.firing_times
        assert (result.answer[index], result.spikes[index]) == (expected.answer, expected.spikes)


def test_stages_follow_each_other() -> None:
    taken = Input((12, 8), 255, (SquareMeans(2), SquareMeans(2)))
    samples = np.random.default_rng(2).integers(0, 256, (3, 96)).astype(np.uint8)
    halved = SquareMeans(2).apply(samples, Values((12, 8)))
    assert np.array_equal(taken.prepare(samples), SquareMeans(2).apply(halved, Values((6, 4))))
    assert np.array_equal(taken.prepare(samples[1]), taken.prepare(samples)[1])
    assert taken.behind_stages.shape == (3, 2)
    pixels = taken.prepare(samples)
    assert np.array_equal(taken.prepare(taken.sample_of(pixels)), pixels)


def test_samples_of_another_size_or_too_bright_are_refused() -> None:
    network = with_stage((4, 4), 2, intensity_max=16)
    assert (network.inputs, network.sample_values) == (4, 16)
    with pytest.raises(UserError, match="have 4 pixels each, but the network takes 16"):
        reference.run(network, np.zeros((1, 4), np.uint8))
    with pytest.raises(UserError, match="intensity 17"):
        reference.run(network, np.array([[17] + [0] * 15], np.uint8))


def test_a_file_keeps_the_stages_and_the_digest_knows_them() -> None:
    """The digest computed by hand from SPEC.md."""
    network = Network((Dense([[1, -1]], 2),), 4, input=Input((2, 4), 9, (SquareMeans(2),)))
    text = (
        b'{"delay":0,"input":{"intensity_max":9,"kind":"ramp","shape":[2,4],"stages":[{"kind":"square-means","side":2}]},'
        b'"layers":[{"kind":"dense","sizes":[2,1]}],"readout_step":3,"time_steps":4}'
    )
    assert network.digest == hashlib.sha256(text + bytes([0b01]) + b"\x02\x00").hexdigest()
    content = network_file.to_bytes(network)
    back = network_file.from_bytes(content)
    assert (back.digest, back.input) == (network.digest, network.input)
    assert network_file.to_bytes(back) == content
    other = Network(network.layers, 4, input=Input((4, 2), 9, (SquareMeans(2),)))
    behind = Network(network.layers, 4, input=network.input.behind_stages)
    assert len({network.digest, other.digest, behind.digest}) == 3


def test_stages_as_json() -> None:
    taken = (SquareMeans(7), SquareMeans(2))
    written = [stage.json for stage in taken]
    assert written == [{"kind": "square-means", "side": 7}, {"kind": "square-means", "side": 2}]
    assert stages.from_json(written) == taken


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "blur", "side": 2}, "of kind 'blur', and this tool knows square-means"),
        ({"kind": ["square-means"], "side": 2}, "of kind"),
        ({"side": 2}, "of kind 'None'"),
        ("square-means", "of kind 'None'"),
        ({"kind": "square-means"}, "side alone"),
        ({"kind": "square-means", "side": 2, "border": 1}, "side alone"),
        *(
            ({"kind": "square-means", "side": side}, "the side of a square is")
            for side in (0, 1, -1, 256, 2**40, True, 2.0, "2", None, [2])
        ),
    ],
)
def test_a_stage_that_is_none_is_refused(said: object, words: str) -> None:
    with pytest.raises(UserError, match=f"^stage 1 of the input.*{words}"):
        stages.from_json([said])


@pytest.mark.parametrize(
    ("shape", "sides", "words"),
    [
        ((28, 28), (3,), "stage 1 of the input: squares of 3 x 3 values do not divide a sample of 28 x 28"),
        ((28, 28), (2, 2, 2), "stage 3 of the input: .* 7 x 7"),
        ((784,), (2,), "a sample of 784"),
        ((2, 28, 28), (2,), "a sample of 2 x 28 x 28"),
        ((), (2,), "a sample of unknown shape"),
        ((28, 28), (2,) * 10_000, "10,000 stages; at most 8"),
        ((28, 28), (4,), "the stages of the input give 7 x 7, 49 values; layer 1 takes 196"),
    ],
)
def test_stages_that_do_not_fit_are_refused(shape: tuple[int, ...], sides: tuple[int, ...], words: str) -> None:
    layers = random_network(np.random.default_rng(0), (196, 3)).layers
    with pytest.raises(UserError, match=words):
        Network(layers, 16, input=Input(shape, 255, tuple(map(SquareMeans, sides))))
