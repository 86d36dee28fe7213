"""Verbs that measure what an inference takes, on emulated cores and by a board's own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli.common import (
    HERE,
    RUN,
    DataDirOption,
    ImagesOption,
    JsonOption,
    KernelOption,
    NetworkArgument,
    ProjectArgument,
    QuietOption,
    TestDatasetOption,
    app,
    chosen_kernel,
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
from bs4nn_tc.targets import emulator, open_serial


@app.command(epilog="Example: bs4nn-tc bench digits.bs4nn --board qemu-m0 --board qemu-m4", rich_help_panel=RUN)
def bench(
    network_path: NetworkArgument,
    board: Annotated[list[str], typer.Option(help="An emulated board (repeat for several).")],
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    portable: Annotated[bool, typer.Option("--portable", help="The kernel's C alone, without its assembly.")] = False,
    kernel: KernelOption = "auto",
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this CSV file, too.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count what an inference costs on emulated cores: instructions, code, constants, RAM, stack."""
    network = network_file.load(network_path)
    dataset, pixels, labels = test_images(dataset, data_dir, images, network)
    used, costs = chosen_kernel(kernel), []
    for chosen in [boards.load_board(board_id) for board_id in dict.fromkeys(board)]:
        with progress_bar(chosen.id, len(pixels), quiet) as advance:
            costs.append(benchmark.measure(network, chosen, pixels, labels, advance, used, portable))
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
        ("kernel", [f"{cost.kernel}, C alone" if cost.portable else cost.kernel for cost in costs]),
        ("instructions, mean", [f"{cost.instructions_mean:,.0f}" for cost in costs]),
        ("instructions, 99 %", [f"{cost.instructions_p99:,}" for cost in costs]),
        ("instructions, largest", [f"{cost.instructions_max:,}" for cost in costs]),
        ("instructions, hardest synthetic image", hardest),
        (
            "instructions, no image needs more",
            ["-" if cost.instructions_bound is None else f"{cost.instructions_bound:,}" for cost in costs],
        ),
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
