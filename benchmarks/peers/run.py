"""Our kernel beside what a user would pick instead: python benchmarks/peers/run.py [--data-dir DIR]

Executed instructions an inference of 784-600-10 networks, counted by QEMU on MNIST test images, with the bytes of code
and constants. Results go to benchmarks/peers.csv. The peers:

int8-plain  int8 layers in plain C, weight by weight, requantised as TensorFlow Lite does
int8        the same, two neurons at a time
int8-skip   the same, where inputs of 0 are skipped
bnn-xnor    a binary network: exclusive or, and a count of bits by carry-save adders
emlearn     float, as emlearn generates it from scikit-learn; on a Cortex-M4 or M7 with the FPU
cmsis-nn    the int8 layers by Arm's library; only with --cmsis-nn

All but emlearn's have random weights from fixed seeds, which hardly changes what is executed. Ours is the
authors' network. The peers' rows for qemu-m0 are code for the Cortex-M0 on a board with room for it, see
peer_firmware.py.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import Annotated

import peer_firmware
import peer_models
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.data import datasets
from bs4nn_tc.device.boards import Board, load_board
from bs4nn_tc.model import importers
from bs4nn_tc.study import bench
from bs4nn_tc.training import ordering

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "peers.csv"
HEADINGS = ("peer", "board", "instructions_mean", "instructions_max", "code_bytes", "constant_bytes", "images")
OURS = "bs4nn-tc"
# Without an FPU a float network takes so long that fewer images have to do.
SLOW_IMAGES = 20
Row = tuple[str, str, float, int, int, int, int]


def our_row(dataset: datasets.Dataset, images: int, board: Board, reference_dir: Path) -> Row:
    """Our kernel on the authors' network."""
    signs = [importers.load_weights(reference_dir / f"W{layer}_binary.npy") for layer in (0, 1)]
    network = importers.network_from_weights(signs, [25, 12], rules="authors")
    network = ordering.order_neurons(network, dataset.train_images)
    cost = bench.measure(network, board, dataset.test_images[:images], dataset.test_labels[:images])
    counted = (round(cost.instructions_mean, 1), cost.instructions_max)
    return OURS, board.id, *counted, cost.code_bytes, cost.constant_bytes, cost.images


def peer_row(peer: peer_firmware.Peer, board: Board, dataset: datasets.Dataset) -> Row:
    """A peer, on as many images as it has answers."""
    cost = peer_firmware.measure(peer, board, dataset.test_images[: len(peer.answers)])
    counted = (round(float(cost.instructions.mean()), 1), int(cost.instructions.max()))
    return peer.name, board.id, *counted, cost.code_bytes, cost.constant_bytes, len(peer.answers)


def main(
    data_dir: Annotated[Path, typer.Option(help="Where MNIST lies, in torchvision's layout.")] = Path("../shared/data"),
    reference_dir: Annotated[Path, typer.Option(help="Where the authors' W0_binary.npy and W1_binary.npy lie.")] = Path(
        "../shared/reference"
    ),
    images: Annotated[int, typer.Option(min=1, max=10_000, help="How many MNIST test images to run.")] = 1000,
    board: Annotated[list[str] | None, typer.Option(help="An emulated board; may be repeated.")] = None,
    cmsis_nn: Annotated[Path | None, typer.Option(help="A checkout of CMSIS-NN.")] = None,
    emlearn_python: Annotated[Path, typer.Option(help="A Python with emlearn and scikit-learn.")] = ROOT
    / ".venv-peers"
    / "bin"
    / "python",
) -> None:
    """Measure, print and rewrite benchmarks/peers.csv."""
    notes = Console(stderr=True, highlight=False)
    try:
        rows = measure(
            data_dir, reference_dir, images, board or ["qemu-m0", "qemu-m4"], cmsis_nn, emlearn_python, notes
        )
    except UserError as error:
        notes.print(f"error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows(rows)
    write_atomically(RESULTS, text.getvalue().encode())
    Console().print(as_table(rows))


def measure(
    data_dir: Path,
    reference_dir: Path,
    images: int,
    boards: list[str],
    cmsis_nn: Path | None,
    emlearn_python: Path,
    notes: Console,
) -> list[Row]:
    """One row a peer and board, ours first; says in one line what is left out."""
    dataset = datasets.load("mnist", data_dir)
    tested = dataset.test_images[:images]
    peers = peer_models.integer_peers(tested)
    if cmsis_nn is not None:
        peers.append(peer_models.cmsis_nn_peer(tested, cmsis_nn))
    try:
        peers.append(peer_models.emlearn_peer(dataset, tested, emlearn_python))
    except MissingToolError as error:
        notes.print(f"not measured: {error}", markup=False, soft_wrap=True)
    ours = (reference_dir / "W0_binary.npy").is_file()
    if not ours:
        notes.print(f"our kernel is not measured: no weights in {reference_dir}", markup=False, soft_wrap=True)
    rows = []
    for name in boards:
        board = load_board(name)
        if ours:
            rows.append(our_row(dataset, images, board, reference_dir))
        for peer in peers:
            slow = peer.uses_float and board.core not in peer_firmware.FPU
            few = dataclasses.replace(peer, answers=peer.answers[:SLOW_IMAGES]) if slow else peer
            rows.append(peer_row(few, board, dataset))
    return rows


def as_table(rows: list[Row]) -> Table:
    """The rows, with the ratio of each mean to ours."""
    title = f"instructions an inference, ratio to ours, bytes; also in {RESULTS.relative_to(ROOT)}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for heading in ("peer", "board", "mean", "largest", "ratio", "code", "constants", "images"):
        table.add_column(heading, justify="left" if heading in ("peer", "board") else "right")
    ours = {row[1]: row[2] for row in rows if row[0] == OURS}
    for name, board, mean, largest, code, constants, images in rows:
        ratio = f"{mean / ours[board]:.2f}" if board in ours else "-"
        table.add_row(name, board, f"{mean:,.0f}", f"{largest:,}", ratio, f"{code:,}", f"{constants:,}", f"{images:,}")
    return table


if __name__ == "__main__":
    typer.run(main)
