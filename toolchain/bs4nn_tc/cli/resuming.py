"""What `train` is asked for: kept in the run's folder, so that --resume needs to be told nothing again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import typer

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli.reading import OPTIONS
from bs4nn_tc.data import datasets, facts
from bs4nn_tc.model import real_network

# Of these, others than a run has can only be a mistake. Seeds may be added; a data set may have moved.
_FIXED = ("recipe", "hidden", "epochs", "time_steps", "reading")


@dataclass(frozen=True)
class Asked:
    """The options of `train`.

    Attributes:
        dataset: a name or a folder, as for `datasets.load`.
        data_dir: where MNIST and Fashion-MNIST lie; None for the default.
        recipe: "best", "paper" or "s4nn".
        hidden: neurons of each hidden layer; empty for the default.
        epochs, time_steps: None for the recipe's own.
        seeds: one a network.
        settings: "name=value" for other values of the recipe.
        out: the network file; None for one of the network's name.
        tensorboard: write the figures for TensorBoard, too.
        accept: take a network that fails for good.
        reading: how its files are read.
        coding: of the values, as `codings.fit_text` takes it; None to choose one.
    """

    dataset: str
    data_dir: Path | None
    recipe: str
    hidden: tuple[int, ...]
    epochs: int | None
    time_steps: int | None
    seeds: tuple[int, ...]
    settings: tuple[str, ...]
    out: Path | None
    tensorboard: bool
    accept: bool
    reading: datasets.Reading
    coding: str | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each hidden layer; () where they are to be chosen."""
        known = facts.widths().get(self.dataset)
        return self.hidden or (() if known is None else (known,))

    @property
    def name(self) -> str:
        """Names the network."""
        # So that "." has a name, too.
        return "-".join((Path(os.path.abspath(self.dataset)).name, *map(str, self.sizes)))  # noqa: PTH100

    @property
    def folder(self) -> Path:
        """Where the run lies if no other folder is named."""
        # All of many seeds would be longer than a folder's name may be.
        first, last = self.seeds[0], self.seeds[-1]
        few = len(self.seeds) <= 8
        seeds = "-".join(map(str, self.seeds)) if few else f"{len(self.seeds)}-seeds-{first}-to-{last}"
        return Path("runs") / f"{self.name}-{self.recipe}-{seeds}"

    @property
    def file(self) -> Path:
        """The network file to write."""
        return self.out or Path(f"{self.name}{real_network.SUFFIX if self.recipe == 's4nn' else '.bs4nn'}")

    @property
    def command(self) -> dict[str, Any]:
        """What the recipe's options do not say, for the run's folder, with paths that mean the same from everywhere."""
        return {
            "data_dir": str((self.data_dir or datasets.DEFAULT_DATA_DIR).absolute()),
            "seeds": self.seeds,
            "output": str(self.file.absolute()),
            "tensorboard": self.tensorboard,
            "reading": self.reading.json,
            "accept": self.accept,
            "coding": self.coding,
        }


def given(context: typer.Context) -> set[str]:
    """Which attributes of `Asked` were given on the command line."""
    attributes = {"seed": "seeds", "option": "settings", "size": "dataset", **dict.fromkeys(OPTIONS, "reading")}
    # By name, for Typer has click's class or, in newer versions, one of its own.
    sources = {name: context.get_parameter_source(name) for name in context.params}
    names = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return {attributes.get(name, name) for name in names} & {field.name for field in fields(Asked)}


def of_run(asked: Asked, anew: Collection[str], folder: Path) -> Asked:
    """What the run in a folder was asked for, but for what is given anew.

    Args:
        asked: the options of now.
        anew: the names of those attributes that the user has given; all others are defaults.
        folder: of the run.

    Raises:
        UserError: there is no run, its configuration is damaged, or an option differs from the run's.
    """
    from bs4nn_tc import training  # noqa: PLC0415 - only who trains needs them

    several = sorted(folder.glob("seed-*/config.json"))
    if not several and not (folder / "config.json").exists():
        raise UserError(f"{folder} holds no run to resume; start one without --resume")
    path = several[0] if several else folder / "config.json"
    config = training.read_config(path.parent)
    try:
        held = _held(config, tuple(training.settings_of(config)))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged (no usable {error}); start a new run in another folder") from error
    if several and not {"command", "seeds"} & {*config, *anew}:
        raise UserError(f"{folder} does not say which seeds it was asked for; name them with --seeds")
    for name in _FIXED:
        there, here = getattr(held, name), getattr(asked, name)
        if name in anew and there != here:
            raise UserError(
                f"{folder} holds a run with other options ({name} is {_text(there)} there, {_text(here)} here)"
            )
    held = replace(held, **{name: getattr(asked, name) for name in anew if name != "settings"})
    return replace(held, settings=(*held.settings, *asked.settings))


def _held(config: dict[str, Any], settings: tuple[str, ...]) -> Asked:
    """What config.json says, with types that can be trusted; the values are checked as those of a user are.

    Raises:
        KeyError, TypeError, ValueError: what is not there, or not of its type.
    """

    def of(facts: dict[str, Any], name: str, kind: type) -> Any:
        if type(facts[name]) is not kind:
            raise TypeError(f"'{name}'")
        return facts[name]

    def numbers(facts: dict[str, Any], name: str) -> tuple[int, ...]:
        values = of(facts, name, list)
        if not values or not all(type(one) is int and one >= 0 for one in values):
            raise TypeError(f"'{name}'")
        return tuple(values)

    command = of(config, "command", dict) if "command" in config else {}
    known = bool(command)  # a run of an older release has none
    return Asked(
        dataset=of(config, "dataset", str),
        data_dir=Path(of(command, "data_dir", str)) if known else None,
        recipe=of(config, "recipe", str),
        hidden=numbers(config, "hidden"),
        epochs=of(config, "epochs", int),
        time_steps=of(config, "time_steps", int),
        seeds=numbers(command, "seeds") if known else (of(config, "seed", int),),
        settings=settings,
        out=Path(of(command, "output", str)) if known else None,
        tensorboard=of(command, "tensorboard", bool) if known else False,
        coding=of(command, "coding", str) if command.get("coding") is not None else None,
        accept=of(command, "accept", bool) if "accept" in command else False,
        reading=datasets.Reading.from_json(of(command, "reading", dict) if "reading" in command else None),
    )


def _text(value: object) -> str:
    if isinstance(value, datasets.Reading):
        return json.dumps(value.json)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def how_to_go_on(folder: Path) -> str:
    """The command that goes on with a run."""
    return f"bs4nn-tc train --run {shlex.quote(str(folder))} --resume"
