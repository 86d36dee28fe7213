"""What a network is given, and the spikes that come of it: the one home of equation 1 in Python.

Whoever needs firing times elsewhere (the host library, a page, PyTorch) takes `Input.table` and indexes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.model.limits import MAX_INTENSITY, MAX_NEURONS, whole_number

# A sample is a row of values, a picture, or a picture of several planes.
_MAX_AXES = 3


@dataclass(frozen=True)
class Input:
    """The input side of a network.

    Attributes:
        kind: its name in files: one spike a value, the brighter the earlier.
        shape: of a sample: (rows, columns) or (values,); () where nobody knows it. No part of the digest.
        intensity_max: Imax, 1 .. 255: the intensity that fires at step 0.
        stages: what is done to a sample before its intensities are coded; none exists yet, so always ().
    """

    kind: ClassVar[str] = "ramp"
    shape: tuple[int, ...] = ()
    intensity_max: int = MAX_INTENSITY
    stages: tuple[()] = ()

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
        if self.stages != ():
            raise UserError("the input has stages, which this release does not know")

    @property
    def meaning(self) -> dict[str, Any]:
        """What is part of a network's meaning, for JSON."""
        return {"kind": self.kind, "intensity_max": self.intensity_max, "stages": list(self.stages)}

    def check(self, samples: NDArray[np.uint8]) -> None:
        """Refuse samples that are too bright.

        Raises:
            UserError: an intensity above intensity_max.
        """
        brightest = int(samples.max(initial=0))
        if brightest > self.intensity_max:
            raise UserError(f"a pixel has intensity {brightest}; this network takes 0 to {self.intensity_max}")

    def firing_times(self, samples: NDArray[np.uint8], time_steps: int) -> NDArray[np.int32]:
        """Code intensities as firing times: the brighter, the earlier the one spike.

        Args:
            samples: uint8, any shape, intensities 0 .. intensity_max.
            time_steps: T; a time of T means "never", and intensity 0 never fires.

        Returns:
            int32, the shape of `samples`, values 0 .. T.

        Raises:
            UserError: see `check`.
        """
        self.check(samples)
        return self.table(time_steps)[samples]

    def table(self, time_steps: int) -> NDArray[np.int32]:
        """(256,) int32, the firing time of every intensity; above intensity_max that of intensity_max, step 0.

        Equation 1, in whole numbers: t = floor((Imax - I) * T / Imax).
        """
        darkness = self.intensity_max - np.arange(256, dtype=np.int64).clip(max=self.intensity_max)
        return (darkness * time_steps // self.intensity_max).astype(np.int32)
