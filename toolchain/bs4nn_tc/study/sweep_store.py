"""What a sweep has done and who is at work on what, in a store of Optuna: a file, or a database of several machines.

Whether somebody on this machine still works on a network is known at once, by the lock of its run's folder. Of other
machines it is known by what they say every half a minute (Optuna's heartbeat).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bs4nn_tc.base import locks
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.study import stores


class Trials:
    """The networks of a sweep, one trial of Optuna for each attempt at one."""

    def __init__(self, optuna: Any, study: Any) -> None:
        self._optuna = optuna
        self._study = study
        self._states = optuna.trial.TrialState

    def done(self) -> dict[str, dict[str, Any]]:
        """The outcomes of the networks that are trained, by name."""
        return {one.user_attrs["name"]: one.user_attrs for one in self._all(self._states.COMPLETE)}

    def is_free(self, name: str, folder: Path) -> bool:
        """Whether a network, whose folder this process has locked, is neither trained nor being trained elsewhere."""
        self._optuna.storages.fail_stale_trials(self._study)
        place = locks.place_of(folder)
        for one in self._all(self._states.RUNNING):
            # Who began it in this folder held the lock that is ours now.
            if one.user_attrs.get("name") == name and one.user_attrs.get("place") == place:
                self._study.tell(one.number, state=self._states.FAIL, skip_if_finished=True)
        return name not in self._taken()

    def work(self, name: str, folder: Path, train: Callable[[], dict[str, Any]]) -> None:
        """Train a network, and write down what has become of it.

        Args:
            name: of the network.
            folder: of its run, locked by this process.
            train: returns the fields of an `Outcome`.

        Raises:
            Whatever `train` raises.
        """

        def objective(trial: Any) -> tuple[float, int]:
            trial.set_user_attr("place", locks.place_of(folder))
            trial.set_user_attr("name", name)
            if name in self._taken(but=trial.number):  # another machine had the same idea at the same moment
                raise self._optuna.TrialPruned
            outcome = train()
            for what, value in outcome.items():
                trial.set_user_attr(what, value)
            return outcome["strict_accuracy"], outcome["flash_bytes"]

        with contextlib.suppress(self._optuna.exceptions.UpdateFinishedTrialError):  # asleep for too long
            self._study.optimize(objective, n_trials=1)

    def _taken(self, but: int = -1) -> set[str]:
        others = self._all(self._states.COMPLETE, self._states.RUNNING)
        return {one.user_attrs.get("name", "") for one in others if one.number != but}

    def _all(self, *states: Any) -> list[Any]:
        return list(self._study.get_trials(deepcopy=False, states=states))


@contextlib.contextmanager
def opened(folder: Path, address: str | None) -> Iterator[Trials]:
    """Open a store, or make it.

    Args:
        folder: of the sweep.
        address: of a database (as SQLAlchemy has it); a file in the folder if None.

    Raises:
        MissingToolError: Optuna is not installed.
        UserError: the store cannot be used, now or later on.
    """
    optuna = stores.optuna()
    place = address or folder / "sweep.db"
    with disk_errors(folder), locks.claimed(folder, wait=True):
        study = stores.study_in(place, "bs4nn-tc", ("maximize", "minimize"), shared=True)
    with stores.store_errors(place):
        yield Trials(optuna, study)
