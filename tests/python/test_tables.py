"""Tables in the documents are what was measured."""

from __future__ import annotations

import re
import subprocess
import sys

from conftest import ROOT

from bs4nn_tc.base import resources


def test_documents_show_what_was_measured() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "tables.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_drawing_is_that_of_the_code() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "architecture.py"), "--check"], check=False)
    assert done.returncode == 0, "docs/architecture.svg is not that of the code any more: make drawing"


def test_every_home_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    places = [ROOT, ROOT / "toolchain" / "bs4nn_tc", ROOT / "firmware" / "src", resources.KERNEL]
    for name in re.findall(r"`([\w/]+(?:\.py|\.c|/))`", page):
        assert any((place / name).exists() for place in places), name
    sources = "".join(path.read_text() for path in (ROOT / "firmware").rglob("*.c"))
    sources += "".join(path.read_text() for path in (ROOT / "toolchain").rglob("*.py"))
    for function in re.findall(r"`(\w+)\(\)`", page):
        assert f"{function}(" in sources, function
