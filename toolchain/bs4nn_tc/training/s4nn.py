"""The recipe "s4nn": temporal backpropagation with real-valued weights (arXiv 1910.09495), for comparison.

Neurons as here, but with weights w in place of signs: V_j = sum of w_ij over the inputs that have fired, and j fires
one step after V_j exceeds theta. With the targets of the paper "binarized" (early only where nobody fires), errors
e = (target - firing time) / T, and each layer's errors at length 1,

    w_ij -= rate * e_j * [t_i < t_j]        e_i = sum over j of w_ij * e_j * [t_i < t_j]

image by image. Weights decay by the factor (1 - rate * decay) an image, applied every few hundred images. Before an
epoch, hidden neurons that fired on hardly any image of the one before are drawn anew. What deviates from that (weights
within bounds, errors that balance, a surrogate for hidden neurons) is named in `S4nnOptions`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.host.structures import Dropout, RealRules
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.augmentation import moved
from bs4nn_tc.training.options import S4nnOptions
from bs4nn_tc.training.trainer import Progress, learning_material, settling

IMAGES_A_PIECE = 500
# Where weights start, uniform in 0 .. this: hidden layers and the output layer.
_HIDDEN_START, _OUTPUT_START = 5.0, 48.0


class S4nnTrainer:
    """The recipe at work. See the module for the equations."""

    threshold_option = "theta=NUMBER"

    def __init__(self, dataset: Dataset, options: S4nnOptions) -> None:
        self.dataset = dataset
        self._options = options
        self._images, self._labels, sizes = learning_material(dataset, options.hidden, options.all_images)
        rng = np.random.default_rng([options.seed, 0])
        self._starts = options.starts or (*[_HIDDEN_START] * len(options.hidden), _OUTPUT_START)
        weights = tuple(
            self._drawn(rng, start, shape) for shape, start in zip(itertools.pairwise(sizes), self._starts, strict=True)
        )
        thresholds = np.array(options.thetas or [options.theta] * len(weights), np.float32)
        self.host = RealHost(RealNetwork(weights, thresholds, options.time_steps, dataset.intensity_max))
        self._fired = np.zeros(self.host.hidden_neurons, np.int64)

    @property
    def epochs(self) -> int:
        """Epochs of the run."""
        return self._options.epochs

    @property
    def pieces(self) -> int:
        """Groups of images in an epoch."""
        return -(-len(self._images) // IMAGES_A_PIECE)

    def learn(self, progress: Progress) -> None:
        """Learn from one group of images, one after another; the loss counts wrong answers."""
        options = self._options
        if progress.piece == 0 and progress.epoch > 0:  # not after an epoch: what is drawn anew knows nothing yet
            self._redraw(progress.epoch)
        order = np.random.default_rng([options.seed, 1, progress.epoch]).permutation(len(self._images))
        chosen = order[progress.piece * IMAGES_A_PIECE : (progress.piece + 1) * IMAGES_A_PIECE]
        images = np.ascontiguousarray(self._images[chosen])
        rng = np.random.default_rng([options.seed, 2, progress.epoch, progress.piece])
        images = moved(rng, images, self.dataset.picture, options)
        rate = options.rate * settling(options.settle, options.epochs, progress.epoch)
        weights = self.host.network.weights
        before = [layer >= 0 for layer in weights]
        labels = np.ascontiguousarray(self._labels[chosen])
        rules = RealRules(rate, options.gamma, options.window, options.balanced)
        rules.limits[: len(weights)] = options.limits or [np.inf] * len(weights)
        dropout = Dropout.drawn(rng, len(chosen), sum(options.hidden), options.dropout)
        right = self.host.learn(images, labels, rules, dropout, self._fired)
        for layer in weights:
            np.multiply(layer, np.float32((1 - rate * options.decay) ** len(chosen)), out=layer)
        progress.loss += len(chosen) - right
        progress.flips += sum(int((old != (layer >= 0)).sum()) for old, layer in zip(before, weights, strict=True))

    def _drawn(self, rng: np.random.Generator, start: float, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Weights as they start."""
        return rng.uniform(-start if self._options.mixed_start else 0, start, shape).astype(np.float32)

    def _redraw(self, epoch: int) -> None:
        """Draw hidden neurons anew that fired on hardly any image of the epoch before this one."""
        rng = np.random.default_rng([self._options.seed, 3, epoch - 1])
        first = 0
        for layer, start in zip(self.host.network.weights[:-1], self._starts, strict=False):
            fired = self._fired[first : first + layer.shape[1]]
            dead = np.flatnonzero(fired < self._options.redraw * len(self._images))
            layer[:, dead] = self._drawn(rng, start, (len(layer), len(dead)))
            first += layer.shape[1]
        self._fired[:] = 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, and how often hidden neurons have fired in this epoch."""
        weights = {f"proxies_{number}": layer for number, layer in enumerate(self.host.network.weights, start=1)}
        return {**weights, "fired": self._fired}

    def network(self, description: dict[str, Any]) -> RealNetwork:
        """The network as it stands."""
        now = self.host.network
        weights = tuple(layer.copy() for layer in now.weights)
        return RealNetwork(weights, now.thresholds, now.time_steps, now.intensity_max, description)
