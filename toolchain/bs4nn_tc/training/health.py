"""Learning that has come to nothing: noticed after an epoch, and told with the reason."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.host.network import HostAnswers, HostNetwork
from bs4nn_tc.training.trainer import Progress, Trainer


def check_numbers(progress: Progress, trainer: Trainer) -> None:
    """Refuse to go on with a loss or proxy weights that are no numbers.

    Raises:
        UserError: some are not.
    """
    proxies_are_numbers = all(
        np.isfinite(array).all() for name, array in trainer.arrays().items() if name.startswith("proxies")
    )
    if not math.isfinite(progress.loss) or not proxies_are_numbers:
        raise UserError(
            f"learning broke down in epoch {progress.epoch + 1}: the loss or a proxy weight is no number; "
            "lower the learning rate"
        )


def check_alive(answers: HostAnswers, progress: Progress, trainer: Trainer, images: NDArray[np.uint8]) -> None:
    """Refuse to go on where no hidden neuron fires, or no weight changes its sign.

    Args:
        answers: of the network after the epoch at hand.
        progress: of that epoch.
        trainer: the recipe.
        images: (N, pixels) uint8, the validation images that were answered.

    Raises:
        UserError: what has come to nothing, and why.
    """
    epoch = progress.epoch + 1
    if (answers.fired == 0).all():
        why = _why_nothing_fires(trainer, images, "validation image")
        raise UserError(
            f"after epoch {epoch} no hidden neuron fires on any validation image: "
            f"{why or 'lower the hidden threshold or the learning rate'}"
        )
    # The tie-lenient count of a network that never started to learn can read 100 %.
    if progress.epoch == 0 and progress.flips == 0:
        why = _why_nothing_fires(trainer, trainer.dataset.training()[0], "training image")
        raise UserError(
            "learning does not start, no weight has changed its sign in the first epoch: "
            f"{why or 'raise the learning rate, or go back to the defaults of the recipe'}"
        )


def _why_nothing_fires(trainer: Trainer, images: NDArray[np.uint8], what: str) -> str:
    """Why no hidden neuron can fire on these images, whatever is learned, with what to try; empty if some could."""
    host = trainer.host
    steps = trainer.dataset.input.table(host.time_steps)[images]
    if not (steps < host.time_steps).any():
        return (
            f"no {what} has a pixel above black, so there are no input spikes; look whether the images are as they "
            "should be: dark strokes on white are to be inverted, transparent ground is to be filled"
        )
    # A spike that is sent as late as this makes nobody fire any more.
    late = host.time_steps - (host.delay if isinstance(host, HostNetwork) else 1)
    most = int((steps < late).sum(axis=1).max())
    if not most:
        return (
            f"in no {what} is a pixel so bright that its spike comes before the last of {host.time_steps} time steps; "
            "raise --time-steps, or take images with more contrast"
        )
    if isinstance(host, HostNetwork):
        lowest, reached = float(host.thresholds[0].min()), float(most)
    else:
        lowest, reached = float(host.network.thresholds[0]), most * max(0.0, float(host.network.weights[0].max()))
    if lowest <= reached:
        return ""
    each = "" if isinstance(host, HostNetwork) else f", which bring {reached:.4g} at most"
    return (
        f"the threshold of the first hidden layer is {lowest:g}, and no {what} gives more than {most:,} input "
        f"spikes{each}; lower it with --set {trainer.threshold_option}, or take images with more bright pixels"
    )
