"""What an application finds out about itself at its start, what people read of it, and who believes it."""

from __future__ import annotations

import binascii
import dataclasses
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bare
import naive
import numpy as np
import pytest
from conftest import ROOT, random_network, require

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError, VerificationError
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project, self_test
from bs4nn_tc.model import network_file
from bs4nn_tc.model.network import Network

BOARDS = ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33"]
SHIPPED = sorted((ROOT / "networks").glob("*.bs4nn"))
PASSED = "self-test passed"


def placed_network() -> Network:
    """Hidden neurons at places of their own, as `train` leaves them."""
    rng = np.random.default_rng(1)
    network = random_network(rng, (30, 40, 20, 5))
    return dataclasses.replace(network, order=(rng.permutation(40), rng.permutation(20)))


def test_a_trace_is_expected_in_the_order_of_the_places() -> None:
    network = placed_network()
    for index, expected in enumerate(self_test.expected(network)):
        image = self_test.sample(index, network)
        outcome = naive.run(network, image.tolist())
        assert (expected.answer, expected.response_time) == (outcome.answer, outcome.response_time)
        assert expected.spikes == outcome.spikes
        places = [*network.order, range(network.outputs)]
        times = [layer[neuron] for layer, order in zip(outcome.firing_times, places, strict=True) for neuron in order]
        content = b"".join(int(time).to_bytes(2, "little") for time in times)
        content += b"".join(int(value).to_bytes(4, "little", signed=True) for value in outcome.readout_potential)
        assert expected.checksum == binascii.crc_hqx(content, 0xFFFF)


# ---- Every network that is handed out says on every core that it passed ----


def says(program: Path, board: boards.Board | None) -> tuple[str, int]:
    """What a person reads on the console, which ends with the first byte of a frame, and the exit status."""
    done = bare.run([program]) if board is None else bare.emulate(board, program)
    return done.stdout.split("\ufffd")[0], done.returncode


class Core:
    """One core, and all of the firmware that is the same for all networks, compiled for it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.board = None if name == "native" else boards.load_board(name)
        self._folder = folder / name
        self._folder.mkdir()
        self._flags = ["-O2", f'-DBS4NN_BOARD="{name}"', f"-I{bare.FIRMWARE / 'src'}"]
        sources = [path for path in bare.KERNEL.iterdir() if path.suffix in (".c", ".S")]
        sources.append(bare.FIRMWARE / "src" / "protocol.c")
        compiler = self._host() if self.board is None else bare.compiler(self.board, self._flags)
        self._objects = [self._folder / f"{path.stem}{path.suffix}.o" for path in sources]
        for source, target in zip(sources, self._objects, strict=True):
            subprocess.run([*compiler, "-c", source, "-o", target], check=True)

    def _host(self) -> list[str]:
        includes = [f"-I{bare.KERNEL}", f"-I{bare.PORT}"]
        return [require("gcc", "gcc"), "-std=c99", "-DBOARD_PORT_HOST", *includes, *self._flags]

    def says(self, made: project.Project) -> tuple[str, int]:
        """What the firmware of a project says of itself."""
        program = self._folder / made.name
        own = [path for path in sorted((made.folder / "src").glob("*.c")) if path.name != "protocol.c"]
        parts = [*own, *self._objects]
        if self.board is not None:
            bare.link(self.board, parts, self._flags, program)
        else:
            subprocess.run([*self._host(), *parts, bare.PORT / "board_host.c", "-o", program], check=True)
        return says(program, self.board)


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> list[Core]:
    folder = tmp_path_factory.mktemp("cores")
    return [Core(name, folder) for name in ("native", *BOARDS)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_network_that_is_handed_out_passes_on_every_core(path: Path, cores: list[Core], tmp_path: Path) -> None:
    network = network_file.load(path)
    name = path.stem.replace("-", "_")
    made = project.generate(network, name, [boards.load_board(board) for board in BOARDS], tmp_path / "project")
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda core: core.says(made), cores))
    for core, (text, status) in zip(cores, said, strict=True):
        assert text.splitlines() == [f"bs4nn: {name} ({network.shape_text}) on {core.name}", f"bs4nn: {PASSED}"]
        assert status == 0


# ---- Whoever fails is not believed ----


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> project.Project:
    folder = tmp_path_factory.mktemp("self-test") / "project"
    return project.generate(placed_network(), "placed", [boards.load_board("qemu-m4")], folder)


def copy_of(made: project.Project, folder: Path) -> project.Project:
    shutil.copytree(made.folder, folder)
    return dataclasses.replace(made, folder=folder)


def test_a_target_that_failed_its_self_test_is_not_believed(made: project.Project, tmp_path: Path) -> None:
    broken = copy_of(made, tmp_path / "broken")
    source = broken.folder / "src" / "application.c"
    text = source.read_text()
    checksum = text.rindex("0x")
    source.write_text(f"{text[:checksum]}0x{int(text[checksum + 2 : checksum + 6], 16) ^ 1:04X}{text[checksum + 6 :]}")
    with pytest.raises(VerificationError, match="self-test FAILED"):
        building.build(broken, [building.NATIVE])
    program = building.program_path(broken, building.NATIVE)
    assert "self-test FAILED" in says(program, None)[0]
    building.build(broken, ["qemu-m4"])
    emulated = targets.open_emulator(boards.load_board("qemu-m4"), building.program_path(broken, "qemu-m4"))
    for target in (emulated, targets.open_native(program)):
        with target:
            assert target.identity.self_test is False
            target.recover()  # the same whenever it is asked
            assert target.identity.self_test is False
            with pytest.raises(VerificationError, match="self-test FAILED"):
                target.expect(broken.network)


def test_a_stack_that_grows_over_its_end_is_told(made: project.Project, tmp_path: Path) -> None:
    """In place of a fault, or of answers from data that the stack has run over."""
    tight = copy_of(made, tmp_path / "tight")
    manifest = tight.folder / "boards" / "qemu-m4.json"
    facts = json.loads(manifest.read_text())
    facts["bs4nn"]["memory"]["stack_bytes"] = 384
    manifest.write_text(json.dumps(facts))
    building.build(tight, ["qemu-m4"])
    with pytest.raises(TargetError, match="stack has grown over its end"):
        targets.open_emulator(boards.load_board("qemu-m4"), building.program_path(tight, "qemu-m4"))
