"""Generated C: exact bytes, the same bytes every time, no warning from any compiler."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import jinja2
import numpy as np
import pytest
from conftest import ROOT, networks, random_network, require
from hypothesis import given, settings

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device import boards, kernels
from bs4nn_tc.device.codegen import memory, pack, project, render
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

GOLDEN = ROOT / "tests" / "golden"
KERNEL = ROOT / "firmware" / "lib" / "bs4nn" / "src"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
KERNEL_SOURCES = sorted({path for kernel in kernels.KERNELS.values() for path in kernel.sources} | {*kernels.STAGES})
CORES = ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]


def unpack_rows(rows: np.ndarray, neurons: int) -> np.ndarray:
    """Signs from packed rows, one bit at a time."""
    bits = rows.dtype.itemsize * 8
    return np.array([[1 if int(row[j // bits]) >> (j % bits) & 1 else -1 for row in rows] for j in range(neurons)])


@settings(max_examples=40, deadline=None)
@given(networks())
def test_packing_loses_nothing(network: Network) -> None:
    packed = pack.pack(network)
    every_row = [*(hidden.columns.T for hidden in packed.hidden), packed.output.rows]
    layers = network.placed().layers
    for rows, given_layer in zip(every_row, layers, strict=True):
        assert np.array_equal(unpack_rows(rows, given_layer.neurons), given_layer.signs)
        unused = rows.shape[1] * rows.dtype.itemsize * 8 - given_layer.neurons
        assert (rows[:, -1] >> (rows.dtype.itemsize * 8 - unused) == 0).all() or unused == 0
    for layer, given_layer in zip(packed.layers, layers, strict=True):
        group = layer.group
        if group.start is not None:
            for j, threshold in enumerate(pack.reachable_thresholds(given_layer).tolist()):
                *planes, odd = group.start[j // 32].tolist()
                lead = sum((plane >> (j % 32) & 1) << p for p, plane in enumerate(planes))
                assert group.threshold - 2 * lead - (odd >> (j % 32) & 1) == threshold


def test_neurons_go_to_their_places() -> None:
    """The neuron at place k of the order is lane k of the columns, and input k of the layer above."""
    rng = np.random.default_rng(5)
    signs = [rng.choice([-1, 1], shape) for shape in ((70, 9), (3, 70))]
    thresholds = rng.integers(1, 9, 70)
    places = rng.permutation(70)
    packed = pack.pack(Network((Dense(signs[0], thresholds), Dense(signs[1], 2)), 16, order=(places,)))
    assert np.array_equal(unpack_rows(packed.hidden[0].columns.T, 70), signs[0][places])
    assert np.array_equal(unpack_rows(packed.output.rows, 3), signs[1][:, places])


def test_golden_sources_and_the_same_bytes_twice() -> None:
    """Frozen: whoever changes the generator sees here what changes in every user's project."""
    sys.path.insert(0, str(GOLDEN))
    import make  # noqa: PLC0415

    for name, network in make.networks().items():
        files = render.render_network(network, pack.pack(network), name)
        assert files == render.render_network(network, pack.pack(network), name)
        for file, text in files.items():
            assert text == (GOLDEN / "network" / file).read_text(encoding="utf-8")
    first = make.networks()["first"]
    for file, text in render.render_application(first, pack.pack(first), "first").items():
        assert text == (GOLDEN / "network" / file).read_text(encoding="utf-8")


def test_two_projects_of_one_network_are_equal(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (30, 40, 3))
    board = [boards.load_board("qemu-m4")]
    for name in ("a", "b"):
        project.generate(network, "net", board, tmp_path / name)
    contents = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    assert not any(str(tmp_path).encode() in content for content in contents[0].values())


def compilers() -> list[list[str]]:
    """C99 and inclusion from C++, for this computer and all five cores."""
    hosts = [["gcc", "-std=c99"], ["g++", "-std=c++11", "-x", "c++"]]
    arm = [
        [f"arm-none-eabi-{name}", standard, f"-mcpu={core}", "-mthumb"]
        for core, (name, standard) in itertools.product(CORES, [("gcc", "-std=c99"), ("g++", "-std=c++11")])
    ]
    return [*hosts, *arm]


@pytest.mark.parametrize("compiler", compilers(), ids=lambda compiler: "-".join(compiler[:3]))
def test_no_compiler_warns(compiler: list[str], tmp_path: Path) -> None:
    require(compiler[0], "gcc-arm-none-eabi" if compiler[0].startswith("arm") else "gcc g++")
    include = [
        f"-I{path}" for path in (KERNEL, GOLDEN / "network", ROOT / "firmware/lib/board/src", ROOT / "firmware/src")
    ]
    if "++" in compiler[0]:
        source = tmp_path / "user.cpp"
        headers = '#include "bs4nn_net_first.h"\n#include "bs4nn_net_second.h"\n'
        source.write_text(f"{headers}int f() {{ return bs4nn_net_first.delay + bs4nn_net_second.delay; }}\n")
        sources = [source]
    else:
        port = "board_host.c" if compiler[0] == "gcc" else "board_semihosting.c"
        sources = [
            *(path for path in KERNEL_SOURCES if path.suffix == ".c"),
            GOLDEN / "network" / "bs4nn_net_first.c",
            GOLDEN / "network" / "bs4nn_net_second.c",
            GOLDEN / "network" / "application.c",
            ROOT / "firmware/src/main.c",
            ROOT / "firmware/src/protocol.c",
            ROOT / "firmware/lib/board/src" / port,
        ]
    macro = "-DBOARD_PORT_HOST" if compiler[0] in ("gcc", "g++") else "-DBOARD_PORT_SEMIHOSTING"
    variants = [(source, macro) for source in sources]
    variants += [(source, "-DBS4NN_PORTABLE") for source in sources if source in KERNEL_SOURCES]
    for source, defined in variants:
        command = [*compiler, *WARNINGS, "-O2", defined, *include, "-c", str(source), "-o", str(tmp_path / "out.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{source.name}: {done.stderr}"


@pytest.mark.parametrize("core", [*CORES, "cortex-m0plus", "cortex-m23", "cortex-m33+nodsp", "cortex-m55"])
def test_the_assembly_fits_every_core(core: str, tmp_path: Path) -> None:
    gcc = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    sources = [path for path in KERNEL_SOURCES if path.suffix == ".S"]
    assert len(sources) == 8
    for source in sources:
        command = [gcc, f"-mcpu={core}", "-mthumb", f"-I{KERNEL}", "-c", str(source), "-o", str(tmp_path / "out.o")]
        subprocess.run(command, check=True)


def test_the_host_library_compiles_without_a_warning(tmp_path: Path) -> None:
    for source in sorted((ROOT / "toolchain/bs4nn_tc/host").glob("*.c")):
        command = [require("gcc", "gcc"), "-std=gnu99", *WARNINGS, "-O3", "-c", str(source), "-o", str(tmp_path / "o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_structures_have_the_planned_sizes(tmp_path: Path) -> None:
    """A negative array size stops the compiler if the plan's idea of a structure is wrong."""
    source = tmp_path / "sizes.c"
    source.write_text(
        '#include "bs4nn.h"\n'
        f"char layer[sizeof(bs4nn_layer_t) == {memory.LAYER_STRUCT_BYTES} ? 1 : -1];\n"
        f"char network[sizeof(bs4nn_network_t) == {memory.NETWORK_STRUCT_BYTES} ? 1 : -1];\n"
    )
    command = [require("arm-none-eabi-gcc", "gcc-arm-none-eabi"), "-mcpu=cortex-m0", "-mthumb", f"-I{KERNEL}", "-c"]
    subprocess.run([*command, str(source), "-o", str(tmp_path / "sizes.o")], check=True)


def test_kernel_and_spec_have_the_same_format() -> None:
    assert f"#define BS4NN_FORMAT {render.KERNEL_FORMAT}\n" in (KERNEL / "bs4nn.h").read_text()
    assert f"## Generated C (format {render.KERNEL_FORMAT})\n" in (ROOT / "SPEC.md").read_text()


def test_a_network_of_another_format_stops_the_build(tmp_path: Path) -> None:
    header = (
        (KERNEL / "bs4nn.h")
        .read_text(encoding="utf-8")
        .replace(f"BS4NN_FORMAT {render.KERNEL_FORMAT}", "BS4NN_FORMAT 999")
    )
    (tmp_path / "bs4nn.h").write_text(header)
    command = [
        "gcc",
        f"-I{tmp_path}",
        f"-I{GOLDEN / 'network'}",
        "-c",
        str(GOLDEN / "network/bs4nn_net_first.c"),
        "-o",
        "/dev/null",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "generate it again" in done.stderr


def test_an_undefined_template_variable_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render.environment().from_string("{{ nothing }}").render()


def test_weights_take_one_bit_a_synapse_and_little_more() -> None:
    packed = pack.pack(Network((Dense(np.ones((600, 784)), 25), Dense(np.ones((10, 600)), 12)), 256))
    bits = 8 * (packed.hidden[0].columns.nbytes + packed.output.rows.nbytes)
    assert bits / (784 * 600 + 600 * 10) < 1.03


def test_refusal_says_by_how_many_bytes() -> None:
    plan = memory.Plan((memory.Item("x", "weights", "flash", 1000), memory.Item("y", "state", "ram", 100)))
    toy = dataclasses.replace(
        boards.load_board("qemu-m0"), flash_bytes=1500, ram_bytes=150, reserved_flash_bytes=500, reserved_ram_bytes=50
    )
    memory.check_fits(plan, "1-1", toy)
    assert memory.lacking(plan, toy) == {}
    with pytest.raises(UserError, match=r"1,500 bytes of flash .* 1,499 are there, 1 too few"):
        memory.check_fits(plan, "1-1", dataclasses.replace(toy, flash_bytes=1499))
    with pytest.raises(UserError, match=r"150 bytes of RAM .* 149 are there"):
        memory.check_fits(plan, "1-1", dataclasses.replace(toy, ram_bytes=149))
    assert memory.lacking(plan, dataclasses.replace(toy, flash_bytes=1400, ram_bytes=148)) == {"flash": 100, "RAM": 2}
    tight = dataclasses.replace(toy, flash_bytes=5001, reserved_flash_bytes=5000)
    with pytest.raises(UserError, match=r"999 too few; take the small kernel \(--kernel small\), fewer neurons"):
        memory.check_fits(plan, "1-1", tight)
    memory.check_fits(plan, "1-1", tight, kernels.SMALL)
