"""Hold functions and modules to the limits of CONTRIBUTING.md: python tools/limits.py

At most 60 lines of code (no blank lines, comments, docstrings), a cyclomatic complexity of 15 and, in C, 7 parameters a
function, and 400 lines a module of the package; ruff counts the parameters in Python. `#lizard forgives`, in a function
that may be larger, goes with a reason beside it. Exit status 1 if something is above.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lizard

ROOT = Path(__file__).resolve().parents[1]
LINES, COMPLEXITY, PARAMETERS, MODULE_LINES = 60, 15, 7, 400
# The platform's builder is not ours to shape: PlatformIO calls it.
SOURCES = ("firmware", "toolchain", "tools")


def above(path: Path, shown: str) -> list[str]:
    """What in a file is above the limits, a line each."""
    found = []
    for function in lizard.analyze_file(str(path)).function_list:
        measured = [("lines", function.nloc, LINES), ("complexity", function.cyclomatic_complexity, COMPLEXITY)]
        if path.suffix != ".py":
            measured.append(("parameters", function.parameter_count, PARAMETERS))
        found += [
            f"{shown}:{function.start_line}: {function.name}: {what} {value}, at most {most}"
            for what, value, most in measured
            if value > most
        ]
    if path.suffix == ".py" and shown.startswith("toolchain/"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        found += [f"{shown}: {lines} lines, at most {MODULE_LINES}"] * (lines > MODULE_LINES)
    return found


def main() -> None:
    """Print what is above the limits."""
    paths = sorted(
        path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".c", ".h")
    )
    found = [line for path in paths for line in above(path, path.relative_to(ROOT).as_posix())]
    print("\n".join(found) or f"{len(paths)} files are within the limits")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
