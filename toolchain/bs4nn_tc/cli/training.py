"""Verbs that learn from a data set."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bs4nn_tc.base.errors import FailedNetworkError, MissingToolError, UserError
from bs4nn_tc.base.files import check_target, disk_errors
from bs4nn_tc.base.locks import only_one
from bs4nn_tc.base.text import printable
from bs4nn_tc.cli import choosing, resuming
from bs4nn_tc.cli.common import (
    GET,
    DataDirOption,
    DatasetOption,
    JsonOption,
    QuietOption,
    SizeOption,
    app,
    load_dataset,
    output,
    print_json,
    progress_console,
    warn,
)
from bs4nn_tc.cli.data import say_what_is_seen
from bs4nn_tc.cli.figures import published_facts, share_text, show_published
from bs4nn_tc.cli.reading import reads_files
from bs4nn_tc.data import codings, datasets, facts
from bs4nn_tc.model import network_file

if TYPE_CHECKING:
    from bs4nn_tc import training
    from bs4nn_tc.study import sweep as sweeping
    from bs4nn_tc.training import publish


# So many networks take weeks; and the largest seed.
MOST_SEEDS, LAST_SEED = 1000, 2**63 - 1


class Recipe(StrEnum):
    """How `train` learns."""

    BEST = "best"
    PAPER = "paper"
    S4NN = "s4nn"


HiddenOption = Annotated[
    list[int] | None,
    typer.Option(
        help="Neurons of a hidden layer (repeat for several). "
        f"[default: {', '.join(f'{name} {width}' for name, width in facts.widths().items())}, else by trials]"
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The network file to write. [default: DATASET-HIDDEN.bs4nn; DATASET.bs4nn if the width is chosen]",
    ),
]
RecipeOption = Annotated[
    Recipe, typer.Option(help="`best`: our own. `paper`: equations 5 to 16, image by image. `s4nn`: real weights.")
]
EpochsOption = Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")]
TimeStepsOption = Annotated[int | None, typer.Option(min=1, max=65535, help="T. [default: best 16, else 256]")]
SeedOption = Annotated[int, typer.Option(min=0, max=LAST_SEED, help="The same seed gives the same network.")]
SeedsOption = Annotated[
    str,
    typer.Option(
        metavar="COUNT|LIST",
        help="Train so many networks, from --seed on, or one for each seed of a list such as 0,1,2; the best one "
        "on validation is written, and what all reach to summary.json and seeds.csv of the run's folder.",
    ),
]
RunOption = Annotated[
    Path | None, typer.Option(help="Folder of the run: figures, checkpoint. [default: runs/NAME-RECIPE-SEED]")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other value of the recipe, e.g. rate=0.001."),
]
CodingOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"How values become spikes: {codings.SYNTAX}. [default: by trials]"),
]
FitOption = Annotated[
    str | None, typer.Option(metavar="BOARD", help="Take the widest hidden layer that fits a board (see `boards`).")
]
FlashOption = Annotated[
    str | None, typer.Option(metavar="BYTES", help="Take the widest hidden layer that fits so much flash, e.g. 16KB.")
]
SearchOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="MINUTES",
        help="After the brief trials, search for so long for a better coding, width and values (needs Optuna). "
        "Interrupted, the same command goes on with what is left of the minutes.",
    ),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Figures of every epoch for TensorBoard, too, in the run's folder.")
]
AcceptOption = Annotated[
    bool, typer.Option("--accept", help="Take a network that fails (see above) for good: exit status 0.")
]


@app.command(epilog="Example: bs4nn-tc train --dataset digits --hidden 64 -o digits.bs4nn", rich_help_panel=GET)
@reads_files
def train(  # noqa: PLR0913 - one parameter an option of the command line
    context: typer.Context,
    dataset: DatasetOption = "digits",
    hidden: HiddenOption = None,
    out: OutOption = None,
    data_dir: DataDirOption = None,
    size: SizeOption = None,
    recipe: RecipeOption = Recipe.BEST,
    epochs: EpochsOption = None,
    time_steps: TimeStepsOption = None,
    seed: SeedOption = 0,
    seeds: SeedsOption = "1",
    run: RunOption = None,
    resume: ResumeOption = False,
    coding: CodingOption = None,
    fit: FitOption = None,
    flash: FlashOption = None,
    search: SearchOption = None,
    option: SetOption = None,
    tensorboard: TensorboardOption = False,
    accept: AcceptOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    reading: datasets.Reading,
) -> None:
    """Train a network, by compiled code and without torch. The test images are only looked at at the end.

    A network fails if, on the test images, it is no better than chance or than always answering the commonest class, if
    no output neuron fires on more than half of them, or if a class is never the answer. Its file is written all the
    same and says so, for it can be looked at and tuned; the exit status is then 5.
    """
    from bs4nn_tc.training import publish  # noqa: PLC0415 - only who trains needs them

    asked = resuming.Asked(
        dataset=datasets.sized_name(dataset, size),
        data_dir=data_dir,
        recipe=recipe.value,
        hidden=tuple(hidden or ()),
        epochs=epochs,
        time_steps=time_steps,
        seeds=tuple(_seed_numbers(seeds, seed)),
        settings=tuple(option or ()),
        out=out,
        tensorboard=tensorboard,
        accept=accept,
        reading=reading,
        coding=coding,
    )
    folder = run or asked.folder
    if search is not None:
        choosing.check_search(asked, folder, resume)
    if resume:
        asked = resuming.of_run(asked, resuming.given(context), folder)
    (check_target if asked.recipe == "s4nn" else network_file.check_output)(asked.file)
    room = choosing.room(fit, flash, asked)
    loaded = load_dataset(asked.dataset, asked.data_dir, reading=asked.reading)
    asked, loaded = choosing.chosen(asked, loaded, folder, room, search, resume, quiet)
    results = _train_each(asked, folder, loaded, resume, quiet)
    published = publish.publish(results, asked.seeds, loaded, folder, asked.file)
    warn([finding.text for finding in published.findings])
    if as_json:
        print_json(published_facts(published, asked, folder))
    else:
        show_published(published, asked, folder)
    if not asked.accept:
        _refuse_failed(published, asked.file)


def _refuse_failed(published: publish.Published, file: Path) -> None:
    """End with a status of its own where the network is of no use."""
    failed = [finding.kind for finding in published.findings if finding.fails]
    if failed:
        raise FailedNetworkError(
            f"{file} is written, but the network fails ({', '.join(failed)}): see the warnings above for what to "
            "try, or take it as it is with --accept"
        )


def _train_each(
    asked: resuming.Asked, folder: Path, loaded: datasets.Dataset, resume: bool, quiet: bool
) -> list[training.TrainingResult]:
    """One network a seed; those of a run that is resumed go on where they were."""
    from bs4nn_tc import training  # noqa: PLC0415 - only who trains needs them

    all_options = [
        training.resolve(loaded, asked.recipe, asked.sizes, asked.epochs, asked.time_steps, seed, asked.settings)
        for seed in asked.seeds
    ]
    several = len(all_options) > 1
    if several and all_options[0].all_images and not choosing.by_folds(loaded):
        raise UserError("with all_images no images are left to choose one of several seeds by; give one seed")
    say_what_is_seen(loaded)
    results = []
    with _training_bars(quiet) as on_report:
        for options in all_options:
            one = folder / f"seed-{options.seed}" if several else folder
            begun = resume and (one / training.CONFIG).exists()
            try:
                with disk_errors(one), only_one(one):
                    result = training.train(
                        loaded, options, one, begun, on_report, asked.tensorboard, command=asked.command
                    )
            except KeyboardInterrupt:
                progress_console.print(f"stopped; go on with: {resuming.how_to_go_on(folder)}", soft_wrap=True)
                raise
            results.append(result)
    return results


@app.command(
    epilog="Example: bs4nn-tc sweep --dataset digits --hidden 16 --hidden 32,16 --seeds 2 -o sweep",
    rich_help_panel=GET,
)
@reads_files
def sweep(  # noqa: PLR0913 - one parameter an option of the command line
    hidden: Annotated[list[str], typer.Option(help="Neurons of the hidden layers, e.g. 64 or 128,64 (repeat).")],
    dataset: DatasetOption = "digits",
    data_dir: DataDirOption = None,
    size: SizeOption = None,
    recipe: Annotated[list[Recipe] | None, typer.Option(help="`best` or `paper` (repeat). [default: best]")] = None,
    time_steps: Annotated[list[int] | None, typer.Option(min=1, max=65535, help="T (repeat).")] = None,
    seeds: Annotated[str, typer.Option(metavar="COUNT|LIST", help="So many seeds from 0 on, or a list.")] = "1",
    epochs: EpochsOption = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other value of the recipes.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Database that several machines share, e.g. postgresql://HOST/NAME. [default: a file]"),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--output", help="Folder for runs, networks, table and figure.")] = Path(
        "sweep"
    ),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    reading: datasets.Reading,
) -> None:
    """Train many networks, and show the frontier of accuracy (validation images) against flash."""
    from bs4nn_tc.study import sweep as sweeping  # noqa: PLC0415 - needs a C compiler, and Optuna

    try:
        widths = [tuple(int(part) for part in one.split(",")) for one in hidden]
    except ValueError as error:
        raise UserError(f"--hidden {' '.join(hidden)}: numbers of neurons such as 64 or 128,64 are needed") from error
    recipes = [one.value for one in recipe or [Recipe.BEST]]
    if "s4nn" in recipes:
        raise UserError("--recipe s4nn: its networks do not run on devices; best and paper can be swept")
    chosen = sweeping.settings(widths, time_steps or [None], recipes, _seed_numbers(seeds, 0))
    dataset = datasets.sized_name(dataset, size)
    loaded = load_dataset(dataset, data_dir, reading=reading)
    resolved = sweeping.resolve(loaded, chosen, epochs, option or [])

    def on_wait(left: int) -> None:
        progress_console.print(f"waiting for {left} network{'s' * (left != 1)} that other processes are training")

    with _training_bars(quiet) as on_report:
        try:
            result = sweeping.run(loaded, resolved, out, store=store, on_report=on_report, on_wait=on_wait)
        except KeyboardInterrupt:
            progress_console.print(f"stopped; the same command goes on with {out}")
            raise
    if result.outcomes:
        _show_sweep(result, dataset, out, as_json)
    if result.failures:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in result.failures.items())
        raise UserError(f"{len(result.failures)} of {len(resolved)} networks could not be trained: {reasons}")


def _show_sweep(result: sweeping.Result, dataset: str, out: Path, as_json: bool) -> None:
    """Write the table and the figure, and print the table."""
    from bs4nn_tc.pages import figures  # noqa: PLC0415 - needs a C compiler, and Optuna
    from bs4nn_tc.study import experiments  # noqa: PLC0415 - needs a C compiler, and Optuna
    from bs4nn_tc.study import sweep as sweeping  # noqa: PLC0415 - needs a C compiler, and Optuna

    outcomes = result.outcomes
    sweeping.write_csv(outcomes, out / "sweep.csv")
    best = [one for one in outcomes if one.best]
    shown = experiments.Experiment(
        "sweep",
        f"{dataset}: the most accurate networks by flash (validation images)",
        ("flash, KiB", "strict, %"),
        [(one.flash_bytes / 1024, 100 * one.strict_accuracy) for one in best],
        {},
        "lines",
    )
    with contextlib.suppress(MissingToolError):  # the table is enough without matplotlib
        figures.draw(shown, out / "sweep")
    warnings = [f"{one.name}, {text}" for one in outcomes for text in one.warnings]
    warn(warnings)
    if as_json:
        networks = [dataclasses.asdict(one) for one in outcomes]
        print_json({"folder": str(out), "networks": networks, "failures": result.failures, "warnings": warnings})
        return
    table = Table(
        title=f"{out}: {dataset}, validation images (*: nothing smaller is as accurate)", title_justify="left"
    )
    for heading in ("", "network", "flash", "strict, 95 % interval", "steps", "silent", "found"):
        wraps = heading in ("network", "found")  # where the terminal is narrow
        text = heading in ("", "network", "found")
        table.add_column(heading, justify="left" if text else "right", no_wrap=not wraps, overflow="fold")
    for one in outcomes:
        table.add_row(
            "*" if one.best else "",
            one.name,
            f"{one.flash_bytes:,}",
            share_text(one.strict_accuracy, one.images),
            f"{one.response_time:.2f}",
            f"{one.silent_share:.1%}",
            ", ".join(one.found),
        )
    output.print(table)


def _seed_numbers(seeds: str, first: int) -> list[int]:
    """The seeds that --seeds asks for: so many from `first` on, or those of a list."""
    try:
        numbers = [int(part) for part in seeds.split(",")]
    except ValueError:
        numbers = []
    is_count = "," not in seeds and len(numbers) == 1
    if max(numbers[0] if is_count else len(numbers), 0) > MOST_SEEDS:
        raise UserError(f"--seeds {printable(seeds, 40)}: at most {MOST_SEEDS:,} networks are trained at once")
    if is_count and numbers[0] >= 1:
        return list(range(first, first + numbers[0]))
    if (
        is_count
        or not numbers
        or not 0 <= min(numbers) <= max(numbers) <= LAST_SEED
        or len(set(numbers)) < len(numbers)
    ):
        raise UserError(
            f"--seeds {printable(seeds, 40)}: a count of 1 or more is needed, or a list of different seeds such as "
            "0,1,2"
        )
    return numbers


@contextlib.contextmanager
def _training_bars(quiet: bool) -> Iterator[Callable[[training.Report], None]]:
    """One bar over all epochs, with the validation figures of the last one."""
    columns = (
        TextColumn("training", markup=False),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, TimeRemainingColumn(), console=progress_console, disable=quiet) as bars:
        bar = bars.add_task("", total=None)

        def show(report: training.Report) -> None:
            text = f"epoch {report.epoch + 1}/{report.epochs}"
            if report.row is not None:
                images = "validation" if report.held_out else "learned images"
                text += f", {images} {report.row['strict_accuracy']:.2%}, silent {report.row['silent_share']:.1%}"
            bars.update(bar, description=text, total=report.epochs, completed=report.epoch + report.done)

        yield show
