"""The command line: one thin function a verb. All work is done by the modules it calls."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

import bs4nn_tc
from bs4nn_tc import bench as benchmark
from bs4nn_tc import (
    boards,
    building,
    datasets,
    doctor,
    evaluation,
    importers,
    network_file,
    real_network,
    reference,
)
from bs4nn_tc import verify as verification
from bs4nn_tc.codegen import bound, memory, pack, package, project, render
from bs4nn_tc.errors import MissingToolError, UserError, VerificationError
from bs4nn_tc.files import disk_errors
from bs4nn_tc.network import Network
from bs4nn_tc.real_network import RealNetwork
from bs4nn_tc.targets import ApplicationTarget, bridge, open_emulator, open_native, open_serial

if TYPE_CHECKING:
    from bs4nn_tc import training

app = typer.Typer(
    help="Binarized spiking neural networks, from an image data set to a microcontroller, verified bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit status: 0 done, 1 a target differs from the reference, 2 bad input, 3 something is not installed, "
    "4 a build or target failed, 130 interrupted.",
)

# Results go to standard output, everything for people who watch to standard error.
output = Console()
progress_console = Console(stderr=True)


class Recipe(StrEnum):
    """How `train` learns."""

    BEST = "best"
    PAPER = "paper"
    S4NN = "s4nn"


class Rules(StrEnum):
    """Whose rules imported weights follow."""

    PAPER = "paper"
    AUTHORS = "authors"


class TargetKind(StrEnum):
    """What `verify` runs a network on."""

    ALL = "all"
    NATIVE = "native"
    EMULATOR = "emulator"
    SERIAL = "serial"


NetworkArgument = Annotated[Path, typer.Argument(metavar="NETWORK", help="A network file (.bs4nn).")]
ProjectArgument = Annotated[
    Path, typer.Argument(metavar="[DIR]", show_default=False, help="A folder that `generate` made. [default: here]")
]
_HERE = Path()
# Longer tables are in the CSV file only.
MOST_ROWS = 60
DatasetOption = Annotated[
    str,
    typer.Option(
        help="mnist, fashion-mnist, either with -14x14 (half the resolution), digits, an IDX folder, or a folder of "
        "images by class."
    ),
]
TestDatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="As for `train`. [default: what the network was trained on]")
]
DataDirOption = Annotated[
    Path | None, typer.Option(help="Where MNIST and Fashion-MNIST lie, in torchvision's layout. [default: data]")
]
ImagesOption = Annotated[int | None, typer.Option(min=1, help="Only the first N test images.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
SmallOption = Annotated[
    bool, typer.Option("--small", help="The small kernel: two fifths of the code, two to three times the instructions.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


def main() -> None:
    """Entry point: errors that a user can cause end in one line and a non-zero exit status."""
    try:
        status = app(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)  # the status of a typer.Exit
    except UserError as error:
        progress_console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        progress_console.print("interrupted", style="red")
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        # Typer's own usage errors know how to show themselves.
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        error.show()
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.print(f"bs4nn-tc {bs4nn_tc.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Binarized spiking neural networks, from an image data set to a microcontroller, verified bit for bit."""


@contextlib.contextmanager
def _progress(text: str, total: int | None, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error; yields the function that moves it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=progress_console, disable=quiet) as bars:
        bar = bars.add_task(text, total=total)
        yield lambda: bars.advance(bar)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))


def _table(title: str, rows: list[tuple[str, str]]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    output.print(table)


def _test_images(
    dataset: str | None, data_dir: Path | None, count: int | None, network: Network
) -> tuple[str, NDArray[np.uint8], NDArray[Any]]:
    """Name, images and labels to test `network` with."""
    dataset = dataset or network.description.get("dataset")
    if dataset is None:
        raise UserError("the network does not say what it was trained on; name the images with --dataset")
    loaded = datasets.load(dataset, data_dir)
    images, labels = loaded.test_images[:count], loaded.test_labels[:count]
    reference.check_images(network, images)
    if len(loaded.class_names) > network.outputs:
        raise UserError(
            f"{dataset} has {len(loaded.class_names)} classes, but the network has {network.outputs} output neurons"
        )
    return dataset, images, labels


def _figure_rows(figures: evaluation.Figures, network: Network | RealNetwork) -> list[tuple[str, str]]:
    return [
        ("images", f"{figures.images:,}"),
        ("strict accuracy", f"{figures.strict_accuracy:.2%}"),
        ("tie-lenient accuracy", f"{figures.tie_lenient_accuracy:.2%}"),
        ("response time", f"{figures.response_time:.2f} of {network.time_steps} steps"),
        ("silent share", f"{figures.silent_share:.2%}"),
        ("spikes to decision", f"{figures.spikes_to_decision:.1f}"),
    ]


@app.command("import", epilog="Example: bs4nn-tc import W0.npy W1.npy --theta 100 --alpha 4 --alpha 9 -o my.bs4nn")
def import_weights(
    weights: Annotated[
        list[Path], typer.Argument(help="One .npy file a layer, (neurons, inputs); only the signs are used.")
    ],
    out: Annotated[Path, typer.Option("-o", "--output", help="The network file to write.")],
    theta: Annotated[float | None, typer.Option(help="Firing threshold of all layers; goes with --alpha.")] = None,
    alpha: Annotated[
        list[float] | None, typer.Option(help="Scaling factor, one a layer: the threshold is theta / alpha.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Instead of theta and alpha: a whole number, or a .npy file with one a neuron; one a layer."),
    ] = None,
    rules: Annotated[
        Rules,
        typer.Option(help="`paper`: V >= theta/alpha, no delay. `authors`: V > theta/alpha, one step of delay."),
    ] = Rules.PAPER,
    time_steps: Annotated[int, typer.Option(help="T, the number of time steps.")] = 256,
    readout_step: Annotated[
        int | None, typer.Option(help="Step whose potentials decide a silent image. [default: T-1; authors: T-3]")
    ] = None,
    intensity_max: Annotated[int, typer.Option(help="Intensity of a pixel that fires at step 0.")] = 255,
) -> None:
    """Make a network file of other people's weights."""
    signs = [importers.load_weights(path) for path in weights]
    thresholds = importers.thresholds_of_layers(signs, theta, alpha or [], threshold or [], rules.value)
    network = importers.network_from_weights(
        signs,
        thresholds,
        rules=rules.value,
        time_steps=time_steps,
        readout_step=readout_step,
        intensity_max=intensity_max,
        description={
            "source": "imported weights",
            "rules": rules.value,
            **({"theta": theta, "alphas": alpha} if theta is not None else {}),
        },
    )
    network_file.save(network, out)
    output.print(f"{out}: {network.shape_text}, digest {network.digest[:12]}", highlight=False)


@app.command(epilog="Example: bs4nn-tc train --dataset digits --hidden 64 -o digits.bs4nn")
def train(
    dataset: DatasetOption = "digits",
    hidden: Annotated[
        list[int] | None,
        typer.Option(
            help="Neurons of a hidden layer (repeat for several). "
            "[default: digits 128, mnist 600, mnist-14x14 288, else 1000]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The network file to write. [default: DATASET-HIDDEN.bs4nn]")
    ] = None,
    data_dir: DataDirOption = None,
    recipe: Annotated[
        Recipe, typer.Option(help="`best`: our own. `paper`: equations 5 to 16, image by image. `s4nn`: real weights.")
    ] = Recipe.BEST,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")] = None,
    time_steps: Annotated[int | None, typer.Option(min=1, max=65535, help="T. [default: best 16, else 256]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same network.")] = 0,
    seeds: Annotated[
        str,
        typer.Option(
            metavar="COUNT|LIST",
            help="Train so many networks, from --seed on, or one for each seed of a list such as 0,1,2; the best one "
            "on validation is written, and what all reach to summary.json and seeds.csv of the run's folder.",
        ),
    ] = "1",
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run: figures, checkpoint. [default: runs/NAME-RECIPE-SEED]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other value of the recipe, e.g. rate=0.001."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Figures of every epoch for TensorBoard, too, in the run's folder.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network, by compiled code and without torch. The test images are only looked at at the end."""
    from bs4nn_tc import ordering, training  # noqa: PLC0415 - only who trains needs them

    loaded = datasets.load(dataset, data_dir)
    sizes = tuple(hidden or [{"digits": 128, "mnist": 600, "mnist-14x14": 288}.get(dataset, 1000)])
    numbers = _seed_numbers(seeds, seed)
    all_options = [
        training.resolve(loaded, recipe.value, sizes, epochs, time_steps, number, option or []) for number in numbers
    ]
    name = f"{Path(dataset).name}-{'-'.join(map(str, sizes))}"
    out = out or Path(f"{name}{real_network.SUFFIX if recipe is Recipe.S4NN else '.bs4nn'}")
    several = len(numbers) > 1
    if several and all_options[0].all_images:
        raise UserError("with all_images no images are left to choose one of several seeds by; give one seed")
    folder = run or Path("runs") / f"{name}-{recipe.value}-{'-'.join(map(str, numbers))}"
    folders = [folder / f"seed-{number}" for number in numbers] if several else [folder]
    results = []
    with _training_bars(quiet) as on_report:
        for options, one in zip(all_options, folders, strict=True):
            try:
                begun = resume and (not several or one.exists())
                results.append(training.train(loaded, options, one, begun, on_report, tensorboard))
            except KeyboardInterrupt:
                progress_console.print(
                    f"stopped; {folder} holds all that was learned: go on with --resume", highlight=False
                )
                raise
    all_figures = [_test_figures(one.network, loaded) for one in results]
    spread = evaluation.spread(all_figures)
    # With all_images there is one network and no figure to choose it by.
    chosen = max(range(len(numbers)), key=lambda number: results[number].validation.get("strict_accuracy", 0.0))
    result, figures = results[chosen], all_figures[chosen]
    test = {key: round(value, 6) for key, value in figures.as_dict().items()}
    facts = {**result.network.description, "test": test}
    if several:
        facts["test_over_seeds"] = spread
        training.save_summary(
            folder, numbers, [one.validation for one in results], [one.as_dict() for one in all_figures], spread
        )
    network = dataclasses.replace(result.network, description=facts)
    more: dict[str, Any]
    if isinstance(network, Network):
        network = ordering.order_neurons(network, loaded.train_images)
        network_file.save(network, out)
        more = {"digest": network.digest}
    else:
        more = {"test_8bit": _test_figures(network.eight_bit(), loaded).as_dict()}
        network = dataclasses.replace(network, description={**facts, **more})
        network.save(out)
    if as_json:
        _print_json(
            {
                "network": str(out),
                **more,
                "run": str(folder),
                "best_epoch": result.best_epoch + 1,
                "validation": result.validation,
                "test": figures.as_dict(),
                "seeds": numbers,
                "test_by_seed": [one.as_dict() for one in all_figures],
                "test_over_seeds": spread,
            }
        )
        return
    _table(f"{out}: {network.shape_text}, test images of {dataset}", _figure_rows(figures, network))
    if "test_8bit" in more:
        rounded = more["test_8bit"]["tie_lenient_accuracy"], more["test_8bit"]["strict_accuracy"]
        output.print("with weights of 8 bits: {:.2%} tie-lenient, {:.2%} strict".format(*rounded), highlight=False)
    if several:
        _table(
            f"{len(numbers)} seeds, test images: mean and standard deviation",
            [(what, f"{values['mean']:.4f} +- {values['deviation']:.4f}") for what, values in spread.items()],
        )
    output.print(f"run: {folder}", highlight=False)


@app.command(epilog="Example: bs4nn-tc sweep --dataset digits --hidden 16 --hidden 32,16 --seeds 2 -o sweep")
def sweep(
    hidden: Annotated[list[str], typer.Option(help="Neurons of the hidden layers, e.g. 64 or 128,64 (repeat).")],
    dataset: DatasetOption = "digits",
    data_dir: DataDirOption = None,
    recipe: Annotated[list[Recipe] | None, typer.Option(help="`best` or `paper` (repeat). [default: best]")] = None,
    time_steps: Annotated[list[int] | None, typer.Option(min=1, max=65535, help="T (repeat).")] = None,
    seeds: Annotated[str, typer.Option(metavar="COUNT|LIST", help="So many seeds from 0 on, or a list.")] = "1",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")] = None,
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
) -> None:
    """Train many networks, and show the frontier of accuracy (validation images) against flash."""
    from bs4nn_tc import experiments, figures  # noqa: PLC0415 - needs a C compiler, and Optuna
    from bs4nn_tc import sweep as sweeping  # noqa: PLC0415

    try:
        widths = [tuple(int(part) for part in one.split(",")) for one in hidden]
    except ValueError as error:
        raise UserError(f"--hidden {' '.join(hidden)}: numbers of neurons such as 64 or 128,64 are needed") from error
    recipes = [one.value for one in recipe or [Recipe.BEST]]
    if "s4nn" in recipes:
        raise UserError("--recipe s4nn: its networks do not run on devices; best and paper can be swept")
    chosen = sweeping.settings(widths, time_steps or [None], recipes, _seed_numbers(seeds, 0))
    loaded = datasets.load(dataset, data_dir)
    with _training_bars(quiet) as on_report:
        try:
            outcomes = sweeping.run(
                loaded, chosen, out, store=store, epochs=epochs, options=option or [], on_report=on_report
            )
        except KeyboardInterrupt:
            progress_console.print(f"stopped; the same command goes on with {out}", highlight=False)
            raise
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
    if as_json:
        _print_json({"folder": str(out), "networks": [dataclasses.asdict(one) for one in outcomes]})
        return
    table = Table(
        title=f"{out}: {dataset}, validation images (*: nothing smaller is as accurate)", title_justify="left"
    )
    for heading in ("", "network", "flash, bytes", "strict", "tie-lenient", "response time", "silent"):
        table.add_column(heading, justify="left" if heading in ("", "network") else "right")
    for one in outcomes:
        shares = (f"{one.strict_accuracy:.2%}", f"{one.tie_lenient_accuracy:.2%}")
        table.add_row(
            "*" if one.best else "",
            one.name,
            f"{one.flash_bytes:,}",
            *shares,
            f"{one.response_time:.2f}",
            f"{one.silent_share:.1%}",
        )
    output.print(table)


def _test_figures(network: Network | RealNetwork, dataset: datasets.Dataset) -> evaluation.Figures:
    """The figures on the test images: a network by the reference, S4NN on the host."""
    if isinstance(network, Network):
        return evaluation.figures(network, reference.run(network, dataset.test_images), dataset.test_labels)
    from bs4nn_tc.host.real import RealHost  # noqa: PLC0415 - needs a C compiler

    labels = dataset.test_labels.astype(np.int32)
    answers = RealHost(network).evaluate(np.ascontiguousarray(dataset.test_images), labels)
    return evaluation.Figures(
        images=len(labels),
        strict_accuracy=float((answers.answer == labels).mean()),
        tie_lenient_accuracy=float(answers.lenient.mean()),
        response_time=float(answers.response_time.mean()),
        silent_share=float((answers.response_time == network.time_steps).mean()),
        spikes_to_decision=float(answers.spikes.mean()),
    )


def _seed_numbers(seeds: str, first: int) -> list[int]:
    """The seeds that --seeds asks for: so many from `first` on, or those of a list."""
    try:
        numbers = [int(part) for part in seeds.split(",")]
    except ValueError:
        numbers = []
    if "," not in seeds and numbers and numbers[0] >= 1:
        return list(range(first, first + numbers[0]))
    if "," not in seeds or not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise UserError(f"--seeds {seeds}: a count of 1 or more is needed, or a list of different seeds such as 0,1,2")
    return numbers


@app.command(epilog="Example: bs4nn-tc experiment all authors.bs4nn --dataset mnist --data-dir data")
def experiment(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="noise, thresholds, spikes, firing-times, confusion, weights, membrane, reconstructed, alpha, "
            "proxies, learning, or all.",
        ),
    ],
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    proxies: Annotated[
        list[Path] | None,
        typer.Option(help="The proxy weights: best-proxies.npz of a run, or one .npy file a layer (repeat)."),
    ] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Folder of a run, for learning curves (repeat).")] = None,
    image: Annotated[int, typer.Option(min=0, help="Test image that membrane looks at.")] = 0,
    out: Annotated[
        Path, typer.Option("-o", "--output", help="The folder for figures (SVG, PNG) and data (CSV).")
    ] = Path("experiments"),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the paper's figures and tables of a network, on the test images."""
    from bs4nn_tc import experiments, figures  # noqa: PLC0415 - need a C compiler, and matplotlib

    if name != "all" and name not in experiments.EXPERIMENTS:
        raise UserError(f"unknown experiment '{name}'; there are {', '.join(experiments.EXPERIMENTS)}, all")
    network = network_file.load(network_path)
    dataset, images, labels = _test_images(dataset, data_dir, None, network)
    if image >= len(images):
        raise UserError(f"--image {image}: {dataset} has {len(images):,} test images")
    loaded = datasets.load(dataset, data_dir)
    material = experiments.Material(
        network,
        images,
        labels,
        loaded.class_names,
        dataset,
        loaded.image_shape,
        importers.load_proxies(proxies, network) if proxies else (),
        tuple(run or []),
        image,
    )
    chosen = list(experiments.EXPERIMENTS) if name == "all" else [name]
    done, left_out = [], []
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with _progress("experiments", len(chosen), quiet) as advance:
        for one in chosen:
            try:
                result = experiments.EXPERIMENTS[one](material)
            except UserError as error:
                if name != "all" or one not in experiments.DEMANDING:
                    raise
                left_out.append(f"left out: {error}" if str(error).startswith(one) else f"left out: {one}: {error}")
                continue
            figures.write_csv(result, out / f"{one}.csv")
            figures.draw(result, out / one)
            done.append(result)
            advance()
    if as_json:
        _print_json({"network": str(network_path), "experiments": [result.as_dict() for result in done]})
        return
    for result in done:
        table = Table(title=f"{result.title} ({network_path.name}, test images of {dataset})", title_justify="left")
        is_matrix = result.kind == "matrix"
        headings = [heading.split()[-1] for heading in result.headings] if is_matrix else list(result.headings)
        for heading in (*headings, *(["the paper"] if result.paper else [])):
            table.add_column(heading, justify="right")
        for index, row in enumerate(result.rows):
            cells = [result.text(value).removesuffix(".0") for value in row]
            table.add_row(*cells, *([result.paper.get(index, "")] if result.paper else []))
        if len(result.rows) <= MOST_ROWS:
            output.print(table)
            if result.note:
                output.print(result.note, highlight=False, markup=False)
    for line in left_out:
        output.print(line, highlight=False, markup=False)
    output.print(f"{out}: figures (SVG, PNG) and data (CSV)", highlight=False)


@app.command(epilog="Example: bs4nn-tc report mnist.bs4nn --data-dir data --board qemu-m0 --board qemu-m4")
def report(
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    board: Annotated[
        list[str] | None, typer.Option(help="Count instructions on this emulated board (repeat for several).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML file to write. [default: NAME.html]")
    ] = None,
) -> None:
    """Write one HTML file about a network: accuracy, costs, behaviour, errors. It stands alone."""
    from bs4nn_tc import report as reporting  # noqa: PLC0415 - needs a C compiler, and matplotlib

    network = network_file.load(network_path)
    dataset, _, _ = _test_images(dataset, data_dir, 1, network)
    counted = [boards.load_board(one) for one in dict.fromkeys(board or [])]
    out = out or Path(f"{network_path.stem}.html")
    with progress_console.status("making the report"):
        reporting.write(network, network_path.name, datasets.load(dataset, data_dir), counted, out)
    output.print(f"{out}: open it in a browser", highlight=False)


def _training_set(path: Path, network: Network, dataset: str | None) -> str:
    """Name of the data set to choose with."""
    dataset = dataset or network.description.get("dataset")
    if dataset is None:
        raise UserError(f"{path} does not say what it was trained on; name it with --dataset")
    return dataset


class Knob(StrEnum):
    """What `tune` moves."""

    OUTPUT = "output"
    ALL = "all"


@app.command(epilog="Example: bs4nn-tc tune mnist.bs4nn --data-dir data --max-steps 5 -o quick.bs4nn")
def tune(
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
    from bs4nn_tc import ordering, tuning  # noqa: PLC0415 - need a C compiler

    network = network_file.load(network_path)
    dataset = _training_set(network_path, network, dataset)
    choosing = any(limit is not None for limit in (max_steps, max_silent, accuracy))
    if out is not None and not choosing:
        raise UserError("which point is to be written? Name --max-steps, --max-silent or --accuracy")
    loaded = datasets.load(dataset, data_dir)
    images, labels = loaded.validation()
    reference.check_images(network, images[:1])
    with _progress("tuning", None, quiet) as advance:
        points = tuning.curve(network, images, labels, knob.value, advance)
    if csv_path is not None:
        tuning.write_csv(points, csv_path)
    chosen = tuning.choose(points, max_steps, max_silent, accuracy) if choosing else None
    test = None
    if chosen is not None and out is not None:
        tuned = tuning.turned(network, knob.value, chosen.setting)
        figures = evaluation.figures(tuned, reference.run(tuned, loaded.test_images), loaded.test_labels)
        test = {key: round(value, 6) for key, value in figures.as_dict().items()}
        facts = {**network.description, "validation": tuning.validation_facts(chosen), "test": test}
        tuned = dataclasses.replace(tuned, description=facts)
        network_file.save(ordering.order_neurons(tuned, loaded.train_images), out)
    if as_json:
        _print_json(
            {
                "network": str(network_path),
                "points": [point.as_dict() for point in points],
                "chosen": None if chosen is None else chosen.as_dict(),
                "output": None if out is None else str(out),
                "test": test,
            }
        )
        return
    table = Table(title=f"{network_path.name}, validation images of {dataset} (* nothing quicker is as good)")
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
    if out is not None and test is not None:
        output.print(f"{out}: strict accuracy on the test images {test['strict_accuracy']:.2%}", highlight=False)


@app.command(epilog="Example: bs4nn-tc reorder imported.bs4nn --dataset mnist --data-dir data")
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
    from bs4nn_tc import ordering  # noqa: PLC0415 - needs a C compiler

    network = network_file.load(network_path)
    dataset = _training_set(network_path, network, dataset)
    images = datasets.load(dataset, data_dir).train_images
    reference.check_images(network, images[:1])
    ordered = ordering.order_neurons(network, images)
    network_file.save(ordered, out or network_path)
    if as_json:
        _print_json({"network": str(out or network_path), "digest": ordered.digest})
    else:
        output.print(f"{out or network_path}: {ordered.shape_text}, digest {ordered.digest[:12]}", highlight=False)


@contextlib.contextmanager
def _training_bars(quiet: bool) -> Iterator[Callable[[training.Report], None]]:
    """One bar over all epochs, with the validation figures of the last one."""
    columns = (TextColumn("training"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=progress_console, disable=quiet) as bars:
        bar = bars.add_task("", total=None)

        def show(report: training.Report) -> None:
            text = f"epoch {report.epoch + 1}/{report.epochs}"
            if report.row is not None:
                images = "validation" if report.held_out else "learned images"
                text += f", {images} {report.row['strict_accuracy']:.2%}, silent {report.row['silent_share']:.1%}"
            bars.update(bar, description=text, total=report.epochs, completed=report.epoch + report.done)

        yield show


@app.command(epilog="Example: bs4nn-tc evaluate digits.bs4nn --dataset digits")
def evaluate(
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    save: Annotated[
        Path | None, typer.Option(help="Write answers, firing times and potentials to this .npz file.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a network on the test images with the Python reference, and print the figures."""
    network = network_file.load(network_path)
    dataset, pixels, labels = _test_images(dataset, data_dir, images, network)
    with _progress("evaluating", len(pixels), quiet) as advance:
        result = reference.run(network, pixels, advance)
    figures = evaluation.figures(network, result, labels)
    if save is not None:
        evaluation.save_result(result, save)
    if as_json:
        _print_json(
            {
                "network": str(network_path),
                "digest": network.digest,
                "dataset": dataset,
                "time_steps": network.time_steps,
                **figures.as_dict(),
            }
        )
    else:
        _table(f"{network_path.name} on the test images of {dataset}", _figure_rows(figures, network))


@app.command(epilog="Example: bs4nn-tc inspect digits.bs4nn")
def inspect(network_path: NetworkArgument, as_json: JsonOption = False) -> None:
    """Show what a network file holds and the exact memory it takes on a board."""
    network = network_file.load(network_path)
    packed = pack.pack(network)
    plan = memory.plan(network, packed, "network")
    if as_json:
        _print_json(
            {
                "digest": network.digest,
                "sizes": list(network.sizes),
                "time_steps": network.time_steps,
                "delay": network.delay,
                "readout_step": network.readout_step,
                "intensity_max": network.intensity_max,
                "synapses": network.synapses,
                "flash_bytes": plan.flash_bytes,
                "ram_bytes": plan.ram_bytes,
                "workspace_bytes": 4 * packed.workspace_words,
                "memory": [{"what": i.what, "memory": i.memory, "bytes": i.bytes} for i in plan.items],
                "description": network.description,
            }
        )
        return
    rows = [
        ("digest", network.digest),
        ("time steps", f"{network.time_steps}, delay {network.delay}, readout at step {network.readout_step}"),
        ("intensities", f"0 .. {network.intensity_max}"),
        ("synapses", f"{network.synapses:,}"),
    ]
    for number, layer in enumerate(network.layers, start=1):
        low, high = int(layer.thresholds.min()), int(layer.thresholds.max())
        positive = float((layer.signs > 0).mean())
        thresholds = f"threshold {low}" if low == high else f"thresholds {low} .. {high}"
        rows.append((f"layer {number}", f"{layer.inputs} -> {layer.neurons}, {thresholds}, {positive:.1%} positive"))
    rows += [(f"{key}", str(value)) for key, value in sorted(network.description.items())]
    _table(f"{network_path.name}: {network.shape_text}", rows)
    rows = [(f"{item.what} ({item.memory})", f"{item.bytes:,}") for item in plan.items]
    rows += [(f"  of the workspace: {what}", f"{size:,}") for what, size in memory.workspace_by_layer(packed)]
    rows += [("flash", f"{plan.flash_bytes:,}"), ("RAM", f"{plan.ram_bytes:,}")]
    _table("bytes on a 32-bit core, without the program", rows)


@app.command(epilog="Example: bs4nn-tc generate digits.bs4nn --board qemu-m4 -o digits-project")
def generate(
    network_path: NetworkArgument,
    board: Annotated[list[str], typer.Option(help="A board to build for (repeat for several); see `boards`.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder to make. [default: NAME-project]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The network's name in C. [default: from the file's name]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a project even if its files were changed.")] = False,
    small: SmallOption = False,
) -> None:
    """Turn a network into a PlatformIO project that stands alone."""
    network = network_file.load(network_path)
    c_name = render.check_name(name) if name is not None else render.name_from_file(network_path.stem)
    chosen = [boards.load_board(board_id) for board_id in dict.fromkeys(board)]
    out = out or Path(f"{c_name}-project")
    made = project.generate(network, c_name, chosen, out, force, small)
    output.print(f"{out}: {c_name} ({network.shape_text}) for native, {', '.join(made.boards)}", highlight=False)
    packed = pack.pack(network)
    for one in chosen:
        most = bound.instructions_at_most(network, one.core, packed, small)
        output.print(
            f"  {one.id}: no image needs more than {most:,} instructions ({bound.steps_at_most(network):,} steps)",
            highlight=False,
        )
    output.print(f"next: bs4nn-tc build {out}", highlight=False)


@app.command("package", epilog="Example: bs4nn-tc package digits.bs4nn -o digits.zip")
def make_package(
    network_path: NetworkArgument,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The folder to make, or a .zip file. [default: NAME-library]"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The network's name in C. [default: from the file's name]")] = None,
    small: SmallOption = False,
) -> None:
    """Turn a network into a library for Arduino, PlatformIO, CMake, Zephyr, ESP-IDF or a plain compiler."""
    network = network_file.load(network_path)
    c_name = render.check_name(name) if name is not None else render.name_from_file(network_path.stem)
    out = out or Path(f"{c_name}-library")
    if out.suffix == ".zip":
        package.write_zip(network, c_name, out, small)
    else:
        package.write_folder(network, c_name, out, small)
    output.print(f"{out}: {c_name} ({network.shape_text}) and the kernel as a library", highlight=False)


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


def _build(made: project.Project, environments: list[str], quiet: bool, verbose: bool = False) -> list[building.Build]:
    builds = []
    with _progress("building", len(environments), quiet) as advance:
        for environment in environments:
            on_line = progress_console.out if verbose else None
            builds += building.build(made, [environment], on_line)
            advance()
    return builds


@app.command(epilog="Example: bs4nn-tc build digits-project")
def build(
    folder: ProjectArgument = _HERE,
    environment: EnvironmentOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what PlatformIO prints.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compile a project with PlatformIO, and check the memory plan against the ELF files."""
    made = project.open_project(folder)
    builds = _build(made, _environments(made, environment), quiet, verbose)
    rows: list[dict[str, Any]] = []
    for result in builds:
        row: dict[str, Any] = {"environment": result.environment, "program": str(result.program)}
        if result.sizes is not None:
            planned = {kind: sum(i.bytes for i in made.items if i.memory == kind) for kind in ("flash", "ram")}
            row |= {
                "flash_bytes": result.sizes.flash,
                "network_flash_bytes": planned["flash"],
                "ram_bytes": result.sizes.ram,
                "network_ram_bytes": planned["ram"],
            }
        rows.append(row)
    if as_json:
        _print_json({"project": str(folder), "builds": rows})
        return
    table = Table(title=f"{made.name}: bytes on the board, equal to the plan", title_justify="left")
    for heading in ("environment", "flash", "of it network", "RAM with stack", "of it network"):
        table.add_column(heading, justify="left" if heading == "environment" else "right")
    for row in rows:
        sizes = [f"{row[key]:,}" if key in row else "-" for key in _SIZE_KEYS]
        table.add_row(row["environment"], *sizes)
    output.print(table)


_SIZE_KEYS = ("flash_bytes", "network_flash_bytes", "ram_bytes", "network_ram_bytes")


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


@app.command(epilog="Example: bs4nn-tc verify digits-project --target emulator --dataset digits")
def verify(
    folder: ProjectArgument = _HERE,
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
    dataset, pixels, _ = _test_images(dataset, data_dir, images, network)
    to_build = [environment for _, environment in plan if environment]
    _build(made, to_build, quiet or not to_build)
    with _progress("reference", len(pixels), quiet) as advance:
        expected = reference.run(network, pixels, advance)
    reports = []
    for kind, environment in plan:
        with contextlib.ExitStack() as stack:
            ports: list[str | None] = [*port] if port and kind is TargetKind.SERIAL else [None]
            opened = [stack.enter_context(_open(kind, made, environment, one)) for one in ports]
            advance = stack.enter_context(_progress(", ".join(one.label for one in opened), len(pixels), quiet))
            reports += verification.verify_several(
                opened, kind.value, network, pixels, expected, not answers_only, advance
            )
    verified = all(report.verified for report in reports)
    if as_json:
        _print_json(
            {
                "project": str(folder),
                "digest": network.digest,
                "dataset": dataset,
                "verified": verified,
                "results": [report.as_dict() for report in reports],
            }
        )
    else:
        table = Table(title=f"{made.name} against the reference", title_justify="left")
        for heading in ("target", "board", "images", "equal", "seconds"):
            table.add_column(heading, justify="left" if heading in ("target", "board") else "right")
        for report in reports:
            table.add_row(
                report.target, report.board, f"{report.images:,}", f"{report.equal:,}", f"{report.seconds:.1f}"
            )
        output.print(table)
        output.print(f"compared: {', '.join(reports[0].compared)}", highlight=False)
    for report in reports:
        if report.first_difference is not None:
            raise VerificationError(f"{report.target} {report.board} differs: {report.first_difference}")


@app.command(epilog="Example: bs4nn-tc emulate digits-project --board qemu-m4 --tcp 4000")
def emulate(
    folder: ProjectArgument = _HERE,
    board: Annotated[str | None, typer.Option(help="An emulated board. [default: the only one of the project]")] = None,
    tcp: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port of 127.0.0.1; 0: any free one.")
    ] = None,
) -> None:
    """Run an emulated board that others reach as a serial port: a pseudo-terminal, or with --tcp a socket."""
    made = project.open_project(folder)
    emulated = [known for known in made.boards if boards.load_board(known).emulator is not None]
    chosen = board or (emulated[0] if len(emulated) == 1 else None)
    if chosen is None or chosen not in emulated:
        raise UserError(f"choose an emulated board of {folder} with --board (there: {', '.join(emulated) or 'none'})")
    building.flash(made, chosen)
    firmware = building.flashed_path(made, chosen)

    def ready(url: str) -> None:
        print(url, flush=True)
        progress_console.print(f"{chosen} runs; e.g. bs4nn-tc verify {folder} --target serial --port {url}")

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
        name, _, _ = _test_images(dataset, data_dir, None, network)
        return datasets.load(name, data_dir)
    except UserError as error:
        if dataset is not None or data_dir is not None:
            raise
        progress_console.print(f"no test images: {error}", markup=False, highlight=False, soft_wrap=True)
        return None


@app.command(epilog="Example: bs4nn-tc live mnist.bs4nn --target emulator --board qemu-m0 --data-dir data")
def live(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[NETWORK|DIR]",
            show_default=False,
            help="A network file, or a folder that `generate` made. [default: the folder here]",
        ),
    ] = _HERE,
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
        from bs4nn_tc.live import runner, server, session  # noqa: PLC0415 - the extra `live`
    except ImportError as error:
        missing = f"{error.name} is not installed; install it with: pip install 'bs4nn-tc[live]'"
        raise MissingToolError(missing) from error

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
            progress_console.print(f"{told}; Ctrl-C ends it", markup=False, highlight=False, soft_wrap=True)
            print(url, flush=True)

        server.serve(opened, known, listener, ready)


@app.command(epilog="Example: bs4nn-tc profile digits-project --port /dev/ttyACM0")
def profile(
    folder: ProjectArgument = _HERE,
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
    dataset, pixels, _ = _test_images(dataset, data_dir, images, made.network)
    with open_serial(port) as target:
        target.expect(made.network)
        name = target.identity.board
        ticks = []
        with _progress(target.label, len(pixels), quiet) as advance:
            for image in pixels:
                ticks.append(target.profile(image)[1])
                advance()
    counted = np.array(ticks)
    if not counted.any():
        raise UserError(f"{name} has no counter of its clock, or does not count")
    known = boards.find_board(name)
    clock = known.f_cpu if known else None
    row: dict[str, Any] = {
        "board": name,
        "images": len(counted),
        "ticks_mean": float(counted.mean()),
        "ticks_p99": int(np.quantile(counted, 0.99, method="higher")),
        "ticks_max": int(counted.max()),
        "clock_hz": clock,
        "microseconds_mean": None if clock is None else float(counted.mean()) * 1e6 / clock,
    }
    if as_json:
        _print_json(row)
        return
    rows = [("images", f"{row['images']:,}"), ("ticks, mean", f"{row['ticks_mean']:,.0f}")]
    rows += [("ticks, 99 %", f"{row['ticks_p99']:,}"), ("ticks, largest", f"{row['ticks_max']:,}")]
    if clock is not None:
        rows.append((f"microseconds at {clock / 1e6:g} MHz, mean", f"{row['microseconds_mean']:,.1f}"))
    _table(f"{made.name} on {name}, by its own clock", rows)
    if known is not None and known.emulator is not None:
        output.print("QEMU's clock is not the core's; bs4nn-tc bench counts instructions there.", highlight=False)


@app.command(epilog="Example: bs4nn-tc monitor --port /dev/ttyACM0")
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
            highlight=False,
        )
        for text in target.listen():
            print(text, end="", flush=True)


@app.command(epilog="Example: bs4nn-tc bench digits.bs4nn --board qemu-m0 --board qemu-m4")
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
    dataset, pixels, labels = _test_images(dataset, data_dir, images, network)
    costs = []
    for chosen in [boards.load_board(board_id) for board_id in dict.fromkeys(board)]:
        with _progress(chosen.id, len(pixels), quiet) as advance:
            costs.append(benchmark.measure(network, chosen, pixels, labels, advance, kernel))
    if csv_path is not None:
        benchmark.write_csv(costs, csv_path)
    if as_json:
        _print_json(
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
        highlight=False,
    )


@app.command(epilog="Example: bs4nn-tc flash digits-project --board nucleo_f401re")
def flash(
    folder: ProjectArgument = _HERE,
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
    building.flash(made, chosen, port, progress_console.out if verbose else None)
    output.print(f"{chosen}: flashed. Next: bs4nn-tc verify {folder} --target serial", highlight=False)


@app.command("boards", epilog="Example: bs4nn-tc boards --json")
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
        _print_json(
            {
                "boards": [
                    {
                        "id": board.id,
                        "name": board.name,
                        "kind": board.kind,
                        "core": board.core,
                        "clock_hz": board.f_cpu,
                        "flash_bytes": board.flash_bytes,
                        "ram_bytes": board.ram_bytes,
                    }
                    for board in known
                ]
            }
        )
        return
    table = Table(title="boards", title_justify="left")
    for heading in ("--board", "name", "core", "clock", "flash", "RAM"):
        right = heading in ("clock", "flash", "RAM")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading != "name")
    for board in known:
        table.add_row(
            board.id,
            board.name,
            board.core,
            f"{board.f_cpu / 1e6:g} MHz",
            f"{board.flash_bytes // 1024:,} KiB",
            f"{board.ram_bytes // 1024:,} KiB",
        )
    output.print(table)


@app.command("doctor", epilog="Example: bs4nn-tc doctor")
def show_doctor(as_json: JsonOption = False) -> None:
    """Say what is installed, what is missing, and how to get it."""
    findings = doctor.examine()
    if as_json:
        _print_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        table = Table(title="what this machine has", title_justify="left")
        for heading in ("", "what", "found", "for"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            mark = "[green]ok[/]" if finding.found else ("[red]missing[/]" if finding.needed else "[yellow]optional[/]")
            table.add_row(mark, finding.what, finding.found or finding.remedy, finding.purpose)
        output.print(table)
    if any(finding.needed and not finding.found for finding in findings):
        raise typer.Exit(3)
