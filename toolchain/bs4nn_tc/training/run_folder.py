"""A run's folder: configuration, a row an epoch, checkpoint, best network. Every file is whole or old.

config.json      the resolved options, the data set's digest, and what else the run was asked for
epochs.csv       the figures of every epoch on the validation images
checkpoint.npz   everything that is needed to go on, bit for bit
best.bs4nn       the network of the best epoch by strict accuracy on the validation images (best.s4nn.npz: S4NN)
best-proxies.npz its proxy weights: proxies_1 .. (inputs, neurons)
choice.json      the trials by which coding and options were chosen, to go on with; choice.csv: the same as a table
search.db        with --search: the trials of the search that went on after these
tensorboard/     with --tensorboard: epochs.csv as TensorBoard events

With several seeds these lie in seed-N, and beside those folders

summary.json     mean and deviation over the seeds on the test images, and the figures of every one
seeds.csv        the figures of every seed, on validation and test images
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.archives import Archive, to_npz
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, read_file, write_atomically
from bs4nn_tc.base.staging import tidy
from bs4nn_tc.base.text import printable
from bs4nn_tc.model import network_file, real_network
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.trainer import Progress

CONFIG, EPOCHS, CHECKPOINT, BEST = "config.json", "epochs.csv", "checkpoint.npz", "best.bs4nn"
PROXIES, BEST_REAL = "best-proxies.npz", "best.s4nn.npz"
SUMMARY, SEEDS = "summary.json", "seeds.csv"
CHOICE, TRIALS, SEARCH = "choice.json", "choice.csv", "search.db"
# What may lie in the folder before the run begins.
CHOSEN = {CHOICE, TRIALS, SEARCH}
# In config.json: what the run was asked for besides the recipe's options.
COMMAND = "command"

# Bytes of a checkpoint's state: 10,000 epochs take 3 MB of rows. And what an archive adds to its arrays, at most.
_MAX_STATE, _MAX_OVERHEAD = 8_000_000, 1_000_000


@dataclass
class History:
    """What a run has seen so far.

    Attributes:
        rows: the figures of every finished epoch.
        best_accuracy: strict accuracy of the best epoch on the validation images.
        best_epoch: its number, from 0.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_accuracy: float = -1.0
    best_epoch: int = -1


_State = TypeVar("_State", Progress, History)


def check_no_run(path: Path) -> None:
    """Refuse a folder in which a run has begun to learn.

    Raises:
        UserError: there is one.
    """
    if (path / CONFIG).exists() and os.path.lexists(path / CHECKPOINT):
        raise UserError(f"{path} holds a run already; go on with --resume, or name another folder with --run")


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path, config: dict[str, Any], resume: bool) -> None:
        """Make the folder, or check that it holds this very run.

        A run that has learned nothing yet, because it failed or was killed at its start, gives way to a new one.

        Args:
            path: the folder.
            config: what config.json will hold, or holds; what is under "command" is kept and not compared.
            resume: go on with the run in the folder.

        Raises:
            UserError: it holds another run, or one that is not to be resumed, or nothing to resume.
        """
        self.path = path
        with disk_errors(path):
            tidy(path)
            there = (path / CONFIG).exists()
            if resume and not there:
                raise UserError(f"{path} holds no run to resume; start one without --resume")
            if resume:
                difference = first_difference(read_config(path), config)
                if difference:
                    raise UserError(f"{path} holds a run with other options ({difference})")
                return
            check_no_run(path)
            if not there and path.exists() and not (path.is_dir() and {one.name for one in path.iterdir()} <= CHOSEN):
                raise UserError(f"{path} holds something else; name another folder with --run")
            path.mkdir(parents=True, exist_ok=True)
            for name in (EPOCHS, BEST, BEST_REAL, PROXIES):
                (path / name).unlink(missing_ok=True)
        write_atomically(path / CONFIG, (json.dumps(config, indent=1, sort_keys=True) + "\n").encode())

    def save_checkpoint(self, progress: Progress, history: History, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the checkpoint."""
        state = json.dumps({"progress": asdict(progress), "history": asdict(history)}).encode()
        content = to_npz({"state": np.frombuffer(state, np.uint8), **arrays})
        write_atomically(self.path / CHECKPOINT, content, durable=False)

    def load_checkpoint(self, arrays: dict[str, NDArray[Any]]) -> tuple[Progress, History]:
        """Read the checkpoint into `arrays` in place; a run without one starts from the beginning.

        Raises:
            UserError: it cannot be read, is damaged or of another network. It may hold all that was learned, or be
                mended or found again, so that nobody is told to remove it.
        """
        path = self.path / CHECKPOINT
        with disk_errors(path, "read"):
            try:
                path.lstat()
            except FileNotFoundError:
                return Progress(), History()
        content = read_file(path, sum(array.nbytes for array in arrays.values()) + _MAX_STATE + _MAX_OVERHEAD)
        try:
            return _read_checkpoint(content, arrays)
        except UserError as error:
            raise UserError(
                f"{path} is damaged or of another run ({error}); take it from a copy of the folder, or start again in "
                "another folder with --run: the best epoch's network is still in this one"
            ) from error

    def save_rows(self, rows: list[dict[str, float]]) -> None:
        """Write epochs.csv."""
        write_atomically(self.path / EPOCHS, _csv(rows), durable=False)

    def save_best(self, network: Network | RealNetwork, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the best network so far, and its proxy weights, which are among `arrays`."""
        if isinstance(network, RealNetwork):
            network.save(self.path / BEST_REAL)
            return
        proxies = {name: array for name, array in arrays.items() if re.fullmatch(r"proxies_\d+", name)}
        write_atomically(self.path / PROXIES, to_npz(proxies), durable=False)
        network_file.save(network, self.path / BEST)

    def load_best(self, inputs: int, outputs: int) -> Network | RealNetwork:
        """Read it back.

        Args:
            inputs: pixels of the run's images.
            outputs: its classes.

        Raises:
            UserError: it is missing, damaged or of another run.
        """
        path = self.path / BEST_REAL
        best: Network | RealNetwork
        if path.is_file():
            best = real_network.load(path)
        else:
            path = self.path / BEST
            best = network_file.load(path)
        if (best.sizes[0], best.sizes[-1]) != (inputs, outputs):
            raise UserError(
                f"{path} ({best.shape_text}) is not of this run, which has {inputs} inputs and {outputs} classes"
            )
        return best


def _read_checkpoint(content: bytes, arrays: dict[str, NDArray[Any]]) -> tuple[Progress, History]:
    """The state in a checkpoint, and its arrays into `arrays`; nothing is unpacked before all is known to fit.

    Raises:
        UserError: what is wrong.
    """
    archive = Archive(content)
    if not {"state", *arrays} <= set(archive.facts):
        raise UserError("it lacks arrays of this run")
    for name, array in arrays.items():
        if archive.facts[name].shape != array.shape or archive.facts[name].dtype != array.dtype:
            raise UserError(f"its array '{name}' is of another shape or type")
    if archive.facts["state"].dtype != np.uint8 or archive.facts["state"].bytes > _MAX_STATE:
        raise UserError(f"its state is no text of at most {_MAX_STATE:,} bytes")
    state = plain_json.parse(archive.read("state").tobytes(), "its state")
    progress = _checked(Progress, state, "progress")
    history = _checked(History, state, "history")
    if not all(isinstance(row, dict) and all(map(_is_number, row.values())) for row in history.rows):
        raise UserError("its state has a row that is not one of figures")
    if min(progress.epoch, progress.piece, progress.flips) < 0 or history.best_epoch < -1:
        raise UserError("its state counts below zero")
    for name, array in arrays.items():
        array[...] = archive.read(name)
    return progress, history


def _checked(kind: type[_State], state: object, name: str) -> _State:
    """`state[name]` as Progress or History: the same names, and values of the same types."""
    fresh = vars(kind())
    values = state.get(name) if isinstance(state, dict) else None
    if not isinstance(values, dict) or set(values) != set(fresh):
        raise UserError(f"its state has no usable {name}")
    for key, example in fresh.items():
        fits = _is_number(values[key]) if type(example) is float else type(values[key]) is type(example)
        if not fits:
            raise UserError(f"its state has no usable {key}")
    return kind(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def save_summary(
    folder: Path,
    seeds: Sequence[int],
    validation: list[dict[str, float]],
    test: list[dict[str, float]],
    spread: dict[str, dict[str, float]],
) -> None:
    """Write summary.json and seeds.csv into the folder of a run over several seeds.

    Args:
        folder: of the run.
        seeds: one a network.
        validation: figures on the validation images, one a network.
        test: figures on the test images, one a network.
        spread: mean and deviation of the latter, see `evaluation.spread`.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    rows: list[dict[str, float]] = [
        {
            "seed": seed,
            **{f"validation_{name}": value for name, value in of_validation.items()},
            **{f"test_{name}": value for name, value in of_test.items()},
        }
        for seed, of_validation, of_test in zip(seeds, validation, test, strict=True)
    ]
    summary = {"seeds": list(seeds), "test_by_seed": test, "test_over_seeds": spread, "validation_by_seed": validation}
    write_atomically(folder / SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())
    write_atomically(folder / SEEDS, _csv(rows))


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)  # a resumed run of an older release has fewer
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_config(folder: Path) -> dict[str, Any]:
    """What a run's config.json holds.

    Raises:
        UserError: it is missing, cannot be read, or holds no set of named values.
    """
    path = folder / CONFIG
    config = plain_json.parse(read_file(path, plain_json.MAX_BYTES), str(path))
    if not isinstance(config, dict):
        raise UserError(f"{path} is damaged: it holds no named values")
    return config


def first_difference(old: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """How a run's configuration differs from the one that is asked for, if it does: "epochs is 3 there, 5 here".

    An option that a run of an older release does not have is off there: 0, empty or no. A data set is the same if its
    images and labels are, wherever it lies.
    """
    config = json.loads(json.dumps(asked))  # as `old` has been written down
    same_data = old.get("data") == config["data"]
    ignored = {COMMAND, "data", *(["dataset"] if same_data else [])}
    for key in sorted({*old, *config} - ignored, key=lambda key: (key not in ("recipe", "dataset"), key)):
        if old.get(key) != config.get(key) and (key in old or config[key]):
            return f"{key} is {printable(old.get(key), 60)} there, {config.get(key)} here"
    return None if same_data else "its images or labels were others"
