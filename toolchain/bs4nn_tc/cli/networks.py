"""Verbs that make a network file of weights, or tell what is in one and what it does."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import check_target, disk_errors
from bs4nn_tc.cli.common import (
    GET,
    LOOK,
    DataDirOption,
    ImagesOption,
    JsonOption,
    NetworkArgument,
    QuietOption,
    TestDatasetOption,
    app,
    fitting_dataset,
    output,
    print_json,
    print_table,
    progress_bar,
    progress_console,
    test_images,
    warn,
)
from bs4nn_tc.cli.figures import details, figure_rows, print_confusion
from bs4nn_tc.device import boards
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model import evaluation, importers, judgement, network_file, reference
from bs4nn_tc.model.confusion import Confusion
from bs4nn_tc.model.provenance import Scaling

if TYPE_CHECKING:
    from bs4nn_tc.study import experiments


class Rules(StrEnum):
    """Whose rules imported weights follow."""

    PAPER = "paper"
    AUTHORS = "authors"


@app.command(
    "import",
    epilog="Example: bs4nn-tc import W0.npy W1.npy --theta 100 --alpha 4 --alpha 9 -o my.bs4nn",
    rich_help_panel=GET,
)
def import_weights(  # noqa: PLR0913 - one parameter an option of the command line
    weights: Annotated[
        list[Path],
        typer.Argument(
            help="One .npy file a layer, (neurons, inputs) as PyTorch has it; Keras' (inputs, neurons) with "
            "--transpose. Only the signs are used."
        ),
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
    transpose: Annotated[
        bool | None,
        typer.Option("--transpose/--no-transpose", help="The files hold (inputs, neurons), as Keras does."),
    ] = None,
) -> None:
    """Make a network file of other people's weights."""
    signs = [importers.load_weights(path, bool(transpose)) for path in weights]
    hint = importers.check_orientation(signs, transpose)
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
        },
    )
    if theta is not None:
        network = dataclasses.replace(network, scaling=Scaling(theta, tuple(alpha or ())))
    network_file.save(network, out)
    output.print(f"{out}: {network.shape_text}, digest {network.digest[:12]}")
    if hint is not None:
        progress_console.print(f"note: {hint}")


# Longer tables are in the CSV file only.
MOST_ROWS = 60


@app.command(epilog="Example: bs4nn-tc evaluate digits.bs4nn --dataset digits", rich_help_panel=LOOK)
def evaluate(  # noqa: PLR0913 - one parameter an option of the command line
    network_path: NetworkArgument,
    dataset: TestDatasetOption = None,
    data_dir: DataDirOption = None,
    images: ImagesOption = None,
    save: Annotated[
        Path | None, typer.Option(help="Write answers, firing times and potentials to this .npz file.")
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="By the C kernel of devices, on this computer: tens of times as fast; needs a compiler."
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a network on the test images with the Python reference, and print the figures."""
    if save is not None:
        check_target(save)
    network = network_file.load(network_path)
    dataset, pixels, labels = test_images(dataset, data_dir, images, network)
    if fast:
        result = Kernel(network).trace(pixels)
    else:
        with progress_bar("evaluating", len(pixels), quiet) as advance:
            result = reference.run(network, pixels, advance)
    figures = evaluation.figures(network, result, labels)
    silent = result.response_time == network.time_steps
    judged = judgement.judge(result.answer, labels, silent, network.class_labels)
    confusion = Confusion(labels, result.answer, network.outputs)
    warnings = [finding.text for finding in judgement.told({f"test images of {dataset}": judged})]
    if save is not None:
        evaluation.save_result(result, save)
    warn(warnings)
    if as_json:
        print_json(
            {
                "network": str(network_path),
                "digest": network.digest,
                "dataset": dataset,
                "time_steps": network.time_steps,
                **figures.as_dict(),
                **details(figures, confusion, network.class_labels),
                "warnings": warnings,
            }
        )
    else:
        uneven = confusion.is_uneven
        print_table(f"{network_path.name} on the test images of {dataset}", figure_rows(figures, network, uneven))
        if uneven:
            print_confusion(confusion, network.class_labels)


@app.command(
    epilog="Example: bs4nn-tc experiment authors.bs4nn noise confusion --dataset mnist --data-dir data",
    rich_help_panel=LOOK,
)
def experiment(  # noqa: PLR0913 - one parameter an option of the command line
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK [NAME]...",
            help="A network file (.bs4nn), and what to make: noise, thresholds, spikes, firing-times, confusion, "
            "weights, membrane, reconstructed, alpha, proxies, learning, or all.  [default: all]",
            show_default=False,
        ),
    ],
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
    from bs4nn_tc.study import experiments  # noqa: PLC0415 - needs a C compiler

    network_path, names = _network_and_names(words, [*experiments.EXPERIMENTS, "all"])
    network = network_file.load(network_path)
    dataset, loaded = fitting_dataset(dataset, data_dir, network)
    if image >= len(loaded.test_images):
        raise UserError(f"--image {image}: {dataset} has {len(loaded.test_images):,} test images")
    material = experiments.Material(
        network,
        loaded.test_images,
        loaded.test_labels,
        loaded.class_names,
        dataset,
        loaded.picture,
        importers.load_proxies(proxies, network) if proxies else (),
        tuple(run or []),
        image,
    )
    done, left_out = _make_experiments(names, material, out, quiet)
    if as_json:
        print_json({"network": str(network_path), "experiments": [result.as_dict() for result in done]})
        return
    for result in done:
        _show_experiment(result, f"{result.title} ({network_path.name}, test images of {dataset})")
    for line in left_out:
        output.print(line)
    output.print(f"{out}: figures (SVG, PNG) and data (CSV)")


def _make_experiments(
    names: list[str], material: experiments.Material, out: Path, quiet: bool
) -> tuple[list[experiments.Experiment], list[str]]:
    """Make them, with their files; of all, those that lack what they need are left out, and a line says why."""
    from bs4nn_tc.pages import figures  # noqa: PLC0415 - need a C compiler, and matplotlib
    from bs4nn_tc.study import experiments  # noqa: PLC0415 - need a C compiler, and matplotlib

    everything = "all" in names
    chosen = list(experiments.EXPERIMENTS) if everything else names
    done, left_out = [], []
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with progress_bar("experiments", len(chosen), quiet) as advance:
        for one in chosen:
            try:
                result = experiments.EXPERIMENTS[one](material)
            except UserError as error:
                if not everything or one not in experiments.DEMANDING:
                    raise
                left_out.append(f"left out: {error}" if str(error).startswith(one) else f"left out: {one}: {error}")
                continue
            figures.write_csv(result, out / f"{one}.csv")
            figures.draw(result, out / one)
            done.append(result)
            advance()
    return done, left_out


def _show_experiment(result: experiments.Experiment, title: str) -> None:
    """Print its table, if that is short, with the paper's numbers beside it."""
    if len(result.rows) > MOST_ROWS:
        return
    table = Table(title=title, title_justify="left")
    is_matrix = result.kind == "matrix"
    headings = [heading.split()[-1] for heading in result.headings] if is_matrix else list(result.headings)
    for heading in (*headings, *(["the paper"] if result.paper else [])):
        table.add_column(heading, justify="right")
    for index, row in enumerate(result.rows):
        cells = [result.text(value).removesuffix(".0") for value in row]
        table.add_row(*cells, *([result.paper.get(index, "")] if result.paper else []))
    output.print(table)
    if result.note:
        output.print(result.note)


def _network_and_names(words: list[str], known: list[str]) -> tuple[Path, list[str]]:
    """The one word that is a network file, and the names of experiments, each once; "all" where there are none.

    A word that is a name and no file is a name, and the other way round, in whatever order. A file that is called as an
    experiment is the network if no other word can be, and else where it stands first.

    Raises:
        UserError: no network, several, or a word that is neither file nor name.
    """
    others = [word for word in words if word not in known]
    files = [word for word in others or words if Path(word).exists()] or list(others)
    if not files:
        raise UserError(f"which network? name its file before {' '.join(words)}")
    if others:
        others.remove(files[0])
    for word in others:
        if not Path(word).exists():
            raise UserError(f"unknown experiment '{word}'; there are {', '.join(known)}")
    if others:
        raise UserError(f"{files[0]} and {others[0]}: one network at a time")
    names = list(words)
    names.remove(files[0])
    return Path(files[0]), list(dict.fromkeys(names)) or ["all"]


@app.command(
    epilog="Example: bs4nn-tc report mnist.bs4nn --data-dir data --board qemu-m0 --board qemu-m4", rich_help_panel=LOOK
)
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
    from bs4nn_tc.pages import report as reporting  # noqa: PLC0415 - needs a C compiler, and matplotlib

    out = out or Path(f"{network_path.stem}.html")
    check_target(out)
    network = network_file.load(network_path)
    _, loaded = fitting_dataset(dataset, data_dir, network)
    counted = [boards.load_board(one) for one in dict.fromkeys(board or [])]
    with progress_console.status("making the report"):
        reporting.write(network, network_path.name, loaded, counted, out)
    output.print(f"{out}: open it in a browser")
