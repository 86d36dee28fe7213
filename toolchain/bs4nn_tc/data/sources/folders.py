"""Folders with one folder a class, of files of one kind: which files belong to which class and part."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import TAKEN
from bs4nn_tc.data.sources.assembling import Part, natural

_ROLES = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}
# Left behind by file managers and archives, beside everything that begins with a dot.
_LITTER = ("__macosx", "thumbs.db", "desktop.ini")
# One to learn from, one to choose by, one to test with.
_FEWEST = 3


@dataclass(frozen=True)
class Kind:
    """What is looked for.

    Attributes:
        name: of one of them, for messages.
        endings: of the names of such files.
    """

    name: str
    endings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Listed:
    """The files of a data set.

    Attributes:
        files: all of them, part by part, mixed within a part.
        labels: (N,) the class of each.
        classes: names.
        counts: files by part: "training", "validation" and "test", or "all".
        notes: what whoever uses them should know.
    """

    files: list[Path]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]

    @property
    def names(self) -> NDArray[np.str_]:
        """(N,) the class of each by its name."""
        return np.array(self.classes)[self.labels]

    @property
    def has_test(self) -> bool:
        """Whether some of them are for testing."""
        return "test" in self.counts

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """(N,) bool: those that lie in the part for testing."""
        return np.arange(len(self.labels)) >= len(self.labels) - self.counts.get("test", 0)


def parts_of(listed: Listed, samples: Part) -> tuple[Part, Part | None]:
    """Samples to learn from and to test with; None where nobody has said which these are."""
    if not listed.has_test:
        return samples, None
    return samples.only(~listed.is_test), samples.only(listed.is_test)


def groups_of(
    folder: Path, files: Sequence[Path], pattern: str | None, known: Sequence[re.Pattern[str]] = ()
) -> NDArray[np.str_] | None:
    """(N,) whose each file is, by the first group of a pattern in its path within the folder; None where nobody knows.

    Args:
        folder: of the data set.
        files: in it.
        pattern: a regular expression; None to try those that are known.
        known: with a group `group`, for whole paths; taken is one that all of them match.

    Raises:
        UserError: no such pattern, or one that a path does not match.
    """
    names = [path.relative_to(folder).as_posix() for path in files]
    if pattern is not None:
        wanted = _expression(pattern)
        found = [wanted.search(name) for name in names]
        for name, one in zip(names, found, strict=True):
            if one is None:
                raise UserError(f"--group {printable(pattern, 60)} finds nothing in '{printable(name, 120)}'")
        return np.array([one[1] or "" for one in found if one])
    for whole_path in known:
        matches = [whole_path.fullmatch(name) for name in names]
        if all(matches):
            return np.array([match["group"] for match in matches if match])
    return None


# Beyond these a search may take for ever, and a pattern may come from a network file of anybody's.
_REPEAT, _REPEATED_GROUP, _MOST_REPEATS = re.compile(r"(?<!\\)[*+{]"), re.compile(r"\)[*+{]"), 3


def _expression(pattern: str) -> re.Pattern[str]:
    """The regular expression of `--group`, with a group, that is searched for in little time."""
    try:
        wanted = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"--group {printable(pattern, 60)} is no regular expression: {error}") from error
    if len(_REPEAT.findall(pattern)) > _MOST_REPEATS or _REPEATED_GROUP.search(pattern):
        raise UserError(
            f"--group {printable(pattern, 60)} repeats a group, or has more than {_MOST_REPEATS} of *, + and {{: "
            "searching for it might take for ever; write a simpler one"
        )
    if not wanted.groups:
        raise UserError(f"--group {printable(pattern, 60)} has no group: put ( ) around what tells them apart")
    return wanted


# Files that are looked at before it is said what kind of folder it is.
_LOOKED_AT = 1000


def kind_of(folder: Path, kinds: Sequence[Kind]) -> Kind:
    """What most of a folder's files are, those in its folders included; the first kind if there are none."""
    found: Counter[str] = Counter()
    with disk_errors(folder, "read"):
        for number, (_, _, names) in enumerate(os.walk(folder)):
            found.update(Path(name).suffix.lower() for name in names if not _is_litter(name))
            if found.total() > _LOOKED_AT or number > _LOOKED_AT:
                break
    return max(kinds, key=lambda kind: sum(found[ending] for ending in kind.endings))


@dataclass
class _Found:
    """What has been found in a data set's folders.

    Attributes:
        files: path and label of every file, part by part, mixed within a part.
        unused: how many files of which ending were passed over.
    """

    files: list[tuple[Path, int]] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)


def listed(folder: Path, kind: Kind) -> Listed:
    """The files of CLASS/*, or of train/CLASS/* beside test/CLASS/*.

    Deeper folders belong to the class that they lie in. `val` beside both is for validation; where there is no `test`,
    it is for testing.

    Raises:
        UserError: no such folder or files, a class with too few of them.
    """
    parts, notes = _parts(folder)
    first = parts.get("training", folder)
    classes = _classes(first)
    found = _Found()
    counts: dict[str, int] = {}
    for role, part in (parts or {"all": folder}).items():
        extra = set(_classes(part)) - set(classes)
        if extra:
            raise UserError(f"{part} has a class '{min(extra)}' that {first} has not")
        _find(part, classes, found, kind)
        counts[role] = len(found.files) - sum(counts.values())
    if not found.files:
        raise UserError(f"{folder} holds no {kind.name}s ({', '.join(kind.endings)}); {TAKEN}")
    labels = np.array([label for _, label in found.files], np.int64)
    if "test" not in parts:
        _check_counts(folder, classes, labels, kind)
    if found.unused:
        unused = ", ".join(f"{count} {ending}" for ending, count in sorted(found.unused.items()))
        notes.append(f"files in {folder} that are no {kind.name}s of a class and are not used: {unused}")
    return Listed([path for path, _ in found.files], labels, tuple(classes), counts, tuple(notes))


# ---- Which folder is what ----


def _folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in the order of their names with numbers as numbers, without litter."""
    with disk_errors(folder, "read"):
        found = [path for path in folder.iterdir() if not _is_litter(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: natural(path.name))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def is_class_name(name: str) -> bool:
    """Whether a folder of that name is taken for a class."""
    return bool(name.strip()) and not _is_litter(name) and name.lower() not in _ROLES


def _parts(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders "training", "validation" and "test" of a data set that brings its split, in this order, and notes.

    Nothing if the folder's folders are classes.
    """
    parts, others = _roles(folder)
    if "training" not in parts:
        for path in parts.values():
            if _folders_in(path):
                raise UserError(f"{folder} has '{path.name}' with classes in it, but no 'train' beside it")
        return {}, []
    if len(parts) == 1 and (others or not _folders_in(parts["training"])):
        return {}, []
    notes = [f"{folder} is split into {', '.join(path.name for path in parts.values())}; not used: {', '.join(others)}"]
    notes = notes if others else []
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append(f"{folder} has no 'test'; the images in '{parts['test'].name}' are its test images")
    return {role: parts[role] for role in ("training", "validation", "test") if role in parts}, notes


def _roles(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders that are called like a part of a data set, by what they are for, and the names of all others."""
    parts: dict[str, Path] = {}
    others = []
    for path in _folders_in(folder):
        role = _ROLES.get(path.name.lower())
        if role is None:
            others.append(path.name)
        elif role in parts:
            raise UserError(f"{folder} has '{parts[role].name}' and '{path.name}' for the same; leave one of them")
        else:
            parts[role] = path
    return parts, others


def _classes(folder: Path) -> list[str]:
    """Names of the classes in a part."""
    folders = _folders_in(folder)
    if not folders:
        raise UserError(f"{folder} is no data set, for it holds no folders of files by class; {TAKEN}")
    if len(folders) == 1:
        deeper = f"; if the folders in it are the classes, give {folders[0]}" if _folders_in(folders[0]) else ""
        raise UserError(f"{folder} has 1 class, '{folders[0].name}'; at least 2 are needed{deeper}")
    return [path.name for path in folders]


def _check_counts(folder: Path, classes: list[str], labels: NDArray[np.int64], kind: Kind) -> None:
    for name, count in zip(classes, np.bincount(labels, minlength=len(classes)), strict=True):
        if count < _FEWEST:
            raise UserError(
                f"{folder}: the class '{name}' has {count} {kind.name}s; at least {_FEWEST} are needed "
                "(to learn from, to choose by, to test with): add some, or leave the class out"
            )


# ---- Files ----


def _find(part: Path, classes: list[str], found: _Found, kind: Kind) -> None:
    """Add the files of a part, in an order that mixes the classes and is the same everywhere."""
    with disk_errors(part, "read"):
        present = {path.name: path.is_dir() for path in part.iterdir() if not _is_litter(path.name)}
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        if present.get(name):
            files += [(path, label) for path in _files_below(part / name, found, kind)]
    found.unused.update(Path(name).suffix.lower() or name for name, is_folder in present.items() if not is_folder)
    files.sort(key=lambda item: hashlib.sha256(os.fsencode(item[0].relative_to(part).as_posix())).digest())
    found.files += files


def _files_below(folder: Path, found: _Found, kind: Kind) -> Iterator[Path]:
    """The files in a class's folder and in the folders in it; links to folders may lead anywhere, even around."""
    folders = [folder]
    while folders:
        here = folders.pop()
        with disk_errors(here, "read"), os.scandir(here) as entries:
            listed = [
                (here / one.name, one.is_dir(follow_symlinks=False)) for one in entries if not _is_litter(one.name)
            ]
        for path, is_folder in listed:
            if is_folder:
                folders.append(path)
            elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a link leads to itself
                found.unused["link to a folder"] += 1
            elif path.suffix.lower() in kind.endings:
                yield path
            else:
                found.unused[path.suffix.lower() or path.name] += 1
