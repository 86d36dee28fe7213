"""What the recipe "best" has of its own in the host library, besides its gradients: steps of Adam, warped images."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import pointer, pointers
from bs4nn_tc.host import structures
from bs4nn_tc.host.library import library


@dataclass(frozen=True)
class AdamStep:
    """One step of Adam: means decay by 0.9 and 0.999, both corrected for their start at zero.

    Attributes:
        gradient_scale: factor on the summed gradients, 1 / batch.
        rate: learning rate of this step.
        number: of this step, from 1.
    """

    gradient_scale: float
    rate: float
    number: int

    def apply(
        self,
        proxies: NDArray[np.float32],
        mean: NDArray[np.float32],
        square: NDArray[np.float32],
        signs: NDArray[np.int8],
        gradients: Sequence[NDArray[np.float32]],
    ) -> int:
        """Move flat `proxies`, clip them to -1 .. 1, and clear `gradients`; returns the sign flips."""
        arrays = (pointer(array) for array in (proxies, mean, square, signs))
        moments = structures.Moments(*arrays, proxies.size)
        step = structures.Adam(self.gradient_scale, self.rate, 1 / (1 - 0.9**self.number), 1 / (1 - 0.999**self.number))
        flips: int = library().host_adam(
            ctypes.byref(moments), pointers(gradients), ctypes.c_int32(len(gradients)), ctypes.byref(step)
        )
        return flips


# Control points of a displacement field in each direction, as in host.h.
WARP_POINTS = 5


def warp(
    images: NDArray[np.uint8], shape: tuple[int, int], maps: NDArray[np.float32], fields: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Warp (N, pixels) images: the pixel at (x, y) comes from A (x, y) + b + field(x, y), bilinear.

    Args:
        images: (N, rows x columns) uint8.
        shape: rows and columns.
        maps: (N, 6) float32, A and b as A00 A01 b0 A10 A11 b1.
        fields: (N, 2, WARP_POINTS, WARP_POINTS) float32, displacements in pixels at points from edge to edge.
    """
    warped = np.empty_like(images)
    library().host_warp(
        pointer(images),
        ctypes.c_int32(len(images)),
        ctypes.c_int32(shape[0]),
        ctypes.c_int32(shape[1]),
        pointer(maps),
        pointer(fields),
        pointer(warped),
    )
    return warped
