"""Small data sets that nobody should trust, for the fuzzer: folders of IDX files, folders of images.

Each function fills an empty folder with one of them. Most begin as a good data set and are then damaged in one to three
places; a few stay whole, so that what lies behind the checks is reached, too.
"""

from __future__ import annotations

import functools
import gzip
import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

_TYPES = {8: "B", 9: "b", 11: "h", 12: "i", 13: "f", 14: "d"}
_MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "YCbCr", "PA", "HSV", "LAB")
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".tif": "TIFF",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".pgm": "PPM",
    ".webp": "WEBP",
    ".tiff": "EPS",
    ".jpeg": "ICO",
}
_ODD_NAMES = (
    b"caf\xe9",
    b"\xff\xfe",
    b"a\nb",
    b"[red]",
    b"\x1b[31m",
    b"-o",
    b"10",
    b"2",
    "\u202egnp".encode(),
    b"x" * 200,
)


# ---- IDX ----


def idx_folder(random: random.Random, folder: Path) -> None:
    """Write one hostile data set of IDX files.

    Args:
        random: what is random in it.
        folder: empty.
    """
    count, rows, columns = random.randint(1, 40), random.randint(1, 6), random.randint(1, 6)
    classes = random.randint(1, 5)
    prefix = random.choice(["", "", "", "emnist-letters-", "a-b-"])
    test = random.choice(["t10k", "t10k", "test"])
    for part, images in (("train", count), (test, random.randint(1, 20))):
        labels = bytes(random.choice([0, 1, 7]) + index % classes for index in range(images))
        if random.random() < 0.2:
            labels = bytes(sorted(labels))
        pixels = random.randbytes(images * rows * columns) if random.random() < 0.9 else bytes(images * rows * columns)
        joint = random.choice(["-idx", "-idx", ".idx"])
        _write(random, folder / f"{prefix}{part}-images{joint}3-ubyte", _idx((images, rows, columns), pixels))
        _write(random, folder / f"{prefix}{part}-labels{joint}1-ubyte", _idx((images,), labels))
    damage(random, folder, _IDX_DAMAGES)


def _idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    sizes = b"".join((size & 0xFFFFFFFF).to_bytes(4, "big") for size in shape)
    return bytes([0, 0, kind, len(shape) & 0xFF]) + sizes + content


def _write(random: random.Random, path: Path, content: bytes) -> None:
    if random.random() < 0.3:
        path, content = path.with_name(f"{path.name}.gz"), gzip.compress(content)
    if random.random() < 0.1:  # in a folder of its own name, as some unpack it
        path.mkdir()
        path = path / path.name
    path.write_bytes(content)


def _wrong_sizes(random: random.Random, path: Path) -> None:
    """Sizes that wrap, are negative, zero, or more than there is."""
    sizes = [0, 1, 2, 60, 2**16, 2**31 - 1, 2**31, 2**32 - 1, random.getrandbits(32)]
    shape = tuple(random.choice(sizes) for _ in range(random.choice([1, 2, 3, 3, 3, 4, 255])))
    content = _idx(shape, random.randbytes(random.randint(0, 200)), random.choice(list(_TYPES)))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" and random.random() < 0.9 else content)


def _wrong_type(random: random.Random, path: Path) -> None:
    """Another type of elements or another number of dimensions, whole in itself."""
    kind = random.choice(list(_TYPES))
    shape = tuple(random.randint(1, 8) for _ in range(random.randint(1, 4)))
    count = functools.reduce(int.__mul__, shape)
    content = struct.pack(f">{count}{_TYPES[kind]}", *(random.randint(0, 100) for _ in range(count)))
    path.write_bytes(_idx(shape, content, kind))


def _bomb(random: random.Random, path: Path) -> None:
    """A gzip file that unpacks to far more than its header says, or says more than anybody should read."""
    unpacked = random.choice([1 << 20, 1 << 24, 1 << 26])
    packer = zlib.compressobj(9, wbits=31)
    content = packer.compress(_idx(random.choice([(60, 4, 5), (60,), (2**31 - 1, 2**31 - 1, 2)]), b""))
    content += b"".join(packer.compress(bytes(1 << 20)) for _ in range(unpacked >> 20)) + packer.flush()
    path.unlink()
    path.with_name(f"{path.name.removesuffix('.gz')}.gz").write_bytes(content)


def _sparse(random: random.Random, path: Path) -> None:
    """A file of up to a terabyte that takes no room."""
    with path.open("r+b") as file:
        file.truncate(random.choice([1 << 30, 200 << 30, 1 << 40]))


# ---- Any file ----


def _flip(random: random.Random, path: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(random.randint(1, 6)):
        if content:
            near = min(len(content), random.choice([8, 64, 100_000]))
            content[random.randrange(near)] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
    path.write_bytes(content)


def _cut(random: random.Random, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: random.randint(0, len(content))])


def _grow(random: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes() + random.randbytes(random.choice([1, 8, 1000])))


def _garbage(random: random.Random, path: Path) -> None:
    path.write_bytes(random.randbytes(random.choice([0, 1, 7, 16, 500])))


def _remove(random: random.Random, path: Path) -> None:
    path.unlink()


def _no_file(random: random.Random, path: Path) -> None:
    """A FIFO, a folder, a device or a link to nowhere, to itself or around, where a file should be."""
    path.unlink()
    targets = ["/dev/zero", "/dev/full", "/nowhere/to/be/found", path.name, ".."]
    target = random.choice(["fifo", "folder", *targets])
    if target == "fifo":
        os.mkfifo(path)
    elif target == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)


_Damage = Callable[[random.Random, Path], None]


def damage(random: random.Random, folder: Path, damages: list[_Damage]) -> None:
    """None to three damages, each to one file; not to one that has been made huge, for it would be read."""
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        files = [path for path in files if path.stat().st_size < 1 << 20]
        if files:
            random.choice(damages)(random, random.choice(files))


ANY_DAMAGES: list[_Damage] = [_flip, _flip, _flip, _cut, _grow, _garbage, _remove, _no_file]
_IDX_DAMAGES: list[_Damage] = [*ANY_DAMAGES, _wrong_sizes, _wrong_sizes, _wrong_type, _bomb, _sparse]


# ---- Images ----


def image_folder(random: random.Random, folder: Path) -> None:
    """Write one hostile data set of folders of images, one a class.

    Args:
        random: what is random in it.
        folder: empty.
    """
    layout = random.choice([[""], [""], ["train", "test"], ["train", "val"], ["train", "valid", "Test"], ["train"]])
    classes = random.sample([b"a", b"b", b"c", *_ODD_NAMES], random.randint(1, 4))
    if random.random() < 0.5:
        classes = [b"cats", b"dogs"]
    ending, mode = random.choice(list(_FORMATS)), random.choice(_MODES)
    size = random.randint(1, 7), random.randint(1, 7)
    for part in layout:
        for name in classes:
            place = folder / part / os.fsdecode(name)
            place = place / "deeper" if random.random() < 0.1 else place
            place.mkdir(parents=True)
            for index in range(random.choice([0, 1, 3, 5, 6, 7])):
                content = _picture(random, ending, mode, size)
                file = os.fsdecode(random.choice(_ODD_NAMES)) if random.random() < 0.05 else str(index)
                (place / f"{file}{ending}").write_bytes(content)
    damage(random, folder, _IMAGE_DAMAGES)


def _picture(random: random.Random, ending: str, mode: str, size: tuple[int, int]) -> bytes:
    """A picture's file; formats that cannot store the mode take another."""
    content = io.BytesIO()
    base = Image.frombytes("L", size, random.randbytes(size[0] * size[1]))
    try:
        picture = Image.new("I;16", size, random.getrandbits(16)) if mode == "I;16" else base.convert(mode)
        more = {"transparency": 0} if random.random() < 0.1 else {}
        if random.random() < 0.1 and ending in (".gif", ".tif", ".png", ".webp"):
            more |= {"save_all": True, "append_images": [picture] * 3}
        if random.random() < 0.1:
            turned = Image.Exif()
            turned[0x0112] = random.randint(0, 9)
            more["exif"] = turned.tobytes()
        picture.save(content, _FORMATS[ending], **more)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        content = io.BytesIO()
        base.save(content, "PNG")
    return content.getvalue()


def _huge_png(random: random.Random, path: Path) -> None:
    """A header that says thousands of pixels a side, with or without the pixels."""
    side = random.choice([256, 3000, 13_000, 20_000, 2**31 - 1])

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = struct.pack(">IIBBBBB", side, side, random.choice([1, 8, 16]), random.choice([0, 2, 6]), 0, 0, 0)
    pixels = zlib.compress(bytes(random.choice([0, 1 << 16, 1 << 24])), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def _postscript(random: random.Random, path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n%%EndComments\n{ } loop\n")


def _another_size(random: random.Random, path: Path) -> None:
    ending = path.suffix if path.suffix in _FORMATS else ".png"
    path.write_bytes(_picture(random, ending, "L", (random.randint(1, 300), random.randint(1, 300))))


def _litter(random: random.Random, path: Path) -> None:
    """What file managers and archives leave behind, and folders without a picture."""
    names = [
        "._0.png",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "__MACOSX/a/._0.png",
        "empty/",
        "a/b/c/d/",
        "notes.txt",
    ]
    name = random.choice(names)
    target = path.parents[random.choice([0, 1])] / name
    (target if name.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
    if not name.endswith("/") and not target.exists():
        target.write_bytes(random.randbytes(30))


def _link_around(random: random.Random, path: Path) -> None:
    """Folders that lead into each other."""
    (path.parent / "around").unlink(missing_ok=True)
    (path.parent / "around").symlink_to(random.choice([".", "..", "../.."]))


_IMAGE_DAMAGES: list[_Damage] = [
    *ANY_DAMAGES,
    _huge_png,
    _huge_png,
    _postscript,
    _another_size,
    _litter,
    _litter,
    _link_around,
    _sparse,
]
