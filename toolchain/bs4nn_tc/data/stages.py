"""Data sets whose samples have gone through stages of an input: `NAME-14x14` is the data set NAME with smaller images.

A network that learns them has the stage in its own input (`model/stages.py`), and takes the samples they come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.data.sources.pictures import middle
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.stages import Crop, Invert, Resize, Spectrum, SquareMeans, Stage
from bs4nn_tc.model.stages.signals import MAX_FRAME, MIN_FRAME

_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_SIZED = re.compile(rf"(.+)-({_SIZE.pattern})", re.DOTALL)

# Of a sound: about so long is a frame, so many there are at most, with so many bands; words of a second need no more.
_FRAME_SECONDS, _MOST_FRAMES, _BANDS = 0.032, 32, 16
# Share of white from which on a ground is light; that of photographs of anything is about a half.
_LIGHT = 0.6


def sized_name(name: str, size: str | None) -> str:
    """The name of a data set with images of that size ("14x14": rows, columns); the same name if there is none.

    Raises:
        UserError: it is no size.
    """
    if size is None:
        return name
    if not _SIZE.fullmatch(size):
        raise UserError(f"--size {size}: rows and columns such as 14x14 are needed")
    return f"{name}-{size}"


def source_and_shape(name: str) -> tuple[str, tuple[int, int] | None]:
    """What `sized_name` has put together: the name, and (rows, columns); None where the name says no size."""
    match = _SIZED.fullmatch(name)
    return (name, None) if match is None else (match[1], (int(match[3]), int(match[4])))


def resized(dataset: Dataset, shape: tuple[int, int], crop: bool = False) -> Dataset:
    """The data set with smaller images, (rows, columns), under the name that says so; it keeps the samples, too.

    Args:
        dataset: of grey pictures.
        shape: rows and columns wanted.
        crop: take the middle with this shape's proportions, rather than distort it.

    Raises:
        UserError: it has no grey pictures, or smaller ones.
    """
    if len(dataset.image_shape) != 2 or dataset.train_images.dtype != np.uint8:
        raise UserError(f"{dataset.name} has no grey pictures; only they have a size")
    rows, columns = dataset.image_shape
    stages: list[Stage] = []
    if crop:
        part = middle((rows, columns), shape)
        if part[2:] != (rows, columns):
            stages.append(Crop(*part))
        rows, columns = part[2:]
    if shape[0] > rows or shape[1] > columns:
        raise UserError(
            f"{dataset.name} has images of {rows}x{columns} pixels; they can be made smaller, but not "
            f"{shape[0]}x{shape[1]}"
        )
    side = rows // shape[0]
    if (shape[0] * side, shape[1] * side) != (rows, columns):
        stages.append(Resize(*shape))
    elif side > 1:
        stages.append(SquareMeans(side))
    name = sized_name(dataset.name, f"{shape[0]}x{shape[1]}")
    return with_stages(replace(dataset, name=name), stages)


def inverted(dataset: Dataset, invert: str) -> Dataset:
    """The data set with ink that is bright on black, whatever it was; it keeps the samples, too.

    Args:
        dataset: of any kind; only grey pictures are ever inverted.
        invert: "yes", "no", or "auto": if their borders are clearly light.
    """
    if dataset.ground is None or invert == "no" or (invert == "auto" and dataset.ground < _LIGHT):
        return dataset
    why = "ink is dark on a light ground" if invert == "auto" else "as --invert yes says"
    note = f"the images are inverted by a stage of the network, on the device, too: {why}; --invert no leaves them"
    return with_stages(replace(dataset, notes=(*dataset.notes, note)), (Invert(),))


def heard(dataset: Dataset) -> Dataset:
    """Sounds as how strong each band of frequencies is, frame by frame; all other data sets as they are."""
    rate = (dataset.reading or {}).get("rate")
    if rate is None:
        return dataset
    steps = dataset.image_shape[0]
    frame = min(MAX_FRAME, max(MIN_FRAME, 1 << round(math.log2(rate * _FRAME_SECONDS))))
    if steps < frame or frame // 2 - 3 < _BANDS:
        return dataset
    hop = max(frame, (steps - frame) // (_MOST_FRAMES - 1))
    return with_stages(dataset, (Spectrum.mel(rate, frame, hop, _BANDS),))


def with_stages(dataset: Dataset, stages: Sequence[Stage], name: str | None = None) -> Dataset:
    """The data set as a network behind such stages sees it; it keeps the samples, too.

    Args:
        dataset: with or without stages of its own; the new ones come after those.
        stages: in their order.
        name: of the new one; that of the old one by default.

    Raises:
        UserError: a stage does not take what it gets.
    """
    if not stages:
        return dataset
    taken = dataset if dataset.samples is None else dataset.samples
    added = Input(dataset.image_shape, dataset.intensity_max, tuple(stages), str(dataset.train_images.dtype))
    all_stages = (*dataset.stages, *stages)
    whole = Input(taken.image_shape, dataset.intensity_max, all_stages, str(taken.train_images.dtype))
    return replace(
        dataset,
        name=name or dataset.name,
        train_images=added.prepare(dataset.train_images),
        test_images=added.prepare(dataset.test_images),
        image_shape=whole.passed[-1].shape,
        stages=whole.stages,
        samples=dataset if dataset.samples is None else dataset.samples,
    )
