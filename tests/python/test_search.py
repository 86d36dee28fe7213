"""A longer search: never worse than its start, the same again after Ctrl-C, and anew for other data."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from conftest import Tool

from bs4nn_tc.data import codings, datasets, facts
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.model import network_file
from bs4nn_tc.study import search
from bs4nn_tc.training import choice, trials

# Three epochs a trial.
WANTED = choice.Wanted(None, (), (), 0, 3, None)
PLAN = trials.Plan("on-off:value", (4,), ("hidden_thresholds=1",))
# Of which every trial is better than this one, and no trial than the other one.
POOR, PERFECT = (
    choice.Choice(PLAN, (), 5, trials.Outcome(accuracy, accuracy, 0.0, 1.0, 120), 0.2) for accuracy in (0.1, 1.0)
)


@pytest.fixture(scope="module")
def iris() -> Dataset:
    return datasets.load("iris", None)


def nothing(_: str) -> None:
    pass


def so_many(wanted: int) -> Callable[[int, float], bool]:
    return lambda made, _: made >= wanted


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[trials.Plan, trials.Outcome]]:
    """What is tried from now on, and what it comes to."""
    seen = []
    real = trials.run

    def run(dataset: Dataset, plan: trials.Plan, *rest: Any) -> trials.Outcome:
        outcome = real(dataset, plan, *rest)
        seen.append((plan, outcome))
        return outcome

    monkeypatch.setattr(trials, "run", run)
    return seen


@pytest.fixture(scope="module")
def whole(
    iris: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[search.Found, list[tuple[trials.Plan, trials.Outcome]]]:
    """A search of six trials, and what it tried."""
    with pytest.MonkeyPatch.context() as patched:
        seen = watched(patched)
        return search.search(iris, WANTED, POOR, tmp_path_factory.mktemp("whole"), so_many(6), nothing), seen


def test_the_best_of_all_trials_is_found(
    iris: Dataset, whole: tuple[search.Found, list[tuple[trials.Plan, trials.Outcome]]]
) -> None:
    found, tried = whole
    assert (found.trials, len(tried), found.start) == (6, 6, POOR)
    plan, outcome = max(tried, key=lambda one: one[1].score)
    taken = found.choice.plan
    assert (taken.coding, taken.hidden, taken.time_steps) == (plan.coding, plan.hidden, plan.time_steps)
    assert found.choice.outcome == outcome
    assert f"{taken.text} ({outcome.score:.1%} in place of 10.0%)" in found.text
    assert {setting.partition("=")[0] for setting in taken.settings} == {
        "hidden_thresholds",
        "windows",
        "output_threshold",
        "scale",
        "rate",
        "batch",
        "dropout",
    }
    assert {plan.coding for plan, _ in tried} <= set(codings.to_try(trials.values_of(iris)))
    assert {plan.time_steps for plan, _ in tried} <= {16, 32, 64}
    assert len({plan.text for plan, _ in tried}) == 6


def test_nothing_worse_than_the_start_is_found(iris: Dataset, tmp_path: Path) -> None:
    found = search.search(iris, WANTED, PERFECT, tmp_path, so_many(2), nothing)
    assert found.choice == PERFECT
    assert found.text == "searched by 2 trials more: nothing better was found (100.0%)"
    first = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / 'search.db'}").trials[0]
    assert first.value == 1.0
    assert (first.params["coding"], first.params["hidden"], first.params["time_steps"]) == ("on-off:value", 4, 16)
    assert first.params["hidden_thresholds"] < 1 == first.params["windows"]


def test_an_interrupted_search_goes_on_where_it_was(
    iris: Dataset,
    whole: tuple[search.Found, list[tuple[trials.Plan, trials.Outcome]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = watched(monkeypatch)

    def interrupt(text: str) -> None:
        if text.startswith("2 trials"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        search.search(iris, WANTED, POOR, tmp_path, so_many(6), interrupt)
    assert len(seen) == 3
    taken: list[float] = []

    def enough(made: int, seconds: float) -> bool:
        taken.append(seconds)
        return made >= 6

    found = search.search(iris, WANTED, POOR, tmp_path, enough, nothing)
    assert seen == whole[1]
    assert found == whole[0]
    assert 0 < taken[0] < taken[1]  # what it took before counts
    assert search.search(iris, WANTED, POOR, tmp_path, so_many(6), nothing) == found
    assert len(seen) == 6


def test_a_search_of_something_else_is_not_gone_on_with(iris: Dataset, tmp_path: Path) -> None:
    search.search(iris, WANTED, POOR, tmp_path, so_many(1), nothing)
    images = iris.train_images.copy()
    images[0, 0] += 1
    others = [
        (replace(iris, train_images=images), WANTED, POOR),
        (iris, replace(WANTED, settings=("dropout=0.1",)), POOR),
        (iris, WANTED, replace(POOR, share=0.6)),
    ]
    for dataset, wanted, begun in others:
        before: list[int] = []

        def enough(made: int, _: float, before: list[int] = before) -> bool:
            before.append(made)
            return True

        search.search(dataset, wanted, begun, tmp_path, enough, nothing)
        assert before == [0]
    assert search.search(iris, WANTED, POOR, tmp_path, so_many(1), nothing).trials == 1


def test_what_a_user_has_said_is_not_looked_for(iris: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    said = replace(WANTED, coding="on-off:value", hidden=(4,), time_steps=8, settings=("rate=0.02", "dropout=0.1"))
    begun = replace(POOR, plan=replace(PLAN, settings=(*PLAN.settings, *said.settings)))
    search.search(iris, said, begun, tmp_path, so_many(2), nothing)
    for plan, _ in seen:
        assert (plan.coding, plan.hidden, plan.time_steps) == ("on-off:value", (4,), None)
        assert plan.settings[-2:] == said.settings
        names = [setting.partition("=")[0] for setting in plan.settings]
        assert sorted(names) == sorted(set(names))


def test_train_learns_what_the_search_has_found(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    real = search.search

    def briefly(*arguments: Any) -> search.Found:
        dataset, wanted, chosen, folder, _, on_trial = arguments
        begun = replace(chosen, outcome=POOR.outcome)  # so that a trial is better
        found.append(real(dataset, wanted, begun, folder, so_many(2), on_trial))
        return found[-1]

    monkeypatch.setattr(search, "search", briefly)
    call = ("train", "--dataset", "iris", "--coding", "range", "--epochs", "3", "--search", "1", "--accept", "--run",
            tmp_path / "run", "-o", tmp_path / "n.bs4nn")  # fmt: skip
    status, _, said = tool(*call)
    assert status == 0, said
    assert found[0].text in said
    network = network_file.load(tmp_path / "n.bs4nn")
    plan = found[0].choice.plan
    assert network.shape_text == f"4-{plan.hidden[0]}-3"
    assert network.time_steps == plan.time_steps
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    values = dict(setting.split("=") for setting in plan.settings)
    assert len(values) == 7
    assert {name: float(np.ravel(config[name])[0]) for name in values} == {
        name: float(value) for name, value in values.items()
    }
    status, _, said = tool(*call)
    assert (status, len(found)) == (2, 1), "the folder holds a run: nothing is searched for it"
    assert "holds a run already" in said


@pytest.mark.parametrize(
    ("options", "words", "expected"),
    [
        ((), "optuna is not installed; install it with: ", 3),
        (("--recipe", "paper"), "--recipe paper", 2),
        (("--resume",), "--resume", 2),
    ],
    ids=["optuna", "recipe", "resume"],
)
def test_a_search_in_vain_does_not_begin(
    options: tuple[str, ...], words: str, expected: int, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("train", "--dataset", "iris", "--search", "1", "--run", tmp_path / "run", "-o", tmp_path / "n.bs4nn")
    if not options:
        monkeypatch.setitem(sys.modules, "optuna", None)
    status, _, said = tool(*call, *options)
    assert (status, said.count("\n")) == (expected, 1), said
    assert words in said
    assert not list(tmp_path.rglob("choice.json"))


def test_a_run_by_folds_has_as_many_epochs_as_its_trial(
    iris: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[trials.Effort] = []

    def ever_better(_dataset: Dataset, _plan: trials.Plan, _pairs: object, effort: trials.Effort) -> trials.Outcome:
        tried.append(effort)
        return trials.Outcome(0.5 + len(tried) / 100, 0.5, 0.0, 1.0, 120)

    monkeypatch.setattr(trials, "run", ever_better)
    wanted = replace(WANTED, epochs=None)
    found = search.search(iris, wanted, POOR, tmp_path, so_many(3), nothing)
    assert len({effort.share for effort in tried}) == 3
    assert {(effort.epochs, effort.folds) for effort in tried} == {(None, 5)}
    behind, _, epochs = choice.applied(iris, found.choice, wanted)
    assert epochs == round(facts.learning(behind, found.choice.plan.hidden[0]).epochs * tried[-1].share)
    # Validation samples find the best epoch of a run by themselves.
    tried.clear()
    search.search(iris, wanted, replace(POOR, folds=1), tmp_path, so_many(2), nothing)
    assert {effort.share for effort in tried} == {POOR.share}
