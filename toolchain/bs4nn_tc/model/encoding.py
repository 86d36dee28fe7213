"""Intensities to firing times: the brighter a pixel, the earlier its one spike (equation 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError


def firing_times(images: NDArray[np.uint8], time_steps: int, intensity_max: int) -> NDArray[np.int32]:
    """Code pixels as firing times: t = floor((Imax - I) * T / Imax), in whole numbers.

    Args:
        images: uint8, any shape, intensities 0 .. intensity_max.
        time_steps: T; a time of T means "never", and a black pixel never fires.
        intensity_max: Imax, 1 .. 255.

    Returns:
        int32, the shape of `images`, values 0 .. T.

    Raises:
        UserError: a pixel brighter than intensity_max.
    """
    brightest = int(images.max(initial=0))
    if brightest > intensity_max:
        raise UserError(f"a pixel has intensity {brightest}; this network takes 0 to {intensity_max}")
    times = (intensity_max - images.astype(np.int64)) * time_steps // intensity_max
    return times.astype(np.int32)
