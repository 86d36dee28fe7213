"""Folders of recordings of several channels, text files with one row a step, one folder a class; cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.dataset import Dataset, check_size
from bs4nn_tc.data.sources import folders, tables, whole
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble, with_fill
from bs4nn_tc.data.sources.reading import RECORDINGS, Reading

FILES = folders.Kind("recording", tables.ENDINGS)


def load(folder: Path, reading: Reading) -> Dataset:
    """A folder of recordings: CLASS/*.csv, or train/CLASS/*.csv beside test/CLASS/*.csv.

    Each is cut into windows of `reading.window` steps, one every `reading.hop` steps; by default the shortest recording
    is one window, and half a window is a hop. Windows of one recording belong together, as a group.

    Raises:
        UserError: as for `tables.load`, recordings of different channels, or too short ones.
    """
    listed = folders.listed(folder, FILES)
    reading = reading.of_kind(RECORDINGS)
    read = _read_alike(listed.files)
    names, first, _ = read[0]
    window = _steps("--window", reading.window) or min(len(values) for _, values, _ in read)
    hop = _steps("--hop", reading.hop) or max(1, window // 2)
    starts = [range(0, len(values) - window + 1, hop) for _, values, _ in read]
    short = sum(not one for one in starts)
    if short == len(starts):
        raise UserError(f"--window {window}: no recording in {folder} has so many steps; a shorter window")
    notes = [f"{short:,} recordings are shorter than a window of {window:,} steps and are not used"] * (short > 0)
    counts = np.array([len(one) for one in starts])
    check_size(folder, int(counts.sum()), window * first.shape[1])
    cuts = [(number, start) for number, one in enumerate(starts) for start in one]
    values = np.stack([read[number][1][start : start + window].reshape(-1) for number, start in cuts])
    owners = folders.groups_of(folder, listed.files, reading.group)
    groups = np.arange(len(listed.files)) if owners is None else owners
    of_windows = replace(
        listed,
        files=[listed.files[number] for number, _ in cuts],
        labels=listed.labels.repeat(counts),
        counts=_windows_of_parts(listed, counts),
    )

    def where(part: str, sample: int, value: int) -> str:
        place = sample + (len(cuts) - of_windows.counts.get("test", 0)) * (part == "test")
        step, channel = divmod(value, first.shape[1])
        number, start = cuts[place]
        column = f"channel '{names[channel]}'" if names else f"channel {channel + 1}"
        return f"{listed.files[number]}, line {read[number][2][start + step]}, {column}"

    facts = Facts(
        str(folder),
        (window, first.shape[1]),
        replace(reading, window=window, hop=hop, columns=names),
        where,
        hop=hop,
        validation_count=of_windows.counts.get("validation", 0),
        notes=(*listed.notes, *notes),
    )
    return assemble(facts, *folders.parts_of(of_windows, Part(values, of_windows.names, groups.repeat(counts))))


def _read_alike(files: Sequence[Path]) -> list[tuple[tuple[str, ...], NDArray[np.float32], list[int]]]:
    """What `tables.channels_of` reads of every file, all with the channels of the first."""
    read = [tables.channels_of(path) for path in files]
    names, first, _ = read[0]
    for path, (others, values, _) in zip(files, read, strict=True):
        if others != names or values.shape[1] != first.shape[1]:
            raise UserError(f"{path} has other channels than {files[0]}; the same in the same order are needed")
    return read


def _steps(option: str, said: float | None) -> int | None:
    """A whole number of steps, at least 1."""
    if said is not None and (said < 1 or said != int(said)):
        raise UserError(f"{option} {said:g}: of recordings these are steps, a whole number of 1 or more")
    return None if said is None else int(said)


def _windows_of_parts(listed: folders.Listed, counts: NDArray[np.int64]) -> dict[str, int]:
    """How many windows the files of each part give."""
    windows, first = {}, 0
    for part, files in listed.counts.items():
        windows[part] = int(counts[first : first + files].sum())
        first += files
    return windows


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(N, values) all windows of a recording.

    Raises:
        UserError: as for `load`.
    """
    names, values, lines = tables.channels_of(path)
    window, channels = reading.shape
    if values.shape[1] != channels or (names and reading.columns and names != reading.columns):
        raise UserError(f"{path} has other channels than what the network has learned: {channels} are needed")
    if len(values) < window:
        raise UserError(f"{path} has {len(values):,} steps; {window:,} are needed")
    if not np.isfinite(values).all():
        if not reading.fill:
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise UserError(f"{path}, line {lines[row]}: a value is missing")
        values = with_fill(values, reading.fill)
    starts = range(0, len(values) - window + 1, int(reading.hop or window))
    cuts = np.stack([values[start : start + window].reshape(-1) for start in starts])
    return whole.apply(cuts, reading.type, reading.scale)
