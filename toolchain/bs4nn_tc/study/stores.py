"""Studies of Optuna (the extra `sweep`) that last: in a file, or in a database that several machines share."""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import write_atomically

# A worker on another machine that has not said anything for so long is taken for dead.
HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 120
# Two machines that make the tables of a new store at the same moment: one of them has to look again.
TRIES, TRY_AGAIN_SECONDS = 3, 0.5
# Another process may write to a file for as long, on a busy machine.
SQLITE_SECONDS = 60
# What may be a password in an address, in its usual place or among the options.
_SECRETS = re.compile(r"(?is):(?!//)(.*)@|(?:pass\w*|pwd|secret|token)=([^&]*)")


def optuna() -> Any:
    """The library, which says nothing itself.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        import optuna  # noqa: PLC0415 - an extra
        import sqlalchemy  # noqa: F401, PLC0415 - comes with Optuna
    except ImportError as error:
        raise MissingToolError(remedies.not_installed("optuna")) from error
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # whatever is wrong is said by us
    return optuna


def study_in(place: Path | str, name: str, directions: tuple[str, ...], shared: bool) -> Any:
    """A study, as it was left or new.

    Args:
        place: a file, or the address of a database (as SQLAlchemy has it).
        name: of the study.
        directions: "maximize" or "minimize" for each of its values.
        shared: several work on it at once, and say that they do.

    Raises:
        MissingToolError: Optuna is not installed.
        UserError: the store cannot be used.
        OSError: the file cannot be written.
    """
    library = optuna()
    wanted = {"study_name": name, "directions": list(directions), "load_if_exists": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", library.exceptions.ExperimentalWarning)
        if isinstance(place, Path) and not place.exists():
            write_atomically(place, _new_store(library, wanted))
        try:
            return _study(library, _address(place), wanted, shared)
        except Exception as error:  # whatever a database raises
            raise _unusable(_address(place), error) from error


@contextlib.contextmanager
def store_errors(place: Path | str) -> Iterator[None]:
    """Within, a study's store that fails is an error of the user, and Optuna does not warn of itself.

    Raises:
        UserError: the store cannot be used any more.
    """
    library = optuna()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", library.exceptions.ExperimentalWarning)
            yield
    except Exception as error:
        # Where the store fails after a trial, Optuna stumbles over that with an error of its own.
        first: BaseException = error
        database_errors = _database_errors(library)
        while first.__context__ is not None and not isinstance(first, database_errors):
            first = first.__context__
        if isinstance(error, UserError) or not isinstance(first, database_errors):
            raise
        raise _unusable(_address(place), first) from error


def _address(place: Path | str) -> str:
    return f"sqlite:///{place.absolute()}" if isinstance(place, Path) else place


def _database_errors(library: Any) -> tuple[type[Exception], ...]:
    import sqlalchemy  # noqa: PLC0415 - comes with Optuna

    return library.exceptions.StorageInternalError, sqlalchemy.exc.DBAPIError


def _study(library: Any, address: str, wanted: dict[str, Any], shared: bool) -> Any:
    for _ in range(TRIES - 1):
        try:
            return _make_study(library, address, wanted, shared)
        except _database_errors(library):
            time.sleep(TRY_AGAIN_SECONDS)
    return _make_study(library, address, wanted, shared)


def _make_study(library: Any, address: str, wanted: dict[str, Any], shared: bool) -> Any:
    connection = {"connect_args": {"timeout": SQLITE_SECONDS}} if address.startswith("sqlite:") else {}
    beats = {"heartbeat_interval": HEARTBEAT_SECONDS, "grace_period": GRACE_SECONDS} if shared else {}
    storage = library.storages.RDBStorage(address, engine_kwargs=connection, **beats)
    beat = storage.record_heartbeat

    def record_heartbeat(trial_id: int) -> None:
        # In a thread, where nobody would catch an error. If the store is gone for longer, the work itself meets that.
        with contextlib.suppress(*_database_errors(library)):
            beat(trial_id)

    storage.record_heartbeat = record_heartbeat
    return library.create_study(storage=storage, **wanted)


def _new_store(library: Any, wanted: dict[str, Any]) -> bytes:
    """The content of a store without trials; made on the disk, it would be half of one for a while."""
    storage = library.storages.RDBStorage("sqlite:///:memory:")
    library.create_study(storage=storage, **wanted)
    with contextlib.closing(storage.engine.raw_connection()) as connection:
        content: bytes = connection.driver_connection.serialize()
    return content


def _unusable(address: str, error: BaseException) -> UserError:
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
