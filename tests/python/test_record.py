"""Samples of a board's sensor into files that are read again, and single files that are classified."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from application import compile_application
from conftest import Tool, assert_refused, random_network, require, run_tool
from PIL import Image

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.data import collecting, datasets, files
from bs4nn_tc.device import building
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.second import second
from bs4nn_tc.model.stages.tables import Scale
from bs4nn_tc.targets import ApplicationTarget, frames

RNG = np.random.default_rng(5)
STEPS, CHANNELS = 12, 3
NAMES = ("rest", "punch", "wave")

# Every sample is other than the last: what a sensor gives, and what nobody has loaded.
SENSOR = """
#include "application.h"

int application_read_sample(application_value_t *sample)
{
    static int count;
    for (uint32_t i = 0; i < APPLICATION_INPUTS; i++) {
        sample[i] = (application_value_t)(count + (int)i);
    }
    count++;
    return count > 20000;
}
"""


def network_of(shape: tuple[int, ...], kind: str, reading: dict[str, Any], highest: int = 255) -> Network:
    """Random weights behind samples of a shape and type; 16 bits are scaled to 8."""
    values = int(np.prod(shape))
    plain = random_network(RNG, (values, 20, len(NAMES)), intensity_max=highest)
    stages = (Scale((-32768,), (1,), 8),) if kind == "int16" else ()
    return Network(
        plain.layers,
        16,
        input=Input(shape, highest, stages, kind),
        class_names=NAMES,
        data=TrainedOn("elsewhere", reading=reading),
    )


def recordings() -> Network:
    """Of three channels, whose values have two decimals in files."""
    reading = {"kind": "recordings", "type": "int16", "shape": [STEPS, CHANNELS], "scale": [100.0], "window": STEPS}
    return network_of((STEPS, CHANNELS), "int16", {**reading, "hop": STEPS, "columns": ["x", "y", "z"]})


def raw(network: Network, count: int) -> np.ndarray:
    """Random samples as a sensor gives them."""
    if network.input.type == "uint8":
        return RNG.integers(0, network.input.intensity_max + 1, (count, network.sample_values)).astype(np.uint8)
    return RNG.integers(-20000, 20000, (count, network.sample_values)).astype(np.int16)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    """A project of recordings whose board has a sensor, built for this computer and an emulated board."""
    folder = tmp_path_factory.mktemp("record")
    made = project.generate(recordings(), "gestures", [load_board("qemu-m0")], folder / "project")
    (made.folder / "src" / "sensor.c").write_text(SENSOR)
    building.build(made, [building.NATIVE, "qemu-m0"])
    return made


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Path]:
    """A network for small pictures, and a program that runs it without a sensor."""
    folder = tmp_path_factory.mktemp("deaf")
    network = network_of((8, 8), "uint8", {}, highest=16)
    return network, compile_application(project.generate(network, "net", [], folder / "p"), folder / "program")


# ---- On the board ----


def asked(target: ApplicationTarget, content: bytes, kind: bytes) -> bytes:
    target.stream.write(content)
    return frames.FrameReader(target.stream).read(kind, 10)


def test_a_board_plays_what_was_loaded_and_nothing_else(deaf: tuple[Network, Path]) -> None:
    network, program = deaf
    samples = raw(network, 3)
    with targets.open_native(program) as target:
        for sample in samples:
            assert np.array_equal(target.sample(sample), sample)
        assert np.array_equal(target.sample(), samples[-1])  # once more, for nothing has come in its place
        identity = asked(target, frames.encode(frames.IDENTIFY), frames.IDENTIFY)
        assert len(identity) > 32
        assert np.array_equal(target.sample(), samples[-1])
        damaged = frames.encode(frames.CLASSIFY, bytes(64))[:-1] + b"\0"
        for gone in (frames.encode(frames.CLASSIFY, bytes(64)), damaged, frames.encode(frames.LOAD, bytes(60))):
            asked(target, frames.encode(frames.LOAD, samples[0].tobytes()), frames.LOAD)
            target.stream.write(gone)
            time.sleep(0.05)
            with pytest.raises(TargetError):
                frames.FrameReader(target.stream).find(b"?", 0.2)
            with pytest.raises(TargetError, match="it has no sensor"):
                target.sample()
        # With the wrong length, either is refused and nothing is overwritten that has not come.
        with pytest.raises(TargetError, match="error 4"):
            asked(target, frames.encode(frames.SAMPLE, bytes(3)), frames.SAMPLE)


def test_a_sensor_of_a_file_of_its_own(made: project.Project, tmp_path: Path) -> None:
    with targets.open_native(building.program_path(made, building.NATIVE)) as target:
        ramp = np.arange(STEPS * CHANNELS, dtype=np.int16)
        assert np.array_equal(target.sample(), ramp)
        assert np.array_equal(target.sample(), ramp + 1)
        assert np.array_equal(target.sample(-ramp), -ramp)
        target.classify(ramp)
        assert np.array_equal(target.sample(), ramp + 2)
    # In C++ it has the name that the application calls.
    (tmp_path / "sensor.cpp").write_text(SENSOR)
    include = [f"-I{made.folder / 'src'}", f"-I{made.folder / 'lib' / 'bs4nn' / 'src'}"]
    compiler = require("g++", "g++")
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", *include, "-c", "sensor.cpp"], cwd=tmp_path, check=True)
    names = subprocess.run(["nm", tmp_path / "sensor.o"], capture_output=True, text=True, check=True).stdout
    assert " T application_read_sample\n" in names


# ---- Files ----


def kinds() -> dict[str, tuple[Network, str]]:
    """Networks by what their samples are, and where these are kept."""
    return {
        "recordings": (recordings(), "punch/punch-0001.csv"),
        "recordings in arrays": (
            network_of((4, 2), "int16", {"kind": "arrays", "scale": [10.0]}),
            "punch/punch-0001.csv",
        ),
        "pictures": (network_of((6, 9), "uint8", {"kind": "pictures"}), "punch/punch-0001.png"),
        "dim pictures": (network_of((8, 8), "uint8", {}, highest=16), "punch/punch-0001.png"),
        "sounds": (network_of((400,), "int16", {"kind": "sounds", "rate": 4000}), "punch/punch-0001.wav"),
        "rows": (network_of((5,), "int16", {"kind": "table", "scale": [1.0, 10.0, 100.0, 1.0, 1.0]}), "train.csv"),
        "rows of bytes": (network_of((7,), "uint8", {}), "train.csv"),
    }


@pytest.mark.parametrize("kind", kinds())
def test_what_was_recorded_is_a_data_set_again(kind: str, tmp_path: Path) -> None:
    network, first = kinds()[kind]
    samples = {label: raw(network, 6) for label in NAMES}
    for part in (slice(0, 2), slice(2, 6)):  # in two sessions
        for label, own in samples.items():
            kept = collecting.Collection(tmp_path / "data", label, network)
            for sample in own[part]:
                written = kept.add(sample)
            assert kept.files[-1] == written
            assert len(kept.files) == len(own[part])
    assert (tmp_path / "data" / first).is_file()
    loaded = datasets.load(str(tmp_path / "data"), reading=None)
    loaded = loaded.samples or loaded  # before stages: of sounds a network gets the spectrum
    assert sorted(loaded.class_names) == sorted(NAMES)
    found = np.concatenate([loaded.train_images, loaded.test_images])
    labels = np.concatenate([loaded.train_labels, loaded.test_labels])
    assert len(found) == 18
    for label, own in samples.items():
        again = found[labels == loaded.class_names.index(label)].astype(np.float64)
        wanted = own.astype(np.float64)
        if network.input.type == "uint8":
            wanted = np.rint(wanted * 255 / network.input.intensity_max)
        elif kind == "rows":  # another scale was found for them
            again = again / np.array(loaded.reading["scale"] if loaded.reading else 1.0)
            wanted = wanted / np.array([1.0, 10.0, 100.0, 1.0, 1.0])
        order, expected = np.lexsort(again.T[::-1]), np.lexsort(wanted.T[::-1])
        assert np.allclose(again[order], wanted[expected], rtol=1e-9)
    # And for the network: what its board has given, to the last bit.
    if first != "train.csv":
        path = tmp_path / "data" / first
        assert np.array_equal(files.read(path, network), samples["punch"][:1])
        assert files.listed([tmp_path / "data" / "punch"])[0] == path
    else:
        rows = files.read(tmp_path / "data" / first, network)
        assert np.array_equal(rows[:2], samples[NAMES[0]][:2])
        assert [row[-1] for row in csv.reader((tmp_path / "data" / first).open())] == [
            "label",
            *(label for count in (2, 4) for label in NAMES for _ in range(count)),
        ]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    network = recordings()
    (tmp_path / "wave").mkdir()
    (tmp_path / "wave" / "wave-0007.csv").write_text("mine")
    kept = collecting.Collection(tmp_path, "wave", network)
    assert kept.add(raw(network, 1)[0]).name == "wave-0008.csv"
    (tmp_path / "wave" / "wave-0009.csv").write_text("somebody else's")
    with pytest.raises(UserError, match="not overwritten"):
        kept.add(raw(network, 1)[0])
    assert (tmp_path / "wave" / "wave-0007.csv").read_text() == "mine"
    assert (tmp_path / "wave" / "wave-0009.csv").read_text() == "somebody else's"
    row = kinds()["rows"][0]
    (tmp_path / "train.csv").write_text("a,b,label\n1,2,x\n")
    with pytest.raises(UserError, match="other columns"):
        collecting.Collection(tmp_path, "x", row).add(raw(row, 1)[0])
    assert (tmp_path / "train.csv").read_text() == "a,b,label\n1,2,x\n"


@pytest.mark.parametrize("label", ["", " ", ".", "..", ".x", "a/b", "a\\b", "train", "Test", "val", "a\nb", "x" * 101])
def test_labels_that_name_no_class(label: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be the name of a class"):
        collecting.Collection(tmp_path / "data", label, recordings())
    assert not (tmp_path / "data").exists()


def test_samples_that_no_kind_of_file_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="4 x 5 x 2 values are kept in no kind of file"):
        collecting.Collection(tmp_path, "a", network_of((4, 5, 2), "uint8", {}))


# ---- The verbs ----


def test_record_plays_and_classify_answers_as_the_reference(made: project.Project, tmp_path: Path) -> None:
    network = made.network
    samples = raw(network, 5)
    np.save(tmp_path / "played.npy", samples.reshape(5, STEPS, CHANNELS))
    board = ("--board", "qemu-m0", "--quiet", "--json")
    done = run_tool(
        *("record", made.folder, *board, "--label", "punch", "-o", tmp_path / "data", "--play", tmp_path / "played.npy")
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["samples"] == 5
    read = np.concatenate([files.read(Path(file), network) for file in told["files"]])
    assert np.array_equal(read, samples)
    check_answers(run_tool("classify", made.folder, tmp_path / "data", *board), network, told["files"], samples)


def check_answers(
    done: subprocess.CompletedProcess[str], network: Network, names: list[str], samples: np.ndarray
) -> None:
    """One row a file, with what the reference answers."""
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["answers"]
    expected = reference.run(network, samples)
    assert [one["answer"] for one in answers] == expected.answer.tolist()
    assert [one["response_time"] for one in answers] == expected.response_time.tolist()
    assert [one["class"] for one in answers] == [network.class_names[one] for one in expected.answer]
    assert [one["file"] for one in answers] == names


def test_recording_ends_with_ctrl_c_and_keeps_what_is_whole(made: project.Project, tmp_path: Path) -> None:
    """Of the sensor, on this computer; what is there then is classified there, too."""
    command = [sys.executable, "-m", "bs4nn_tc", "record", str(made.folder), "--target", "native", "--label", "wave"]
    with subprocess.Popen(
        [*command, "-o", str(tmp_path), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        while not (tmp_path / "wave" / "wave-0003.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGINT)
        said, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    told = json.loads(said)
    there = sorted(str(path) for path in (tmp_path / "wave").iterdir())
    assert told["files"] == there
    assert 3 <= told["samples"] == len(there) < 20_000  # where the sensor ends
    ramps = np.arange(len(there))[:, None] + np.arange(STEPS * CHANNELS).astype(np.int16)
    found = np.concatenate([files.read(Path(path), made.network) for path in there])
    assert np.array_equal(found, ramps)
    done = run_tool("classify", made.folder, tmp_path / "wave", "--target", "native", "--quiet", "--json")
    check_answers(done, made.network, there, found)


def test_record_without_a_sensor_or_a_target(deaf: tuple[Network, Path], tmp_path: Path) -> None:
    network_file.save(deaf[0], tmp_path / "n.bs4nn")
    done = run_tool("record", tmp_path / "n.bs4nn", "--port", "/dev/none", "--label", "a", cwd=tmp_path)
    assert_refused(done, "/dev/none", status=4)
    assert not (tmp_path / "data").exists()


def tie_network() -> Network:
    """Three inputs of one spike each to three neurons: 0 and 1 fire with the first one, 2 with the third."""
    signs = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1]])
    return Network((Dense(signs, np.array([1, 1, 3])),), 4, input=Input((3,), 4), class_names=NAMES)


def test_who_comes_second(tool: Tool, tmp_path: Path) -> None:
    """By hand: which neuron fires next, how many steps later, and on silent samples how much less it has."""
    network = tie_network()
    network_file.save(network, tmp_path / "n.bs4nn")
    np.save(tmp_path / "x.npy", np.array([[4, 3, 2], [4, 0, 0], [0, 0, 0]], np.uint8))
    for target in ("reference", "kernel"):
        _, said, _ = tool("classify", tmp_path / "n.bs4nn", tmp_path / "x.npy", "--target", target, "--json")
        rows = json.loads(said)["answers"]
        keys = ("sample", "class", "response_time", "silent", "second_class", "steps_later", "potential_less")
        assert [tuple(row[key] for key in keys) for row in rows] == [
            (0, "rest", 0, False, "punch", 0, None),
            (1, "rest", 0, False, "punch", 0, None),
            (2, "rest", 4, True, "punch", None, 0),
        ]
    times, potentials = np.array([5, 2, 9, 7]), np.array([0, 4, 1, 3])
    assert second(times, potentials, 1, 16) == second(times, -potentials, 1, 16)
    found = second(np.array([16, 2, 16, 16]), np.array([0, 4, 1, 3]), 1, 16)
    assert found is not None
    assert (found.answer, found.steps, found.potential) == (3, None, None)
    found = second(np.array([16] * 4), np.array([0, 4, 1, 3]), 1, 16)
    assert found is not None
    assert (found.answer, found.steps, found.potential) == (3, None, 1)
    assert second(np.array([3]), np.array([1]), 0, 16) is None
    _, shown, _ = tool("classify", tmp_path / "n.bs4nn", tmp_path / "x.npy")
    assert "silent" in shown
    assert "punch, 0 later" in shown


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.bin", b"", "is no file of samples; taken are .npy"),
        ("x.npy", b"none", "x.npy"),
        ("x.csv", b"a,b\n1,2\n", "1 values a row; 3 are needed"),
        ("x.csv", b"1,2,9\n", "a value of 9; the network takes 0 to 4"),
        ("missing.npy", None, "missing.npy"),
        ("empty", None, "holds no file of samples"),
    ],
)
def test_files_that_cannot_be_classified(
    name: str, content: bytes | None, words: str, tool: Tool, tmp_path: Path
) -> None:
    network_file.save(tie_network(), tmp_path / "n.bs4nn")
    (tmp_path / "empty").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, _, said = tool("classify", tmp_path / "n.bs4nn", tmp_path / name)
    assert status == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said


def test_pictures_are_read_for_the_network(tool: Tool, tmp_path: Path) -> None:
    """Of another size, colour and depth; ink of the other kind is told of. Scaled by hand: means of 2 x 2 squares."""
    network = network_of((4, 4), "uint8", {}, highest=16)
    assert network.data is not None
    network = dataclasses.replace(network, data=dataclasses.replace(network.data, polarity="bright"))
    network_file.save(network, tmp_path / "n.bs4nn")
    grey = np.zeros((8, 8), np.uint8)
    grey[2:6, 2:4] = 255
    Image.fromarray(grey).convert("RGB").save(tmp_path / "ink.png")
    Image.fromarray(255 - grey).save(tmp_path / "dark.png")
    expected = np.zeros((4, 4), np.uint8)
    expected[1:3, 1] = 16
    assert files.read(tmp_path / "ink.png", network).tolist() == [expected.reshape(-1).tolist()]
    assert files.read(tmp_path / "dark.png", network).tolist() == [(16 - expected).reshape(-1).tolist()]
    status, said, notes = tool("classify", tmp_path / "n.bs4nn", tmp_path, "--json")
    assert status == 0
    assert notes.splitlines() == [
        f"note: {tmp_path}/dark.png has dark ink, and the network has learned bright ink: invert it"
    ]
    told = json.loads(said)["answers"]
    assert [Path(one["file"]).name for one in told] == ["dark.png", "ink.png"]
    assert [one["sample"] for one in told] == [None, None]
    pixels = np.stack([16 - expected, expected]).reshape(2, 16)
    assert [one["answer"] for one in told] == reference.run(network, pixels).answer.tolist()
    np.save(tmp_path / "x.npy", pixels)
    status, _, said = tool("classify", tmp_path / "n.bs4nn", tmp_path / "ink.png", tmp_path / "x.npy", "--quiet")
    assert status == 0
    network_file.save(recordings(), tmp_path / "r.bs4nn")
    status, _, said = tool("classify", tmp_path / "r.bs4nn", tmp_path / "ink.png")
    assert status == 2
    assert "ink.png is a picture; the network takes 12 x 3 values of int16" in said


@pytest.mark.parametrize(
    ("shape", "options", "ending"),
    [
        ("12x3", [], ".csv"),
        ("400", ["--rate", "4000"], ".wav"),
        ("5", [], "train.csv"),
        ("6x9", ["--type", "uint8"], ".png"),
    ],
)
def test_a_blank_network_records_before_anything_has_learned(
    shape: str, options: list[str], ending: str, tool: Tool, tmp_path: Path
) -> None:
    status, _, said = tool("blank", shape, *options, "-o", tmp_path / "blank.bs4nn")
    assert status == 0, said
    network = network_file.load(tmp_path / "blank.bs4nn")
    assert network.input.shape == tuple(map(int, shape.split("x")))
    samples = raw(network, 3)
    kept = collecting.Collection(tmp_path / "data", "a", network)
    assert str(kept.add(samples[0])).endswith(ending)
    assert np.array_equal(files.read(kept.files[0], network)[0], samples[0])
    upper = samples if kept.files[0].suffix == ".png" else ((samples.astype(int) + 32768 + 128) // 256).clip(max=255)
    assert np.array_equal(network.input.prepare(samples), upper)


@pytest.mark.parametrize("shape", ["", "0", "x", "3x", "70000", "300x300", "1x2x3x4", "-3", "3.5"])
def test_shapes_that_no_sample_has(shape: str, tool: Tool, tmp_path: Path) -> None:
    status, _, said = tool("blank", "-o", tmp_path / "blank.bs4nn", "--", shape)
    assert status == 2
    assert said.count("\n") == 1
    assert not (tmp_path / "blank.bs4nn").exists()
