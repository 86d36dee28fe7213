"""Any target against the reference, bit for bit: the first differing image, layer and neuron."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.reference import Result
from bs4nn_tc.targets import ApplicationTarget


@dataclass(frozen=True)
class Difference:
    """The first thing that differs on one image.

    Attributes:
        image: index of the image.
        where: what differs, e.g. "answer" or "firing time of layer 1, neuron 17".
        expected: the reference's value.
        found: the target's value.
    """

    image: int
    where: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"image {self.image}: {self.where} is {self.found}, the reference says {self.expected}"


@dataclass(frozen=True)
class Verification:
    """One target's report.

    Attributes:
        target: "native", "emulator" or "serial".
        board: the board's name as the application tells it.
        images: how many images were compared; all of them unless the target has `stopped`.
        equal: on how many of them everything was equal.
        compared: what was compared on each image.
        first_difference: None where all is equal.
        seconds: wall time of the comparison.
        asked_again: how often an image had to be sent once more, over a line that damages what it carries or to a board
            that restarts.
        stopped: why no more images were compared; None where all were.
    """

    target: str
    board: str
    images: int
    equal: int
    compared: tuple[str, ...]
    first_difference: Difference | None
    seconds: float
    asked_again: int
    stopped: str | None

    @property
    def verified(self) -> bool:
        """Everything was equal on every image, and there was at least one."""
        return self.images > 0 and self.equal == self.images and self.stopped is None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "verified": self.verified}


def verify(
    target: ApplicationTarget,
    kind: str,
    network: Network,
    images: NDArray[np.uint8],
    expected: Result,
    traces: bool = True,
    on_image: Callable[[], None] | None = None,
) -> Verification:
    """Classify every image on the target and compare with the reference.

    Args:
        target: a running application.
        kind: "native", "emulator" or "serial", for the report.
        network: the network that the target has to run.
        images: (N, pixels) uint8.
        expected: the reference's result on the same images.
        traces: also run every image to the last step and compare all firing times and potentials.
        on_image: called after every image.

    Returns:
        What was compared, also where the target stops answering on the way.

    Raises:
        TargetError: the target runs another network.
        VerificationError: it has failed its self-test.
    """
    target.expect(network)
    started = time.monotonic()
    asked_before = target.asked_again
    count = equal = 0
    first: Difference | None = None
    stopped: str | None = None
    for index, image in enumerate(images):
        try:
            difference = _compare_answer(index, target, image, expected)
            if difference is None and traces:
                difference = _compare_trace(index, target, image, network, expected)
        except UserError as error:
            stopped = str(error)
            break
        count += 1
        equal += difference is None
        first = first or difference
        if on_image is not None:
            on_image()
    compared: tuple[str, ...] = ("answer", "response time", "spikes")
    if traces:
        compared += ("every firing time", "readout potentials")
    seconds = time.monotonic() - started
    board = target.identity.board
    again = target.asked_again - asked_before
    return Verification(kind, board, count, equal, compared, first, seconds, again, stopped)


def verify_several(
    targets: Sequence[ApplicationTarget],
    kind: str,
    network: Network,
    images: NDArray[np.uint8],
    expected: Result,
    traces: bool = True,
    on_image: Callable[[], None] | None = None,
) -> list[Verification]:
    """Share the images out among targets that work side by side; one report each, arguments as for `verify`.

    Raises:
        TargetError: a target runs another network; nothing is reported then.
        VerificationError: a target has failed its self-test; nothing is reported then.
    """
    for target in targets:
        target.expect(network)
    targets = targets[: max(1, len(images))]
    bounds = np.linspace(0, len(images), len(targets) + 1).astype(int)

    def work(target: ApplicationTarget, first: int, end: int) -> Verification:
        part = expected.part(first, end)
        report = verify(target, kind, network, images[first:end], part, traces, on_image)
        found = report.first_difference
        if found is not None:
            report = replace(report, first_difference=replace(found, image=found.image + first))
        return report

    with ThreadPoolExecutor(len(targets)) as pool:
        return list(pool.map(work, targets, bounds[:-1].tolist(), bounds[1:].tolist()))


def _compare_answer(
    index: int, target: ApplicationTarget, image: NDArray[np.uint8], expected: Result
) -> Difference | None:
    got = target.classify(image)
    for where, wanted, found in (
        ("answer", expected.answer[index], got.answer),
        ("response time", expected.response_time[index], got.response_time),
        ("number of spikes to decision", expected.spikes[index], got.spikes),
    ):
        if wanted != found:
            return Difference(index, where, int(wanted), found)
    return None


def _compare_trace(
    index: int, target: ApplicationTarget, image: NDArray[np.uint8], network: Network, expected: Result
) -> Difference | None:
    got = target.trace(image)
    first = 0
    for number, times in enumerate(expected.firing_times, start=1):
        found = got.firing_times[first : first + times.shape[1]]
        first += times.shape[1]
        differs = np.flatnonzero(found != times[index])
        if differs.size:
            neuron = int(differs[0])
            where = f"firing time of layer {number}, neuron {neuron}"
            return Difference(index, where, int(times[index, neuron]), int(found[neuron]))
    wanted = expected.readout_potential[index]
    differs = np.flatnonzero(got.readout_potential != wanted)
    if differs.size:
        neuron = int(differs[0])
        where = f"potential of output neuron {neuron} at step {network.readout_step}"
        return Difference(index, where, int(wanted[neuron]), int(got.readout_potential[neuron]))
    for where, answer, wanted_answer in (
        ("answer of the trace", got.answer, expected.answer[index]),
        ("response time of the trace", got.response_time, expected.response_time[index]),
        ("spikes to decision of the trace", got.spikes, expected.spikes[index]),
    ):
        if answer != wanted_answer:
            return Difference(index, where, int(wanted_answer), answer)
    return None
