"""A sweep over widths, time steps, recipes and seeds, to the frontier of accuracy against flash.

What has been done is kept in a store of Optuna (the extra `sweep`): a file by default, or a database that several
machines share, each running the same command. A sweep that is interrupted goes on where it was. Only validation images
are looked at.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bs4nn_tc import training
from bs4nn_tc.base import locks
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import disk_errors, write_atomically
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model import judgement, network_file
from bs4nn_tc.model.network import Network
from bs4nn_tc.study import sweep_store

# Between two looks at what others have done.
WAIT_SECONDS = 1.0


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
        warnings: what is wrong with its answers, see `judgement`.
        images: so many validation images there were.
        found: the same as `warnings` in a word each, in capitals what fails.
    """

    name: str
    flash_bytes: int
    strict_accuracy: float
    tie_lenient_accuracy: float
    response_time: float
    silent_share: float
    best: bool = False
    warnings: Sequence[str] = ()
    images: int = 0
    found: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """What a sweep has come to.

    Attributes:
        outcomes: of the networks that were trained, here or elsewhere, the smallest first.
        failures: why the others could not be, by name.
    """

    outcomes: list[Outcome]
    failures: dict[str, str]


def settings(
    hidden: Sequence[tuple[int, ...]], time_steps: Sequence[int | None], recipes: Sequence[str], seeds: Sequence[int]
) -> list[Setting]:
    """Every combination."""
    return [Setting(*chosen) for chosen in itertools.product(hidden, time_steps, recipes, seeds)]


def resolve(
    dataset: Dataset, chosen: Sequence[Setting], epochs: int | None = None, options: Sequence[str] = ()
) -> dict[str, training.Options]:
    """What every run is made of, by the name of its setting.

    Args:
        dataset: images and labels.
        chosen: the networks.
        epochs: of every run; None for the recipe's own number.
        options: "name=value" for other values of the recipes.

    Raises:
        UserError: a value that does not fit, or leaves no images to compare networks by.
    """
    resolved = {
        one.name: training.resolve(dataset, one.recipe, one.hidden, epochs, one.time_steps, one.seed, options)
        for one in chosen
    }
    if any(one.all_images for one in resolved.values()):
        raise UserError("with all_images no images are left to compare networks by; leave it out of a sweep")
    return resolved


def run(
    dataset: Dataset,
    resolved: Mapping[str, training.Options],
    folder: Path,
    *,
    store: str | None = None,
    on_report: Callable[[training.Report], None] | None = None,
    on_wait: Callable[[int], None] | None = None,
) -> Result:
    """Train what has not been trained yet, and return what all of it has come to.

    One that fails does not keep the others. Networks that others are training at the moment are waited for.

    Args:
        dataset: images and labels.
        resolved: what to train, see `resolve`.
        folder: for runs, networks, and the store if it is a file.
        store: address of a database (as SQLAlchemy has it); a file in the folder if None.
        on_report: called after every piece of an epoch of a run.
        on_wait: called with how many networks are left when others are training all of these.

    Raises:
        MissingToolError: Optuna or a C compiler is not installed.
        UserError: a store that cannot be used or holds networks of other options, or a folder that cannot be written.
        KeyboardInterrupt: Ctrl-C; what was learned is on disk.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with sweep_store.opened(folder, store) as trials:
        _check_same(dataset, resolved, trials.done(), folder)
        failures: dict[str, str] = {}
        waiting = False
        # Nothing is to be cut while it is written down what has become of a network.
        with interruptible() as interrupted:
            while left := [name for name in resolved if name not in failures and name not in trials.done()]:
                if interrupted():
                    raise KeyboardInterrupt
                with contextlib.ExitStack() as claim:
                    name = _claim(left, folder, trials, claim)
                    if name is not None:
                        train = functools.partial(_train, dataset, name, resolved[name], folder, on_report)
                        _work(trials, name, folder, train, failures)
                    elif on_wait is not None and not waiting:
                        on_wait(len(left))
                waiting = name is None
                if waiting:
                    time.sleep(WAIT_SECONDS)
        done = trials.done()
    names = {field.name for field in fields(Outcome)}  # a store may hold more, or, of an older release, fewer
    outcomes = [
        Outcome(**{name: done[one][name] for name in names & set(done[one])}) for one in resolved if one in done
    ]
    return Result(frontier(outcomes), failures)


def _check_same(
    dataset: Dataset, resolved: Mapping[str, training.Options], done: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Refuse to take a network for trained that has the same name but was made of something else.

    Raises:
        UserError: which one, and what differs.
    """
    for name, options in resolved.items():
        config = training.run_config(dataset, options)
        difference = training.first_difference(done[name].get("config", config), config) if name in done else None
        if difference is not None:
            raise UserError(
                f"{name} in {folder} was trained with other options ({difference}); repeat the sweep with the same "
                "ones, or name another folder with -o (and another --store)"
            )


def _claim(left: list[str], folder: Path, trials: sweep_store.Trials, claim: contextlib.ExitStack) -> str | None:
    """Take one that nobody else is training, and hold its folder; None if there is none."""
    for name in random.sample(left, len(left)):  # so that machines that start at once take different ones
        with contextlib.ExitStack() as attempt, disk_errors(folder / name):
            if attempt.enter_context(locks.claimed(folder / name)) and trials.is_free(name, folder / name):
                claim.enter_context(attempt.pop_all())
                return name
    return None


def _work(
    trials: sweep_store.Trials,
    name: str,
    folder: Path,
    train: Callable[[], dict[str, Any]],
    failures: dict[str, str],
) -> None:
    """Train one; what keeps it from that, but none of the others, goes to `failures`."""
    try:
        trials.work(name, folder / name, train)
    except MissingToolError:
        raise
    except UserError as error:
        failures[name] = str(error)


def _train(
    dataset: Dataset,
    name: str,
    options: training.Options,
    folder: Path,
    on_report: Callable[[training.Report], None] | None,
) -> dict[str, Any]:
    """Train one; the fields of its outcome."""
    begun = (folder / name / training.CHECKPOINT).exists()  # else it gives way to a new one
    result = training.train(dataset, options, folder / name, resume=begun, on_report=on_report)
    assert isinstance(result.network, Network)
    network_file.save(result.network, folder / f"{name}.bs4nn")
    flash = memory.plan(result.network, pack.pack(result.network), "network").flash_bytes
    assert result.held_out is not None
    judged = judgement.told({"validation images": result.judged})
    findings = (*judged, *judgement.compare(result.learned, result.held_out))
    return {
        "name": name,
        "flash_bytes": flash,
        "best": False,
        "warnings": [finding.text for finding in findings],
        "found": [finding.word for finding in findings],
        "images": result.held_out.images,
        "config": training.run_config(dataset, options),
        **result.validation,
    }


def frontier(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same, from the smallest to the largest, with `best` set where nothing smaller is as accurate."""
    marked = []
    highest = -1.0
    for one in sorted(outcomes, key=lambda one: (one.flash_bytes, -one.strict_accuracy)):
        marked.append(Outcome(**{**asdict(one), "best": one.strict_accuracy > highest}))
        highest = max(highest, one.strict_accuracy)
    return marked


def write_csv(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write one row a network; its warnings, and what was found, are one text each.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(outcomes[0])), lineterminator="\n")
    writer.writeheader()
    texts = ({"warnings": "; ".join(one.warnings), "found": ", ".join(one.found)} for one in outcomes)
    writer.writerows({**asdict(one), **text} for one, text in zip(outcomes, texts, strict=True))
    write_atomically(path, text.getvalue().encode())
