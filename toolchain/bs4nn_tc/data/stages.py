"""What is done to images before they become spikes, in whole numbers, so that a device can do the same.

There is one stage: images are made smaller, every k by k pixels becoming one. `NAME-14x14` is the data set NAME with
images of 14 by 14 pixels.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.dataset import Dataset

_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_SIZED = re.compile(rf"(.+)-({_SIZE.pattern})", re.DOTALL)


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


def resized(dataset: Dataset, shape: tuple[int, int]) -> Dataset:
    """The data set with smaller images, (rows, columns), under the name that says so.

    Raises:
        UserError: its images cannot be cut into squares of k by k pixels, one for each pixel wanted.
    """
    rows, columns = dataset.image_shape
    side = rows // shape[0]
    if side < 1 or (shape[0] * side, shape[1] * side) != (rows, columns):
        divisors = [k for k in range(2, min(rows, columns) + 1) if rows % k == columns % k == 0]
        sizes = ", ".join(f"{rows // k}x{columns // k}" for k in divisors[:20])
        raise UserError(
            f"{dataset.name} has images of {rows}x{columns} pixels, which whole squares cannot make "
            f"{shape[0]}x{shape[1]}; {f'possible are {sizes}' if sizes else 'no smaller size is possible'}"
        )
    return replace(
        dataset,
        name=sized_name(dataset.name, f"{shape[0]}x{shape[1]}"),
        train_images=means_of_squares(dataset.train_images, dataset.image_shape, side),
        test_images=means_of_squares(dataset.test_images, dataset.image_shape, side),
        image_shape=shape,
    )


def means_of_squares(images: NDArray[np.uint8], shape: tuple[int, int], side: int) -> NDArray[np.uint8]:
    """Images at 1 / side of the resolution: the rounded mean of every side by side pixels.

    Of two by two pixels that is (a + b + c + d + 2) >> 2.

    Args:
        images: (N, rows * columns) uint8.
        shape: (rows, columns), both multiples of `side`.
        side: of a square, in pixels.

    Returns:
        (N, rows * columns / side^2) uint8.
    """
    area = side * side
    pixels = images.reshape(-1, *shape)
    sums = np.full(
        (len(images), shape[0] // side, shape[1] // side), area // 2, np.uint16 if area <= 256 else np.uint32
    )
    for down, right in itertools.product(range(side), repeat=2):
        sums += pixels[:, down::side, right::side]
    return (sums // area).astype(np.uint8).reshape(len(images), -1)
