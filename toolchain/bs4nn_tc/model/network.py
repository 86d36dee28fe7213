"""The deployable network of SPEC.md: frozen, whole numbers only.

Everything else in the package either makes a `Network` (training, importers), stores it
(network_file), runs it (reference, targets) or turns it into C (codegen). This module depends on
NumPy alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import plain_json
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers import check_outlines
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.layers.layer import Layer
from bs4nn_tc.model.limits import MAX_HEADER, MAX_TIME_STEPS, whole_number
from bs4nn_tc.model.provenance import MAX_NAME, Scaling, TrainedOn
from bs4nn_tc.model.stages import shape_text

# Characters of a class's name where it is shown.
LABEL_LENGTH = 60


def check_description(description: object) -> None:
    """Refuse facts that are none of JSON, and so could not be read again from a file.

    Raises:
        UserError: no dict, or values that JSON has not.
    """
    what = "the network's description"
    if not isinstance(description, dict):
        raise UserError(f"{what} is no set of named facts")
    plain_json.check(description, what)


def header_text(header: dict[str, Any], **options: Any) -> bytes:
    """What a file says of its network, as JSON with sorted names; `options` are those of `json.dumps`.

    Raises:
        UserError: it is longer than any reader takes, or a number in it is.
    """
    try:
        text = json.dumps(header, sort_keys=True, **options).encode()
    except ValueError as error:  # a whole number of more than 4,300 digits
        raise UserError(f"the network's description cannot be written as JSON ({error})") from error
    if len(text) > MAX_HEADER:
        raise UserError(f"the network's description takes {len(text):,} bytes; at most {MAX_HEADER:,} are written")
    return text


@dataclass(frozen=True, eq=False)
class Network:
    """A binarized spiking network as SPEC.md defines it.

    Attributes:
        layers: from the input side to the output side; fan-in of each = neurons of the one before.
        time_steps: T, 1 .. 65,535; steps are 0 .. T-1 and T means "never".
        delay: d, 0 (the paper) or 1 (the authors' program): crossing at step t fires at t + d.
        readout_step: r, 0 .. T-1: its output potentials decide when nobody fires; T-1 by default.
        input: the sample that it takes, and how that becomes spikes.
        description: plain facts about where the network comes from (recipe, seed, accuracy ...); JSON values only,
            no part of the network's meaning or digest, and nothing that the program acts upon.
        order: where the neurons of the hidden layers lie on a device: () for the order of `layers`, else one
            (neurons,) int32 array a hidden layer, order[l][place] = neuron. It changes no answer, only how
            fast it comes; everything that is reported keeps the order of `layers`.
        class_names: one a class, or () where nobody knows them. Like the next two no part of the digest.
        data: what it was trained on; None where nobody knows.
        scaling: theta and alphas that its thresholds come from; None where they come from elsewhere.
    """

    layers: tuple[Layer, ...]
    time_steps: int
    delay: int = 0
    readout_step: int = -1
    input: Input = field(default_factory=Input)
    description: dict[str, Any] = field(default_factory=dict)
    order: tuple[NDArray[np.int32], ...] = ()
    class_names: tuple[str, ...] = ()
    data: TrainedOn | None = None
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        check_outlines([layer.outline for layer in self.layers])
        steps = whole_number("time_steps", self.time_steps, 1, MAX_TIME_STEPS)
        readout = steps - 1 if self.readout_step == -1 else self.readout_step
        for name, value, lowest, highest in (
            ("time_steps", steps, 1, MAX_TIME_STEPS),
            ("delay", self.delay, 0, 1),
            ("readout_step", readout, 0, steps - 1),
        ):
            object.__setattr__(self, name, whole_number(name, value, lowest, highest))
        self._check_input()
        check_description(self.description)
        self._check_order()
        self._check_origin()

    def _check_input(self) -> None:
        if not isinstance(self.input, Input):
            raise UserError(f"the input of a network is of type {type(self.input).__name__}; an Input is needed")
        shape = self.input.behind_stages.shape
        if shape and math.prod(shape) != self.inputs:
            what = "the stages of the input give" if self.input.stages else "an input of"
            raise UserError(f"{what} {shape_text(shape)}, {math.prod(shape):,} values; layer 1 takes {self.inputs:,}")

    def _check_order(self) -> None:
        if any(np.asarray(places).dtype.kind not in "iu" for places in self.order):
            raise UserError("an order is not one of whole numbers")
        object.__setattr__(self, "order", tuple(np.array(places, dtype=np.int32) for places in self.order))
        if self.order and len(self.order) != len(self.layers) - 1:
            raise UserError(f"an order for {len(self.order)} hidden layers; {len(self.layers) - 1} are needed")
        for number, (places, layer) in enumerate(zip(self.order, self.layers, strict=False), start=1):
            if not np.array_equal(np.sort(places), np.arange(layer.neurons)):
                raise UserError(f"the order of layer {number} does not name each of its {layer.neurons} neurons once")
            places.setflags(write=False)

    def _check_origin(self) -> None:
        for what, value, kind in (("data", self.data, TrainedOn), ("scaling", self.scaling, Scaling)):
            if value is not None and not isinstance(value, kind):
                raise UserError(f"the {what} of a network is of type {type(value).__name__}; {kind.__name__} is needed")
        names = tuple(self.class_names)
        if any(not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME for name in names):
            raise UserError(f"a name of a class is no text of 1 to {MAX_NAME} characters")
        if names and len(names) != self.outputs:
            raise UserError(f"{len(names):,} names of classes; the network has {self.outputs:,}")
        plain_json.check(list(names), "the names of the network's classes")
        object.__setattr__(self, "class_names", names)
        if self.scaling is not None and len(self.scaling.alphas) != len(self.layers):
            raise UserError(f"{len(self.scaling.alphas):,} alphas; one for each of {len(self.layers)} layers is needed")

    @property
    def class_labels(self) -> tuple[str, ...]:
        """What to call each output neuron's class in one line: by its name, or else by its number."""
        named = tuple(printable(name, LABEL_LENGTH) for name in self.class_names)
        return named or tuple(map(str, range(self.outputs)))

    @property
    def knows_validation_images(self) -> bool:
        """Whether it has learned from the validation images, too, so that they say little of it."""
        return self.data is not None and self.data.all_images

    @property
    def inputs(self) -> int:
        """Number of pixels that the first layer takes."""
        return self.layers[0].inputs

    @property
    def sample_values(self) -> int:
        """Number of values of a sample: the pixels, where the input has no stages."""
        return self.input.sample.count if self.input.stages else self.inputs

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return self.layers[-1].neurons

    @property
    def sizes(self) -> tuple[int, ...]:
        """(inputs, neurons of layer 1, ..., neurons of layer L)."""
        return (self.inputs, *(layer.neurons for layer in self.layers))

    @property
    def shape_text(self) -> str:
        """The sizes as people write them, for instance '784-600-10'."""
        return "-".join(map(str, self.sizes))

    @property
    def synapses(self) -> int:
        """Number of synapses, one bit each."""
        return sum(layer.outline.synapses for layer in self.layers)

    def dense_layers(self, user: str) -> tuple[Dense, ...]:
        """The layers, for what knows fully connected ones alone.

        Args:
            user: who asks, for the message.

        Raises:
            UserError: a layer is of another kind.
        """
        for number, layer in enumerate(self.layers, start=1):
            if not isinstance(layer, Dense):
                raise UserError(f"layer {number} is of kind '{layer.kind}'; {user} takes dense layers only")
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    def placed(self) -> Network:
        """The same network with its hidden neurons moved to their places on a device, without its description."""
        layers = list(self.layers)
        for number, places in enumerate(self.order):
            layers[number] = layers[number].with_neurons_at(places)
            layers[number + 1] = layers[number + 1].with_inputs_at(places)
        return replace(self, layers=tuple(layers), order=(), description={})

    def from_places(self, values: NDArray[Any]) -> NDArray[Any]:
        """(neurons of all layers,) values in the order of a device to the order of `layers`."""
        ordered = np.array(values)
        first = 0
        for places in self.order:
            ordered[first + places] = values[first : first + places.size]
            first += places.size
        return ordered

    @property
    def is_of_version_1(self) -> bool:
        """Whether a file of version 1 could hold it: it keeps the digest that it had there."""
        return not self.input.stages and not self.input.hop and all(isinstance(layer, Dense) for layer in self.layers)

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of everything that gives the network its meaning and order, see SPEC.md."""
        numbers: dict[str, Any] = {
            "delay": self.delay,
            "readout_step": self.readout_step,
            "time_steps": self.time_steps,
        }
        if self.is_of_version_1:
            numbers |= {"intensity_max": self.input.intensity_max, "sizes": list(self.sizes)}
        else:
            layers = [{"kind": layer.kind, "sizes": list(layer.sizes)} for layer in self.layers]
            numbers |= {"input": self.input.meaning, "layers": layers}
        digest = hashlib.sha256(json.dumps(numbers, sort_keys=True, separators=(",", ":")).encode())
        for layer in self.layers:
            for part in layer.content():
                digest.update(part)
        for places in self.order:
            digest.update(places.astype("<u2").tobytes())
        return digest.hexdigest()
