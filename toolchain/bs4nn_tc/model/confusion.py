"""Which classes were answered how, and what an uneven set of samples needs besides accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Classes are uneven if the commonest has more than so many times the samples of the rarest one: accuracy alone then
# flatters who answers the commonest.
UNEVEN = 1.5


@dataclass(frozen=True, eq=False)
class Confusion:
    """Right classes and answers of N samples.

    Attributes:
        labels: (N,) the right classes, 0 .. classes - 1; at least one.
        answers: (N,) 0 .. classes - 1.
        classes: how many there are.
    """

    labels: NDArray[np.integer]
    answers: NDArray[Any]
    classes: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes, those without samples left out, of the share that is answered right."""
        samples = self._samples
        right = np.bincount(self.labels[self.answers == self.labels], minlength=self.classes)
        return float((right[samples > 0] / samples[samples > 0]).mean())

    @property
    def is_uneven(self) -> bool:
        """Whether the commonest class has more than `UNEVEN` times the samples of the rarest one that has any."""
        samples = self._samples
        return bool(samples.max() > UNEVEN * samples[samples > 0].min())

    @property
    def matrix(self) -> NDArray[np.int64]:
        """(classes, classes) samples: right classes in rows, answers in columns."""
        counts = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(counts, (self.labels, self.answers), 1)
        return counts

    def worst(self, count: int) -> list[tuple[int, int, int]]:
        """The commonest mistakes, at most so many: (right class, answer, samples), the most samples first."""
        wrong = self.labels != self.answers
        pairs = np.stack([self.labels[wrong], self.answers[wrong]], axis=1).reshape(-1, 2)
        found, samples = np.unique(pairs, axis=0, return_counts=True)
        order = np.argsort(-samples, kind="stable")[:count]
        return [(int(found[place, 0]), int(found[place, 1]), int(samples[place])) for place in order]

    @property
    def _samples(self) -> NDArray[np.int64]:
        return np.bincount(self.labels, minlength=self.classes)
