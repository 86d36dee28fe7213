"""The recipe "paper": BS4NN's own learning, by equations 5 to 16 of arXiv 2007.04039.

One image at a time. The error of an output neuron is (target - firing time) / T (equation 5), with targets
relative to the first output spike (equations 6 to 8); errors are normalised to length 1 in every layer and
go down through the real-valued proxy weights, to every neuron that fired before (equations 9 to 14). The
scaling factor alpha of a layer learns as well (equations 15 and 16); on the device it lives on in the
threshold, theta / alpha rounded up. Where the text does not start to learn, see `PaperOptions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.host.network import HostNetwork
from bs4nn_tc.host.structures import Dropout, PaperStep
from bs4nn_tc.model.importers import Rules, threshold_from_alpha
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import Scaling
from bs4nn_tc.training.augmentation import moved
from bs4nn_tc.training.options import PaperOptions
from bs4nn_tc.training.trainer import Progress, frozen_layers, initial_signs, learning_material, settling

IMAGES_A_PIECE = 1_000
# The paper's starting ranges for 784-600-10: hidden 0 .. 5, output 0 .. 48.
_HIDDEN_START, _OUTPUT_START = 5.0, 48.0


class PaperTrainer:
    """The recipe at work. See the module for the equations."""

    threshold_option = "theta=NUMBER"

    def __init__(self, dataset: Dataset, options: PaperOptions) -> None:
        self.dataset = dataset
        self._options = options
        self._images, self._labels, sizes = learning_material(dataset, options.hidden, options.all_images)
        rng = np.random.default_rng([options.seed, 0])
        starts = options.starts or (*[_HIDDEN_START] * len(options.hidden), _OUTPUT_START)
        self._proxies = [
            rng.uniform(-start if options.mixed_start else 0, start, (inputs, neurons)).astype(np.float32)
            for inputs, neurons, start in zip(sizes[:-1], sizes[1:], starts, strict=True)
        ]
        self._alphas = np.array(options.alphas or [options.alpha] * (len(sizes) - 1), np.float64)
        readout_step = options.time_steps - 3 if options.delay else options.time_steps - 1
        self.host = HostNetwork(
            initial_signs(self._proxies),
            [np.zeros(neurons, np.int32) for neurons in sizes[1:]],
            time_steps=options.time_steps,
            input=dataset.input.behind_stages,
            delay=options.delay,
            readout_step=max(0, readout_step),
        )
        self._set_thresholds()

    @property
    def epochs(self) -> int:
        """Epochs of the run."""
        return self._options.epochs

    @property
    def pieces(self) -> int:
        """Groups of images in an epoch."""
        return -(-len(self._images) // IMAGES_A_PIECE)

    def _set_thresholds(self) -> None:
        rules: Rules = "authors" if self._options.strict else "paper"
        for alpha, thresholds, signs in zip(self._alphas, self.host.thresholds, self.host.signs, strict=True):
            thresholds[:] = threshold_from_alpha(self._options.theta, float(alpha), rules, signs.shape[0])

    def learn(self, progress: Progress) -> None:
        """Learn from one group of images, one after another; the loss counts wrong answers."""
        options = self._options
        rng = np.random.default_rng([options.seed, 1, progress.epoch])
        count = len(self._images)
        order = rng.integers(0, count, count) if options.replacement else rng.permutation(count)
        chosen = order[progress.piece * IMAGES_A_PIECE : (progress.piece + 1) * IMAGES_A_PIECE]
        images = np.ascontiguousarray(self._images[chosen])
        moving = np.random.default_rng([options.seed, 2, progress.epoch, progress.piece])
        images = moved(moving, images, self.dataset.picture, options)
        fall = 0.7 ** (progress.epoch // options.fall_every) if options.fall_every else 1.0
        fall *= settling(options.settle, options.epochs, progress.epoch)
        right, flips = self.host.paper_learn(
            self._proxies,
            self._alphas,
            PaperStep(
                options.theta,
                options.rate * fall,
                options.alpha_rate * fall,
                options.decay,
                options.gamma,
                options.early_target,
                options.strict,
                options.black_fires,
                options.early_target or options.silent_target,
                options.window,
                options.balanced,
            ),
            images,
            np.ascontiguousarray(self._labels[chosen]),
            Dropout.drawn(moving, len(chosen), sum(options.hidden), options.dropout),
        )
        if not (self._alphas > 0).all():
            raise UserError("a scaling factor alpha has fallen to zero; lower --alpha-rate")
        progress.loss += len(chosen) - right
        progress.flips += flips

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Proxies, signs, scaling factors and thresholds."""
        arrays: dict[str, NDArray[Any]] = {"alphas": self._alphas}
        for number, proxies in enumerate(self._proxies, start=1):
            arrays[f"proxies_{number}"] = proxies
            arrays[f"signs_{number}"] = self.host.signs[number - 1]
            arrays[f"thresholds_{number}"] = self.host.thresholds[number - 1]
        return arrays

    def network(self, description: dict[str, Any]) -> Network:
        """The network as it stands."""
        options = self._options
        return Network(
            frozen_layers(self.host),
            time_steps=options.time_steps,
            delay=options.delay,
            readout_step=max(0, options.time_steps - 3) if options.delay else -1,
            input=self.dataset.input,
            description=description,
            scaling=Scaling(options.theta, tuple(round(float(alpha), 8) for alpha in self._alphas)),
        )
