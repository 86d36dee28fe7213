"""Small data sets of arrays, tables, sounds and recordings that nobody should trust, for the fuzzer.

As in `hostile_data`, most begin as good ones and are then damaged, in what they hold or as files.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_data
import numpy as np

_ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1_0",
    "0x10",
    '"',
    "a",
    "\x1b[31m",
    "1,5",
    "٣",
    "9" * 400,
    "\ud8ff",
    "?",
)
_CODINGS = ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (1, 12), (17, 4), (0xFFFE, 16))
_ODD_NAMES = ("label", "class", "pixel1", "", "time", "group", "\x1b]0;t\x07", "x" * 300, "1", "nan")


def arrays(source: random.Random, folder: Path) -> Path:
    """An .npz file, or .npy files."""
    rng = np.random.default_rng(source.randrange(2**32))
    count = source.choice((0, 1, 5, 20, 60))
    shape = (count, *source.choice(((3,), (4, 2), (9, 9), (3, 4, 5), (9, 9, 3), (), (0,), (5, 1))))
    kind = source.choice((np.uint8, np.int8, np.int64, np.float16, np.float64, np.bool_, np.complex64, object, "U5"))
    x: Any = rng.integers(-300, 300, shape).astype(kind)
    if x.dtype.kind == "f" and x.size:
        x.reshape(-1)[rng.integers(0, x.size, 2)] = source.choice((np.nan, np.inf, 1e300, 0.5, 1e-300))
    y: Any = rng.integers(0, source.choice((1, 2, 5, 1000)), count)
    y = source.choice((y, y, y + 1, y.astype(str), y.astype(float), y[:, None], np.eye(5)[y % 5], y[:-1], y * 1j))
    content = {"x": x, "y": y, "groups": y.ravel()[::-1], "class_names": np.array(["a", "b", "c"])}
    if source.random() < 0.5:
        content = {"train_x": x, "train_y": y, "test_x": x[: count // 2], "test_y": y[: count // 2]}
    for name in source.sample(list(content), source.choice((0, 0, 1))):
        del content[name]
    if source.random() < 0.7:
        np.savez(folder / "a.npz", **content)
        hostile_data.damage(source, folder, hostile_data.ANY_DAMAGES)
        return folder / "a.npz"
    for name, array in content.items():
        np.save(folder / f"{name}.npy", array)
    hostile_data.damage(source, folder, hostile_data.ANY_DAMAGES)
    return folder


def _rows(source: random.Random, texts: bool) -> bytes:
    """A table with odd cells here and there."""
    separator, width = source.choice(",;\t| "), source.choice((1, 2, 3, 5, 30))
    lines = []
    if source.random() < 0.5:
        names = [source.choice(_ODD_NAMES) if source.random() < 0.3 else f"n{place}" for place in range(width)]
        lines.append(separator.join(names))
    for row in range(source.choice((0, 1, 3, 30))):
        cells = [f"{source.uniform(-9, 9):.{source.choice((0, 2, 15))}g}" for _ in range(width - texts)]
        lines.append(separator.join(cells + [f"k{row % 3}"] * texts))
    if lines:
        for _ in range(source.choice((0, 0, 1, 3))):
            place = source.randrange(len(lines))
            cells = lines[place].split(separator)
            cells[source.randrange(len(cells))] = source.choice(_ODD_CELLS)
            lines[place] = separator.join(cells)
    encoding = source.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    return source.choice(("\n", "\r\n", "\r")).join(lines).encode(encoding, "replace")


def table(source: random.Random, folder: Path) -> Path:
    """A table, or one to learn from and one to test with."""
    names = source.choice((("t.csv",), ("t.tsv",), ("train.csv", "test.csv")))
    for name in names:
        (folder / name).write_bytes(_rows(source, texts=True))
    hostile_data.damage(source, folder, hostile_data.ANY_DAMAGES)
    return folder if len(names) > 1 else folder / names[0]


def recordings(source: random.Random, folder: Path) -> None:
    """Folders of tables, one row a step."""
    for label in ("a", "b"):
        (folder / label).mkdir()
        content = _rows(source, texts=False)
        for number in range(source.choice((1, 3, 4))):
            content = _rows(source, texts=False) if source.random() < 0.1 else content
            (folder / label / f"{number}.csv").write_bytes(content)
    hostile_data.damage(source, folder, hostile_data.ANY_DAMAGES)


def sounds(source: random.Random, folder: Path) -> None:
    """Folders of WAV files with impossible headers here and there."""
    for label in ("a", "b"):
        (folder / label).mkdir()
        for number in range(source.choice((1, 3, 4))):
            coding, bits = source.choice(
                ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (1, 12), (17, 4), (0xFFFE, 16))
            )
            rate = source.choice((8000, 8000, 8001, 44_100, 0, 2**32 - 1, 100))
            channels = source.choice((1, 1, 2, 0, 64, 65_535))
            form = struct.pack("<HHIIHH", coding, channels, rate, 0, 0, bits)
            data = source.randbytes(source.choice((0, 1, 100, 5000)))
            sizes = [len(form), len(data)]
            if source.random() < 0.1:
                sizes[source.randrange(2)] = source.choice((0, 1, 2**31, 2**32 - 1))
            chunks = b"fmt " + struct.pack("<I", sizes[0]) + form + b"data" + struct.pack("<I", sizes[1]) + data
            (folder / label / f"{number}_x_1.wav").write_bytes(b"RIFF" + struct.pack("<I", 9) + b"WAVE" + chunks)
    hostile_data.damage(source, folder, hostile_data.ANY_DAMAGES)


KINDS: tuple[Callable[[random.Random, Path], Path | None], ...] = (arrays, table, recordings, sounds)


def reading(source: random.Random) -> dict[str, Any]:
    """What a network file may say of how its data set was read."""
    values = {
        "label": ("1", "k0", "label", "99", ""),
        "labels": ("/dev/zero", "/nowhere", "y.npy"),
        "size": ([2, 2], [1, 70_000], [9, 9]),
        "crop": (True,),
        "invert": ("yes", "no"),
        "window": (1, 0.01, 3, 1e9, 1e-9, 2.5),
        "hop": (1, 1e9, 0.5),
        "group": ("(a)", "(", "(.*)*x", "n1", "1", "[a-z](.)"),
        "missing": ("median", "drop"),
        "kind": ("arrays", "table", "sounds", "recordings"),
        "type": ("uint8", "int16"),
        "shape": ([3], [4, 2], [65_535]),
        "scale": ([1e300], [1e-300, 1.0], [1.0, 2.0, 3.0]),
        "fill": ([0.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
        "columns": (["n0", "n1"], []),
        "rate": (1, 16_000, 2**30),
        "classes": (["a", "b"], ["k0", "k1", "k2"], ["k0"]),
    }
    return {name: source.choice(values[name]) for name in source.sample(list(values), source.randrange(1, 6))}
