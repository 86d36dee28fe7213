"""What a training run is made of: plain values, resolved before it starts and kept in its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields, replace
from typing import Any

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import facts
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.model.limits import MAX_SYNAPSES, MAX_THRESHOLD
from bs4nn_tc.model.limits import check_sizes as check_network_sizes
from bs4nn_tc.model.real_network import MAX_WEIGHTS

# A checkpoint has a row of figures for each, and nobody has needed as many.
MAX_EPOCHS = 10_000


@dataclass(frozen=True)
class _EveryOptions:
    """What every recipe has.

    Attributes:
        hidden: neurons of each hidden layer.
        epochs: passes over the training images.
        seed: of everything random.
        all_images: learn from the validation images, too, which leaves none to choose by; see `train`.
        shift: augmentation, up to this many pixels each way, also by fractions of one, which blurs.
        whole_shift: augmentation, up to this many whole pixels each way, which leaves images as sharp as they are.
        rotation: augmentation, up to this many degrees each way.
        stretch: augmentation, scale and shear by up to this share.
        mirror: augmentation, half of the images left to right.
        dropout: share of the hidden neurons that stay silent on an image while it is learned from; thresholds above
            them are lowered by as much meanwhile.
    """

    hidden: tuple[int, ...]
    epochs: int
    seed: int
    _: KW_ONLY
    all_images: bool = False
    shift: float = 0.0
    whole_shift: int = 0
    rotation: float = 0.0
    stretch: float = 0.0
    mirror: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class BestOptions(_EveryOptions):
    """The recipe "best": few time steps, a surrogate, cross-entropy, Adam. Delay 0.

    Attributes:
        time_steps: T.
        hidden_thresholds: one a hidden layer.
        output_threshold: while training; afterwards it is swept on the validation images.
        windows: half width of the surrogate's triangle, one a hidden layer, in units of potential.
        scale: of the output potentials in the softmax.
        start: proxy weights start uniform in +- this.
        rate: of Adam, falling to 0 by a cosine.
        batch: images an update.
        elastic: augmentation, points of a coarse grid displaced by up to this many pixels each way.
        still: last share of the epochs in which images are learned as they are, at most mirrored: moved by fractions
            of a pixel they are blurred, and those that the device sees are not.
        threshold_rate: the hidden neurons' thresholds are learned, too, at so many times the rate; 0: they stay.
        max_silent: the sweep takes no other output threshold than the trained one with a larger silent share.
        last_threshold: with all_images, which leave none for that sweep, the output threshold of the network that is
            handed over; 0: the trained one.
        roll: augmentation of recordings and rows, before their stages: moved by up to this many steps each way; what is
            missing at an end is repeated.
        evenly: classes are drawn alike often while learning (1), as often as they come (0), or in between.
    """

    time_steps: int
    hidden_thresholds: tuple[int, ...]
    output_threshold: int
    windows: tuple[float, ...]
    scale: float
    start: float
    rate: float = 1e-3
    batch: int = 100
    elastic: float = 0.0
    still: float = 0.0
    threshold_rate: float = 0.0
    max_silent: float = 0.1
    last_threshold: int = 0
    roll: int = 0
    evenly: float = 0.0
    recipe: str = "best"


@dataclass(frozen=True)
class _TimedOptions(_EveryOptions):
    """What the two recipes have that learn from errors in firing times, one image at a time.

    Attributes:
        time_steps: T.
        theta: firing threshold of all layers.
        gamma: margin of the target rules in steps.
        rate: of the (proxy) weights.
        decay: lambda, weight decay.
        settle: last share of the epochs in which the rates fall to a twentieth; 0 in the authors' programs.
        starts: (proxy) weights start uniform in 0 .. this, one a layer.
        mixed_start: they start uniform in +- this. Else all neurons of a layer begin alike, and those above a first
            hidden layer get all their spikes in one step, which leaves `window` nothing near a threshold.
        balanced: the right neuron is drawn forward as much as those that are too early are pushed back, together. The
            authors' programs draw far more than they push; grey images then make all fire ever earlier.
        window: errors of hidden neurons count by how near to their thresholds they have come, a triangle of this half
            width in units of potential, and for the inputs that brought them there, as in "best"; 0, as in the text:
            all count alike, for all inputs before the firing time.
    """

    time_steps: int = 256
    _: KW_ONLY
    theta: float = 100.0
    gamma: int
    rate: float
    decay: float
    settle: float
    starts: tuple[float, ...] = ()
    mixed_start: bool = False
    balanced: bool = False
    window: float = 0.0


@dataclass(frozen=True)
class PaperOptions(_TimedOptions):
    """The recipe "paper": equations 5 to 16 of arXiv 2007.04039, one image at a time.

    To the letter (no delay, V >= theta / alpha, a target gamma before the first spike) learning does
    not start: all neurons begin with positive weights, all output neurons fire in the same step, and no
    input is earlier than they are. The defaults are therefore what the authors' program does.

    Attributes:
        delay: 1 in the authors' program, 0 in the text (equation 3).
        strict: fires when V > theta / alpha (authors' program); the text says V >= theta / alpha.
        early_target: the right neuron is to fire gamma before the first spike, and before T where nobody
            fires (equations 6 to 8); the authors' program asks for the first spike, and for nothing.
        silent_target: where nobody fires, the right neuron is to fire gamma before T (equation 8), as with
            `early_target`.
        replacement: images are drawn with replacement (authors' program).
        black_fires: black pixels count as fired at the last step when weights are updated.
        alpha: where the scaling factors start.
        alphas: the same, one a layer, in place of `alpha`.
        alpha_rate: of the scaling factors.
        fall_every: rates fall by 30 % every so many epochs (10 in the text); 0, as in the authors' program: never.
    """

    _: KW_ONLY
    gamma: int = 1
    rate: float = 0.1
    decay: float = 0.0
    settle: float = 0.0
    delay: int = 1
    strict: bool = True
    early_target: bool = False
    silent_target: bool = False
    replacement: bool = True
    black_fires: bool = True
    alpha: float = 5.0
    alphas: tuple[float, ...] = ()
    alpha_rate: float = 0.01
    fall_every: int = 0
    recipe: str = "paper"


@dataclass(frozen=True)
class S4nnOptions(_TimedOptions):
    """The recipe "s4nn": real-valued weights (arXiv 1910.09495), by the authors' program, one image at a time.

    Attributes:
        thetas: one a layer, in place of `theta`.
        limits: weights stay within +- this, one a layer; none in the authors' program.
        redraw: hidden neurons that fire on a smaller share of an epoch's images are drawn anew.
    """

    _: KW_ONLY
    gamma: int = 3
    rate: float = 0.2
    decay: float = 1e-6
    settle: float = 0.25
    thetas: tuple[float, ...] = ()
    limits: tuple[float, ...] = ()
    redraw: float = 0.001
    recipe: str = "s4nn"


Options = BestOptions | PaperOptions | S4nnOptions


def best_defaults(
    dataset: Dataset, hidden: tuple[int, ...], epochs: int | None = None, seed: int = 0, time_steps: int = 16
) -> BestOptions:
    """The recipe's values for a data set and network, see `data.facts`.

    Raises:
        UserError: no hidden layer, or an impossible size.
    """
    check_sizes(hidden, epochs)
    found, moved = facts.learning(dataset, hidden[0]), facts.augmentation(dataset.name)
    deeper = len(hidden) - 1
    return BestOptions(
        hidden=hidden,
        epochs=found.epochs if epochs is None else epochs,
        seed=seed,
        time_steps=time_steps,
        hidden_thresholds=(found.hidden_threshold, *[max(1, found.hidden_threshold // 2)] * deeper),
        output_threshold=found.output_threshold if deeper == 0 else found.output_threshold * 5 // 4,
        windows=(found.window, *[found.window * 20 / 28] * deeper),
        scale=found.scale,
        start=found.start,
        rate=found.rate,
        batch=found.batch,
        **asdict(moved),
    )


def resolve(
    dataset: Dataset,
    recipe: str,
    hidden: tuple[int, ...],
    epochs: int | None,
    time_steps: int | None,
    seed: int,
    settings: Sequence[str],
) -> Options:
    """The options of a run from what a user gave.

    Args:
        dataset: images and labels.
        recipe: "best", "paper" or "s4nn".
        hidden: neurons of each hidden layer.
        epochs: None for the recipe's own number.
        time_steps: T; None for the recipe's own.
        seed: of everything random.
        settings: "name=value" for any other field of the recipe's options.

    Raises:
        UserError: an impossible size, an unknown name or a value that does not fit it.
    """
    check_sizes(hidden, epochs)
    most = MAX_WEIGHTS if recipe == "s4nn" else MAX_SYNAPSES
    check_network_sizes((dataset.train_images.shape[1], *hidden, len(dataset.class_names)), most)
    options: Options
    if recipe == "paper":
        options = PaperOptions(hidden, epochs or 200, seed, time_steps or 256)
    elif recipe == "s4nn":
        options = S4nnOptions(hidden, epochs or 75, seed, time_steps or 256)
    else:
        options = best_defaults(dataset, hidden, epochs, seed, time_steps or 16)
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        known = [field.name for field in fields(options) if field.name not in _FIXED]
        if not equals or name not in known:
            raise UserError(f"--set {setting}: the recipe '{recipe}' has {', '.join(known)}; write NAME=VALUE")
        changes[name] = _value(name, text, getattr(options, name))
    changed = replace(options, **changes)
    _check(changed)
    return changed


def settings_of(config: Mapping[str, Any]) -> list[str]:
    """The settings ("name=value", see `resolve`) that lead to the options of a run, by what its config.json holds.

    A run of an older release lacks options, which are off there.
    """
    kinds: dict[str, type[Options]] = {"best": BestOptions, "paper": PaperOptions, "s4nn": S4nnOptions}
    settings = []
    for field in fields(kinds[config["recipe"]]):
        value = config.get(field.name, () if field.default == () else 0)
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if text and field.name not in _FIXED:
            settings.append(f"{field.name}={text}")
    return settings


# Given by options of their own.
_FIXED = ("hidden", "epochs", "seed", "time_steps", "recipe")


def _check(options: Options) -> None:
    """Refuse values that no run can be made of."""
    if options.whole_shift < 0:
        raise UserError(f"whole_shift is {options.whole_shift}; 0 or more pixels are allowed")
    if not 0 <= options.dropout < 1:
        raise UserError(
            f"dropout is {options.dropout}; a share of the hidden neurons, 0 or more and less than 1, is allowed"
        )
    if isinstance(options, BestOptions):
        _check_best(options)
    else:
        _check_timed(options)


def _check_timed(options: PaperOptions | S4nnOptions) -> None:
    layers = len(options.hidden) + 1
    per_layer = ("starts", "alphas") if isinstance(options, PaperOptions) else ("starts", "thetas", "limits")
    for name in per_layer:
        values = getattr(options, name)
        if values and len(values) != layers:
            raise UserError(f"{layers} layers need as many {name}, {len(values)} given")
        if name != "starts" and values and not min(values) > 0:
            raise UserError(f"{name} must be more than 0")
    if not 0 <= options.gamma <= options.time_steps:
        raise UserError(f"gamma is {options.gamma}; 0 to the {options.time_steps} time steps is allowed")
    if not options.theta > 0 or not 0 <= options.settle <= 1 or not options.rate * options.decay < 1:
        raise UserError("theta must be more than 0, settle 0 to 1, rate times decay less than 1")
    if isinstance(options, PaperOptions) and (options.delay not in (0, 1) or not options.alpha > 0):
        raise UserError("delay must be 0 or 1, alpha more than 0")


def _check_best(options: BestOptions) -> None:
    layers = len(options.hidden)
    for name, values in (("hidden_thresholds", options.hidden_thresholds), ("windows", options.windows)):
        if len(values) != layers:
            raise UserError(f"{layers} hidden layers need as many {name}, {len(values)} given")
    lowest = min(options.output_threshold, options.batch, *options.hidden_thresholds)
    if lowest < 1 or not min(options.windows) > 0:
        raise UserError("thresholds and batch must be 1 or more, windows more than 0")
    if options.evenly > 1:
        raise UserError(f"evenly is {options.evenly}; 0 to 1 is allowed")
    for name in ("last_threshold", "roll"):
        if getattr(options, name) < 0:
            raise UserError(f"{name} is {getattr(options, name)}; 0 or more is allowed")
    if options.still > 1:
        raise UserError(f"still is {options.still}; a share of the epochs, 0 to 1, is allowed")
    highest = max(options.output_threshold, options.last_threshold, *options.hidden_thresholds)
    if highest > MAX_THRESHOLD:
        raise UserError(f"a threshold is {highest:,}; 1 to {MAX_THRESHOLD:,} is allowed")


def _value(name: str, text: str, default: object) -> object:
    """`text` as a value of the kind that `default` has."""
    try:
        if isinstance(default, bool):
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return _number(text)
        return tuple(int(part) if name == "hidden_thresholds" else _number(part) for part in text.split(","))
    except (ValueError, KeyError) as error:
        raise UserError(f"--set {name}={text}: a value like {default} is needed") from error


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return value


def check_sizes(hidden: tuple[int, ...], epochs: int | None) -> None:
    """Refuse what cannot be trained.

    Raises:
        UserError: no hidden layer, a size out of range, no epoch or too many.
    """
    if not hidden:
        raise UserError("a network needs at least one hidden layer; give --hidden")
    if min(hidden) < 1 or max(hidden) > 32_766:
        raise UserError(f"hidden layers of {', '.join(map(str, hidden))} neurons; 1 to 32,766 each is allowed")
    if epochs is not None and not 1 <= epochs <= MAX_EPOCHS:
        raise UserError(f"{epochs} epochs; 1 to {MAX_EPOCHS:,} are allowed")
