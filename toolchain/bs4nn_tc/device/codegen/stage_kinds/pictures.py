"""Stages for pictures: firmware/lib/bs4nn/src/bs4nn_stages_pictures.c."""

from __future__ import annotations

from collections.abc import Mapping

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC, Table
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.stages import Crop, Grey, Ink, Invert, Resize, Shape, SquareMeans, Values
from bs4nn_tc.model.stages.ink import cell_side, speck_length
from bs4nn_tc.model.stages.pictures import FORMATS

_FILE = "bs4nn_stages_pictures"


def _square_means(stage: SquareMeans, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a row of squares, a square, a line of a square and a value; squares of 2 x 2 in a way of their own."""
    once, row, square, line, value = (200, 25, 45, 20, 6) if instruction_set == "thumb-1" else (80, 20, 35, 12, 5)
    rows, columns = stage.after(values).shape
    squares = rows * columns
    if stage.side == 2:
        return once + row * rows + (22 if instruction_set == "thumb-1" else 17) * squares
    return once + row * rows + square * squares + line * squares * stage.side + value * values.count


def _grey(stage: Grey, values: Values, instruction_set: InstructionSet) -> int:
    """A pixel of 16 bits is taken apart; those of a byte a colour are less, and the Y of YUYV is copied."""
    pixel = {"yuyv": 8, "rgb888": 20}.get(stage.format, 38 if instruction_set == "thumb-1" else 28)
    return 60 + pixel * stage.after(values).count


def _resizing(old: Shape, new: Shape, instruction_set: InstructionSet) -> int:
    """A line, a value of it, a new value's share of a line, and a new value with its quotient."""
    line, value, share, made = (110, 18, 34, 150) if instruction_set == "thumb-1" else (90, 15, 28, 120)
    (rows, columns), (to_rows, to_columns) = old, new
    values = value * rows * columns + share * rows * to_columns + made * to_rows * to_columns
    return 100 + line * rows + 8 * to_columns + values


def _ink(stage: Ink, values: Values, instruction_set: InstructionSet) -> int:
    """Cells with their quotients, closing and gain; three looks at every line; all of the picture is ink."""
    once, cell, line, segment, value = (
        (16_000, 1_100, 450, 140, 145) if instruction_set == "thumb-1" else (13_000, 700, 350, 110, 120)
    )
    rows, columns = values.shape
    cells = _cells(values)
    across = -(-columns // cell_side(rows, columns)) + 1
    looks = line * rows + segment * across * rows + value * rows * columns
    laid = 40 * stage.rows * stage.columns
    return once + cell * cells + looks + laid + _resizing((rows, columns), stage.box, instruction_set)


def _cells(values: Values) -> int:
    """Cells of a picture in which ink is looked for, and one more all around."""
    side = cell_side(*values.shape)
    down, across = (-(-size // side) + 2 for size in values.shape)
    return down * across


def _words(count: int) -> int:
    return -(-count // 4) * 4


def _ink_scratch(stage: Ink, values: Values) -> int:
    """See bs4nn_ink(): cells, a line, and what is more of counts, runs, and intensities with a line of new values."""
    columns = values.shape[1]
    return _words(3 * _cells(values)) + _words(columns) + max(1024, _words(columns), 256 + 8 * stage.box[1])


def _ink_numbers(stage: Ink, values: Values) -> tuple[Table, ...]:
    """In the order of BS4NN_INK_BRIGHT and so on."""
    sides = values.shape
    how = (stage.ink == "bright", cell_side(*sides).bit_length() - 1, speck_length(*sides))
    where = (stage.rows, stage.columns, *stage.box, *stage.centre, stage.highest)
    return (Table("numbers", "uint16_t", (*map(int, how), *where)),)


PICTURES: Mapping[str, InC] = {
    SquareMeans.kind: InC(
        file=_FILE,
        function="bs4nn_square_means",
        numbers=lambda stage, values: (*values.shape, stage.side),
        instructions=_square_means,
        code_bytes=600,
        in_place=True,
    ),
    Grey.kind: InC(
        file=_FILE,
        function="bs4nn_grey",
        numbers=lambda stage, values: (stage.after(values).count, list(FORMATS).index(stage.format)),
        instructions=_grey,
        code_bytes=240,
        in_place=True,
    ),
    Crop.kind: InC(
        file=_FILE,
        function="bs4nn_crop",
        numbers=lambda stage, values: (
            *(values.shape[1], stage.top * values.shape[1] + stage.left),
            *(stage.rows, stage.columns),
        ),
        instructions=lambda stage, values, instruction_set: 50 + 15 * stage.rows + 8 * stage.after(values).count,
        code_bytes=60,
        in_place=True,
    ),
    Resize.kind: InC(
        file=_FILE,
        function="bs4nn_resize",
        numbers=lambda stage, values: (*values.shape, stage.rows, stage.columns),
        instructions=lambda stage, values, instruction_set: _resizing(
            values.shape, (stage.rows, stage.columns), instruction_set
        ),
        code_bytes=460,
        scratch_bytes=lambda stage, values: 8 * stage.columns,
    ),
    Invert.kind: InC(
        file=_FILE,
        function="bs4nn_invert",
        numbers=lambda stage, values: (values.count, values.highest),
        instructions=lambda stage, values, instruction_set: 60 + 8 * values.count,
        code_bytes=40,
        in_place=True,
    ),
    Ink.kind: InC(
        file=_FILE,
        function="bs4nn_ink",
        numbers=lambda stage, values: values.shape,
        instructions=_ink,
        code_bytes=3400,
        tables=_ink_numbers,
        scratch_bytes=_ink_scratch,
    ),
}
