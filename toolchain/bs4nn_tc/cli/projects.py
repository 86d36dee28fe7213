"""Verbs that turn a network into C, and C into what runs on a board."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli.common import (
    DEPLOY,
    HERE,
    JsonOption,
    KernelOption,
    NetworkArgument,
    ProjectArgument,
    QuietOption,
    app,
    output,
    print_json,
    progress_bar,
    progress_console,
)
from bs4nn_tc.device import boards, building, doctor
from bs4nn_tc.device.codegen import bound, names, package, project
from bs4nn_tc.device.kernels import FAST, KERNELS
from bs4nn_tc.model import network_file
from bs4nn_tc.targets import bridge


@app.command(epilog="Example: bs4nn-tc generate digits.bs4nn --board qemu-m4 -o digits-project", rich_help_panel=DEPLOY)
def generate(
    network_path: NetworkArgument,
    board: Annotated[list[str], typer.Option(help="A board to build for (repeat for several); see `boards`.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder to make. [default: NAME-project]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The network's name. [default: from the file's name]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a project even if its files were changed.")] = False,
    kernel: KernelOption = None,
) -> None:
    """Turn a network into a PlatformIO project that stands alone."""
    network = network_file.load(network_path)
    name = names.check_name(name) if name is not None else names.name_from_file(network_path.stem)
    chosen = [boards.load_board(board_id) for board_id in dict.fromkeys(board)]
    out = out or Path(f"{name}-project")
    made = project.generate(network, name, chosen, out, force, kernel)
    output.print(f"{out}: {name} ({network.shape_text}) for native, {', '.join(made.boards)}")
    if kernel is None and made.kernel != FAST.name:
        used = KERNELS[made.kernel]
        output.print(f"  the {used.name} kernel ({used.character}), for the {FAST.name} one does not fit; see --kernel")
    for item in made.items:
        if item.what.startswith("stage "):
            output.print(f"  {item.what}: {item.bytes:,} bytes of constants")
    for what, size in made.code:
        output.print(f"  {what}: up to {size:,} bytes of code")
    steps = bound.steps_at_most(network)
    for one in chosen:
        most = made.instructions_at_most[one.id]
        if most is None:
            output.print(f"  {one.id}: the kernel in portable C; no bound of instructions is known for {one.core}")
        else:
            output.print(f"  {one.id}: no image needs more than {most:,} instructions (in {steps:,} steps at the most)")
    output.print(f"next: bs4nn-tc build {shlex.quote(str(out))}")


@app.command("package", epilog="Example: bs4nn-tc package digits.bs4nn -o digits.zip", rich_help_panel=DEPLOY)
def make_package(
    network_path: NetworkArgument,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The folder to make, or a .zip file. [default: NAME-library]"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The network's name. [default: from the file's name]")] = None,
    kernel: KernelOption = None,
) -> None:
    """Turn a network into a library for Arduino, PlatformIO, CMake, Zephyr, ESP-IDF or a plain compiler."""
    network = network_file.load(network_path)
    name = names.check_name(name) if name is not None else names.name_from_file(network_path.stem)
    out = out or Path(f"{name}-library")
    if out.suffix == ".zip":
        package.write_zip(network, name, out, kernel or FAST)
    else:
        package.write_folder(network, name, out, kernel or FAST)
    output.print(f"{out}: {name} ({network.shape_text}) and the kernel as a library")


EnvironmentOption = Annotated[
    list[str] | None, typer.Option("-e", "--environment", help="Only this one: native, or a board of the project.")
]


def _environments(made: project.Project, chosen: list[str] | None) -> list[str]:
    """What `build` builds: everything that the project was generated for, or what was chosen of it."""
    known = [building.NATIVE, *made.boards]
    for environment in chosen or []:
        if environment not in known:
            raise UserError(f"{made.folder} was not generated for '{environment}'; it has {', '.join(known)}")
    return chosen or known


def build_with_bar(
    made: project.Project, environments: list[str], quiet: bool, verbose: bool = False
) -> tuple[list[building.Build], UserError | None]:
    """`building.build_each` with a bar, unless `quiet`; `verbose` shows what PlatformIO prints."""
    with progress_bar("building", len(environments), quiet or not environments) as advance:
        on_line = progress_console.print_foreign if verbose else None
        return building.build_each(made, environments, on_line, advance)


@app.command(epilog="Example: bs4nn-tc build digits-project", rich_help_panel=DEPLOY)
def build(
    folder: ProjectArgument = HERE,
    environment: EnvironmentOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what PlatformIO prints.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compile a project with PlatformIO, and check the memory plan against the ELF files."""
    made = project.open_project(folder)
    builds, failure = build_with_bar(made, _environments(made, environment), quiet, verbose)
    _show_builds(made, builds, as_json)
    if failure is not None:
        raise failure


def _show_builds(made: project.Project, builds: list[building.Build], as_json: bool) -> None:
    rows: list[dict[str, Any]] = []
    for result in builds:
        row: dict[str, Any] = {"environment": result.environment, "program": str(result.program)}
        if result.sizes is not None:
            row["instructions_at_most"] = made.instructions_at_most.get(result.environment)
            planned = {kind: sum(i.bytes for i in made.items if i.memory == kind) for kind in ("flash", "ram")}
            row |= {
                "flash_bytes": result.sizes.flash,
                "network_flash_bytes": planned["flash"],
                "ram_bytes": result.sizes.ram,
                "network_ram_bytes": planned["ram"],
            }
        rows.append(row)
    if as_json:
        print_json({"project": str(made.folder), "kernel": made.kernel, "builds": rows})
    if as_json or not rows:
        return
    table = Table(title=f"{made.name}: bytes on the board, equal to the plan", title_justify="left")
    for heading in ("environment", "flash", "of it network", "RAM with stack", "of it network"):
        table.add_column(heading, justify="left" if heading == "environment" else "right")
    for row in rows:
        sizes = [f"{row[key]:,}" if key in row else "-" for key in _SIZE_KEYS]
        table.add_row(row["environment"], *sizes)
    output.print(table)


_SIZE_KEYS = ("flash_bytes", "network_flash_bytes", "ram_bytes", "network_ram_bytes")


@app.command(epilog="Example: bs4nn-tc flash digits-project --board nucleo_f401re", rich_help_panel=DEPLOY)
def flash(
    folder: ProjectArgument = HERE,
    board: Annotated[
        str | None, typer.Option(help="The board. [default: the only real one of the project, or the only one]")
    ] = None,
    port: Annotated[str | None, typer.Option(help="Upload port, where the board needs one.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what PlatformIO prints.")] = False,
) -> None:
    """Put the firmware on a board through PlatformIO's upload; an emulated board that runs starts anew with it."""
    made = project.open_project(folder)
    real = [board_id for board_id in made.boards if boards.load_board(board_id).emulator is None]
    candidates = real or list(made.boards)
    chosen = board or (candidates[0] if len(candidates) == 1 else None)
    if chosen is None or chosen not in made.boards:
        raise UserError(f"choose a board of {folder} with --board (there: {', '.join(made.boards) or 'none'})")
    building.flash(made, chosen, port, progress_console.print_foreign if verbose else None)
    quoted = shlex.quote(str(folder))
    if chosen in real or bridge.is_running(building.flashed_path(made, chosen)):
        output.print(f"{chosen}: flashed. Next: bs4nn-tc verify {quoted} --target serial")
    else:
        output.print(
            f"{chosen}: its flash holds the firmware now, but no such board runs here. Start it, and leave it running: "
            f"bs4nn-tc emulate {quoted} --board {chosen}"
        )


@app.command("boards", epilog="Example: bs4nn-tc boards --json", rich_help_panel=DEPLOY)
def list_boards(
    installed: Annotated[
        bool, typer.Option("--installed", help="Also those of the PlatformIO platforms that are installed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the boards that `generate` knows."""
    known = boards.list_boards()
    if installed:
        own = {board.id for board in known}
        others = (boards.find_board(board_id) for board_id in sorted(boards.installed_boards().keys() - own))
        known += [board for board in others if board is not None]
    if as_json:
        print_json({"boards": [_facts_of(board) for board in known]})
        return
    table = Table(title="boards", title_justify="left")
    for heading in ("--board", "name", "core", "clock", "flash", "RAM"):
        right = heading in ("clock", "flash", "RAM")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading != "name")
    for board in known:
        sizes = (f"{count // 1024:,} KiB" for count in (board.flash_bytes, board.ram_bytes))
        table.add_row(board.id, board.name, board.core, f"{board.f_cpu / 1e6:g} MHz", *sizes)
    output.print(table)


def _facts_of(board: boards.Board) -> dict[str, str | int]:
    """A board for JSON."""
    return {
        "id": board.id,
        "name": board.name,
        "kind": board.kind,
        "port": board.port,
        "core": board.core,
        "clock_hz": board.f_cpu,
        "flash_bytes": board.flash_bytes,
        "ram_bytes": board.ram_bytes,
    }


@app.command("doctor", epilog="Example: bs4nn-tc doctor", rich_help_panel=DEPLOY)
def show_doctor(as_json: JsonOption = False) -> None:
    """Say what is installed, what is missing, and how to get it."""
    findings = doctor.examine()
    if as_json:
        print_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        table = Table(title="what this machine has", title_justify="left")
        for heading in ("", "what", "found", "for"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            missing = Text("missing", "red") if finding.needed else Text("optional", "yellow")
            mark = Text("ok", "green") if finding.found else missing
            table.add_row(mark, finding.what, finding.found or "-", finding.purpose)
        output.print(table)
        # Below the table: a cell would break a command into pieces.
        for finding in findings:
            if not finding.found:
                output.print(f"{finding.what}: {finding.remedy}")
    if any(finding.needed and not finding.found for finding in findings):
        raise typer.Exit(3)
