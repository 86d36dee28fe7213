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


def chosen(
    asked: Asked, dataset: datasets.Dataset, folder: Path, room: Room | None, resume: bool, quiet: bool
) -> tuple[Asked, datasets.Dataset]:
    """What is asked for, with what was left open, and the data set behind its coding.

    Args:
        asked: the options of `train`.
        dataset: as it comes.
        folder: of the run, for the table of trials.
        room: the hidden layer is to be as wide as there is room.
        resume: nothing is open any more.
        quiet: say nothing of the trials.
    """
    from bs4nn_tc.training import choice  # noqa: PLC0415 - only who trains needs them

    wanted = choice.Wanted(
        asked.coding, asked.sizes, asked.settings, asked.seeds[0], asked.epochs, asked.time_steps, room
    )
    tried = asked.recipe == "best" and choice.as_they_come(dataset) is None and not resume
    if tried:
        try:
            with progress_console.status("choosing") as status, only_one(folder):
                found = choice.choose(dataset, wanted, folder, lambda text: status.update(f"choosing: {text}"))
        except KeyboardInterrupt:
            progress_console.print("stopped while choosing; the same command goes on")
            raise
        if not quiet:
            progress_console.print(found.text, soft_wrap=True, markup=False)
    else:
        found = choice.unchosen(dataset, wanted, facts.HIDDEN)
    if room is not None and not quiet:
        progress_console.print(f"the widest hidden layer that fits {room.text}: {found.plan.hidden[0]} neurons")
    behind, settings, epochs = choice.applied(dataset, found, wanted)
    plan = found.plan
    taken = replace(asked, coding=plan.coding, hidden=plan.hidden, epochs=epochs, settings=settings, out=asked.file)
    return taken, behind
