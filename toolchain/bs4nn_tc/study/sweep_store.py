"""What a sweep has done and who is at work on what, in a store of Optuna: a file, or a database of several machines.

Whether somebody on this machine still works on a network is known at once, by the lock of its run's folder. Of other
machines it is known by what they say every half a minute (Optuna's heartbeat).
"""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bs4nn_tc.base import locks, remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import disk_errors, write_atomically

# A worker on another machine that has not said anything for so long is taken for dead.
HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 120
# Two machines that make the tables of a new store at the same moment: one of them has to look again.
TRIES, TRY_AGAIN_SECONDS = 3, 0.5
# Another process may write to a file for as long, on a busy machine.
SQLITE_SECONDS = 60
_STUDY = {"study_name": "bs4nn-tc", "directions": ["maximize", "minimize"], "load_if_exists": True}
# What may be a password in an address, in its usual place or among the options.
_SECRETS = re.compile(r"(?is):(?!//)(.*)@|(?:pass\w*|pwd|secret|token)=([^&]*)")


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
    try:
        import optuna  # noqa: PLC0415 - an extra
        import sqlalchemy  # noqa: PLC0415 - comes with Optuna
    except ImportError as error:
        raise MissingToolError(remedies.not_installed("optuna")) from error
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # whatever is wrong is said by us
    file = folder.absolute() / "sweep.db"
    chosen = address or f"sqlite:///{file}"
    database_errors = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.DBAPIError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        with disk_errors(folder), locks.claimed(folder, wait=True):
            if address is None and not file.exists():
                write_atomically(file, _new_store(optuna))
            try:
                study = _study(optuna, chosen, database_errors)
            except Exception as error:  # whatever a database raises
                raise _unusable(chosen, error) from error
        try:
            yield Trials(optuna, study)
        except Exception as error:
            # Where the store fails after a trial, Optuna stumbles over that with an error of its own.
            first: BaseException = error
            while first.__context__ is not None and not isinstance(first, database_errors):
                first = first.__context__
            if isinstance(error, UserError) or not isinstance(first, database_errors):
                raise
            raise _unusable(chosen, first) from error


def _study(optuna: Any, address: str, database_errors: tuple[type[Exception], ...]) -> Any:
    for _ in range(TRIES - 1):
        try:
            return _make_study(optuna, address, database_errors)
        except database_errors:
            time.sleep(TRY_AGAIN_SECONDS)
    return _make_study(optuna, address, database_errors)


def _make_study(optuna: Any, address: str, database_errors: tuple[type[Exception], ...]) -> Any:
    connection = {"connect_args": {"timeout": SQLITE_SECONDS}} if address.startswith("sqlite:") else {}
    storage = optuna.storages.RDBStorage(
        address, engine_kwargs=connection, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS
    )
    beat = storage.record_heartbeat

    def record_heartbeat(trial_id: int) -> None:
        # In a thread, where nobody would catch an error. If the store is gone for longer, the work itself meets that.
        with contextlib.suppress(*database_errors):
            beat(trial_id)

    storage.record_heartbeat = record_heartbeat
    return optuna.create_study(storage=storage, **_STUDY)


def _new_store(optuna: Any) -> bytes:
    """The content of a store without trials; made on the disk, it would be half of one for a while."""
    storage = optuna.storages.RDBStorage("sqlite:///:memory:")
    optuna.create_study(storage=storage, **_STUDY)
    with contextlib.closing(storage.engine.raw_connection()) as connection:
        content: bytes = connection.driver_connection.serialize()
    return content


def _unusable(address: str, error: Exception) -> UserError:
    """What to say of a store that cannot be used; never a password, which drivers like to repeat."""
    shown, secrets = address, [found for pair in _SECRETS.findall(address) for found in pair if found]
    for secret in secrets:
        shown = shown.replace(secret, "***")
    cause = error.__cause__ or error
    reason = (str(cause).splitlines() or [""])[0]
    # Where an address cannot be read, what is wrong with it may be a part of the password.
    if isinstance(cause, ValueError) or any(part in reason for one in secrets for part in (one, unquote(one))):
        reason = type(cause).__name__
    return UserError(f"the store {shown} cannot be used: {reason}")
