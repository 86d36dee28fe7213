"""One call from the raw sample to the answer: the C that is generated for networks with any stages."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import naive
import numpy as np
import pipelines
import pytest
from conftest import random_network, require

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.codegen import pack, render, stages
from bs4nn_tc.device.kernels import KERNELS, STAGES
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
NETWORKS, SAMPLES = 10, 3

# Of one network: memory of the exact sizes, which the sanitizers watch, and a workspace that holds anything.
PROGRAM = """
#include "bs4nn_net_%(name)s.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int run_%(name)s(void);
int run_%(name)s(void)
{
    const size_t bytes = %(NAME)s_WORKSPACE_WORDS * 4u;
    uint32_t *workspace = (uint32_t *)malloc(bytes);
    %(ctype)s *sample = (%(ctype)s *)malloc(%(NAME)s_SAMPLE_BYTES);
    %(ctype)s *before = (%(ctype)s *)malloc(%(NAME)s_SAMPLE_BYTES);
    uint16_t times[%(NAME)s_NEURONS];
    int32_t potentials[%(NAME)s_OUTPUTS];
    bs4nn_trace_t trace = {times, potentials};
    bs4nn_t net;
    bs4nn_result_t result;
    if (%(lower)s_init(&net, workspace, bytes - 4u) != BS4NN_ERROR_WORKSPACE
        || %(lower)s_classify(&net, sample, &result) != BS4NN_ERROR_ARGUMENT
        || %(lower)s_init(&net, workspace, bytes) != 0
        || %(lower)s_classify(&net, NULL, &result) != BS4NN_ERROR_ARGUMENT) {
        return 1;
    }
    for (int k = 0; k < %(samples)s; k++) {
        if (fread(sample, %(NAME)s_SAMPLE_BYTES, 1, stdin) != 1) {
            return 2;
        }
        memcpy(before, sample, %(NAME)s_SAMPLE_BYTES);
        memset(workspace, 0xA5 + k, bytes);
        int answer = %(lower)s_classify(&net, sample, &result);
        printf("%%d %%u %%lu", answer, (unsigned)result.response_time, (unsigned long)result.spikes);
        if (%(lower)s_trace(&net, sample, &trace, NULL) != answer
            || memcmp(before, sample, %(NAME)s_SAMPLE_BYTES) != 0) {
            return 3;
        }
        for (unsigned j = 0; j < %(NAME)s_NEURONS; j++) {
            printf(" %%u", times[j]);
        }
        printf("\\n");
    }
    free(workspace);
    free(sample);
    free(before);
    return 0;
}
"""


def with_pipeline(rng: np.random.Generator) -> tuple[Network, np.ndarray]:
    """A random network behind random stages, and samples."""
    while True:
        drawn = pipelines.drawn_pipeline(rng)
        sample = drawn.passed[0]
        try:
            taken = Input(sample.shape, 255, drawn.stages, sample.type)
        except UserError:  # what comes out are no intensities
            continue
        made = random_network(rng, (taken.passed[-1].count, 20, 4))
        return Network(made.layers, 16, input=taken), drawn.samples[:SAMPLES]


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Network, np.ndarray]]:
    rng = np.random.default_rng(6)
    return [with_pipeline(rng) for _ in range(NETWORKS)]


@pytest.fixture(scope="module")
def sources(drawn: list[tuple[Network, np.ndarray]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the C of all networks, and all.c, a program that runs them."""
    folder = tmp_path_factory.mktemp("drawn")
    names = [f"n{number}" for number in range(NETWORKS)]
    for name, (network, samples) in zip(names, drawn, strict=True):
        for file, text in render.render_network(network, pack.pack(network), name).items():
            (folder / file).write_text(text)
        said = {"name": name, "NAME": f"BS4NN_NET_{name.upper()}", "lower": f"bs4nn_net_{name}"}
        said |= {"ctype": stages.CTYPES[network.input.type], "samples": str(len(samples))}
        (folder / f"run_{name}.c").write_text(PROGRAM % said)
    parts = "".join(f'#include "bs4nn_net_{name}.c"\n#include "run_{name}.c"\n' for name in names)
    calls = " || ".join(f"run_{name}()" for name in names)
    (folder / "all.c").write_text(f"{parts}int main(void) {{ return {calls}; }}\n")
    return folder


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_answers_as_the_naive_simulator_in_exactly_the_planned_memory(
    kernel: str, drawn: list[tuple[Network, np.ndarray]], sources: Path, tmp_path: Path
) -> None:
    flags = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *WARNINGS]
    parts = [path for path in (*KERNELS[kernel].sources, *STAGES) if path.suffix == ".c"]
    command = [require("gcc", "gcc"), *flags, f"-I{resources.KERNEL}", sources / "all.c", *parts]
    subprocess.run([*command, "-o", tmp_path / "program"], check=True)
    content = b"".join(samples.tobytes() for _, samples in drawn)
    done = subprocess.run([tmp_path / "program"], input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    lines = iter(done.stdout.decode().splitlines())
    for network, samples in drawn:
        for sample in samples:
            expected = naive.run(network, sample.tolist())
            times = [time for layer in expected.firing_times for time in layer]
            assert [*map(int, next(lines).split())] == [
                *(expected.answer, expected.response_time, expected.spikes),
                *times,
            ], network.input.stages


@pytest.mark.parametrize("compiler", ["clang -std=c99", "g++ -x c++ -std=c++11", "arm-none-eabi-gcc -std=c99 -Os"])
def test_no_compiler_warns(compiler: str, sources: Path, tmp_path: Path) -> None:
    program, *flags = compiler.split()
    machine = ["-mcpu=cortex-m0", "-mthumb"] if program.startswith("arm") else []
    command = [require(program, "gcc g++ clang gcc-arm-none-eabi"), *flags, *machine, *WARNINGS, "-O1"]
    subprocess.run([*command, f"-I{resources.KERNEL}", "-c", sources / "all.c", "-o", tmp_path / "all.o"], check=True)


# ---- Where stages work ----


def lowest_words(sizes: list[int], scratch: list[int], in_place: list[bool], kernel: int) -> int:
    """No layout takes less: what is there at one time, of each choice of stages that work in place."""
    needs = []
    for chosen in itertools.product(*([False, True] if one else [False] for one in in_place)):
        most = kernel + sizes[-1]
        for k, (size, need) in enumerate(zip(sizes, scratch, strict=True)):
            read = 0 if k == 0 else sizes[k - 1]
            most = max(most, need + (max(read, size) if k and chosen[k] else read + size))
        needs.append(most)
    return min(needs)


def test_stages_have_room_of_their_own_and_no_more() -> None:
    """What a stage reads, writes and needs lie apart; pixels behind the kernel's words; hardly any is wasted."""
    rng = np.random.default_rng(0)
    least = 0
    for _ in range(300):
        count = int(rng.integers(1, 6))
        sizes, scratch = (rng.integers(low, 60, count).tolist() for low in (1, 0))
        in_place = (rng.random(count) < 0.5).tolist()
        kernel = int(rng.integers(1, 100))
        layout = stages.lay_out(sizes, scratch, in_place, kernel)
        assert layout.places[-1] >= kernel
        words = 0
        for k, (size, need) in enumerate(zip(sizes, scratch, strict=True)):
            used = [(layout.places[k], size), (layout.scratch[k], need)]
            if k and layout.places[k] == layout.places[k - 1]:
                assert in_place[k]
            elif k:
                used.append((layout.places[k - 1], sizes[k - 1]))
            taken = [word for first, length in used for word in range(first, first + length)]
            assert len(taken) == len(set(taken))
            words = max(words, *taken)
        assert max(words + 1, kernel + sizes[-1]) <= layout.words
        assert layout.words >= lowest_words(sizes, scratch, in_place, kernel)
        least += layout.words == lowest_words(sizes, scratch, in_place, kernel)
    assert least > 250
