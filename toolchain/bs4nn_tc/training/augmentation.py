"""Training images moved, turned, stretched and mirrored at random, anew in every epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.host.surrogate import WARP_POINTS, warp
from bs4nn_tc.training.options import BestOptions, Options


def moved(
    rng: np.random.Generator, images: NDArray[np.uint8], shape: tuple[int, int], options: Options
) -> NDArray[np.uint8]:
    """(N, pixels) images as the options want them, without elastic displacements."""
    maps = affine_maps(rng, len(images), shape, options)
    if maps is None:
        return images
    still = np.zeros((len(images), 2, WARP_POINTS, WARP_POINTS), np.float32)
    return warp(images, shape, maps, still)


def affine_maps(
    rng: np.random.Generator, count: int, shape: tuple[int, int], options: Options
) -> NDArray[np.float32] | None:
    """(count, 6) random maps for `host.warp`, or None where nothing is to be augmented."""
    elastic = isinstance(options, BestOptions) and options.elastic
    if not (options.shift or options.whole_shift or options.rotation or options.stretch or elastic or options.mirror):
        return None
    angle = np.deg2rad(rng.uniform(-options.rotation, options.rotation, count))
    stretch_x, stretch_y, shear = 1 + rng.uniform(-options.stretch, options.stretch, (3, count))
    flip = np.where(options.mirror & (rng.random(count) < 0.5), -1.0, 1.0)
    a = np.cos(angle) * stretch_x * flip
    b = -np.sin(angle) * stretch_y + (shear - 1)
    c = np.sin(angle) * stretch_x * flip
    d = np.cos(angle) * stretch_y
    shifts = rng.uniform(-options.shift, options.shift, (2, count))
    if options.whole_shift:
        shifts += rng.integers(-options.whole_shift, options.whole_shift + 1, (2, count))
    shift_x, shift_y = shifts
    centre_y, centre_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    from_x = centre_x - a * centre_x - b * centre_y + shift_x
    from_y = centre_y - c * centre_x - d * centre_y + shift_y
    return np.stack([a, b, from_x, c, d, from_y], axis=1).astype(np.float32)


def rolled(rng: np.random.Generator, samples: NDArray[Any], shape: tuple[int, ...], most: int) -> NDArray[Any]:
    """Recordings moved in time at random, each by up to `most` steps; what is missing at an end is repeated.

    Args:
        rng: draws the moves.
        samples: (N, values), as they come.
        shape: of one, whose first axis is time.
        most: in steps.
    """
    steps = shape[0]
    moves = rng.integers(-most, most + 1, len(samples))
    taken = (np.arange(steps)[None] + moves[:, None]).clip(0, steps - 1)
    recordings = samples.reshape(len(samples), steps, -1)
    return np.take_along_axis(recordings, taken[:, :, None], axis=1).reshape(samples.shape)


def by_epoch(options: BestOptions, epoch: int) -> BestOptions:
    """The options with the augmentation of an epoch, counted from 0: in the last ones images stay where they are."""
    if epoch < round((1 - options.still) * options.epochs):
        return options
    return replace(options, roll=0, shift=0.0, whole_shift=0, rotation=0.0, stretch=0.0, elastic=0.0)
