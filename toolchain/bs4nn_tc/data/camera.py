"""A camera before a network: the stages that make its input of a frame, as the data set has its images."""

from __future__ import annotations

from dataclasses import replace

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import facts
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import Crop, Grey, Ink, Invert, Resize, Shape, Stage, shape_text
from bs4nn_tc.model.stages.pictures import FORMATS

# What a camera may send: grey, or colours in one of the formats of the stage `grey`.
GREY = "grey"
CAMERA_FORMATS = (GREY, *FORMATS)


def picture_shape(network: Network) -> tuple[int, int]:
    """(rows, columns) of the images that a network takes: those that it says, or a square.

    Raises:
        UserError: it does not say, and no square; or its samples are no pictures.
    """
    shape, values = network.input.shape, network.sample_values
    if network.input.type != "uint8" or network.input.hop or len(shape) > 2:
        what = "a stream" if network.input.hop else f"{shape_text(shape)} values of {network.input.type}"
        raise UserError(f"the network takes {what}, which is no picture")
    if len(shape) == 2:
        return shape[0], shape[1]
    side = int(values**0.5)
    if side * side != values:
        raise UserError(f"the network takes {values:,} pixels, which is no square")
    return side, side


def framing_of(network: Network) -> facts.Framing:
    """How what it has learned lies in its images, as far as it says."""
    if network.data is None:
        return facts.framing(None, None)
    framing = facts.framing(network.data.name, None)
    return replace(framing, dark_ink=network.data.polarity == "dark")


def laid_ink(framing: facts.Framing, shape: tuple[int, int], ink: str, highest: int) -> tuple[Stage, ...]:
    """Stages that lay what is written as a data set has its images.

    Args:
        framing: how it has them.
        shape: (rows, columns) of an image.
        ink: "dark" or "bright": what is looked for.
        highest: the intensity of a pixel that is all ink, or all ground where the images have dark ink.
    """
    rows, columns = shape
    box = (max(1, round(rows * framing.box)), max(1, round(columns * framing.box)))
    centre = (round(256 * rows * framing.centre[0]), round(256 * columns * framing.centre[1]))
    laid = Ink(ink, rows, columns, box, centre, highest)
    return (laid, Invert()) if framing.dark_ink else (laid,)


def frame_shape(size: tuple[int, int], form: str) -> Shape:
    """The shape of a camera's frame of (rows, columns), in bytes."""
    return size if form == GREY else (*size, FORMATS[form])


def adapted(network: Network, size: tuple[int, int], form: str, ink: str | None, *, invert: bool = False) -> Network:
    """A network that takes a camera's frames: the same weights behind stages of its own.

    Args:
        network: takes pictures; its own stages come after the new ones.
        size: (rows, columns) of a frame.
        form: one of `CAMERA_FORMATS`.
        ink: what to look for on paper, "dark" or "bright"; None takes the middle of the frame, made smaller.
        invert: turn dark and bright round first.

    Raises:
        UserError: it takes no pictures, or frames of that size cannot become what it takes.
    """
    own, shape = network.input, picture_shape(network)
    if own.stages and own.intensity_max != MAX_INTENSITY:
        raise UserError(
            f"the network's own stages take values up to {own.intensity_max}; behind a camera only such that take "
            f"{MAX_INTENSITY} can be"
        )
    stages: list[Stage] = [] if form == GREY else [Grey(form)]
    if invert:
        stages.append(Invert())
    if ink is None:
        stages += _middle(size, shape)
    else:
        stages += laid_ink(framing_of(network), shape, ink, MAX_INTENSITY)
    taken = Input(frame_shape(size, form), MAX_INTENSITY, (*stages, *own.stages))
    # Figures of images that it does not take any more would mislead.
    description = {key: fact for key, fact in network.description.items() if key not in ("test", "validation")}
    return replace(network, input=taken, description={**description, "adapted_from": network.digest})


def _middle(size: tuple[int, int], shape: tuple[int, int]) -> list[Stage]:
    """The largest part in the middle that has the proportions of what is wanted, in its size."""
    rows = min(size[0], max(1, size[1] * shape[0] // shape[1]))
    columns = min(size[1], max(1, size[0] * shape[1] // shape[0]))
    stages: list[Stage] = []
    if (rows, columns) != size:
        stages.append(Crop((size[0] - rows) // 2, (size[1] - columns) // 2, rows, columns))
    if (rows, columns) != shape:
        stages.append(Resize(*shape))
    return stages
