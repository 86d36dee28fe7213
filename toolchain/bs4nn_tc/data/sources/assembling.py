"""From values, labels and groups, as a file has them, to a data set: for all kinds of sources alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data import splits
from bs4nn_tc.data.dataset import Dataset, check_size
from bs4nn_tc.data.sources import whole
from bs4nn_tc.data.sources.reading import Reading
from bs4nn_tc.model.limits import MAX_NEURONS

# Names where a value is, for messages: (part, sample, value) to text.
Where = Callable[[str, int, int], str]
# Of a class without test samples of its own: one to learn from, one to choose by, one to test with.
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class Part:
    """Samples as they are in files.

    Attributes:
        values: (N, values) numbers of any type.
        labels: (N,) whole numbers or texts.
        groups: (N,) whole numbers or texts; None where nobody knows.
    """

    values: NDArray[Any]
    labels: NDArray[Any]
    groups: NDArray[Any] | None = None

    def only(self, chosen: NDArray[np.bool_]) -> Part:
        """The samples that are chosen."""
        return Part(self.values[chosen], self.labels[chosen], None if self.groups is None else self.groups[chosen])


@dataclass(frozen=True)
class Facts:
    """What a source knows of its samples.

    Attributes:
        name: of the data set.
        shape: of a sample.
        reading: how they were read; type, scale and fill are found here where it does not have them.
        where: names a value in messages.
        class_names: one a class, in the order of rising labels; () where the labels are names enough.
        picture: samples are pictures, even if one of another shape would do for a table.
        hop, validation_count: see `Dataset`.
        notes: see `Dataset`.
    """

    name: str
    shape: tuple[int, ...]
    reading: Reading
    where: Where
    class_names: tuple[str, ...] = ()
    picture: bool = False
    hop: int | None = None
    validation_count: int = 0
    notes: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """Value i is one of feature i mod this: the channels of a recording, each value of a row."""
        return 1 if self.picture else self.shape[-1]


def assemble(facts: Facts, train: Part, test: Part | None) -> Dataset:
    """The data set: labels as classes, missing values dealt with, whole numbers, a test part if it has none.

    Raises:
        UserError: missing or infinite values that nobody has said what to do about, labels that are no classes, a class
            with too few samples.
    """
    check_size(facts.name, len(train.labels) + (len(test.labels) if test else 0), train.values.shape[1])
    both = [_without_missing(facts, "training " if test else "", train)]
    if test is not None:
        both.append(_without_missing(facts, "test ", test))
    train, test = both[0], both[1] if len(both) > 1 else None
    facts, labels = _as_classes(facts, [part.labels for part in both])
    groups = _numbered([part.groups for part in both])
    notes = list(facts.notes)
    if test is None:
        chosen, note = _test_part(facts, labels[0], groups[0])
        notes.append(note)
        test, train = train.only(chosen), train.only(~chosen)
        labels = [labels[0][~chosen], labels[0][chosen]]
        groups = [None if groups[0] is None else groups[0][part] for part in (~chosen, chosen)]
    _check_reading(facts)
    facts, train, test = _filled(facts, train, test)
    reading = facts.reading
    if not reading.scale:
        kind, scale = whole.type_and_scale(train.values, facts.features, facts.picture)
        reading = replace(reading, type=kind, scale=scale)
    reading = replace(reading, shape=facts.shape)
    return Dataset(
        facts.name,
        whole.apply(train.values, reading.type, reading.scale),
        labels[0],
        whole.apply(test.values, reading.type, reading.scale),
        labels[1],
        facts.shape,
        255,
        facts.class_names,
        # Without the samples that miss values nobody knows where those for validation begin.
        validation_count=facts.validation_count if reading.missing != "drop" else 0,
        notes=tuple(notes),
        groups=groups[0],
        test_groups=groups[1],
        stratified=True,
        reading=reading.json,
        hop=facts.hop,
    )


def _check_reading(facts: Facts) -> None:
    """Refuse a scale or fill, of a network's file for instance, that is of other features."""
    for name in ("scale", "fill"):
        known = len(getattr(facts.reading, name))
        if known and (facts.features % known or (name == "scale" and not facts.reading.type)):
            raise UserError(
                f"{facts.name} has {facts.features:,} features; the '{name}' it is to be read by has {known:,}"
            )


def _without_missing(facts: Facts, name: str, part: Part) -> Part:
    """The samples without those that miss values, or all of them if these are filled later; some are left.

    Args:
        name: of the part, and a space.
    """
    misses: NDArray[np.bool_] = ~np.isfinite(part.values)
    if misses.any() and facts.reading.missing == "drop":
        part = part.only(np.logical_not(misses.any(axis=1)))
    if not len(part.labels):
        raise UserError(f"{facts.name} has no {name}samples")
    if not misses.any() or facts.reading.missing is not None:
        return part
    sample, value = (int(place) for place in np.argwhere(misses)[0])
    what = "is missing" if np.isnan(part.values[sample, value]) else "is infinite"
    more = int(misses.sum()) - 1
    others = f", as are {more:,} more values" if more else ""
    raise UserError(
        f"{facts.where(name.strip(), sample, value)} {what}{others}; --missing median puts the median of the training "
        "samples there, --missing drop leaves such samples out"
    )


def _filled(facts: Facts, train: Part, test: Part) -> tuple[Facts, Part, Part]:
    """Medians of the training samples in place of missing values."""
    parts = (train, test)
    if facts.reading.missing != "median" or train.values.dtype.kind != "f":
        return facts, train, test
    fill = facts.reading.fill
    if not fill:
        rows = np.where(np.isfinite(train.values), train.values, np.nan).reshape(-1, facts.features)
        empty = np.flatnonzero(np.isnan(rows).all(axis=0))
        if empty.size:
            raise UserError(f"{facts.where('', 0, int(empty[0]))} and all like it have no value; leave them out")
        fill = tuple(np.nanmedian(rows.astype(np.float64), axis=0).tolist())
    train, test = (replace(part, values=with_fill(part.values, fill)) for part in parts)
    return replace(facts, reading=replace(facts.reading, fill=fill)), train, test


def with_fill(values: NDArray[Any], fill: Sequence[float]) -> NDArray[Any]:
    """(N, values) with `fill`, one a feature, in place of what is not finite."""
    every = np.tile(np.array(fill, values.dtype), values.shape[1] // len(fill))
    return np.where(np.isfinite(values), values, every)


def _as_classes(facts: Facts, labels: list[NDArray[Any]]) -> tuple[Facts, list[NDArray[np.int64]]]:
    """Labels as the numbers of classes 0, 1, ..., and the facts with names of these."""
    unique = [np.unique(part, return_inverse=True) for part in labels]
    texts = [list(map(as_text, values.tolist())) for values, _ in unique]
    present = _in_order({text for part in texts for text in part})
    classes = list(facts.reading.classes or _numbers_to(len(facts.class_names), present) or present)
    number = {text: place for place, text in enumerate(classes)}
    _check_classes(facts, classes, [text for text in present if text not in number])
    names = facts.class_names or tuple(name or "(empty)" for name in classes)
    reading = replace(facts.reading, classes=tuple(classes))
    return (
        replace(facts, class_names=names, reading=reading),
        [
            np.array([number[text] for text in part], np.int64)[inverse.reshape(-1)]
            for part, (_, inverse) in zip(texts, unique, strict=True)
        ],
    )


def _check_classes(facts: Facts, classes: list[str], strange: list[str]) -> None:
    """Refuse labels that are none of the classes, too many classes, and names that are not as many."""
    if strange:
        raise UserError(
            f"{facts.name} has the label '{printable(strange[0], 40)}', which is none of the {len(classes):,} classes "
            f"({printable(', '.join(classes), 80)})"
        )
    if len(classes) > MAX_NEURONS:
        raise UserError(
            f"{facts.name} has {len(classes):,} different labels; at most {MAX_NEURONS:,} classes are taken: are they "
            "classes at all?"
        )
    if facts.class_names and len(facts.class_names) != len(classes):
        raise UserError(f"{facts.name} has {len(facts.class_names):,} class_names for {len(classes):,} classes")


def _numbers_to(count: int, present: list[str]) -> list[str]:
    """0 .. count - 1, if the labels are some of these: a class of which there is no sample has a name, too."""
    numbers = [str(number) for number in range(count)]
    return numbers if set(present) <= set(numbers) else []


def as_text(label: Any) -> str:
    """A label as a text: 3, 3.0 and "3" are the same."""
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace").strip()
    if isinstance(label, str):
        return label.strip()
    return str(int(label)) if float(label).is_integer() else str(label)


def _in_order(labels: set[str]) -> list[str]:
    """Numbers by their size, texts as people sort them."""
    try:
        return sorted(labels, key=lambda text: (float(text), text))
    except ValueError:
        return sorted(labels, key=natural)


def natural(name: str) -> tuple[list[tuple[bool, float, str]], str]:
    """A key to sort names by: 2 before 10."""
    pieces = re.split(r"([0-9]+)", name)
    numbers = [(True, 0.0, piece) if i % 2 == 0 else (False, float(piece), "") for i, piece in enumerate(pieces)]
    return [number for number in numbers if number != (True, 0.0, "")], name


def _numbered(groups: list[NDArray[Any] | None]) -> list[NDArray[np.int64] | None]:
    """Groups as numbers, the same ones in all parts; None in all where there is but one group."""
    known = [part for part in groups if part is not None]
    if len(known) < len(groups):
        return [None] * len(groups)
    names, numbers = np.unique(np.concatenate([part.astype(str) for part in known]), return_inverse=True)
    if len(names) < 2:
        return [None] * len(groups)
    return list(np.split(numbers.astype(np.int64), np.cumsum([len(part) for part in known])[:-1]))


def _test_part(
    facts: Facts, labels: NDArray[np.int64], groups: NDArray[np.int64] | None
) -> tuple[NDArray[np.bool_], str]:
    """Which samples are test samples, and a note on them."""
    counts = np.bincount(labels, minlength=len(facts.class_names))
    rare = np.flatnonzero((counts > 0) & (counts < _FEWEST))
    if rare.size:
        one = rare[0]
        raise UserError(
            f"{facts.name}: the class '{printable(facts.class_names[one], 40)}' has {counts[one]} "
            f"sample{'s' * int(counts[one] != 1)}; at least {_FEWEST} are needed (to learn from, to choose by, to test "
            "with): add some, or leave the class out"
        )
    chosen = splits.held_out(labels, groups, splits.TEST_PARTS)
    by_groups = groups is not None and not set(groups[chosen].tolist()) & set(groups[~chosen].tolist())
    what = f"{len(set(groups[chosen].tolist()))} whole groups" if by_groups and groups is not None else "of every class"
    return chosen, f"it has no test samples of its own: {chosen.sum():,} of {len(labels):,} are held out, {what}"
