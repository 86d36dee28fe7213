"""Verbs that change a trained network without learning: its thresholds, and its places on a device."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import check_target
from bs4nn_tc.cli.common import (
    GET,
    DataDirOption,
    JsonOption,
    NetworkArgument,
    QuietOption,
    TestDatasetOption,
    app,
    dataset_of,
    load_dataset,
    output,
    print_json,
    print_table,
    progress_bar,
    progress_console,
    warn,
)
from bs4nn_tc.model import evaluation, network_file
from bs4nn_tc.model.network import Network

if TYPE_CHECKING:
    from bs4nn_tc.study import tuning


class Knob(StrEnum):
    """What `tune` moves."""

    OUTPUT = "output"
    ALL = "all"


@app.command(
    epilog="Example: bs4nn-tc tune mnist.bs4nn --data-dir data --max-steps 5 -o quick.bs4nn", rich_help_panel=GET
)
def tune(  # noqa: PLR0913 - one parameter an option of the command line
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    knob: Annotated[
        Knob, typer.Option(help="`output`: the output thresholds. `all`: one factor on all thresholds.")
    ] = Knob.OUTPUT,
    max_steps: Annotated[float | None, typer.Option(help="Choose: largest mean response time, in steps.")] = None,
    max_silent: Annotated[float | None, typer.Option(min=0, max=1, help="Choose: largest silent share.")] = None,
    accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Choose: the quickest with this strict accuracy.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write the chosen network to this file.")] = None,
    csv_path: Annotated[Path | None, typer.Option("--csv", help="Also write the curve to this file.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show how accuracy trades against response time on the validation images, and write a chosen network."""
    from bs4nn_tc.study import tuning  # noqa: PLC0415 - needs a C compiler
    from bs4nn_tc.training import publish  # noqa: PLC0415 - only who trains needs them

    network = network_file.load(network_path)
    dataset = dataset_of(network, dataset)
    choosing = any(limit is not None for limit in (max_steps, max_silent, accuracy))
    _check_outputs(out, csv_path, choosing)
    loaded = load_dataset(dataset, data_dir, network)
    images, labels = loaded.validation()
    with progress_bar("tuning", None, quiet) as advance:
        points = tuning.curve(network, images, labels, knob.value, advance)
    if csv_path is not None:
        tuning.write_csv(points, csv_path)
    chosen = tuning.choose(points, max_steps, max_silent, accuracy) if choosing else None
    test, warnings = None, []
    if chosen is not None and out is not None:
        tuned = tuning.turned(network, knob.value, chosen.setting)
        facts = publish.publish_changed(tuned, tuning.validation_facts(chosen), loaded, out).description
        test, warnings = facts["test"], facts["warnings"]
    warn(warnings)
    if as_json:
        print_json(
            {
                "network": str(network_path),
                "points": [point.as_dict() for point in points],
                "chosen": None if chosen is None else chosen.as_dict(),
                "output": None if out is None else str(out),
                "test": test,
                "warnings": warnings,
            }
        )
        return
    _show_curve(f"{network_path.name}, validation images of {dataset} (* nothing quicker is as good)", points, chosen)
    if out is not None and test is not None:
        output.print(f"{out}: strict accuracy on the test images {test['strict_accuracy']:.2%}")


def _check_outputs(out: Path | None, csv_path: Path | None, choosing: bool) -> None:
    """Refuse files that could not be written at the end."""
    if out is not None and not choosing:
        raise UserError("which point is to be written? Name --max-steps, --max-silent or --accuracy")
    if out is not None:
        network_file.check_output(out)
    if csv_path is not None:
        check_target(csv_path)


def _show_curve(title: str, points: Sequence[tuning.Point], chosen: tuning.Point | None) -> None:
    table = Table(title=title)
    for heading in ("", "output threshold", "strict", "tie-lenient", "response time", "silent"):
        table.add_column(heading, justify="right")
    for point in points:
        table.add_row(
            ("*" if point.best else "") + (" chosen" if point == chosen else ""),
            str(point.output_threshold),
            f"{point.strict_accuracy:.2%}",
            f"{point.tie_lenient_accuracy:.2%}",
            f"{point.response_time:.2f}",
            f"{point.silent_share:.1%}",
        )
    output.print(table)


@app.command(epilog="Example: bs4nn-tc refine fashion.bs4nn --data-dir data -o refined.bs4nn", rich_help_panel=GET)
def refine(
    network_path: NetworkArgument,
    out: Annotated[Path, typer.Option("-o", "--output", help="The network file to write.")],
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    max_silent: Annotated[float, typer.Option(min=0, max=1, help="Largest silent share of the training images.")] = 1,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Give every output neuron a threshold of its own, as long as that answers more training images right.

    Signs stay. It helps where training knows but one threshold for all of a layer, as the recipe `paper` does. The
    validation images, before and after, say what it is worth; before may flatter, if the epoch was chosen by them.
    """
    from bs4nn_tc.study import tuning  # noqa: PLC0415 - needs a C compiler
    from bs4nn_tc.training import publish  # noqa: PLC0415 - only who trains needs them

    network_file.check_output(out)
    network = network_file.load(network_path)
    dataset = dataset_of(network, dataset)
    loaded = load_dataset(dataset, data_dir, network)
    with _refining_bar(quiet) as show:
        refined = tuning.refined(network, *loaded.training(), max_silent=max_silent, on_move=show)
    before, after = (evaluation.rounded(tuning.figures(one, *loaded.validation())) for one in (network, refined))
    refined = publish.publish_changed(refined, after, loaded, out)
    test, warnings = refined.description["test"], refined.description["warnings"]
    warn(warnings)
    if as_json:
        print_json(
            {
                "network": str(network_path),
                "output": str(out),
                "digest": refined.digest,
                "output_thresholds": refined.layers[-1].thresholds.tolist(),
                "validation_before": before,
                "validation": after,
                "test": test,
                "warnings": warnings,
            }
        )
        return
    known = ", which it has learned" if network.knows_validation_images else ""
    title = f"{network_path.name}, validation images of {dataset}{known}"
    print_table(title, [*_changes(before, after), *_threshold_rows(refined)])
    output.print(f"{out}: strict accuracy on the test images {test['strict_accuracy']:.2%}")


@contextlib.contextmanager
def _refining_bar(quiet: bool) -> Iterator[Callable[[float], None]]:
    """Yields the function that shows the accuracy so far."""
    columns = (TextColumn("refining"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=progress_console, disable=quiet) as bars:
        bar = bars.add_task("", total=None)
        yield lambda accuracy: bars.update(bar, description=f"training images {accuracy:.2%}")


def _changes(before: dict[str, float], after: dict[str, float]) -> list[tuple[str, str]]:
    names = (("strict_accuracy", "strict accuracy"), ("tie_lenient_accuracy", "tie-lenient accuracy"))
    rows = [(name, f"{before[key]:.2%} -> {after[key]:.2%}") for key, name in names]
    rows.append(("response time", f"{before['response_time']:.2f} -> {after['response_time']:.2f} steps"))
    rows.append(("silent share", f"{before['silent_share']:.2%} -> {after['silent_share']:.2%}"))
    return rows


def _threshold_rows(network: Network) -> list[tuple[str, str]]:
    hidden = [np.unique(layer.thresholds).tolist() for layer in network.layers[:-1]]
    rows = [(f"thresholds of hidden layer {number}", ", ".join(map(str, one))) for number, one in enumerate(hidden, 1)]
    return [*rows, ("output thresholds", ", ".join(map(str, network.layers[-1].thresholds.tolist())))]


@app.command(epilog="Example: bs4nn-tc reorder imported.bs4nn --dataset mnist --data-dir data", rich_help_panel=GET)
def reorder(
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The network file to write. [default: NETWORK itself]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give hidden neurons places on the device that make it faster; answers and reports stay the same.

    Learned from training images. `train` does it by itself; networks from `import` gain by it.
    """
    from bs4nn_tc.training import ordering  # noqa: PLC0415 - needs a C compiler

    network_file.check_output(out or network_path)
    network = network_file.load(network_path)
    dataset = dataset_of(network, dataset)
    ordered = ordering.order_neurons(network, load_dataset(dataset, data_dir, network).train_images)
    network_file.save(ordered, out or network_path)
    if as_json:
        print_json({"network": str(out or network_path), "digest": ordered.digest})
    else:
        output.print(f"{out or network_path}: {ordered.shape_text}, digest {ordered.digest[:12]}")
