"""Folders of WAV files, one folder a class: all of one length, one rate and one channel, 16 bits a sample.

Read by hand, for Python's own reader knows no floating-point files, and gives up on what many recorders write.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import read_file
from bs4nn_tc.data.dataset import Dataset, check_size
from bs4nn_tc.data.sources import folders
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble
from bs4nn_tc.data.sources.reading import SOUNDS, Reading
from bs4nn_tc.model.limits import MAX_NEURONS

WAVS = folders.Kind("sound", (".wav",))
# Samples a second where files have more: speech needs no more.
MAX_RATE = 16_000
_MAX_FILE = 64_000_000
# Seconds of a sample where nobody says how many: what this share of the files fits in, and no more than a second.
_LONGEST, _SHARE = 1.0, 0.9
# How well-known collections name their files: whose voice it is, and where files lie in one folder, which class.
_DIGITS = re.compile(r"(?:^|.*/)(?P<label>[0-9a-zA-Z]+)_(?P<group>[a-zA-Z]+)_[0-9]+\.wav", re.IGNORECASE)
_COMMANDS = re.compile(r"(?:^|.*/)(?P<group>[0-9a-f]{8})_nohash_[0-9]+\.wav", re.IGNORECASE)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True, eq=False)
class Sound:
    """What is in a file.

    Attributes:
        samples: (n,) int16, one channel.
        rate: samples a second.
    """

    samples: NDArray[np.int16]
    rate: int


def read(path: Path) -> Sound:
    """A WAV file of 8, 16, 24 or 32 bits, or of floating-point numbers; several channels are mixed into one.

    Raises:
        UserError: no WAV file, a damaged one, or one of another coding.
    """
    content = read_file(path, _MAX_FILE)
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise UserError(f"{path} is no WAV file; convert it to one of 16 bits")
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= len(content):
        name, length = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        chunks.setdefault(name, content[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    form, data = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(form) < 16 or b"data" not in chunks:
        raise UserError(f"{path} is cut short or damaged: it says nothing of its samples; get it again")
    coding, channels, rate, bits = (int.from_bytes(form[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8), (14, 16)))
    if coding == _EXTENSIBLE and len(form) >= 26:
        coding = int.from_bytes(form[24:26], "little")
    if not 1 <= channels <= 64 or not 100 <= rate <= 1_000_000:
        raise UserError(f"{path} has {channels} channels of {rate:,} samples a second; it is damaged: get it again")
    values = _of_16_bits(path, coding, bits, data[: len(data) - len(data) % max(1, channels * bits // 8)])
    if not values.size:
        raise UserError(f"{path} holds no sound; leave it out")
    if channels > 1:
        values = np.floor(values.reshape(-1, channels).mean(axis=1) + 0.5)
    return Sound(values.astype(np.int16), rate)


def _of_16_bits(path: Path, coding: int, bits: int, data: bytes) -> NDArray[Any]:
    """All channels' samples, -32,768 .. 32,767."""
    if coding == _FLOAT and bits in (32, 64):
        numbers = np.nan_to_num(np.frombuffer(data, f"<f{bits // 8}").astype(np.float64))
        return np.rint(numbers * 32_768).clip(-32_768, 32_767)
    if coding != _PCM or bits not in (8, 16, 24, 32):
        raise UserError(f"{path} is a WAV file of coding {coding} with {bits} bits; convert it to one of 16 bits")
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * 256
    # Of each sample the two bytes that weigh the most.
    return np.frombuffer(data, np.uint8).reshape(-1, bits // 8)[:, -2:].copy().view("<i2")[:, 0]


def at_rate(path: Path, sound: Sound, rate: int) -> NDArray[np.int16]:
    """Its samples at another rate.

    Raises:
        MissingToolError: that needs scipy, which is not installed.
    """
    if sound.rate == rate:
        return sound.samples
    try:
        from scipy.signal import resample_poly  # noqa: PLC0415 - comes with the extra `train`
    except ImportError as error:
        raise MissingToolError(
            f"{path} has {sound.rate:,} samples a second, and {rate:,} are needed; convert it, or let scipy do that: "
            f"{remedies.pip_install('scipy')}"
        ) from error
    common = math.gcd(rate, sound.rate)
    changed: NDArray[np.float64] = resample_poly(sound.samples.astype(np.float64), rate // common, sound.rate // common)
    return np.rint(changed).clip(-32_768, 32_767).astype(np.int16)


def cut(samples: NDArray[np.int16], steps: int) -> NDArray[np.int16]:
    """(steps,): the loudest part of a longer sound, a shorter one with silence before and after it."""
    lacking = steps - len(samples)
    if lacking >= 0:
        return np.pad(samples, (lacking // 2, lacking - lacking // 2))
    loudness = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    start = int(np.argmax(loudness[steps:] - loudness[:-steps]))
    return samples[start : start + steps]


def load(folder: Path, reading: Reading) -> Dataset:
    """A folder of WAV files: CLASS/*.wav, train/CLASS/*.wav beside test/CLASS/*.wav, or CLASS_SPEAKER_NUMBER.wav.

    Raises:
        UserError: as for `read`, no such folder, or a class with too few files.
        MissingToolError: see `at_rate`.
    """
    listed = _flat(folder) or folders.listed(folder, WAVS)
    reading = reading.of_kind(SOUNDS)
    check_size(folder, len(listed.files), 1)
    sounds = [read(path) for path in listed.files]
    rates = Counter(sound.rate for sound in sounds)
    rate = reading.rate or min(MAX_RATE, rates.most_common(1)[0][0])
    notes = [*listed.notes]
    others = sum(count for one, count in rates.items() if one != rate)
    if others:
        notes.append(f"{others:,} of {len(sounds):,} sounds are brought to {rate:,} samples a second")
    seconds = reading.window or _seconds([len(sound.samples) / sound.rate for sound in sounds])
    steps = max(1, round(seconds * rate))
    if steps > MAX_NEURONS:
        raise UserError(
            f"--window {seconds:g}: {steps:,} samples at {rate:,} a second; at most {MAX_NEURONS:,} are taken: a "
            "shorter window"
        )
    check_size(folder, len(sounds), steps)
    values = np.empty((len(sounds), steps), np.int16)
    for number, (path, sound) in enumerate(zip(listed.files, sounds, strict=True)):
        values[number] = cut(at_rate(path, sound, rate), steps)
    groups = folders.groups_of(folder, listed.files, reading.group, (_DIGITS, _COMMANDS))
    facts = Facts(
        str(folder),
        (steps,),
        replace(reading, window=seconds, rate=rate),
        lambda _, sample, value: f"{listed.files[sample]}, sample {value}",
        validation_count=listed.counts.get("validation", 0),
        notes=tuple(notes),
    )
    return assemble(facts, *folders.parts_of(listed, Part(values, listed.names, groups)))


def _seconds(lengths: Sequence[float]) -> float:
    """The length of a sample, in whole hundredths of a second."""
    return min(_LONGEST, math.ceil(100 * float(np.quantile(lengths, _SHARE))) / 100)


def _flat(folder: Path) -> folders.Listed | None:
    """The files of a folder that says in their names which class and voice each is; None if it does not."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
    found = [_DIGITS.fullmatch(path.name) for path in files]
    if not files or not all(found):
        return None
    classes = sorted({one["label"] for one in found if one})
    labels = np.array([classes.index(one["label"]) for one in found if one], np.int64)
    return folders.Listed(files, labels, tuple(classes), {"all": len(files)}, ())


def read_all(path: Path, reading: Reading) -> NDArray[Any]:
    """(1, steps) the sample that a file makes.

    Raises:
        UserError: as for `read`.
        MissingToolError: see `at_rate`.
    """
    if reading.rate is None:
        raise UserError(f"{path} is a sound, and nothing says how many samples a second it is to have")
    return cut(at_rate(path, read(path), reading.rate), math.prod(reading.shape))[None]
