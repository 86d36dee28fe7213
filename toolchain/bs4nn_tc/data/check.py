"""A look at a data set before anything is learned from it: what it is, and what will spoil what is learned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.data.sources.reading import PICTURES, RECORDINGS, SOUNDS
from bs4nn_tc.model.stages import TYPES, shape_text

# The commonest class has so many times the samples of the rarest: accuracy says little of that one.
_UNEVEN = 5.0
# Fewer training samples of a class, or of all classes, are few.
_FEW_OF_A_CLASS, _FEW = 20, 600
# Share of values beyond what training samples have, or at the end of their type, from which on it is said.
_BEYOND = 0.01


@dataclass(frozen=True)
class Finding:
    """Something that spoils what is learned, or how well it is known.

    Attributes:
        kind: a short name that stays.
        text: what, how much, and the remedy, in one line.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Look:
    """What has been seen.

    Attributes:
        facts: plain values, for JSON.
        findings: the worst first.
    """

    facts: dict[str, Any]
    findings: list[Finding]

    @property
    def summary(self) -> str:
        """The facts in one line."""
        facts = self.facts
        sizes = [one["training"] + one["validation"] + one["test"] for one in facts["classes"].values()]
        several = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{sizes[0]:,}"
        return (
            f"{facts['training']:,} samples to learn from, {facts['validation']:,} to choose by, {facts['test']:,} to "
            f"test with; {len(sizes):,} classes of {several}; {facts['shape']} values of {facts['type']}, "
            f"{facts['lowest']:,} to {facts['highest']:,}"
        )


def look(dataset: Dataset) -> Look:
    """Look at samples as they are before any stage."""
    taken = dataset if dataset.samples is None else dataset.samples
    findings = [
        *_repeated(taken),
        *_groups(taken),
        *_empty(taken),
        *_classes(taken),
        *_features(taken),
        *_polarity(dataset),
    ]
    return Look(_facts(taken), findings)


def _facts(taken: Dataset) -> dict[str, Any]:
    parts = {
        "training": taken.training()[1],
        "validation": taken.validation()[1],
        "test": taken.test_labels,
    }
    counts = {name: np.bincount(labels, minlength=len(taken.class_names)) for name, labels in parts.items()}
    classes: dict[str, dict[str, int]] = {}
    for number, name in enumerate(taken.class_names):
        # Two names may be shown alike.
        shown = name if name not in classes else f"{name} ({number})"
        classes[shown] = {part: int(count[number]) for part, count in counts.items()}
    groups = None if taken.groups is None else len(np.unique(taken.groups))
    return {
        "name": taken.name,
        **{name: len(labels) for name, labels in parts.items()},
        "shape": shape_text(taken.image_shape),
        "type": str(taken.train_images.dtype),
        "lowest": int(taken.train_images.min()),
        "highest": int(taken.train_images.max()),
        "ink": taken.polarity,
        "groups": groups,
        "folds": len(taken.folds()),
        "split": taken.split_digest,
        "classes": classes,
        "features": _ranges(taken),
    }


def _ranges(taken: Dataset) -> list[dict[str, Any]]:
    """Of each feature its name, lowest, median and highest value as in the files; empty for pictures and sounds."""
    reading = taken.reading or {}
    if reading.get("kind") in (None, PICTURES, SOUNDS) or taken.ground is not None:
        return []
    features = taken.image_shape[-1]
    names = reading.get("columns") or [str(number) for number in range(1, features + 1)]
    scale = np.resize(np.array(reading.get("scale", [1.0])), features)
    rows = taken.train_images.reshape(-1, features)
    values = [one / scale for one in (rows.min(axis=0), np.median(rows, axis=0), rows.max(axis=0))]
    return [
        {"name": printable(names[number], 60), "lowest": low, "median": middle, "highest": high}
        for number, (low, middle, high) in enumerate(zip(*(one.tolist() for one in values), strict=True))
    ]


def _keys(samples: NDArray[Any]) -> list[bytes]:
    return [hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in np.ascontiguousarray(samples)]


def _repeated(taken: Dataset) -> list[Finding]:
    """Samples that are there more than once, where that makes figures too good or learning impossible."""
    labels: dict[bytes, int] = {}
    other_class, found = 0, []
    for key, label in zip(_keys(taken.train_images), taken.train_labels.tolist(), strict=True):
        other_class += labels.setdefault(key, label) != label
    both = sum(key in labels for key in _keys(taken.test_images))
    if both:
        found.append(
            Finding(
                "in both parts",
                f"{both:,} of {len(taken.test_labels):,} test samples are training samples, too: accuracy on test "
                "samples comes out too high; remove them from one of the two parts",
            )
        )
    if other_class:
        found.append(
            Finding(
                "two classes",
                f"{other_class:,} training samples are the same as one of another class; look at their labels, or "
                "bring more values that tell them apart",
            )
        )
    return found


def _groups(taken: Dataset) -> list[Finding]:
    """Whether whoever is tested with has been learned from."""
    kind = (taken.reading or {}).get("kind")
    if taken.groups is None:
        if kind == SOUNDS:
            text = "nothing says whose voice a sound is, so that one speaker may be learned from and tested with: name "
            return [Finding("no groups", f"{text}speakers with --group PATTERN, or new ones will be heard worse")]
        return []
    found = []
    both = set(taken.groups.tolist()) & set([] if taken.test_groups is None else taken.test_groups.tolist())
    if both:
        what = f"{len(both):,} of {len(np.unique(taken.groups)):,} groups have training and test samples"
        text = "accuracy for new ones will be lower than on the test samples; move each group to one of the parts"
        found.append(Finding("groups in both parts", f"{what}: {text}"))
    learned = np.zeros(len(taken.groups), bool)
    learned[taken.learned] = True
    torn = set(taken.groups[learned].tolist()) & set(taken.groups[~learned].tolist())
    if torn:
        text = "no group can be held out without losing a class, so that samples are: validation comes out too high; "
        found.append(Finding("torn groups", f"{text}bring every class from more {_of_groups(kind)}"))
    return found


def _of_groups(kind: str | None) -> str:
    return "recordings" if kind == RECORDINGS else "of them (speakers, persons, devices)"


def _empty(taken: Dataset) -> list[Finding]:
    """Samples in which nothing is."""
    found = []
    for part, images in (("training", taken.train_images), ("test", taken.test_images)):
        black = int((~images.any(axis=1)).sum())
        even = int((images.max(axis=1) == images.min(axis=1)).sum()) - black
        if black:
            text = f"{black:,} of {len(images):,} {part} samples are empty (every value is 0); look at them, or leave "
            found.append(Finding("empty", f"{text}them out"))
        if even:
            text = (
                f"{even:,} of {len(images):,} {part} samples have one and the same value everywhere; look at them, or "
            )
            found.append(Finding("even", f"{text}leave them out"))
    return found


def _classes(taken: Dataset) -> list[Finding]:
    """Classes of which there is too little."""
    counts = np.bincount(taken.train_labels, minlength=len(taken.class_names))
    rarest, commonest = int(counts.argmin()), int(counts.argmax())
    names = [printable(taken.class_names[one], 40) for one in (rarest, commonest)]
    found = []
    if counts[commonest] > _UNEVEN * counts[rarest]:
        found.append(
            Finding(
                "uneven",
                f"class '{names[1]}' has {counts[commonest]:,} training samples, '{names[0]}' has {counts[rarest]:,}; "
                "look at the balanced accuracy, and bring more of the rare ones",
            )
        )
    few = int((counts < _FEW_OF_A_CLASS).sum())
    if few or counts.sum() < _FEW:
        what = f"{few:,} of {len(counts):,} classes have less than {_FEW_OF_A_CLASS} training samples" if few else ""
        what = what or f"{counts.sum():,} training samples are few"
        found.append(
            Finding("few", f"{what}: figures vary by several points from split to split and seed to seed; bring more")
        )
    return found


def _features(taken: Dataset) -> list[Finding]:
    """Features that tell nothing, or the wrong thing; of pictures and sounds no single value matters."""
    kind = (taken.reading or {}).get("kind")
    found = []
    if kind not in (None, PICTURES, SOUNDS) and taken.ground is None:
        features = taken.image_shape[-1]
        rows = taken.train_images.reshape(-1, features)
        ranges = _ranges(taken)
        still = np.flatnonzero(rows.max(axis=0) == rows.min(axis=0))
        if still.size:
            names = ", ".join(ranges[one]["name"] for one in still[:5]) + ", ..." * (still.size > 5)
            found.append(Finding("constant", f"{still.size:,} features never change ({names}); leave them out"))
        if len(taken.image_shape) == 1 and len(rows) > 10:
            counting = np.flatnonzero((np.diff(rows.astype(np.int64), axis=0) > 0).all(axis=0))
            if counting.size:
                name = ranges[counting[0]]["name"]
                text = f"feature '{name}' rises from each sample to the next, as a number or time of the sample does"
                found.append(Finding("counts samples", f"{text}; leave it out if it is one"))
    lowest, highest = taken.train_images.min(axis=0), taken.train_images.max(axis=0)
    beyond = float(((taken.test_images < lowest) | (taken.test_images > highest)).mean())
    # Of samples alike, each has the lowest or the highest value of all by chance.
    by_chance = 2 / (len(taken.train_images) + 1)
    if kind is not None and beyond > _BEYOND + 2 * by_chance and taken.train_images.dtype != np.uint8:
        text = f"{beyond:.1%} of the test values are beyond those of all training samples; are the parts alike?"
        found.append(Finding("beyond", text))
    ends = TYPES[str(taken.train_images.dtype)]
    cut = float(((taken.train_images == ends[0]) | (taken.train_images == ends[1])).mean())
    if taken.train_images.dtype != np.uint8 and cut > _BEYOND:
        text = f"{cut:.1%} of the values are at the end of 16 bits: record them with less gain, or scale them down"
        found.append(Finding("clipped", text))
    return found


def _polarity(dataset: Dataset) -> list[Finding]:
    """Dark ink that nothing inverts."""
    if dataset.polarity != "dark" or dataset.stages:
        return []
    text = (
        "pictures have a light ground: if they show dark shapes on it, --invert yes makes these bright, on the device, "
    )
    return [Finding("dark ink", f"{text}too; a network learns bright ones better")]
