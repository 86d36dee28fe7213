"""Verbs that run a network where it is to run: on this computer, an emulated board, or a real one."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError, VerificationError
from bs4nn_tc.cli.common import (
    HERE,
    RUN,
    DataDirOption,
    ImagesOption,
    JsonOption,
    NetworkArgument,
    ProjectArgument,
    QuietOption,
    SmallOption,
    TestDatasetOption,
    app,
    output,
    print_json,
    print_table,
    progress_bar,
    progress_console,
    test_images,
)
from bs4nn_tc.cli.projects import build_with_bar
from bs4nn_tc.data import datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.study import bench as benchmark
from bs4nn_tc.targets import ApplicationTarget, bridge, emulator, open_emulator, open_native, open_serial
from bs4nn_tc.targets import verify as verification


class TargetKind(StrEnum):
    """What `verify` runs a network on."""

    ALL = "all"
    NATIVE = "native"
    EMULATOR = "emulator"
    SERIAL = "serial"


def _open(kind: TargetKind, made: project.Project, environment: str, port: str | None) -> ApplicationTarget:
    if kind is TargetKind.SERIAL:
        return open_serial(port)
    if kind is TargetKind.NATIVE:
        return open_native(building.program_path(made, building.NATIVE))
    return open_emulator(boards.load_board(environment), building.program_path(made, environment))


def _verify_plan(made: project.Project, target: TargetKind) -> list[tuple[TargetKind, str]]:
    """Which target to run in which environment."""
    emulated = [board for board in made.boards if boards.load_board(board).emulator is not None]
    plan = []
    if target in (TargetKind.ALL, TargetKind.NATIVE):
        plan.append((TargetKind.NATIVE, building.NATIVE))
    if target in (TargetKind.ALL, TargetKind.EMULATOR):
        plan += [(TargetKind.EMULATOR, board) for board in emulated]
        if not emulated and target is TargetKind.EMULATOR:
            raise UserError(f"{made.folder} was generated for no emulated board; generate it with --board qemu-m4")
    if target is TargetKind.SERIAL:
        plan.append((TargetKind.SERIAL, ""))
    return plan


@app.command(epilog="Example: bs4nn-tc verify digits-project --target emulator --dataset digits", rich_help_panel=RUN)
def verify(
    folder: ProjectArgument = HERE,
    dataset: TestDatasetOption = None,
    target: Annotated[TargetKind, typer.Option(help="`all` is native and every emulated board.")] = TargetKind.ALL,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="Serial port, socket:// or rfc2217:// URL; several share the images. [default: the only board]"
        ),
    ] = None,
    answers_only: Annotated[
        bool, typer.Option("--answers-only", help="Compare answers with early exit, not every firing time.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare targets with the Python reference, image by image, bit for bit."""
    made = project.open_project(folder)
    network = made.network
    plan = _verify_plan(made, target)
    dataset, pixels, _ = test_images(dataset, data_dir, images, network)
    to_build = [environment for _, environment in plan if environment]
    _, failure = build_with_bar(made, to_build, quiet or not to_build)
    if failure is not None:
        raise failure
    with progress_bar("reference", len(pixels), quiet) as advance:
        expected = reference.run(network, pixels, advance)
    reports: list[verification.Verification] = []
    failed: UserError | None = None
    for kind, environment in plan:
        try:
            with contextlib.ExitStack() as stack:
                ports: list[str | None] = [*port] if port and kind is TargetKind.SERIAL else [None]
                opened = [stack.enter_context(_open(kind, made, environment, one)) for one in ports]
                advance = stack.enter_context(progress_bar(", ".join(one.label for one in opened), len(pixels), quiet))
                reports += verification.verify_several(
                    opened, kind.value, network, pixels, expected, not answers_only, advance
                )
        except UserError as error:
            failed = error
            break
    if not reports and failed is not None:
        raise failed
    if as_json:
        print_json(
            {
                "project": str(folder),
                "digest": network.digest,
                "dataset": dataset,
                "verified": failed is None and all(report.verified for report in reports),
                "results": [report.as_dict() for report in reports],
            }
        )
    else:
        _print_reports(made.name, reports)
    _judge(reports, len(plan) * len(pixels))
    if failed is not None:
        raise failed


def _print_reports(name: str, reports: list[verification.Verification]) -> None:
    table = Table(title=f"{name} against the reference", title_justify="left")
    for heading in ("target", "board", "images", "equal", "seconds"):
        table.add_column(heading, justify="left" if heading in ("target", "board") else "right")
    for report in reports:
        table.add_row(report.target, report.board, f"{report.images:,}", f"{report.equal:,}", f"{report.seconds:.1f}")
    output.print(table)
    output.print(f"compared: {', '.join(reports[0].compared)}")
    again = sum(report.asked_again for report in reports)
    if again:
        output.print(f"asked again: {again:,} times (damaged or missing answers, or boards that restarted)")


def _judge(reports: list[verification.Verification], images: int) -> None:
    """Raise for the worst of what was found; `images` of all targets together were to be compared.

    Raises:
        VerificationError: a target differs from the reference.
        TargetError: a target stopped on the way.
    """
    for report in reports:
        if report.first_difference is not None:
            raise VerificationError(f"{report.target} {report.board} differs: {report.first_difference}")
    for report in reports:
        if report.stopped is not None:
            compared = sum(other.images for other in reports)
            raise TargetError(f"{report.stopped}; {compared:,} of {images:,} images had been compared by then")


@app.command(epilog="Example: bs4nn-tc bench digits.bs4nn --board qemu-m0 --board qemu-m4", rich_help_panel=RUN)
def bench(
    network_path: NetworkArgument,
    board: Annotated[list[str], typer.Option(help="An emulated board (repeat for several).")],
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    portable: Annotated[bool, typer.Option("--portable", help="The kernel in C alone, without assembly.")] = False,
    small: SmallOption = False,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this CSV file, too.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count what an inference costs on emulated cores: instructions, code, constants, RAM, stack."""
    if portable and small:
        raise UserError("--portable and --small are two kernels; count one at a time")
    kernel: benchmark.Kernel = "portable" if portable else "small" if small else "assembly"
    network = network_file.load(network_path)
    dataset, pixels, labels = test_images(dataset, data_dir, images, network)
    costs = []
    for chosen in [boards.load_board(board_id) for board_id in dict.fromkeys(board)]:
        with progress_bar(chosen.id, len(pixels), quiet) as advance:
            costs.append(benchmark.measure(network, chosen, pixels, labels, advance, kernel))
    if csv_path is not None:
        benchmark.write_csv(costs, csv_path)
    if as_json:
        print_json(
            {
                "network": str(network_path),
                "digest": network.digest,
                "dataset": dataset,
                "rows": [cost.as_dict() for cost in costs],
            }
        )
        return
    table = Table(title=f"{network_path.name} on {len(pixels):,} test images of {dataset}", title_justify="left")
    table.add_column("an inference")
    for cost in costs:
        table.add_column(cost.board, justify="right", no_wrap=True)
    hardest = ["too many" if cost.instructions_hardest is None else f"{cost.instructions_hardest:,}" for cost in costs]
    for what, values in (
        ("instructions, mean", [f"{cost.instructions_mean:,.0f}" for cost in costs]),
        ("instructions, 99 %", [f"{cost.instructions_p99:,}" for cost in costs]),
        ("instructions, largest", [f"{cost.instructions_max:,}" for cost in costs]),
        ("instructions, hardest synthetic image", hardest),
        ("instructions, no image needs more", [f"{cost.instructions_bound:,}" for cost in costs]),
        ("kernel code, bytes", [f"{cost.code_bytes:,}" for cost in costs]),
        ("constants, bytes", [f"{cost.constant_bytes:,}" for cost in costs]),
        ("workspace, bytes", [f"{cost.workspace_bytes:,}" for cost in costs]),
        ("stack, bytes", [f"{cost.stack_bytes:,}" for cost in costs]),
        ("ms at its clock, from", [f"{cost.milliseconds[0]:.2f}" for cost in costs]),
        ("ms at its clock, to", [f"{cost.milliseconds[1]:.2f}" for cost in costs]),
    ):
        table.add_row(what, *values)
    output.print(table)
    output.print(
        "Executed instructions, the same on every run; they are not cycles. The times assume 1 to 2 cycles an "
        "instruction and a flash without wait states.",
    )


@app.command(epilog="Example: bs4nn-tc emulate digits-project --board qemu-m4 --tcp 4000", rich_help_panel=RUN)
def emulate(
    folder: ProjectArgument = HERE,
    board: Annotated[str | None, typer.Option(help="An emulated board. [default: the only one of the project]")] = None,
    tcp: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port of 127.0.0.1; 0: any free one.")
    ] = None,
) -> None:
    """Run an emulated board that others reach as a serial port: a pseudo-terminal, or with --tcp a socket.

    One client at a time talks to the board; the next one waits until that has left or been silent for a few seconds.
    """
    made = project.open_project(folder)
    emulated = [known for known in made.boards if boards.load_board(known).emulator is not None]
    chosen = board or (emulated[0] if len(emulated) == 1 else None)
    if chosen is None or chosen not in emulated:
        raise UserError(f"choose an emulated board of {folder} with --board (there: {', '.join(emulated) or 'none'})")
    building.flash(made, chosen)
    firmware = building.flashed_path(made, chosen)

    def ready(url: str) -> None:
        print(url, flush=True)
        command = f"bs4nn-tc verify {shlex.quote(str(folder))} --target serial --port {url}"
        progress_console.print(f"{chosen} runs; e.g. {command}")

    if tcp is None:
        bridge.serve_terminal(boards.load_board(chosen), firmware, ready)
    else:
        bridge.serve_socket(boards.load_board(chosen), firmware, tcp, ready)


class LiveTarget(StrEnum):
    """What `live` runs a network on."""

    NATIVE = "native"
    EMULATOR = "emulator"
    SERIAL = "serial"


def _live_dataset(network: Network, dataset: str | None, data_dir: Path | None) -> datasets.Dataset | None:
    """Whose test images the page offers; None where nobody asked for some and there are none."""
    try:
        name, _, _ = test_images(dataset, data_dir, None, network)
        return datasets.load(name, data_dir)
    except UserError as error:
        if dataset is not None or data_dir is not None:
            raise
        progress_console.print(f"no test images: {error}")
        return None


@app.command(
    epilog="Example: bs4nn-tc live mnist.bs4nn --target emulator --board qemu-m0 --data-dir data", rich_help_panel=RUN
)
def live(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[NETWORK|DIR]",
            show_default=False,
            help="A network file, or a folder that `generate` made. [default: the folder here]",
        ),
    ] = HERE,
    target: Annotated[
        LiveTarget | None,
        typer.Option(
            show_default=False,
            help="What answers. [default: emulator; with --port, or for a project of real boards only, serial]",
        ),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="An emulated board. [default: qemu-m4, or the first one of the project]")
    ] = None,
    port: Annotated[
        str | None, typer.Option(help="Serial port, socket:// or rfc2217:// URL. [default: the only board there is]")
    ] = None,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets everybody in your network draw.")
    ] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Where the page is; 0: any free port.")] = 8017,
    quiet: QuietOption = False,
) -> None:
    """Serve a web page on this computer: draw a digit, and watch a target answer, spike by spike."""
    try:
        from bs4nn_tc.pages.live import runner, server, session  # noqa: PLC0415 - the extra `live`
    except ImportError as error:
        remedy = remedies.pip_install("starlette", "uvicorn")
        raise MissingToolError(f"the page needs starlette and uvicorn; install them with: {remedy}") from error

    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(server.listen(host, http_port))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bs4nn-live-")))
        kind = None if target is None else runner.Kind(target.value)
        with progress_console.status("getting the target ready") if not quiet else contextlib.nullcontext():
            chosen = runner.prepare(path, kind, board, port, folder / "project")
            known = _live_dataset(chosen.network, dataset, data_dir)
            opened = stack.enter_context(contextlib.closing(session.Session(chosen)))
            opened.start()

        def ready(url: str, told: str) -> None:
            progress_console.print(f"{told}; Ctrl-C ends it")
            print(url, flush=True)

        server.serve(opened, known, listener, ready)


@app.command(epilog="Example: bs4nn-tc profile digits-project --port /dev/ttyACM0", rich_help_panel=RUN)
def profile(
    folder: ProjectArgument = HERE,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    port: Annotated[
        str | None, typer.Option(help="Serial port, socket:// or rfc2217:// URL. [default: the only board there is]")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what an inference takes on a board, by the clock of its core."""
    made = project.open_project(folder)
    dataset, pixels, _ = test_images(dataset, data_dir, images, made.network)
    with open_serial(port) as target:
        target.expect(made.network)
        name = target.identity.board
        known = boards.find_board(name)
        emulated = known is not None and known.emulator is not None
        ticks = []
        with progress_bar(target.label, len(pixels), quiet) as advance:
            for image in pixels:
                ticks.append(target.profile(image)[1])
                advance()
        once_more = [target.profile(image)[1] for image in pixels[:_MEASURED_TWICE]] if emulated else []
    if not any(ticks) and not emulated:
        raise UserError(f"{name} has no counter of its clock, or does not count")
    board = known if known is not None and (not emulated or emulator.counts(ticks, once_more)) else None
    row = _profile_row(name, ticks, board)
    if as_json:
        print_json(row)
        return
    rows = [("images", f"{row['images']:,}")]
    unit = "ticks" if row["instructions_mean"] is None else "instructions"
    if not emulated or board is not None:
        rows += [(f"{unit}, {what}", f"{row[f'{unit}_{key}']:,.0f}") for what, key in _STATISTICS]
    if row["microseconds_mean"] is not None:
        rows.append((f"microseconds at {row['clock_hz'] / 1e6:g} MHz, mean", f"{row['microseconds_mean']:,.1f}"))
    print_table(f"{made.name} on {name}" + ("" if emulated else ", by its own clock"), rows)
    if emulated:
        output.print(_COUNTED if board is not None else _NOT_COUNTED)


_STATISTICS = (("mean", "mean"), ("99 %", "p99"), ("largest", "max"))
# Images that an emulated board runs a second time, to see whether it counts.
_MEASURED_TWICE = 8
_COUNTED = (
    "Executed instructions, counted by QEMU; an emulated board has no time of its own. bs4nn-tc bench estimates "
    "milliseconds from them."
)
_NOT_COUNTED = (
    "This emulated board runs without counting, and its clock says nothing about a real one: no figure. "
    "bs4nn-tc emulate and bs4nn-tc bench count instructions."
)


def _profile_row(name: str, ticks: list[int], board: boards.Board | None) -> dict[str, Any]:
    """Figures for JSON; `board` is None where its clock is not known, or says nothing."""
    emulated = board is not None and board.emulator is not None
    counted: dict[str, NDArray[np.int64] | None] = {"ticks": np.array(ticks), "instructions": None}
    if board is not None and emulated:
        counted["instructions"] = np.array([emulator.instructions(board, lap) for lap in ticks])
    row: dict[str, Any] = {"board": name, "images": len(ticks)}
    for unit, values in counted.items():
        row |= {
            f"{unit}_mean": None if values is None else float(values.mean()),
            f"{unit}_p99": None if values is None else int(np.quantile(values, 0.99, method="higher")),
            f"{unit}_max": None if values is None else int(values.max()),
        }
    row["clock_hz"] = None if board is None else board.f_cpu
    row["microseconds_mean"] = None if board is None or emulated else row["ticks_mean"] * 1e6 / board.f_cpu
    return row


@app.command(epilog="Example: bs4nn-tc monitor --port /dev/ttyACM0", rich_help_panel=RUN)
def monitor(
    port: Annotated[
        str | None, typer.Option(help="Serial port, socket:// or rfc2217:// URL. [default: the only board there is]")
    ] = None,
) -> None:
    """Say who is there, then print what the board says to people, until Ctrl-C."""
    with open_serial(port) as target:
        told = target.identity
        output.print(
            f"{told.board}: {told.name}, {told.inputs} inputs, {told.outputs} outputs, T = {told.time_steps}, "
            f"digest {told.digest[:12]}, kernel format {told.kernel_format}",
        )
        for text in target.listen():
            output.print_foreign(text, end="")
