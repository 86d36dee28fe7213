"""Train the networks of networks/ anew: python tools/networks.py [NAME ...] --data-dir DIR

Each is trained by `bs4nn-tc train` with the arguments below, written as networks/NAME.bs4nn, and described by a
card, networks/NAME.json. Runs are kept in runs/, so that an interrupted call goes on where it was.
`python tools/tables.py` puts the cards' figures into the README.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "networks"

# What `bs4nn-tc train` is called with, besides --data-dir, --output and --run.
ARGUMENTS = {
    "mnist-600-best": "--dataset mnist --hidden 600 --epochs 60",
    "mnist-256-best": "--dataset mnist --hidden 256 --epochs 60",
    "mnist-128-best": "--dataset mnist --hidden 128 --epochs 60",
    "mnist-64-best": "--dataset mnist --hidden 64 --epochs 60",
    "fashion-mnist-1000-best": "--dataset fashion-mnist --hidden 1000 --epochs 30",
    "mnist-600-paper": "--recipe paper --dataset mnist --hidden 600 --epochs 150",
    "fashion-mnist-1000-paper": "--recipe paper --dataset fashion-mnist --hidden 1000 --epochs 60",
    "fashion-mnist-600-600-paper": "--recipe paper --dataset fashion-mnist --hidden 600 --hidden 600 --epochs 60",
}


def train(name: str, data_dir: Path) -> None:
    """Train one network, or go on with its run, and write network and card."""
    arguments = ["train", *ARGUMENTS[name].split()]
    run = ROOT / "runs" / name
    resume = ["--resume"] if (run / "epochs.csv").is_file() else []
    target = FOLDER / f"{name}.bs4nn"
    command = [sys.executable, "-m", "bs4nn_tc", *arguments, "--data-dir", str(data_dir)]
    done = subprocess.run(
        [*command, "--output", str(target), "--run", str(run), "--json", *resume],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    said = json.loads(done.stdout)
    card = {
        "name": name,
        "command": f"bs4nn-tc {' '.join(arguments)} --data-dir DIR -o {name}.bs4nn",
        "digest": said["digest"],
        "best_epoch": said["best_epoch"],
        "validation": said["validation"],
        "test": said["test"],
    }
    target.with_suffix(".json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(ARGUMENTS)}. [default: all]")] = None,
    data_dir: Annotated[Path, typer.Option(help="Where the data sets lie.")] = Path("../shared/data"),
) -> None:
    """Train networks and write their cards."""
    for name in names or list(ARGUMENTS):
        if name not in ARGUMENTS:
            sys.exit(f"error: no network '{name}'; there are {', '.join(ARGUMENTS)}")
        train(name, data_dir)


if __name__ == "__main__":
    typer.run(main)
