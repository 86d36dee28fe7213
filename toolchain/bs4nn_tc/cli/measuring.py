"""Verbs that measure what an inference takes, on emulated cores and by a board's own clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs4nn_tc.cli.common import (
    HERE,
    RUN,
    DataDirOption,
    ImagesOption,
    JsonOption,
    KernelOption,
    NetworkArgument,
    PortOption,
    ProjectArgument,
    QuietOption,
    TestDatasetOption,
    app,
    output,
    print_json,
    print_table,
    progress_bar,
    test_images,
)
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file
from bs4nn_tc.study import bench as benchmark
from bs4nn_tc.study import profile as profiling
from bs4nn_tc.targets import open_serial


@app.command(epilog="Example: bs4nn-tc bench digits.bs4nn --board qemu-m0 --board qemu-m4", rich_help_panel=RUN)
def bench(  # noqa: PLR0913 - one parameter an option of the command line
    network_path: NetworkArgument,
    board: Annotated[list[str], typer.Option(help="An emulated board (repeat for several).")],
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    portable: Annotated[bool, typer.Option("--portable", help="The kernel's C alone, without its assembly.")] = False,
    kernel: KernelOption = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this CSV file, too.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count what an inference costs on emulated cores: instructions, code, constants, RAM, stack."""
    network = network_file.load(network_path)
    dataset, pixels, labels = test_images(dataset, data_dir, images, network)
    costs = []
    for chosen in [boards.load_board(board_id) for board_id in dict.fromkeys(board)]:
        with progress_bar(chosen.id, len(pixels), quiet) as advance:
            costs.append(benchmark.measure(network, chosen, pixels, labels, advance, kernel, portable))
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
    for what, value in _COST_ROWS:
        table.add_row(what, *map(value, costs))
    output.print(table)
    output.print(
        "Executed instructions, the same on every run; they are not cycles. The times assume 1 to 2 cycles an "
        "instruction and a flash without wait states.",
    )


def _count(number: int | None, otherwise: str) -> str:
    return otherwise if number is None else f"{number:,}"


_COST_ROWS: tuple[tuple[str, Callable[[benchmark.Cost], str]], ...] = (
    ("kernel", lambda cost: f"{cost.kernel}, C alone" if cost.portable else cost.kernel),
    ("instructions, mean", lambda cost: f"{cost.instructions_mean:,.0f}"),
    ("instructions, 99 %", lambda cost: f"{cost.instructions_p99:,}"),
    ("instructions, largest", lambda cost: f"{cost.instructions_max:,}"),
    ("instructions, hardest synthetic image", lambda cost: _count(cost.instructions_hardest, "unknown")),
    ("instructions, no image needs more", lambda cost: _count(cost.instructions_bound, "-")),
    ("kernel code, bytes", lambda cost: f"{cost.code_bytes:,}"),
    ("constants, bytes", lambda cost: f"{cost.constant_bytes:,}"),
    ("workspace, bytes", lambda cost: f"{cost.workspace_bytes:,}"),
    ("stack, bytes", lambda cost: f"{cost.stack_bytes:,}"),
    ("ms at its clock, from", lambda cost: f"{cost.milliseconds[0]:.2f}"),
    ("ms at its clock, to", lambda cost: f"{cost.milliseconds[1]:.2f}"),
)


@app.command(epilog="Example: bs4nn-tc profile digits-project --port /dev/ttyACM0", rich_help_panel=RUN)
def profile(
    folder: ProjectArgument = HERE,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what an inference takes on a board, by the clock of its core."""
    made = project.open_project(folder)
    dataset, pixels, _ = test_images(dataset, data_dir, images, made.network)
    with open_serial(port) as target:
        target.expect(made.network)
        with progress_bar(target.label, len(pixels), quiet) as advance:
            profiled = profiling.measure(target, pixels, advance)
    row = profiled.as_dict()
    if as_json:
        print_json(row)
        return
    rows = [("images", f"{row['images']:,}")]
    unit = "ticks" if row["instructions_mean"] is None else "instructions"
    if profiled.known is not None or not profiled.emulated:
        rows += [(f"{unit}, {what}", f"{row[f'{unit}_{key}']:,.0f}") for what, key in _STATISTICS]
    if row["microseconds_mean"] is not None:
        rows.append((f"microseconds at {row['clock_hz'] / 1e6:g} MHz, mean", f"{row['microseconds_mean']:,.1f}"))
    print_table(f"{made.name} on {profiled.board}" + ("" if profiled.emulated else ", by its own clock"), rows)
    if profiled.emulated:
        output.print(_COUNTED if profiled.known is not None else _NOT_COUNTED)


_STATISTICS = (("mean", "mean"), ("99 %", "p99"), ("largest", "max"))
_COUNTED = (
    "Executed instructions, counted by QEMU; an emulated board has no time of its own. bs4nn-tc bench estimates "
    "milliseconds from them."
)
_NOT_COUNTED = (
    "This emulated board runs without counting, and its clock says nothing about a real one: no figure. "
    "bs4nn-tc emulate and bs4nn-tc bench count instructions."
)
