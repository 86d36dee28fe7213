"""Folders of sounds and of recordings: every kind of WAV file, windows, whose voice it is."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.data.sources import recordings, sounds
from bs4nn_tc.model.stages import Spectrum

pytestmark = pytest.mark.bounds

RAMP = np.array([-32_768, -256, -1, 0, 1, 255, 256, 32_767])


def wav(data: bytes, bits: int, rate: int = 8000, channels: int = 1, coding: int = 1, more: bytes = b"") -> bytes:
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", coding, channels, rate, rate * align, align, bits) + more
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\0\0\0odd\0"
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def tone(rate: int, seconds: float, hertz: float = 440.0) -> np.ndarray:
    return np.rint(9000 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype("<i2")


def refused(call: Callable[[], object], *texts: str, error: type[UserError] = UserError) -> None:
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for text in texts:
        assert text in message, message


# ---- files ----


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (wav(RAMP.astype("<i2").tobytes(), 16), RAMP),
        (wav(b"".join(int(one * 256).to_bytes(3, "little", signed=True) for one in RAMP), 24), RAMP),
        (wav((RAMP * 65_536 + 65_535).astype("<i4").tobytes(), 32), RAMP),
        (wav(bytes([0, 127, 128, 129, 255]), 8), [-32_768, -256, 0, 256, 32_512]),
        (wav((RAMP / 32_768).astype("<f4").tobytes(), 32, coding=3), RAMP),
        (wav(np.array([-2.0, 0.5, np.nan, 1.5]).astype("<f8").tobytes(), 64, coding=3), [-32_768, 16_384, 0, 32_767]),
        (wav(RAMP.astype("<i2").tobytes(), 16, coding=0xFFFE, more=struct.pack("<HHIH14x", 22, 16, 0, 1)), RAMP),
        (wav(np.array([[100, 200], [-3, -4], [7, 7]], "<i2").tobytes(), 16, channels=2), [150, -3, 7]),
        (wav(RAMP.astype("<i2").tobytes() + b"\1", 16), RAMP),
    ],
)
def test_every_kind_of_wav_file(tmp_path: Path, content: bytes, expected: list[int]) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert sounds.read(tmp_path / "a.wav").samples.tolist() == list(expected)


def test_files_that_are_no_sound_are_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    good = wav(RAMP.astype("<i2").tobytes(), 16)
    for content, text in (
        (b"", "no WAV file"),
        (b"ID3" + good, "no WAV file"),
        (good[:30], "cut short or damaged"),
        (wav(b"", 16), "holds no sound"),
        (wav(bytes(8), 4, coding=17), "coding 17 with 4 bits; convert it to one of 16 bits"),
        (wav(bytes(8), 12), "with 12 bits"),
        (wav(bytes(8), 16, rate=0), "0 samples a second"),
        (wav(bytes(8), 16, channels=0), "0 channels"),
    ):
        path.write_bytes(content)
        refused(lambda: sounds.read(path), str(path), text)


def test_another_rate_keeps_the_tone(tmp_path: Path) -> None:
    for rate in (8000, 11_025, 44_100):
        (tmp_path / "a.wav").write_bytes(wav(tone(rate, 0.5).tobytes(), 16, rate=rate))
        changed = sounds.at_rate(tmp_path / "a.wav", sounds.read(tmp_path / "a.wav"), 16_000)
        spectrum = np.abs(np.fft.rfft(changed[500:-500]))
        hertz = np.fft.rfftfreq(len(changed) - 1000, 1 / 16_000)
        assert abs(hertz[spectrum.argmax()] - 440) < 5
        assert abs(len(changed) - 8000) <= 1


def test_without_scipy_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    sound = sounds.Sound(tone(8000, 0.1), 8000)
    assert sounds.at_rate(tmp_path, sound, 8000) is sound.samples
    refused(
        lambda: sounds.at_rate(tmp_path / "a.wav", sound, 16_000),
        "8,000 samples a second, and 16,000 are needed",
        "scipy",
        error=MissingToolError,
    )


def test_the_loudest_part_is_taken_and_silence_put_around() -> None:
    samples = np.array([1, 0, 0, 5, -6, 0, 2], np.int16)
    assert sounds.cut(samples, 2).tolist() == [5, -6]
    assert sounds.cut(samples, 7).tolist() == samples.tolist()
    assert sounds.cut(samples, 10).tolist() == [0, *samples.tolist(), 0, 0]


# ---- folders ----


def folder_of_sounds(folder: Path, speakers: tuple[str, ...] = ("ann", "bob", "cy"), flat: bool = False) -> Path:
    for label, hertz in (("0", 300), ("1", 900)):
        inside = folder if flat else folder / label
        inside.mkdir(parents=True, exist_ok=True)
        for speaker in speakers:
            for number in range(4):
                content = wav(tone(8000, 0.2 + 0.01 * number, hertz).tobytes(), 16)
                (inside / f"{label}_{speaker}_{number}.wav").write_bytes(content)
    return folder


@pytest.mark.parametrize("flat", [False, True])
def test_voices_by_the_names_of_files_are_held_out_whole(tmp_path: Path, flat: bool) -> None:
    loaded = datasets.load(str(folder_of_sounds(tmp_path, flat=flat)), prepared=False)
    assert loaded.class_names == ("0", "1")
    assert loaded.train_images.dtype == np.int16
    assert loaded.image_shape == (round(0.23 * 8000),)
    assert loaded.test_groups is not None
    assert loaded.groups is not None
    assert len(set(loaded.test_groups.tolist())) == 1
    assert len(set(loaded.groups.tolist())) == 2
    frequencies = np.abs(np.fft.rfft(loaded.train_images.astype(float))).argmax(axis=1) * 8000 / 1840
    assert np.allclose(frequencies, np.where(loaded.train_labels == 0, 300, 900), atol=10)


def test_a_pattern_says_whose_a_file_is(tmp_path: Path) -> None:
    folder_of_sounds(tmp_path)
    for path in list(tmp_path.rglob("*.wav")):
        _, speaker, number = path.stem.split("_")
        (path.parent / speaker).mkdir(exist_ok=True)
        path.rename(path.parent / speaker / f"{number}.wav")
    assert datasets.load(str(tmp_path)).groups is None
    loaded = datasets.load(str(tmp_path), None, Reading(group=r"/([^/]+)/[0-9]+\.wav"))
    assert loaded.groups is not None
    assert len(set(loaded.groups.tolist())) == 2
    said = {"(": "no regular expression", "a": "has no group", "(x+)": "finds nothing in", "((a|a)*)": "for ever"}
    for pattern, text in said.items():
        refused(lambda pattern=pattern: datasets.load(str(tmp_path), None, Reading(group=pattern)), text)


def test_window_rate_and_one_more_file(tmp_path: Path) -> None:
    folder_of_sounds(tmp_path / "set")
    fast = wav(np.repeat(tone(24_000, 0.3, 300)[:, None], 2, axis=1).tobytes(), 16, rate=24_000, channels=2)
    (tmp_path / "set" / "0" / "0_ann_9.wav").write_bytes(fast)
    loaded = datasets.load(str(tmp_path / "set"), None, Reading(window=0.1), prepared=False)
    assert loaded.image_shape == (800,)
    assert "1 of 25 sounds are brought to 8,000 samples a second" in loaded.notes
    reading = Reading.from_json(loaded.reading)
    assert (reading.rate, reading.window) == (8000, 0.1)
    (one,) = sounds.read_all(tmp_path / "set" / "0" / "0_ann_9.wav", reading)
    both = [*loaded.train_images.tolist(), *loaded.test_images.tolist()]
    assert one.tolist() in both
    refused(lambda: datasets.load(str(tmp_path / "set"), None, Reading(window=99)), "--window 99", "a shorter window")


def test_more_than_16_khz_is_brought_down(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(4):
            content = wav(tone(48_000, 0.1, 300 + 50 * number).tobytes(), 16, rate=48_000)
            (tmp_path / label / f"{number}.wav").write_bytes(content)
    loaded = datasets.load(str(tmp_path), prepared=False)
    assert loaded.image_shape == (1600,)
    assert loaded.reading is not None
    assert loaded.reading["rate"] == 16_000


def test_networks_hear_a_spectrum_that_tells_tones_apart(tmp_path: Path) -> None:
    loaded = datasets.load(str(folder_of_sounds(tmp_path)))
    assert loaded.stages == (Spectrum.mel(8000, 256, 256, 16),)
    assert loaded.image_shape == (7, 16)  # of 1,840 steps
    loudest = loaded.train_images.reshape(-1, 7, 16)[:, 3].argmax(axis=1)
    low, high = (set(loudest[loaded.train_labels == label].tolist()) for label in (0, 1))
    assert max(low) < min(high)  # 300 and 900 Hz
    assert loaded.samples is not None
    assert loaded.input.sample.count == 1840
    plain = datasets.load(str(tmp_path), prepared=False)
    assert np.array_equal(loaded.samples.train_images, plain.train_images)


# ---- recordings ----


def folder_of_recordings(folder: Path, header: str = "time,x,y\n", steps: int = 10) -> Path:
    for label, name in enumerate(("punch", "wave")):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            first = 100 * number + 1000 * label
            rows = "".join(f"{i / 100},{first + i},{0.5 * i}\n" for i in range(steps + number))
            if not header.startswith("time"):
                rows = "".join(row.split(",", 1)[1] for row in rows.splitlines(keepends=True))
            (folder / name / f"r{number}.csv").write_text(header + rows, encoding="utf-8")
    return folder


@pytest.mark.parametrize("header", ["time,x,y\n", "x,y\n", ""])
def test_windows_of_recordings(tmp_path: Path, header: str) -> None:
    loaded = datasets.load(str(folder_of_recordings(tmp_path, header)), None, Reading(window=4, hop=3))
    assert loaded.class_names == ("punch", "wave")
    assert loaded.image_shape == (4, 2)
    assert loaded.hop == 3
    # (10 .. 15 steps - 4) // 3 + 1 windows of each.
    assert len(loaded.train_labels) + len(loaded.test_labels) == 2 * (3 + 3 + 3 + 4 + 4 + 4)
    for images, labels in ((loaded.train_images, loaded.train_labels), (loaded.test_images, loaded.test_labels)):
        of_x = images.reshape(-1, 4, 2)[:, :, 0]
        assert (np.diff(of_x, axis=1) == 10).all()
        assert np.array_equal(of_x[:, 0] >= 10_000, labels == 1)
    learned, tested = ({x // 1000 for x in part[:, 0].tolist()} for part in (loaded.train_images, loaded.test_images))
    assert not learned & tested  # no recording is in both parts
    one = recordings.read_all(tmp_path / "wave" / "r2.csv", Reading.from_json(loaded.reading))
    assert one.shape == (3, 8)
    assert one[1].reshape(4, 2)[:, 0].tolist() == [12_030, 12_040, 12_050, 12_060]


def test_recordings_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder_of_recordings(tmp_path)
    whole = datasets.load(str(tmp_path))
    assert (whole.image_shape, whole.hop) == ((10, 2), 5)
    refused(lambda: datasets.load(str(tmp_path), None, Reading(window=0.5)), "--window 0.5: of recordings", "steps")
    refused(lambda: datasets.load(str(tmp_path), None, Reading(window=99)), "--window 99", "no recording")
    assert "6 recordings are shorter" in datasets.load(str(tmp_path), None, Reading(window=13)).notes[0]
    (tmp_path / "wave" / "r9.csv").write_text("time,x,z\n1,2,3\n", encoding="utf-8")
    refused(lambda: datasets.load(str(tmp_path)), "r9.csv has other channels than", "r")
    (tmp_path / "wave" / "r9.csv").write_text("time,x,y\n1,2,3\n2,,4\n" + "3,4,5\n" * 9, encoding="utf-8")
    refused(lambda: datasets.load(str(tmp_path)), "r9.csv, line 3, channel 'x' is missing", "--missing")
