"""Which kernel a network gets: the generator chooses, a user can overrule, and projects remember."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device import boards, kernels
from bs4nn_tc.device.codegen import package, project
from bs4nn_tc.model import network_file
from bs4nn_tc.model.network import Network

BOARD = "bluepill_f103c8"  # 64 KB of flash, 20 KB of which are for Arduino's core, the fast kernel and the application


@pytest.fixture(scope="module")
def tight() -> Network:
    """48,150 bytes or so: 3,100 too many with the fast kernel, 300 less than there are with the small one."""
    return random_network(np.random.default_rng(0), (784, 480, 10), shared_thresholds=True)


def test_the_generator_chooses_and_says_so(tight: Network, tmp_path: Path) -> None:
    network_file.save(tight, tmp_path / "tight.bs4nn")
    call = ("generate", "tight.bs4nn", "--board", BOARD, "-o")
    done = run_tool(*call, "chosen", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "kernel" in line)
    assert line.strip().startswith("the small kernel (half of the code,")
    assert project.open_project(tmp_path / "chosen").kernel == "small"
    assert (tmp_path / "chosen/lib/bs4nn/src" / kernels.SMALL.main).is_file()
    assert_refused(
        run_tool(*call, "fast", "--kernel", "fast", cwd=tmp_path), "too few; take the small kernel (--kernel"
    )
    assert_refused(run_tool(*call, "other", "--kernel", "tiny", cwd=tmp_path), "'tiny' is none of auto, fast, small")
    assert not (tmp_path / "fast").exists()


def test_the_fast_one_where_it_fits_and_what_a_user_says(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10))
    board = boards.load_board(BOARD)
    assert project.generate(network, "net", [board], tmp_path / "chosen").kernel == "fast"
    assert project.generate(network, "net", [board], tmp_path / "said", kernel=kernels.SMALL).kernel == "small"


def test_one_kernel_for_all_boards_of_a_project(tight: Network, tmp_path: Path) -> None:
    chosen = [boards.load_board(name) for name in ("qemu-m4", BOARD)]
    assert project.generate(tight, "net", chosen[:1], tmp_path / "one").kernel == "fast"
    assert project.generate(tight, "net", chosen, tmp_path / "both").kernel == "small"


def test_where_none_fits_the_smallest_number_of_missing_bytes_is_said(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (784, 512, 10))
    with pytest.raises(UserError, match=r" too few; take fewer neurons, or a larger board") as raised:
        project.generate(network, "net", [boards.load_board(BOARD)], tmp_path / "project")
    flash = 20 * 1024 - kernels.SMALL.saves_flash_bytes
    assert f"network + {flash:,} program" in str(raised.value)


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_projects_of_before_kernels_had_names_still_open(name: str, tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10))
    made = project.generate(network, "net", [boards.load_board("qemu-m0")], tmp_path, kernel=kernels.KERNELS[name])
    path = made.folder / project.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["kernel"], manifest["instructions_at_most"]
    path.write_text(json.dumps(manifest))
    assert dataclasses.replace(project.open_project(tmp_path), instructions_at_most=made.instructions_at_most) == made


def test_a_kernel_more_is_an_entry_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A third one, from the small one's sources, that saves a little more."""
    third = dataclasses.replace(kernels.SMALL, name="third", optimization="-Oz", saves_flash_bytes=4400)
    monkeypatch.setitem(kernels.KERNELS, "third", third)
    network = random_network(np.random.default_rng(0), (784, 480, 17), shared_thresholds=True)
    made = project.generate(network, "net", [boards.load_board(BOARD)], tmp_path / "project")
    assert made.kernel == "third"
    assert "build_flags = -Oz" in (made.folder / "platformio.ini").read_text()
    assert "kernel is the third one" in package.package_files(network, "net", third)["README.md"]


def test_every_kernel_has_the_files_that_all_share_and_none_of_another() -> None:
    names = {name: {path.name for path in kernel.files} for name, kernel in kernels.KERNELS.items()}
    own = {name: {path.name for path in kernel.own_files} for name, kernel in kernels.KERNELS.items()}
    assert names["fast"] - own["fast"] == names["small"] - own["small"]
    assert {"bs4nn.h", "bs4nn_init.c"} <= names["fast"] - own["fast"]
    assert not own["fast"] & names["small"]
    assert not own["small"] & names["fast"]
