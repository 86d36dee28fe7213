"""Count lines of product code by room and language: python tools/lines.py [CHECKOUT]

Lines of code have no blank lines, comments and docstrings. Counted is what git knows of the package, the firmware and
the templates; tests, tools and benchmarks are no product.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "toolchain/bs4nn_tc"
LANGUAGES = {".py": "Python", ".c": "C", ".h": "C", ".S": "assembly", ".j2": "templates"}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_ASSEMBLY_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|@[^\n]*", re.DOTALL)


def room(path: str) -> str:
    """The part of the product in which a file lies."""
    parts = path.split("/")
    if path.startswith(PACKAGE):
        return parts[2] if len(parts) > 3 else "(root)"
    return "/".join(parts[:-1]).removesuffix("/src") or "(root)"


def python_lines(text: str) -> int:
    """Lines with a token of code, without those of docstrings."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_text:
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def code_lines(path: Path) -> int:
    """Lines of code in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return python_lines(text)
    if path.suffix != ".j2":
        comment = _ASSEMBLY_COMMENT if path.suffix == ".S" else _COMMENT
        text = comment.sub(lambda found: "\n" * found[0].count("\n"), text)
    return sum(bool(line.strip()) for line in text.splitlines())


def count(checkout: Path) -> dict[str, Counter[str]]:
    """Lines of code by room and language."""
    listed = ["git", "-C", str(checkout), "ls-files", PACKAGE, "firmware", "templates"]
    found: dict[str, Counter[str]] = {}
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines():
        language = LANGUAGES.get(Path(name).suffix)
        if language is not None:
            found.setdefault(room(name), Counter())[language] += code_lines(checkout / name)
    return found


def main() -> None:
    """Print the table."""
    found = count(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    languages = list(dict.fromkeys(LANGUAGES.values()))
    print(f"{'lines of code':24}" + "".join(f"{language:>11}" for language in languages))
    for name, counts in [*sorted(found.items()), ("all", sum(found.values(), Counter()))]:
        print(
            f"{name:24}"
            + "".join(f"{counts[language] or '':>11,}" if counts[language] else " " * 11 for language in languages)
        )


if __name__ == "__main__":
    main()
