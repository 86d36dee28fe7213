"""The thresholds of a trained network: accuracy against response time, and where accuracy is highest.

A higher threshold decides later and better, but on more images nobody fires. Measured on training and validation
images, so that the test images stay for the figure that is reported.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.host.network import host_network
from bs4nn_tc.model.limits import MAX_THRESHOLD
from bs4nn_tc.model.network import Network

Knob = Literal["output", "all"]
# Where the last images have fallen silent there is nothing more to see.
ALL_SILENT = 0.999
MOST_POINTS = 300
FACTORS = tuple(range(20, 201, 5))


@dataclass(frozen=True)
class Point:
    """One setting of the knob, and what the network does there.

    Attributes:
        setting: what is added to every output threshold (knob "output"), or the factor on all thresholds in
            per cent (knob "all").
        output_threshold: the highest output threshold.
        strict_accuracy, tie_lenient_accuracy, response_time, silent_share: as in SPEC.md.
        best: no other point is both as quick and as accurate.
    """

    setting: int
    output_threshold: int
    strict_accuracy: float
    tie_lenient_accuracy: float
    response_time: float
    silent_share: float
    best: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON and CSV."""
        return asdict(self)


def turned(network: Network, knob: Knob, setting: int) -> Network:
    """The network with other thresholds, none below 1 or above 65,535.

    Args:
        network: any network.
        knob: "output": `setting` is added to the output thresholds. "all": every neuron that fires above
            threshold - 1 fires above (threshold - 1) * setting / 100.
        setting: see there.
    """
    layers = list(network.layers)
    if knob == "output":
        moved = layers[-1].thresholds.astype(np.int64) + setting
        layers[-1] = layers[-1].with_thresholds(moved.clip(1, MAX_THRESHOLD))
    else:
        scaled = [(layer.thresholds.astype(np.int64) - 1) * setting // 100 + 1 for layer in layers]
        layers = [layer.with_thresholds(new.clip(1, MAX_THRESHOLD)) for layer, new in zip(layers, scaled, strict=True)]
    return replace(network, layers=tuple(layers))


def _settings(network: Network, knob: Knob) -> Iterator[int]:
    if knob == "all":
        yield from FACTORS
        return
    lowest = 1 - int(network.layers[-1].thresholds.max())
    fan_in = network.layers[-1].inputs
    step = max(1, fan_in // MOST_POINTS)
    yield from range(lowest, lowest + fan_in + 1, step)


def figures(network: Network, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> dict[str, float]:
    """strict_accuracy, tie_lenient_accuracy, response_time and silent_share on (N, pixels) images."""
    pixels, classes = np.ascontiguousarray(images), labels.astype(np.int32)
    return host_network(network).evaluate(pixels, classes).figures(classes, network.time_steps).to_choose_by()


def curve(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    knob: Knob = "output",
    on_point: Callable[[], None] | None = None,
) -> list[Point]:
    """Measure every setting, from the quickest on, until hardly an image is answered by a spike.

    Args:
        network: a trained network.
        images: (N, pixels) uint8 validation images.
        labels: (N,) their classes.
        knob: which thresholds move.
        on_point: called after every setting.
    """
    points: list[Point] = []
    for setting in _settings(network, knob):
        other = turned(network, knob, setting)
        found = figures(other, images, labels)
        names = ("strict_accuracy", "tie_lenient_accuracy", "response_time", "silent_share")
        strict, lenient, steps, silent = (found[name] for name in names)
        points.append(Point(setting, int(other.layers[-1].thresholds.max()), strict, lenient, steps, silent))
        if on_point is not None:
            on_point()
        if silent >= ALL_SILENT:
            break
    highest = -1.0
    marked = []
    for point in sorted(points, key=lambda point: (point.response_time, -point.strict_accuracy)):
        marked.append(replace(point, best=point.strict_accuracy > highest))
        highest = max(highest, point.strict_accuracy)
    return sorted(marked, key=lambda point: point.setting)


def refined(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    max_silent: float = 1,
    on_move: Callable[[float], None] | None = None,
) -> Network:
    """Move thresholds as long as strict accuracy rises: coordinate descent, by a hundredth and by 1, up and down.

    The thresholds of a hidden layer move together, those of output neurons one at a time. In the end no single move
    makes more of the images right.

    Args:
        network: a trained network.
        images: (N, pixels) uint8, of which there should be many: training images.
        labels: (N,) their classes.
        max_silent: the largest silent share that a move may lead to.
        on_move: called after every move that is kept, with the strict accuracy.

    Raises:
        UserError: more images are silent to begin with.
    """
    pixels, classes = np.ascontiguousarray(images), labels.astype(np.int32)
    host = host_network(network)

    def right() -> int:
        """How many images are answered right; -1 where too many are silent."""
        answers = host.evaluate(pixels, classes)
        silent = (answers.response_time == network.time_steps).mean()
        return int((answers.answer == classes).sum()) if silent <= max_silent else -1

    most = right()
    if most < 0:
        raise UserError(
            f"more than {max_silent:.0%} of the images are silent to begin with; lower thresholds by `tune`"
        )

    def move_on(thresholds: NDArray[np.int32], step: int) -> bool:
        """Go on by `step` while that makes more images right; whether it did."""
        nonlocal most
        moved = False
        while thresholds.min() + step >= 1 and thresholds.max() + step <= MAX_THRESHOLD:
            thresholds += step
            now = right()
            if now <= most:
                thresholds -= step
                break
            most, moved = now, True
            if on_move is not None:
                on_move(most / len(classes))
        return moved

    together = [*host.thresholds[:-1], *np.split(host.thresholds[-1], len(host.thresholds[-1]))]  # views
    moving = True
    while moving:
        moving = False
        for thresholds in together:
            for step in sorted({1, max(1, int(thresholds.max()) // 100)}, reverse=True):
                moving |= move_on(thresholds, step) or move_on(thresholds, -step)
    layers = zip(network.layers, host.thresholds, strict=True)
    return replace(network, layers=tuple(layer.with_thresholds(thresholds) for layer, thresholds in layers))


def choose(
    points: list[Point],
    max_steps: float | None = None,
    max_silent: float | None = None,
    accuracy: float | None = None,
) -> Point:
    """The most accurate point within the limits; with `accuracy`, the quickest that reaches it.

    Args:
        points: of `curve`.
        max_steps: largest mean response time, in steps.
        max_silent: largest silent share.
        accuracy: lowest strict accuracy.

    Raises:
        UserError: no point keeps the limits; with the nearest that can be had.
    """
    allowed = [
        point
        for point in points
        if (max_steps is None or point.response_time <= max_steps)
        and (max_silent is None or point.silent_share <= max_silent)
        and (accuracy is None or point.strict_accuracy >= accuracy)
    ]
    if not allowed:
        quickest = min(points, key=lambda point: point.response_time)
        best = max(points, key=lambda point: point.strict_accuracy)
        raise UserError(
            "no setting keeps these limits: the quickest takes "
            f"{quickest.response_time:.2f} steps ({quickest.strict_accuracy:.2%}), the most accurate reaches "
            f"{best.strict_accuracy:.2%} ({best.response_time:.2f} steps)"
        )
    if accuracy is not None:
        return min(allowed, key=lambda point: (point.response_time, -point.strict_accuracy))
    return max(allowed, key=lambda point: (point.strict_accuracy, -point.response_time))


def validation_facts(point: Point) -> dict[str, float]:
    """What a network's description says of a point."""
    names = ("strict_accuracy", "tie_lenient_accuracy", "response_time", "silent_share")
    return {name: round(getattr(point, name), 6) for name in names}


def write_csv(points: list[Point], path: Path) -> None:
    """Write one row a point.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(points[0].as_dict()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(point.as_dict() for point in points)
    write_atomically(path, text.getvalue().encode())
