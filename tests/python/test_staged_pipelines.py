"""Some of the random pipelines as networks on emulated cores: the same values after every stage, the same answers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import bare
import naive
import naive_stages
import numpy as np
import pipelines
import pytest
from conftest import random_network

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import names, pack, render, stages
from bs4nn_tc.device.kernels import FAST
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import STAGES, OnOff, Spectrum, of_type

COUNT = 16

MAIN = """
#include "board.h"
%(includes)s
%(data)s
static uint32_t workspace[%(words)d];
static void say(uint32_t value, char end)
{
    char text[11];
    int i = 11;
    text[--i] = end;
    do {
        text[--i] = (char)('0' + value %% 10u);
        value /= 10u;
    } while (value > 0u);
    board_write(&text[i], (size_t)(11 - i));
}
static void say_checksum(const void *values, uint32_t bytes)
{
    uint32_t sum = UINT32_MAX; /* CRC-32 */
    for (uint32_t i = 0; i < bytes; i++) {
        sum ^= ((const uint8_t *)values)[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = (sum >> 1) ^ ((sum & 1u) != 0u ? 0xEDB88320u : 0u);
        }
    }
    say(~sum, ' ');
}
static void say_result(const bs4nn_result_t *result)
{
    say(result->answer, ' ');
    say(result->response_time, ' ');
    say(result->spikes, '\\n');
}
int main(void)
{
    bs4nn_t net;
    bs4nn_result_t result;
    board_init();
%(calls)s
    board_exit(0);
    return 0;
}
"""


@dataclass(frozen=True)
class Staged:
    """A network behind a pipeline, with samples (N, values), and what the naive simulator says of it all."""

    network: Network
    samples: np.ndarray

    @property
    def lines(self) -> list[str]:
        """For each sample a checksum a stage, then the answer, its step and the spikes."""
        taken, said = self.network.input, []
        for sample in self.samples:
            flowing = naive_stages.Sample(sample.tolist(), taken.shape, taken.sample.highest)
            sums = []
            for stage, after in zip(taken.stages, taken.passed[1:], strict=True):
                flowing = naive_stages.STAGES[stage.kind](stage, flowing)
                sums.append(zlib.crc32(np.array(flowing.values, after.dtype).tobytes()))
            outcome = naive.run(self.network, sample.tolist())
            said.append(" ".join(map(str, (*sums, outcome.answer, outcome.response_time, outcome.spikes))))
        return said


def staged(pipeline: pipelines.Pipeline, seed: int) -> Staged | None:
    """A network that takes what a pipeline makes; None if none does."""
    taken = pipeline.passed[0]
    try:
        input_ = Input(taken.shape, min(taken.highest, 255), pipeline.stages, taken.type)
    except UserError:
        return None
    layers = random_network(np.random.default_rng(seed), (input_.passed[-1].count, 9, 4)).layers
    return Staged(Network(layers, 16, input=input_), pipeline.samples)


def by_hand() -> list[pipelines.Pipeline]:
    """What a sound and a gesture go through: two windows of 32 ms, and six channels."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 3000, (2, 640)).cumsum(axis=1).round().clip(-32_768, 32_767).astype(np.int16)
    gesture = rng.integers(-2000, 2000, (2, 40 * 6)).astype(np.int16)
    found = []
    for chosen, shape, samples in (
        (Spectrum.mel(16_000, 512, 128, 16), (640,), sound),
        (OnOff((0, 9, -9, 20, 100, -100), (40,) * 6, (30,) * 6, 8), (40, 6), gesture),
    ):
        values = of_type(shape, "int16")
        found.append(pipelines.Pipeline((chosen,), [values, chosen.after(values)], samples))
    return found


@pytest.fixture(scope="module")
def sample() -> list[Staged]:
    """The first drawn pipelines that a network takes and that bring a new kind, or fill up the rest."""
    rng = np.random.default_rng(7)
    chosen = [one for number, pipeline in enumerate(by_hand()) if (one := staged(pipeline, number)) is not None]
    kinds: set[str] = set()
    while len(chosen) < COUNT:
        pipeline = pipelines.drawn_pipeline(rng)
        new = {stage.kind for stage in pipeline.stages} - kinds
        one = staged(pipeline, len(chosen)) if new or len(kinds) == len(STAGES) else None
        if one is not None:
            chosen.append(one)
            kinds |= new
    assert kinds == set(STAGES)
    return chosen


@pytest.mark.parametrize("name", ["qemu-m0", "qemu-m4"])
def test_networks_behind_pipelines(sample: list[Staged], name: str, tmp_path: Path) -> None:
    includes, data, calls, words, expected = [], [], [], 1, []
    sources = set()
    for number, one in enumerate(sample):
        net, packed, taken = f"net{number}", pack.pack(one.network), one.network.input
        c_name = names.c_name(net)
        for file, text in render.render_network(one.network, packed, net).items():
            (tmp_path / file).write_text(text)
        words = max(words, stages.plan(taken, packed.workspace_words, net).workspace_words)
        sources.update(path for path in stages.files(taken) if path.suffix == ".c")
        includes.append(f'#include "{c_name}.h"')
        values = ", ".join(map(str, one.samples.ravel().tolist()))
        data.append(f"static const {taken.type}_t samples{number}[] = {{{values}}};")
        calls.append(f"    (void){c_name}_init(&net, workspace, {c_name.upper()}_WORKSPACE_WORDS * 4u);")
        for first in range(0, one.samples.size, taken.sample.count):
            calls += [
                f"    say_checksum({c_name}_after_stages(&net, samples{number} + {first}, {stage}), {after.bytes});"
                for stage, after in enumerate(taken.passed[1:], start=1)
            ]
            calls.append(f"    (void){c_name}_classify(&net, samples{number} + {first}, &result);")
            calls.append("    say_result(&result);")
        expected += one.lines
    told = {"includes": "\n".join(includes), "data": "\n".join(data), "calls": "\n".join(calls), "words": words}
    (tmp_path / "main.c").write_text(MAIN % told)
    parts = [*sorted(tmp_path.glob("*.c")), *sorted(sources), *FAST.sources]
    program = bare.link(load_board(name), parts, ["-O2", f"-I{tmp_path}"], tmp_path / "main.elf")
    done = bare.emulate(load_board(name), program)
    assert done.stdout.splitlines() == expected
