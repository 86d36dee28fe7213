"""What the page sees, drawn or by its camera, and what a network takes of it: by the stages that devices have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data import camera
from bs4nn_tc.data.facts import Framing
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Grey, Ink

# Rows and columns of what is sent of the sheet and the camera to a network that takes no frames itself.
_SIZE = (160, 160)
# As a browser has them, without their transparency.
_FORMAT = "rgb888"


class Frames:
    """Frames of the page, for one network.

    Attributes:
        size: (rows, columns).
        ink: "bright" or "dark": how a drawing has to look.
        seen_shape: (rows, columns) of what the page shows of a sample.
    """

    def __init__(self, network: Network, framing: Framing, shape: tuple[int, int]) -> None:
        """Look at what a network takes.

        Args:
            network: the network; it may stand behind a camera already.
            framing: how its images lie.
            shape: (rows, columns) of an image, where it does not.
        """
        self._input, self._framing = network.input, framing
        self._behind_camera = is_behind_camera(network)
        self.size, self.ink, self.seen_shape = _SIZE, "bright", shape
        if self._behind_camera:
            self.size = (network.input.shape[0], network.input.shape[1])
            self.ink = next((stage.ink for stage in network.input.stages if isinstance(stage, Ink)), "bright")

    @property
    def bytes(self) -> int:
        """Of a frame."""
        return self._colours.sample.count

    @property
    def _colours(self) -> Input:
        return Input(camera.frame_shape(self.size, _FORMAT), stages=(Grey(_FORMAT),))

    def sample(self, frame: NDArray[np.uint8], ink: str) -> NDArray[Any] | None:
        """What the network takes of a frame.

        Args:
            frame: (bytes,) uint8: red, green and blue of each pixel.
            ink: "bright" or "dark", what to look for; who stands behind a camera knows that for itself.

        Returns:
            (values,) of the network's input; None where there is no ink.
        """
        grey = self._colours.prepare(frame)
        if self._behind_camera:
            first, taken = self._input.stages[0], self._input.passed[0]
            return first.sample_of(grey[None], taken)[0] if isinstance(first, Grey) else grey
        laid, *others = camera.laid_ink(self._framing, self.seen_shape, ink, self._input.intensity_max)
        found = Input(self.size, stages=(laid,)).prepare(grey)
        return Input(self.size, stages=(laid, *others)).prepare(grey) if found.any() else None

    def seen(self, sample: NDArray[Any]) -> NDArray[Any]:
        """What the page shows of a sample: an image, or what becomes of a frame."""
        return self._input.prepare(sample) if self._behind_camera else sample


def is_behind_camera(network: Network) -> bool:
    """Whether a network takes frames instead of images."""
    return any(isinstance(stage, Grey | Ink) for stage in network.input.stages)
