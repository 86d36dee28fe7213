"""The gate: before a network is handed over, the code that has trained it has to agree with the reference.

On validation images, and on two changes of the network for which these are all ties and all silent: faults in how a
tie or a silent image is decided would seldom show on others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import VerificationError
from bs4nn_tc.host.network import host_network
from bs4nn_tc.host.real import RealHost
from bs4nn_tc.model import real_reference, reference
from bs4nn_tc.model.limits import MAX_THRESHOLD
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.options import Options, PaperOptions

# Images for the network as it is, and for each of the two changes: the reference takes about a second for them.
IMAGES, CHANGED_IMAGES = 200, 50


def check(
    network: Network | RealNetwork, images: NDArray[np.uint8], labels: NDArray[np.int32], options: Options
) -> None:
    """Compare the compiled code of a recipe with the reference.

    Args:
        network: what the recipe has come to.
        images: (N, pixels) uint8, the validation images; some are taken, from all over them.
        labels: (N,) int32.
        options: of the recipe.

    Raises:
        VerificationError: any answer, response time, firing time, spike count or potential differs.
    """
    for changed, count in ((network, IMAGES), (_all_ties(network), CHANGED_IMAGES), (_silent(network), CHANGED_IMAGES)):
        chosen = np.unique(np.linspace(0, len(images) - 1, count).astype(int))
        if isinstance(changed, RealNetwork):
            _check_real(changed, images[chosen], labels[chosen])
        elif isinstance(options, PaperOptions):  # it waits for the right neuron, too
            _check_forward(changed, images[chosen], labels[chosen], max(0, options.gamma - 1), labels[chosen])
        else:
            _check_forward(changed, images[chosen], labels[chosen], 0, None)


def _all_ties(network: Network | RealNetwork) -> Network | RealNetwork:
    """Output neurons that fire at their first chance, many at once and with the same potential."""
    if isinstance(network, RealNetwork):
        signs = np.where(network.weights[-1] >= 0, 1, -1).astype(np.float32)
        thresholds = np.append(network.thresholds[:-1], np.float32(0)).astype(np.float32)
        return replace(network, weights=(*network.weights[:-1], signs), thresholds=thresholds)
    return replace(network, layers=(*network.layers[:-1], network.layers[-1].with_thresholds(1)))


def _silent(network: Network | RealNetwork) -> Network | RealNetwork:
    """Output neurons that never fire."""
    if isinstance(network, RealNetwork):
        highest = np.finfo(np.float32).max
        return replace(network, thresholds=np.append(network.thresholds[:-1], highest).astype(np.float32))
    return replace(network, layers=(*network.layers[:-1], network.layers[-1].with_thresholds(MAX_THRESHOLD)))


def _check_forward(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    margin: int,
    awaited: NDArray[np.int32] | None,
) -> None:
    """BS4NN: the forward pass of training, as far as it goes, and the code that has given the validation figures."""
    host = host_network(network)
    expected = [
        _expected(network, image, margin, None if awaited is None else int(awaited[index]))
        for index, image in enumerate(images)
    ]
    got = host.forward(images, margin, awaited)
    evaluated = host.evaluate(images, labels)
    for index, (answer, response_time, firing_times, potentials) in enumerate(expected):
        _demand(got.answer[index] == answer, "answer", "trainer")
        _demand(got.response_time[index] == response_time, "response time", "trainer")
        _demand(np.array_equal(got.potentials[index], potentials), "output potentials", "trainer")
        for mine, theirs in zip(got.firing_times, firing_times, strict=True):
            _demand(np.array_equal(mine[index], theirs), "firing times", "trainer")
        _demand(evaluated.answer[index] == answer, "answer", "evaluation")
        _demand(evaluated.response_time[index] == response_time, "response time", "evaluation")


def _expected(
    network: Network, image: NDArray[np.uint8], margin: int, awaited: int | None
) -> tuple[int, int, list[NDArray[np.int32]], NDArray[np.int32]]:
    """One image by the reference, forgetting what comes after the step at which training stops.

    Returns answer, response time, one (neurons,) array of firing times a layer, and the output potentials.
    """
    _, runs = reference.run_image(network, image)
    answer, response_time = reference.decide(network, runs[-1])
    never = network.time_steps
    stop = never - 1
    if response_time < never:
        waited_for = response_time if awaited is None else int(runs[-1].firing_times[awaited])
        if waited_for < never:
            stop = min(stop, max(response_time - network.delay + margin, waited_for - network.delay))
    lasts = [stop] * (len(runs) - 1) + [stop + network.delay]
    times = [np.where(run.firing_times <= last, run.firing_times, never) for run, last in zip(runs, lasts, strict=True)]
    return answer, response_time, times, runs[-1].potentials_at(stop)


def _check_real(network: RealNetwork, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
    """S4NN: the forward pass of training gives the figures, too."""
    expected = real_reference.run(network, images)
    got = RealHost(network).evaluate(np.ascontiguousarray(images), labels)
    _demand(np.array_equal(got.answer, expected.answer), "answer", "trainer")
    _demand(np.array_equal(got.response_time, expected.response_time), "response time", "trainer")
    _demand(np.array_equal(got.spikes, expected.spikes), "spikes", "trainer")
    fired = np.concatenate([(times < network.time_steps).sum(axis=0) for times in expected.firing_times[:-1]])
    _demand(np.array_equal(got.fired, fired), "firing neurons", "trainer")


def _demand(equal: bool, what: str, who: str) -> None:
    if not equal:
        raise VerificationError(
            f"the {who} and the reference disagree on the trained network ({what}); please report this, "
            "with the compiler's name and version"
        )
