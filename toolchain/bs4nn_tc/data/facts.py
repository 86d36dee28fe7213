"""What is known of data sets: one entry for each that we have tried, and for all others what their images say.

Everything was found on validation images. Nothing else in the package asks for the name of a data set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.data.dataset import Dataset
from bs4nn_tc.data.stages import source_and_shape


@dataclass(frozen=True)
class Learning:
    """What the recipe "best" starts from; see `training.BestOptions`."""

    hidden_threshold: int
    output_threshold: int
    window: float
    scale: float
    start: float = 0.02
    epochs: int = 20
    rate: float = 1e-3
    batch: int = 100


@dataclass(frozen=True)
class Augmentation:
    """How images may be moved without becoming others; see `training.BestOptions`."""

    shift: float = 0.0
    rotation: float = 0.0
    stretch: float = 0.0
    mirror: bool = False
    still: float = 0.0


@dataclass(frozen=True)
class Framing:
    """How what is shown lies in its image, so that a drawing can be laid in the same way.

    Attributes:
        box: what it is scaled into, as a share of rows and columns.
        centre: of its mass, as shares of rows and of columns from the corner.
        dark_ink: it is dark on a light ground.
    """

    box: float
    centre: tuple[float, float]
    dark_ink: bool = False


# Digits that MNIST's makers scaled into 20 of 28 pixels, their centre of mass in the middle of pixel 14.
MNIST_FRAMING = Framing(20 / 28, (14.5 / 28, 14.5 / 28))
_FILLING = Framing(1.0, (0.5, 0.5))
# Neurons of the hidden layer of networks for data sets that are not in the table.
HIDDEN = 1000


@dataclass(frozen=True)
class _Known:
    """An entry of the table.

    Attributes:
        learning: (neurons of the first hidden layer, what suits that many and more), the widest first.
        hidden: neurons of the hidden layer, where nobody says how many.
        augmentation, framing: see there.
    """

    learning: tuple[tuple[int, Learning], ...]
    hidden: int = HIDDEN
    augmentation: Augmentation = field(default_factory=Augmentation)
    framing: Framing = _FILLING


_KNOWN = {
    # Narrow networks want lower thresholds and a narrower window.
    "mnist": _Known(
        (
            (400, Learning(20, 24, 28.0, 0.3)),
            (200, Learning(16, 16, 24.0, 0.4)),
            (100, Learning(12, 12, 20.0, 0.5)),
            (1, Learning(12, 9, 20.0, 0.6)),
        ),
        600,
        Augmentation(shift=1.0, rotation=6.0, stretch=0.06, still=0.15),
        MNIST_FRAMING,
    ),
    # At half the resolution half a pixel is as much.
    "mnist-14x14": _Known(
        ((1, Learning(11, 14, 7.0, 0.4)),),
        288,
        Augmentation(shift=0.5, rotation=6.0, stretch=0.06, still=0.15),
        MNIST_FRAMING,
    ),
    "fashion-mnist": _Known(
        ((1, Learning(30, 80, 28.0, 0.08, start=0.05)),), augmentation=Augmentation(shift=0.9, mirror=True, still=0.15)
    ),
    "fashion-mnist-14x14": _Known(
        ((1, Learning(16, 40, 10.0, 0.12, start=0.05)),), augmentation=Augmentation(shift=0.45, mirror=True, still=0.15)
    ),
    "digits": _Known(
        (
            (400, Learning(9, 23, 9.0, 0.26, start=0.16, epochs=300, rate=6.5e-3, batch=20)),
            (1, Learning(12, 6, 10.0, 0.5, start=0.3, epochs=100, rate=1e-2, batch=20)),
        ),
        512,
        Augmentation(shift=0.5, rotation=6.0, stretch=0.06),
    ),
}


def widths() -> dict[str, int]:
    """Neurons of the hidden layer where nobody says how many, of the data sets with a width of their own."""
    return {name: known.hidden for name, known in _KNOWN.items() if known.hidden != HIDDEN}


def width(name: str) -> int:
    """Neurons of the hidden layer for a data set, where nobody says how many."""
    return widths().get(name, HIDDEN)


def augmentation(name: str) -> Augmentation:
    """How the images of a data set may be moved; not at all where we do not know what they show."""
    return _KNOWN[name].augmentation if name in _KNOWN else Augmentation()


def learning(dataset: Dataset, hidden: int) -> Learning:
    """What to start from on a data set, with so many neurons in the first hidden layer."""
    known = _KNOWN.get(dataset.name)
    if known is None:
        return _learning_from(dataset, hidden)
    return next(one for least, one in known.learning if hidden >= least)


def framing(name: str | None, dataset: Dataset | None) -> Framing:
    """How the images of a data set lie in their frame.

    Args:
        name: what the network was trained on; None where it does not say.
        dataset: the images, if they are at hand. Without them, and without an entry, MNIST's framing is taken.
    """
    # At another resolution the shares are the same.
    known = _KNOWN.get(source_and_shape(name)[0]) if name else None
    if known is not None:
        return known.framing
    return MNIST_FRAMING if dataset is None else _framing_from(dataset)


# Images that are looked at for how they lie, and the share of the largest intensity from which on a pixel is ink.
_LOOKED_AT, _INK = 2000, 0.1


def _framing_from(dataset: Dataset) -> Framing:
    """The framing that the training images have themselves."""
    images = dataset.train_images[:_LOOKED_AT].reshape(-1, *dataset.image_shape)
    dark_ink = dataset.polarity == "dark"
    ink = dataset.intensity_max - images if dark_ink else images
    has_ink: NDArray[np.bool_] = np.greater(ink, _INK * dataset.intensity_max)
    shows = has_ink.any(axis=(1, 2))
    ink, has_ink = ink[shows], has_ink[shows]
    if not len(ink):
        return MNIST_FRAMING
    shares, centre = [], []
    for axis, size in ((1, dataset.image_shape[0]), (2, dataset.image_shape[1])):
        occupied: NDArray[np.bool_] = np.logical_or.reduce(has_ink, axis=3 - axis)
        shares.append((size - occupied.argmax(axis=1) - occupied[:, ::-1].argmax(axis=1)) / size)
        mass = ink.sum(axis=3 - axis, dtype=np.int64)
        middles = (np.arange(size) + 0.5) / size
        centre.append(float((mass @ middles / mass.sum(axis=1)).mean()))
    return Framing(float(np.median(np.maximum(*shares))), (centre[0], centre[1]), dark_ink)


# Updates of the weights in a run that is long enough, and images an update.
_UPDATES, _FEWEST_EPOCHS, _MOST_EPOCHS = 6000, 20, 300
_SMALLEST_BATCH, _LARGEST_BATCH = 10, 100


def _learning_from(dataset: Dataset, hidden: int) -> Learning:
    """What the images say; on those of the table it comes near to what was found there.

    A potential grows like the square root of how many spikes have arrived, an output's like that of the hidden neurons.
    Few images are to be learned from in small batches, quickly, and many times over.
    """
    images = dataset.training()[0]
    # Of an image, when half of the steps are over: a spike comes the earlier, the brighter its pixel.
    arrived = float(images.mean()) / dataset.intensity_max * images.shape[1]
    potential = max(1.0, min(2 * math.sqrt(arrived), arrived))  # no more than the spikes that there are
    output_threshold = max(1, round(math.sqrt(hidden)))
    batch = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, len(images) // 60))
    updates = max(1, len(images) // batch)
    rate = min(1e-2, max(1e-3, 1e-3 * math.sqrt(50_000 / len(images))))
    return Learning(
        hidden_threshold=round(potential),
        output_threshold=output_threshold,
        window=potential,
        scale=6 / output_threshold,
        start=25 * rate,
        epochs=min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, -(-_UPDATES // updates))),
        rate=rate,
        batch=batch,
    )
