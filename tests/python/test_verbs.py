"""What holds for all verbs alike."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import typer.main
from conftest import random_network

from bs4nn_tc import cli
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import bundled
from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file
from bs4nn_tc.pages.live import server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a network of the digits, n.bs4nn, and a project of it, p."""
    made = tmp_path_factory.mktemp("verbs")
    network = random_network(np.random.default_rng(0), (64, 12, 10), intensity_max=16)
    network = dataclasses.replace(network, description={"dataset": "digits"})
    network_file.save(network, made / "n.bs4nn")
    project.generate(network, "n", [boards.load_board("qemu-m0")], made / "p")
    return made


CALLS = {
    "train": "--hidden 8 --epochs 1 --run run -o t.bs4nn --quiet",
    "sweep": "--hidden 8 --epochs 1 -o sweep --quiet",
    "evaluate": "n.bs4nn --images 9 --quiet",
    "tune": "n.bs4nn --max-steps 9 -o tuned.bs4nn --quiet",
    "refine": "n.bs4nn -o refined.bs4nn --quiet",
    "reorder": "n.bs4nn -o reordered.bs4nn",
    "experiment": "n.bs4nn spikes -o figures --quiet",
    "report": "n.bs4nn -o n.html",
    "bench": "n.bs4nn --board qemu-m0 --images 2 --quiet",
    "verify": "p --target native --images 2 --quiet",
    "live": "p --target native --http-port 0 --quiet",
    "profile": "p --port /dev/nothing --quiet",
}


def test_calls_of_all_verbs_that_take_a_data_set_are_here() -> None:
    verbs = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    assert {name for name, verb in verbs.items() if any(one.name == "dataset" for one in verb.params)} == set(CALLS)


@pytest.mark.parametrize("verb", CALLS)
def test_a_data_set_is_loaded_once(verb: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loaded = bundled.load, []

    def counted(name: str, data_dir: Path | None) -> Dataset:
        loaded.append(name)
        return load(name, data_dir)

    monkeypatch.setattr(bundled, "load", counted)
    monkeypatch.setattr(server, "serve", lambda *_: None)  # else the page would be served for ever
    monkeypatch.chdir(folder)
    with contextlib.suppress(UserError) if verb == "profile" else contextlib.nullcontext():  # it has no board here
        cli.app([verb, *CALLS[verb].split()], standalone_mode=False)
    assert loaded == ["digits"]
