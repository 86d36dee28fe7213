"""One network whose input has a stage, from its data set to emulated boards: raw samples in, the same answers out."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import bare
import naive
import numpy as np
import pytest
from application import compile_application
from conftest import ROOT, Tool, random_network, require

from bs4nn_tc import targets
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import bound, memory, pack, package, project, render, self_test, stages
from bs4nn_tc.device.cores import core
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.device.kernels import FAST, STAGES
from bs4nn_tc.host.network import host_network
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import SquareMeans
from bs4nn_tc.pages import replay
from bs4nn_tc.pages.live import server
from bs4nn_tc.study import experiments, hard_images
from bs4nn_tc.targets import emulator, verify

BOARDS = ("qemu-m0", "qemu-m4")


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits-4x4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network file made by `train` from digits at half their resolution."""
    folder = tmp_path_factory.mktemp("staged")
    path = folder / "half.bs4nn"
    command = ["train", "--dataset", "digits", "--size", "4x4", "--hidden", "40", "--epochs", "3", "--accept"]
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as left:
        from bs4nn_tc import cli  # noqa: PLC0415 - as `tool` of conftest, once for the module

        arguments = [*command, "--quiet", "-o", str(path), "--run", str(folder / "run")]
        patched.setattr("sys.argv", ["bs4nn-tc", *arguments])
        cli.main()
    assert not left.value.code
    return path


@pytest.fixture(scope="module")
def network(trained: Path) -> Network:
    return network_file.load(trained)


@pytest.fixture(scope="module")
def made(network: Network, tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    """Its project, built for boards."""
    folder = tmp_path_factory.mktemp("staged project") / "half"
    made = project.generate(network, "half", [boards.load_board(board) for board in BOARDS], folder)
    building.build(made, BOARDS)
    return made


def test_training_hands_over_the_stage(network: Network, trained: Path, digits: datasets.Dataset, tool: Tool) -> None:
    """Its file, and the run's best one; and it was learned from the small images, which answer alike behind it."""
    stage = (SquareMeans(2),)
    assert network.input == Input((8, 8), 16, stage)
    assert network_file.load(trained.parent / "run" / "best.bs4nn").input == network.input
    assert network.sizes == (16, 40, 10)
    assert network.data is not None
    assert (network.data.name, network.data.digest) == ("digits-4x4", digits.training_digest)
    behind = Network(network.layers, network.time_steps, input=Input((4, 4), 16))
    small = reference.run(behind, digits.test_images)
    assert network.description["test"]["strict_accuracy"] == pytest.approx((small.answer == digits.test_labels).mean())
    status, said, _ = tool("inspect", trained)
    assert status == 0
    assert "8 x 8" in said
    assert "means of 2 x 2: 4 x 4 pixels" in said
    status, said, _ = tool("inspect", trained, "--json")
    assert json.loads(said)["input"]["stages"] == [{"kind": "square-means", "side": 2}]


@pytest.mark.parametrize("options", [(), ("--dataset", "digits"), ("--dataset", "digits-4x4"), ("--fast",)])
def test_evaluation_takes_samples(options: tuple[str, ...], trained: Path, network: Network, tool: Tool) -> None:
    status, said, _ = tool("evaluate", trained, *options, "--json", "--quiet")
    assert status == 0
    assert json.loads(said)["strict_accuracy"] == pytest.approx(
        network.description["test"]["strict_accuracy"], abs=1e-6
    )


def test_what_changes_it_keeps_the_stage(trained: Path, network: Network, tool: Tool, tmp_path: Path) -> None:
    """And measures on samples: thresholds that the verbs find are those that they find behind the stage."""
    behind = tmp_path / "behind.bs4nn"
    network_file.save(replace(network, input=network.input.behind_stages), behind)
    for verb in (["tune", "--max-steps", "16"], ["refine"], ["reorder"]):
        found = []
        for path in (trained, behind):
            out = tmp_path / f"{verb[0]}-{path.name}"
            assert tool(*verb[:1], path, *verb[1:], "-o", out, "--json")[0] == 0
            found.append(network_file.load(out))
        assert [one.input for one in found] == [network.input, network.input.behind_stages]
        assert found[0].description.get("test") == found[1].description.get("test")
        for layer, other in zip(found[0].layers, found[1].layers, strict=True):
            assert np.array_equal(layer.thresholds, other.thresholds)
        assert all(map(np.array_equal, found[0].order, found[1].order))


def test_its_experiments(network: Network, digits: datasets.Dataset) -> None:
    """What is drawn of the first layer are pixels; the paper's numbers for whole images of MNIST stand elsewhere."""
    assert digits.samples is not None
    images, labels, names = digits.samples.test_images[:50], digits.test_labels[:50], digits.class_names
    material = experiments.Material(network, images, labels, names, "mnist", (8, 8))
    behind = replace(network, input=network.input.behind_stages)
    small = replace(material, network=behind, images=digits.test_images[:50], image_shape=(4, 4), dataset="digits-4x4")
    for name in ("spikes", "thresholds", "confusion", "membrane", "reconstructed"):
        found, expected = (experiments.EXPERIMENTS[name](one) for one in (material, small))
        assert found.as_dict() == expected.as_dict()
        assert [picture.values.tolist() for picture in found.pictures] == [
            picture.values.tolist() for picture in expected.pictures
        ]


def test_pages_show_samples(network: Network, digits: datasets.Dataset) -> None:
    assert digits.samples is not None
    sample = digits.samples.test_images[0]
    result = Kernel(network).trace(sample[None])
    times = np.concatenate([layer[0] for layer in result.firing_times]).astype(np.int32)
    answer, response_time, spikes = int(result.answer[0]), int(result.response_time[0]), int(result.spikes[0])
    trace = targets.Trace(answer, response_time, spikes, times, result.readout_potential[0])
    told = replay.describe(network, sample, trace)
    assert told["equal"]
    assert told["input_times"] == Input((4, 4), 16).firing_times(digits.test_images[0], 16).tolist()
    assert server.image_shape(network, None) == (8, 8)


def test_images_that_its_stage_does_not_make_are_refused(trained: Path, tool: Tool) -> None:
    status, _, said = tool("evaluate", trained, "--dataset", "digits-2x2")
    assert status == 2
    assert "digits-2x2 has images of 2 x 2, but the network takes 8 x 8 and makes 4 x 4 of them" in said


def test_a_network_without_the_stage_takes_small_images(digits: datasets.Dataset, network: Network) -> None:
    """As networks of older releases that learned them."""
    assert digits.samples is not None
    old = Network(network.layers, network.time_steps, input=Input((), 16))
    assert digits.for_network(old) is digits
    assert digits.for_network(network) is digits.samples
    assert digits.samples.for_network(network) is digits.samples
    with pytest.raises(UserError, match="64 pixels each, but the network takes 16"):
        reference.check_images(old, digits.samples.test_images)


def test_an_upgrade_adds_no_stage(tool: Tool, tmp_path: Path) -> None:
    """A network of an older release that learned small images: it goes on to take them, with the digest that it had."""
    path = ROOT / "networks" / "mnist-14x14-288-best.bs4nn"
    old = network_file.load(path)
    assert tool("upgrade", path, "-o", tmp_path / "new.bs4nn")[0] == 0
    new, version = network_file.load_with_version(tmp_path / "new.bs4nn")
    assert (version, new.digest, new.input) == (2, old.digest, Input((14, 14), 255))
    assert new.data is not None
    assert new.data.name == "mnist-14x14"
    assert new.sample_values == 196


def test_everything_here_that_runs_it_prepares(network: Network, digits: datasets.Dataset) -> None:
    assert digits.samples is not None
    samples = digits.samples.test_images[:60]
    result = reference.run(network, samples)
    for index, sample in enumerate(samples[:20]):
        expected = naive.run(network, sample.tolist())
        assert [times[index].tolist() for times in result.firing_times] == expected.firing_times
    for other in (host_network(network).times(samples), Kernel(network).trace(samples)):
        assert np.array_equal(other.answer, result.answer)
        assert np.array_equal(other.readout_potential, result.readout_potential)
        assert all(map(np.array_equal, other.firing_times, result.firing_times))
    labels = digits.test_labels[:60].astype(np.int32)
    assert np.array_equal(host_network(network).evaluate(samples, labels).answer, result.answer)


def takes_samples(target: targets.ApplicationTarget, network: Network, samples: np.ndarray) -> None:
    """The target is told whole samples, and answers as the reference, bit for bit."""
    assert (target.identity.values, target.identity.digest) == (64, network.digest)
    assert target.identity.self_test
    report = verify.verify(target, "test", network, samples, reference.run(network, samples))
    assert report.first_difference is None
    assert report.equal == len(samples)


def test_the_host_program_takes_raw_samples(
    made: project.Project, network: Network, digits: datasets.Dataset, tmp_path: Path
) -> None:
    assert digits.samples is not None
    with targets.open_native(compile_application(made, tmp_path / "program")) as target:
        takes_samples(target, network, digits.samples.test_images)


@pytest.mark.parametrize("name", BOARDS)
def test_emulated_boards_take_raw_samples(
    name: str, made: project.Project, network: Network, digits: datasets.Dataset
) -> None:
    """And no sample needs more instructions than the bound says, which knows the stage."""
    assert digits.samples is not None
    board = boards.load_board(name)
    with targets.open_emulator(board, building.program_path(made, name), counting=True) as target:
        takes_samples(target, network, digits.samples.test_images[:100])
        hard = [target.profile(sample) for sample in hard_images.make(network)]
    expected = reference.run(network, hard_images.make(network))
    assert [(answer.answer, answer.spikes) for answer, _ in hard] == [
        *zip(expected.answer, expected.spikes, strict=True)
    ]
    most = bound.instructions_at_most(network, pack.pack(network), board.core, FAST)
    behind = Network(network.layers, network.time_steps, input=network.input.behind_stages)
    without = bound.instructions_at_most(behind, pack.pack(behind), board.core, FAST)
    assert most is not None
    assert without is not None
    assert without < most
    assert max(targets.instructions(board, ticks) for _, ticks in hard) < most


def test_what_it_takes_on_a_device(network: Network, made: project.Project) -> None:
    """RAM for a sample, and room for the code of stages; a network without them has neither."""
    plan = memory.plan(network, pack.pack(network), "half")
    sizes = {item.symbol: item.bytes for item in plan.items}
    assert sizes["application_sample"] == 64
    behind = Network(network.layers, network.time_steps, input=network.input.behind_stages)
    assert memory.plan(behind, pack.pack(behind), "half").code_bytes == 0
    board = boards.load_board("qemu-m0")
    room = plan.flash_bytes + board.reserved_flash_bytes
    assert memory.lacking(plan, replace(board, flash_bytes=room + plan.code_bytes)) == {}
    assert memory.lacking(plan, replace(board, flash_bytes=room)) == {"flash": plan.code_bytes}
    compiled = {}
    for name in ("bs4nn_stages_pictures.o", "bs4nn_net_half.o"):
        (path,) = (made.folder / ".pio" / "build" / board.id).rglob(name)
        compiled[name] = subprocess.run(
            [require("arm-none-eabi-size", "binutils-arm-none-eabi"), "-A", path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    called = re.compile(r"\.text\.(bs4nn_net_half|bs4nn_square_means|halve)")  # the linker drops the others
    code = sum(int(line.split()[1]) for text in compiled.values() for line in text.splitlines() if called.match(line))
    assert 0 < code <= plan.code_bytes


PROGRAM = """
#include "bs4nn_stages_pictures.h"
static const uint16_t cases[][3] = {%s};
static uint8_t sample[3000];
int main(void)
{
    board_init();
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint32_t n = 0; n < sizeof sample; n++) {
            sample[n] = 255u;
        }
        (void)board_lap();
        bs4nn_square_means(sample, sample, cases[i][0], cases[i][1], cases[i][2]);
        say(board_lap());
    }
    board_exit(0);
    return 0;
}
"""


@pytest.mark.parametrize("optimization", ["-O2", "-Os"])
@pytest.mark.parametrize("name", BOARDS)
def test_no_stage_needs_more_instructions_than_its_bound(name: str, optimization: str, tmp_path: Path) -> None:
    cases = [
        (28, 28, 2),
        (2, 2, 2),
        (50, 2, 2),
        (2, 50, 2),
        (9, 9, 3),
        (28, 28, 4),
        (28, 28, 7),
        (50, 50, 50),
        (34, 17, 17),
    ]
    source = tmp_path / "main.c"
    source.write_text(bare.SAY + PROGRAM % ", ".join(f"{{{rows}, {columns}, {side}}}" for rows, columns, side in cases))
    board = boards.load_board(name)
    assert board.emulator is not None
    parts = [source, *(path for path in STAGES if path.suffix == ".c")]
    program = bare.link(board, parts, [optimization], tmp_path / "main.elf")
    qemu = require("qemu-system-arm", "qemu-system-arm")
    done = bare.run([qemu, *board.emulator.arguments, *emulator.COUNTING, "-kernel", program])
    counted = [emulator.instructions(board, int(line)) for line in done.stdout.split()]
    assert len(counted) == len(cases)
    for (rows, columns, side), count in zip(cases, counted, strict=True):
        most = stages.instructions_at_most(
            Input((rows, columns), 255, (SquareMeans(side),)), core(board.core).instruction_set
        )
        assert count <= most <= 3 * count + 200, (rows, columns, side)


def test_the_library_takes_a_raw_sample(tmp_path: Path) -> None:
    """Two stages, one after the other; its example answers as the reference, and lists all sources."""
    network = random_network(np.random.default_rng(8), (6, 9, 4), time_steps=9)
    network = Network(network.layers, 9, input=Input((8, 12), 255, (SquareMeans(2), SquareMeans(2))))
    files = package.package_files(network, "twice")
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    sources = [*(tmp_path / "src").glob("*.c"), tmp_path / "examples" / "host" / "classify.c"]
    program = tmp_path / "classify"
    subprocess.run([require("gcc", "gcc"), *flags, f"-I{tmp_path / 'src'}", *sources, "-o", program], check=True)
    sample = self_test.sample(3, network)
    expected = naive.run(network, sample.tolist())
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout == f"class {expected.answer}, step {expected.response_time}\n"
    assert "src/bs4nn_stages_pictures.c" in files["CMakeLists.txt"]
    header = files["src/bs4nn_net_twice.h"]
    assert "#define BS4NN_NET_TWICE_SAMPLE_VALUES 96\n" in header
    assert "int bs4nn_net_twice_classify(bs4nn_t *net, const uint8_t *sample, bs4nn_result_t *result);" in header
    assert "bs4nn_net_twice_classify(&net, sample, &result)" in files["README.md"]
    assert "bs4nn_net_twice_classify(&net, sample, &result)" in files["examples/classify/classify.ino"]


@pytest.mark.parametrize(
    "compiler",
    [
        ("gcc", "-std=c99", "-DBOARD_PORT_HOST"),
        ("clang", "-std=c99", "-DBOARD_PORT_HOST"),
        ("arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0", "-mthumb", "-DBOARD_PORT_SEMIHOSTING"),
        ("g++", "-std=c++11"),
    ],
    ids=lambda compiler: compiler[0],
)
def test_no_compiler_warns(compiler: tuple[str, ...], made: project.Project, tmp_path: Path) -> None:
    include = [f"-I{made.folder / part}" for part in ("src", "lib/bs4nn/src", "lib/board/src")]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O1"]
    sources = [made.folder / "src" / name for name in ("main.c", "application.c", "bs4nn_net_half.c")]
    if compiler[0] == "g++":
        sources = [tmp_path / "user.cpp"]
        headers = '#include "bs4nn_net_half.h"\n#include "bs4nn_stages_pictures.h"\n'
        sources[0].write_text(
            f"{headers}int f(bs4nn_t *n, uint8_t *s) {{ return bs4nn_net_half_classify(n, s, NULL); }}\n"
        )
    command = [require(compiler[0], "gcc g++ clang"), *compiler[1:], *warnings, *include, "-o", tmp_path / "o", "-c"]
    for source in sources:
        subprocess.run([*command, source], check=True)


def test_a_network_without_stages_has_none_of_it() -> None:
    network = random_network(np.random.default_rng(8), (6, 9, 4))
    files = package.package_files(network, "plain")
    assert not [file for file in files if "stages" in file]
    for file, text in {**files, **render.render_application(network, pack.pack(network), "plain")}.items():
        assert "_stages" not in text.lower() or "#define APPLICATION_STAGES 0\n" in text, file
