"""Where the neurons of hidden layers lie on a device, learned from training images.

The kernel holds 32 neurons in a word and looks at a word when the first of them could fire. Neurons that fire
at about the same times should share one. The order changes no answer and no firing time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.host.network import host_network
from bs4nn_tc.model.network import Network

WORD_NEURONS = 32
IMAGES = 2000


def order_neurons(network: Network, images: NDArray[np.uint8]) -> Network:
    """The network with an order of its hidden neurons.

    Words are filled one after another: with the neuron that fires first on average, and those whose firing
    times are nearest to its own (Euclidean distance over the images; what comes after the first output
    spike counts as coming right after it).

    Args:
        network: any network; an order that it has is replaced.
        images: (N, pixels) uint8 training images; the first 2,000 are used.

    Raises:
        UserError: the network is too large for the host library.
        MissingToolError: no C compiler for the host library.
    """
    times = host_network(network).times(images[:IMAGES])
    ends = times.response_time[:, None] + 1
    order = [_group(np.minimum(layer, ends).astype(np.float32)) for layer in times.firing_times[:-1]]
    return replace(network, order=tuple(order))


def _group(times: NDArray[np.float32]) -> NDArray[np.int32]:
    """(images, neurons) firing times to the neuron at every place."""
    products = times.T @ times
    squares = np.diag(products)
    left = np.argsort(times.mean(axis=0), kind="stable")
    places = []
    while left.size:
        distances = squares[left] - 2 * products[left[0], left]
        distances[0] = -np.inf  # the first one itself, whatever rounding says
        nearest = np.argsort(distances, kind="stable")[:WORD_NEURONS]
        places.append(left[nearest])
        left = np.delete(left, nearest)
    return np.concatenate(places).astype(np.int32)
