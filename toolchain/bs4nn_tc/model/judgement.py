"""What is wrong with what a network answered, in words: training that has come to nothing does not say so by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.text import printable

# More than half of the images: mostly. Such a network takes all its steps for most images, and an answer is then read
# from potentials that no threshold has decided.
MOSTLY_SILENT = 0.5
# Standard deviations that an accuracy has to lie above what guessing gives. With luck alone, one network in about 44
# gets there; with more, small sets of images would count as learned by nobody.
DEVIATIONS = 2.0
# A class of which there are fewer images may be missed by bad luck.
FEW_IMAGES = 3
# Names of classes in one line.
NAMES_SHOWN, NAME_LENGTH = 5, 30


def judge(
    answers: NDArray[Any], labels: NDArray[Any], silent: NDArray[np.bool_], class_names: Sequence[str]
) -> dict[str, str]:
    """One line for everything that is badly wrong, each with what to try; usually none.

    Args:
        answers: (N,) classes.
        labels: (N,) the right ones.
        silent: (N,) no output neuron fired.
        class_names: one a class.

    Returns:
        Texts by kind: "silent" for all or most images, "guessing" no better than chance or than always answering the
        commonest class, "never answered" a class that is never the answer.
    """
    if not len(labels):
        return {}
    found = {
        "silent": _silence(float(silent.mean())),
        "guessing": _guessing(answers, labels, class_names),
        "never answered": _never_answered(answers, labels, class_names),
    }
    return {kind: text for kind, text in found.items() if text}


def warnings(judged: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What `judge` has found on several sets of images, for people: of each kind the first.

    Args:
        judged: findings by the name of the images, e.g. "validation images".
    """
    first: dict[str, str] = {}
    for images, found in judged.items():
        for kind, text in found.items():
            first.setdefault(kind, f"{images}: {text}")
    return list(first.values())


def _silence(share: float) -> str:
    if share <= MOSTLY_SILENT:
        return ""
    return (
        f"no output neuron fires on {share:.1%} of the images: they take all time steps, and potentials answer that "
        "have reached no threshold; try lower thresholds (bs4nn-tc tune --max-silent), or more epochs"
    )


def _guessing(answers: NDArray[Any], labels: NDArray[Any], class_names: Sequence[str]) -> str:
    """No better than chance, or than the commonest class for all images."""
    count, classes = len(labels), len(class_names)
    if count < classes or len(np.unique(labels)) < 2:  # too few to tell
        return ""
    right = answers == labels
    accuracy, chance = float(right.mean()), 1 / classes
    remedy = (
        "try more epochs or neurons, a lower or higher rate (--set rate=...), more time steps, or look whether images "
        "and labels are as they should be"
    )
    if accuracy <= chance + DEVIATIONS * math.sqrt(chance * (1 - chance) / count):
        return (
            f"strict accuracy {accuracy:.2%} on {count:,} images is chance, or too near to tell (one of {classes} "
            f"classes: {chance:.2%}); {remedy}"
        )
    numbers = np.bincount(labels, minlength=classes)
    commonest = int(numbers.argmax())
    # Both answer the same images: what counts is where one of the two is right and the other is not.
    won, lost = int((right & (labels != commonest)).sum()), int((~right & (labels == commonest)).sum())
    if won - lost <= DEVIATIONS * math.sqrt(won + lost):
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
