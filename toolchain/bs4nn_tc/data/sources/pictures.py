"""One picture from a file that nobody should trust: grey, 8 bits a pixel, the right way up.

Of a picture of several frames or pages the first is taken. Pillow is an extra, imported where it is needed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import read_file
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_NEURONS
from bs4nn_tc.model.stages.pictures import area_means

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = (".png", ".bmp", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".webp")
# Whatever the file's name says, nothing else is opened: for some formats Pillow starts other programs.
_FORMATS = ("PNG", "BMP", "JPEG", "GIF", "TIFF", "PPM", "WEBP")
# Bytes of a file and pixels of a TIFF tile; a picture that fits a network has at most 65,535 pixels.
_MAX_FILE, _MAX_TILE = 64_000_000, 1 << 22
_TILE_WIDTH, _TILE_LENGTH, _BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 322, 323, 258, 262, 0

# What Pillow notes about odd files would come out between our lines.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Picture:
    """Grey values and how opaque they are.

    Attributes:
        grey: (rows, columns) uint8, 255 is white.
        alpha: (rows, columns) uint8, 255 is opaque; None where all of it is.
        first_of_several: the file has more frames or pages.
    """

    grey: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    first_of_several: bool = False


def require_pillow() -> None:
    """Look for Pillow.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        from PIL import Image  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        remedy = remedies.pip_install("pillow")
        raise MissingToolError(f"reading images needs Pillow; install it with: {remedy}") from error


def fitted(picture: Picture, shape: tuple[int, int], crop: bool) -> Picture:
    """A picture of another size, each value the mean of the area that it covers.

    Args:
        picture: of any size.
        shape: rows and columns wanted.
        crop: take the largest part in the middle that has this shape's proportions, rather than distort it.
    """
    top, left, rows, columns = middle(picture.grey.shape, shape) if crop else (0, 0, *picture.grey.shape)
    grey, alpha = (
        None if one is None else one[None, top : top + rows, left : left + columns]
        for one in (picture.grey, picture.alpha)
    )
    assert grey is not None
    if alpha is None:
        return Picture(area_means(grey, shape)[0], None)
    # What is transparent has no colour: what weighs is what is seen.
    opaque = area_means(alpha, shape)[0]
    seen = area_means((grey.astype(np.int64) * alpha + 127) // 255, shape)[0].astype(np.int64)
    return Picture(np.minimum(seen * 255 // np.maximum(opaque, 1), 255).astype(np.uint8), opaque)


def middle(shape: Sequence[int], wanted: Sequence[int]) -> tuple[int, int, int, int]:
    """(top, left, rows, columns) of the largest part in the middle of a picture that has the proportions wanted."""
    rows = min(shape[0], max(1, shape[1] * wanted[0] // wanted[1]))
    columns = min(shape[1], max(1, shape[0] * wanted[1] // wanted[0]))
    return (shape[0] - rows) // 2, (shape[1] - columns) // 2, rows, columns


def read(path: Path, most_pixels: int = MAX_NEURONS) -> Picture:
    """Read a picture.

    Args:
        path: the file.
        most_pixels: larger ones are refused.

    Raises:
        UserError: it cannot be read, is damaged, of another format, larger than a network takes, or has pixels of
            which nobody knows what is white.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra

    content = io.BytesIO(read_file(path, _MAX_FILE))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(content, formats=_FORMATS) as image:
                _check(path, image, most_pixels)
                several = bool(getattr(image, "is_animated", False))
                tags = getattr(image, "tag_v2", None)
                with contextlib.nullcontext() if tags is None else _deaf_to_libtiff():
                    image.load()
                # A TIFF has been turned by loading it.
                picture = _picture(path, _upright(image) if tags is None else image, tags)
                return replace(picture, first_of_several=several)
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is damaged or no picture of a format that is read ({', '.join(_FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} has more pixels than any network takes ({error}): scale it down") from error
    except Exception as error:  # whatever a damaged picture makes Pillow raise
        why = printable(error, 200) or type(error).__name__
        raise UserError(f"{path} cannot be read as an image: {why}") from error


def _check(path: Path, image: Image.Image, most_pixels: int) -> None:
    """Refuse by the header what would take more memory than a picture may."""
    if image.width * image.height > most_pixels:
        raise UserError(
            f"{path} has {image.width * image.height:,} pixels; at most {most_pixels:,} are taken: --size ROWSxCOLUMNS "
            "scales it down"
        )
    tags = getattr(image, "tag_v2", {})
    tile = [tags.get(tag, 1) for tag in (_TILE_WIDTH, _TILE_LENGTH)]
    if not all(isinstance(side, int) for side in tile) or tile[0] * tile[1] > _MAX_TILE:
        raise UserError(f"{path} is a TIFF of impossible tiles; save it anew")


@contextlib.contextmanager
def _deaf_to_libtiff() -> Iterator[None]:
    """Let what libtiff writes to standard error about a damaged file get lost; the exception says it, too."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation wants it to be seen; as it is where the EXIF data are damaged."""
    from PIL import ImageOps  # noqa: PLC0415 - an extra

    try:
        return ImageOps.exif_transpose(image) or image
    except Exception:  # whatever damaged EXIF data make Pillow raise
        return image


def _picture(path: Path, image: Image.Image, tags: Mapping[int, Any] | None) -> Picture:
    """The picture's pixels; `tags` are those of a TIFF."""
    if image.mode == "F" or (image.mode == "I" and tags is not None):
        kind = "floating-point numbers" if image.mode == "F" else "signed or 32-bit numbers"
        raise UserError(f"{path} has pixels of {kind}, which do not say what is white; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _of_16_bits(image, tags or {})
    palette = image.palette.mode if image.mode == "P" and image.palette else ""
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info or palette.endswith("A"):
        whole = image.convert("RGBA")
        return _opaque_or_not(np.asarray(whole.convert("L")), np.asarray(whole.getchannel("A")))
    return Picture(np.asarray(image.convert("L")), None)


def _of_16_bits(image: Image.Image, tags: Mapping[int, Any]) -> Picture:
    """65,535 is white; of a TIFF of 12 bits, 4,095."""
    values = np.asarray(image).astype(np.int64)
    bits = tags.get(_BITS, (16,))
    white = (1 << bits[0]) - 1
    grey = ((values.clip(0, white) * 255 + white // 2) // white).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return Picture(grey, None)
    return _opaque_or_not(grey, np.where(values == key, 0, 255).astype(np.uint8))


def _opaque_or_not(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Picture:
    return Picture(grey, None if (alpha == 255).all() else alpha)
