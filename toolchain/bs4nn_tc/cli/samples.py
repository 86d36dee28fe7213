"""Verbs for single samples: what they are answered, and how a board's sensor gives more of them."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.base.interrupts import interruptible
from bs4nn_tc.base.text import printable
from bs4nn_tc.cli.common import (
    GET,
    HERE,
    RUN,
    JsonOption,
    PortOption,
    QuietOption,
    app,
    output,
    print_json,
    progress_console,
)
from bs4nn_tc.data import collecting, files
from bs4nn_tc.device.codegen import project
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model import blank as blanks
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.second import second
from bs4nn_tc.targets import ApplicationTarget, Kind, Trace, runner


class Answerer(StrEnum):
    """What can be asked for an answer: Python, the C kernel on this computer, or a target as for `verify`."""

    REFERENCE = "reference"
    KERNEL = "kernel"
    NATIVE = Kind.NATIVE.value
    EMULATOR = Kind.EMULATOR.value
    SERIAL = Kind.SERIAL.value


NetworkOrProject = Annotated[
    Path, typer.Argument(metavar="NETWORK|DIR", help="A network file, or a folder that `generate` made.")
]


@contextlib.contextmanager
def _running(
    path: Path, kind: Kind | None, board: str | None, port: str | None, quiet: bool
) -> Iterator[tuple[Network, ApplicationTarget]]:
    """The network, and a target that runs it, built where it has to be."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bs4nn-tc-")))
        with progress_console.status("getting the target ready") if not quiet else contextlib.nullcontext():
            chosen = runner.prepare(path, kind, board, port, folder / "project")
            target = stack.enter_context(chosen.open())
        target.expect(chosen.network)
        yield chosen.network, target


@app.command(
    epilog="Example: bs4nn-tc classify mnist.bs4nn seven.png --target emulator --board qemu-m0", rich_help_panel=RUN
)
def classify(
    path: NetworkOrProject,
    samples: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Pictures, sounds, recordings, rows of a table, arrays (.npy, .npz), or folders."
        ),
    ],
    target: Annotated[
        Answerer | None,
        typer.Option(
            show_default=False,
            help="What answers. [default: reference; with --port serial, with --board emulator]",
        ),
    ] = None,
    board: Annotated[str | None, typer.Option(help="An emulated board. [default: qemu-m4]")] = None,
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer single samples, read from files in the same way as those that the network has learned."""
    network = project.open_project(path).network if path.is_dir() else network_file.load(path)
    read = [(file, files.read(file, network)) for file in files.listed(samples)]
    for note in filter(None, (files.note_on_ink(file, of_file, network) for file, of_file in read)):
        progress_console.print(f"note: {note}")
    everything = np.concatenate([of_file for _, of_file in read])
    kind = target or (Answerer.SERIAL if port else Answerer.EMULATOR if board else Answerer.REFERENCE)
    if kind in (Answerer.REFERENCE, Answerer.KERNEL):
        traces, label = _traces_here(network, everything, kind), kind.value
    else:
        with _running(path, Kind(kind.value), board, port, quiet) as (_, running):
            traces, label = [running.trace(sample) for sample in everything], running.label
    rows = [_row(network, *name, trace) for name, trace in zip(_names(read), traces, strict=True)]
    if as_json:
        print_json({"network": str(path), "digest": network.digest, "target": label, "answers": rows})
    else:
        _show(rows, network)


def _names(read: list[tuple[Path, NDArray[Any]]]) -> list[tuple[Path, int | None]]:
    """The file of each sample, and its place in it, from 0; None where it is the only one."""
    return [(file, place if len(of_file) > 1 else None) for file, of_file in read for place in range(len(of_file))]


def _traces_here(network: Network, samples: NDArray[Any], where: Answerer) -> list[Trace]:
    """Every sample (values,) to the last step, by Python or by the kernel on this computer."""
    result = Kernel(network).trace(samples) if where is Answerer.KERNEL else reference.run(network, samples)
    return [
        Trace(
            int(result.answer[index]),
            int(result.response_time[index]),
            int(result.spikes[index]),
            np.concatenate([times[index] for times in result.firing_times]).astype(np.int32),
            result.readout_potential[index].astype(np.int32),
        )
        for index in range(len(samples))
    ]


def _row(network: Network, file: Path, place: int | None, trace: Trace) -> dict[str, Any]:
    """What is said of one sample."""
    names = network.class_labels
    outputs = trace.firing_times[-network.outputs :]
    follows = second(outputs, trace.readout_potential, trace.answer, network.time_steps)
    return {
        "file": str(file),
        "sample": place,
        "answer": trace.answer,
        "class": names[trace.answer],
        "response_time": trace.response_time,
        "silent": trace.response_time == network.time_steps,
        "second": None if follows is None else follows.answer,
        "second_class": None if follows is None else names[follows.answer],
        "steps_later": None if follows is None else follows.steps,
        "potential_less": None if follows is None else follows.potential,
    }


def _show(rows: list[dict[str, Any]], network: Network) -> None:
    table = Table()
    for heading in ("file", "answer", "step", "then"):
        table.add_column(heading, justify="right" if heading == "step" else "left", overflow="fold")
    for row in rows:
        place = "" if row["sample"] is None else f", sample {row['sample']}"
        step = "silent" if row["silent"] else f"{row['response_time']} of {network.time_steps}"
        then = printable(row["second_class"] or "", 40)
        if row["potential_less"] is not None:
            then += f", potential {row['potential_less']} less"
        elif row["second"] is not None:
            then += ", never fires" if row["steps_later"] is None else f", {row['steps_later']} later"
        table.add_row(f"{row['file']}{place}", printable(row["class"], 40), step, then)
    output.print(table)


LabelOption = Annotated[str, typer.Option(help="The class that the samples are of.")]
OutOption = Annotated[Path, typer.Option("-o", "--output", help="The folder of the data set; nothing in it is lost.")]
CountOption = Annotated[int | None, typer.Option(min=1, help="So many samples. [default: until Ctrl-C]")]
SecondsOption = Annotated[float | None, typer.Option(min=0, help="For so long.")]
PlayOption = Annotated[
    list[Path] | None,
    typer.Option(help="Let the board play the samples of this file in place of its sensor's (repeat for several)."),
]


@app.command(
    epilog="Example: bs4nn-tc record gestures-project --port /dev/ttyACM0 --label punch --count 20 -o data",
    rich_help_panel=RUN,
)
def record(  # noqa: PLR0913 - one parameter an option of the command line
    label: LabelOption,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[NETWORK|DIR]",
            show_default=False,
            help="A network file, or a folder that `generate` made: what runs on the board. [default: the folder here]",
        ),
    ] = HERE,
    out: OutOption = Path("data"),
    count: CountOption = None,
    seconds: SecondsOption = None,
    target: Annotated[
        Kind | None,
        typer.Option(show_default=False, help="Whose sensor. [default: serial; with --board, emulator]"),
    ] = None,
    board: Annotated[str | None, typer.Option(help="An emulated board, which needs --play.")] = None,
    port: PortOption = None,
    play: PlayOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Collect raw samples of a class from a board's sensor, in files that `train --dataset` reads.

    What a sample is, a function in the project's firmware says (see its README). Ctrl-C keeps what is whole.
    """
    kind = target or (Kind.SERIAL if board is None else Kind.EMULATOR)
    with _running(path, kind, board, port, quiet) as (network, running), interruptible() as interrupted:
        kept = collecting.Collection(out, label, network)
        end = math.inf if seconds is None else time.monotonic() + seconds
        for played in itertools.islice(_played(play, network), count):
            sample = _sample(running, played, interrupted) if time.monotonic() < end else None
            if sample is None:
                break
            written = kept.add(sample)
            if not quiet:
                progress_console.print(f"{len(kept.files):,}: {written}")
        stopped = interrupted()
    _tell_recorded(kept, out, label, as_json)
    if stopped and (count is not None or seconds is not None):  # else that is how it ends
        raise KeyboardInterrupt


def _played(play: list[Path] | None, network: Network) -> Iterator[NDArray[Any] | None]:
    """Samples (values,) of files; without any, no end of None, which is the board's own sensor."""
    if play is None:
        return itertools.repeat(None)
    return itertools.chain.from_iterable(files.read(file, network) for file in files.listed(play))


def _tell_recorded(kept: collecting.Collection, out: Path, label: str, as_json: bool) -> None:
    number = len(kept.files)
    if as_json:
        names = list(dict.fromkeys(map(str, kept.files)))
        print_json({"folder": str(out), "label": label, "samples": number, "files": names})
    else:
        output.print(f"{out}: {number:,} sample{'s' * (number != 1)} of '{printable(label, 60)}'")


def _sample(
    running: ApplicationTarget, played: NDArray[Any] | None, interrupted: Callable[[], bool]
) -> NDArray[Any] | None:
    """The next sample of a board; None after Ctrl-C, which may have ended what the target runs in, too."""
    if interrupted():
        return None
    try:
        return running.sample(played)
    except TargetError:
        if not interrupted():
            raise
        return None


class ValueType(StrEnum):
    """Of the values of a sample."""

    UINT8 = "uint8"
    INT16 = "int16"


@app.command(epilog="Example: bs4nn-tc blank 119x6 --type int16 -o recorder.bs4nn", rich_help_panel=GET)
def blank(
    shape: Annotated[
        str,
        typer.Argument(metavar="SHAPE", help="Of a sample: values, steps x channels, or rows x columns, as in 119x6."),
    ],
    out: Annotated[Path, typer.Option("-o", "--output", help="The network file to write.")],
    kind: Annotated[ValueType, typer.Option("--type", help="Of its values.")] = ValueType.INT16,
    rate: Annotated[int | None, typer.Option(min=100, max=1_000_000, help="Of sounds: samples a second.")] = None,
) -> None:
    """Make a network that knows nothing, so that a board can `record` before there is a network that has learned."""
    if not re.fullmatch(r"[0-9]{1,6}(x[0-9]{1,6}){0,2}", shape):
        raise UserError(f"{printable(shape, 40)} is no shape; 140, 119x6 or 28x28 are")
    network_file.check_output(out)
    made = blanks.blank(tuple(map(int, shape.split("x"))), kind.value, rate)
    network_file.save(made, out)
    output.print(f"{out}: {made.shape_text}, for samples of {shape} values of {kind.value}")
