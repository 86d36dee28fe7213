"""The trade-off curve: measured points, the frontier, the choice, and what is written. Refined thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model import evaluation, network_file, reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.study import tuning


@pytest.fixture
def network() -> Network:
    made = random_network(np.random.default_rng(2), (64, 30, 10), time_steps=16, intensity_max=16)
    return replace(made, readout_step=15, data=TrainedOn("digits"))


def material() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.integers(0, 17, (60, 64)).astype(np.uint8), rng.integers(0, 10, 60)


@pytest.mark.parametrize("knob", ["output", "all"])
def test_points_are_what_the_reference_computes(network: Network, knob: tuning.Knob) -> None:
    images, labels = material()
    points = tuning.curve(network, images, labels, knob)
    assert len(points) > 5
    for point in points[::3]:
        moved = [layer.thresholds.copy() for layer in network.layers]
        if knob == "output":
            moved[-1] = np.maximum(moved[-1] + point.setting, 1)
        else:
            moved = [np.floor((values - 1) * point.setting / 100).astype(int) + 1 for values in moved]
        layers = tuple(type(layer)(layer.signs, new) for layer, new in zip(network.layers, moved, strict=True))
        other = replace(network, layers=layers)
        figures = evaluation.figures(other, reference.run(other, images), labels)
        assert point.strict_accuracy == pytest.approx(figures.strict_accuracy)
        assert point.tie_lenient_accuracy == pytest.approx(figures.tie_lenient_accuracy)
        assert point.response_time == pytest.approx(figures.response_time)
        assert point.silent_share == pytest.approx(figures.silent_share)
        assert point.output_threshold == moved[-1].max()


def test_the_frontier_and_the_choice() -> None:
    def point(setting: int, strict: float, steps: float, silent: float) -> tuning.Point:
        return tuning.Point(setting, setting, strict, strict, steps, silent)

    points = [point(1, 0.5, 2.0, 0.0), point(2, 0.8, 4.0, 0.1), point(3, 0.7, 5.0, 0.2), point(4, 0.9, 9.0, 0.5)]
    assert tuning.choose(points).setting == 4
    assert tuning.choose(points, max_steps=8).setting == 2
    assert tuning.choose(points, max_silent=0.0).setting == 1
    assert tuning.choose(points, accuracy=0.6).setting == 2
    with pytest.raises(UserError, match=r"quickest takes 2.00 steps \(50.00%\).* reaches 90.00%"):
        tuning.choose(points, max_steps=1)


def test_no_point_of_the_frontier_is_beaten(network: Network) -> None:
    points = tuning.curve(network, *material())
    for point in points:
        beaten = any(
            other.response_time <= point.response_time and other.strict_accuracy > point.strict_accuracy
            for other in points
        )
        assert not (point.best and beaten)
    assert any(point.best for point in points)


def test_tune_by_the_command_line(network: Network, tmp_path: Path) -> None:
    path, out, csv = tmp_path / "n.bs4nn", tmp_path / "quick.bs4nn", tmp_path / "curve.csv"
    network_file.save(network, path)
    call = ("tune", path, "--max-steps", "8", "-o", out, "--csv", csv, "--json", "--quiet")
    done = run_tool(*call)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    written = network_file.load(out)
    assert said["chosen"]["response_time"] <= 8
    assert written.layers[-1].thresholds.max() == said["chosen"]["output_threshold"]
    assert written.description["test"] == said["test"]
    assert np.array_equal(written.layers[0].signs, network.layers[0].signs)
    assert len(csv.read_text().splitlines()) == len(said["points"]) + 1
    assert_refused(run_tool("tune", path, "-o", out), "--max-steps")
    assert_refused(run_tool("tune", path, "--max-steps", "0.01"), "the quickest takes")
    assert network_file.load(out).digest == written.digest


def right_answers(network: Network, images: np.ndarray, labels: np.ndarray) -> int:
    return int((reference.run(network, images).answer == labels).sum())


def with_thresholds(network: Network, thresholds: list[np.ndarray]) -> Network:
    layers = zip(network.layers, thresholds, strict=True)
    return replace(network, layers=tuple(Dense(layer.signs, values) for layer, values in layers))


def test_refining_ends_where_no_single_move_helps(network: Network) -> None:
    images, labels = material()
    heard: list[float] = []
    refined = tuning.refined(network, images, labels, on_move=heard.append)
    most = right_answers(refined, images, labels)
    assert most > right_answers(network, images, labels)
    assert heard == sorted(set(heard))
    assert heard[-1] == pytest.approx(most / len(labels))
    for mine, theirs in zip(refined.layers, network.layers, strict=True):
        assert np.array_equal(mine.signs, theirs.signs)
    hidden, outputs = (layer.thresholds.astype(np.int64) for layer in refined.layers)
    for step in (-1, 1):
        moves = [[hidden + step, outputs]] + [[hidden, outputs + step * one] for one in np.eye(10, dtype=np.int64)]
        for moved in moves:
            if min(values.min() for values in moved) >= 1:
                assert right_answers(with_thresholds(network, moved), images, labels) <= most


def test_refining_keeps_the_silent_share(network: Network) -> None:
    images, labels = material()

    def silent(one: Network) -> float:
        return float((reference.run(one, images).response_time == one.time_steps).mean())

    allowed = silent(network)
    assert silent(tuning.refined(network, images, labels)) > allowed  # or this would show nothing
    assert silent(tuning.refined(network, images, labels, allowed)) <= allowed
    louder = with_thresholds(network, [layer.thresholds + 30 * (layer.neurons == 10) for layer in network.layers])
    with pytest.raises(UserError, match="silent to begin with"):
        tuning.refined(louder, images, labels, allowed)


def test_refine_by_the_command_line(network: Network, tmp_path: Path) -> None:
    path, once, twice = tmp_path / "n.bs4nn", tmp_path / "once.bs4nn", tmp_path / "twice.bs4nn"
    network_file.save(network, path)
    done = run_tool("refine", path, "-o", once, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    written = network_file.load(once)
    assert said["validation"]["strict_accuracy"] > said["validation_before"]["strict_accuracy"]
    assert written.description["validation"] == said["validation"]
    assert said["digest"] == written.digest
    assert said["output_thresholds"] == written.layers[-1].thresholds.tolist()
    assert written.description["test"] == said["test"]
    # In the end nothing moves any more.
    assert run_tool("refine", once, "-o", twice).returncode == 0
    assert network_file.load(twice).digest == written.digest
    assert_refused(
        run_tool("refine", path, "-o", twice, "--dataset", "mnist", "--data-dir", tmp_path), "mnist", status=3
    )
