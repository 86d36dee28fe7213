"""The plain binary network of benchmarks/: its gradients by finite differences of what they stand for."""

from __future__ import annotations

import binary_network
import numpy as np


def test_the_output_gradient_is_that_of_the_hinge() -> None:
    """The loss is smooth in the output weights: there the gradient can be checked by differences."""
    rng = np.random.default_rng(0)
    images = rng.random((20, 12)).astype(np.float32)
    labels = rng.integers(0, 3, 20)
    first = rng.uniform(-1, 1, (12, 9)).astype(np.float32)
    threshold = rng.uniform(-0.5, 0.5, 9).astype(np.float32)
    second = np.where(rng.random((9, 3)) < 0.5, -1, 1).astype(np.float32)
    _, _, found = binary_network.gradients([first, threshold, second], images, labels)

    hidden = (binary_network.hidden_sums(images, first) > threshold).astype(np.float64)
    targets = np.where(np.arange(3) == labels[:, None], 1.0, -1.0)

    def loss(weights: np.ndarray) -> float:
        return float((np.maximum(0, 1 - targets * (hidden @ weights / 3)) ** 2).sum() / 20)

    for place in np.ndindex(9, 3):
        moved = np.zeros((9, 3))
        moved[place] = 1e-5
        wanted = (loss(second + moved) - loss(second - moved)) / 2e-5
        np.testing.assert_allclose(found[place], wanted, atol=1e-4)


def test_adam_goes_downhill() -> None:
    place = np.array([3.0, -2.0], np.float32)
    adam = binary_network.Adam([place])
    for _ in range(2000):
        adam.apply([2 * place], 0.01)
    assert np.abs(place).max() < 0.05
