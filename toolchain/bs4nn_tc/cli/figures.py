"""How figures are shown: rows with their interval, confusions that fit a terminal, and the same for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from bs4nn_tc.base.text import printable
from bs4nn_tc.cli.common import output, print_table
from bs4nn_tc.model.confusion import Confusion
from bs4nn_tc.model.evaluation import Figures
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.model.statistics import wilson

if TYPE_CHECKING:
    from bs4nn_tc.cli import resuming
    from bs4nn_tc.training import publish

# A matrix is shown where its lines are no longer than this; its names are cut.
COLUMNS, NAME_LENGTH = 80, 24
WORST_SHOWN = 10
# Larger matrices are left out of the JSON: 300 classes are 90,000 numbers.
MOST_CLASSES = 40


def share_text(share: float, images: int) -> str:
    """A share of so many images with its 95 % interval."""
    low, high = wilson(share, images)
    return f"{share:.2%} ({100 * low:.1f} to {100 * high:.1f})"


def figure_rows(figures: Figures, network: Network | RealNetwork, uneven: bool) -> list[tuple[str, str]]:
    """Figures as rows of `print_table`.

    Args:
        figures: on some images.
        network: whose they are.
        uneven: of some classes there are many more images than of others.
    """
    balanced = [("balanced accuracy", f"{figures.balanced_accuracy:.2%}")] if uneven else []
    return [
        ("images", f"{figures.images:,}"),
        ("strict accuracy (95 % interval)", share_text(figures.strict_accuracy, figures.images)),
        *balanced,
        ("tie-lenient accuracy", f"{figures.tie_lenient_accuracy:.2%}"),
        ("response time", f"{figures.response_time:.2f} of {network.time_steps} steps"),
        ("silent share", f"{figures.silent_share:.2%}"),
        ("spikes to decision", f"{figures.spikes_to_decision:.1f}"),
    ]


def details(figures: Figures, confusion: Confusion, names: Sequence[str]) -> dict[str, Any]:
    """What --json has besides the figures themselves: the interval, and what was taken for what."""
    return {
        "strict_accuracy_interval": list(figures.interval),
        "confusion": confusion.matrix.tolist() if confusion.classes <= MOST_CLASSES else None,
        "worst_confusions": [
            {"class": names[label], "answer": names[answer], "images": count}
            for label, answer, count in confusion.worst(WORST_SHOWN)
        ],
    }


def print_confusion(confusion: Confusion, names: Sequence[str]) -> None:
    """The matrix, or, where that is too wide, the commonest mistakes."""
    shown = [printable(name, NAME_LENGTH) for name in names]
    matrix = confusion.matrix if confusion.classes <= MOST_CLASSES else None
    if matrix is not None:
        numbers = [str(number) for number in range(len(names))]
        cells = [[str(count) if count else "." for count in row] for row in matrix.tolist()]
        widths = [max(map(len, column)) for column in zip(numbers, *cells, strict=True)]
        heads = [f"{number} {name}" for number, name in zip(numbers, shown, strict=True)]
        if max(map(len, heads)) + sum(width + 2 for width in widths) <= COLUMNS:
            output.print("classes in rows, answers in columns:")
            table = _plain("", *numbers)
            for head, row in zip(heads, cells, strict=True):
                table.add_row(head, *row)
            output.print(table)
            return
    output.print("the commonest mistakes:")
    table = _plain("class", "answer", "images")
    for label, answer, count in confusion.worst(WORST_SHOWN):
        table.add_row(shown[label], shown[answer], f"{count:,}")
    output.print(table)


def _plain(first: str, *others: str) -> Table:
    """A table without lines; text on the left, numbers on the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, no_wrap=True, justify="left" if heading == "answer" else "right")
    return table


def published_facts(published: publish.Published, asked: resuming.Asked, folder: Path) -> dict[str, Any]:
    """What `train --json` says of a published network."""
    network, eight_bit = published.network, published.eight_bit
    own = {"digest": network.digest} if isinstance(network, Network) else {}
    return {
        "network": str(asked.file),
        **own,
        **({} if eight_bit is None else {"test_8bit": eight_bit.as_dict()}),
        "run": str(folder),
        "best_epoch": published.result.best_epoch + 1,
        "validation": published.result.validation,
        "training": published.result.learned.as_dict(),
        "test": published.tested.figures.as_dict(),
        "test_details": details(published.tested.figures, published.tested.confusion, published.class_names),
        "seeds": asked.seeds,
        "test_by_seed": [one.figures.as_dict() for one in published.of_seeds],
        "test_over_seeds": published.spread,
        "warnings": [finding.text for finding in published.findings],
        "failed": [finding.kind for finding in published.findings if finding.fails],
    }


def show_published(published: publish.Published, asked: resuming.Asked, folder: Path) -> None:
    """Print what `train` has come to: figures on the test images, of each seed where there are several."""
    network, eight_bit, tested = published.network, published.eight_bit, published.tested
    uneven = tested.confusion.is_uneven
    title = f"{asked.file}: {network.shape_text}, test images of {asked.dataset}"
    print_table(title, figure_rows(tested.figures, network, uneven))
    if uneven:
        print_confusion(tested.confusion, published.class_names)
    if eight_bit is not None:
        lenient, strict = eight_bit.tie_lenient_accuracy, eight_bit.strict_accuracy
        output.print(f"with weights of 8 bits: {lenient:.2%} tie-lenient, {strict:.2%} strict")
    if len(asked.seeds) > 1:
        _show_seeds(published, asked)
        print_table(
            f"{len(asked.seeds)} seeds, test images: mean and standard deviation",
            [(what, f"{one['mean']:.4f} +- {one['deviation']:.4f}") for what, one in published.spread.items()],
        )
    output.print(f"run: {folder}")


def _show_seeds(published: publish.Published, asked: resuming.Asked) -> None:
    table = Table(title="test images, by seed (* is written)", title_justify="left")
    for heading in ("", "seed", "strict (95 % interval)", "balanced", "silent", "found"):
        table.add_column(heading, justify="left" if heading in ("", "found") else "right")
    for seed, one in zip(asked.seeds, published.of_seeds, strict=True):
        chosen = "*" if one is published.tested else ""
        balanced, silent = one.figures.balanced_accuracy, one.figures.silent_share
        strict = share_text(one.figures.strict_accuracy, one.figures.images)
        found = ", ".join(finding.word for finding in one.judged)
        table.add_row(chosen, str(seed), strict, f"{balanced:.2%}", f"{silent:.1%}", found)
    output.print(table)
