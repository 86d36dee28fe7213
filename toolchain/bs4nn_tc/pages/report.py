"""One HTML file about a network: accuracy, costs, behaviour, errors, and how to get every number again.

The file stands alone: pictures are inside it, nothing is loaded. Needs matplotlib: the extra `report`.
"""

from __future__ import annotations

import base64
import io
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bs4nn_tc
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import memory, names, pack, render
from bs4nn_tc.device.kernels import FAST
from bs4nn_tc.model import evaluation, judgement, reference
from bs4nn_tc.model.confusion import Confusion
from bs4nn_tc.model.network import Network
from bs4nn_tc.pages import figures, replay
from bs4nn_tc.study import bench, experiments
from bs4nn_tc.targets import Trace

WRONG_SHOWN = 24
# Of so many classes one image that is answered right can be replayed, and so many that are not.
RIGHT_REPLAYED, WRONG_REPLAYED = 30, 5
# Longer tables are in the CSV of `experiment` only: 300 classes make matrices of 90,000 cells.
MOST_CELLS = 5_000
BENCH_IMAGES = 100


def _picture(pixels: NDArray[np.uint8], shape: tuple[int, int], intensity_max: int) -> str:
    """(pixels,) as a PNG in base64."""
    from matplotlib.image import imsave  # noqa: PLC0415 - an extra

    content = io.BytesIO()
    imsave(content, pixels.reshape(shape), cmap="gray", vmin=0, vmax=intensity_max, format="png")
    return base64.b64encode(content.getvalue()).decode()


def _fitting(network: Network, plan: memory.Plan) -> list[tuple[boards.Board, str]]:
    rows = []
    for board in boards.list_boards():
        kernel = memory.choose_kernel(plan, [board])
        lacking = " and ".join(f"{count:,} of {what}" for what, count in memory.lacking(plan, board, kernel).items())
        fits = "yes" if kernel is FAST else f"yes, with the {kernel.name} kernel"
        rows.append((board, f"no: {lacking} too few" if lacking else fits))
    return rows


def write(network: Network, file_name: str, dataset: Dataset, counted: list[boards.Board], path: Path) -> None:
    """Write the report.

    Args:
        network: the network.
        file_name: of its file, for the commands.
        dataset: whose test images it runs on.
        counted: emulated boards on which instructions are counted.
        path: the HTML file.

    Raises:
        MissingToolError: matplotlib, a compiler or QEMU is not installed.
        UserError: the disk is full or the folder cannot be written.
    """
    name = Path(file_name).stem
    packed = pack.pack(network)
    try:
        plan = memory.plan(network, packed, names.name_from_file(name))
    except UserError:  # `generate` will ask for a name; a report does without
        plan = memory.plan(network, packed, "network")
    result = reference.run(network, dataset.test_images)
    images, labels = dataset.test_images, dataset.test_labels
    material = experiments.Material(network, images, labels, dataset.class_names, dataset.name, dataset.picture)
    errors = np.flatnonzero(result.answer != labels)
    class_names = [_class_name(dataset, answer) for answer in range(network.outputs)]
    text = (
        render.environment()
        .get_template("report.html.j2")
        .render(
            name=printable(name),
            version=bs4nn_tc.__version__,
            network=network,
            dataset=printable(dataset.name),
            thresholds=[_range(layer.thresholds) for layer in network.layers],
            figures=evaluation.figures(network, result, labels),
            uneven=Confusion(labels, result.answer, network.outputs).is_uneven,
            findings=judgement.judge(result.answer, labels, result.response_time == network.time_steps, class_names),
            plan=plan,
            fitting=_fitting(network, plan),
            costs=[bench.measure(network, board, images[:BENCH_IMAGES], labels[:BENCH_IMAGES]) for board in counted],
            pictures=_pictures(material),
            facts=replay.facts(network, dataset.picture, class_names),
            samples=_samples(network, dataset, result),
            wrong=[_wrong(dataset, int(index), int(result.answer[index])) for index in errors[:WRONG_SHOWN]],
            wrong_count=int(errors.size),
            commands=_commands(file_name, dataset, counted),
        )
    )
    write_atomically(path, text.encode())


def _pictures(material: experiments.Material) -> list[tuple[experiments.Experiment, str, bool]]:
    """Experiments, each with its figure (base64 of an SVG; "" for none) and whether its table is shown."""
    pictures = []
    for what, make in experiments.EXPERIMENTS.items():
        if what in experiments.DEMANDING:
            continue
        outcome = make(material)
        told = len(outcome.rows) * len(outcome.headings) <= MOST_CELLS
        # A matrix is a table, coloured, if it is not too large for one.
        drawn = "" if outcome.kind == "matrix" and told else base64.b64encode(figures.render(outcome, "svg")).decode()
        pictures.append((outcome, drawn, told))
    return pictures


def _wrong(dataset: Dataset, index: int, answer: int) -> dict[str, Any]:
    """A test image that is answered wrong."""
    return {
        "index": index,
        "label": dataset.class_names[dataset.test_labels[index]],
        "answer": _class_name(dataset, answer),
        "picture": _picture(dataset.test_images[index], dataset.picture, dataset.intensity_max),
    }


def _commands(file_name: str, dataset: Dataset, counted: list[boards.Board]) -> list[str]:
    """What gives every number of the report again."""
    source = f"--dataset {_in_shell(dataset.name)} --data-dir DIR"
    file_name = _in_shell(file_name)
    board_options = "".join(f" --board {board.id}" for board in counted)
    commands = [f"bs4nn-tc evaluate {file_name} {source}", f"bs4nn-tc experiment {file_name} all {source}"]
    if counted:
        commands.append(f"bs4nn-tc bench {file_name}{board_options} {source} --images {BENCH_IMAGES}")
        commands.append(f"bs4nn-tc generate {file_name}{board_options} -o project && bs4nn-tc verify project {source}")
    return commands


def _samples(network: Network, dataset: Dataset, result: reference.Result) -> list[dict[str, Any]]:
    """Test images that can be replayed: of each class the first that is answered right, then some that are not."""
    labels = dataset.test_labels
    right = result.answer == labels
    chosen = [
        int(of_class[0]) for label in np.unique(labels) if (of_class := np.flatnonzero(right & (labels == label))).size
    ]
    chosen = chosen[:RIGHT_REPLAYED]
    chosen += np.flatnonzero(~right)[:WRONG_REPLAYED].tolist()
    samples = []
    for index in chosen:
        trace = Trace(
            int(result.answer[index]),
            int(result.response_time[index]),
            int(result.spikes[index]),
            np.concatenate([times[index] for times in result.firing_times]).astype(np.int32),
            result.readout_potential[index],
        )
        image = dataset.test_images[index]
        told = replay.describe(network, image, trace)
        samples.append({**told, "index": index, "label": dataset.class_names[labels[index]], "pixels": image.tolist()})
    return samples


def _in_shell(word: str) -> str:
    """A word of a command as it is typed; what cannot be typed is shown as an escape."""
    return shlex.quote(printable(word))


def _class_name(dataset: Dataset, answer: int) -> str:
    return dataset.class_names[answer] if answer < len(dataset.class_names) else f"class {answer}"


def _range(values: NDArray[np.int32]) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"
