"""How files were read goes with the network: later verbs need to be told nothing again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bs4nn_tc import cli
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.model import network_file

pytestmark = pytest.mark.bounds


def pictures_with_odd_columns(folder: Path) -> Path:
    """A table of pictures of 3 x 3 whose classes are neither last nor called so, and with a hole in it."""
    rng = np.random.default_rng(0)
    path = folder / "t.csv"
    lines = ["digit," + ",".join(f"pixel{i}" for i in range(9)) + ",who"]
    for index in range(120):
        values = rng.integers(0, 40, 9) + 200 * (np.arange(9) % 3 == index % 3)
        lines.append(f"{'abc'[index % 3]}," + ",".join(map(str, values)) + f",p{index % 8}")
    lines[5] = lines[5].replace(lines[5].split(",")[4], "", 1)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> None:
    cli.app([*map(str, arguments), "--quiet"], standalone_mode=False)


HOW = ("--label", "digit", "--group", "who", "--missing", "drop")


def test_later_verbs_read_the_data_set_as_training_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures_with_odd_columns(tmp_path)
    monkeypatch.chdir(tmp_path)
    run("train", "--dataset", path, *HOW, "--hidden", "30", "--epochs", "4", "-o", "n.bs4nn", "--run", "r", "--accept")
    network = network_file.load(tmp_path / "n.bs4nn")
    assert network.data is not None
    assert network.data.split is not None
    reading = Reading.from_json(network.data.reading)
    assert (reading.label, reading.group, reading.missing, reading.classes) == ("digit", "who", "drop", ("a", "b", "c"))
    assert network.input.shape == (3, 3)
    capsys.readouterr()
    run("evaluate", "n.bs4nn", "--json")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["images"] in (15, 29, 30)  # one or two of the eight people
    assert "has changed" not in captured.err
    learned = json.loads((tmp_path / "r" / "config.json").read_text())["command"]["reading"]
    assert learned == {"label": "digit", "group": "who", "missing": "drop"}
    path.write_text(path.read_text(encoding="utf-8").replace(",p7", ",p6"), encoding="utf-8")  # another split
    run("evaluate", "n.bs4nn", "--json")
    assert "t.csv has changed since the network learned it" in capsys.readouterr().err


def test_a_run_goes_on_as_it_was_read_and_refuses_to_read_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures_with_odd_columns(tmp_path)
    monkeypatch.chdir(tmp_path)
    options = ("--hidden", "30", "--epochs", "2", "--run", "r", "--accept", "-o")
    run("train", "--dataset", path, *HOW, *options, "one.bs4nn")
    with pytest.raises(UserError, match=r"reading is .*digit.* there, .*pixel1.* here"):
        run("train", "--run", "r", "--resume", "--label", "pixel1")
    run("train", "--run", "r", "--resume", "-o", "two.bs4nn")
    assert network_file.load(Path("one.bs4nn")).digest == network_file.load(Path("two.bs4nn")).digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", [28]),
        ("size", [0, 3]),
        ("invert", "maybe"),
        ("missing", "guess"),
        ("window", -1),
        ("window", True),
        ("scale", [0.0]),
        ("scale", "1"),
        ("kind", "video"),
        ("type", "float"),
        ("group", 5),
        ("label", "x" * 5000),
    ],
)
def test_a_reading_from_a_file_means_something_or_is_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"how a data set is read: '{name}' cannot be"):
        Reading.from_json({name: value})
    assert Reading.from_json({"of a later release": value}) == Reading()


def test_a_reading_survives_its_json() -> None:
    reading = Reading("a", size=(2, 3), crop=True, window=0.5, scale=(1.0, 0.25), columns=("x", "y"), rate=8000)
    assert Reading.from_json(json.loads(json.dumps(reading.json))) == reading
    assert Reading().json == {}
