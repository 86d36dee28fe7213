"""Stages for pictures: firmware/lib/bs4nn/src/bs4nn_stages_pictures.c."""

from __future__ import annotations

from collections.abc import Mapping

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.stages import SquareMeans, Values

_FILE = "bs4nn_stages_pictures"


def _square_means(stage: SquareMeans, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a row of squares, a square, a line of a square and a value; squares of 2 x 2 in a way of their own."""
    once, row, square, line, value = (200, 25, 45, 20, 6) if instruction_set == "thumb-1" else (80, 20, 35, 12, 5)
    rows, columns = stage.after(values).shape
    squares = rows * columns
    if stage.side == 2:
        return once + row * rows + (22 if instruction_set == "thumb-1" else 17) * squares
    return once + row * rows + square * squares + line * squares * stage.side + value * values.count


PICTURES: Mapping[str, InC] = {
    SquareMeans.kind: InC(
        file=_FILE,
        function="bs4nn_square_means",
        numbers=lambda stage, values: (*values.shape, stage.side),
        instructions=_square_means,
        code_bytes=350,
        in_place=True,
    ),
}
