"""How much a count of right answers says: an interval around a share, and whether luck would give as many."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

# Of intervals. What lies outside one on a given side is luck once in 40.
CONFIDENCE = 0.95
LUCK = (1 - CONFIDENCE) / 2


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson's, which is usable near 0 and 1 and with few samples.

    Args:
        share: of samples for which something holds, 0 .. 1.
        count: of samples.

    Returns:
        Its ends; (0, 1) without samples.
    """
    if count == 0:
        return 0.0, 1.0
    squared = NormalDist().inv_cdf(1 - LUCK) ** 2
    middle = (share + squared / (2 * count)) / (1 + squared / count)
    half = math.sqrt(squared * (share * (1 - share) / count + squared / (4 * count**2))) / (1 + squared / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def luck(successes: int, trials: int, probability: float) -> float:
    """How likely at least so many of a number of independent trials succeed (the exact binomial tail).

    Args:
        successes: 0 .. trials.
        trials: at most some millions.
        probability: of a success in one trial, above 0 and below 1.
    """
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])  # logarithms
    counts = np.arange(successes, trials + 1)
    ways = factorials[trials] - factorials[counts] - factorials[trials - counts]
    logarithms = ways + counts * math.log(probability) + (trials - counts) * math.log1p(-probability)
    return min(1.0, float(np.exp(logarithms).sum()))
