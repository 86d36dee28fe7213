"""Which samples are held out: whole groups where samples come in groups, else a share of every class; always the same.

A group is whatever samples have in common that new samples will not: a speaker, a person, a recording, a device.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of everything that is drawn here, so that a data set is split alike everywhere.
SEED = 20_200_708
# A fifth is for testing where a data set has no test samples; as many folds are there for a cross-validation.
TEST_PARTS = FOLDS = 5

Parts = NDArray[np.int64]


def deal(labels: NDArray[np.int64], groups: NDArray[np.int64] | None, parts: int) -> Parts:
    """(N,) the part, 0 .. parts - 1, of each sample; every part has about the same share of each class.

    Args:
        labels: (N,).
        groups: (N,), of which each goes to one part whole; None to deal samples.
        parts: so many.
    """
    rng = np.random.default_rng(SEED)
    dealt = np.empty(len(labels), np.int64)
    if groups is None:
        next_part = 0
        for label in np.unique(labels):
            own = rng.permutation(np.flatnonzero(labels == label))
            dealt[own] = (next_part + np.arange(len(own))) % parts
            next_part = (next_part + len(own)) % parts
        return dealt
    counts = _counts(labels, groups)
    shares = counts / counts.sum(axis=0)
    filled = np.zeros((parts, counts.shape[1]))
    part_of = np.empty(len(counts), np.int64)
    order = rng.permutation(len(counts))
    # The largest first, each to where its classes are the least filled.
    for group in order[np.argsort(-counts[order].sum(axis=1), kind="stable")]:
        part = int(np.argmin(filled @ shares[group]))
        part_of[group] = part
        filled[part] += shares[group]
    return part_of[np.unique(groups, return_inverse=True)[1]]


def _counts(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(groups, classes) samples of each class in each group, both in rising order."""
    group_of = np.unique(groups, return_inverse=True)[1]
    classes, class_of = np.unique(labels, return_inverse=True)
    flat = np.bincount(group_of * len(classes) + class_of, minlength=(int(group_of.max()) + 1) * len(classes))
    return flat.reshape(-1, len(classes))


def fewest_groups(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> int:
    """Of the groups that have samples of a class: as many as the class with the fewest has."""
    return int((_counts(labels, groups) > 0).sum(axis=0).min())


def held_out(labels: NDArray[np.int64], groups: NDArray[np.int64] | None, parts: int) -> NDArray[np.bool_]:
    """(N,) bool: about one sample in `parts`, of every class at least one, and not all of it.

    Args:
        labels: (N,).
        groups: (N,), of which each is held out whole or not at all, if every class is in two groups or more; else
            samples are.
        parts: so many; where a class has fewer groups or samples, a larger share of it is held out.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if groups is not None and fewest_groups(labels, groups) >= 2:
        for count in range(parts, 1, -1):  # in few groups a part may lack a class; larger ones do not
            dealt = deal(labels, groups, count)
            whole = [dealt == part for part in range(count)]
            fit = [one for one in whole if all(len(np.unique(labels[half])) == len(classes) for half in (one, ~one))]
            if fit:
                return min(fit, key=lambda one: abs(int(one.sum()) - len(labels) / parts))
    chosen: NDArray[np.bool_] = np.equal(deal(labels, None, parts), 0)
    for label in classes[counts < parts]:
        own = np.flatnonzero(labels == label)
        chosen[own] = False
        chosen[own[-1]] = len(own) > 1
    return chosen


def folds(labels: NDArray[np.int64], groups: NDArray[np.int64] | None) -> list[tuple[Parts, Parts]]:
    """(samples to learn from, samples to choose by) of a cross-validation in which each sample is chosen by once.

    Groups are left whole if every class is in two or more of them; there are at most five folds, and at least two.
    """
    count = FOLDS
    if groups is not None:
        fewest = fewest_groups(labels, groups)
        groups, count = (groups, min(count, fewest)) if fewest >= 2 else (None, count)
    count = max(2, min(count, int(np.unique(labels, return_counts=True)[1].min())))
    dealt = deal(labels, groups, count)
    return [(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(count)]
