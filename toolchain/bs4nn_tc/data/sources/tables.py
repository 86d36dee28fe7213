"""Tables in text files, CSV and its kin: a sample a row, its class in one of the columns.

Whatever separates columns (comma, semicolon, tab, bar, spaces), with a row of names or without, UTF-8, UTF-16 or
Latin-1. A file is read row by row, so that one that is too large is refused before it fills the memory.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import opened
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.data.sources import whole
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble, with_fill
from bs4nn_tc.data.sources.reading import TABLE, Reading
from bs4nn_tc.model.limits import MAX_NEURONS

ENDINGS = (".csv", ".tsv", ".txt", ".data")
# Values of a table: 400 MB while it is read, 4 bytes each.
MAX_VALUES = 100_000_000
_SEPARATORS = (",", ";", "\t", "|", " ")
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-"))
# Names, in lower case, of the column with classes, of one that says whose a sample is, of one that counts rows.
_LABELS = ("label", "labels", "class", "target", "species", "activity", "y")
_GROUPS = ("group", "groups")
_COUNTERS = ("", "unnamed: 0")
_TIMES = (*_COUNTERS, "t", "time", "timestamp", "ms", "time_ms", "step", "index")
_PIXEL = re.compile(r"(pixel|px|p)[ _-]?[0-9]+|[0-9]+x[0-9]+", re.IGNORECASE)
# Rows that become an array at once, and bytes that say how long rows are.
_PIECE, _LOOKED_AT = 2048, 65_536


@dataclass(frozen=True)
class _Layout:
    """What a file's first rows say of it.

    Attributes:
        separator: between two columns.
        names: of all columns; () without a row of names.
        width: number of columns.
        label, group: places of the columns with classes and groups; None where there are none.
        features: places of all other columns but one that counts rows.
    """

    separator: str
    names: tuple[str, ...]
    width: int
    label: int | None
    group: int | None
    features: tuple[int, ...]

    def name(self, place: int) -> str:
        """What to call a column in messages."""
        return f"column '{printable(self.names[place], 60)}'" if self.names else f"column {place + 1}"


@dataclass(frozen=True, eq=False)
class _Rows:
    """A file's content.

    Attributes:
        layout: of the file.
        values: (rows, features) float32.
        labels, groups: one a row; empty where there are none.
        lines: the number of each row's line, from 1 on.
    """

    layout: _Layout
    values: NDArray[np.float32]
    labels: list[str]
    groups: list[str]
    lines: list[int]


def is_folder(folder: Path) -> bool:
    """Whether it holds tables to learn from and to test with."""
    return "train" in _parts(folder)


def _parts(folder: Path) -> dict[str, Path]:
    """The files called train and test."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a folder above cannot be searched
        return {}
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]
    return {path.stem.lower(): path for path in files if path.stem.lower() in ("train", "test")}


def load(path: Path, reading: Reading) -> Dataset:
    """A table, or a folder of train.csv and test.csv.

    Raises:
        UserError: no such column, text where numbers are, missing values that nobody has said what to do about, rows of
            different length, more values than are read.
    """
    files = _parts(path) or {"train": path}
    reading = reading.of_kind(TABLE)
    read = {part: _read(file, reading, _layout(file, reading)) for part, file in files.items()}
    train = read["train"]
    if any(rows.layout != train.layout for rows in read.values()):
        raise UserError(
            f"{files['test']} has other columns than {files['train']}; the same in the same order are needed"
        )
    names = tuple(train.layout.names[place] for place in train.layout.features) if train.layout.names else ()
    said = {"training": "train", "test": "test", "": "train"}

    def where(part: str, sample: int, value: int) -> str:
        rows, file = read[said[part]], files[said[part]]
        return f"{file}, line {rows.lines[sample]}, {rows.layout.name(rows.layout.features[value])}"

    side = math.isqrt(len(names))
    picture = side * side == len(names) > 1 and all(map(_PIXEL.fullmatch, names))
    shape = (side, side) if picture else (train.values.shape[1],)
    facts = Facts(str(path), shape, replace(reading, columns=names), where, picture=picture)
    parts = {
        part: Part(rows.values, np.array(rows.labels), np.array(rows.groups) if rows.groups else None)
        for part, rows in read.items()
    }
    return assemble(facts, parts["train"], parts.get("test"))


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(N, values) samples, one a row; a column of classes may be there or not.

    Raises:
        UserError: as for `load`, or columns that the samples of the data set have are not there.
    """
    layout = _layout(path, reading)
    names, count = layout.names, math.prod(reading.shape)
    if reading.columns and names:
        missing = [name for name in reading.columns if name not in names]
        if missing:
            raise UserError(f"{path} has no column '{printable(missing[0], 60)}', which the network's samples have")
        features = tuple(names.index(name) for name in reading.columns)
    else:
        features = tuple(range(layout.width)) if layout.width == count else layout.features
    if len(features) != count:
        raise UserError(f"{path} has {len(features):,} values a row; {count:,} are needed")
    rows = _read(path, reading, replace(layout, label=None, group=None, features=features))
    values = rows.values
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        if not reading.fill:
            raise UserError(f"{path}, line {rows.lines[row]}: value {column + 1} is missing")
        values = with_fill(values, reading.fill)
    return whole.apply(values, reading.type, reading.scale)


def channels_of(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32], list[int]]:
    """A recording: the names of its channels, () without a row of names, (steps, channels), and each step's line.

    A first column that counts steps, or says their time, is no channel.

    Raises:
        UserError: as for `load`.
    """
    layout = _layout(path, Reading())
    timed = bool(layout.names) and layout.names[0].strip().lower() in _TIMES and layout.width > 1
    features = tuple(range(int(timed), layout.width))
    rows = _read(path, Reading(), replace(layout, label=None, group=None, features=features))
    return tuple(layout.names[place] for place in features) if layout.names else (), rows.values, rows.lines


# ---- rows ----


@contextlib.contextmanager
def _text_of(path: Path) -> Iterator[io.TextIOWrapper]:
    """The file as text: UTF-16 or UTF-8 by its mark; bytes that are no UTF-8 are kept for `_clean`."""
    with opened(path) as file:
        encoding = "utf-16" if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        yield io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")


def _clean(cell: str) -> str:
    """A cell as people see it; what is no UTF-8 is Latin-1."""
    try:
        cell.encode()
    except UnicodeEncodeError:
        cell = cell.encode("utf-8", "surrogateescape").decode("latin-1")
    return cell.strip()


def _rows(path: Path, text: io.TextIOWrapper, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its line, cells) of every row that is not empty."""
    lines = (line.strip(" \r\n") for line in text) if separator == " " else text
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
    except (csv.Error, UnicodeError) as error:
        raise UserError(
            f"{path}, line {reader.line_num + 1}: {printable(error, 120)}; is it a table of text?"
        ) from error


def _separator_of(path: Path) -> str:
    """What gives each of the first rows the most columns: names have blanks and commas in them, too."""
    with _text_of(path) as text:
        try:
            lines = text.read(_LOOKED_AT).splitlines()
        except UnicodeError as error:
            raise UserError(f"{path} is no text ({printable(error, 120)})") from error
    first = list(itertools.islice((line.strip() for line in lines if line.strip()), 3))
    if not first or "\0" in first[0]:
        raise UserError(f"{path} is {'no text' if first else 'empty'}; a table of text is needed, one sample a row")

    def fewest(separator: str) -> int:
        return min(len(cells) for cells in csv.reader(first, delimiter=separator, skipinitialspace=True))

    return max(_SEPARATORS, key=fewest)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _layout(path: Path, reading: Reading) -> _Layout:
    """What the first rows say."""
    separator = _separator_of(path)
    with _text_of(path) as text:
        rows = [[*map(_clean, cells)] for _, cells in itertools.islice(_rows(path, text, separator), 2)]
    if not rows:
        raise UserError(f"{path} has no rows of values")
    first = rows[0]
    names = tuple(first) if _are_names(first, rows[-1], reading.label) else ()
    places = set(range(len(first)))
    if len(places) > MAX_NEURONS:
        raise UserError(f"{path} has {len(places):,} columns; a network takes at most {MAX_NEURONS:,} values")
    label = _place_or_known(path, names, len(first), reading.label, _LABELS)
    label = len(first) - 1 if label is None else label
    group = _place_or_known(path, names, len(first), reading.group, _GROUPS)
    if names and names[0].lower() in _COUNTERS:
        places.discard(0)
    return _Layout(separator, names, len(first), label, group, tuple(sorted(places - {label, group})))


def _are_names(first: list[str], second: list[str], label: str | None) -> bool:
    """Whether the first row names the columns.

    It has a text where the row below has a number, or the name of a column that is looked for.
    """
    beside_numbers = any(
        not _is_number(one) and one.lower() not in _MISSING and _is_number(other)
        for one, other in zip(first, second, strict=False)
    )
    texts = {one.lower() for one in first if not _is_number(one)}
    return beside_numbers or bool({*_LABELS, (label or "label").lower()} & texts)


def _place_or_known(
    path: Path, names: tuple[str, ...], width: int, said: str | None, known: tuple[str, ...]
) -> int | None:
    """The place of the column that a user says, or else of the first of the known names that there is."""
    if said:
        return _place(path, names, width, said)
    lower = [name.lower() for name in names]
    return next((lower.index(name) for name in known if name in lower), None)


def _place(path: Path, names: tuple[str, ...], width: int, said: str) -> int:
    """The place of the column that a user names, or gives the number of, from 1 on."""
    lower = [name.lower() for name in names]
    if said.lower() in lower:
        return lower.index(said.lower())
    if re.fullmatch(r"[0-9]{1,9}", said) and 1 <= int(said) <= width:
        return int(said) - 1
    there = printable(", ".join(names), 120) if names else f"columns 1 to {width}"
    raise UserError(f"{path} has no column '{printable(said, 60)}'; there are {there}")


def _read(path: Path, reading: Reading, layout: _Layout) -> _Rows:
    """All rows of a file."""
    if not layout.features:
        raise UserError(
            f"{path} has {layout.width} column{'s' * (layout.width > 1)} and none with values beside the classes"
        )
    _check_size(path, len(layout.features))
    whole_rows, labels, groups, lines = [], [], [], []
    piece: list[list[str]] = []
    with _text_of(path) as text:
        rows = _rows(path, text, layout.separator)
        if layout.names:
            next(rows)
        for line, cells in rows:
            if len(cells) != layout.width:
                raise UserError(f"{path}, line {line} has {len(cells):,} cells; the first row has {layout.width:,}")
            if layout.label is not None:
                label = _clean(cells[layout.label])
                if not label and reading.missing != "drop":
                    raise UserError(f"{path}, line {line} has no class; --missing drop leaves such samples out")
                if not label:
                    continue
                labels.append(label)
            if layout.group is not None:
                groups.append(_clean(cells[layout.group]))
            lines.append(line)
            piece.append([cells[place] for place in layout.features])
            if len(piece) == _PIECE:
                whole_rows.append(_numbers(path, layout, piece, lines[-len(piece) :]))
                piece = []
                if len(lines) * len(layout.features) > MAX_VALUES:
                    raise UserError(_too_many(path, f"more than {len(lines):,}", len(layout.features)))
    if piece:
        whole_rows.append(_numbers(path, layout, piece, lines[-len(piece) :]))
    if not lines:
        raise UserError(f"{path} has no rows of values")
    return _Rows(layout, np.concatenate(whole_rows), labels, groups, lines)


def _check_size(path: Path, features: int) -> None:
    """Refuse a file by its length, if its first rows are like all others."""
    with opened(path) as file:
        length = os.fstat(file.fileno()).st_size
        start = file.read(_LOOKED_AT)
    rows = int(length / len(start) * max(1, start.count(b"\n")))
    if rows * features > 1.5 * MAX_VALUES:
        raise UserError(_too_many(path, f"about {rows:,}", features))


def _too_many(path: Path, rows: str, features: int) -> str:
    return f"{path} has {rows} rows of {features:,} values; at most {MAX_VALUES:,} values are read: take fewer rows"


def _numbers(path: Path, layout: _Layout, rows: list[list[str]], lines: list[int]) -> NDArray[np.float32]:
    """(rows, features) of their cells; NaN where one is missing."""
    with contextlib.suppress(ValueError):
        return np.fromiter(map(float, itertools.chain.from_iterable(rows)), np.float32).reshape(len(rows), -1)
    numbers = np.empty((len(rows), len(layout.features)), np.float32)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            text = _clean(cell)
            if text.lower() in _MISSING:
                numbers[row, column] = np.nan
                continue
            try:
                numbers[row, column] = float(text.replace(",", ".") if layout.separator != "," else text)
            except ValueError as error:
                place = layout.features[column]
                said = layout.names[place] if layout.names else place + 1
                raise UserError(
                    f"{path}, line {lines[row]}, {layout.name(place)} holds '{printable(text, 40)}', which is no "
                    f"number; if it holds the classes, --label {printable(said, 60)}; else write numbers or drop it"
                ) from error
    return numbers
