"""The boards that `generate` knows, read from PlatformIO's board manifests in boards/.

Emulated boards have complete manifests that travel with every generated project. Real boards have
the facts that this tool needs; PlatformIO builds them with its own manifest of the same name. Every other board
with an Arduino core works by its name, too, once its PlatformIO platform is installed: its facts come from there.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4nn_tc.base import plain_json, resources, tools
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import read_file
from bs4nn_tc.base.text import printable

# What an Arduino core, kernel and stack may take on a board of which nothing better is known. `build` looks again.
_RESERVED_FLASH_BYTES, _RESERVED_RAM_BYTES = 24 * 1024, 4 * 1024

# How a board's firmware starts and talks, one file each in firmware/lib/board/src.
SEMIHOSTING, ARDUINO = "semihosting", "arduino"

# What boards and platforms may be called: they become values and sections of platformio.ini, and strings in C.
_NAME = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Emulator:
    """How a board is emulated: a program, and its arguments without the firmware."""

    program: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes:
        id: what `--board` takes, PlatformIO's name of the board.
        name: for people.
        core: e.g. "cortex-m4".
        f_cpu: clock in Hz.
        flash_bytes: flash of the board.
        ram_bytes: RAM of the board.
        reserved_flash_bytes: flash that kernel, application and start-up (or framework) may take.
        reserved_ram_bytes: RAM that they and the stack may take.
        port: how its firmware starts and talks: "semihosting" or "arduino".
        emulator: how it is emulated; None for a real board.
        platform: PlatformIO's platform of the port, "" for the one that lies in the project.
        framework: PlatformIO's framework of the port, "" for none.
        manifest: the file that says all this.
    """

    id: str
    name: str
    core: str
    f_cpu: int
    flash_bytes: int
    ram_bytes: int
    reserved_flash_bytes: int
    reserved_ram_bytes: int
    port: str
    emulator: Emulator | None
    platform: str
    framework: str
    manifest: Path

    @property
    def kind(self) -> str:
        """ "emulated" or "real"."""
        return "real" if self.emulator is None else "emulated"


class _Manifest:
    """A board's manifest, of which every field is looked at before it is believed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = plain_json.parse(read_file(path, plain_json.MAX_BYTES), f"the board manifest {path}")

    def field(self, name: str) -> Any:
        value = self._content
        for key in name.split("."):
            if not isinstance(value, dict) or key not in value:
                raise UserError(f"the board manifest {self.path} has no field {name}")
            value = value[key]
        return value

    def text(self, name: str) -> str:
        value = self.field(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return printable(value)

    def count(self, name: str) -> int:
        value = self.field(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(name, "a number of bytes")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.field(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(name, "a list of texts")
        return tuple(value)

    def clock(self) -> int:
        value = self.text("build.f_cpu")
        if not value.rstrip("UL").isdecimal():
            raise self.wrong("build.f_cpu", "a clock in Hz such as '16000000L'")
        return int(value.rstrip("UL"))

    def wrong(self, name: str, wanted: str) -> UserError:
        return UserError(f"the board manifest {self.path}: {name} is {self.field(name)!r}, not {wanted}")


def read_board(path: Path, platform: str = "") -> Board:
    """Read one manifest.

    Args:
        path: the manifest, ID.json.
        platform: the PlatformIO platform it belongs to; "" for a manifest of our own, which says so itself.

    Raises:
        UserError: it is no JSON, a field is missing or of the wrong kind (names file and field), or PlatformIO has no
            Arduino core for the board.
    """
    manifest = _Manifest(path)
    return _installed_board(manifest, platform) if platform else _own_board(manifest)


def _own_board(manifest: _Manifest) -> Board:
    """A board from a manifest of ours, which says what the firmware of the board needs."""
    port = manifest.text("bs4nn.port")
    if port not in (SEMIHOSTING, ARDUINO):
        raise manifest.wrong("bs4nn.port", f"{SEMIHOSTING} or {ARDUINO}")
    emulator = None
    if port == SEMIHOSTING:
        emulator = Emulator(manifest.text("bs4nn.emulator.program"), manifest.texts("bs4nn.emulator.arguments"))
    return Board(
        id=manifest.path.stem,
        name=manifest.text("name"),
        core=manifest.text("build.cpu"),
        f_cpu=manifest.clock(),
        flash_bytes=manifest.count("upload.maximum_size"),
        ram_bytes=manifest.count("upload.maximum_ram_size"),
        reserved_flash_bytes=manifest.count("bs4nn.reserved.flash_bytes"),
        reserved_ram_bytes=manifest.count("bs4nn.reserved.ram_bytes"),
        port=port,
        emulator=emulator,
        platform=manifest.text("bs4nn.platform") if port == ARDUINO else "",
        framework=manifest.text("bs4nn.framework") if port == ARDUINO else "",
        manifest=manifest.path,
    )


def _installed_board(manifest: _Manifest, platform: str) -> Board:
    """A board from a manifest of PlatformIO's: its firmware needs an Arduino core."""
    path, frameworks = manifest.path, manifest.field("frameworks")
    if not isinstance(frameworks, list) or "arduino" not in frameworks:
        known = ", ".join(map(str, frameworks)) if isinstance(frameworks, list) and frameworks else "none"
        raise UserError(
            f"PlatformIO has no Arduino core for the board '{path.stem}' (it has: {known}), and this tool's "
            "firmware needs one for its console; take the library instead: bs4nn-tc package"
        )
    f_cpu, core = manifest.clock(), manifest.text("build.cpu" if "cpu" in manifest.field("build") else "build.mcu")
    flash, ram = manifest.count("upload.maximum_size"), manifest.count("upload.maximum_ram_size")
    return Board(
        id=path.stem,
        name=manifest.text("name"),
        core=core,
        f_cpu=f_cpu,
        flash_bytes=flash,
        ram_bytes=ram,
        reserved_flash_bytes=min(_RESERVED_FLASH_BYTES, flash // 2),
        reserved_ram_bytes=min(_RESERVED_RAM_BYTES, ram // 2),
        port=ARDUINO,
        emulator=None,
        platform=platform,
        framework="arduino",
        manifest=path,
    )


def _manifests() -> dict[str, Path]:
    return {path.stem: path for kind in ("emulated", "real") for path in (resources.BOARDS / kind).glob("*.json")}


def list_boards() -> list[Board]:
    """All boards, emulated ones first, smallest core first."""
    boards = [read_board(path) for path in _manifests().values()]
    return sorted(boards, key=lambda board: (board.kind, len(board.core), board.core, board.id))


def installed_boards() -> dict[str, tuple[Path, str]]:
    """Manifests of the PlatformIO platforms that are installed: id -> (manifest, platform)."""
    found: dict[str, tuple[Path, str]] = {}
    for folder in _platform_folders():
        for description in sorted(folder.glob("*/platform.json")):
            try:
                content = read_file(description, plain_json.MAX_BYTES)
                name = str(plain_json.parse(content, str(description))["name"])
            except (UserError, KeyError, TypeError):
                continue  # not ours to judge
            for manifest in sorted(description.parent.glob("boards/*.json")):
                if _NAME.fullmatch(name) and _NAME.fullmatch(manifest.stem):
                    found.setdefault(manifest.stem, (manifest, name))
    return found


def _platform_folders() -> Iterator[Path]:
    """Where PlatformIO keeps platforms, in its own order."""
    if named := os.environ.get("PLATFORMIO_PLATFORMS_DIR"):
        yield Path(named)
    yield tools.platformio_folder() / "platforms"


def load_board(board_id: str) -> Board:
    """The board of that name, of this tool or of an installed PlatformIO platform.

    Raises:
        UserError: there is none (with near names), or its manifest is broken.
    """
    manifests = _manifests()
    if board_id in manifests:
        return read_board(manifests[board_id])
    installed = installed_boards()
    if board_id in installed:
        return read_board(*installed[board_id])
    near = difflib.get_close_matches(board_id, [*manifests, *installed], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(
        f"unknown board '{board_id}'; {hint}bs4nn-tc boards lists all; others work by PlatformIO's name once their "
        "platform is installed: pio pkg install -g -p PLATFORM"
    )


def find_board(board_id: str) -> Board | None:
    """The board of that name, or None if nothing usable is known of it."""
    try:
        return load_board(board_id)
    except UserError:
        return None
