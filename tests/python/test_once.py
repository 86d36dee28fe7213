"""What takes long is done once: a verb loads its data set once, and packs its network once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import typer.main
from conftest import Tool, random_network

from bs4nn_tc import cli
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli import measuring, targets
from bs4nn_tc.data.sources import bundled
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import pack, project
from bs4nn_tc.model import network_file
from bs4nn_tc.pages.live import session
from bs4nn_tc.study import sweep as study_sweep
from bs4nn_tc.targets import runner


def far_enough(*_: object, **__: object) -> NoReturn:
    raise UserError("far enough")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str], list[object]]:
    """Counts the calls of a function of a module, which goes on as before."""

    def count(module: object, name: str) -> list[object]:
        calls: list[object] = []
        original = getattr(module, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, counting)
        return calls

    return count


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network for the digits, and a project of it."""
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    network_file.save(network, tmp_path / "net.bs4nn")
    project.generate(network, "net", [boards.load_board("qemu-m0")], tmp_path / "project")
    return tmp_path


# Every verb that takes a data set, and where it is stopped: before a target would be built or asked.
CALLS = {
    "train": ("--hidden 8 --epochs 1 --accept --run run -o t.bs4nn", None, ""),
    "data": ("digits", None, ""),
    "sweep": ("--hidden 8 --epochs 1 -o sweep", study_sweep, "run"),
    "evaluate": ("net.bs4nn --images 9", None, ""),
    "tune": ("net.bs4nn --max-steps 9 -o tuned.bs4nn", None, ""),
    "refine": ("net.bs4nn -o refined.bs4nn", None, ""),
    "reorder": ("net.bs4nn -o reordered.bs4nn", None, ""),
    "experiment": ("net.bs4nn spikes -o figures", None, ""),
    "report": ("net.bs4nn -o net.html", pack, "pack"),
    "bench": ("net.bs4nn --board qemu-m0", building, "build"),
    "verify": ("project", building, "build_each"),
    "profile": ("project", measuring, "open_serial"),
    "live": ("net.bs4nn --http-port 0", session.Session, "start"),
}


def test_calls_of_all_verbs_that_take_a_data_set_are_here() -> None:
    verbs = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    assert {name for name, verb in verbs.items() if any(one.name == "dataset" for one in verb.params)} == set(CALLS)


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_loads_its_data_set_once(
    verb: str, files: Path, tool: Tool, counted: Callable[[object, str], list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, module, name = CALLS[verb]
    if module is not None:
        monkeypatch.setattr(module, name, far_enough)
    monkeypatch.setattr(runner, "prepare", lambda path, *_: runner.Runner(network_file.load(path), "net", *[None] * 3))
    monkeypatch.setattr(session.Session, "__init__", lambda *_: None)
    monkeypatch.setattr(session.Session, "close", lambda *_: None)
    monkeypatch.chdir(files)
    loads = counted(bundled, "load")
    status, _, said = tool(verb, *words.split(), *(() if verb == "data" else ("--dataset", "digits")))
    assert len(loads) == 1, said
    assert status == 0 if module is None else "far enough" in said


@pytest.mark.parametrize("verb", ["generate", "package", "bench", "inspect"])
def test_a_verb_packs_its_network_once(
    verb: str,
    files: Path,
    tool: Tool,
    counted: Callable[[object, str], list[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = counted(pack, "pack")
    monkeypatch.setattr(building, "build", far_enough)
    board = ("--board", "qemu-m0", "--board", "bluepill_f103c8")
    more = {
        "generate": (*board, "-o", files / "new"),
        "package": ("-o", files / "library"),
        "bench": ("--board", "qemu-m0", "--dataset", "digits"),
        "inspect": (),
    }
    status, _, said = tool(verb, files / "net.bs4nn", *more[verb])
    assert len(packed) == 1, said
    assert status == 0 or "far enough" in said


def test_live_takes_what_was_generated_once(
    files: Path, counted: Callable[[object, str], list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = counted(pack, "pack")
    monkeypatch.setattr(building, "build", lambda *_: [])
    found = runner.prepare(files / "net.bs4nn", targets.Kind.EMULATOR, None, None, files / "live")
    assert found.board is not None
    assert len(packed) == 1
