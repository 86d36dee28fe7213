"""The paper's experiments: on the authors' weights against the paper, and on a small network against the reference."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc import datasets, experiments, network_file, reference
from bs4nn_tc.network import Network


@pytest.fixture(scope="module")
def material(authors: Network, data_dir: Path) -> experiments.Material:
    mnist = datasets.load("mnist", data_dir)
    return experiments.Material(authors, mnist.test_images, mnist.test_labels, mnist.class_names, "mnist")


def test_response_times_by_digit_are_the_papers(material: experiments.Material) -> None:
    rows = experiments.spikes(material).rows
    assert [int(float(row[-1])) for row in rows] == [74, 188, 87, 87, 127, 107, 95, 121, 93, 134]


def test_noise_thresholds_and_weights_are_near_the_paper(material: experiments.Material) -> None:
    noise = {row[0]: row for row in experiments.noise(material).rows}
    assert noise[0][1:3] == (pytest.approx(96.06), pytest.approx(96.92))
    assert noise[100][2] == pytest.approx(79, abs=1)
    factors = {row[0]: row for row in experiments.thresholds(material).rows}
    assert factors[80][3] == pytest.approx(44.9, abs=0.5)
    assert [round(float(row[1]), 1) for row in experiments.weights(material).rows] == [77.8, 60.5]


def test_a_small_network_against_the_reference() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, (30, 20, 4), time_steps=16, delay=1)
    images, labels = rng.integers(0, 256, (50, 30)).astype(np.uint8), np.arange(50) % 4
    small = experiments.Material(network, images, labels, ("a", "b", "c", "d"), "letters")
    assert not experiments.noise(small).paper
    expected = reference.run(network, images)
    for label, row in enumerate(experiments.spikes(small).rows):
        of_class = labels == label
        assert row[1] + row[2] == pytest.approx(expected.spikes[of_class].mean())
        assert row[3] == pytest.approx(expected.response_time[of_class].mean())
    for label, row in enumerate(experiments.firing_times(small).rows):
        assert list(row[1:]) == pytest.approx(expected.firing_times[-1][labels == label].mean(axis=0).tolist())
    confusion = np.array([row[1:] for row in experiments.confusion(small).rows])
    assert confusion.sum() == 50
    assert confusion[2, 3] == ((labels == 2) & (expected.answer == 3)).sum()


def test_figures_by_the_command_line(tmp_path: Path) -> None:
    network_file.save(random_network(np.random.default_rng(0), (64, 20, 10), intensity_max=16), tmp_path / "n.bs4nn")
    call = ("experiment", "all", tmp_path / "n.bs4nn", "--dataset", "digits", "--json", "--quiet")
    done = run_tool(*call, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    names = [one["name"] for one in json.loads(done.stdout)["experiments"]]
    assert names == list(experiments.EXPERIMENTS)
    for name in names:
        rows = list(csv.reader((tmp_path / "out" / f"{name}.csv").open()))
        assert len(rows) > 1
        assert (tmp_path / "out" / f"{name}.svg").read_text().startswith("<?xml")
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    before = (tmp_path / "out" / "noise.svg").read_bytes()
    assert run_tool(*call, "-o", tmp_path / "out").returncode == 0
    assert (tmp_path / "out" / "noise.svg").read_bytes() == before
    assert_refused(run_tool("experiment", "nose", tmp_path / "n.bs4nn", "--dataset", "digits"), "noise")


def test_the_report_stands_alone(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 20, 10), intensity_max=16)
    network_file.save(network, tmp_path / "n.bs4nn")
    call = ("report", tmp_path / "n.bs4nn", "--dataset", "digits", "--board", "qemu-m0", "-o", tmp_path / "n.html")
    done = run_tool(*call)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "n.html").read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    without_pictures = re.sub(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert "http" not in without_pictures
    assert "<script" not in without_pictures
    figures = json.loads(run_tool("evaluate", tmp_path / "n.bs4nn", "--dataset", "digits", "--json").stdout)
    assert f"<b>{figures['strict_accuracy']:.2%}</b><span>strict accuracy</span>" in text
    assert text.index("strict accuracy") < text.index("tie-lenient accuracy")
    assert text.count("<figure>") == len(experiments.EXPERIMENTS)
    assert "cortex-m0</td>" in text
    for picture in re.findall(r"<img [^>]*>", text):
        assert 'alt="' in picture
