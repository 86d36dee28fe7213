"""The wheel, installed in an empty environment outside the checkout: generate, build and verify work from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from bounds import lowest
from conftest import ROOT, random_network

from bs4nn_tc.model import network_file


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a new environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    wheel = next(folder.glob("bs4nn_tc-*.whl"))
    subprocess.run([str(programs / "pip"), "--disable-pip-version-check", "-q", "install", str(wheel)], check=True)
    return programs


def test_generate_build_and_verify_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    network_file.save(random_network(np.random.default_rng(0), (12, 20, 2)), tmp_path / "net.bs4nn")
    rng = np.random.default_rng(1)
    header = {"images": bytes.fromhex("00000803"), "labels": bytes.fromhex("00000801")}
    for part, count in (("train", 12), ("t10k", 6)):
        images = rng.integers(0, 256, (count, 3, 4)).astype(np.uint8)
        shape = b"".join(size.to_bytes(4, "big") for size in images.shape)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header["images"] + shape + images.tobytes())
        labels = header["labels"] + count.to_bytes(4, "big") + bytes(index % 2 for index in range(count))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / "bs4nn-tc"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done

    tool("generate", "net.bs4nn", "--board", "qemu-m0", "-o", "project")
    tool("build", "project")
    report = json.loads(tool("verify", "project", "--dataset", ".", "--json").stdout)
    assert [(result["board"], result["equal"]) for result in report["results"]] == [("native", 6), ("qemu-m0", 6)]
    assert report["verified"]


def test_the_plain_install_is_small(installed: Path) -> None:
    listed = subprocess.run(
        [str(installed / "pip"), "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert {"bs4nn-tc", "numpy", "platformio", "scons"} <= names
    assert not names & {"torch", "torchvision", "scikit-learn", "scipy"}


def test_every_requirement_says_from_which_version() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = lowest(pyproject)
    assert {"numpy", "typer", "hatchling", "optuna", "pytest"} <= bounds.keys()
    with pytest.raises(ValueError, match="'typer' has no lower bound"):
        lowest(pyproject.replace(f"typer>={bounds['typer']}", "typer"))


def test_no_document_names_an_install_that_no_index_has() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("templates/*")):
        assert not re.search(r"pip install\S* *'?bs4nn-tc", path.read_text(encoding="utf-8")), path
