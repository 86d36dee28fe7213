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


def kernel_files(small: bool = False) -> list[Path]:
    """Sources and headers of the kernel, or of the small one (firmware/small), sorted by name."""
    files = list(KERNEL.iterdir())
    if small:
        shared = [path for path in files if path.name not in ("bs4nn.c", "bs4nn_cortex_m.S", "bs4nn_cortex_m.h")]
        files = [*shared, *(FIRMWARE / "small").iterdir()]
    return sorted(files, key=lambda path: path.name)
