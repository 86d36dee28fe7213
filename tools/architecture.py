"""Draw docs/architecture.svg from the code: python tools/architecture.py [--check]

Rooms of the package with their modules, who imports whom, and the two ways through them. With --check nothing is
written; exit status 1 if the drawing is not that of the code.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "toolchain" / "bs4nn_tc"
DRAWING = ROOT / "docs" / "architecture.svg"
# From the top down, as tests/python/test_imports.py holds them: a room imports from the rows below its own.
ROWS = (("cli",), ("pages",), ("study",), ("targets", "training"), ("device", "host"), ("data",), ("model",), ("base",))
WAYS = {
    "An image to its answer": (
        ("data/datasets.py", "the image"),
        ("model/input.py", "its firing times (equation 1)"),
        ("model/reference.py", "every spike, and the answer (rule 3)"),
        ("targets/application.py", "the same asked of a board, in frames"),
        ("targets/verify.py", "equal, bit for bit?"),
    ),
    "Proxy weights to C arrays": (
        ("training/loop.py", "proxy weights learn; their signs"),
        ("model/network.py", "signs and thresholds"),
        ("model/network_file.py", "the file that users get"),
        ("device/codegen/pack.py", "words of 32 neurons"),
        ("device/codegen/render.py", "C arrays"),
    ),
}
WIDTH, MARGIN, ROW, GAP, WAY_ROW = 980, 16, 62, 26, 62


def modules(room: str) -> list[str]:
    """Names of a room's modules and folders."""
    folder = PACKAGE / room
    found = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    found += [f"{path.parent.name}/" for path in folder.glob("*/__init__.py")]
    return sorted(found)


def imports() -> Counter[tuple[str, str]]:
    """(room, room it imports from) -> how many of its modules do."""
    found: Counter[tuple[str, str]] = Counter()
    for room in (room for row in ROWS for room in row):
        for path in (PACKAGE / room).rglob("*.py"):
            names = {
                node.module.split(".")[1]
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bs4nn_tc.")
            }
            found.update((room, name) for name in names - {room})
    return found


def text(x: float, y: float, words: str, style: str = "") -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A rounded box."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'


def wrapped(words: list[str], most: int) -> list[str]:
    """Words in lines of at most so many characters."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] += f"{word}  "
    return lines


def draw() -> str:
    """The drawing as SVG."""
    needs = imports()
    parts: list[str] = []
    y = MARGIN
    for row in ROWS:
        width = (WIDTH - 2 * MARGIN - GAP * (len(row) - 1)) / len(row)
        for index, room in enumerate(row):
            x = MARGIN + index * (width + GAP)
            parts.append(box(x, y, width, ROW, "room"))
            parts.append(text(x + 12, y + 24, room, ' class="name"'))
            for line, words in enumerate(wrapped(modules(room), int((width - 120) / 6.4))[:2]):
                parts.append(text(x + 108, y + 22 + 16 * line, words))
            below = [name for other in ROWS for name in other if needs[room, name]]
            says = (
                "imports " + ", ".join(f"{name} ({needs[room, name]})" for name in below)
                if below
                else "imports nothing of ours"
            )
            parts.append(text(x + 108, y + 54, says, ' class="small"'))
        y += ROW + 10
    y += 16
    for title, stations in WAYS.items():
        parts.append(text(MARGIN, y + 6, title, ' class="name"'))
        width = (WIDTH - 2 * MARGIN - 24 * (len(stations) - 1)) / len(stations)
        for index, (path, what) in enumerate(stations):
            if not (PACKAGE / path).is_file():
                raise SystemExit(
                    f"error: {path}, a station of '{title}', is not there; mend WAYS in {Path(__file__).name}"
                )
            x = MARGIN + index * (width + 24)
            parts.append(box(x, y + 16, width, WAY_ROW, "way"))
            parts.append(text(x + 8, y + 34, path, ' class="path"'))
            for line, words in enumerate(wrapped(what.split(" "), int((width - 10) / 6.2))):
                parts.append(text(x + 8, y + 51 + 15 * line, words.replace("  ", " ")))
            if index:
                middle = y + 16 + WAY_ROW / 2
                parts.append(f'<path class="arrow" d="M{x - 22:g} {middle:g}h16m-6 -5l6 5l-6 5"/>')
        y += WAY_ROW + 46
    style = (
        "text{font:12px sans-serif;fill:#1b1f24}.name{font-weight:bold;font-size:15px}"
        ".small{font-size:11px;fill:#57606a}"
        ".path{font:11px monospace}.room{fill:#eef4ff;stroke:#6b8fd6}.way{fill:#f3f8ee;stroke:#7aa75a}"
        ".arrow{fill:none;stroke:#57606a;stroke-width:1.5}.paper{fill:#fff}"
    )
    size = f'viewBox="0 0 {WIDTH} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Rooms of the package">'
    return "\n".join(
        [head, f"<style>{style}</style>", f'<rect class="paper" width="{WIDTH}" height="{y}"/>', *parts, "</svg>", ""]
    )


def main() -> None:
    """Write or check the drawing."""
    drawn = draw()
    if "--check" in sys.argv[1:]:
        sys.exit(drawn != DRAWING.read_text(encoding="utf-8"))
    DRAWING.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
