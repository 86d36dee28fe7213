"""Projects built by PlatformIO, run on this computer and on emulated boards, compared with the reference."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, VerificationError
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import frames, verify
from bs4nn_tc.targets.stream import ProcessStream

EMULATED = ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33"]


@pytest.fixture(scope="module")
def network() -> Network:
    """Odd sizes, thresholds of their own, a delay, hidden neurons at places of their own as after `train`."""
    rng = np.random.default_rng(4)
    network = random_network(rng, (64, 45, 33, 10), delay=1, intensity_max=16)
    return dataclasses.replace(network, order=(rng.permutation(45), rng.permutation(33)))


@pytest.fixture(scope="module")
def made(network: Network, tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    """A project for all emulated boards, built, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("a project") / "odd one"
    made = project.generate(network, "odd", [boards.load_board(board) for board in EMULATED], folder)
    building.build(made, [building.NATIVE, *EMULATED])
    return made


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(5)
    return (rng.integers(0, 17, (60, 64)) * (rng.random((60, 64)) < 0.5)).astype(np.uint8)


def open_target(made: project.Project, environment: str) -> targets.ApplicationTarget:
    program = building.program_path(made, environment)
    if environment == building.NATIVE:
        return targets.open_native(program)
    return targets.open_emulator(boards.load_board(environment), program)


@pytest.mark.parametrize("environment", [building.NATIVE, *EMULATED])
def test_every_target_equals_the_reference(
    environment: str, made: project.Project, network: Network, images: np.ndarray
) -> None:
    expected = reference.run(network, images)
    with open_target(made, environment) as target:
        assert target.identity.digest == network.digest
        assert target.identity.board == environment
        assert "self-test passed" in target.text
        report = verify.verify(target, "test", network, images, expected)
    assert report.first_difference is None
    assert report.verified
    assert report.equal == len(images)


def test_the_small_kernel_equals_the_reference(network: Network, images: np.ndarray, tmp_path: Path) -> None:
    network_file.save(network, tmp_path / "odd.bs4nn")
    done = run_tool("generate", "odd.bs4nn", "--board", "qemu-m0", "--kernel", "small", "-o", "project", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = project.open_project(tmp_path / "project")
    expected = reference.run(network, images)
    for build in building.build(made, [building.NATIVE, "qemu-m0"]):
        symbols = building.read_elf(build.program).symbols
        assert "bs4nn_part_odd_layer1_columns" in symbols
        with open_target(made, build.environment) as target:
            assert verify.verify(target, "test", network, images, expected).equal == len(images)
    kernel = made.folder / "lib" / "bs4nn" / "src"
    assert not (kernel / "bs4nn_run.c").exists()
    assert (kernel / "bs4nn_small.c").exists()


@pytest.mark.parametrize("environment", EMULATED)
def test_elf_holds_exactly_what_was_planned(environment: str, made: project.Project) -> None:
    sizes = building.read_elf(building.program_path(made, environment))
    building.check_plan(made, sizes, environment)
    assert len(made.items) == 14
    board = boards.load_board(environment)
    flash = sum(item.bytes for item in made.items if item.memory == "flash")
    ram = sum(item.bytes for item in made.items if item.memory == "ram")
    assert flash < sizes.flash <= flash + board.reserved_flash_bytes
    assert ram < sizes.ram <= ram + board.reserved_ram_bytes


def test_a_wrong_plan_is_noticed(made: project.Project) -> None:
    sizes = building.read_elf(building.program_path(made, "qemu-m4"))
    sizes.symbols["bs4nn_part_odd_layer1_columns"] += 4
    with pytest.raises(VerificationError, match="bs4nn_part_odd_layer1_columns"):
        building.check_plan(made, sizes, "qemu-m4")


def test_a_difference_is_found_and_named(made: project.Project, network: Network, images: np.ndarray) -> None:
    expected = reference.run(network, images)
    expected.firing_times[1][7, 31] += 1
    with open_target(made, building.NATIVE) as target:
        report = verify.verify(target, "native", network, images, expected)
    assert not report.verified
    assert report.equal == len(images) - 1
    assert report.first_difference is not None
    assert report.first_difference.image == 7
    assert report.first_difference.where == "firing time of layer 2, neuron 31"


@pytest.mark.parametrize("sizes", [(784, 600, 600, 10), (784, 4096, 10)])
def test_wide_and_deep_networks_on_a_cortex_m7(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """More than 1,024 neurons in a layer, weights of more than 64 KB, several hidden layers; neurons at places."""
    rng = np.random.default_rng(len(sizes))
    network = random_network(rng, sizes, time_steps=256, delay=len(sizes) % 2)
    order = tuple(rng.permutation(layer.neurons) for layer in network.layers[:-1])
    network = dataclasses.replace(network, order=order)
    images = (rng.integers(0, 256, (12, 784)) * (rng.random((12, 784)) < 0.2)).astype(np.uint8)
    made = project.generate(network, "wide", [boards.load_board("qemu-m7")], tmp_path / "project")
    expected = reference.run(network, images)
    for environment in (building.NATIVE, "qemu-m7"):
        building.build(made, [environment])
        with open_target(made, environment) as target:
            report = verify.verify(target, environment, network, images, expected)
        assert report.verified, report.first_difference


def test_projects_build_side_by_side(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (16, 8, 3), intensity_max=16)
    network_file.save(network, tmp_path / "n.bs4nn")
    command = [sys.executable, "-m", "bs4nn_tc"]
    for name in ("one", "two", "three"):
        subprocess.run([*command, "generate", "n.bs4nn", "--board", "qemu-m0", "-o", name], cwd=tmp_path, check=True)
    running = [
        subprocess.Popen([*command, "build", name], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    for process in running:
        _, failed = process.communicate(timeout=120)
        assert process.returncode == 0, failed


def test_stale_firmware_is_named(made: project.Project, network: Network, images: np.ndarray) -> None:
    signs = np.array(network.layers[-1].signs)
    signs[0, 0] *= -1
    other = Network(
        (*network.layers[:-1], Dense(signs, network.layers[-1].thresholds)), 16, 1, network.readout_step, network.input
    )
    with open_target(made, building.NATIVE) as target, pytest.raises(TargetError, match="stale"):
        verify.verify(target, "native", other, images, reference.run(other, images))


def test_verify_by_the_command_line_and_a_changed_weight(made: project.Project, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns(".pio"))
    call = ("verify", folder, "--target", "native", "--dataset", "digits", "--json")
    done = run_tool(*call)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verified"]
    assert report["results"][0]["equal"] == report["results"][0]["images"] == 355
    source = folder / "src" / "bs4nn_net_odd.c"
    text = source.read_text()
    start = text.index("/* neurons 0 to 31 */")
    word = text[start:].split("0x")[21][:8]  # of input 20, which is seldom black
    source.write_text(text[:start] + text[start:].replace(word, f"{int(word, 16) ^ 0xFF:08X}", 1))
    assert_refused(run_tool(*call), "native", "self-test FAILED", status=1)
    application = folder / "src" / "main.c"
    text = application.read_text()
    test = "self_test(&net) == APPLICATION_SELF_TESTS"
    assert text.count(test) == 1
    application.write_text(text.replace(test, "self_test(&net) <= APPLICATION_SELF_TESTS"))  # passes, whatever it finds
    done = run_tool(*call)
    assert done.returncode == 1, done.stderr
    assert not json.loads(done.stdout)["verified"]
    assert "differs" in done.stderr


@pytest.mark.parametrize("environment", [building.NATIVE, "qemu-m3"])
def test_the_project_stands_alone(environment: str, made: project.Project, tmp_path: Path) -> None:
    """Moved elsewhere, built and run by plain PlatformIO, with an empty home and nothing of this tool around."""
    folder = tmp_path / "moved to" / "another place"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns(".pio"))
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    command = [sys.executable, "-m", "platformio", "run", "-e", environment, "-t", "exec"]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**keep, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "self-test passed" in done.stdout
    assert time.monotonic() - started < 50, "PlatformIO has waited for its registry"


def test_a_network_without_hidden_layers(tmp_path: Path, images: np.ndarray) -> None:
    flat = random_network(np.random.default_rng(9), (64, 20), intensity_max=16)
    made = project.generate(flat, "flat", [boards.load_board("qemu-m0")], tmp_path / "flat")
    building.build(made, [building.NATIVE, "qemu-m0"])
    for environment in (building.NATIVE, "qemu-m0"):
        with open_target(made, environment) as target:
            assert verify.verify(target, "test", flat, images, reference.run(flat, images)).verified


# ---- Frames ----


class Canned:
    """A stream that says what it was given."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def write(self, content: bytes) -> None:
        """Nobody listens."""

    def read(self, count: int, deadline: float) -> bytes:
        """The next bytes, a few at a time."""
        if not self._content:
            raise TargetError("does not answer")
        taken, self._content = self._content[:3], self._content[3:]
        return taken

    def close(self) -> None:
        """Nothing to close."""


def test_frames_are_as_the_protocol_says() -> None:
    """Worked out by hand from firmware/src/protocol.h: CRC-16/CCITT-FALSE of "123456789" is 0x29B1."""
    frame = frames.encode(b"1", b"")
    assert frame[:6] == b"\xb51\x00\x00\x00\x00"
    import binascii  # noqa: PLC0415

    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    assert struct.unpack("<H", frame[-2:])[0] == binascii.crc_hqx(frame[1:-2], 0xFFFF)


def test_text_between_frames_is_skipped() -> None:
    reader = frames.FrameReader(
        Canned(b"hello\r\n" + frames.encode(b"T", b"payload") + b"bye" + frames.encode(b"C", b""))
    )
    assert reader.read(b"T", 1) == b"payload"
    assert reader.read(b"C", 1) == b""
    assert bytes(reader.text) == b"hello\r\nbye"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (frames.encode(b"T", b"abc")[:-1] + b"\x00", "damaged"),
        (frames.encode(b"C", b"abc"), "kind"),
        (b"\xb5T\xff\xff\xff\xff", "limit"),
        (frames.encode(b"E", b"\x04"), "another size"),
        (frames.encode(b"T", b"abc")[:-3], "does not answer"),
        (b"no frame at all", "does not answer"),
    ],
)
def test_bad_frames_end_in_a_clear_error(content: bytes, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        frames.FrameReader(Canned(content)).read(b"T", 0.1)


@pytest.mark.parametrize("environment", [building.NATIVE, "qemu-m0"])
def test_the_application_survives_bad_frames(environment: str, made: project.Project, images: np.ndarray) -> None:
    """Garbage, a wrong checksum, wrong lengths and unknown kinds; then it classifies as before."""
    with open_target(made, environment) as target:
        before = target.classify(images[0])
        stream = target._stream
        good = frames.encode(frames.CLASSIFY, images[0].tobytes())
        for bad in (
            b"garbage without a start",
            good[:-1] + bytes([good[-1] ^ 1]),
            frames.encode(frames.CLASSIFY, b"short"),
            frames.encode(b"?", b""),
            frames.START + frames.CLASSIFY + struct.pack("<I", 1 << 30),
        ):
            stream.write(bad)
        for _ in range(4):
            with pytest.raises(TargetError, match="reports error"):
                target._reader.read(frames.CLASSIFY, 5)
        assert target.classify(images[0]) == before
        with pytest.raises(TargetError, match="too bright"):
            target.classify(np.full(64, 200, np.uint8))
        assert target.classify(images[0]) == before


def test_a_program_that_dies_is_named() -> None:
    stream = ProcessStream([sys.executable, "-c", "import sys; sys.exit('out of coffee')"], "the program")
    with pytest.raises(TargetError, match=r"native: the program has ended .*coffee"):
        targets.ApplicationTarget(stream, "native")


def test_a_missing_program_is_named(made: project.Project) -> None:
    with pytest.raises(TargetError, match="build the project first"):
        targets.open_native(made.folder / "nothing")


def test_the_authors_network_on_all_boards(authors: Network, data_dir: Path, tmp_path: Path) -> None:
    """Everything in one command: 1,000 images on each of the five emulated cores."""
    network_file.save(authors, tmp_path / "authors.bs4nn")
    options = [word for board in EMULATED for word in ("--board", board)]
    assert run_tool("generate", "authors.bs4nn", *options, "-o", "p", cwd=tmp_path).returncode == 0
    call = (
        "verify",
        "p",
        "--target",
        "emulator",
        "--dataset",
        "mnist",
        "--data-dir",
        data_dir,
        "--images",
        "1000",
        "--json",
    )
    done = run_tool(*call, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(result["board"], result["equal"]) for result in results] == [(board, 1000) for board in EMULATED]
    done = run_tool("verify", "p", "--target", "serial", "--port", "/dev/nothing", "--dataset", "digits", cwd=tmp_path)
    assert_refused(done, "64 pixels")
