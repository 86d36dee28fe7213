"""Where the templates, board manifests and firmware sources are: in the checkout, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_BUNDLED = _PACKAGE / "_resources"
ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parents[1]

TEMPLATES = ROOT / "templates"
BOARDS = ROOT / "boards"
FIRMWARE = ROOT / "firmware"
KERNEL = FIRMWARE / "lib" / "bs4nn" / "src"
