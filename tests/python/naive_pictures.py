"""The stages for pictures as SPEC.md has them, slowly and literally: lists, loops and fractions, no NumPy.

Pictures are lists of lines. Each function takes the stage, and what goes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

Picture = list[list[int]]


def nearest(number: Fraction) -> int:
    """To the nearest whole number, a half upwards."""
    return math.floor(number + Fraction(1, 2))


def grey(stage: Any, picture: list[list[list[int]]]) -> Picture:
    """Of bytes: rows of pixels of bytes."""

    def of(pixel: list[int]) -> int:
        if stage.format == "yuyv":
            return pixel[0]
        if stage.format == "rgb888":
            return nearest(Fraction(77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2], 256))
        high, low = pixel if stage.format == "rgb565" else reversed(pixel)
        bits = f"{high:08b}{low:08b}"
        red, green, blue = (int(part, 2) for part in (bits[:5], bits[5:11], bits[11:]))
        return nearest(Fraction(633 * red + 607 * green + 239 * blue, 256))

    return [[of(pixel) for pixel in line] for line in picture]


def crop(stage: Any, picture: Picture) -> Picture:
    lines = picture[stage.top : stage.top + stage.rows]
    return [line[stage.left : stage.left + stage.columns] for line in lines]


def invert(highest: int, picture: Picture) -> Picture:
    return [[highest - value for value in line] for line in picture]


def resized(picture: Picture, rows: int, columns: int) -> Picture:
    """Every new value's mean over its rectangle, whose borders are fractions."""

    def cover(size: int, to: int, new: int) -> list[tuple[int, Fraction]]:
        begin, end = Fraction(new * size, to), Fraction((new + 1) * size, to)
        shares = [(old, min(end, Fraction(old + 1)) - max(begin, Fraction(old))) for old in range(size)]
        return [(old, share) for old, share in shares if share > 0]

    height, width = len(picture), len(picture[0])
    down = [cover(height, rows, y) for y in range(rows)]
    across = [cover(width, columns, x) for x in range(columns)]
    area = Fraction(height, rows) * Fraction(width, columns)
    return [[nearest(sum(picture[i][j] * p * q for i, p in ys for j, q in xs) / area) for xs in across] for ys in down]


def grounds(picture: Picture, side: int) -> dict[tuple[int, int], int]:
    """Of every cell by its row and column, from -1 to one too many."""
    rows, columns = math.ceil(len(picture) / side), math.ceil(len(picture[0]) / side)
    ground = {}
    for i in range(rows):
        for j in range(columns):
            cell = [v for line in picture[i * side : (i + 1) * side] for v in line[j * side : (j + 1) * side]]
            bright = [value for value in cell if value >= sum(cell) // len(cell)]
            ground[i, j] = sum(bright) // len(bright)

    def further() -> None:
        def on(last: int, before: int) -> int:
            return max(0, min(255, 2 * last - before))

        for j in range(columns):
            ground[-1, j] = on(ground[0, j], ground[1, j])
            ground[rows, j] = on(ground[rows - 1, j], ground[rows - 2, j])
        for i in range(-1, rows + 1):
            ground[i, -1] = on(ground[i, 0], ground[i, 1])
            ground[i, columns] = on(ground[i, columns - 1], ground[i, columns - 2])

    def around(i: int, j: int) -> list[int]:
        return [ground[place] for place in ((i + y, j + x) for y in (-1, 0, 1) for x in (-1, 0, 1)) if place in ground]

    further()
    ground = {place: max(around(*place)) for place in ground}
    inner = {(i, j): min(around(i, j)) for i in range(rows) for j in range(columns)}
    ground = inner
    further()
    return ground


def contrasts(picture: Picture) -> Picture:
    height, width = len(picture), len(picture[0])
    side = 1
    while 2 * side * 7 <= min(height, width):
        side *= 2
    gain = {place: 65_535 if one < 16 else 65_535 // (one + 1) for place, one in grounds(picture, side).items()}

    def of(y: int, x: int) -> int:
        down, across = Fraction(2 * y - side, 2 * side), Fraction(2 * x - side, 2 * side)
        i, j = math.floor(down), math.floor(across)
        p, q = down - i, across - j
        upper = gain[i, j] * (1 - q) + gain[i, j + 1] * q
        lower = gain[i + 1, j] * (1 - q) + gain[i + 1, j + 1] * q
        return max(0, 255 - (picture[y][x] + 1) * math.floor(upper * (1 - p) + lower * p) // 256)

    return [[of(y, x) for x in range(width)] for y in range(height)]


def ink(stage: Any, picture: Picture) -> Picture:
    nothing = [[0] * stage.columns for _ in range(stage.rows)]
    if stage.ink == "bright":
        picture = invert(255, picture)
    found = contrasts(picture)
    level = max(map(max, found))
    for _ in range(4):
        strong = [value for line in found for value in line if 2 * value >= level]
        level = sum(strong) // len(strong)
    if level < 32:
        return nothing
    speck = max(1, min(len(picture), len(picture[0])) // 30)

    def with_ink(lines: Picture) -> list[int]:
        marks = ["".join("#" if 2 * value >= level else "." for value in line) for line in lines]
        return [number for number, line in enumerate(marks) if "#" * speck in line]

    rows, columns = with_ink(found), with_ink([list(column) for column in zip(*found, strict=True)])
    if not rows or not columns:
        return nothing
    low, high = level // 4, level - level // 8
    part = [
        [
            min(max(value - low, 0), high - low) * stage.highest // (high - low)
            for value in line[columns[0] : columns[-1] + 1]
        ]
        for line in found[rows[0] : rows[-1] + 1]
    ]
    height, width = len(part), len(part[0])
    scale = min(Fraction(stage.box[0], height), Fraction(stage.box[1], width))
    small = resized(part, max(1, nearest(height * scale)), max(1, nearest(width * scale)))
    mass = sum(map(sum, small))
    if mass == 0:
        return nothing
    places = [(y, x, value) for y, line in enumerate(small) for x, value in enumerate(line)]
    middle = [math.floor(Fraction(256 * sum(place[axis] * place[2] for place in places), mass)) for axis in (0, 1)]
    room = (stage.rows - len(small), stage.columns - len(small[0]))
    top, left = (min(max((stage.centre[axis] - middle[axis]) // 256, 0), room[axis]) for axis in (0, 1))
    for y, x, value in places:
        nothing[top + y][left + x] = value
    return nothing


def _lines(values: list[Any], columns: int) -> list[list[Any]]:
    return [values[first : first + columns] for first in range(0, len(values), columns)]


# By kind: what a stage makes of a flat sample, of which `values` is known.
PICTURES: dict[str, Callable[[Any, Any, list[int]], Picture]] = {
    "grey": lambda stage, values, sample: grey(stage, _lines(_lines(sample, values.shape[2]), values.shape[1])),
    "crop": lambda stage, values, sample: crop(stage, _lines(sample, values.shape[1])),
    "resize": lambda stage, values, sample: resized(_lines(sample, values.shape[1]), stage.rows, stage.columns),
    "invert": lambda stage, values, sample: invert(values.highest, [sample]),
    "ink": lambda stage, values, sample: ink(stage, _lines(sample, values.shape[1])),
}


def run(stage: Any, values: Any, sample: list[int]) -> list[int]:
    """One stage, flat in and flat out."""
    return [value for line in PICTURES[stage.kind](stage, values, sample) for value in line]
