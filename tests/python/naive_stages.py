"""The input stages of SPEC.md once more, as slowly and literally as possible: pure Python, value by value, no NumPy.

Python's stages and the C that ships are compared with this. It shares no line with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import naive_pictures


@dataclass(frozen=True)
class Sample:
    """What flows between stages: the values of one sample, their shape, and what no intensity is above."""

    values: list[int]
    shape: tuple[int, ...]
    highest: int = 255

    @property
    def channels(self) -> int:
        """Of a recording, (steps,) or (steps, channels)."""
        return self.shape[1] if len(self.shape) == 2 else 1

    def channel(self, number: int) -> list[int]:
        """The values of a channel of a recording, step by step."""
        return self.values[number :: self.channels]


def to_nearest(number: int, divisor: int) -> int:
    """A quotient; a half goes upwards."""
    return (2 * number + divisor) // (2 * divisor)


def several(sample: Sample, lists: Sequence[list[int]], highest: int = 255) -> Sample:
    """Some values in place of each: the first ones of all, then the second ones, and so on."""
    values = [value for one in lists for value in one]
    return Sample(values, (len(lists), *sample.shape) if len(sample.shape) < 3 else (len(values),), highest)


def square_means(stage: Any, sample: Sample) -> Sample:
    """Every square's mean."""
    rows, columns = (size // stage.side for size in sample.shape)
    sums = [0] * (rows * columns)
    for place, value in enumerate(sample.values):
        y, x = divmod(place, sample.shape[1])
        sums[y // stage.side * columns + x // stage.side] += value
    return Sample([to_nearest(sum_, stage.side**2) for sum_ in sums], (rows, columns), sample.highest)


def picture(stage: Any, sample: Sample) -> Sample:
    """The other stages for pictures."""
    if stage.kind == "grey":
        shape = sample.shape[:2]
    else:
        shape = sample.shape if stage.kind == "invert" else (stage.rows, stage.columns)
    highest = stage.highest if stage.kind == "ink" else sample.highest
    return Sample(naive_pictures.run(stage, sample, sample.values), shape, highest)


def in_range(distance: int, multiplier: int, shift: int) -> int:
    """A distance in units of a range."""
    return min(to_nearest(max(distance, 0) * multiplier, 2**shift), 255)


def scale(stage: Any, sample: Sample) -> Sample:
    """How far each value is above the offset of its feature."""
    n = len(stage.offset)
    values = [
        in_range(value - stage.offset[i % n], stage.multiplier[i % n], stage.shift)
        for i, value in enumerate(sample.values)
    ]
    return Sample(values, sample.shape)


def on_off(stage: Any, sample: Sample) -> Sample:
    """How far each value is above the centre of its feature, and how far below."""
    n = len(stage.centre)
    distances = [value - stage.centre[i % n] for i, value in enumerate(sample.values)]
    above = [in_range(distance, stage.above[i % n], stage.shift) for i, distance in enumerate(distances)]
    below = [in_range(-distance, stage.below[i % n], stage.shift) for i, distance in enumerate(distances)]
    return several(sample, [above, below])


def levels_of(stage: Any, place: int) -> tuple[int, ...]:
    """The levels of the feature of the value at a place."""
    feature = place % (len(stage.levels) // stage.count)
    return tuple(stage.levels[feature * stage.count : (feature + 1) * stage.count])


def quantiles(stage: Any, sample: Sample) -> Sample:
    """The share of the levels that are reached."""
    values = []
    for i, value in enumerate(sample.values):
        reached = sum(value >= level for level in levels_of(stage, i))
        values.append(255 * reached // stage.count)
    return Sample(values, sample.shape)


def thermometer(stage: Any, sample: Sample) -> Sample:
    """One value a level."""
    return several(
        sample,
        [
            [255 if value >= levels_of(stage, i)[level] else 0 for i, value in enumerate(sample.values)]
            for level in range(stage.count)
        ],
    )


def complement(stage: Any, sample: Sample) -> Sample:
    """What each value lacks."""
    del stage
    return several(sample, [sample.values, [sample.highest - value for value in sample.values]], sample.highest)


def contrast(stage: Any, sample: Sample) -> Sample:
    """Every channel from its lowest to its highest value."""
    values = list(sample.values)
    for channel in range(stage.channels):
        own = sample.values[channel :: stage.channels]
        width = max(own) - min(own)
        for i, value in enumerate(own):
            multiplier = 255 * 2**24 // width if width else 0
            values[channel + i * stage.channels] = to_nearest((value - min(own)) * multiplier, 2**24)
    return Sample(values, sample.shape)


def differences(stage: Any, sample: Sample) -> Sample:
    """Each step less the one before."""
    del stage
    values = []
    for step in range(1, sample.shape[0]):
        for channel in range(sample.channels):
            grown = sample.channel(channel)[step] - sample.channel(channel)[step - 1]
            values.append(min(max(grown, -(2**15)), 2**15 - 1))
    return Sample(values, (sample.shape[0] - 1, *sample.shape[1:]))


def means(stage: Any, sample: Sample) -> Sample:
    """One step in place of several."""
    steps = sample.shape[0] // stage.steps
    values = []
    for step in range(steps):
        for channel in range(sample.channels):
            own = sample.channel(channel)[step * stage.steps : (step + 1) * stage.steps]
            values.append((sum(own) + stage.steps // 2) // stage.steps)
    return replace(sample, values=values, shape=(steps, *sample.shape[1:]))


Complex = tuple[int, int]


def cosine(part: int, frame: int) -> int:
    """Of a part of the circle, the nearest to 32,768 times that."""
    return math.floor(32_768 * math.cos(2 * math.pi * part / frame) + 0.5)


def turned_back(number: Complex, part: int, frame: int) -> Complex:
    """By a part of the circle, each product rounded."""
    c, s = cosine(part, frame), cosine(part - frame // 4, frame)
    products = [to_nearest(one, 2**15) for one in (number[0] * c, number[1] * s, number[1] * c, number[0] * s)]
    return products[0] + products[1], products[2] - products[3]


def transform(numbers: list[Complex], frame: int) -> list[Complex]:
    """The transform of the even ones and that of the odd ones make that of all."""
    half = len(numbers) // 2
    if not half:
        return numbers
    even, odd = transform(numbers[0::2], frame), transform(numbers[1::2], frame)
    turned = [turned_back(number, k * frame // len(numbers), frame) for k, number in enumerate(odd)]
    above = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(even, turned, strict=True)]
    below = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(even, turned, strict=True)]
    return above + below


def frequencies(values: list[int]) -> list[Complex]:
    """Of a frame: four times those from 0 to below half of it; that of 0 stays away."""
    frame = len(values)
    heights = [to_nearest(value * ((32_768 - cosine(i, frame)) // 2), 2**11) for i, value in enumerate(values)]
    half = transform([*zip(heights[0::2], heights[1::2], strict=True)], frame)
    found = [(0, 0)]
    for k in range(1, frame // 2):
        (a, b), (c, d) = half[k], half[frame // 2 - k]
        turned = turned_back((a - c, b + d), k, frame)
        twice = a + c + turned[1], b - d - turned[0]
        found.append((to_nearest(twice[0], 8), to_nearest(twice[1], 8)))
    return found


def level(power: int) -> int:
    """Eighths of octaves above 8."""
    if power < 8:
        return 0
    octave = power.bit_length() - 1
    return min(8 * (octave - 4) + power * 8 // 2**octave, 255)


def bands_of(stage: Any, values: list[int]) -> list[int]:
    """The level of each band of a frame."""
    powers = [real**2 + imaginary**2 for real, imaginary in frequencies(values)]
    found = []
    for low, middle, high in zip(stage.edges, stage.edges[1:], stage.edges[2:], strict=False):
        power = sum(powers[k] * (256 * (k - low) // (middle - low)) for k in range(low, middle))
        power += sum(powers[k] * (256 - 256 * (k - middle) // (high - middle)) for k in range(middle, high))
        found.append(level(power // (16 * stage.frame**2)))
    return found


def spectrum(stage: Any, sample: Sample) -> Sample:
    """Frame by frame, channel by channel, band by band."""
    values, frames = [], 0
    for first in range(0, sample.shape[0] - stage.frame + 1, stage.hop):
        for channel in range(sample.channels):
            values += bands_of(stage, sample.channel(channel)[first : first + stage.frame])
        frames += 1
    return Sample(values, (frames, len(values) // frames))


# A kind of stage as what it makes of a sample.
STAGES: dict[str, Callable[[Any, Sample], Sample]] = {
    "square-means": square_means,
    **dict.fromkeys(naive_pictures.PICTURES, picture),
    "scale": scale,
    "on-off": on_off,
    "quantiles": quantiles,
    "thermometer": thermometer,
    "complement": complement,
    "contrast": contrast,
    "differences": differences,
    "means": means,
    "spectrum": spectrum,
}


def run(stage: Any, values: Any, sample: list[int]) -> list[int]:
    """One stage, of a sample of which `Values` are known."""
    return STAGES[stage.kind](stage, Sample(sample, values.shape, values.highest)).values


def through(stages: Sequence[Any], sample: Sample) -> Sample:
    """What stages make of a sample, one after another."""
    for stage in stages:
        sample = STAGES[stage.kind](stage, sample)
    return sample
