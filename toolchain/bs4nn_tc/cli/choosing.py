"""What `train` chooses by the data before it learns, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.locks import only_one
from bs4nn_tc.cli.common import progress_console
from bs4nn_tc.data import datasets, facts

if TYPE_CHECKING:
    from bs4nn_tc.cli.resuming import Asked
    from bs4nn_tc.training import choice as choosers
    from bs4nn_tc.training.fitting import Room


def by_folds(dataset: datasets.Dataset) -> bool:
    """Whether a cross-validation has chosen, so that no samples need be kept from learning to choose by."""
    taken = dataset if dataset.samples is None else dataset.samples
    return len(taken.folds()) > 1


def room(board: str | None, flash: str | None, asked: Asked) -> Room | None:
    """The place that --fit and --flash name.

    Raises:
        UserError: no such place, or a width as well.
    """
    from bs4nn_tc.training import fitting  # noqa: PLC0415 - only who trains needs them

    found = fitting.room(board, flash)
    if found is not None and asked.hidden:
        raise UserError("--fit and --flash choose the width of the hidden layer; leave out --hidden (and --resume)")
    return found


def check_search(asked: Asked, folder: Path, resume: bool) -> None:
    """Refuse a search that would be in vain, before anything begins.

    Raises:
        MissingToolError: Optuna is not installed.
        UserError: nothing is left open, or the folder holds a run.
    """
    from bs4nn_tc.study import stores  # noqa: PLC0415 - only who searches needs it
    from bs4nn_tc.training import run_folder  # noqa: PLC0415 - only who trains needs it

    if resume:
        raise UserError("--search comes before a run, and --resume goes on with one; leave one of them out")
    if asked.recipe != "best":
        raise UserError(f"--search looks for what `best` learns with; leave it out with --recipe {asked.recipe}")
    stores.optuna()
    for one in (folder, *folder.glob("seed-*")):
        run_folder.check_no_run(one)


def chosen(
    asked: Asked,
    dataset: datasets.Dataset,
    folder: Path,
    room: Room | None,
    search: int | None,
    resume: bool,
    quiet: bool,
) -> tuple[Asked, datasets.Dataset]:
    """What is asked for, with what was left open, and the data set behind its coding.

    Args:
        asked: the options of `train`.
        dataset: as it comes.
        folder: of the run, for the table of trials.
        room: the hidden layer is to be as wide as there is room.
        search: minutes of a search after the brief trials; None for no search.
        resume: nothing is open any more.
        quiet: say nothing of the trials.
    """
    from bs4nn_tc.training import choice  # noqa: PLC0415 - only who trains needs them

    ready = choice.as_they_come(dataset)
    if search is not None:
        asked = replace(asked, coding=asked.coding or ready)
    wanted = choice.Wanted(
        asked.coding, asked.sizes, asked.settings, asked.seeds[0], asked.epochs, asked.time_steps, room
    )
    if asked.recipe == "best" and not resume and (ready is None or search is not None):
        found = _by_trials(dataset, wanted, folder, search, quiet)
    else:
        found = choice.unchosen(dataset, wanted, facts.HIDDEN)
    plan = found.plan
    if room is not None and not quiet:
        progress_console.print(f"the widest hidden layer that fits {room.text}: {plan.hidden[0]} neurons")
    behind, settings, epochs = choice.applied(dataset, found, wanted)
    taken = replace(asked, coding=plan.coding, hidden=plan.hidden, epochs=epochs, settings=settings, out=asked.file)
    return replace(taken, time_steps=plan.time_steps or asked.time_steps), behind


def _by_trials(
    dataset: datasets.Dataset, wanted: choosers.Wanted, folder: Path, search: int | None, quiet: bool
) -> choosers.Choice:
    """What brief trials choose, and a search of so many minutes after them."""
    from bs4nn_tc.study import search as searching  # noqa: PLC0415 - only who trains needs them
    from bs4nn_tc.training import choice  # noqa: PLC0415 - only who trains needs them

    def say(text: str) -> None:
        if not quiet:
            progress_console.print(text, soft_wrap=True, markup=False)

    stopped = "stopped while choosing; the same command goes on"
    try:
        with progress_console.status("choosing") as status, only_one(folder):
            chosen = choice.choose(dataset, wanted, folder, lambda text: status.update(f"choosing: {text}"))
            say(chosen.text)
            if search is None:
                return chosen
            stopped = "stopped while searching; the same command goes on with what is left of the minutes"
            found = searching.search(
                dataset, wanted, chosen, folder,
                lambda _, seconds: seconds >= 60 * search,
                lambda text: status.update(f"searching for {search} minutes: {text}"),
            )  # fmt: skip
    except KeyboardInterrupt:
        progress_console.print(stopped)
        raise
    say(found.text)
    return found.choice
