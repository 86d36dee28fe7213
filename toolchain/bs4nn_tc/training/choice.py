"""What a network learns a data set with, chosen by brief trials on samples that are not learned from meanwhile.

First the coding of the values, then the width and a few values of the recipe. Every trial is kept in the run's folder,
so that an interrupted choice goes on where it was; all of it follows from the samples, the seed and what was asked for.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, read_file, write_atomically
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.data import codings
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.training import trials
from bs4nn_tc.training.fitting import Room
from bs4nn_tc.training.run_folder import CHOICE, TRIALS
from bs4nn_tc.training.trials import Effort, Outcome, Plan

# (share of a run's epochs, folds, codings that go on) of the rounds in which codings are compared.
_ROUNDS = ((0.1, 2, 3), (0.2, 5, 1))
_LAST = _ROUNDS[-1]
# In the end the plan is tried with so many of the epochs, too.
_LONGER = 0.6
# Something more is to be gained by another value than this, in score.
_GAIN = 0.003
# Neurons of the hidden layer to begin with, for few values a sample and for many.
_WIDTHS = (64, 128)
# So large a share of black values is a ground, on which bright ink lies.
_GROUND = 0.2
# Shares of their steps by which recordings may be moved.
_ROLLS = (0.03, 0.1)
# Settings with which validation samples are learned from.
_ALL = {f"all_images={yes}" for yes in ("True", "true", "yes", "1")}
# The commonest class is so many times as frequent as the rarest one: classes may be drawn more evenly.
_UNEVEN = 2.0


@dataclass(frozen=True)
class Wanted:
    """What a user has said, and nobody chooses any more.

    Attributes:
        coding: None to choose one.
        hidden: neurons of each hidden layer; () to choose them.
        settings: "name=value" of the recipe.
        seed: of the trials.
        epochs, time_steps: None for the recipe's own.
        room: the hidden layer is to be as wide as there is room; None: nobody asked for that.
    """

    coding: str | None
    hidden: tuple[int, ...]
    settings: tuple[str, ...]
    seed: int
    epochs: int | None
    time_steps: int | None
    room: Room | None = None

    @property
    def json(self) -> dict[str, Any]:
        """For a file."""
        return {**asdict(replace(self, room=None)), "room": None if self.room is None else self.room.text}

    def identity(self, dataset: Dataset) -> dict[str, Any]:
        """What a choice follows from, as a file gives it back: trials of another one are of no use."""
        said: dict[str, Any] = json.loads(json.dumps({**self.json, "data": dataset.training_digest}))
        return said

    def effort(self, share: float, folds: int) -> Effort:
        """Of a trial with a share of a whole run's epochs, on so many folds."""
        return Effort(share, folds, self.seed, self.time_steps or 16, self.epochs)

    def widened(self, dataset: Dataset, plan: Plan) -> Plan:
        """The plan with as wide a hidden layer as there is room for, if that was asked for."""
        if self.room is None:
            return plan
        return replace(plan, hidden=(self.room.widest(trials.coded(dataset, plan.coding, slice(None))),))


@dataclass(frozen=True)
class Choice:
    """What has been chosen.

    Attributes:
        plan: the coding, the width, and the values of the recipe, those of the user last.
        trials: (what was tried, what it came to), in their order; empty where nothing was.
        folds: by so many.
        outcome: of the plan's own last trial.
        share: of the epochs of a whole run that this trial had.
    """

    plan: Plan
    trials: tuple[tuple[str, Outcome], ...] = ()
    folds: int = 1
    outcome: Outcome | None = None
    share: float = 1.0

    @property
    def text(self) -> str:
        """One line: what was chosen, and why."""
        if self.outcome is None:
            return f"coding: {self.plan.coding}"
        by = f"cross-validation over {self.folds} folds" if self.folds > 1 else "the validation samples"
        # Of those that were tried as thoroughly.
        last = f"{_LAST[0]:g} x {self.folds}"
        others = [
            (one.score, text)
            for text, one in self.trials
            if text.split()[0] != self.plan.coding and text.endswith(last)
        ]
        next_best = f"; the next best coding, {max(others)[1].split()[0]}, {max(others)[0]:.1%}" if others else ""
        return (
            f"chosen by {len(self.trials)} brief trials on {by}: {self.plan.text} ({self.outcome.score:.1%}{next_best})"
        )


def as_they_come(dataset: Dataset) -> str | None:
    """The coding of grey pictures with ink on a ground, which need no trials; None for everything else."""
    if dataset.polarity is None:
        return None
    ground = 0 if dataset.polarity == "bright" else dataset.intensity_max
    if float(np.mean(dataset.train_images[:2000] == ground)) < _GROUND:
        return None
    return codings.AS_IT_COMES if dataset.polarity == "bright" else codings.INVERTED


@dataclass
class _Chooser:
    """Trials of one data set, each made once."""

    dataset: Dataset
    wanted: Wanted
    folder: Path
    on_trial: Callable[[str], None]
    stop: Callable[[], bool]
    done: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pairs = trials.few(self.dataset.folds(), self.wanted.seed)
        self.identity = self.wanted.identity(self.dataset)
        self.path = self.folder / CHOICE
        if self.path.is_file():
            self._read()

    def _read(self) -> None:
        """Take over the trials of the same choice; those of another one are of no use."""
        said = plain_json.parse(read_file(self.path, plain_json.MAX_BYTES), str(self.path))
        if isinstance(said, dict) and said.get("of") == self.identity:
            try:
                self.done = {text: Outcome(**outcome) for text, outcome in said["trials"].items()}
            except (KeyError, TypeError, AttributeError) as error:
                raise UserError(f"{self.path} is damaged; remove it to choose anew") from error

    def run(self, plan: Plan, effort: Effort) -> Outcome:
        """The outcome of a trial."""
        key = f"{plan.text} {effort.share:g} x {min(effort.folds, len(self.pairs))}"
        if key not in self.done:
            if self.stop():
                raise KeyboardInterrupt
            self.on_trial(plan.text)
            self.done[key] = trials.run(self.dataset, plan, self.pairs, effort)
            self._save()
        return self.done[key]

    def _save(self) -> None:
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        said = {"of": self.identity, "trials": {text: one.json for text, one in self.done.items()}}
        write_atomically(self.path, (json.dumps(said, indent=1) + "\n").encode(), durable=False)
        text = io.StringIO()
        rows: list[dict[str, Any]] = [{"trial": key, "score": one.score, **one.json} for key, one in self.done.items()]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.folder / TRIALS, text.getvalue().encode(), durable=False)

    def coded(self, hidden: tuple[int, ...]) -> Plan:
        """The best coding with so many neurons; of recordings also with moves in time, which not all codings stand."""
        settings = self.wanted.settings
        texts = codings.to_try(trials.values_of(self.dataset))
        left: Sequence[Plan] = [Plan(one, hidden, settings) for one in texts]
        for number, (share, folds, kept) in enumerate(_ROUNDS):
            effort = self.wanted.effort(share, folds)
            if number + 1 == len(_ROUNDS):
                moves = self._moves()[:1]
                left = [replace(plan, settings=(*more, *settings)) for plan in left for more in ((), *moves)]
            score = {plan: self.run(plan, effort).score for plan in left}
            left = sorted(left, key=lambda plan: -score[plan])[:kept]
        return left[0]

    def _moves(self) -> list[tuple[str, ...]]:
        """Settings by which samples are moved in time, where they may be recordings."""
        shape = self.dataset.image_shape
        said = any(setting.startswith("roll=") for setting in self.wanted.settings)
        if said or self.dataset.train_images.shape[1] < codings.FEW_VALUES or len(shape) > 2:
            return []
        return [(f"roll={max(1, round(shape[0] * share))}",) for share in _ROLLS]

    def improved(self, plan: Plan) -> tuple[Plan, Outcome]:
        """The plan with what gains most, one value after another."""
        effort = self.wanted.effort(*_LAST[:2])
        outcome = self.run(plan, effort)
        for group in self._variants(plan):
            others = [_with(plan, settings) for settings in group]
            found = [(self.run(other, effort), other) for other in others]
            best, other = max(found, key=lambda one: one[0].score, default=(outcome, plan))
            if best.score > outcome.score + _GAIN:
                plan, outcome = other, best
        return plan, outcome

    def _variants(self, plan: Plan) -> Iterator[list[tuple[str, ...]]]:
        """Groups of settings of which one each may be added."""
        said = {setting.partition("=")[0] for setting in self.wanted.settings}
        behind = trials.coded(self.dataset, plan.coding, self.pairs[0][0])
        base = trials.options_of(behind, plan, self.wanted.effort(*_LAST[:2]))
        counts = np.bincount(self.dataset.train_labels)
        groups: list[list[tuple[str, ...]]] = [[("dropout=0.2",)]]
        if len(plan.hidden) == 1:
            hidden, output = base.hidden_thresholds[0], base.output_threshold
            groups = [
                [(f"hidden_thresholds={max(1, round(hidden * by))}",) for by in (0.5, 1.5)],
                [(f"output_threshold={max(1, round(output * by))}",) for by in (0.5, 2.0)],
                *groups,
            ]
        if counts.max() >= _UNEVEN * counts.min():
            groups.append([("evenly=0.5",)])
        if self.dataset.polarity is not None and plan.coding in (codings.AS_IT_COMES, codings.INVERTED):
            still = ("shift=0", "rotation=0", "stretch=0", "mirror=0")
            moved = (f"shift={max(self.dataset.image_shape) / 28:.2g}", "rotation=6", "stretch=0.06")
            groups.append([still, moved, (*moved, "mirror=1")])
        groups.insert(0, [one for one in self._moves() if one[0] not in plan.settings])
        for group in groups:
            yield [one for one in group if not said & {setting.partition("=")[0] for setting in one}]


def _with(plan: Plan, settings: tuple[str, ...]) -> Plan:
    """The plan with other values in place of those that it has, or beside them."""
    names = {setting.partition("=")[0] for setting in settings}
    kept = [one for one in plan.settings if one.partition("=")[0] not in names]
    return replace(plan, settings=(*settings, *kept))


def choose(dataset: Dataset, wanted: Wanted, folder: Path, on_trial: Callable[[str], None]) -> Choice:
    """Choose what a user has left open.

    Args:
        dataset: samples as they come; its test samples are left alone.
        wanted: what is not to be chosen.
        folder: of the run, for the table of trials.
        on_trial: called with what is tried before each trial.

    Raises:
        UserError: a coding that the samples do not fit, or a folder that cannot be written.
        KeyboardInterrupt: Ctrl-C; the trials that were made are kept.
    """
    with interruptible() as interrupted:
        chooser = _Chooser(dataset, wanted, folder, on_trial, interrupted)
        few_values = dataset.train_images.shape[1] < codings.FEW_VALUES
        hidden = wanted.hidden or (_WIDTHS[0 if few_values else 1],)
        asked = None if wanted.coding is None else Plan(wanted.coding, hidden, wanted.settings)
        plan, outcome = chooser.improved(wanted.widened(dataset, asked or chooser.coded(hidden)))
        share = _LAST[0]
        if len(chooser.pairs) > 1 and wanted.epochs is None:
            longer = chooser.run(plan, wanted.effort(_LONGER, _LAST[1]))
            if longer.score > outcome.score + _GAIN:
                outcome, share = longer, _LONGER
    return Choice(plan, tuple(chooser.done.items()), len(chooser.pairs), outcome, share)


def unchosen(dataset: Dataset, wanted: Wanted, width: int) -> Choice:
    """What is taken without trials: what is wanted, and else values as they come, if they are intensities."""
    by_default = codings.AS_IT_COMES if dataset.train_images.dtype == np.uint8 else "range"
    coding = wanted.coding or as_they_come(dataset) or by_default
    return Choice(wanted.widened(dataset, Plan(coding, wanted.hidden or (width,), wanted.settings)))


def applied(dataset: Dataset, choice: Choice, wanted: Wanted) -> tuple[Dataset, tuple[str, ...], int | None]:
    """The data set behind the coding that was chosen, the settings of the run, and its epochs if they were chosen.

    Where folds have chosen, nothing is left to be chosen by validation samples, and they are learned from, too: for as
    many epochs as in the trial that stands for the run.
    """
    settings = choice.plan.settings
    if choice.outcome is None or choice.folds == 1:
        learned = slice(None) if _ALL & set(settings) else dataset.learned
        return trials.coded(dataset, choice.plan.coding, learned), settings, wanted.epochs
    behind = trials.coded(dataset, choice.plan.coding, slice(None))
    options = trials.options_of(behind, choice.plan, wanted.effort(1.0, choice.folds))
    last = trials.threshold_of(options, choice.outcome.threshold_share)
    epochs = trials.epochs_of(options, choice.share) if wanted.epochs is None else wanted.epochs
    return behind, ("all_images=True", f"last_threshold={last}", *settings), epochs
