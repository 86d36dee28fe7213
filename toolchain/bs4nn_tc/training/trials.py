"""Brief trials of a recipe on folds of the training samples: what is tried is never judged on what it has learned."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data import codings
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.data.stages import with_stages
from bs4nn_tc.model.stages import Values, of_type
from bs4nn_tc.training.best import BestTrainer
from bs4nn_tc.training.options import BestOptions, resolve
from bs4nn_tc.training.trainer import Progress

# Samples that a trial learns from, and is judged by, at the most.
LEARNED, JUDGED = 5000, 2500
# Output thresholds that are looked at, as shares of the trained one.
_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5)

# More silent samples than this are worth as many right answers as this share of them.
_SILENT, _WORTH = 0.15, 0.25

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Attributes:
        coding: see `codings.fit_text`.
        hidden: neurons of each hidden layer.
        settings: other values than the defaults of the recipe, as "name=value".
        time_steps: T; None for that of all trials.
    """

    coding: str
    hidden: tuple[int, ...]
    settings: tuple[str, ...] = ()
    time_steps: int | None = None

    @property
    def text(self) -> str:
        """Names it."""
        steps = () if self.time_steps is None else (f"T={self.time_steps}",)
        return " ".join((self.coding, "-".join(map(str, self.hidden)), *steps, *self.settings))


@dataclass(frozen=True)
class Outcome:
    """What a trial has come to, over all samples that it was judged by.

    Attributes:
        strict_accuracy, balanced_accuracy, silent_share: with the output threshold of that share.
        threshold_share: the best output threshold as a share of the trained one, not too many samples being silent.
        samples: so many.
    """

    strict_accuracy: float
    balanced_accuracy: float
    silent_share: float
    threshold_share: float
    samples: int

    @property
    def score(self) -> float:
        """What is compared. A third of it is balanced: rare classes count, but a few samples do not decide."""
        accuracy = (2 * self.strict_accuracy + self.balanced_accuracy) / 3
        return accuracy - _WORTH * max(0.0, self.silent_share - _SILENT)

    @property
    def json(self) -> dict[str, float]:
        """For a file."""
        return asdict(self)


def values_of(dataset: Dataset) -> Values:
    """What one sample of a data set is."""
    if dataset.train_images.dtype == np.uint8:
        return Values(dataset.image_shape, "uint8", 0, dataset.intensity_max)
    return of_type(dataset.image_shape, str(dataset.train_images.dtype))


def coded(dataset: Dataset, coding: str, learned: NDArray[np.int64] | slice) -> Dataset:
    """The data set behind a coding that is fitted to its training samples at `learned`.

    Raises:
        UserError: no such coding, or samples of another kind than it takes.
    """
    stages = codings.fit_text(coding, dataset.train_images[learned], values_of(dataset))
    return with_stages(dataset, stages)


def few(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The same pairs of samples to learn from and to be judged by, with no more of each than a trial takes."""
    rng = np.random.default_rng([seed, 3])

    def some(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        return indices if len(indices) <= most else np.sort(rng.choice(indices, most, replace=False))

    return [(some(learned, LEARNED), some(chosen, JUDGED)) for learned, chosen in pairs]


@dataclass(frozen=True)
class Effort:
    """How much a trial takes, and what is the same in all of them.

    Attributes:
        share: of the epochs of a whole run.
        folds: so many at the most.
        seed: of everything random.
        time_steps: T.
        epochs: of a whole run; None for the recipe's own.
    """

    share: float
    folds: int
    seed: int
    time_steps: int
    epochs: int | None


def run(dataset: Dataset, plan: Plan, pairs: Sequence[Pair], effort: Effort) -> Outcome:
    """Try a plan on folds.

    Args:
        dataset: as it comes; its test samples are left alone.
        plan: what to try.
        pairs: samples to learn from and samples to be judged by, see `few`.
        effort: see there.

    Raises:
        UserError: the coding does not take such samples.
    """
    taken = pairs[: effort.folds]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda pair: _learn(dataset, plan, pair, effort), taken))
    labels = np.concatenate([dataset.train_labels[chosen] for _, chosen in taken])
    found = [
        _outcome(np.concatenate([one.answers[number] for one in answers]) == labels, labels,
                 float(np.concatenate([one.silent[number] for one in answers]).mean()), share)
        for number, share in enumerate(_SHARES)
    ]  # fmt: skip
    return max(found, key=lambda one: one.score)


def _outcome(right: NDArray[np.bool_], labels: NDArray[np.int64], silent: float, share: float) -> Outcome:
    balanced = float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
    return Outcome(float(right.mean()), balanced, silent, share, len(labels))


@dataclass(frozen=True)
class _Answers:
    """(shares, N) answers, and whether no output neuron fired."""

    answers: NDArray[np.int32]
    silent: NDArray[np.bool_]


def fold_of(dataset: Dataset, pair: Pair) -> Dataset:
    """A data set of the samples to learn from alone, whose test samples are those to be judged by."""
    learned, chosen = pair
    return replace(
        dataset,
        train_images=dataset.train_images[learned],
        train_labels=dataset.train_labels[learned],
        test_images=dataset.train_images[chosen],
        test_labels=dataset.train_labels[chosen],
        stages=(),
        samples=None,
        validation_count=0,
        groups=None,
        test_groups=None,
    )


def _learn(dataset: Dataset, plan: Plan, pair: Pair, effort: Effort) -> _Answers:
    behind = coded(fold_of(dataset, pair), plan.coding, slice(None))
    options = options_of(behind, plan, effort)
    options = replace(options, all_images=True, epochs=epochs_of(options, effort.share))
    trainer = BestTrainer(behind, options, threads=1)
    for epoch in range(trainer.epochs):
        for piece in range(trainer.pieces):
            trainer.learn(Progress(epoch, piece))
    images, labels = np.ascontiguousarray(behind.test_images), behind.test_labels.astype(np.int32)
    answers, silent = [], []
    for threshold_share in _SHARES:
        trainer.host.thresholds[-1][:] = threshold_of(options, threshold_share)
        found = trainer.host.evaluate(images, labels)
        answers.append(found.answer)
        silent.append(found.response_time == options.time_steps)
    return _Answers(np.array(answers), np.array(silent))


def options_of(behind: Dataset, plan: Plan, effort: Effort) -> BestOptions:
    """The recipe's values for a plan, on a data set behind its coding."""
    steps = plan.time_steps or effort.time_steps
    options = resolve(behind, "best", plan.hidden, effort.epochs, steps, effort.seed, plan.settings)
    assert isinstance(options, BestOptions)
    return options


def threshold_of(options: BestOptions, share: float) -> int:
    """An output threshold as a share of the trained one."""
    return max(1, round(options.output_threshold * share))


def epochs_of(options: BestOptions, share: float) -> int:
    """A share of the epochs of a whole run."""
    return max(3, round(options.epochs * share))
