"""Stages for tables: firmware/lib/bs4nn/src/bs4nn_stages_tables.c.

Of the numbers of instructions each function says what they are of; a *row* are values of all features, one of each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC, Table
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.stages import Complement, OnOff, Quantiles, Scale, Thermometer, Values

_FILE = "bs4nn_stages_tables"


def _by_feature(name: str, *columns: tuple[int, ...]) -> Table:
    """A table of one line a feature, in which numbers above 32,767 are int16 of the same bits."""
    lines = np.array(columns).T.ravel().astype(np.uint16).view(np.int16)
    return Table(name, "int16_t", tuple(lines.tolist()))


def _levels(stage: Quantiles | Thermometer, values: Values) -> tuple[Table, ...]:
    return (Table("levels", "uint8_t" if values.type == "uint8" else "int16_t", stage.levels),)


def _numbers_of_levels(stage: Quantiles | Thermometer, values: Values) -> tuple[int, ...]:
    return values.count, stage.features, stage.count, values.dtype.itemsize


def _scale(stage: Scale, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a row, a value."""
    once, row, value = (40, 18, 37) if instruction_set == "thumb-1" else (40, 18, 27)
    return once + row * (values.count // len(stage.offset)) + value * values.count


def _on_off(stage: OnOff, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a row, a value."""
    once, row, value = (40, 20, 48) if instruction_set == "thumb-1" else (40, 22, 33)
    return once + row * (values.count // len(stage.centre)) + value * values.count


def _quantiles(stage: Quantiles, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a subtraction until less than the levels is left of 255, a row, a value, a level that it has reached."""
    once, part, row, value, level = (80, 13, 19, 23, 26) if instruction_set == "thumb-1" else (80, 6, 18, 20, 20)
    once += part * (255 // stage.count)
    return once + row * (values.count // stage.features) + (value + level * stage.count) * values.count


def _thermometer(stage: Thermometer, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a level, and for each of them a row and a value."""
    once, level, row, value = (60, 15, 23, 41) if instruction_set == "thumb-1" else (60, 14, 19, 30)
    return once + stage.count * (level + row * (values.count // stage.features) + value * values.count)


def _complement(stage: Complement, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a value."""
    del stage
    return 30 + (10 if instruction_set == "thumb-1" else 9) * values.count


TABLES: Mapping[str, InC] = {
    Scale.kind: InC(
        file=_FILE,
        function="bs4nn_scale",
        tables=lambda stage, values: (_by_feature("ranges", stage.offset, stage.multiplier),),
        numbers=lambda stage, values: (values.count, len(stage.offset), stage.shift, values.dtype.itemsize),
        instructions=_scale,
        code_bytes=180,
        in_place=True,
    ),
    OnOff.kind: InC(
        file=_FILE,
        function="bs4nn_on_off",
        tables=lambda stage, values: (_by_feature("centres", stage.centre, stage.above, stage.below),),
        numbers=lambda stage, values: (values.count, len(stage.centre), stage.shift, values.dtype.itemsize),
        instructions=_on_off,
        code_bytes=260,
    ),
    Quantiles.kind: InC(
        file=_FILE,
        function="bs4nn_quantiles",
        tables=_levels,
        numbers=_numbers_of_levels,
        instructions=_quantiles,
        code_bytes=270,
        in_place=True,
    ),
    Thermometer.kind: InC(
        file=_FILE,
        function="bs4nn_thermometer",
        tables=_levels,
        numbers=_numbers_of_levels,
        instructions=_thermometer,
        code_bytes=230,
    ),
    Complement.kind: InC(
        file=_FILE,
        function="bs4nn_complement",
        numbers=lambda stage, values: (values.count, values.highest),
        instructions=_complement,
        code_bytes=60,
        in_place=True,
    ),
}
