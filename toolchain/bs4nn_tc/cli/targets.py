"""Verbs that run a network where it is to run: on this computer, an emulated board, or a real one."""

from __future__ import annotations

import contextlib
import functools
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.cli.common import (
    HERE,
    RUN,
    DataDirOption,
    ImagesOption,
    JsonOption,
    PortOption,
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
from bs4nn_tc.device import building
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets import Kind, bridge, emulated_boards, open_serial, runner
from bs4nn_tc.targets import verify as verification


def _kind_or_all(text: str) -> Kind | None:
    """What `--target` of `verify` takes: a kind, or all, which is None."""
    if text != "all" and text not in list(Kind):
        raise typer.BadParameter(f"'{printable(text, 80)}' is none of all, {', '.join(Kind)}")
    return None if text == "all" else Kind(text)


KindOrAllOption = Annotated[
    Kind | None,
    typer.Option(
        parser=_kind_or_all,
        metavar=f"[{'|'.join(['all', *Kind])}]",
        show_default=False,
        help="`all` is native and every emulated board. [default: all]",
    ),
]


@app.command(epilog="Example: bs4nn-tc verify digits-project --target emulator --dataset digits", rich_help_panel=RUN)
def verify(  # noqa: PLR0913 - one parameter an option of the command line
    folder: ProjectArgument = HERE,
    dataset: TestDatasetOption = None,
    target: KindOrAllOption = None,
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
    where = verification.places(made, target, port or ())
    dataset, pixels, _ = test_images(dataset, data_dir, images, network)
    _, failure = build_with_bar(made, [place.environment for place in where if place.environment is not None], quiet)
    if failure is not None:
        raise failure
    with progress_bar("reference", len(pixels), quiet) as advance:
        expected = reference.run(network, pixels, advance)
    bar = functools.partial(progress_bar, quiet=quiet)
    outcome = verification.verify_project(made, where, pixels, expected, not answers_only, bar)
    if as_json:
        print_json(
            {
                "project": str(folder),
                "digest": network.digest,
                "dataset": dataset,
                "verified": outcome.verified,
                "results": [report.as_dict() for report in outcome.reports],
            }
        )
    else:
        _print_reports(made.name, outcome.reports)
    outcome.check()


def _print_reports(name: str, reports: Sequence[verification.Verification]) -> None:
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
    emulated = {known.id: known for known in emulated_boards(made)}
    chosen = board or (next(iter(emulated)) if len(emulated) == 1 else None)
    if chosen is None or chosen not in emulated:
        raise UserError(f"choose an emulated board of {folder} with --board (there: {', '.join(emulated) or 'none'})")
    building.flash(made, chosen)
    firmware = building.flashed_path(made, chosen)

    def ready(url: str) -> None:
        print(url, flush=True)
        command = f"bs4nn-tc verify {shlex.quote(str(folder))} --target serial --port {url}"
        progress_console.print(f"{chosen} runs; e.g. {command}")

    if tcp is None:
        bridge.serve_terminal(emulated[chosen], firmware, ready)
    else:
        bridge.serve_socket(emulated[chosen], firmware, tcp, ready)


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
def live(  # noqa: PLR0913 - one parameter an option of the command line
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[NETWORK|DIR]",
            show_default=False,
            help="A network file, or a folder that `generate` made. [default: the folder here]",
        ),
    ] = HERE,
    target: Annotated[
        Kind | None,
        typer.Option(
            show_default=False,
            help="What answers. [default: emulator; with --port, or for a project of real boards only, serial]",
        ),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="An emulated board. [default: qemu-m4, or the first one of the project]")
    ] = None,
    port: PortOption = None,
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
        from bs4nn_tc.pages.live import server, session  # noqa: PLC0415 - the extra `live`
    except ImportError as error:
        remedy = remedies.pip_install("starlette", "uvicorn")
        raise MissingToolError(f"the page needs starlette and uvicorn; install them with: {remedy}") from error

    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(server.listen(host, http_port))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bs4nn-live-")))
        with progress_console.status("getting the target ready") if not quiet else contextlib.nullcontext():
            chosen = runner.prepare(path, target, board, port, folder / "project")
            known = _live_dataset(chosen.network, dataset, data_dir)
            opened = stack.enter_context(contextlib.closing(session.Session(chosen)))
            opened.start()

        def ready(url: str, told: str) -> None:
            progress_console.print(f"{told}; Ctrl-C ends it")
            print(url, flush=True)

        server.serve(opened, known, listener, host, ready)


@app.command(epilog="Example: bs4nn-tc monitor --port /dev/ttyACM0", rich_help_panel=RUN)
def monitor(
    port: PortOption = None,
) -> None:
    """Say who is there, then print what the board says to people, until Ctrl-C."""
    with open_serial(port) as target:
        told = target.identity
        output.print(
            f"{told.board}: {told.name}, {told.values:,} values of {told.type}, {told.outputs} outputs, "
            f"T = {told.time_steps}, digest {told.digest[:12]}, kernel format {told.kernel_format}",
        )
        for text in target.listen():
            output.print_foreign(text, end="")
