"""The header tells what the values of a sample are; names from other people's tables stay in their comment."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from conftest import random_network

from bs4nn_tc.device.codegen import pack, render
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.stages import Scale


def header(columns: list[str], scale: list[float]) -> str:
    stages = (Scale((0,), (100,), 8),)
    made = random_network(np.random.default_rng(0), (2, 8, 3), intensity_max=255)
    network = Network(made.layers, made.time_steps, input=Input((2,), 255, stages, "int16"))
    read = {"columns": columns, "scale": scale, "type": "int16", "shape": [2]}
    network = dataclasses.replace(network, data=TrainedOn("wine", reading=read))
    return render.render_network(network, pack.pack(network), "wine")["bs4nn_net_wine.h"]


@pytest.mark.parametrize(
    ("columns", "scale", "expected"),
    [
        (["alcohol", "hue"], [100.0, 1000.0], "alcohol x 100, hue x 1000"),
        (["alcohol", "hue"], [1.0], "alcohol, hue"),
        ([], [0.5], "a value of the data set x 0.5"),
        (["*/ int evil; /*", "a\nb\\"], [1.0, 2.0], "?? int evil? ??, a?nb? x 2"),
    ],
)
def test_units_of_values(columns: list[str], scale: list[float], expected: str) -> None:
    text = header(columns, scale)
    said = re.search(r"^ \*   values      (.*)$", text, re.MULTILINE)
    assert said is not None
    assert said[1] == expected
    assert text.count("*/") == header(["x", "y"], [1.0]).count("*/")


def test_values_that_nobody_can_name() -> None:
    assert "values      " not in header([], [1.0])
