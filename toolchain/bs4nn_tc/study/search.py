"""A longer search for what a network learns a data set with, on from what brief trials have chosen (`training.choice`).

Optuna proposes, and the same trials judge, on the same samples and by the same score. The study lies in the run's
folder, so that an interrupted search goes on where it was: trial n is the same, interrupted or not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.data import codings
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.study import stores
from bs4nn_tc.training import trials
from bs4nn_tc.training.choice import Choice, Wanted
from bs4nn_tc.training.fitting import WIDEST
from bs4nn_tc.training.options import BestOptions
from bs4nn_tc.training.run_folder import SEARCH
from bs4nn_tc.training.trials import Outcome, Plan

# Values of the recipe that are looked for as multiples of what it has for the coding and the width of a trial.
_MULTIPLES = ("hidden_thresholds", "windows", "output_threshold", "scale", "rate", "batch")
_LEAST, _MOST = 0.25, 4.0
_MOST_DROPOUT, _DROPOUT_STEP = 0.4, 0.05
_TIME_STEPS = (16, 32, 64)
# Shares of a whole run's epochs.
_SHARES = (0.1, 1.0)


@dataclass(frozen=True)
class Found:
    """What a search has come to.

    Attributes:
        choice: the best of the start and all trials.
        start: what it began with.
        trials: so many were made, here and before.
    """

    choice: Choice
    start: Choice
    trials: int

    @property
    def text(self) -> str:
        """One line."""
        before, after = self.start.outcome, self.choice.outcome
        assert before is not None
        assert after is not None
        made = f"searched by {self.trials} trial{'s' * (self.trials != 1)} more"
        if self.choice == self.start:
            return f"{made}: nothing better was found ({before.score:.1%})"
        return f"{made}: {self.choice.plan.text} ({after.score:.1%} in place of {before.score:.1%})"


@dataclass(frozen=True)
class _Space:
    """What is looked for: everything that the user has left open.

    Attributes:
        dataset: as it comes.
        wanted: what the user has said.
        start: what brief trials have chosen.
    """

    dataset: Dataset
    wanted: Wanted
    start: Choice

    def distributions(self) -> dict[str, Any]:
        """Optuna's, by name."""
        from optuna import distributions as of  # noqa: PLC0415 - an extra

        wanted, plan = self.wanted, self.start.plan
        said = {setting.partition("=")[0] for setting in wanted.settings}
        found: dict[str, Any] = {}
        if wanted.coding is None:
            texts = codings.to_try(trials.values_of(self.dataset))
            found["coding"] = of.CategoricalDistribution(texts)
        if not wanted.hidden and wanted.room is None:
            width = plan.hidden[0]
            found["hidden"] = of.IntDistribution(max(1, width // 4), min(WIDEST, 4 * width), log=True)
        if wanted.time_steps is None:
            found["time_steps"] = of.CategoricalDistribution(_TIME_STEPS)
        # A run by folds has as many epochs as its trial; one that chooses its best epoch needs no such number.
        if self.start.folds > 1 and wanted.epochs is None:
            found["epochs"] = of.FloatDistribution(*_SHARES, log=True)
        found |= {name: of.FloatDistribution(_LEAST, _MOST, log=True) for name in _MULTIPLES if name not in said}
        if "dropout" not in said:
            found["dropout"] = of.FloatDistribution(0.0, _MOST_DROPOUT, step=_DROPOUT_STEP)
        return found

    def of_start(self, looked_for: dict[str, Any]) -> dict[str, Any]:
        """What the start has, by name."""
        plan = self.start.plan
        behind = self._learned(plan.coding)
        effort = self.wanted.effort(self.start.share, self.start.folds)
        base = trials.options_of(behind, replace(plan, settings=self._kept(looked_for)), effort)
        own = trials.options_of(behind, plan, effort)
        has = {
            "coding": plan.coding,
            "hidden": plan.hidden[0],
            "time_steps": own.time_steps,
            "epochs": self.start.share,
            "dropout": own.dropout,
            **{name: _first(own, name) / _first(base, name) for name in _MULTIPLES},
        }
        return {name: has[name] for name in looked_for}

    def plan(self, values: dict[str, Any], whole: bool = False) -> Plan:
        """What to try with values of what is looked for.

        Args:
            values: by name.
            whole: not for a trial, but for the run.

        Raises:
            UserError: there is no room for a network with them.
        """
        started = self.start.plan
        coding = values.get("coding", started.coding)
        hidden = (values["hidden"],) if "hidden" in values else started.hidden
        plan = Plan(coding, hidden, self._kept(values), values.get("time_steps"))
        plan = self.wanted.widened(self.dataset, plan)
        behind = self._learned(coding)
        if whole:
            learned = slice(None) if self.start.folds > 1 else self.dataset.learned
            behind = trials.coded(self.dataset, coding, learned)
        base = trials.options_of(behind, plan, self.wanted.effort(self.start.share, self.start.folds))
        settings = [f"{name}={_multiple(getattr(base, name), values[name])}" for name in _MULTIPLES if name in values]
        if "dropout" in values:
            settings.append(f"dropout={values['dropout']:g}")
        return replace(plan, settings=(*settings, *plan.settings))

    def share(self, values: dict[str, Any]) -> float:
        """Of a whole run's epochs."""
        return float(values.get("epochs", self.start.share))

    def _kept(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Settings of the start that are not looked for."""
        return tuple(one for one in self.start.plan.settings if one.partition("=")[0] not in values)

    def _learned(self, coding: str) -> Dataset:
        """What a trial learns from, behind a coding."""
        first = trials.few(self.dataset.folds(), self.wanted.seed)[0]
        return trials.coded(trials.fold_of(self.dataset, first), coding, slice(None))


def _first(options: BestOptions, name: str) -> float:
    """A value, that of the first hidden layer where there is one a layer."""
    value = getattr(options, name)
    return float(value[0] if isinstance(value, tuple) else value)


def _multiple(value: object, by: float) -> str:
    """A value of the recipe, or one a layer, multiplied, as a setting has it."""
    if isinstance(value, tuple):
        return ",".join(_multiple(one, by) for one in value)
    assert isinstance(value, int | float)
    return str(max(1, round(value * by))) if isinstance(value, int) else f"{value * by:.4g}"


def search(
    dataset: Dataset,
    wanted: Wanted,
    start: Choice,
    folder: Path,
    enough: Callable[[int, float], bool],
    on_trial: Callable[[str], None],
) -> Found:
    """Look for something better than what brief trials have chosen.

    Args:
        dataset: samples as they come; its test samples are left alone.
        wanted: what is not to be looked for.
        start: what the trials have chosen.
        folder: of the run, for the study.
        enough: whether to end, by how many trials there are and how many seconds they have taken, those of before
            included.
        on_trial: called with where the search is before each trial.

    Raises:
        MissingToolError: Optuna is not installed.
        UserError: the study cannot be read or written.
        KeyboardInterrupt: Ctrl-C; the trials that were made are kept.
    """
    optuna = stores.optuna()
    space = _Space(dataset, wanted, start)
    looked_for = space.distributions()
    place = folder / SEARCH
    with disk_errors(place):
        study = stores.study_in(place, _name(optuna, space, looked_for), ("maximize",), shared=False)
    states = optuna.trial.TrialState
    with stores.store_errors(place), interruptible() as interrupted:
        if not study.get_trials(deepcopy=False, states=[states.COMPLETE]):
            study.add_trial(_started(optuna, space, looked_for))
        while True:
            made = study.get_trials(deepcopy=False, states=[states.COMPLETE, states.PRUNED])
            count, seconds = len(made) - 1, sum(one.duration.total_seconds() for one in made)
            best = max((one for one in made if one.state == states.COMPLETE), key=lambda one: one.value)
            if enough(count, seconds):
                break
            if interrupted():
                raise KeyboardInterrupt
            # By the number of the trial, so that it is the same whether there was an interruption before or not.
            seed = np.random.default_rng([wanted.seed, 4, count]).integers(2**32)
            study.sampler = optuna.samplers.TPESampler(seed=int(seed))
            trial = study.ask(looked_for)
            on_trial(f"{count} trials in {seconds / 60:.1f} minutes, the best {best.value:.1%}")
            _try(optuna, study, trial, space)
    return Found(_chosen(space, best), start, count)


def _name(optuna: Any, space: _Space, looked_for: dict[str, Any]) -> str:
    """Names the study of this data set, these options, this start and this space, and no other."""
    outcome = space.start.outcome
    said = {
        **space.wanted.identity(space.dataset),
        "start": [space.start.plan.text, space.start.share, None if outcome is None else outcome.json],
        "space": {name: optuna.distributions.distribution_to_json(one) for name, one in looked_for.items()},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _started(optuna: Any, space: _Space, looked_for: dict[str, Any]) -> Any:
    """The start as a trial: what it comes to is known."""
    outcome = space.start.outcome
    assert outcome is not None
    return optuna.trial.create_trial(
        params=space.of_start(looked_for),
        distributions=looked_for,
        value=outcome.score,
        user_attrs={"outcome": outcome.json, "start": True},
    )


def _try(optuna: Any, study: Any, trial: Any, space: _Space) -> None:
    """Make a trial, and write down what it has come to."""
    dataset, wanted = space.dataset, space.wanted
    try:
        plan = space.plan(trial.params)
        pairs = trials.few(dataset.folds(), wanted.seed)
        effort = wanted.effort(space.share(trial.params), space.start.folds)
        outcome = trials.run(dataset, plan, pairs, effort)
    except UserError:  # no room, say
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    trial.set_user_attr("outcome", outcome.json)
    study.tell(trial, outcome.score)


def _chosen(space: _Space, best: Any) -> Choice:
    """What a trial stands for."""
    if "start" in best.user_attrs:
        return space.start
    return replace(
        space.start,
        plan=space.plan(best.params, whole=True),
        outcome=Outcome(**best.user_attrs["outcome"]),
        share=space.share(best.params),
    )
