"""What a network is given, and the spikes that come of it: the one home of equation 1 in Python.

A *sample* is what the caller has; its stages, if there are any, make of it the *pixels* that the first layer takes.

Whoever needs firing times elsewhere (the host library, a page, PyTorch) takes `Input.table` and indexes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_INTENSITY, MAX_NEURONS, MAX_SAMPLE_VALUES, whole_number
from bs4nn_tc.model.stages import TYPES, Shape, Stage, Values, of_type, shape_text, through


@dataclass(frozen=True)
class Input:
    """The input side of a network.

    Attributes:
        kind: its name in files: one spike a value, the brighter the earlier.
        shape: of a sample: (values,), (rows, columns), (steps, channels) ..., or () where nobody knows it. Part of a
            network's meaning only where there are stages or a hop.
        intensity_max: Imax, 1 .. 255: the intensity that fires at step 0, the largest that the stages may give, and the
            largest value of a sample of type uint8.
        stages: what is done to a sample before its intensities are coded.
        type: of the values of a sample, "uint8", or with stages "int16", too.
        hop: where samples are windows of a stream, (steps,) or (steps, channels): so many steps from one that is
            answered to the next, 1 .. steps of a window; 0 where they are not.
    """

    kind: ClassVar[str] = "ramp"
    shape: Shape = ()
    intensity_max: int = MAX_INTENSITY
    stages: tuple[Stage, ...] = ()
    type: str = "uint8"
    hop: int = 0

    def __post_init__(self) -> None:
        highest = whole_number("intensity_max", self.intensity_max, 1, MAX_INTENSITY)
        object.__setattr__(self, "intensity_max", highest)
        object.__setattr__(self, "stages", tuple(self.stages))
        if not isinstance(self.type, str) or self.type not in TYPES:
            raise UserError(f"the type of a sample is '{printable(self.type, 40)}'; {' or '.join(TYPES)} is needed")
        object.__setattr__(self, "shape", self.sample.shape)
        pixels = self.passed[-1]  # refuses what does not go through
        if pixels.type != "uint8" or pixels.highest > highest:
            raise UserError(
                f"what the input gives to layer 1 is {pixels.type} up to {pixels.highest:,}; uint8 up to "
                f"{highest} is needed"
            )
        if pixels.count > MAX_NEURONS:
            raise UserError(f"an input of {pixels.count:,} values; a network takes at most {MAX_NEURONS:,}")
        object.__setattr__(self, "hop", whole_number("the hop of a stream", self.hop, 0, MAX_SAMPLE_VALUES))
        if self.hop and not (len(self.shape) in (1, 2) and self.hop <= self.shape[0]):
            raise UserError(
                f"a hop of {self.hop:,} steps does not fit windows of {shape_text(self.shape)}; windows of (steps,) or "
                "(steps, channels) and a hop that is no longer are needed"
            )

    @property
    def sample(self) -> Values:
        """What a sample is."""
        if self.type == "uint8":
            return Values(self.shape, "uint8", 0, self.intensity_max)
        return of_type(self.shape, self.type)

    @cached_property
    def passed(self) -> list[Values]:
        """What a sample is, and what it is after each stage."""
        return through(self.stages, self.sample)

    @property
    def step_values(self) -> int:
        """Values of one step of a stream."""
        return math.prod(self.shape[1:])

    @property
    def behind_stages(self) -> Input:
        """The input side behind the stages: what takes samples that are prepared already."""
        return Input(self.passed[-1].shape, self.intensity_max)

    def prepare(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """The pixels that the first layer takes.

        Args:
            samples: (N, values) of the input's type, or one of them, (values,).

        Returns:
            (N, pixels) uint8, or (pixels,); the same array where there are no stages.
        """
        if not self.stages:
            return samples
        prepared = samples.reshape(-1, self.sample.count)
        for outcome in self.after_stages(prepared):
            prepared = outcome
        return prepared.reshape(*samples.shape[:-1], -1)

    def after_stages(self, samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """What comes out of each stage: (N, values) after it, of (N, values) of the input's type."""
        for stage, values in zip(self.stages, self.passed, strict=False):
            samples = stage.apply(samples, values)
            yield samples

    def sample_of(self, pixels: NDArray[np.uint8]) -> NDArray[Any] | None:
        """(N, values) samples of which `prepare` makes these (N, pixels); None where a stage loses too much."""
        samples: NDArray[Any] | None = pixels
        for stage, values in reversed([*zip(self.stages, self.passed, strict=False)]):
            samples = None if samples is None else stage.sample_of(samples, values)
        return samples

    @property
    def meaning(self) -> dict[str, Any]:
        """What is part of a network's meaning, for JSON."""
        meaning: dict[str, Any] = {
            "kind": self.kind,
            "intensity_max": self.intensity_max,
            "stages": [stage.json for stage in self.stages],
        }
        if self.stages or self.hop:
            meaning["shape"] = list(self.shape)
        if self.type != "uint8":
            meaning["type"] = self.type
        if self.hop:
            meaning["hop"] = self.hop
        return meaning

    def check(self, samples: NDArray[Any]) -> None:
        """Refuse samples of another type, and those that are too bright.

        Raises:
            UserError: another type than the input's, or uint8 values above intensity_max.
        """
        if samples.dtype != self.sample.dtype:
            raise UserError(f"samples of type {samples.dtype}; this network takes {self.type}")
        if self.type != "uint8":
            return
        brightest = int(samples.max(initial=0))
        if brightest > self.intensity_max:
            raise UserError(f"a pixel has intensity {brightest}; this network takes 0 to {self.intensity_max}")

    def firing_times(self, samples: NDArray[Any], time_steps: int) -> NDArray[np.int32]:
        """Prepare samples, and code the intensities of their pixels: the brighter, the earlier the one spike.

        Args:
            samples: (N, values) or (values,) of the input's type.
            time_steps: T; a time of T means "never", and intensity 0 never fires.

        Returns:
            (N, pixels) or (pixels,) int32, values 0 .. T.

        Raises:
            UserError: see `check`.
        """
        self.check(samples)
        return self.table(time_steps)[self.prepare(samples)]

    def table(self, time_steps: int) -> NDArray[np.int32]:
        """(256,) int32, the firing time of every intensity; above intensity_max that of intensity_max, step 0.

        Equation 1, in whole numbers: t = floor((Imax - I) * T / Imax).
        """
        darkness = self.intensity_max - np.arange(256, dtype=np.int64).clip(max=self.intensity_max)
        return (darkness * time_steps // self.intensity_max).astype(np.int32)
