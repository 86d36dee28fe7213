"""A sweep over widths, time steps, recipes and seeds, to the frontier of accuracy against flash.

What has been done is kept in a store of Optuna (the extra `sweep`): a file by default, or a database that several
machines share, each running the same command. A sweep that is interrupted goes on where it was. Only validation images
are looked at.
"""

from __future__ import annotations

import csv
import io
import itertools
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bs4nn_tc import training
from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import disk_errors, write_atomically
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model import network_file
from bs4nn_tc.model.network import Network

# A worker that has not said anything for so long is taken for dead, and its setting is done by another.
HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 120


@dataclass(frozen=True)
class Setting:
    """One network to train.

    Attributes:
        hidden: neurons of each hidden layer.
        time_steps: T; None for the recipe's own.
        recipe: "best" or "paper".
        seed: of everything random.
    """

    hidden: tuple[int, ...]
    time_steps: int | None
    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Names the run's folder and the network's file."""
        steps = "" if self.time_steps is None else f"-T{self.time_steps}"
        return f"{'-'.join(map(str, self.hidden))}-{self.recipe}{steps}-seed{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """What a setting has come to, on the validation images.

    Attributes:
        name: of the setting.
        flash_bytes: of the network on a device.
        strict_accuracy, tie_lenient_accuracy, response_time, silent_share: as in SPEC.md.
        best: no other network of the sweep is both as small and as accurate.
    """

    name: str
    flash_bytes: int
    strict_accuracy: float
    tie_lenient_accuracy: float
    response_time: float
    silent_share: float
    best: bool = False


def settings(
    hidden: Sequence[tuple[int, ...]], time_steps: Sequence[int | None], recipes: Sequence[str], seeds: Sequence[int]
) -> list[Setting]:
    """Every combination."""
    return [Setting(*chosen) for chosen in itertools.product(hidden, time_steps, recipes, seeds)]


def run(
    dataset: Dataset,
    chosen: Sequence[Setting],
    folder: Path,
    *,
    store: str | None = None,
    epochs: int | None = None,
    options: Sequence[str] = (),
    on_report: Callable[[training.Report], None] | None = None,
) -> list[Outcome]:
    """Train what has not been trained yet, and return what all of it has come to, the smallest network first.

    Args:
        dataset: images and labels.
        chosen: the networks.
        folder: for runs, networks, and the store if it is a file.
        store: address of a database (as SQLAlchemy has it); a file in the folder if None.
        epochs: of every run; None for the recipe's own number.
        options: "name=value" for other values of the recipes.
        on_report: called after every piece of an epoch of a run.

    Raises:
        MissingToolError: Optuna is not installed.
        UserError: a value that does not fit, a store that cannot be reached, a full disk.
        KeyboardInterrupt: Ctrl-C; what was learned is on disk.
    """
    try:
        import optuna  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingToolError(remedies.not_installed("optuna")) from error
    resolved = {
        one.name: training.resolve(dataset, one.recipe, one.hidden, epochs, one.time_steps, one.seed, options)
        for one in chosen
    }
    if any(one.all_images for one in resolved.values()):
        raise UserError("with all_images no images are left to compare networks by; leave it out of a sweep")
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = store or f"sqlite:///{folder.absolute() / 'sweep.db'}"
    try:
        storage = optuna.storages.RDBStorage(address, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS)
        study = optuna.create_study(
            storage=storage, study_name="bs4nn-tc", directions=["maximize", "minimize"], load_if_exists=True
        )
    except Exception as error:  # whatever a database raises
        raise UserError(f"the store {address} cannot be used: {str(error).splitlines()[0]}") from error
    states = optuna.trial.TrialState

    def taken(but: int = -1) -> set[str]:
        others = study.get_trials(states=(states.COMPLETE, states.RUNNING))
        return {one.user_attrs.get("name", "") for one in others if one.number != but}

    def left() -> list[str]:
        done_or_begun = taken()
        return [name for name in resolved if name not in done_or_begun]

    def work(trial: optuna.Trial) -> tuple[float, int]:
        names = left()
        if not names:  # another machine has been faster
            raise optuna.TrialPruned
        name = random.choice(names)  # so that machines that start at once take different ones
        trial.set_user_attr("name", name)
        if name in taken(but=trial.number):  # another one had the same idea at the same moment: choose again
            raise optuna.TrialPruned
        outcome = _train(dataset, name, resolved[name], folder, on_report)
        for what, value in asdict(outcome).items():
            trial.set_user_attr(what, value)
        return outcome.strict_accuracy, outcome.flash_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
        # Optuna is not to be cut while it writes down what has become of a network.
        with interruptible() as interrupted:
            while left():
                if interrupted():
                    raise KeyboardInterrupt
                study.optimize(work, n_trials=1)
    done = {one.user_attrs["name"]: one.user_attrs for one in study.get_trials(states=(states.COMPLETE,))}
    return frontier([Outcome(**done[name]) for name in resolved if name in done])


def _train(
    dataset: Dataset,
    name: str,
    options: training.Options,
    folder: Path,
    on_report: Callable[[training.Report], None] | None,
) -> Outcome:
    begun = (folder / name).exists()
    result = training.train(dataset, options, folder / name, resume=begun, on_report=on_report)
    assert isinstance(result.network, Network)
    network_file.save(result.network, folder / f"{name}.bs4nn")
    flash = memory.plan(result.network, pack.pack(result.network), "network").flash_bytes
    return Outcome(name=name, flash_bytes=flash, best=False, **result.validation)


def frontier(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same, from the smallest to the largest, with `best` set where nothing smaller is as accurate."""
    marked = []
    highest = -1.0
    for one in sorted(outcomes, key=lambda one: (one.flash_bytes, -one.strict_accuracy)):
        marked.append(Outcome(**{**asdict(one), "best": one.strict_accuracy > highest}))
        highest = max(highest, one.strict_accuracy)
    return marked


def write_csv(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write one row a network.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(outcomes[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in outcomes)
    write_atomically(path, text.getvalue().encode())
