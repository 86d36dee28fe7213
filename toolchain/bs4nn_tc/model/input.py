"""What a network is given, and the spikes that come of it: the one home of equation 1 in Python.

A *sample* is what the caller has; its stages, if there are any, make of it the *pixels* that the first layer takes.

Whoever needs firing times elsewhere (the host library, a page, PyTorch) takes `Input.table` and indexes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_INTENSITY, MAX_NEURONS, whole_number
from bs4nn_tc.model.stages import Shape, Stage, shapes_through

# A sample is a row of values, a picture, or a picture of several planes.
_MAX_AXES = 3


@dataclass(frozen=True)
class Input:
    """The input side of a network.

    Attributes:
        kind: its name in files: one spike a value, the brighter the earlier.
        shape: of a sample: (rows, columns) or (values,); () where nobody knows it. Part of a network's meaning only
            where there are stages.
        intensity_max: Imax, 1 .. 255: the intensity that fires at step 0, and the largest of a sample.
        stages: what is done to a sample before its intensities are coded.
    """

    kind: ClassVar[str] = "ramp"
    shape: Shape = ()
    intensity_max: int = MAX_INTENSITY
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.shape)
        if len(shape) > _MAX_AXES:
            raise UserError(f"an input of {len(shape)} axes; at most {_MAX_AXES} are allowed")
        sides = tuple(whole_number("a side of the input", side, 1, MAX_NEURONS) for side in shape)
        if math.prod(sides) > MAX_NEURONS:
            raise UserError(f"an input of {math.prod(sides):,} values; at most {MAX_NEURONS:,} are allowed")
        object.__setattr__(self, "shape", sides)
        highest = whole_number("intensity_max", self.intensity_max, 1, MAX_INTENSITY)
        object.__setattr__(self, "intensity_max", highest)
        object.__setattr__(self, "stages", tuple(self.stages))
        shapes_through(self.stages, sides)  # refuses what does not go through

    @property
    def behind_stages(self) -> Input:
        """The input side behind the stages: what takes samples that are prepared already."""
        return replace(self, shape=shapes_through(self.stages, self.shape)[-1], stages=())

    def prepare(self, samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels that the first layer takes.

        Args:
            samples: (N, values) uint8, or one of them, (values,).

        Returns:
            (N, pixels) uint8, or (pixels,); the same array where there are no stages.
        """
        prepared = samples
        for stage, shape in zip(self.stages, shapes_through(self.stages, self.shape), strict=False):
            prepared = stage.apply(prepared.reshape(-1, math.prod(shape)), shape)
        return prepared.reshape(*samples.shape[:-1], -1) if self.stages else samples

    def sample_of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(N, values) uint8 samples of which `prepare` makes these (N, pixels)."""
        samples = pixels
        for stage, shape in reversed([*zip(self.stages, shapes_through(self.stages, self.shape), strict=False)]):
            samples = stage.sample_of(samples, shape)
        return samples

    @property
    def meaning(self) -> dict[str, Any]:
        """What is part of a network's meaning, for JSON."""
        meaning: dict[str, Any] = {
            "kind": self.kind,
            "intensity_max": self.intensity_max,
            "stages": [stage.json for stage in self.stages],
        }
        return meaning | ({"shape": list(self.shape)} if self.stages else {})

    def check(self, samples: NDArray[np.uint8]) -> None:
        """Refuse samples that are too bright.

        Raises:
            UserError: an intensity above intensity_max.
        """
        brightest = int(samples.max(initial=0))
        if brightest > self.intensity_max:
            raise UserError(f"a pixel has intensity {brightest}; this network takes 0 to {self.intensity_max}")

    def firing_times(self, samples: NDArray[np.uint8], time_steps: int) -> NDArray[np.int32]:
        """Prepare samples, and code the intensities of their pixels: the brighter, the earlier the one spike.

        Args:
            samples: (N, values) or (values,) uint8, intensities 0 .. intensity_max.
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
