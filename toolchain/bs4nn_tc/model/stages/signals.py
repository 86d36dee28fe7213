"""Stages for recordings: steps of one or several channels, (steps,) or (steps, channels)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_INTENSITY, whole_number
from bs4nn_tc.model.stages.stage import TYPES, Stage, Values, check_features, shape_text, whole_numbers

# Of a frame: what the device's sums of 32 bits hold.
MIN_FRAME, MAX_FRAME = 16, 1024
_LONGEST_HOP = 65_535
_MAX_CHANNELS = 255
# Frames that are transformed at once: what a processor's cache holds.
_AT_ONCE = 512

_Whole = NDArray[np.int64]


def _steps_and_channels(values: Values, what: str) -> tuple[int, int]:
    """How many steps a recording has, and how many channels."""
    if not 1 <= len(values.shape) <= 2:
        raise UserError(f"{what} are of steps or of steps x channels, not of {shape_text(values.shape)}")
    return values.shape[0], values.shape[1] if len(values.shape) == 2 else 1


@dataclass(frozen=True)
class Contrast(Stage):
    """Every channel spread from its lowest to its highest value: floor(((x - l) m + 2^23) / 2^24).

    m = floor(255 2^24 / (h - l)) with the lowest and highest values l and h of the sample's channel; 0 where they are
    the same.

    Attributes:
        channels: 1 .. 65,535; value i is of channel i mod `channels`. 1: the whole sample is one.
    """

    kind: ClassVar[str] = "contrast"
    channels: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", whole_number("the channels of a stage", self.channels, 1, 65_535))

    def after(self, values: Values) -> Values:
        """See `Stage`: any values, of which uint8 ones are made."""
        check_features(self.channels, values)
        return Values(values.shape, "uint8", 0, MAX_INTENSITY)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        channels = samples.reshape(len(samples), -1, self.channels).astype(np.int64)
        lowest = channels.min(axis=1, keepdims=True)
        width = channels.max(axis=1, keepdims=True) - lowest
        multiplier = np.where(width > 0, (MAX_INTENSITY << 24) // width.clip(min=1), 0)
        spread: _Whole = ((channels - lowest) * multiplier + (1 << 23)) >> 24
        return spread.astype(np.uint8).reshape(samples.shape)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return "contrast of a sample" if self.channels == 1 else f"contrast of {self.channels:,} channels"


@dataclass(frozen=True)
class Differences(Stage):
    """How much each channel grows from a step to the next: x[t + 1] - x[t], held within int16."""

    kind: ClassVar[str] = "differences"

    def after(self, values: Values) -> Values:
        """See `Stage`: two steps or more; a step less, of type int16."""
        steps, _ = _steps_and_channels(values, "differences")
        if steps < 2:
            raise UserError("differences are of two steps or more, not of one")
        lowest, highest = TYPES["int16"]
        width = values.highest - values.lowest
        return Values((steps - 1, *values.shape[1:]), "int16", max(lowest, -width), min(highest, width))

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        _, channels = _steps_and_channels(values, "differences")
        grown: _Whole = samples[:, channels:].astype(np.int64) - samples[:, :-channels]
        return grown.clip(*TYPES["int16"]).astype(np.int16)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return "differences from step to step"


@dataclass(frozen=True)
class Means(Stage):
    """A recording made shorter: of each channel the rounded mean of every k steps, floor((sum + floor(k / 2)) / k).

    Attributes:
        steps: k, 2 .. 255; steps at the end that are fewer are left out.
    """

    kind: ClassVar[str] = "means"
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", whole_number("the steps of a mean", self.steps, 2, 255))

    def after(self, values: Values) -> Values:
        """See `Stage`: at least k steps, of any type, which stays."""
        steps, _ = _steps_and_channels(values, "means")
        if steps < self.steps:
            raise UserError(f"means of {self.steps} steps are not of a recording of {steps}")
        return values.of_shape((steps // self.steps, *values.shape[1:]))

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        _, channels = _steps_and_channels(values, "means")
        steps = self.after(values).shape[0]
        used = samples[:, : steps * self.steps * channels].reshape(len(samples), steps, self.steps, channels)
        means: _Whole = (used.sum(axis=2, dtype=np.int64) + self.steps // 2) // self.steps
        return means.astype(samples.dtype).reshape(len(samples), -1)

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"means of {self.steps} steps"


@dataclass(frozen=True)
class Spectrum(Stage):
    """How strong each band of frequencies is in each frame of a recording, in eighths of an octave of power.

    SPEC.md has every step. A band rises from one edge to the next and falls to the one after that. The loudest tone
    gives 251; 8 less is half the power, and 0 some 94 dB below.

    Attributes:
        frame: steps that are transformed together, a power of two from 16 to 1,024.
        hop: steps from the begin of a frame to that of the next, 1 .. 65,535.
        edges: rising numbers of 1 .. frame / 2, two more than there are bands: edge e is the frequency e rate / frame.
    """

    kind: ClassVar[str] = "spectrum"
    frame: int
    hop: int
    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        frame = whole_number("the frame of a spectrum", self.frame, MIN_FRAME, MAX_FRAME)
        if frame & (frame - 1):
            raise UserError(f"the frame of a spectrum is {frame}; a power of two is needed")
        object.__setattr__(self, "frame", frame)
        object.__setattr__(self, "hop", whole_number("the hop of a spectrum", self.hop, 1, _LONGEST_HOP))
        object.__setattr__(self, "edges", whole_numbers("edges", self.edges, 1, frame // 2))
        if len(self.edges) < 3 or any(above <= below for below, above in itertools.pairwise(self.edges)):
            raise UserError("the edges of a spectrum are three or more numbers, each above the one before")

    @classmethod
    def mel(cls, rate: int, frame: int, hop: int, bands: int) -> Spectrum:
        """With bands evenly spaced in mel up to half of `rate` values a second; at the low end one frequency apart.

        The lowest edge is 2, which a constant offset of the values does not reach.

        Raises:
            UserError: more bands than a frame has frequencies for.
        """
        highest = frame // 2
        if not 1 <= bands <= highest - 3:
            raise UserError(f"{bands} bands in mel of a frame of {frame}; 1 to {highest - 3} are possible")
        tops = np.linspace(0, math.log1p(rate / 2 / 700), bands + 2)
        wanted = np.expm1(tops) * 700 * frame / rate
        edges: list[int] = []
        for number, edge in enumerate(wanted.round().astype(int).tolist()):
            edges.append(max(edge, edges[-1] + 1 if edges else 2))
            edges[-1] = min(edges[-1], highest - (bands + 1 - number))
        return cls(frame, hop, tuple(edges))

    @classmethod
    def octaves(cls, frame: int, hop: int) -> Spectrum:
        """With a band an octave: the edges are the powers of two from 2 to half of a frame."""
        return cls(frame, hop, tuple(1 << octave for octave in range(1, frame.bit_length() - 1)))

    @property
    def bands(self) -> int:
        """How many there are."""
        return len(self.edges) - 2

    @cached_property
    def cosines(self) -> NDArray[np.int64]:
        """(frame,) the whole numbers nearest to 32,768 cos(2 pi i / frame)."""
        return np.array([round(32_768 * math.cos(2 * math.pi * i / self.frame)) for i in range(self.frame)], np.int64)

    @cached_property
    def rise(self) -> NDArray[np.int64]:
        """How far each frequency from the first edge to below the last is from an edge to the next, 0 .. 255."""
        parts = [
            np.arange(above - below, dtype=np.int64) * 256 // (above - below)
            for below, above in itertools.pairwise(self.edges)
        ]
        return np.concatenate(parts)

    def after(self, values: Values) -> Values:
        """See `Stage`: a frame or more of type int16; a line of all channels' bands a frame, as uint8."""
        steps, channels = _steps_and_channels(values, "spectra")
        if channels > _MAX_CHANNELS:
            raise UserError(f"a spectrum of {channels:,} channels; at most {_MAX_CHANNELS} are allowed")
        if values.type != "int16":
            raise UserError(f"a spectrum is of values of type int16, not of {values.type}")
        if steps < self.frame:
            raise UserError(f"a recording of {steps:,} steps has no frame of {self.frame}")
        return Values(((steps - self.frame) // self.hop + 1, channels * self.bands), "uint8", 0, MAX_INTENSITY)

    def apply(self, samples: NDArray[Any], values: Values) -> NDArray[Any]:
        """See `Stage`."""
        steps, channels = _steps_and_channels(values, "spectra")
        recordings = samples.reshape(-1, steps, channels)
        windows = np.lib.stride_tricks.sliding_window_view(recordings, self.frame, axis=1)[:, :: self.hop]
        count = math.prod(windows.shape[:-1])
        bands = np.empty((count, self.bands), np.uint8)
        for start in range(0, count, _AT_ONCE):
            part = np.arange(start, min(start + _AT_ONCE, count))
            frames = windows[np.unravel_index(part, windows.shape[:-1])]
            bands[part] = self._logarithms(self._band_powers(*self._transformed(frames)))
        return bands.reshape(len(samples), -1)

    def _turned(self, real: _Whole, imaginary: _Whole, angles: NDArray[np.int64]) -> tuple[_Whole, _Whole]:
        """Numbers turned back by angles, each product rounded: the first axis is that of the angles."""
        cosine = self.cosines[angles, None]
        sine = self.cosines[angles - self.frame // 4, None]
        return (
            _divided(real * cosine) + _divided(imaginary * sine),
            _divided(imaginary * cosine) - _divided(real * sine),
        )

    def _transformed(self, frames: NDArray[np.int16]) -> tuple[_Whole, _Whole]:
        """(used frequencies, frames) the real and imaginary parts of the transform of (frames, frame) values."""
        window = (32_768 - self.cosines[:, None]) >> 1
        heights = (frames.T * window + (1 << 10)) >> 11
        half = self.frame // 2
        # The real and imaginary parts of half as many values are the even and the odd ones. The columns of each block
        # are transforms of every `blocks`-th value, and two blocks become one.
        real, imaginary = heights[0::2], heights[1::2]
        size, blocks = 1, half
        real, imaginary = (part.reshape(size, blocks, -1) for part in (real, imaginary))
        while blocks > 1:
            blocks //= 2
            angles = np.arange(size) * (self.frame // (2 * size))
            shape = (size, blocks * len(frames))
            even, odd = (
                [part[:, first : first + blocks].reshape(shape) for part in (real, imaginary)] for first in (0, blocks)
            )
            turned = self._turned(odd[0], odd[1], angles)
            real, imaginary = (
                np.concatenate([one + other, one - other]).reshape(2 * size, blocks, -1)
                for one, other in zip(even, turned, strict=True)
            )
            size *= 2
        return self._unpacked(real[:, 0], imaginary[:, 0])

    def _unpacked(self, real: _Whole, imaginary: _Whole) -> tuple[_Whole, _Whole]:
        """The transform of all values from that of half as many, whose imaginary parts were the odd ones."""
        used = np.arange(self.edges[0], self.edges[-1])
        mirrored = self.frame // 2 - used
        turned = self._turned(real[used] - real[mirrored], imaginary[used] + imaginary[mirrored], used)
        twice = real[used] + real[mirrored] + turned[1], imaginary[used] - imaginary[mirrored] - turned[0]
        return (twice[0] + 4) >> 3, (twice[1] + 4) >> 3

    def _band_powers(self, real: _Whole, imaginary: _Whole) -> NDArray[np.uint64]:
        """(bands, frames) the power of each band, times 2^12."""
        power = (real * real + imaginary * imaginary).astype(np.uint64)
        starts = np.array(self.edges[:-1]) - self.edges[0]
        rising = np.add.reduceat(power * self.rise[:, None].astype(np.uint64), starts, axis=0)
        falling = np.add.reduceat(power, starts, axis=0) * np.uint64(256) - rising
        return rising[:-1] + falling[1:]

    def _logarithms(self, powers: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """(frames, bands) eighths of octaves: 8 (e - 4) + floor(u / 2^(e - 3)) where 2^e is the highest bit of u."""
        scaled = (powers >> np.uint64(2 * (self.frame.bit_length() + 1))).astype(np.int64)
        octave = np.frexp(scaled.astype(np.float64))[1].clip(min=4) - 4
        eighths: _Whole = 8 * (octave - 1) + (scaled >> octave)
        return eighths.clip(0, MAX_INTENSITY).astype(np.uint8).T

    @property
    def text(self) -> str:
        """See `Stage`."""
        return f"{self.bands} bands of frames of {self.frame:,} steps, every {self.hop:,}"


def _divided(products: _Whole) -> _Whole:
    """Products with a cosine, divided by what stands for 1."""
    return (products + (1 << 14)) >> 15
