"""Sweeps: every combination once, interrupted or by several at once, and the frontier."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import assert_refused, run_tool
from optuna.storages import RDBStorage

from bs4nn_tc import training
from bs4nn_tc.data import datasets
from bs4nn_tc.model import network_file
from bs4nn_tc.study import sweep
from bs4nn_tc.study.sweep import Outcome

CALL = ("sweep", "--dataset", "digits", "--hidden", "8", "--hidden", "16,8", "--time-steps", "8", "--time-steps", "16",
        "--seeds", "3,5", "--epochs", "3", "--quiet", "--json")  # fmt: skip


def test_the_frontier() -> None:
    figures = [(300, 0.9), (100, 0.7), (200, 0.65), (100, 0.6), (400, 0.9), (500, 0.95)]
    outcomes = [Outcome(str(number), *one, 0.0, 0.0, 0.0) for number, one in enumerate(figures)]
    assert [(one.flash_bytes, one.strict_accuracy) for one in sweep.frontier(outcomes) if one.best] == [
        (100, 0.7),
        (300, 0.9),
        (500, 0.95),
    ]


def test_interrupted_and_shared_sweeps_train_every_network_once(tmp_path: Path) -> None:
    whole = run_tool(*CALL, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    expected = {one["name"]: one for one in json.loads(whole.stdout)["networks"]}
    assert len(expected) == 8
    assert {"8-best-T8-seed3", "16-8-best-T16-seed5"} <= set(expected)
    rows = list(csv.DictReader((tmp_path / "whole" / "sweep.csv").open()))
    assert [row["name"] for row in rows] == [one["name"] for one in json.loads(whole.stdout)["networks"]]
    assert (tmp_path / "whole" / "sweep.svg").is_file()
    network = network_file.load(tmp_path / "whole" / "16-8-best-T16-seed5.bs4nn")
    assert (network.shape_text, network.time_steps) == ("64-16-8-10", 16)

    command = [sys.executable, "-m", "bs4nn_tc", *CALL, "-o", str(tmp_path / "pieces")]
    stopped = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "pieces").glob("*.bs4nn")) and time.monotonic() < deadline:
        time.sleep(0.02)
    stopped.send_signal(signal.SIGINT)
    assert "goes on" in stopped.communicate()[1]
    assert stopped.returncode == 130
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [json.loads(worker.communicate()[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    # Whoever ends last has seen everything.
    last = max(said, key=lambda one: len(one["networks"]))
    assert {one["name"]: one for one in last["networks"]} == expected


@pytest.mark.bounds
def test_an_interrupt_between_two_networks_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = RDBStorage.set_trial_state_values

    def interrupted_tell(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)  # while Optuna writes down what has become of a network
        return tell(*arguments, **named)

    digits = datasets.load("digits")
    chosen = sweep.settings([(8,), (9,)], [8], ["best"], [0])
    monkeypatch.setattr(RDBStorage, "set_trial_state_values", interrupted_tell)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(digits, chosen, tmp_path / "out", epochs=1)
    (first,) = (tmp_path / "out").glob("*.bs4nn")
    monkeypatch.undo()
    reports: list[training.Report] = []
    outcomes = sweep.run(digits, chosen, tmp_path / "out", epochs=1, on_report=reports.append)
    assert {one.name for one in outcomes} == {"8-best-T8-seed0", "9-best-T8-seed0"}
    folders = {one.name for one in (tmp_path / "out").iterdir() if one.is_dir()}
    assert folders == {"8-best-T8-seed0", "9-best-T8-seed0"} >= {first.stem}
    assert sum(one.done == 1.0 for one in reports) == 1  # one epoch, of the one that was left
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--hidden", "x"), "--hidden"),
        (("--recipe", "s4nn"), "s4nn"),
        (("--store", "nonsense"), "store"),
        (("--set", "colour=1"), "colour"),
        (("--set", "all_images=1"), "all_images"),
    ],
)
def test_what_sweep_refuses(change: tuple[str, ...], words: str, tmp_path: Path) -> None:
    assert_refused(run_tool(*CALL, *change, "-o", tmp_path / "out"), words)
