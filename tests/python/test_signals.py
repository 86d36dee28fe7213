"""Stages for recordings, against what others compute: NumPy's transform, and numbers known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import codings
from bs4nn_tc.model import stages
from bs4nn_tc.model.stages import Contrast, Differences, Means, Scale, Spectrum, Values, of_type


def in_floats(stage: Spectrum, recordings: np.ndarray) -> np.ndarray:
    """The same spectrum in floating point, by NumPy's FFT: (N, frames x bands), not held within 0 .. 255.

    One less than it is: what is cut off, and a logarithm in straight lines, take 0 to 1.7.
    """
    frames = np.lib.stride_tricks.sliding_window_view(recordings, stage.frame, axis=1)[:, :: stage.hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(stage.frame) / stage.frame)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    frequencies = np.arange(stage.frame // 2 + 1)
    triangles = zip(stage.edges, stage.edges[1:], stage.edges[2:], strict=False)
    bands = [(power * np.interp(frequencies, triangle, [0, 1, 0])).sum(axis=2) for triangle in triangles]
    relative = np.stack(bands, axis=2) * 32 / stage.frame**2  # 1: nothing is above 0
    return (8 * np.log2(relative.clip(min=1e-9))).reshape(len(recordings), -1) - 1


def tones(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
    """(count, steps) int16: three tones each, of which some are faint, and noise."""
    turns = rng.uniform(0, np.pi, (count, 3, 1)) * np.arange(steps) + rng.uniform(0, 6, (count, 3, 1))
    sums = (rng.uniform(0, 1, (count, 3, 1)) ** 3 * 10_000 * np.cos(turns)).sum(axis=1)
    noise = rng.normal(0, 1, (count, steps)) * rng.choice([0.3, 3, 300], (count, 1))
    return (sums + noise).round().clip(-32_768, 32_767).astype(np.int16)


@pytest.mark.parametrize("frame", [16, 32, 64, 128, 256, 512, 1024])
def test_a_spectrum_is_within_two_of_what_numpy_computes(frame: int) -> None:
    """Of 255, at every level above 40, which is 80 dB below the loudest tone; and of nearly all even within one."""
    rng = np.random.default_rng(frame)
    recordings = tones(rng, 60, 3000)
    recordings[0] = np.where(np.arange(3000) // 9 % 2, 32_767, -32_768)
    stage = Spectrum.mel(16_000, frame, frame // 2, min(16, frame // 2 - 3))
    found = stage.apply(recordings, of_type((3000,), "int16")).astype(np.float64)
    expected = in_floats(stage, recordings)
    strong = expected > 40
    assert strong.mean() > 0.4
    difference = np.abs(found - expected.clip(max=255))[strong]
    assert difference.max() < 2
    assert (difference < 1).mean() > 0.98


def test_the_loudest_tone_gives_251() -> None:
    wave = 32_767 * np.cos(2 * np.pi * np.arange(256) * 32 / 256)
    waves = np.array([wave, wave / 2]).round().astype(np.int16)
    assert Spectrum(256, 256, (16, 32, 48)).apply(waves, of_type((256,), "int16")).tolist() == [[251], [251 - 16]]


def test_bands() -> None:
    """In mel: even steps of it, the lowest ones pushed apart; octaves: powers of two."""
    edges = Spectrum.mel(16_000, 512, 256, 20).edges
    assert (len(edges), edges[0], edges[-1]) == (22, 2, 256)
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 22)
    assert np.abs(edges - (10 ** (mel / 2595) - 1) * 700 * 512 / 16_000)[2:].max() <= 0.5
    assert Spectrum.mel(8000, 16, 8, 5).edges == (2, 3, 4, 5, 6, 7, 8)
    assert Spectrum.octaves(64, 32).edges == (2, 4, 8, 16, 32)
    with pytest.raises(UserError, match="6 bands in mel of a frame of 16; 1 to 5 are possible"):
        Spectrum.mel(8000, 16, 8, 6)


def test_contrast_differences_and_means_by_hand() -> None:
    two = Values((3, 2), "int16", -32_768, 32_767)
    sample = np.array([[-32_768, 7, 32_767, 7, 0, 7]], np.int16)
    assert Contrast(2).apply(sample, two).tolist() == [[0, 0, 255, 0, 128, 0]]
    assert Contrast(1).apply(np.array([[10, 11, 12]], np.uint8), Values((3,))).tolist() == [[0, 128, 255]]
    assert Differences().apply(sample, two).tolist() == [[32_767, 0, -32_767, 0]]
    assert Differences().after(Values((5,))) == Values((4,), "int16", -255, 255)
    assert Means(2).apply(sample, two).tolist() == [[0, 7]]
    assert Means(2).apply(np.array([[-3, -2, -2, -1, 9]], np.int16), of_type((5,), "int16")).tolist() == [[-2, -1]]


@pytest.mark.parametrize(
    ("stage", "values", "words"),
    [
        (Contrast(4), Values((6,)), "4 features does not fit 6 values"),
        (Differences(), Values((1, 9)), "two steps or more"),
        (Differences(), Values((2, 3, 4)), "not of 2 x 3 x 4"),
        (Differences(), Values(()), "not of unknown shape"),
        (Means(9), Values((8, 2)), "means of 9 steps are not of a recording of 8"),
        (Spectrum(64, 1, (1, 2, 3)), of_type((63, 2), "int16"), "63 steps has no frame of 64"),
        (Spectrum(64, 1, (1, 2, 3)), Values((64,)), "type int16, not of uint8"),
        (Spectrum(16, 1, (1, 2, 3)), of_type((16, 256), "int16"), "256 channels; at most 255"),
    ],
)
def test_what_they_do_not_take_is_refused(stage: stages.Stage, values: Values, words: str) -> None:
    with pytest.raises(UserError, match=words):
        stage.after(values)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("contrast", {"channels": 0}, "the channels of a stage is 0"),
        ("means", {"steps": 1}, "the steps of a mean is 1"),
        ("spectrum", {"frame": 48, "hop": 1, "edges": [1, 2, 3]}, "48; a power of two is needed"),
        ("spectrum", {"frame": 2048, "hop": 1, "edges": [1, 2, 3]}, "2048; 16 to 1,024"),
        ("spectrum", {"frame": 64, "hop": 0, "edges": [1, 2, 3]}, "the hop of a spectrum is 0"),
        ("spectrum", {"frame": 64, "hop": 1, "edges": [1, 2]}, "three or more numbers"),
        ("spectrum", {"frame": 64, "hop": 1, "edges": [1, 3, 3]}, "each above the one before"),
        ("spectrum", {"frame": 64, "hop": 1, "edges": [1, 2, 33]}, "33; 1 to 32"),
        ("spectrum", {"frame": 64, "hop": 1, "edges": 3}, "a list of whole numbers"),
    ],
)
def test_stages_that_are_none_are_refused(kind: str, fields: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=f"^stage 1 of the input: .*{words}"):
        stages.from_json([{"kind": kind, **fields}])


def test_no_cosine_is_near_a_half() -> None:
    """Whoever computes them in floating point finds the same whole numbers."""
    for frame in (16, 32, 64, 128, 256, 512, 1024):
        exact = 32_768 * np.cos(2 * np.pi * np.arange(frame) / frame)
        assert np.abs(np.abs(exact - np.floor(exact)) - 0.5).min() > 1e-3
        assert np.array_equal(Spectrum(frame, 1, (1, 2, 3)).cosines, exact.round())


@pytest.mark.parametrize(
    ("steps", "frame", "frames"), [(64, 64, 1), (640, 64, 19), (4000, 256, 30), (8000, 512, 30), (40_000, 512, 155)]
)
def test_a_coding_of_spectra(steps: int, frame: int, frames: int) -> None:
    """Its frames follow from the length; what is fitted behind it sees levels, a table a band."""
    recordings = tones(np.random.default_rng(2), 5, steps)
    spectrum, fitted = codings.fit_text("spectrum,range", recordings, of_type((steps,), "int16"))
    assert isinstance(spectrum, Spectrum)
    assert isinstance(fitted, Scale)
    assert (spectrum.frame, spectrum.hop, spectrum.bands) == (frame, frame // 2, 16)
    assert spectrum.after(of_type((steps,), "int16")).shape == (frames, 16)
    assert len(fitted.offset) == 16


def test_what_has_no_spectrum_is_refused() -> None:
    for values in (of_type((63,), "int16"), of_type((), "int16"), Values((640,)), of_type((4, 64, 2), "int16")):
        with pytest.raises(UserError, match=r"spectr|frame"):
            codings.fit_text("spectrum,range", np.zeros((1, max(values.count, 1)), values.dtype), values)
