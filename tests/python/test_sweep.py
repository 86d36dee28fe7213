"""Sweeps: every combination once, interrupted or by several at once, and the frontier."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import assert_refused, run_tool
from optuna.storages import RDBStorage

from bs4nn_tc import cli, training
from bs4nn_tc.base import locks
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.model import network_file
from bs4nn_tc.study import stores, sweep, sweep_store
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
    for one in said:  # whoever ends first has waited for the other
        assert {network["name"]: network for network in one["networks"]} == expected


def test_networks_that_have_come_to_nothing_are_warned_of(tmp_path: Path) -> None:
    """A threshold that no output neuron reaches: 100 % silent. Repeated, what the store holds says the same."""
    call = ("sweep", "--dataset", "digits", "--hidden", "8", "--epochs", "1", "--set", "output_threshold=2000")
    for _ in range(2):
        done = run_tool(*call, "--quiet", "--json", "-o", tmp_path)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["warnings"][0].startswith("8-best-seed0, validation images: no output neuron fires on 100.0%")
        assert [f"8-best-seed0, {text}" for text in told["networks"][0]["warnings"]] == told["warnings"]
        assert done.stderr.splitlines() == [f"warning: {line}" for line in told["warnings"]]
    (row,) = csv.DictReader((tmp_path / "sweep.csv").open())
    assert row["warnings"] == "; ".join(told["networks"][0]["warnings"])
    assert row["found"].split(", ")[0] == told["networks"][0]["found"][0] == "SILENT"
    assert "SILENT" in run_tool(*call, "--quiet", "-o", tmp_path).stdout


@pytest.mark.bounds
def test_an_interrupt_between_two_networks_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = RDBStorage.set_trial_state_values

    def interrupted_tell(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)  # while Optuna writes down what has become of a network
        return tell(*arguments, **named)

    digits = datasets.load("digits")
    chosen = sweep.resolve(digits, sweep.settings([(8,), (9,)], [8], ["best"], [0]), epochs=1)
    monkeypatch.setattr(RDBStorage, "set_trial_state_values", interrupted_tell)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(digits, chosen, tmp_path / "out")
    (first,) = (tmp_path / "out").glob("*.bs4nn")
    monkeypatch.undo()
    reports: list[training.Report] = []
    outcomes = sweep.run(digits, chosen, tmp_path / "out", on_report=reports.append).outcomes
    assert {one.name for one in outcomes} == {"8-best-T8-seed0", "9-best-T8-seed0"}
    folders = {one.name for one in (tmp_path / "out").iterdir() if one.is_dir()}
    assert folders == {"8-best-T8-seed0", "9-best-T8-seed0"} >= {first.stem}
    assert sum(one.done == 1.0 for one in reports) == 1  # one epoch, of the one that was left
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def two() -> tuple[datasets.Dataset, dict[str, training.Options]]:
    """Two networks of an epoch each."""
    digits = datasets.load("digits")
    return digits, sweep.resolve(digits, sweep.settings([(8,), (9,)], [8], ["best"], [0]), epochs=1)


FIRST, SECOND = "8-best-T8-seed0", "9-best-T8-seed0"


def begin(folder: Path, name: str, place: str) -> optuna.Trial:
    """What a worker at that place writes down when it begins."""
    with sweep_store.opened(folder, None) as trials:
        trial = trials._study.ask()
        trials._study._storage._backend.record_heartbeat(trial._trial_id)
        trial.set_user_attr("place", place)
        trial.set_user_attr("name", name)
        return trial


def never(*_: object) -> None:
    raise AssertionError("nobody is to be waited for")


@pytest.mark.parametrize("got_to", ["nothing", "folder", "config", "checkpoint", "network"])
def test_a_killed_sweep_goes_on_at_once(got_to: str, tmp_path: Path) -> None:
    """Wherever its worker was killed, whose trial still counts as running."""
    digits, resolved = two()
    run = tmp_path / FIRST
    if got_to != "nothing":
        run.mkdir()
        begin(tmp_path, FIRST, locks.place_of(run))
    if got_to in ("checkpoint", "network"):
        result = training.train(digits, resolved[FIRST], run)
        if got_to == "network":
            network_file.save(result.network, tmp_path / f"{FIRST}.bs4nn")
    elif got_to == "config":
        (run / "config.json").write_text("{}")
    result = sweep.run(digits, resolved, tmp_path, on_wait=never)
    assert ({one.name for one in result.outcomes}, result.failures) == ({FIRST, SECOND}, {})
    assert {path.stem for path in tmp_path.glob("*.bs4nn")} == {FIRST, SECOND}


def test_who_is_at_work_is_waited_for(tmp_path: Path) -> None:
    """On this machine by the lock of the folder, on others by their heartbeat."""
    digits, resolved = two()
    (tmp_path / FIRST).mkdir()
    here = contextlib.ExitStack()
    assert here.enter_context(locks.claimed(tmp_path / FIRST))
    elsewhere = begin(tmp_path, SECOND, "another machine")
    waited = []

    def on_wait(left: int) -> None:
        waited.append(left)
        here.close()
        elsewhere.study.tell(elsewhere.number, state=optuna.trial.TrialState.FAIL)

    result = sweep.run(digits, resolved, tmp_path, on_wait=on_wait)
    assert waited == [2]
    assert {one.name for one in result.outcomes} == {FIRST, SECOND}


def test_networks_of_other_options_are_not_taken_for_these(tmp_path: Path) -> None:
    digits, resolved = two()
    first = {FIRST: resolved[FIRST]}
    done = sweep.run(digits, first, tmp_path).outcomes
    reports: list[training.Report] = []
    assert sweep.run(digits, first, tmp_path, on_report=reports.append).outcomes == done
    assert not reports
    others = dataclasses.replace(digits, train_labels=digits.train_labels[::-1])
    for dataset, change, words in (
        (digits, {"epochs": 2}, "epochs is 1 there, 2 here"),
        (digits, {"rate": 0.5}, r"rate is 0\.01 there, 0\.5 here"),
        (digits, {"hidden_thresholds": (5,)}, r"hidden_thresholds is \[12\] there, \[5\] here"),
        (others, {}, "its images or labels were others"),
    ):
        changed = {FIRST: dataclasses.replace(resolved[FIRST], **change), SECOND: resolved[SECOND]}
        with pytest.raises(UserError, match=rf"^{FIRST} in .* other options \({words}\); .*another folder with -o"):
            sweep.run(dataset, changed, tmp_path, on_report=reports.append)
    assert not reports


def test_several_make_a_store_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TRIES", 1)  # here a lock goes before

    def work(number: int) -> int:
        with sweep_store.opened(tmp_path, None) as trials:
            return len(trials.done()) + number

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(work, range(6))) == list(range(6))


def test_one_that_fails_does_not_keep_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digits, resolved = two()
    dead = dataclasses.replace(resolved[FIRST], hidden_thresholds=(60_000,))
    result = sweep.run(digits, {FIRST: dead, SECOND: resolved[SECOND]}, tmp_path / "api")
    assert [one.name for one in result.outcomes] == [SECOND]
    assert list(result.failures) == [FIRST]
    assert "no hidden neuron fires" in result.failures[FIRST]
    # Another time with a lower threshold it can be trained.
    assert not sweep.run(digits, resolved, tmp_path / "api").failures

    (tmp_path / "out" / FIRST).mkdir(parents=True)
    (tmp_path / "out" / FIRST / "thesis.tex").touch()
    call = "sweep --hidden 8 --hidden 9 --time-steps 8 --epochs 1 --quiet --json"
    with pytest.raises(UserError, match=rf"^1 of 2 networks could not be trained: {FIRST} \(.*something else.*\)$"):
        cli.app([*call.split(), "-o", str(tmp_path / "out")], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    assert ([one["name"] for one in said["networks"]], list(said["failures"])) == ([SECOND], [FIRST])
    assert (tmp_path / "out" / "sweep.csv").is_file()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:PASSWORD@localhost/db",
        "postgresql://u:PASSWORD@localhost:port/db",
        "postgresql://u:PASSWORD@w@localhost:port:2/db",
        "nonsense://u:PASSWORD@localhost/db",
        "u:PASSWORD@localhost",
        "sqlite:////none/x?password=PASSWORD",
        "postgresql://localhost/db?user=u&PASSWD=PASSWORD",
    ],
)
def test_no_password_is_shown(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TRY_AGAIN_SECONDS", 0)
    with pytest.raises(UserError, match=r"the store .*cannot be used") as caught, sweep_store.opened(tmp_path, address):
        pass
    assert "PASSWORD" not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_driver_that_repeats_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no connection with p@ss to localhost")

    monkeypatch.setattr(optuna.storages, "RDBStorage", fail)
    with pytest.raises(UserError, match=r"cannot be used: RuntimeError$") as caught:
        sweep_store.opened(tmp_path, "postgresql://u:p%40ss@localhost/db").__enter__()
    assert "ss@" not in str(caught.value)


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
