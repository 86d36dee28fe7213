"""Tables in the documents are what was measured."""

from __future__ import annotations

import subprocess
import sys

from conftest import ROOT


def test_documents_show_what_was_measured() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "tables.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
