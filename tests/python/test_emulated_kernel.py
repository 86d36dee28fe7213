"""Random networks on emulated cores: every kernel, with and without assembly, against the simulator.

Sixty networks are compiled into one firmware, which prints one checksum a network of everything it computes.
"""

from __future__ import annotations

from pathlib import Path

import bare
import many_networks
import naive
import numpy as np
import pytest

from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import names, pack, render
from bs4nn_tc.device.kernels import KERNELS, Kernel
from bs4nn_tc.model.network import Network

COUNT = 60

MAIN = """
#include "board.h"
#include "bs4nn.h"
{includes}
static uint32_t workspace[{words}];
static uint16_t times[{neurons}];
static int32_t potentials[{outputs}];
static uint32_t sum;

static void add(uint32_t value)
{{
    for (int shift = 0; shift < 32; shift += 8) {{
        sum = (sum ^ (value >> shift & 255u)) * 16777619u;
    }}
}}

static void run(const bs4nn_network_t *network, const uint8_t *images)
{{
    const bs4nn_trace_t trace = {{times, potentials}};
    uint8_t line[9];
    bs4nn_t net;
    sum = 2166136261u;
    add((uint32_t)bs4nn_init(&net, network, workspace, 4u * network->workspace_words));
    for (int k = 0; k < {images}; k++) {{
        bs4nn_result_t result;
        add((uint32_t)bs4nn_classify(&net, images, &result));
        add(result.response_time);
        add(result.spikes);
        add((uint32_t)bs4nn_trace(&net, images, &trace, &result));
        for (uint32_t j = 0; j < bs4nn_neurons(network); j++) {{
            add(times[j]);
        }}
        for (uint32_t j = 0; j < network->layers[network->hidden_layers].neurons; j++) {{
            add((uint32_t)potentials[j]);
        }}
        images += bs4nn_inputs(network);
    }}
    for (int digit = 0; digit < 8; digit++) {{
        line[digit] = (uint8_t)"0123456789abcdef"[sum >> (28 - 4 * digit) & 15u];
    }}
    line[8] = '\\n';
    board_write(line, 9);
}}

{data}
int main(void)
{{
    board_init();
{calls}
    board_exit(0);
    return 0;
}}
"""


def checksum(network: Network, images: np.ndarray) -> str:
    """FNV-1a of what the firmware adds, from the naive simulator."""
    values = [0]
    placed = [range(layer.neurons) for layer in network.layers]
    placed[: len(network.order)] = [places.tolist() for places in network.order]
    for image in images:
        expected = naive.run(network, image.tolist())
        values += [expected.answer, expected.response_time, expected.spikes, expected.answer]
        times = []
        for layer, places in zip(expected.firing_times, placed, strict=True):
            times += [layer[j] for j in places]  # a device reports its own order
        values += times + expected.readout_potential
    total = 2166136261
    for value in values:
        for byte in int(value & 0xFFFFFFFF).to_bytes(4, "little"):
            total = (total ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{total:08x}"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with the firmware's sources, and the checksums that it has to print."""
    folder = tmp_path_factory.mktemp("many")
    includes, data, calls, expected = [], [], [], []
    words = neurons = outputs = 0
    for seed in range(COUNT):
        rng = np.random.default_rng(10_000 + seed)
        network = many_networks.network(rng)
        images = many_networks.images(rng, network)
        name = f"net{seed}"
        for file, text in render.render_network(network, pack.pack(network), name).items():
            (folder / file).write_text(text)
        includes.append(f'#include "{names.c_name(name)}.h"')
        data.append(f"static const uint8_t images{seed}[] = {{{', '.join(map(str, images.ravel().tolist()))}}};")
        calls.append(f"    run(&{names.c_name(name)}, images{seed});")
        expected.append(checksum(network, images))
        words = max(words, pack.pack(network).workspace_words)
        neurons = max(neurons, sum(layer.neurons for layer in network.layers))
        outputs = max(outputs, network.outputs)
    text = MAIN.format(
        includes="\n".join(includes),
        data="\n".join(data),
        calls="\n".join(calls),
        words=words,
        neurons=neurons,
        outputs=outputs,
        images=len(images),
    )
    (folder / "main.c").write_text(text)
    return folder, expected


@pytest.mark.parametrize("in_c", [False, True], ids=["assembly", "C alone"])
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("name", ["qemu-m0", "qemu-m4"])
def test_sixty_networks(sources: tuple[Path, list[str]], name: str, kernel: Kernel, in_c: bool, tmp_path: Path) -> None:
    folder, expected = sources
    kernel = kernel.in_c if in_c else kernel
    board = load_board(name)
    flags = [kernel.optimization, f"-I{folder}", *kernel.defines]
    program = bare.link(board, [*sorted(folder.glob("*.c")), *kernel.sources], flags, tmp_path / "many.elf")
    done = bare.emulate(board, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == expected
