"""The figures of SPEC.md from what a network answered: strict accuracy first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.archives import to_npz
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.model import statistics
from bs4nn_tc.model.confusion import Confusion
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.reference import Answers, Result

_TO_CHOOSE_BY = ("strict_accuracy", "tie_lenient_accuracy", "response_time", "silent_share")


@dataclass(frozen=True)
class Figures:
    """Figures over a set of images, named as in SPEC.md.

    Attributes:
        images: how many images.
        strict_accuracy: share of right answers, one answer an image.
        balanced_accuracy: mean over the classes of the share of their images that is answered right.
        tie_lenient_accuracy: share of images whose right neuron is among the first to fire.
        response_time: mean first output firing time in steps, T counted for silent images.
        silent_share: share of images on which no output neuron fires.
        spikes_to_decision: mean number of input and hidden spikes up to the deciding step.
    """

    images: int
    strict_accuracy: float
    balanced_accuracy: float
    tie_lenient_accuracy: float
    response_time: float
    silent_share: float
    spikes_to_decision: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)

    def to_choose_by(self) -> dict[str, float]:
        """The shares and means that networks are chosen by on validation images."""
        return {name: value for name, value in self.as_dict().items() if name in _TO_CHOOSE_BY}

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval of the strict accuracy."""
        return statistics.wilson(self.strict_accuracy, self.images)


def figures_of(answers: Answers, lenient: NDArray[Any], labels: NDArray[np.integer], time_steps: int) -> Figures:
    """Compute the figures.

    Args:
        answers: of a network on N images.
        lenient: (N,) whether the right neuron is among the first to fire; on a silent image, whether it answers.
        labels: (N,) the right classes.
        time_steps: T, the response time on a silent image.
    """
    classes = int(max(labels.max(), answers.answer.max())) + 1
    return Figures(
        images=len(labels),
        strict_accuracy=float((answers.answer == labels).mean()),
        balanced_accuracy=Confusion(labels, answers.answer, classes).balanced_accuracy,
        tie_lenient_accuracy=float(lenient.mean()),
        response_time=float(answers.response_time.mean()),
        silent_share=float((answers.response_time == time_steps).mean()),
        spikes_to_decision=float(answers.spikes.mean()),
    )


def figures(network: Network, result: Result, labels: NDArray[np.integer]) -> Figures:
    """The figures of a result with all firing times.

    Args:
        network: the network that answered.
        result: its answers on N images.
        labels: (N,) the right classes.
    """
    fired = result.response_time < network.time_steps
    among_the_first = result.firing_times[-1][np.arange(len(labels)), labels] == result.response_time
    lenient = np.where(fired, among_the_first, result.answer == labels)
    return figures_of(result, lenient, labels, network.time_steps)


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures as files keep them."""
    return {name: round(value, 6) for name, value in figures.items()}


def spread(figures: list[Figures]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation (of a sample, n - 1; 0 for one) of every figure but the number of images."""
    names = [name for name in figures[0].as_dict() if name != "images"]
    values = np.array([[one.as_dict()[name] for name in names] for one in figures])
    deviations = values.std(axis=0, ddof=1) if len(figures) > 1 else np.zeros(len(names))
    return {
        name: {"mean": round(float(mean), 6), "deviation": round(float(deviation), 6)}
        for name, mean, deviation in zip(names, values.mean(axis=0), deviations, strict=True)
    }


def save_result(result: Result, path: Path) -> None:
    """Write a .npz file with answer, response_time, spikes, firing_time_1 .., readout_potential.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        **{f"firing_time_{number}": times for number, times in enumerate(result.firing_times, start=1)},
        "answer": result.answer,
        "response_time": result.response_time,
        "spikes": result.spikes,
        "readout_potential": result.readout_potential,
    }
    whole = {name: array.astype(np.int32) for name, array in arrays.items()}
    write_atomically(path, to_npz(whole, compressed=True))
