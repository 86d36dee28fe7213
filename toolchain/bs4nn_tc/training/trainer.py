"""What every recipe's trainer offers to the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.network import HostNetwork
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork


@dataclass
class Progress:
    """How far a run is; everything random follows from (seed, epoch, piece), so this is enough to resume.

    Attributes:
        epoch: the epoch at hand, from 0.
        piece: pieces of it that are done.
        loss: summed over the images of this epoch.
        flips: sign flips in this epoch.
        seconds: of this epoch.
    """

    epoch: int = 0
    piece: int = 0
    loss: float = 0.0
    flips: int = 0
    seconds: float = 0.0


class Trainer(Protocol):
    """A recipe at work on one data set."""

    dataset: Dataset
    threshold_option: str  # the option from which hidden thresholds come, with a place for its value

    @property
    def host(self) -> HostNetwork | RealHost:
        """What runs the network as it stands."""

    @property
    def pieces(self) -> int:
        """Pieces of an epoch; a run can stop and be resumed between two of them."""

    @property
    def epochs(self) -> int:
        """Epochs of the run."""

    def learn(self, progress: Progress) -> None:
        """Learn from piece `progress.piece` of epoch `progress.epoch`; adds to its loss and flips."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that learning has changed, for the checkpoint: the arrays themselves, not copies."""

    def network(self, description: dict[str, Any]) -> Network | RealNetwork:
        """The network as it stands."""


def learning_material(
    dataset: Dataset, hidden: tuple[int, ...], all_images: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int32], tuple[int, ...]]:
    """Images and labels to learn from, as the C code takes them, and the network's sizes from the pixels up."""
    images, labels = (dataset.train_images, dataset.train_labels) if all_images else dataset.training()
    sizes = (images.shape[1], *hidden, len(dataset.class_names))
    return np.ascontiguousarray(images), labels.astype(np.int32), sizes


def initial_signs(proxies: list[NDArray[np.float32]]) -> list[NDArray[np.int8]]:
    """The signs of proxy weights, +1 for zero."""
    return [np.where(layer >= 0, 1, -1).astype(np.int8) for layer in proxies]


def frozen_layers(host: HostNetwork) -> tuple[Dense, ...]:
    """The layers as the deployable network has them, (out, in)."""
    return tuple(Dense(signs.T, thresholds) for signs, thresholds in zip(host.signs, host.thresholds, strict=True))


# The rate at the end of a run that settles, as a share of the one before.
_SETTLED = 0.05


def settling(settle: float, epochs: int, epoch: int) -> float:
    """What the rate is multiplied with in an epoch: 1, but falling evenly to a twentieth in the last `settle` epochs.

    Args:
        settle: share of the epochs, 0 .. 1.
        epochs: of the run.
        epoch: the one at hand, from 0.
    """
    last = round(settle * epochs)
    share = max(0, epoch + 1 + last - epochs) / last if last else 0.0
    return float(_SETTLED**share)
