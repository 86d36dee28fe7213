"""Stages for pictures: NumPy, C and the naive ones do the same, within their bounds on emulated cores."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import bare
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
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import stages as in_c
from bs4nn_tc.device.cores import core
from bs4nn_tc.model import reference, stages
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Crop, Grey, Ink, Invert, Resize, SquareMeans, Stage, Values
from bs4nn_tc.model.stages.pictures import FORMATS
from bs4nn_tc.targets import emulator

SOURCE = resources.KERNEL / "bs4nn_stages_pictures.c"
MNIST = Ink("dark", 28, 28, (20, 20), (3712, 3712), 255)


def agree(stage: Stage, values: Values, sample: np.ndarray) -> np.ndarray:
    """The naive one's outcome, and that the others give it, too."""
    expected = naive_stages.run(stage, values, sample.tolist())
    several = stage.apply(np.stack([sample[::-1], sample]), values)
    assert several[1].tolist() == expected
    assert several.flags.c_contiguous  # C takes it as it lies
    assert (several.dtype, several.shape) == (stage.after(values).dtype, (2, stage.after(values).count))
    assert kernel.stage(stage, values, sample).tolist() == expected
    assert several.max() <= stage.after(values).highest
    return several[1]


def noise(seed: int, shape: tuple[int, ...], highest: int = 255) -> np.ndarray:
    """Values of every kind: all of them, the darkest, the brightest, or one alone."""
    rng = np.random.default_rng(seed)
    choices = (np.arange(highest + 1), [0, highest], [highest], [0, 1])
    return rng.choice(choices[seed % 4], np.prod(shape)).astype(np.uint8)


def paper(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Blots on paper that is lit from one side, with noise."""
    rng = np.random.default_rng(seed)
    picture = np.full(shape, float(rng.integers(60, 250)))
    for _ in range(rng.integers(0, 4)):
        top, left = (rng.integers(0, size) for size in shape)
        picture[top : top + rng.integers(1, 30), left : left + rng.integers(1, 30)] *= rng.uniform(0, 0.9)
    picture *= np.linspace(rng.uniform(0.2, 1), 1, shape[1])
    picture += rng.normal(0, rng.uniform(0, 5), shape)
    return picture.clip(0, 255).astype(np.uint8).ravel()


sides = st.integers(1, 24)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), sides, sides, seeds)
def test_grey(form: str, rows: int, columns: int, seed: int) -> None:
    values = Values((rows, columns, FORMATS[form]))
    grey = agree(Grey(form), values, noise(seed, values.shape))
    back = Grey(form).sample_of(grey[None], values)
    assert np.array_equal(Grey(form).apply(back, values)[0], grey)


def test_every_colour_of_16_bits() -> None:
    """And white is white, black is black, in both orders of the bytes."""
    words, values = np.arange(1 << 16, dtype=np.uint16), Values((256, 256, 2))
    grey = agree(Grey("rgb565"), values, words.astype(">u2").view(np.uint8))
    assert grey[[0, 0xF800, 0x07E0, 0x001F, 0xFFFF]].tolist() == [0, 77, 149, 29, 255]
    swapped = words.astype("<u2").view(np.uint8)
    assert np.array_equal(kernel.stage(Grey("rgb565le"), values, swapped), grey)
    assert np.array_equal(Grey("rgb565le").apply(swapped[None], values)[0], grey)


@settings(max_examples=40, deadline=None)
@given(sides, sides, seeds, st.data())
def test_crop(rows: int, columns: int, seed: int, data: Any) -> None:
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    stage = Crop(top, left, data.draw(st.integers(1, rows - top)), data.draw(st.integers(1, columns - left)))
    values = Values((rows, columns))
    part = agree(stage, values, noise(seed, values.shape))
    assert np.array_equal(stage.apply(stage.sample_of(part[None], values), values)[0], part)


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, seeds)
@example(24, 24, 1, 1, 2)
@example(1, 1, 24, 24, 0)
def test_resize(rows: int, columns: int, to_rows: int, to_columns: int, seed: int) -> None:
    """Smaller and larger."""
    agree(Resize(to_rows, to_columns), Values((rows, columns)), noise(seed, (rows, columns)))


def test_a_resize_by_whole_squares_is_their_means() -> None:
    picture, values = noise(0, (12, 18)), Values((12, 18))
    assert np.array_equal(Resize(4, 6).apply(picture[None], values), SquareMeans(3).apply(picture[None], values))
    assert np.array_equal(Resize(12, 18).apply(picture[None], values)[0], picture)


@settings(max_examples=20, deadline=None)
@given(sides, sides, seeds, st.integers(1, 255))
def test_invert(rows: int, columns: int, seed: int, highest: int) -> None:
    values = Values((rows, columns), "uint8", 0, highest)
    picture = noise(seed, values.shape, highest)
    turned = agree(Invert(), values, picture)
    assert np.array_equal(Invert().sample_of(turned[None], values)[0], picture)


@st.composite
def inks(draw: Any) -> Ink:
    rows, columns = draw(sides), draw(sides)
    box = (draw(st.integers(1, rows)), draw(st.integers(1, columns)))
    centre = (draw(st.integers(0, 256 * rows)), draw(st.integers(0, 256 * columns)))
    return Ink(draw(st.sampled_from(["dark", "bright"])), rows, columns, box, centre, draw(st.integers(1, 255)))


@settings(max_examples=15, deadline=None)
@given(inks(), st.integers(28, 60), st.integers(28, 60), seeds, st.booleans())
@example(MNIST, 28, 28, 1, False)
@example(MNIST, 83, 60, 2, False)
def test_ink(stage: Ink, rows: int, columns: int, seed: int, noisy: bool) -> None:
    values = Values((rows, columns))
    agree(stage, values, noise(seed, (rows, columns)) if noisy else paper(seed, (rows, columns)))


@pytest.mark.parametrize("shape", [(120, 160), (1024, 30), (240, 320)])
def test_ink_of_whole_frames_in_c(shape: tuple[int, int]) -> None:
    values = Values(shape)
    pictures = np.stack([paper(seed, shape) for seed in range(3)])
    for picture, expected in zip(pictures, MNIST.apply(pictures, values), strict=True):
        assert np.array_equal(kernel.stage(MNIST, values, picture), expected)


def cross(shape: tuple[int, int], top: int, left: int, size: int, width: int) -> np.ndarray:
    """A T of ink: 1 where it is."""
    mask = np.zeros(shape)
    mask[top : top + width, left : left + size] = 1
    mask[top : top + size, left + (size - width) // 2 :][:, :width] = 1
    return mask


def test_ink_is_found_wherever_it_is_however_it_is_lit() -> None:
    """The same drawing, moved and lit in other ways, gives nearly the same pixels: its box filled, its mass centred."""
    values, y = Values((120, 160)), np.linspace(0, 1, 120)[:, None]
    x = np.linspace(0, 1, 160)
    lights = [
        1 + 0 * x * y,
        1 - 0.6 * x + 0 * y,
        0.5 + 0.5 * y + 0 * x,
        1 - 0.3 * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 4,
    ]
    made = []
    for number, light in enumerate(lights):
        ink = cross((120, 160), 10 + 8 * number, 60 - 15 * number, 60, 12)
        picture = (220 * light * (1 - 0.7 * ink)).astype(np.uint8)
        made.append(MNIST.apply(picture.reshape(1, -1), values)[0].reshape(28, 28).astype(int))
        bright = Ink("bright", 28, 28, (20, 20), (3712, 3712), 255)
        assert np.array_equal(bright.apply(255 - picture.reshape(1, -1), values)[0].reshape(28, 28), made[-1])
    for one in made:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert (np.ptp(rows), np.ptp(columns)) == (19, 19)
        middle = (one.sum(axis=1) @ np.arange(28) / one.sum(), one.sum(axis=0) @ np.arange(28) / one.sum())
        assert np.abs(np.array(middle) - 14).max() <= 0.5
        assert np.abs(one - made[0]).mean() < 6
    assert made[0].max() == 255


@pytest.mark.parametrize("value", [0, 100, 255])
def test_without_ink_all_is_black(value: int) -> None:
    rng = np.random.default_rng(3)
    noisy = (value + rng.normal(0, 3, 120 * 160)).clip(0, 255).astype(np.uint8)
    noisy[5 * 160 + 7] = noisy[60 * 160 + 100] = 0  # specks are no ink
    assert not MNIST.apply(noisy[None], Values((120, 160))).any()
    assert not kernel.stage(MNIST, Values((120, 160)), noisy).any()


def camera_network() -> Network:
    """A random network behind a camera."""
    behind = Ink("dark", 8, 8, (6, 6), (1024, 1024), 255)
    network = random_network(np.random.default_rng(5), (64, 20, 4))
    return Network(network.layers, 16, input=Input((30, 40, 2), 255, (Grey("rgb565"), Invert(), Invert(), behind)))


def test_the_reference_and_the_naive_simulator_behind_a_camera() -> None:
    network = camera_network()
    frames = Grey("rgb565").sample_of(np.stack([paper(seed, (30, 40)) for seed in range(8)]), Values((30, 40, 2)))
    result = reference.run(network, frames)
    assert len(np.unique(result.spikes)) > 1
    for index, frame in enumerate(frames):
        expected = naive.run(network, frame.tolist())
        assert [times[index].tolist() for times in result.firing_times] == expected.firing_times
        assert (result.answer[index], result.spikes[index]) == (expected.answer, expected.spikes)


def test_as_json_and_back() -> None:
    taken = (Grey("yuyv"), Crop(1, 2, 3, 4), Resize(5, 6), Invert(), MNIST)
    written = [stage.json for stage in taken]
    assert written[0] == {"kind": "grey", "format": "yuyv"}
    assert written[-1]["box"] == [20, 20]
    assert stages.from_json(written) == taken
    assert len({*stages.from_json(written), *taken}) == 5  # tuples, not lists


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ink": "green"}, "ink that is 'green'; it is dark or bright"),
        ({"rows": 129}, "rows of ink is 129; 1 to 128"),
        ({"box": [29, 20]}, "the box of ink is 29; 1 to 28"),
        ({"box": 20}, "the box of ink is 20; rows and columns"),
        ({"box": [20, 20, 20]}, "the box of ink is"),
        ({"centre": [0, 7169]}, "the centre of ink is 7169"),
        ({"highest": 0}, "highest of ink is 0"),
        ({"highest": 1.5}, "highest of ink is 1.5"),
    ],
)
def test_ink_that_is_none(changed: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=f"^stage 1 of the input: {words}"):
        stages.from_json([{**MNIST.json, **changed}])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kind": "grey", "format": "bayer"}, "a picture of format 'bayer'; there are rgb565, rgb565le, rgb888, yuyv"),
        ({"kind": "crop", "top": -1, "left": 0, "rows": 1, "columns": 1}, "top of a crop is -1"),
        ({"kind": "resize", "rows": 0, "columns": 1}, "rows of a picture is 0"),
    ],
)
def test_stages_that_are_none(said: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        stages.from_json([said])


@pytest.mark.parametrize(
    ("stage", "values", "words"),
    [
        (Grey("rgb565"), Values((4, 4)), "rgb565 has rows x columns x 2 bytes 0 to 255, not 4 x 4 of uint8"),
        (Grey("rgb888"), Values((4, 4, 2)), "x 3 bytes"),
        (Grey("yuyv"), Values((4, 4, 2), "uint8", 0, 16), "up to 16"),
        (Crop(2, 0, 3, 4), Values((4, 4)), "row 2, column 0 is not inside of 4 x 4"),
        (Crop(0, 0, 1, 1), Values((16,)), "a crop takes pictures of uint8, not 16"),
        (Resize(2, 2), Values((4, 4), "int16", -5, 5), "of int16"),
        (Invert(), Values((4,), "int16", -5, 5), "of int16"),
        (Invert(), Values(()), "unknown shape"),
        (MNIST, Values((27, 40)), "pictures of 28 to 1,024 rows and columns, not in 27 x 40"),
        (MNIST, Values((40, 1025)), "40 x 1,025"),
    ],
)
def test_what_a_stage_does_not_take(stage: Stage, values: Values, words: str) -> None:
    with pytest.raises(UserError, match=words):
        stage.after(values)


# ---- Compilers, sanitizers and emulated cores ----

CASES: list[tuple[Stage, Values, np.ndarray]] = [
    *((Grey(form), Values((9, 30, size)), noise(4, (9, 30, size))) for form, size in FORMATS.items()),
    (Crop(3, 4, 20, 17), Values((25, 30)), noise(4, (25, 30))),
    (Invert(), Values((25, 30)), noise(4, (25, 30))),
    (Resize(7, 9), Values((25, 30)), noise(2, (25, 30))),
    (Resize(30, 31), Values((25, 30)), noise(4, (25, 30))),
    (Resize(3, 40), Values((25, 2)), noise(4, (25, 2))),
    *((MNIST, Values(shape), noise(1, shape)) for shape in ((28, 28), (33, 50), (61, 80))),
    *((MNIST, Values((60, 80)), paper(seed, (60, 80))) for seed in (1, 4)),
    (Ink("bright", 8, 8, (8, 8), (1024, 1024), 16), Values((60, 80)), noise(4, (60, 80))),
    (Ink("dark", 13, 128, (12, 128), (1664, 16384), 255), Values((28, 300)), noise(1, (28, 300))),
]


def called(number: int, to: str, scratch: str) -> tuple[str, str]:
    """Constants and call in C of a case, as generated code has them."""
    stage, values, sample = CASES[number]
    kind = in_c.in_c(stage)
    arrays = {f"sample_{number}": ("uint8_t", sample.tolist())}
    tables = {f"{table.name}_{number}": (table.ctype, table.values) for table in kind.tables(stage, values)}
    constants = "".join(
        f"static const {ctype} {name}[] = {{{', '.join(map(str, content))}}};\n"
        for name, (ctype, content) in (arrays | tables).items()
    )
    rooms = [f"sample_{number}", to, *([scratch] if kind.scratch_bytes(stage, values) else []), *tables]
    return constants, f"{kind.function}({', '.join([*rooms, *map(str, kind.numbers(stage, values))])});"


SANITIZED = """
#include "bs4nn_stages_pictures.h"
#include <stdlib.h>
#include <string.h>
%s
int main(void)
{
%s
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_reads_and_writes_nothing_else(compiler: str, tmp_path: Path) -> None:
    """In memory of the exact sizes, with the sanitizers; and what comes out is what the naive ones say."""
    constants, body = "", ""
    for number, (stage, values, sample) in enumerate(CASES):
        after, expected = stage.after(values), naive_stages.run(stage, values, sample.tolist())
        declared, call = called(number, "to", "scratch")
        constants += declared + f"static const uint8_t expected_{number}[] = {{{', '.join(map(str, expected))}}};\n"
        scratch = max(1, in_c.in_c(stage).scratch_bytes(stage, values))
        body += (
            f"    {{\n        uint8_t *to = malloc({after.count});\n        void *scratch = malloc({scratch});\n"
            f"        memset(to, 77, {after.count});\n        memset(scratch, 77, {scratch});\n        {call}\n"
            f"        if (memcmp(to, expected_{number}, {after.count}) != 0) {{\n            return {number + 1};\n"
            "        }\n        free(to);\n        free(scratch);\n    }\n"
        )
    (tmp_path / "main.c").write_text(SANITIZED % (constants, body))
    flags = ["-std=c99", "-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [require(compiler, compiler), *flags, f"-I{resources.KERNEL}", tmp_path / "main.c", SOURCE]
    subprocess.run([*command, "-o", tmp_path / "program"], check=True)
    subprocess.run([tmp_path / "program"], check=True)


@pytest.mark.parametrize(
    "compiler",
    [
        ("gcc", "-std=c99"),
        ("clang", "-std=c99"),
        ("g++", "-xc++", "-std=c++11"),
        ("arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0", "-mthumb"),
    ],
    ids=lambda compiler: compiler[0],
)
def test_no_compiler_warns(compiler: tuple[str, ...], tmp_path: Path) -> None:
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2", "-c", "-o", tmp_path / "o"]
    subprocess.run([require(compiler[0], "gcc g++ clang"), *compiler[1:], *flags, SOURCE], check=True)


PROGRAM = """
#include "bs4nn_stages_pictures.h"
%s
static uint32_t to[500], scratch[1000];
static void say_all(uint32_t count)
{
    uint32_t sum = 1;
    say(board_lap());
    for (uint32_t i = 0; i < count; i++) {
        sum = sum * 31u + ((uint8_t *)to)[i];
    }
    say(sum);
    (void)board_lap();
}
int main(void)
{
    board_init();
    (void)board_lap();
%s
    board_exit(0);
    return 0;
}
"""


@pytest.mark.parametrize(("name", "optimization"), [("qemu-m0", "-O2"), ("qemu-m0", "-Os"), ("qemu-m4", "-O2")])
def test_on_emulated_cores_within_their_bounds(name: str, optimization: str, tmp_path: Path) -> None:
    constants, body = "", ""
    for number, (stage, values, _) in enumerate(CASES):
        declared, call = called(number, "(uint8_t *)to", "scratch")
        constants += declared
        body += f"    {call}\n    say_all({stage.after(values).count});\n"
    (tmp_path / "main.c").write_text(bare.SAY + PROGRAM % (constants, body))
    board = boards.load_board(name)
    assert board.emulator is not None
    program = bare.link(board, [tmp_path / "main.c", SOURCE], [optimization], tmp_path / "main.elf")
    qemu = require("qemu-system-arm", "qemu-system-arm")
    done = bare.run([qemu, *board.emulator.arguments, *emulator.COUNTING, "-kernel", program])
    said = [int(line) for line in done.stdout.split()]
    assert len(said) == 2 * len(CASES)
    for (stage, values, sample), ticks, told in zip(CASES, said[::2], said[1::2], strict=True):
        expected = 1
        for value in stage.apply(sample[None], values)[0].tolist():
            expected = (expected * 31 + value) % 2**32
        assert told == expected, stage
        taken = Input(values.shape, 255, (stage,))
        count, most = (
            emulator.instructions(board, ticks),
            in_c.instructions_at_most(taken, core(board.core).instruction_set),
        )
        assert count <= most <= 3 * count + 1000, (stage, values.shape, count, most)


def test_code_is_not_larger_than_the_plan_says(tmp_path: Path) -> None:
    """With every function alone, on the core whose code is the largest."""
    kinds: set[Stage] = {stage for stage, _, _ in CASES}
    for name in ("qemu-m0", "qemu-m4"):
        command = [*bare.compiler(boards.load_board(name), ["-O2", "-ffunction-sections"]), "-c", SOURCE]
        subprocess.run([*command, "-o", tmp_path / "o"], check=True)
        size = require("arm-none-eabi-size", "binutils-arm-none-eabi")
        listed = subprocess.run([size, "-A", tmp_path / "o"], capture_output=True, text=True, check=True).stdout
        sections = {line.split()[0]: int(line.split()[1]) for line in listed.splitlines() if line.startswith(".text.")}
        shared = ("add_line", "sum_line", "begin_resizing")
        helpers = sum(bytes_ for section, bytes_ in sections.items() if ".bs4nn_" not in section)
        few = sum(bytes_ for section, bytes_ in sections.items() if section.split(".")[2] in shared)
        for stage in kinds:
            kind = in_c.in_c(stage)
            called_by_it = {"bs4nn_ink": helpers, "bs4nn_resize": few}.get(kind.function, 0)
            assert sections[f".text.{kind.function}"] + called_by_it <= kind.code_bytes, kind.function
