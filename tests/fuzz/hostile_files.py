"""Files that nobody should trust, for the fuzzer: network files, archives of weights and runs, .npy files, JSON.

Each begins as a good file and is changed in none to three places, at any of its levels: the archive, its members, their
headers, the arrays, the JSON text, its values. Where it can be, the digest is right again afterwards, so that what lies
behind that check is reached, too.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_ODD_VALUES = (
    *("true", "false", "null", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0.0", "1.5", "1.0", "-1"),
    *("0", "1", "2", "3", "255", "256", "65535", "65536", "2147483648", "18446744073709551616", "1" + "0" * 300),
    *(
        "9" * 5000,
        '""',
        '"x"',
        '"\\ud800"',
        '"\\u0000"',
        '"\\u001b[31m\\u202e"',
        '"[/x][link=a]b"',
        '"a\\nb"',
        "[]",
        "{}",
    ),
    *(
        "[[]]",
        '{"":{}}',
        "[1,2",
        "{",
        '"',
        "",
        "01",
        "+1",
        "'x'",
        "1" * 40,
        '"digits"',
        '"mnist"',
        '"/dev/zero"',
        '".."',
    ),
    *('"/proc"', "[" * 40 + "]" * 40, "[" * 2000 + "]" * 2000, '{"a":' * 500 + "1" + "}" * 500),
)
_ODD_KINDS = (
    "|b1",
    "|i1",
    "<u2",
    ">u2",
    "<i4",
    "<f4",
    "<f8",
    "<f2",
    "<c8",
    "<U1",
    "|S0",
    "|V0",
    "|V9",
    "|O",
    "<M8[ns]",
)
# Large ones are rare: they take most of the time.
_COUNTS = (*(3, 10, 50, 200) * 8, 5000, 90_000)
_ODD_LENGTHS = (0, 1, 2, 7, 8, 9, 255, 65_535, 65_536, 2**31, 2**32, 2**62, 10**30, -1)


def odd_json(source: random.Random, depth: int = 0) -> str:
    """A JSON text, or nearly one."""
    kind = source.randrange(8)
    if kind == 0:
        return json.dumps("x" * source.choice(_COUNTS))
    if kind == 1:
        return f"[{','.join('[]' for _ in range(source.choice(_COUNTS)))}]"
    if kind == 2:
        return "{" + ",".join(f'"{number}":{number}' for number in range(source.choice(_COUNTS))) + "}"
    if kind == 3 and depth < 3:
        names = source.choices(("dataset", "theta", "alphas", "validation", "class_names", "", "a\\u001bb"), k=3)
        return "{" + ",".join(f'"{name}":{odd_json(source, depth + 1)}' for name in names) + "}"
    if kind == 4 and depth < 3:
        return f"[{','.join(odd_json(source, depth + 1) for _ in range(source.randrange(4)))}]"
    return source.choice(_ODD_VALUES)


def changed_json(source: random.Random, text: str) -> bytes:
    """A JSON object with some of its entries, or of those inside, changed; or the text damaged."""
    value = json.loads(text)
    for _ in range(source.randrange(1, 3)):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = source.choice(keys) if keys else None
            if key is None or not isinstance(place[key], dict | list) or not place[key] or source.random() < 0.5:
                break
            place = place[key]
        if isinstance(place, dict) and (key is None or source.random() < 0.2):
            key = source.choice(("more", "dataset", "../x", "", "\ud800", "x" * 3000))
        if key is not None:
            if source.random() < 0.1 and key in (place if isinstance(place, dict) else range(len(place))):
                del place[key]
            else:
                place[key] = f"REPLACE {odd_json(source)} REPLACE"
    changed = json.dumps(value)
    while '"REPLACE ' in changed:
        start, end = changed.index('"REPLACE '), changed.index(' REPLACE"')
        changed = changed[:start] + json.loads(changed[start : end + 9])[8:-8] + changed[end + 9 :]
    return damaged(source, changed.encode()) if source.random() < 0.1 else changed.encode()


def damaged(source: random.Random, content: bytes) -> bytes:
    """A few bytes changed, cut out, put in, or the end lost."""
    kind = source.randrange(6)
    if not content or kind == 0:
        return source.choice((b"", b"\0" * 100, b"\xef\xbb\xbf" + content, content.decode("latin-1").encode("utf-16")))
    first = source.randrange(len(content))
    end = first + source.choice((1, 1, 1, 2, 4, 50))
    middle = [source.randbytes(end - first), b"", content[first:end] * 2, b"\xff" * (end - first)]
    if kind == 1:
        return content[:first]
    return content[:first] + source.choice(middle) + content[end:]


# ---- .npy ----


def npy(source: random.Random, array: np.ndarray, odd: bool) -> bytes:
    """An array as a .npy file; `odd`: with something wrong, or unusual, in its header."""
    shape, kind, columns = repr(array.shape), array.dtype.str, False
    content, version = array.tobytes(), 1
    pad, repeat = 16, 1
    if odd:
        what = source.randrange(10)
        if what == 0:
            kind = source.choice(_ODD_KINDS)
        elif what == 1:
            shape = repr(tuple(source.choice(_ODD_LENGTHS) for _ in range(source.randrange(4))))
        elif what == 2:
            shape = source.choice(
                ("(True,)", "5", "(1.0,)", "('a',)", "(1,)*9", "(" * 90, "(2L, 3L)", "(" + "1," * 470 + ")")
            )
        elif what == 3:
            columns = True
        elif what == 4:
            version = source.choice((0, 2, 3, 4, 255))
        elif what == 5:
            pad = source.choice((900, 3000, 60_000))
        elif what == 6:
            content, repeat = b"\0", source.choice((*(0, 100, 5000) * 4, 1_000_000, 40_000_000))
        elif what == 7:
            content = content[: source.randrange(len(content) + 1)]
        elif what == 8:
            kind = "[" + ",".join(f"('a{number}', '<f4')" for number in range(source.choice((2, 30)))) + "]"
    quoted = kind if kind.startswith("[") else f"'{kind}'"
    header = f"{{'descr': {quoted}, 'fortran_order': {columns}, 'shape': {shape}, }}{' ' * pad}\n".encode()
    if odd and source.random() < 0.2:
        header = damaged(source, header)[:60_000]
    size = source.choice((0, 2**16 - 1, 2**32 - 1)) if odd and source.random() < 0.1 else len(header)
    length = struct.pack("<H", min(size, 2**16 - 1)) if version < 2 else struct.pack("<I", size)
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content * repeat


# ---- archives ----


def archive(source: random.Random, arrays: dict[str, np.ndarray], text: dict[str, bytes]) -> bytes:
    """An .npz archive of arrays and of texts (uint8), changed in none to two places."""
    whole = {**{name: np.frombuffer(content, np.uint8) for name, content in text.items()}, **arrays}
    changes = source.choice((0, 1, 1, 2))
    odd = {source.choice(list(whole)) for _ in range(changes) if source.random() < 0.5}
    members = [(f"{name}.npy", npy(source, array, name in odd)) for name, array in whole.items()]
    method, finish = source.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), None
    for _ in range(changes - len(odd)):
        index = source.randrange(len(members))
        name, content = members[index]
        what = source.randrange(9)
        if what == 0:
            members.pop(index)
        elif what == 1:
            members.append((name, content))
        elif what == 2:
            members[index] = (source.choice(("", "x", "x" * 9000, "../a.npy", "\u202e\n.npy", "signs_0.npy")), content)
        elif what == 3:
            members += [
                (f"{number}.npy", content[:200]) for number in range(source.choice((*(1, 3, 20) * 8, 800, 5000)))
            ]
        elif what == 4:
            method = source.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        elif what == 5:
            members[index] = (name, damaged(source, content))
        elif what == 6:
            option = io.BytesIO()
            np.lib.format.write_array(option, np.asanyarray(False))
            members.append(("allow_pickle.npy", option.getvalue()))
        else:
            finish = damaged
        if not members:
            break
    packed = _zip(members, method)
    return finish(source, packed) if finish is not None else packed


def _zip(members: list[tuple[str, bytes]], method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, member in members:
            entry = zipfile.ZipInfo(name)
            # What is long packs well here, and would take the disk's room; and the slow methods are for a few members.
            slow = method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA) and len(members) > 100
            entry.compress_type = zipfile.ZIP_DEFLATED if len(member) > 1_000_000 or slow else method
            with warnings.catch_warnings(action="ignore"), made.open(entry, "w") as stream:  # of names that come twice
                stream.write(member)
    return content.getvalue()


# ---- networks ----


@dataclass
class Parts:
    """What a network file is made of, before anything of it is checked."""

    numbers: dict[str, object]
    signs: list[np.ndarray]
    thresholds: list[np.ndarray]
    orders: list[np.ndarray] = field(default_factory=list)
    description: str = "{}"

    def digest(self) -> str:
        """By SPEC.md, of whatever is there."""
        digest = hashlib.sha256(json.dumps(self.numbers, sort_keys=True, separators=(",", ":")).encode())
        for signs, thresholds in zip(self.signs, self.thresholds, strict=True):
            digest.update(signs.tobytes() + np.broadcast_to(thresholds, len(signs)).astype("<u2").tobytes())
        for order in self.orders:
            digest.update(order.tobytes())
        return digest.hexdigest()


def parts(source: random.Random) -> Parts:
    """A good network: mostly small, at times as wide, deep or large as is allowed, and at times beyond."""
    rng = np.random.default_rng(source.randrange(2**32))
    sizes = [source.randrange(1, 40) for _ in range(source.randrange(2, 5))]
    wide = source.random() < 0.004
    if wide:
        sizes = source.choice(
            (
                [8192, 4096],
                [65_535, 512],
                [512, 65_535],
                [4096, 4096, 4095],
                [1, 65_535] * 8,
                [65_535] * 2,
                [8193, 4096],
            )
        )
    elif source.random() < 0.02:
        sizes = [source.randrange(1, 4) for _ in range(source.choice((17, 255, 256, 257)))]
    signs = []
    for inputs, neurons in itertools.pairwise(sizes):
        if wide:
            # Of zeros, which pack into little; what is too large only says so.
            signs.append(np.zeros((neurons, (inputs + 7) // 8) if inputs * neurons <= 2**25 else (1, 1), np.uint8))
        else:
            signs.append(np.packbits(rng.integers(0, 2, (neurons, inputs), np.uint8), axis=1, bitorder="little"))
    thresholds = [
        rng.integers(1, source.choice((2, 20, 65_536)), source.choice((1, neurons))).astype("<u2")
        for neurons in sizes[1:]
    ]
    orders = [rng.permutation(neurons).astype("<u2") for neurons in sizes[1:-1]] if source.random() < 0.3 else []
    steps = source.choice((1, 2, 16, 256, 65_535))
    numbers = {
        "delay": source.randrange(2),
        "intensity_max": source.choice((1, 16, 255)),
        "readout_step": source.randrange(steps),
        "sizes": sizes,
        "time_steps": steps,
    }
    return Parts(numbers, signs, thresholds, orders, json.dumps({"dataset": "digits", "validation": {}, "seed": 1}))


def _odd_array(source: random.Random, network: Parts) -> None:
    arrays = source.choice([network.signs, network.thresholds, *([network.orders] if network.orders else [])])
    index = source.randrange(len(arrays))
    old = arrays[index]
    changes: list[Callable[[], np.ndarray]] = [
        lambda: old.astype(source.choice(("<u1", "<u2", ">u2", "<i8", "<f4", "<f8", "?"))),
        lambda: np.full_like(old, source.choice((0, 1, 255))),
        lambda: old[: source.randrange(len(old)) + 1],
        lambda: np.concatenate([old, old]),
        lambda: old[None],
        old.ravel,
        lambda: np.asfortranarray(old),
        lambda: np.bitwise_xor(old, np.array(1 << source.randrange(8), old.dtype)) if old.dtype.kind == "u" else old,
    ]
    arrays[index] = source.choice(changes)()


# Words that a header of version 2 knows, so that what is odd gets past the first look.
_WORDS = ("dense", "ramp", "bright", "dark", "digits", "conv", "", None, True, [], {}, 0, 13, 1.5, -1, 2**70)


def _version_2(source: random.Random, numbers: dict[str, object], odd: bool) -> dict[str, Any]:
    """The fields of a header of version 2; an odd one has another value somewhere."""
    sizes = numbers["sizes"]
    pairs = list(itertools.pairwise(sizes)) if isinstance(sizes, list) else [sizes]
    fields: dict[str, Any] = {
        "version": 2,
        "minor": source.choice((0, 0, 1)),
        **{key: numbers[key] for key in ("time_steps", "delay", "readout_step")},
        "input": {"kind": "ramp", "shape": [], "intensity_max": numbers["intensity_max"], "stages": []},
        "layers": [{"kind": "dense", "sizes": pair} for pair in pairs],
        "class_names": None,
        "data": {"name": "digits", "digest": None, "polarity": "bright", "all_images": False},
        "scaling": {"theta": 100.0, "alphas": [4.0] * len(pairs)},
    }
    if odd:
        place = source.choice([fields, fields["input"], fields["data"], fields["scaling"], *fields["layers"][:3]])
        key = source.choice(list(place))
        value, count = source.choice(_WORDS), source.choice((1, 2, 999))
        stages = [{"kind": "square-means", "side": value}] * count
        place[key] = source.choice([value, [value] * count, {"kind": value, "sizes": value}, stages])
    return fields


def network_file(source: random.Random) -> bytes:
    """One hostile network file."""
    network = parts(source)
    what = source.randrange(6)
    if what == 0:
        _odd_array(source, network)
    elif what == 1:
        network.description = odd_json(source)
    elif what == 2:
        text = "".join(f',"{name}":{odd_json(source)}' for name in ("dataset", "theta", "alphas", "validation"))
        network.description = '{"tool":"x"' + text + "}"
    elif what == 3:
        network.numbers[source.choice(list(network.numbers))] = source.choice(
            (True, -1, 0, 1.0, 2**70, [1], [True, 2], None)
        )
    try:
        digest = network.digest()
    except (ValueError, TypeError):  # shapes that broadcast to nothing
        digest = "0" * 64
    header = {"format": "bs4nn-network", "digest": digest, "description": "HERE"}
    if source.random() < 0.5:
        header |= {"version": 1, **network.numbers}
    else:
        header |= _version_2(source, network.numbers, odd=what == 5)
    if what == 4:
        content = changed_json(source, json.dumps({**header, "description": {}}))
    else:
        content = json.dumps(header).replace('"HERE"', network.description).encode()
    arrays = {f"signs_{number}": signs for number, signs in enumerate(network.signs, 1)}
    arrays |= {f"thresholds_{number}": thresholds for number, thresholds in enumerate(network.thresholds, 1)}
    arrays |= {f"order_{number}": order for number, order in enumerate(network.orders, 1)}
    return archive(source, arrays, {"header": content})


def numbers_file(source: random.Random) -> bytes:
    """One hostile .npy file of weights or thresholds."""
    rng = np.random.default_rng(source.randrange(2**32))
    shape = tuple(source.randrange(1, 12) for _ in range(source.choice((0, 1, 2, 2, 2, 2, 3))))
    values = source.choice(
        (rng.normal(size=shape), rng.integers(-3, 4, shape), rng.integers(1, 300, shape), np.ones(shape))
    )
    array = np.asarray(values).astype(source.choice(("<f4", "<f8", "<f2", "<i8", "|i1", ">f4", "|u1", "?")))
    if array.dtype.kind == "f" and source.random() < 0.2:
        array.reshape(-1)[:1] = source.choice((np.nan, np.inf, 0.0, 5e-324))
    content = npy(source, array, source.random() < 0.6)
    return damaged(source, content) if source.random() < 0.1 else content
