"""Experiments as figures (SVG and PNG) and as CSV. Needs matplotlib: the extra `report`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.study.experiments import Experiment

# Lines of more points than that have no marks.
MOST_MARKS = 40
# Classes or neurons that are named one by one: in a legend, on an axis, by numbers in their cells. Of more, axes name
# some, and the CSV has all: hundreds of texts are neither read nor drawn in time.
MOST_NAMES = 40


def write_csv(experiment: Experiment, path: Path) -> None:
    """Write the numbers.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(experiment.headings)
    for row in experiment.rows:  # nan: there is no such figure
        writer.writerow([value if isinstance(value, str) else f"{value:g}".replace("nan", "") for value in row])
    write_atomically(path, text.getvalue().encode())


def draw(experiment: Experiment, path: Path) -> None:
    """Write `path` with the suffixes .svg and .png.

    Raises:
        MissingToolError: matplotlib is not installed.
        UserError: the disk is full or the folder cannot be written.
    """
    for kind in ("svg", "png"):
        write_atomically(path.with_suffix(f".{kind}"), render(experiment, kind))


def render(experiment: Experiment, kind: str) -> bytes:
    """The figure as the content of an "svg" or "png" file; the same figure gives the same bytes.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise MissingToolError(remedies.not_installed("matplotlib")) from error
    mpl.rcParams["svg.hashsalt"] = "bs4nn-tc"
    mpl.rcParams["text.parse_math"] = False  # names of classes and data sets are no formulas
    drawn = {"lines": _lines, "bars": _bars, "matrix": _matrix}.get(experiment.kind)
    count = len(experiment.pictures)
    columns = min(8, count) if drawn is None else count
    rows = -(-count // columns) if count else 0
    figure = Figure(figsize=(8, (5 if drawn else 0) + 1.25 * rows), layout="constrained")
    figure.suptitle(printable(experiment.title, 120))
    above: Any = figure
    if drawn is not None:
        below: Any = figure
        if count:
            parts: Any = figure.subfigures(2, 1, height_ratios=(1.25 * rows, 5))
            above, below = parts
        drawn(experiment, below.add_subplot())
    for number, picture in enumerate(experiment.pictures, start=1):
        axes = above.add_subplot(rows, columns, number)
        limit = float(np.abs(picture.values).max()) or 1.0
        lowest, colours = (-limit, "PuOr") if picture.signed else (0.0, "gray")
        axes.imshow(picture.values, vmin=lowest, vmax=limit, cmap=colours)
        axes.set_axis_off()
        axes.set_title(picture.title, fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return content.getvalue()


def _columns(experiment: Experiment) -> np.ndarray[Any, Any]:
    return np.array([[float(value) for value in row[1:]] for row in experiment.rows])


def _lines(experiment: Experiment, axes: Any) -> None:
    across = [float(row[0]) for row in experiment.rows]
    values = _columns(experiment)
    right = axes.twinx() if any(heading.endswith("steps") for heading in experiment.headings[1:]) else axes
    mark = "o" if len(across) <= MOST_MARKS else ""
    for column, heading in enumerate(experiment.headings[1:]):
        is_time = heading.endswith("steps")
        (right if is_time else axes).plot(
            across, values[:, column], f"{mark and 's'}--" if is_time else f"{mark}-", color=f"C{column}", label=heading
        )
    axes.set_xlabel(experiment.headings[0])
    axes.set_ylabel(experiment.axis)
    _levels(experiment, axes)
    if right is not axes:
        right.set_ylabel("response time, steps")
    if values.shape[1] <= MOST_NAMES:
        axes.figure.legend(loc="outside lower center", ncols=5 if values.shape[1] > 6 else 3)


def _levels(experiment: Experiment, axes: Any) -> None:
    each = len(experiment.levels) > 1
    for column, level in enumerate(experiment.levels):
        label = "threshold" if not each else "thresholds, each in the colour of its neuron" if column == 0 else None
        axes.axhline(level, color=f"C{column}" if each else "black", linestyle=":", linewidth=1, label=label)


def _some(names: list[str]) -> tuple[list[int], list[str]]:
    """Places of names on an axis, and the names: all, or every so many."""
    every = -(-len(names) // MOST_NAMES)
    return list(range(0, len(names), every)), names[::every]


def _bars(experiment: Experiment, axes: Any) -> None:
    values = _columns(experiment)
    width = 0.8 / values.shape[1]
    places = np.arange(len(experiment.rows))
    for column, heading in enumerate(experiment.headings[1:]):
        axes.bar(places + (column - (values.shape[1] - 1) / 2) * width, values[:, column], width, label=heading)
    named, names = _some([str(row[0]) for row in experiment.rows])
    axes.set_xticks(named, names, rotation=0 if len(places) <= 10 else 45)
    axes.figure.legend(loc="outside lower center", ncols=3)


def _matrix(experiment: Experiment, axes: Any) -> None:
    values = _columns(experiment)
    shown = axes.imshow(values, cmap="viridis")
    middle = (values.min() + values.max()) / 2
    for row in range(values.shape[0] if max(values.shape) <= MOST_NAMES else 0):
        for column in range(values.shape[1]):
            colour = "white" if values[row, column] < middle else "black"
            text = experiment.text(float(values[row, column]))
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(*_some([heading.split()[-1] for heading in experiment.headings[1:]]))
    axes.set_yticks(*_some([str(row[0]) for row in experiment.rows]))
    axes.set_xlabel(experiment.headings[1].split()[0])
    axes.set_ylabel("class")
    axes.figure.colorbar(shown)
