"""PyTorch modules with SPEC.md's forward pass, bit for bit, to build into networks of one's own. Needs torch.

Dense in time: a spike that has arrived stays arrived, so with A (images, steps, inputs) the potentials of all
steps are one product A B^T with the signs B of the proxy weights. A neuron has fired once the highest potential so
far, M, is at its threshold. Backward:

    d fired / d M = max(0, 1 - |M - threshold + 1/2| / window)   (a triangle around the threshold)
    d M(t) / d V(a) = 1 at the first step a at which V stood at M(t), else 0
    d B / d proxies = 1                                            (straight through)

which, with the cross-entropy of the output potentials at the deciding step, is the recipe "best" for one hidden layer.
With more, a lower layer is seen here at the step at which the neuron above stood highest, and by the recipe at
the deciding step. What comes out of `BinaryIFNetwork.to_network` is checked against the reference.

    network = BinaryIFNetwork((64, 128, 10), time_steps=16, input=Input(intensity_max=16))
    loss = torch.nn.functional.cross_entropy(0.3 * network(images).potentials, labels)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bs4nn_tc.base.errors import VerificationError
from bs4nn_tc.model import reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

# bfloat16 has eight bits of precision: it holds every whole number up to 256, and no sum of so many signs is larger.
EXACT_IN_BFLOAT16 = 256


class _Signs(torch.autograd.Function):
    """+1 for proxies from 0 on, else -1; the gradient goes straight through."""

    @staticmethod
    def forward(_context: Any, proxies: Tensor) -> Tensor:
        return torch.where(proxies >= 0, 1.0, -1.0)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return gradient


class _Potentials(torch.autograd.Function):
    """arrived (N, T, inputs) times signs (neurons, inputs), exact: in bfloat16 where sums fit; slopes in float32."""

    @staticmethod
    def forward(context: Any, arrived: Tensor, signs: Tensor) -> Tensor:
        context.save_for_backward(arrived, signs)
        kind = torch.bfloat16 if signs.shape[1] <= EXACT_IN_BFLOAT16 else torch.float32
        return (arrived.to(kind) @ signs.to(kind).T).float()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        arrived, signs = context.saved_tensors
        return gradient @ signs, torch.einsum("nto,nti->oi", gradient, arrived)


class _Fired(torch.autograd.Function):
    """1 where the highest potential so far is at the threshold, else 0; backward the triangle."""

    @staticmethod
    def forward(context: Any, highest: Tensor, thresholds: Tensor, window: float) -> Tensor:
        context.save_for_backward(highest, thresholds)
        context.window = window
        return (highest >= thresholds).float()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        highest, thresholds = context.saved_tensors
        triangle = 1 - (highest - thresholds + 0.5).abs() / context.window
        return gradient * triangle.clamp(min=0), None, None


def arrived(times: Tensor, time_steps: int) -> Tensor:
    """(N, T, inputs) float32: 1 from the firing time (N, inputs) of an input on, else 0."""
    steps = torch.arange(time_steps, device=times.device)
    return (times[:, None, :] <= steps[None, :, None]).float()


def highest_so_far(potentials: Tensor) -> Tensor:
    """Highest potential up to every step, (N, T, neurons); its slope goes to the first step that it was reached at."""
    highest = potentials.detach().cummax(dim=1).values
    before = torch.nn.functional.pad(highest[:, :-1], (0, 0, 1, 0), value=-torch.inf)
    steps = torch.arange(potentials.shape[1], device=potentials.device)[None, :, None]
    first = torch.where(potentials.detach() > before, steps, 0).cummax(dim=1).values
    return potentials.gather(1, first)


class Learning(NamedTuple):
    """How proxy weights start and learn.

    Attributes:
        window: half width of the triangle in the backward pass, in units of potential.
        start: proxies start uniform in +- this.
    """

    window: float = 28.0
    start: float = 0.02


class Rules(NamedTuple):
    """In what networks of the contract differ, besides their sizes and numbers.

    Attributes:
        delay: 0 or 1, of all layers.
        readout_step: whose potentials decide silent images; the last if None.
    """

    delay: int = 0
    readout_step: int | None = None


# What is taken where nothing else is asked for.
LEARNING, RULES, PIXELS = Learning(), Rules(), Input()


class BinaryIFLayer(nn.Module):
    """Integrate-and-fire neurons that fire at most once, one bit a synapse.

    Attributes:
        proxies: (neurons, inputs) real-valued proxy weights, the parameter.
        thresholds: (neurons,) whole numbers, a buffer.
    """

    thresholds: Tensor

    def __init__(
        self, inputs: int, neurons: int, threshold: int, *, delay: int = 0, learning: Learning = LEARNING
    ) -> None:
        """Args:
        inputs: fan-in.
        neurons: how many.
        threshold: of all of them; change `thresholds` for others.
        delay: a crossing at step t gives the firing time t + delay, 0 or 1.
        learning: how its proxies start and learn.
        """
        super().__init__()
        self.proxies = nn.Parameter(torch.empty(neurons, inputs).uniform_(-learning.start, learning.start))
        self.register_buffer("thresholds", torch.full((neurons,), float(threshold)))
        self.delay = delay
        self.window = learning.window

    def potentials(self, arrivals: Tensor) -> Tensor:
        """(N, T, neurons) from arrivals (N, T, inputs): whole numbers as float32."""
        signs: Tensor = _Signs.apply(self.proxies)
        sums: Tensor = _Potentials.apply(arrivals, signs)
        return sums

    def forward(self, arrivals: Tensor) -> Tensor:
        """(N, T, neurons), 1 from a neuron's firing time on: arrivals of the next layer, from (N, T, inputs)."""
        fired: Tensor = _Fired.apply(highest_so_far(self.potentials(arrivals)), self.thresholds, self.window)
        return torch.nn.functional.pad(fired, (0, 0, 1, 0))[:, :-1] if self.delay else fired


def times_of(arrivals: Tensor) -> Tensor:
    """Firing times (N, neurons) int64 of what `BinaryIFLayer` returns; T is never."""
    return (arrivals == 0).sum(dim=1)


class Decision(NamedTuple):
    """What a network says of N images.

    Attributes:
        potentials: (N, outputs) float32, of the output neurons at the deciding step; for the loss.
        answer: (N,) int64, the class by rule 3 of SPEC.md.
        response_time: (N,) int64, first output firing time, T for silent images.
        firing_times: (N, neurons) int64 for every layer.
    """

    potentials: Tensor
    answer: Tensor
    response_time: Tensor
    firing_times: tuple[Tensor, ...]


class BinaryIFNetwork(nn.Module):
    """Layers from the pixels up, and the first output spike as the answer."""

    step_of: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        thresholds: Sequence[int] | None = None,
        *,
        time_steps: int = 16,
        rules: Rules = RULES,
        input: Input = PIXELS,
        learning: Learning = LEARNING,
    ) -> None:
        """Args:
        sizes: inputs, neurons of each hidden layer, outputs.
        thresholds: one a layer; 20 for hidden layers and 24 for the output layer if not given.
        time_steps: T.
        rules: delay and readout step.
        input: how intensities become firing times; of its stages, if it has any, the modules take what comes out.
        learning: how proxies start and learn.
        """
        super().__init__()
        pairs = list(itertools.pairwise(sizes))
        values = list(thresholds or [20] * (len(pairs) - 1) + [24])
        self.layers = nn.ModuleList(
            BinaryIFLayer(inputs, neurons, value, delay=rules.delay, learning=learning)
            for (inputs, neurons), value in zip(pairs, values, strict=True)
        )
        self.time_steps = time_steps
        self.delay = rules.delay
        self.readout_step = time_steps - 1 if rules.readout_step is None else rules.readout_step
        self.input = input
        # Equation 1, one entry an intensity; no part of what is saved.
        self.register_buffer("step_of", torch.from_numpy(input.table(time_steps)).long(), persistent=False)

    def forward(self, images: Tensor) -> Decision:
        """Classify (N, inputs) pixels, `input.prepare(samples)`: whole numbers 0 .. intensity_max of `input`."""
        arrivals = arrived(self.step_of[images.long()], self.time_steps)
        times = []
        *hidden, output = self.layers
        for layer in hidden:
            arrivals = layer(arrivals)
            times.append(times_of(arrivals))
        assert isinstance(output, BinaryIFLayer)
        potentials = output.potentials(arrivals)
        with torch.no_grad():
            never = torch.full((), self.time_steps, device=images.device)
            crossed = highest_so_far(potentials) >= output.thresholds
            crossing = torch.where(crossed.any(dim=1), crossed.int().argmax(dim=1), never)
            first = crossing.amin(dim=1)
            silent = first + self.delay >= self.time_steps
            step = torch.where(silent, self.readout_step, first)
            at_step = potentials[torch.arange(len(images)), step]
            standing = torch.where(silent[:, None] | (crossing == first[:, None]), at_step, -torch.inf)
            answer = standing.argmax(dim=1)
            times.append(torch.where(crossing < never, (crossing + self.delay).clamp(max=self.time_steps), never))
            response_time = torch.where(silent, never, first + self.delay)
            deciding = torch.where(silent, self.time_steps - 1, first)
        return Decision(potentials[torch.arange(len(images)), deciding], answer, response_time, tuple(times))

    @torch.no_grad()
    def clip(self) -> None:
        """Keep the proxies in -1 .. 1, where a sign can still change; to be called after every optimizer step."""
        for layer in self.layers:
            assert isinstance(layer, BinaryIFLayer)
            layer.proxies.clamp_(-1, 1)

    @torch.no_grad()
    def to_network(self, images: NDArray[np.uint8], description: dict[str, Any] | None = None) -> Network:
        """The deployable network: signs and thresholds.

        Args:
            images: (N, values) samples on which the modules and the reference have to agree, spike by spike.
            description: plain facts to keep with the network.

        Raises:
            UserError: values outside SPEC.md's limits.
            VerificationError: the modules do not compute what the network does.
        """
        layers = []
        for layer in self.layers:
            assert isinstance(layer, BinaryIFLayer)
            signs = torch.where(layer.proxies >= 0, 1, -1).to(torch.int8).cpu().numpy()
            layers.append(Dense(signs, layer.thresholds.round().to(torch.int64).cpu().numpy()))
        network = Network(
            tuple(layers),
            time_steps=self.time_steps,
            delay=self.delay,
            readout_step=self.readout_step,
            input=self.input,
            description=description or {},
        )
        device = next(self.parameters()).device
        found = self(torch.tensor(self.input.prepare(images), device=device))
        expected = reference.run(network, images)
        mine = (found.answer, found.response_time, *found.firing_times)
        theirs = (expected.answer, expected.response_time, *expected.firing_times)
        if not all(np.array_equal(one.cpu().numpy(), other) for one, other in zip(mine, theirs, strict=True)):
            raise VerificationError("the modules and the reference disagree: are all thresholds whole numbers?")
        return network

    @classmethod
    def from_network(cls, network: Network, *, size: float = 0.5, window: float = 28.0) -> BinaryIFNetwork:
        """Modules that compute what a network does, to train on; proxies are the signs times `size`."""
        layers = network.dense_layers("BinaryIFNetwork")
        made = cls(
            network.sizes,
            [1] * len(layers),
            time_steps=network.time_steps,
            rules=Rules(network.delay, network.readout_step),
            input=network.input,
            learning=Learning(window),
        )
        with torch.no_grad():
            for module, layer in zip(made.layers, layers, strict=True):
                assert isinstance(module, BinaryIFLayer)
                module.proxies.copy_(torch.from_numpy(layer.signs.astype(np.float32) * size))
                module.thresholds.copy_(torch.from_numpy(layer.thresholds.astype(np.float32)))
        return made
