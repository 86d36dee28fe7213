"""The tools that hold code to its limits and count it."""

from __future__ import annotations

from pathlib import Path

import limits
import lines


def test_lines_of_code(tmp_path: Path) -> None:
    python = (
        '"""A module."""\n\nimport os  # why\n\n\ndef f():\n    """Docs\n\n    more."""\n    # why\n'
        '    return (\n        1,\n\n        """a\n\n        b""",\n    )\n'
    )
    for name, text, expected in (
        ("a.py", python, 8),  # the text that is no docstring has three
        ("a.c", "/* a\n   b */\n\nint x; /* c */ // d\n  // e\nint y;\n", 2),
        ("a.S", "@ a\n    adds r0, r1 @ b\n/* c */\n\n    bx lr // d\n", 2),
        ("a.j2", "one\n\n  two\n", 2),
    ):
        (tmp_path / name).write_text(text)
        assert lines.code_lines(tmp_path / name) == expected, name


def test_rooms() -> None:
    rooms = {path: lines.room(path) for path in (
        "toolchain/bs4nn_tc/__main__.py", "toolchain/bs4nn_tc/pages/live/server.py",
        "firmware/lib/bs4nn/src/bs4nn_run.c", "firmware/src/main.c", "templates/live.html.j2")}  # fmt: skip
    assert list(rooms.values()) == ["(root)", "pages", "firmware/lib/bs4nn", "firmware", "templates"]


def test_what_is_above_a_limit_is_named(tmp_path: Path) -> None:
    body = "".join(f"    int x{number} = a ? {number} : b;\n" for number in range(15))
    made = {
        "many.c": "int many(int a, int b, int c, int d, int e, int f, int g, int h) { return a; }\n",
        "branches.c": f"int branches(int a, int b) {{\n{body}    return a;\n}}\n",
        "long.py": "def long():\n" + '    """Docs."""\n\n' + "    a = 1\n" * 60,
        "fine.c": "int fine(int a, int b, int c, int d, int e, int f, int g) { return a; }\n",
        "fine.py": "def fine(a, b, c, d, e, f, g, h):\n" + '    """Docs."""\n\n' + "    a = 1\n\n" * 59,
    }
    found = []
    for name, text in made.items():
        (tmp_path / name).write_text(text)
        found += limits.above(tmp_path / name, name)
    assert found == [
        "many.c:1: many: parameters 8, at most 7",
        "branches.c:1: branches: complexity 16, at most 15",
        "long.py:1: long: lines 61, at most 60",
    ]
    (tmp_path / "module.py").write_text("a = 1\n" * 401)
    assert limits.above(tmp_path / "module.py", "toolchain/module.py") == [
        "toolchain/module.py: 401 lines, at most 400"
    ]
