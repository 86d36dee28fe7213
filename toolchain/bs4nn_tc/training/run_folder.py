"""A run's folder: configuration, a row an epoch, checkpoint, best network. Every file is whole or old.

config.json      the resolved options and the data set's digest
epochs.csv       the figures of every epoch on the validation images
checkpoint.npz   everything that is needed to go on, bit for bit
best.bs4nn       the network of the best epoch by strict accuracy on the validation images (best.s4nn.npz: S4NN)
best-proxies.npz its proxy weights: proxies_1 .. (inputs, neurons)
tensorboard/     with --tensorboard: epochs.csv as TensorBoard events

With several seeds these lie in seed-N, and beside those folders

summary.json     mean and deviation over the seeds on the test images, and the figures of every one
seeds.csv        the figures of every seed, on validation and test images
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, write_atomically
from bs4nn_tc.model import network_file, real_network
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.trainer import Progress

CONFIG, EPOCHS, CHECKPOINT, BEST = "config.json", "epochs.csv", "checkpoint.npz", "best.bs4nn"
PROXIES, BEST_REAL = "best-proxies.npz", "best.s4nn.npz"
SUMMARY, SEEDS = "summary.json", "seeds.csv"


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


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path, config: dict[str, Any], resume: bool) -> None:
        """Make the folder, or check that it holds this very run.

        Raises:
            UserError: it holds another run, or one that is not to be resumed, or nothing to resume.
        """
        self.path = path
        text = json.dumps(config, indent=1, sort_keys=True) + "\n"
        there = (path / CONFIG).is_file()
        if resume and not there:
            raise UserError(f"{path} holds no run to resume; start one without --resume")
        if there:
            with disk_errors(path / CONFIG, "read"):
                held = (path / CONFIG).read_text(encoding="utf-8")
            if not resume:
                raise UserError(f"{path} holds a run already; go on with --resume, or name another folder with --run")
            difference = _first_difference(held, json.loads(text))
            if difference:
                raise UserError(f"{path} holds a run with other options ({difference})")
            return
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} holds something else; name another folder with --run")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        write_atomically(path / CONFIG, text.encode())

    def save_checkpoint(self, progress: Progress, history: History, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the checkpoint."""
        state = json.dumps({"progress": asdict(progress), "history": asdict(history)}).encode()
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, state=np.frombuffer(state, np.uint8), **arrays)
        write_atomically(self.path / CHECKPOINT, content.getvalue(), durable=False)

    def load_checkpoint(self, arrays: dict[str, NDArray[Any]]) -> tuple[Progress, History]:
        """Read the checkpoint into `arrays` in place; a run without one starts from the beginning.

        Raises:
            UserError: the checkpoint is damaged or of another network.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return Progress(), History()
        try:
            with np.load(path, allow_pickle=False) as archive:
                state = json.loads(archive["state"].tobytes())
                for name, array in arrays.items():
                    if archive[name].shape != array.shape or archive[name].dtype != array.dtype:
                        raise ValueError(f"{name} has another shape")
                    array[...] = archive[name]
            return Progress(**state["progress"]), History(**state["history"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is damaged ({error}); remove it to start from the beginning") from error

    def save_rows(self, rows: list[dict[str, float]]) -> None:
        """Write epochs.csv."""
        write_atomically(self.path / EPOCHS, _csv(rows), durable=False)

    def save_best(self, network: Network | RealNetwork, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the best network so far, and its proxy weights, which are among `arrays`."""
        if isinstance(network, RealNetwork):
            network.save(self.path / BEST_REAL)
            return
        content = io.BytesIO()
        proxies = {name: array for name, array in arrays.items() if re.fullmatch(r"proxies_\d+", name)}
        np.savez(content, allow_pickle=False, **proxies)
        write_atomically(self.path / PROXIES, content.getvalue(), durable=False)
        network_file.save(network, self.path / BEST)

    def load_best(self) -> Network | RealNetwork:
        """Read it back."""
        if (self.path / BEST_REAL).exists():
            return real_network.load(self.path / BEST_REAL)
        return network_file.load(self.path / BEST)


def save_summary(
    folder: Path,
    seeds: list[int],
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
    summary = {"seeds": seeds, "test_by_seed": test, "test_over_seeds": spread, "validation_by_seed": validation}
    write_atomically(folder / SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())
    write_atomically(folder / SEEDS, _csv(rows))


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)  # a resumed run of an older release has fewer
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _first_difference(held: str, config: dict[str, Any]) -> str | None:
    """How a run's configuration differs from the one that is asked for, if it does.

    An option that a run of an older release does not have is off there: 0, empty or no.
    """
    try:
        old = dict(json.loads(held))
    except (ValueError, TypeError):
        return "its configuration cannot be read"
    for key in sorted({*old, *config}, key=lambda key: (key not in ("recipe", "dataset"), key)):
        if old.get(key) != config.get(key) and (key in old or config[key]):
            return f"{key} is {old.get(key)} there, {config.get(key)} here"
    return None
