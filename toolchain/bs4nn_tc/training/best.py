"""The recipe "best": the network learns exactly as the device computes.

Forward, every image runs by SPEC.md (delay 0) up to the step tau of the first output spike, and learning stops
where the device stops. The loss is the cross-entropy of softmax(s V_o(tau)). Backward, with M_j the
highest potential of hidden neuron j up to tau, reached first at step a_j:

    dL/dV_o = softmax_o - onehot_o   (times s, which Adam does not see)
    g_j = (sum over o of B_oj dL/dV_o) * max(0, 1 - |M_j - threshold_j + 1/2| / window)

Output proxies receive dL/dV_o where j fired by tau, hidden proxies g_j for every input with t_i <= a_j, and
so on through further hidden layers. Gradients with respect to the signs are applied to the real-valued
proxy weights (straight through), by Adam, in mini-batches. A threshold takes the opposite of its neuron's
g_j, likewise by way of a real-valued proxy, which is rounded.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.network import HostNetwork, Surrogate
from bs4nn_tc.host.structures import Dropout
from bs4nn_tc.host.surrogate import WARP_POINTS, AdamStep, warp
from bs4nn_tc.model.limits import MAX_THRESHOLD
from bs4nn_tc.model.network import Network
from bs4nn_tc.training.augmentation import affine_maps, by_epoch, rolled
from bs4nn_tc.training.options import BestOptions
from bs4nn_tc.training.trainer import Progress, frozen_layers, initial_signs, learning_material

# A batch is always cut into this many parts, each with gradients of its own, so that the result
# does not depend on how many threads there are.
PARTS = 2
# Weights times images of a batch from which on more threads than one are of use.
_FOR_THREADS = 500_000
# Batches between two looks at the keyboard.
BATCHES_A_PIECE = 20


class BestTrainer:
    """The recipe at work. See the module for the equations."""

    threshold_option = "hidden_thresholds=NUMBER"

    def __init__(self, dataset: Dataset, options: BestOptions, threads: int = PARTS) -> None:
        self.dataset = dataset
        self._options = options
        self._images, self._labels, sizes = learning_material(dataset, options.hidden, options.all_images)
        self._taken = dataset if dataset.samples is None else dataset.samples
        self._samples = self._taken.train_images if options.all_images else self._taken.training()[0]
        rng = np.random.default_rng([options.seed, 0])
        self._proxies = [
            rng.uniform(-options.start, options.start, (inputs, neurons)).astype(np.float32)
            for inputs, neurons in itertools.pairwise(sizes)
        ]
        self._means = [np.zeros_like(layer) for layer in self._proxies]
        self._squares = [np.zeros_like(layer) for layer in self._proxies]
        self._gradients = [[np.zeros_like(layer) for layer in self._proxies] for _ in range(PARTS)]
        thresholds = (*options.hidden_thresholds, options.output_threshold)
        self.host = HostNetwork(
            initial_signs(self._proxies),
            [np.full(neurons, value, np.int32) for neurons, value in zip(sizes[1:], thresholds, strict=True)],
            time_steps=options.time_steps,
            input=dataset.input.behind_stages,
        )
        self._threshold_proxies = np.concatenate(self.host.thresholds[:-1]).astype(np.float64)
        self._threshold_moments = np.zeros((2, self._threshold_proxies.size))
        self._threshold_gradients = [
            [np.zeros(neurons, np.float32) for neurons in options.hidden] for _ in range(PARTS)
        ]
        work = options.batch * sum(layer.size for layer in self._proxies)
        # `map` as it is, where to hand over costs more than the work.
        self._each_part = ThreadPoolExecutor(threads).map if threads > 1 and work >= _FOR_THREADS else map

    @property
    def epochs(self) -> int:
        """Epochs of the run."""
        return self._options.epochs

    @property
    def _batches(self) -> int:
        return max(1, len(self._images) // self._options.batch)

    @property
    def pieces(self) -> int:
        """Groups of batches in an epoch."""
        return -(-self._batches // BATCHES_A_PIECE)

    def learn(self, progress: Progress) -> None:
        """Learn from one group of batches."""
        order = self._order(np.random.default_rng([self._options.seed, 1, progress.epoch]))
        first = progress.piece * BATCHES_A_PIECE
        for batch in range(first, min(first + BATCHES_A_PIECE, self._batches)):
            chosen = order[batch * self._options.batch : (batch + 1) * self._options.batch]
            self._learn_batch(chosen, progress, batch)

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The images of an epoch, one after another."""
        count = len(self._images)
        if not self._options.evenly:
            return rng.permutation(count)
        shares = 1 / np.bincount(self._labels)[self._labels] ** self._options.evenly
        return rng.choice(count, count, p=shares / shares.sum())

    def _learn_batch(self, chosen: NDArray[np.int64], progress: Progress, batch: int) -> None:
        options = by_epoch(self._options, progress.epoch)
        rng = np.random.default_rng([options.seed, 2, progress.epoch, batch])
        maps = affine_maps(rng, len(chosen), self.dataset.picture, options)
        drawn = rng.uniform(-options.elastic, options.elastic, (len(chosen), 2, WARP_POINTS, WARP_POINTS))
        fields = drawn.astype(np.float32)
        parts = [slice(part * len(chosen) // PARTS, (part + 1) * len(chosen) // PARTS) for part in range(PARTS)]
        learned = self._images[chosen]
        if options.roll:
            learned = self.dataset.input.prepare(
                rolled(rng, self._samples[chosen], self._taken.image_shape, options.roll)
            )
        dropouts = [Dropout.drawn(rng, own.stop - own.start, sum(options.hidden), options.dropout) for own in parts]

        def learn_part(part: int) -> float:
            own = parts[part]
            images = np.ascontiguousarray(learned[own])
            if maps is not None:
                images = warp(images, self.dataset.picture, maps[own], fields[own])
            return self.host.surrogate_gradients(
                images,
                self._labels[chosen[own]],
                Surrogate(options.scale, options.windows),
                gradients=self._gradients[part],
                threshold_gradients=self._threshold_gradients[part],
                dropout=dropouts[part],
            )

        progress.loss += sum(self._each_part(learn_part, range(PARTS)))

        number = progress.epoch * self._batches + batch
        rate = options.rate * 0.5 * (1 + math.cos(math.pi * number / (self._batches * options.epochs)))
        step = AdamStep(1 / len(chosen), rate, number + 1)

        def update_part(part: int) -> int:
            flips = 0
            for layer, proxies in enumerate(self._proxies):
                own = slice(part * proxies.size // PARTS, (part + 1) * proxies.size // PARTS)
                flips += step.apply(
                    proxies.reshape(-1)[own],
                    self._means[layer].reshape(-1)[own],
                    self._squares[layer].reshape(-1)[own],
                    self.host.signs[layer].reshape(-1)[own],
                    [parts[layer].reshape(-1)[own] for parts in self._gradients],
                )
            return flips

        progress.flips += sum(self._each_part(update_part, range(PARTS)))
        self._update_thresholds(step)

    def _update_thresholds(self, step: AdamStep) -> None:
        """One step of Adam for the hidden thresholds, which are few; they stay in 1 .. the largest allowed."""
        gradient = np.sum([np.concatenate(part) for part in self._threshold_gradients], axis=0) * step.gradient_scale
        for part in self._threshold_gradients:
            for gradients in part:
                gradients[:] = 0
        if not self._options.threshold_rate:
            return
        mean, square = self._threshold_moments
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        move = mean / (1 - 0.9**step.number) / (np.sqrt(square / (1 - 0.999**step.number)) + 1e-8)
        proxies = self._threshold_proxies
        proxies -= self._options.threshold_rate * step.rate * move
        np.clip(proxies, 1, MAX_THRESHOLD, out=proxies)
        first = 0
        for layer in self.host.thresholds[:-1]:
            layer[:] = np.rint(self._threshold_proxies[first : first + layer.size])
            first += layer.size

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Proxies, moments, signs and thresholds; gradients are zero between batches."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, proxies in enumerate(self._proxies, start=1):
            arrays[f"proxies_{number}"] = proxies
            arrays[f"means_{number}"] = self._means[number - 1]
            arrays[f"squares_{number}"] = self._squares[number - 1]
            arrays[f"signs_{number}"] = self.host.signs[number - 1]
            arrays[f"thresholds_{number}"] = self.host.thresholds[number - 1]
        arrays["proxies_of_thresholds"] = self._threshold_proxies
        arrays["moments_of_thresholds"] = self._threshold_moments
        return arrays

    def network(self, description: dict[str, Any]) -> Network:
        """The network as it stands, with the output threshold that it was trained with."""
        return Network(
            frozen_layers(self.host),
            time_steps=self._options.time_steps,
            input=self.dataset.input,
            description=description,
        )
