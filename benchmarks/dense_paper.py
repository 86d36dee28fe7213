"""The paper's learning, image by image, in plain NumPy: float64, dense over all time steps.

What the compiled trainer of the recipe "paper" is compared with: by the tests, number by number, and by
benchmarks/run.py, in time. Equations 5 to 16 of arXiv 2007.04039, as the authors' program computes them: every
step is a row of a dense matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.host.structures import PaperStep


def learn_image(
    proxies: list[NDArray[np.float64]],
    alphas: NDArray[np.float64],
    step: PaperStep,
    image: NDArray[np.uint8],
    label: int,
    time_steps: int,
) -> None:
    """Learn from one image; with a delay of one step.

    Args:
        proxies: one (inputs, neurons) array a layer; change in place.
        alphas: (layers,); change in place.
        step: the recipe's values.
        image: (pixels,) intensities 0 .. 255.
        label: its class.
        time_steps: T.
    """
    steps = np.arange(time_steps)[:, None]
    times = [(255 - image.astype(np.int64)) * time_steps // 255]
    layer_times, thresholds, potentials = [], [], []
    for layer, alpha in zip(proxies, alphas, strict=True):
        level = step.threshold / alpha
        thresholds.append(np.floor(level) + 1 if step.strict else np.ceil(level))
        arriving = (times[-1][None, :] == steps).astype(np.float64)  # (steps, inputs)
        potentials.append(np.cumsum(arriving @ np.where(layer >= 0, 1.0, -1.0), axis=0))
        crossed = potentials[-1][:-1] >= thresholds[-1]
        fired = np.where(crossed.any(axis=0), crossed.argmax(axis=0) + 1, time_steps)
        layer_times.append(fired)
        times.append(fired)
    output = layer_times[-1]
    first = output.min()
    target = output.copy()
    if first < time_steps:
        target[output - first < step.gamma] = min(first + step.gamma, time_steps)
        target[label] = first - step.gamma if step.early_target else first
    elif step.silent_target:
        target[label] = time_steps - step.gamma
    error = (target - output) / time_steps
    if step.balanced and first < time_steps:
        early = (error > 0) & (np.arange(len(error)) != label)
        if early.any():
            late = -error[label]
            if error[early].sum() >= late:
                error[label] = -error[early].sum()
            else:
                error[early] = late / early.sum()
    # What comes later than the errors depend on is not looked at; it has not arrived at the hidden layers.
    end = time_steps if output[label] == time_steps else max(first + step.gamma - 2, output[label] - 1)
    for number in range(len(proxies) - 1, -1, -1):
        if step.window > 0 and number + 1 < len(proxies):
            heights = potentials[number][:end] if end > 0 else np.zeros((1, len(error)))
            error = error * np.maximum(0, 1 - np.abs(heights.max(axis=0) - thresholds[number] + 0.5) / step.window)
            layer_times[number] = heights.argmax(axis=0) + 1
        norm = np.linalg.norm(error)
        error = error / norm if norm else error
        before = times[number].copy()
        if number == 0 and step.black_fires:
            before[before == time_steps] = time_steps - 1
        mask = before[:, None] < layer_times[number][None, :]
        proxies[number] -= step.rate * step.decay * proxies[number]
        proxies[number] -= step.rate * error * mask
        alphas[number] -= step.alpha_rate * (error * mask * np.where(proxies[number] >= 0, 1, -1)).mean()
        error = (proxies[number] * error * mask).sum(axis=1)
