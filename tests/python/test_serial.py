"""Boards behind sockets and pseudo-terminals: emulated ones, through the code that talks to real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool
from emulated import emulated

from bs4nn_tc import targets
from bs4nn_tc.data import datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import emulator


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    emulated = [boards.load_board(name) for name in ("qemu-m0", "qemu-m3", "qemu-m4")]
    return project.generate(network, "far", emulated, tmp_path_factory.mktemp("serial") / "far")


def verify(made: project.Project, *ports: str, images: int = 100) -> subprocess.CompletedProcess[str]:
    named = [word for port in ports for word in ("--port", port)]
    return run_tool(
        *("verify", made.folder, "--target", "serial", *named, "--dataset", "digits"),
        *("--images", str(images), "--json", "--quiet"),
    )


@pytest.mark.parametrize(
    ("board", "options"), [("qemu-m0", ("--tcp", "0")), ("qemu-m3", ()), ("qemu-m4", ("--tcp", "0"))]
)
def test_verified_through_a_socket_and_a_terminal(made: project.Project, board: str, options: tuple[str, ...]) -> None:
    with emulated(made, board, *options) as (_, url):
        assert url.startswith("socket://127.0.0.1:" if options else "/dev/")
        for _ in range(2):  # clients come and go
            done = verify(made, url)
            assert done.returncode == 0, done.stderr
            (result,) = json.loads(done.stdout)["results"]
            assert (result["board"], result["images"], result["equal"]) == (board, 100, 100)


@pytest.mark.bounds
def test_two_boards_share_the_images(made: project.Project) -> None:
    with emulated(made, "qemu-m3", "--tcp", "0") as (_, one), emulated(made, "qemu-m4") as (_, two):
        done = verify(made, one, two, images=101)
        assert done.returncode == 0, done.stderr
        results = json.loads(done.stdout)["results"]
        assert {result["board"] for result in results} == {"qemu-m3", "qemu-m4"}
        assert sum(result["images"] for result in results) == sum(result["equal"] for result in results) == 101
        assert min(result["images"] for result in results) >= 50


def test_a_pulled_plug_is_one_line_and_keeps_what_was_compared(made: project.Project) -> None:
    with emulated(made, "qemu-m4", "--tcp", "0") as (process, url):
        command = [sys.executable, "-m", "bs4nn_tc", "verify", str(made.folder), "--target", "serial", "--port", url]
        running = subprocess.Popen(
            [*command, "--dataset", "digits", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # Stopped as soon as somebody is connected, killed a moment later: in the middle of it.
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=0.5)
        os.killpg(process.pid, signal.SIGKILL)
        said, failed = running.communicate(timeout=60)
        assert running.returncode == 4, failed
        if said:  # it had begun
            report = json.loads(said)
            assert not report["verified"]
            (result,) = report["results"]
            assert result["images"] == result["equal"] < 355
            assert result["stopped"] in failed
        assert "Traceback" not in failed
        assert sum(line.startswith("error: ") for line in failed.splitlines()) == 1
    assert_refused(verify(made, url), "cannot open the serial port", status=4)
    with emulated(made, "qemu-m4", "--tcp", "0") as (_, url):
        assert verify(made, url).returncode == 0


def test_a_stale_board_is_not_believed(made: project.Project, tmp_path: Path) -> None:
    signs = np.array(made.network.layers[-1].signs)
    signs[0, 0] *= -1
    layers = (*made.network.layers[:-1], Dense(signs, made.network.layers[-1].thresholds))
    other = Network(layers, 16, input=Input(intensity_max=16))
    newer = project.generate(other, "far", [boards.load_board("qemu-m4")], tmp_path / "newer")
    with emulated(made, "qemu-m4") as (_, url):
        assert_refused(verify(newer, url), "stale", status=4)
        assert_refused(run_tool("profile", newer.folder, "--port", url, "--dataset", "digits"), "stale", status=4)


@pytest.mark.parametrize("options", [("--tcp", "0"), ()])
def test_a_running_board_is_flashed(options: tuple[str, ...], made: project.Project, tmp_path: Path) -> None:
    board = [boards.load_board("qemu-m4")]
    before = project.generate(made.network, "far", board, tmp_path / "far")
    with emulated(before, "qemu-m4", *options) as (_, url):
        assert verify(before, url).returncode == 0
        other = random_network(np.random.default_rng(1), (64, 40, 10), intensity_max=16)
        after = project.generate(other, "far", board, tmp_path / "far", force=True)
        assert_refused(verify(after, url), "stale", status=4)
        flashed = run_tool("flash", after.folder)
        assert flashed.returncode == 0, flashed.stderr
        time.sleep(1)  # it looks five times a second
        done = verify(after, url)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["results"][0]["equal"] == 100
    assert_refused(run_tool("flash", made.folder), "--board", "qemu-m0")
    assert_refused(run_tool("flash", made.folder, "--board", "qemu-m7"), "--board", "qemu-m0")


def test_profile_and_refusals(made: project.Project) -> None:
    with emulated(made, "qemu-m4") as (_, url):
        call = ("profile", made.folder, "--port", url, "--dataset", "digits", "--images", "30", "--json", "--quiet")
        done = run_tool(*call)
        assert done.returncode == 0, done.stderr
        row = json.loads(done.stdout)
        assert (row["board"], row["images"]) == ("qemu-m4", 30)
        assert row["ticks_max"] >= row["ticks_mean"] > 0
        assert row["microseconds_mean"] is None  # an emulated board has no time of its own
        # The same images on the same board, counted without a port between.
        board = boards.load_board("qemu-m4")
        images = datasets.load("digits").test_images[:30]
        with targets.open_emulator(board, building.flashed_path(made, "qemu-m4"), counting=True) as target:
            counted = [targets.instructions(board, target.profile(image)[1]) for image in images]
        assert row["instructions_mean"] == pytest.approx(np.mean(counted), abs=2)
        assert row["instructions_max"] == pytest.approx(max(counted), abs=2)
    assert_refused(run_tool("monitor", "--port", "/dev/no-such-port"), "/dev/no-such-port", status=4)
    assert_refused(run_tool("emulate", made.folder), "--board", "qemu-m0")


def test_a_clock_that_counts_nothing_gives_no_figures(made: project.Project) -> None:
    program = "from bs4nn_tc import cli\nfrom bs4nn_tc.targets import bridge\nbridge.COUNTING = ()\ncli.main()"
    with emulated(made, "qemu-m4", tool=("-c", program)) as (_, url):
        call = ("profile", made.folder, "--port", url, "--dataset", "digits", "--images", "20", "--quiet")
        done = run_tool(*call)
        assert done.returncode == 0, done.stderr
        assert "says nothing about a real one" in done.stdout
        assert "microseconds" not in done.stdout
        assert "instructions, mean" not in done.stdout


def test_counting_is_told_from_a_clock_of_this_computer() -> None:
    assert emulator.counts([100, 200, 300], [101, 198])
    assert not emulator.counts([100, 200, 300], [101, 203])
    assert not emulator.counts([0, 0], [0, 0])  # does not move at all
