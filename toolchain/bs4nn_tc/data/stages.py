"""Data sets whose images have gone through a stage of an input: `NAME-14x14` is the data set NAME with smaller images.

A network that learns them has the stage in its own input (`model/stages.py`), and takes the samples they come from.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.model.stages import SquareMeans

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
    """The data set with smaller images, (rows, columns), under the name that says so; it keeps the samples, too.

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
    name = sized_name(dataset.name, f"{shape[0]}x{shape[1]}")
    if side == 1:
        return replace(dataset, name=name)
    stage = SquareMeans(side)
    return replace(
        dataset,
        name=name,
        train_images=stage.apply(dataset.train_images, dataset.image_shape),
        test_images=stage.apply(dataset.test_images, dataset.image_shape),
        image_shape=shape,
        stages=(stage,),
        samples=dataset,
    )
