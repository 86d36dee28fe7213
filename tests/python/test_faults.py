"""A sample of tests/faults/run.py: the verbs, stopped at events of the file system."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import ROOT, require

# Without those that take long and write as others do.
CASES = (
    "train",
    "sweep",
    "generate",
    "generate --force",
    "generate --force without exchange",
    "package",
    "tune",
    "reorder in place",
)


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: events are counted by glibc's names of them")
def test_stopped_anywhere_the_verbs_leave_old_or_new_and_go_on() -> None:
    require("cc", "gcc")
    command = [sys.executable, str(ROOT / "tests" / "faults" / "run.py"), "--sample", "3", *CASES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cases = {one["case"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert {name: one["wrong"] for name, one in cases.items() if one["wrong"]} == {}
    assert done.returncode == 0, done.stderr
    assert set(cases) == set(CASES)
    # Fewer events would mean that they are not seen.
    assert all(one["events"] >= 5 and one["runs"] == 3 for one in cases.values())
