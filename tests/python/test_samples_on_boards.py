"""Raw samples of signed values sent to targets: stages code each channel, and answers are those of the reference."""

from __future__ import annotations

import binascii
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from application import compile_application, link_application
from conftest import ROOT, random_network, require
from elftools.elf.elffile import ELFFile

from bs4nn_tc import targets
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import codings
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import bound, memory, pack, package, project, self_test
from bs4nn_tc.device.kernels import FAST
from bs4nn_tc.model import reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import SquareMeans
from bs4nn_tc.targets import frames, verify

BOARDS = ("qemu-m0", "qemu-m4")


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """(60, values) int16: three channels of 25 steps, far apart in size."""
    rng = np.random.default_rng(4)
    walks = rng.normal(0, [20, 300, 4000], (60, 25, 3)).cumsum(axis=1)
    walks[:, :, 1] -= 9000
    return walks.clip(-32_768, 32_767).astype(np.int16).reshape(60, -1)


@pytest.fixture(scope="module")
def network(samples: np.ndarray) -> Network:
    taken = Input((25, 3), 255, codings.fit("quantile-pairs", samples, 3), "int16", hop=5)
    assert len(taken.stages) == 2
    return Network(random_network(np.random.default_rng(5), (150, 40, 6)).layers, 16, input=taken)


@pytest.fixture(scope="module")
def made(network: Network, tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    folder = tmp_path_factory.mktemp("signed") / "signed"
    return project.generate(network, "signed", [boards.load_board(name) for name in BOARDS], folder)


@pytest.fixture(scope="module")
def linked(made: project.Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Its firmware, by board."""
    folder = tmp_path_factory.mktemp("linked")
    return {name: link_application(made, boards.load_board(name), folder / name) for name in BOARDS}


def compare(
    target: targets.ApplicationTarget, network: Network, samples: np.ndarray, traces: bool = True
) -> verify.Verification:
    return verify.verify(target, "test", network, samples, reference.run(network, samples), traces)


def test_the_host_program(made: project.Project, network: Network, samples: np.ndarray, tmp_path: Path) -> None:
    expected = reference.run(network, samples)
    assert len(set(expected.answer.tolist())) > 2
    with targets.open_native(compile_application(made, tmp_path / "program")) as target:
        assert target.identity.self_test
        assert (target.identity.type, target.identity.values, target.identity.stages) == ("int16", 75, 2)
        report = compare(target, network, samples)
        assert (report.equal, report.first_difference) == (60, None)
        assert "checksums of stages" in report.compared


@pytest.mark.parametrize("name", BOARDS)
def test_emulated_boards(
    name: str, made: project.Project, network: Network, samples: np.ndarray, linked: dict[str, Path]
) -> None:
    """The memory is as planned, and no sample needs more instructions than the bound says."""
    board, program = boards.load_board(name), linked[name]
    building.check_plan(made, building.read_elf(program), name)
    with targets.open_emulator(board, program, counting=True) as target:
        assert compare(target, network, samples[:20]).equal == 20
        counted = [targets.instructions(board, target.profile(sample)[1]) for sample in samples[:20]]
    most = bound.instructions_at_most(network, pack.pack(network), board.core, FAST)
    behind = Network(network.layers, network.time_steps, input=network.input.behind_stages)
    without = bound.instructions_at_most(behind, pack.pack(behind), board.core, FAST)
    assert most is not None
    assert without is not None
    assert without < most
    assert max(counted) < most


@pytest.mark.parametrize(
    "compiler",
    [
        "gcc -std=c99 -DBOARD_PORT_HOST",
        "clang -std=c99 -DBOARD_PORT_HOST",
        "arm-none-eabi-gcc -std=c99 -mcpu=cortex-m0 -mthumb -DBOARD_PORT_SEMIHOSTING",
    ],
    ids=lambda compiler: compiler.split()[0],
)
def test_no_compiler_warns(compiler: str, made: project.Project, tmp_path: Path) -> None:
    """Of the application, with signed values, stages and a stream."""
    program, *flags = compiler.split()
    flags += ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-O2"]
    flags += [f"-I{made.folder / part}" for part in ("src", "lib/bs4nn/src", "lib/board/src")]
    (tmp_path / "all.c").write_text(
        "".join(f'#include "{path}"\n' for path in sorted((made.folder / "src").glob("*.c")))
    )
    command = [require(program, "gcc clang gcc-arm-none-eabi"), *flags, "-c", tmp_path / "all.c"]
    subprocess.run([*command, "-o", tmp_path / "all.o"], check=True)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_stage_that_differs_first_is_named(
    stage: int, made: project.Project, network: Network, samples: np.ndarray, tmp_path: Path
) -> None:
    """Of a program whose stage makes one value wrong, and whose self-test says nothing of it."""
    changed = replace(made, folder=tmp_path / "changed")
    shutil.copytree(made.folder, changed.folder)
    source = changed.folder / "src" / "bs4nn_net_signed.c"
    lines = source.read_text().splitlines()
    what = network.input.stages[stage - 1].text
    called = next(number for number, line in enumerate(lines) if line.endswith(f"/* {what} */"))
    place = lines[called].split("(uint8_t *)")[1].split(",")[0]
    lines.insert(called + 1, f"for (int i = 0; i < 40; i++) {{ ((uint8_t *){place})[i] ^= 0xFFu; }}")
    source.write_text("\n".join(lines))
    application = changed.folder / "src" / "main.c"
    text = application.read_text()
    test = "self_test(&net) == APPLICATION_SELF_TESTS"
    assert text.count(test) == 1
    application.write_text(text.replace(test, "self_test(&net) <= APPLICATION_SELF_TESTS"))
    with targets.open_native(compile_application(changed, tmp_path / "program")) as target:
        reports = [compare(target, network, samples[:3], traces) for traces in (True, False)]
    for report in reports:
        found = report.first_difference
        assert found is not None
        assert report.equal < 3
        assert found.where.startswith(f"what comes out of stage {stage} ({what})")
        after = [*network.input.after_stages(samples[found.image][None])][stage - 1]
        assert found.expected == binascii.crc_hqx(after.tobytes(), 0xFFFF)


def test_frames_of_any_kind_and_length(made: project.Project, samples: np.ndarray, tmp_path: Path) -> None:
    """Under the sanitizers, in an application with stages and a stream: every reply is a whole frame (fuzz_serve.c)."""
    rng = np.random.default_rng(8)
    content = b""
    for kind in rng.choice([*b"CTPSSSSSSI?"], 400).tolist():
        length = int(rng.choice([0, 1, 5, 6, 6, 6, 7, 149, 150, 150, 151]))
        content += frames.encode(bytes([kind]), samples.tobytes()[:length])
    for steps in (24, 25, 30):  # whole windows, and hops after them
        content += frames.encode(b"S") + frames.encode(b"S", samples.tobytes()[:6]) * steps
    (tmp_path / "frames").write_bytes(content)
    kernel, board, own = (made.folder / part for part in ("lib/bs4nn/src", "lib/board/src", "src"))
    flags = ["-std=gnu99", "-O1", "-g", "-DREPLAY", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags += [f"-I{folder}" for folder in (kernel, board, own)]
    sources = [path for path in own.glob("*.c") if path.name != "main.c"]
    sources += [ROOT / "tests" / "fuzz" / "fuzz_serve.c", *kernel.glob("*.c")]
    subprocess.run([require("gcc", "gcc"), *flags, *sources, "-o", tmp_path / "replay"], check=True)
    done = subprocess.run([tmp_path / "replay", tmp_path / "frames"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1 inputs replayed\n"), done.stderr


def test_its_stages_are_in_the_plan(network: Network, made: project.Project) -> None:
    """Constants and code, each an item of its own, in the project's manifest, too; without stages there are none."""
    plan = memory.plan(network, pack.pack(network), "signed")
    constants = {item.what: item.bytes for item in plan.items if item.what.startswith("stage ")}
    assert constants == {"stage 1 levels": 2 * 3 * 15}
    code = [what for what, _ in plan.code]
    assert code == ["bs4nn_quantiles", "bs4nn_complement", "calls of the stages", "push of a stream"]
    assert (made.items, made.code) == (plan.items, plan.code)
    behind = Network(network.layers, network.time_steps, input=network.input.behind_stages)
    without = memory.plan(behind, pack.pack(behind), "signed")
    assert without.code == ()
    assert plan.flash_bytes - without.flash_bytes == sum(constants.values())
    sizes = [{item.symbol: item.bytes for item in one.items} for one in (plan, without)]
    assert [one["application_sample"] for one in sizes] == [150, 150]
    assert sizes[0][memory.WORKSPACE] == sizes[1][memory.WORKSPACE] + 152


@pytest.mark.parametrize("name", BOARDS)
def test_no_function_takes_more_code_than_planned(name: str, network: Network, linked: dict[str, Path]) -> None:
    with linked[name].open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        sizes = {symbol.name: symbol["st_size"] for symbol in table.iter_symbols()}
    planned = dict(memory.plan(network, pack.pack(network), "signed").code)
    calls, push = planned.pop("calls of the stages"), planned.pop("push of a stream")
    assert all(0 < sizes[function] <= most for function, most in planned.items())
    for functions, most in (("after_stages|classify|trace", calls), ("stream_init|push", push)):
        found = [size for one, size in sizes.items() if re.fullmatch(f"bs4nn_net_signed_({functions})", one)]
        assert 0 < sum(found) <= most


def test_self_test_samples_of_signed_values(network: Network) -> None:
    """By the formula of main.c, in plain Python; each is about 16 times as large as the one before."""
    for index in range(self_test.SELF_TESTS):
        x, values = (index + 1) * 0x9E3779B9 % 2**32, []
        for _ in range(75):
            for shift in (13, -17, 5):
                x ^= (x << shift if shift > 0 else x >> -shift) % 2**32
            size = 2 ** (15 - 4 * (3 - index))
            values.append(x * 2 * size // 2**32 - size)
        assert self_test.sample(index, network).tolist() == values


def test_the_library_says_what_a_sample_is(network: Network) -> None:
    files = package.package_files(network, "signed")
    assert "75 values of `int16_t` (25 x 3)." in files["README.md"]
    assert "| 15 quantiles of 3 features | 90 |" in files["README.md"]
    assert "static const int16_t sample[BS4NN_NET_SIGNED_SAMPLE_VALUES]" in files["examples/classify/classify.ino"]
    assert "src/bs4nn_stages_tables.c" in files["CMakeLists.txt"]
    assert not any("pictures" in file or "signals" in file for file in files)


def test_a_whole_frame_of_a_camera_is_a_sample(tmp_path: Path) -> None:
    """More values than a network has pixels; the planned memory holds one sample and what is made of it."""
    taken = Input((240, 320), 255, (SquareMeans(20),))
    network = Network(random_network(np.random.default_rng(1), (192, 20, 4)).layers, 16, input=taken)
    made = project.generate(network, "camera", [boards.load_board("qemu-m7")], tmp_path / "camera")
    assert {item.symbol: item.bytes for item in made.items}["application_sample"] == 76_800
    pictures = np.random.default_rng(2).integers(0, 256, (3, 76_800)).astype(np.uint8)
    pictures[:, ::3] = 0
    with targets.open_native(compile_application(made, tmp_path / "program")) as target:
        assert (target.identity.type, target.identity.values) == ("uint8", 76_800)
        assert compare(target, network, pictures).equal == 3
    with pytest.raises(UserError, match=r"does not fit qemu-m0: it needs .* bytes of RAM") as refused:
        project.generate(network, "camera", [boards.load_board("qemu-m0")], tmp_path / "small")
    assert "\n" not in str(refused.value)
