"""The stages of an input on a device: how generated code calls them, and what that costs at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.stages import SquareMeans, Values

# Code of bs4nn_stages.c and of its calls: more than any core here needs, with -O2.
CODE_BYTES = 400


@dataclass(frozen=True)
class _InC:
    """A kind of stage in firmware/lib/bs4nn/src/bs4nn_stages.c.

    Attributes:
        function: its name; it takes a sample, where to put the pixels, which may be the sample itself, and ...
        arguments: ... these, of a stage and what goes into it.
        instructions: at the most, of the same; read off the compiled code.
    """

    function: str
    arguments: Callable[[Any, Values], tuple[int, ...]]
    instructions: Callable[[Any, Values, InstructionSet], int]


def _square_means(stage: SquareMeans, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a row of squares, a square, a line of a square and a value; squares of 2 x 2 in a way of their own."""
    once, row, square, line, value = (200, 25, 45, 20, 6) if instruction_set == "thumb-1" else (80, 20, 35, 12, 5)
    rows, columns = stage.after(values).shape
    squares = rows * columns
    if stage.side == 2:
        return once + row * rows + (22 if instruction_set == "thumb-1" else 17) * squares
    return once + row * rows + square * squares + line * squares * stage.side + value * values.count


_IN_C: Mapping[str, _InC] = {
    SquareMeans.kind: _InC("bs4nn_square_means", lambda stage, values: (*values.shape, stage.side), _square_means),
}


def calls(taken: Input) -> list[str]:
    """C that makes `pixels` of `sample`, one call a stage."""
    statements, source = [], "sample"
    for stage, values in zip(taken.stages, taken.passed, strict=False):
        in_c = _IN_C[stage.kind]
        numbers = ", ".join(map(str, in_c.arguments(stage, values)))
        statements.append(f"{in_c.function}({source}, pixels, {numbers});")
        source = "pixels"
    return statements


def values_written(taken: Input) -> int:
    """For how many values the pixels need room, while the stages are at work."""
    return max((values.count for values in taken.passed[1:]), default=0)


def instructions_at_most(taken: Input, instruction_set: InstructionSet) -> int:
    """Upper bound of the instructions of all stages."""
    return sum(
        _IN_C[stage.kind].instructions(stage, values, instruction_set)
        for stage, values in zip(taken.stages, taken.passed, strict=False)
    )
