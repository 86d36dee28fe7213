"""What is wrong with what a network answered, in words: training that has come to nothing does not say so by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.text import printable
from bs4nn_tc.model.evaluation import Figures
from bs4nn_tc.model.statistics import LUCK, luck

# A silent image takes all steps, and its answer is read from potentials that no threshold has decided. So many are
# worth a line, and with so many a network is no spiking one any more.
OFTEN_SILENT, MOSTLY_SILENT = 0.2, 0.5
# A class of which there are fewer images may be missed by bad luck.
FEW_IMAGES = 3
# Between the ends of the two intervals that face each other. What is learned is always known a bit better than what is
# not; validation and test images should be alike.
OVERFITTED, SHIFTED = 0.10, 0.05
# Names of classes in one line.
NAMES_SHOWN, NAME_LENGTH = 5, 30


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        kind: "silent", "guessing" (no better than chance or than the commonest class for all images), "never answered"
            (a class), "overfitted" (training images far above validation images) or "shifted" (these above test
            images).
        text: for people, one line with what to try.
        fails: nobody should use such a network without having looked at it.
    """

    kind: str
    text: str
    fails: bool

    @property
    def word(self) -> str:
        """For tables: the kind, in capitals if it fails."""
        return self.kind.upper() if self.fails else self.kind


def judge(
    answers: NDArray[Any], labels: NDArray[Any], silent: NDArray[np.bool_], class_names: Sequence[str]
) -> tuple[Finding, ...]:
    """What is wrong with the answers to a set of images; usually nothing.

    Args:
        answers: (N,) classes.
        labels: (N,) the right ones.
        silent: (N,) no output neuron fired.
        class_names: one a class.
    """
    if not len(labels):
        return ()
    share = float(silent.mean())
    found = (
        Finding("silent", _silence(share), share > MOSTLY_SILENT),
        Finding("guessing", _guessing(answers, labels, class_names), fails=True),
        Finding("never answered", _never_answered(answers, labels, class_names), fails=True),
    )
    return tuple(finding for finding in found if finding.text)


def compare(training: Figures, validation: Figures | None, test: Figures | None = None) -> tuple[Finding, ...]:
    """What is wrong with the accuracy on one set of images beside that on another.

    Args:
        training: figures on what was learned.
        validation: on what was not; None where all was learned.
        test: on what nothing was chosen by; None where nobody has looked.
    """
    if validation is None:
        return ()
    found = []
    if training.interval[0] - validation.interval[1] > OVERFITTED:
        found.append(
            Finding(
                "overfitted",
                f"strict accuracy {_of(training)} on what was learned, but {_of(validation)} on the validation images; "
                "try more training images, fewer neurons or epochs, or --set dropout=0.1",
                fails=False,
            )
        )
    if test is not None and validation.interval[0] - test.interval[1] > SHIFTED:
        found.append(
            Finding(
                "shifted",
                f"strict accuracy {_of(validation)} on the validation images, but {_of(test)} on the test images: "
                "these are of another kind (other people, devices, days); split by those (groups), or train with some "
                "of each",
                fails=False,
            )
        )
    return tuple(found)


def told(judged: Mapping[str, Sequence[Finding]]) -> tuple[Finding, ...]:
    """What `judge` has found on several sets of images, for people: of each kind the first, with whose images they are.

    Args:
        judged: findings by the name of the images, e.g. "test images"; those of the first name decide what fails.
    """
    first: dict[str, Finding] = {}
    decides = next(iter(judged), None)
    for images, found in judged.items():
        for finding in found:
            named = replace(finding, text=f"{images}: {finding.text}", fails=finding.fails and images == decides)
            first.setdefault(finding.kind, named)
    return tuple(first.values())


def _of(figures: Figures) -> str:
    low, high = figures.interval
    return f"{figures.strict_accuracy:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def _silence(share: float) -> str:
    if share <= OFTEN_SILENT:
        return ""
    return (
        f"no output neuron fires on {share:.1%} of the images: they take all time steps, and potentials answer that "
        "have reached no threshold; try lower thresholds (bs4nn-tc tune --max-silent), or more epochs"
    )


def _guessing(answers: NDArray[Any], labels: NDArray[Any], class_names: Sequence[str]) -> str:
    """No better than chance, or than the commonest class for all images, by what luck alone would give."""
    count, classes = len(labels), len(class_names)
    # Too few to tell: where even the right answers throughout could be luck.
    if count < classes or len(np.unique(labels)) < 2 or luck(count, count, 1 / classes) > LUCK:
        return ""
    right = answers == labels
    accuracy = float(right.mean())
    remedy = (
        "try more epochs or neurons, a lower or higher rate (--set rate=...), more time steps, or look whether images "
        "and labels are as they should be"
    )
    if luck(int(right.sum()), count, 1 / classes) > LUCK:
        return (
            f"strict accuracy {accuracy:.2%} on {count:,} images is chance, or too near to tell (one of {classes} "
            f"classes: {1 / classes:.2%}); {remedy}"
        )
    numbers = np.bincount(labels, minlength=classes)
    commonest = int(numbers.argmax())
    others = count - int(numbers[commonest])
    if luck(others, others, 0.5) > LUCK:
        return ""
    # Both answer the same images: what counts is where one of the two is right and the other is not.
    won, lost = int((right & (labels != commonest)).sum()), int((~right & (labels == commonest)).sum())
    if luck(won, won + lost, 0.5) > LUCK:
        return (
            f"strict accuracy {accuracy:.2%} is not clearly better than always answering "
            f"{_name(class_names[commonest])}, the commonest class ({numbers[commonest] / count:.2%}); "
            f"try as many images of every class, or {remedy.removeprefix('try ')}"
        )
    return ""


def _never_answered(answers: NDArray[Any], labels: NDArray[Any], class_names: Sequence[str]) -> str:
    numbers = np.bincount(labels, minlength=len(class_names))
    missing = np.setdiff1d(np.flatnonzero(numbers >= FEW_IMAGES), answers)
    if not missing.size:
        return ""
    names = ", ".join(_name(class_names[label]) for label in missing[:NAMES_SHOWN])
    more = f" and {missing.size - NAMES_SHOWN:,} more" if missing.size > NAMES_SHOWN else ""
    one = missing.size == 1
    return (
        f"{'class' if one else 'classes'} {names}{more} {'is' if one else 'are'} never the answer, with "
        f"{numbers[missing].sum():,} images of {'it' if one else 'them'}; try more training images of "
        f"{'it' if one else 'them'}, more epochs or more neurons"
    )


def _name(name: str) -> str:
    return f"'{printable(name, NAME_LENGTH)}'"
