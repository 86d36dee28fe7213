"""Verbs that run a network where it is to run: on this computer, an emulated board, or a real one."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError, VerificationError
from bs4nn_tc.cli.common import (
    HERE,
    RUN,
    DataDirOption,
    ImagesOption,
    JsonOption,
    ProjectArgument,
    QuietOption,
    TestDatasetOption,
    app,
    fitting_dataset,
    output,
    print_json,
    progress_bar,
    progress_console,
    test_images,
)
from bs4nn_tc.cli.projects import build_with_bar
from bs4nn_tc.data import datasets
from bs4nn_tc.device import boards, building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import ApplicationTarget, bridge, open_emulator, open_native, open_serial
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
        return fitting_dataset(dataset, data_dir, network)[1]
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

        server.serve(opened, known, listener, host, ready)


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
