"""Classification sets of torchvision by their names there, read and downloaded by torchvision: torchvision:KMNIST.

Some are made with `train`, some with `split`, some with neither; what follows goes by the arguments that they take.
"""

from __future__ import annotations

import difflib
import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.dataset import Dataset, check_size
from bs4nn_tc.data.sources import arrays, pictures
from bs4nn_tc.data.sources.assembling import Facts, Part, assemble
from bs4nn_tc.data.sources.reading import PICTURES, Reading

PREFIX = "torchvision:"


def load(name: str, data_dir: Path, reading: Reading) -> Dataset:
    """A set of torchvision.

    Args:
        name: "torchvision:NAME", or "torchvision:NAME:SPLIT" where a set is several (EMNIST:letters).
        data_dir: where torchvision keeps it.
        reading: the size that its pictures are to have, where they are not alike.

    Raises:
        MissingToolError: torchvision is not installed, or the set cannot be downloaded.
        UserError: no such set, or none of pictures with a class each.
    """
    wanted, _, split = name.removeprefix(PREFIX).partition(":")
    made = _make(name, _maker(wanted), data_dir, split)
    read = [_part(name, one, None) for one in made]
    if any(one is None or one[1] != (read[0] or one)[1] for one in read):
        if not reading.size:
            raise UserError(f"{name} has pictures of different sizes; --size ROWSxCOLUMNS scales them to one size")
        read = [_part(name, one, reading.size) for one in made]
    parts = [one for one in read if one is not None]
    shape = parts[0][1]
    labels = np.unique(np.concatenate([part.labels for part, _ in parts])).tolist()
    facts = Facts(
        name,
        shape,
        reading.of_kind(PICTURES),
        lambda _, sample, value: f"{name}: sample {sample}, value {value}",
        _names(made[0], labels),
        picture=True,
    )
    return assemble(facts, parts[0][0], parts[1][0] if len(parts) > 1 else None)


def _maker(wanted: str) -> Any:
    """The class of a set."""
    try:
        from torchvision import datasets as sets  # noqa: PLC0415 - torch only where it is needed
    except ImportError as error:
        remedy = remedies.pip_install("torchvision")
        raise MissingToolError(f"the data set {PREFIX}{printable(wanted, 60)} needs torchvision: {remedy}") from error
    maker = getattr(sets, wanted, None)
    if not inspect.isclass(maker):
        near = difflib.get_close_matches(wanted, [one for one in dir(sets) if inspect.isclass(getattr(sets, one))], n=1)
        meant = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        raise UserError(f"torchvision has no data set '{printable(wanted, 60)}'{meant}")
    return maker


def _make(name: str, maker: Any, data_dir: Path, split: str) -> list[Any]:
    """The set to learn from and the one to test with, or one alone where it has no parts."""
    parts = _arguments(name, maker, split)
    try:
        return [maker(str(data_dir), **part) for part in parts]
    except TypeError as error:
        raise UserError(f"{name} cannot be made as others are ({printable(error, 160)}); convert it to .npz") from error
    except Exception as error:  # torchvision raises whatever its mirrors make it raise
        raise MissingToolError(
            f"{name} is not in {data_dir} and cannot be downloaded ({printable(error, 160)}); say where it is with "
            "--data-dir"
        ) from error


def _arguments(name: str, maker: Any, split: str) -> list[dict[str, Any]]:
    """What each part of a set is made with, beside its folder: one to learn from and one to test with, or one alone."""
    taken = inspect.signature(maker).parameters
    any_name = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
    more: dict[str, Any] = {"download": True} if "download" in taken or any_name else {}
    parts: list[dict[str, Any]] = [{}]
    chosen = taken.get("split")
    if any_name and chosen is not None and chosen.default is inspect.Parameter.empty and not split:
        raise UserError(f"{name} is several sets; name one of them after it, such as {PREFIX}EMNIST:letters")
    if "train" in taken or (any_name and split):
        parts = [{"train": True}, {"train": False}]
        more |= {"split": split} if split else {}
    elif split:
        parts = [{"split": split}]
    elif "split" in taken:
        parts = [{"split": "train"}, {"split": "test"}]
    return [part | more for part in parts]


def _part(name: str, made: Any, size: tuple[int, ...] | None) -> tuple[Part, tuple[int, int]] | None:
    """All pictures of a part, scaled to a size if one is given, and their shape; None if they differ in size."""
    images = np.empty((0, 0), np.uint8)
    labels = np.empty(len(made), np.int64)
    shape: tuple[int, ...] = ()
    for index in range(len(made)):
        image, label = made[index]
        grey = _grey(name, image)
        if size:
            grey = pictures.fitted(pictures.Picture(grey, None), (size[0], size[1]), crop=False).grey
        if index == 0:
            shape = grey.shape
            check_size(name, len(made), grey.size)
            images = np.empty((len(made), grey.size), np.uint8)
        if grey.shape != shape:
            return None
        images[index] = grey.reshape(-1)
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            raise UserError(f"{name} is no classification set: the label of a picture is a {type(label).__name__}")
        labels[index] = int(label)
    if not shape:
        raise UserError(f"{name} is empty")
    return Part(images, labels), (shape[0], shape[1])


def _grey(name: str, image: Any) -> NDArray[np.uint8]:
    """(rows, columns) of a picture of Pillow, or of a tensor of values 0 .. 255, or 0 .. 1, with planes or without."""
    if hasattr(image, "convert"):
        return np.asarray(image.convert("L"))
    array = np.asarray(image)
    if array.ndim not in (2, 3) or array.dtype.kind not in "iuf":
        raise UserError(f"{name} is no set of pictures: a sample is {array.shape} of type {array.dtype}")
    if array.dtype.kind == "f":
        array = array * 255
    grey = arrays.grey(name, "a sample", array[None])[0] if array.ndim == 3 else array
    whole: NDArray[np.uint8] = np.rint(grey).clip(0, 255).astype(np.uint8)
    return whole


def _names(made: Any, labels: list[int]) -> tuple[str, ...]:
    """Names of the classes that occur, if the set has some."""
    names = getattr(made, "classes", None)
    if not isinstance(names, list | tuple) or not 0 <= min(labels) <= max(labels) < len(names):
        return ()
    return tuple(printable(names[label], 255) for label in labels)
