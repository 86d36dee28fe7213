"""Streams: steps are pushed one by one, and answered at every hop as the reference answers their windows."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pytest
from application import link_application
from conftest import SHARED, random_network, require

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.data import codings, datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import memory, package, project
from bs4nn_tc.device.codegen import pack as packing
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import SquareMeans

GESTURES = SHARED / "data" / "jobs" / "magic_wand.npz"


def stream_of(taken: Input, seed: int = 0) -> Network:
    """A random network that takes a stream."""
    made = random_network(np.random.default_rng(seed), (taken.passed[-1].count, 30, 5))
    return Network(made.layers, 16, input=taken)


def expected(network: Network, recording: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(steps so far, answer, response time, spikes), window by window, of the naive simulator."""
    window, hop = network.input.shape[0], network.input.hop
    found = []
    for end in range(1, len(recording) + 1):
        if end >= window and (end - window) % hop == 0:
            outcome = naive.run(network, recording[end - window : end].ravel().tolist())
            found.append((end, outcome.answer, outcome.response_time, outcome.spikes))
    return found


def told(network: Network, recording: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The same of the reference."""
    return [
        (end, int(one.answer[0]), int(one.response_time[0]), int(one.spikes[0]))
        for end, one in reference.stream(network, recording)
    ]


def pushed(target: targets.ApplicationTarget, recording: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The same of a target, step by step."""
    target.begin_stream()
    found = []
    for end, step in enumerate(recording, start=1):
        answer = target.push(step)
        if answer is not None:
            found.append((end, answer.answer, answer.response_time, answer.spikes))
    return found


@pytest.mark.parametrize("hop", [1, 3, 8])
@pytest.mark.parametrize("stages", [(), (SquareMeans(2),)])
def test_the_reference_answers_every_hop(hop: int, stages: tuple[SquareMeans, ...]) -> None:
    network = stream_of(Input((8, 2), 255, stages, hop=hop))
    recording = np.random.default_rng(1).integers(0, 256, (40, 2)).astype(np.uint8)
    found = told(network, recording)
    assert found == expected(network, recording)
    assert [end for end, *_ in found] == list(range(8, 41, hop))
    assert told(network, recording[:7]) == []


def test_recordings_that_are_no_stream_are_refused() -> None:
    with pytest.raises(UserError, match="a stream of 3 channels; this network takes 2"):
        next(reference.stream(stream_of(Input((8, 2), hop=1)), np.zeros((9, 3), np.uint8)))
    with pytest.raises(UserError, match="takes no stream: its input has no hop"):
        next(reference.stream(stream_of(Input((8, 2))), np.zeros((9, 2), np.uint8)))


@pytest.mark.parametrize(
    ("shape", "hop"), [((8, 2), 9), ((8,), 9), ((2, 2, 2), 1), ((), 1), ((8, 2), -1), ((8, 2), True)]
)
def test_hops_that_do_not_fit_are_refused(shape: tuple[int, ...], hop: int) -> None:
    with pytest.raises(UserError, match="hop of"):
        Input(shape, hop=hop)


def test_a_file_keeps_the_hop_and_the_digest_knows_it() -> None:
    """The digest computed by hand from SPEC.md; without a hop it is what it was."""
    network = Network((Dense([[1, -1]], 2),), 4, input=Input((2,), 9, hop=1))
    text = (
        b'{"delay":0,"input":{"hop":1,"intensity_max":9,"kind":"ramp","shape":[2],"stages":[]},'
        b'"layers":[{"kind":"dense","sizes":[2,1]}],"readout_step":3,"time_steps":4}'
    )
    assert network.digest == hashlib.sha256(text + bytes([0b01]) + b"\x02\x00").hexdigest()
    content = network_file.to_bytes(network)
    back = network_file.from_bytes(content)
    assert (back.digest, back.input) == (network.digest, network.input)
    without = replace(network, input=replace(network.input, hop=0))
    assert b"hop" not in network_file.to_bytes(without)
    assert without.digest == replace(network, input=Input((), 9)).digest != network.digest


def test_a_data_set_of_windows_hands_over_its_hop() -> None:
    loaded = datasets.load("digits-4x4")
    assert loaded.samples is not None
    windows = replace(loaded, hop=2, samples=replace(loaded.samples, hop=2))
    assert windows.input == Input((8, 8), 16, loaded.stages, hop=2)
    assert loaded.input.hop == 0


EXAMPLE = """
#include "bs4nn_net_wand.h"
#include <stdio.h>
static uint32_t workspace[BS4NN_NET_WAND_WORKSPACE_WORDS];
static bs4nn_net_wand_stream_t streams[2];
int main(void)
{
    %s step[BS4NN_NET_WAND_STEP_VALUES];
    bs4nn_t net;
    bs4nn_result_t result;
    int unbound;
    if (bs4nn_net_wand_init(&net, workspace, sizeof workspace) != 0) {
        return 1;
    }
    bs4nn_net_wand_stream_init(&streams[0]);
    bs4nn_net_wand_stream_init(&streams[1]);
    for (int n = 1; fread(step, sizeof step, 1, stdin) == 1; n++) {
        int first = bs4nn_net_wand_push(&streams[0], &net, step, &result);
        if (first == 1) {
            printf("%%d %%u %%u %%u\\n", n, result.answer, result.response_time, (unsigned)result.spikes);
        }
        if (bs4nn_net_wand_push(&streams[1], &net, step, NULL) != first) {
            return 2;
        }
    }
    net.network = NULL;
    bs4nn_net_wand_stream_init(&streams[0]);
    do {
        unbound = bs4nn_net_wand_push(&streams[0], &net, step, &result);
    } while (unbound == 0);
    return unbound == BS4NN_ERROR_ARGUMENT && bs4nn_net_wand_push(NULL, &net, step, &result) == BS4NN_ERROR_ARGUMENT
               && bs4nn_net_wand_push(&streams[0], &net, NULL, &result) == BS4NN_ERROR_ARGUMENT ? 0 : 3;
}
"""


@pytest.mark.parametrize(("hop", "compiler"), [(5, ["gcc", "-std=c99"]), (12, ["g++", "-x", "c++"])], ids=["c", "c++"])
def test_the_library_answers_every_hop(hop: int, compiler: list[str], tmp_path: Path) -> None:
    """Two streams side by side, in memory that the sanitizers watch."""
    taken = Input((12, 4), 255, (SquareMeans(2),), hop=hop)
    network = stream_of(taken)
    recording = np.random.default_rng(2).integers(0, 256, (60, 4)).astype(np.uint8)
    for file, text in package.package_files(network, "wand").items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    (tmp_path / "main.c").write_text(EXAMPLE % "uint8_t")
    flags = ["-O1", "-fsanitize=address,undefined", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    sources = [*(tmp_path / "src").glob("*.c"), tmp_path / "main.c"]
    program = [require(compiler[0], "gcc g++"), *compiler[1:], *flags, f"-I{tmp_path / 'src'}", *sources]
    subprocess.run([*program, "-o", tmp_path / "program"], check=True)
    done = subprocess.run([tmp_path / "program"], input=recording.tobytes(), capture_output=True, check=True)
    found = [tuple(map(int, line.split())) for line in done.stdout.decode().splitlines()]
    assert found == expected(network, recording)


def a_minute() -> tuple[Network, np.ndarray]:
    """Gestures of people, one after the other, and a network that codes their channels."""
    if not GESTURES.is_file():
        pytest.skip(f"NOT TESTED: {GESTURES} is missing")
    with np.load(GESTURES) as data:
        train, test = data["train_x"], data["test_x"]
    stages = codings.fit("on-off", train.reshape(len(train), -1), train.shape[2])
    taken = Input(test.shape[1:], 255, stages, "int16", hop=17)
    recording = np.concatenate([*test, *test[::-1], *test[::2]])[: 60 * 119]
    return stream_of(taken, seed=3), recording


def test_a_minute_of_gestures_on_an_emulated_board(tmp_path: Path) -> None:
    network, recording = a_minute()
    board = boards.load_board("qemu-m0")
    made = project.generate(network, "wand", [board], tmp_path / "wand")
    wanted = told(network, recording)
    assert len(wanted) > 400
    assert len({answer for _, answer, *_ in wanted}) > 2
    with targets.open_emulator(board, link_application(made, board, tmp_path / "wand.elf")) as target:
        target.expect(network)
        assert pushed(target, recording) == wanted
        with pytest.raises(TargetError, match="another size"):
            target.push(recording[0][:3])


def test_its_memory_is_in_the_plan(tmp_path: Path) -> None:
    network = stream_of(Input((9, 3), 255, hop=4))
    items = {item.symbol: item.bytes for item in memory.plan(network, packing.pack(network), "wand").items}
    assert items["application_sample"] == 27
    assert items["application_stream"] == 4 + 28
    board = boards.load_board("qemu-m4")
    made = project.generate(network, "wand", [board], tmp_path / "wand")
    elf = link_application(made, board, tmp_path / "wand.elf")
    building.check_plan(made, building.read_elf(elf), "qemu-m4")
