"""Any target, or all that a project is for, against the reference, bit for bit: the first difference by its place.

That is the stage of the input whose outcome differs, or the neuron.
"""

from __future__ import annotations

import binascii
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import TargetError, UserError, VerificationError
from bs4nn_tc.device import building
from bs4nn_tc.device.boards import Board
from bs4nn_tc.device.codegen.project import Project
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.reference import Result
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.kinds import Kind, emulated_boards, open_target


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


@dataclass(frozen=True)
class Place:
    """Where a project is verified.

    Attributes:
        kind: of the target.
        board: the emulated board; None for the other kinds.
        ports: of boards on serial ports, which share the images; None is the only board that is plugged in.
    """

    kind: Kind
    board: Board | None = None
    ports: tuple[str | None, ...] = (None,)

    @property
    def environment(self) -> str | None:
        """What has to be built of the project; None where the firmware is there already."""
        if self.kind is Kind.SERIAL:
            return None
        return building.NATIVE if self.board is None else self.board.id


@dataclass(frozen=True)
class Outcome:
    """What was found in all places.

    Attributes:
        reports: one a target that could be asked.
        failure: why no more targets were asked; None where all were.
        wanted: comparisons of an image that were to be made, in all places.
    """

    reports: tuple[Verification, ...]
    failure: UserError | None
    wanted: int

    @property
    def verified(self) -> bool:
        """Everything was equal everywhere."""
        return self.failure is None and all(report.verified for report in self.reports)

    def check(self) -> None:
        """Raise for the worst that was found.

        Raises:
            VerificationError: a target differs from the reference.
            TargetError: a target stopped on the way.
            UserError: one could not be opened.
        """
        for report in self.reports:
            if report.first_difference is not None:
                raise VerificationError(f"{report.target} {report.board} differs: {report.first_difference}")
        for report in self.reports:
            if report.stopped is not None:
                compared = sum(other.images for other in self.reports)
                raise TargetError(f"{report.stopped}; {compared:,} of {self.wanted:,} images had been compared by then")
        if self.failure is not None:
            raise self.failure


def verify(
    target: ApplicationTarget,
    kind: str,
    network: Network,
    images: NDArray[Any],
    expected: Result,
    traces: bool = True,
    on_image: Callable[[], None] | None = None,
) -> Verification:
    """Classify every image on the target and compare with the reference.

    Args:
        target: a running application.
        kind: "native", "emulator" or "serial", for the report.
        network: the network that the target has to run.
        images: (N, values), samples of the network's type.
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
            if traces if difference is None else network.input.stages:  # a stage may be why the answer differs
                difference = _compare_trace(index, target, image, network, expected) or difference
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
        compared += ("checksums of stages",) if network.input.stages else ()
    seconds = time.monotonic() - started
    board = target.identity.board
    again = target.asked_again - asked_before
    return Verification(kind, board, count, equal, compared, first, seconds, again, stopped)


def verify_several(
    targets: Sequence[ApplicationTarget],
    kind: str,
    network: Network,
    images: NDArray[Any],
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


def places(made: Project, kind: Kind | None, ports: Sequence[str] = ()) -> list[Place]:
    """Where a project can be verified.

    Args:
        made: the project.
        kind: of the targets; None for this computer and every emulated board.
        ports: of boards on serial ports; without any, the only one that is plugged in.

    Raises:
        UserError: it was generated for no emulated board, and one is asked for.
    """
    if kind is Kind.SERIAL:
        return [Place(kind, ports=tuple(ports) or (None,))]
    emulated = [Place(Kind.EMULATOR, board) for board in emulated_boards(made)]
    if kind is Kind.EMULATOR and not emulated:
        raise UserError(f"{made.folder} was generated for no emulated board; generate it with --board qemu-m4")
    native = [Place(Kind.NATIVE)]
    return native + emulated if kind is None else native if kind is Kind.NATIVE else emulated


def verify_project(
    made: Project,
    where: Sequence[Place],
    images: NDArray[Any],
    expected: Result,
    traces: bool,
    bar: Callable[[str, int], contextlib.AbstractContextManager[Callable[[], None]]],
) -> Outcome:
    """Verify a project, built, in one place after another, until one of them cannot be asked.

    Args:
        made: the project.
        where: the places.
        images: (N, values), samples of the network's type.
        expected: the reference's result on them.
        traces: also compare all firing times and potentials.
        bar: shows progress: given a text and how many images there are, yields what is called after every image.

    Raises:
        UserError: the very first place cannot be asked, or has another network.
    """
    network = made.network
    reports: list[Verification] = []
    failure = None
    for place in where:
        try:
            with contextlib.ExitStack() as stack:
                opened = [stack.enter_context(open_target(place.kind, made, place.board, port)) for port in place.ports]
                advance = stack.enter_context(bar(", ".join(one.label for one in opened), len(images)))
                reports += verify_several(opened, place.kind.value, network, images, expected, traces, advance)
        except UserError as error:
            if not reports:
                raise
            failure = error
            break
    return Outcome(tuple(reports), failure, len(where) * len(images))


def stage_checksums(network: Network, sample: NDArray[Any]) -> list[int]:
    """CRC-16/CCITT of what comes out of each stage of the input, (values,), as little-endian bytes."""
    return [
        binascii.crc_hqx(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes(), 0xFFFF)
        for values in network.input.after_stages(sample[None])
    ]


def _compare_answer(index: int, target: ApplicationTarget, image: NDArray[Any], expected: Result) -> Difference | None:
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
    index: int, target: ApplicationTarget, image: NDArray[Any], network: Network, expected: Result
) -> Difference | None:
    got = target.trace(image)
    for number, (stage, checksum) in enumerate(zip(network.input.stages, stage_checksums(network, image), strict=True)):
        if got.stages[number] != checksum:
            where = f"what comes out of stage {number + 1} ({stage.text}), by its checksum,"
            return Difference(index, where, checksum, got.stages[number])
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
