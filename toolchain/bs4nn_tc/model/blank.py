"""A network that knows nothing, for a board that is to record the samples of which one will learn."""

from __future__ import annotations

import math

import numpy as np

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.limits import MAX_NEURONS
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.stages import Scale, Shape, shape_text

TIME_STEPS = 16


def blank(shape: Shape, kind: str, rate: int | None = None) -> Network:
    """Two classes, all signs +1; 16 bits become 8 by their upper half.

    Args:
        shape: of a sample.
        kind: of its values, "uint8" or "int16".
        rate: samples a second, if it is a sound.

    Raises:
        UserError: too many values, or a type that a sample cannot have.
    """
    values = math.prod(shape)
    if not 1 <= values <= MAX_NEURONS:
        raise UserError(f"samples of {shape_text(shape)} values; 1 to {MAX_NEURONS:,} are taken")
    stages = () if kind == "uint8" else (Scale((-32_768,), (1,), 8),)
    reading = None if rate is None else {"kind": "sounds", "type": kind, "shape": list(shape), "rate": rate}
    return Network(
        (Dense(np.ones((2, values), np.int8), np.array(1)),),
        TIME_STEPS,
        input=Input(shape, stages=stages, type=kind),
        data=None if reading is None else TrainedOn("blank", reading=reading),
    )
