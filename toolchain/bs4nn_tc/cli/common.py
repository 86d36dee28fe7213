"""What the verbs share: the program they belong to, options, bars, tables, and whose images are meant."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

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
from rich.text import Text

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable, printable_lines
from bs4nn_tc.data import datasets
from bs4nn_tc.device.kernels import KERNELS, Kernel
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network

app = typer.Typer(
    help="Binarized spiking neural networks, from an image data set to a microcontroller, verified bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit status: 0 done, 1 a target differs from the reference, 2 bad input, 3 something is not installed, "
    "4 a build or target failed, 5 `train` has written a network that fails (see its --help), 130 interrupted.",
)

# Panels of --help, one for each kind of verb.
GET, LOOK = "Get a network", "Look at it"
DEPLOY, RUN = "Put it on a board", "See that it computes the same, and what it takes"


class PlainConsole(Console):
    """A console for which every text is data: no markup, no emoji codes, no control codes. Styles come as `Text`."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Where every text passes that is printed, or lies in a cell of a table: one line."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print tables as wide as the terminal; but never a line break inside a text, where somebody may copy it."""
        super().print(*objects, **{"soft_wrap": all(isinstance(one, str) for one in objects), **options})

    def print_foreign(self, text: str, end: str = "\n") -> None:
        """Print what another program or a board says: its line ends and tabs stay, its control codes are shown."""
        super().print(Text(printable_lines(text.expandtabs())), end=end, soft_wrap=True)


# Results go to standard output, everything for people who watch to standard error.
output = PlainConsole()
progress_console = PlainConsole(stderr=True)

NetworkArgument = Annotated[Path, typer.Argument(metavar="NETWORK", help="A network file (.bs4nn).")]
ProjectArgument = Annotated[
    Path, typer.Argument(metavar="[DIR]", show_default=False, help="A folder that `generate` made. [default: here]")
]
HERE = Path()
DatasetOption = Annotated[
    str,
    typer.Option(
        help="mnist, fashion-mnist, digits, an IDX folder, or a folder of images by class; smaller with a size after "
        "its name, e.g. mnist-14x14."
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="ROWSxCOLUMNS",
        help="Smaller images: every k by k pixels become one, in the network, too. `--dataset mnist --size 14x14` is "
        "mnist-14x14.",
    ),
]
TestDatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="As for `train`. [default: what the network was trained on]")
]
DataDirOption = Annotated[
    Path | None, typer.Option(help="Where MNIST and Fashion-MNIST lie, in torchvision's layout. [default: data]")
]
ImagesOption = Annotated[int | None, typer.Option(min=1, help="Only the first N test images.")]
PortOption = Annotated[
    str | None, typer.Option(help="Serial port, socket:// or rfc2217:// URL. [default: the only board there is]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


def _kernel_or_auto(text: str) -> Kernel | None:
    """What `--kernel` takes: the name of one, or auto, which is None."""
    if text != "auto" and text not in KERNELS:
        raise typer.BadParameter(f"'{printable(text, 80)}' is none of auto, {', '.join(KERNELS)}")
    return KERNELS.get(text)


KernelOption = Annotated[
    Kernel | None,
    typer.Option(
        parser=_kernel_or_auto,
        metavar=f"[{'|'.join(['auto', *KERNELS])}]",
        show_default=False,
        help=f"{'; '.join(f'{kernel.name}: {kernel.character}' for kernel in KERNELS.values())}; auto: the first with "
        "which the network fits the board. [default: auto]",
    ),
]


@contextlib.contextmanager
def progress_bar(text: str, total: int | None, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error; yields the function that moves it by one."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=progress_console, disable=quiet) as bars:
        bar = bars.add_task(printable(text), total=total)
        yield lambda: bars.advance(bar)


def print_json(value: dict[str, Any]) -> None:
    """The result of a verb with --json: what every reader of JSON takes, so no NaN, and no half characters."""
    print(json.dumps(_strict(value), indent=2, allow_nan=False))


def _strict(value: Any) -> Any:
    """The same without numbers that are not finite (null), and with bytes of file names that are no UTF-8 escaped."""
    if isinstance(value, dict):
        return {_strict(key): _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def warn(texts: list[str]) -> None:
    """Loud lines on standard error, one each; for programs they are in the JSON."""
    for text in texts:
        progress_console.print(Text("warning: ", style="bold yellow").append(printable(text)), soft_wrap=True)


def print_table(title: str, rows: list[tuple[str, str]]) -> None:
    """What is what: names on the left, values on the right."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    output.print(table)


def load_dataset(
    name: str, data_dir: Path | None, network: Network | None = None, reading: datasets.Reading | None = None
) -> datasets.Dataset:
    """A data set, as `network` takes its images if one is given; what whoever uses it should know is printed.

    Args:
        name: as for `datasets.load`.
        data_dir: as for `datasets.load`.
        network: what the images are for; they are read as those that it has learned.
        reading: how they are read where there is no network.

    Raises:
        UserError: no such data set, or images that the network does not take.
    """
    if network is not None and network.data is not None:
        reading = datasets.Reading.from_json(network.data.reading)
    loaded = datasets.load(name, data_dir, reading, prepared=network is None)
    for note in loaded.notes:
        progress_console.print(f"note: {note}")
    if network is not None:
        known = network.data
        if known is not None and known.name == loaded.name and known.split not in (None, loaded.split_digest):
            warn([f"{loaded.name} has changed since the network learned it: figures need not be those of its file"])
        loaded = loaded.for_network(network)
        reference.check_images(network, loaded.test_images)
    return loaded


def dataset_of(network: Network, dataset: str | None) -> str:
    """Name of the data set that a user gave, or else of the one that a network was trained on.

    Raises:
        UserError: the network does not say, or what it says is not on this machine.
    """
    if dataset is not None:
        return dataset
    if network.data is None:
        raise UserError("the network does not say what it was trained on; name the images with --dataset")
    name = network.data.name
    if not datasets.is_here(name):
        raise UserError(f"the network was trained on '{name}', which is not here; name the images with --dataset")
    return name


def fitting_dataset(dataset: str | None, data_dir: Path | None, network: Network) -> tuple[str, datasets.Dataset]:
    """A data set to test `network` with, and the name it goes by; None takes what the network was trained on.

    Raises:
        UserError: it does not say, or the images or classes do not fit it.
    """
    dataset = dataset_of(network, dataset)
    loaded = load_dataset(dataset, data_dir, network)
    if len(loaded.class_names) > network.outputs:
        raise UserError(
            f"{dataset} has {len(loaded.class_names)} classes, but the network has {network.outputs} output neurons"
        )
    return dataset, loaded


def test_images(
    dataset: str | None, data_dir: Path | None, count: int | None, network: Network
) -> tuple[str, NDArray[np.uint8], NDArray[Any]]:
    """Name of a data set, and images and labels of it to test `network` with, see `fitting_dataset`."""
    name, loaded = fitting_dataset(dataset, data_dir, network)
    return name, loaded.test_images[:count], loaded.test_labels[:count]
