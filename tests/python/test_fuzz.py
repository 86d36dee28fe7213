"""What the fuzzer has found so far, once more; garbage for an emulated board; hostile files for what reads files.

`make fuzz` and `make fuzz-files` look for more.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import hostile
import pytest
from conftest import ROOT, require

FUZZ = ROOT / "tests" / "fuzz"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    """tests/fuzz/run.py."""
    spec = importlib.util.spec_from_file_location("fuzz_run", FUZZ / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus_with_the_sanitizers(run: ModuleType, tmp_path: Path) -> None:
    corpus = sorted((FUZZ / "corpus").iterdir())
    assert len(corpus) > 30
    program = tmp_path / "replay"
    flags = ["-std=gnu99", "-O1", "-g", "-DREPLAY", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([require("gcc", "gcc"), *flags, *run.sources(), "-o", str(program)], check=True)
    done = subprocess.run([program, *corpus], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(corpus)} inputs replayed\n"


def test_a_board_that_is_thrown_garbage_at_still_classifies(run: ModuleType) -> None:
    assert run.flood(2.0, "qemu-m0") > 10_000


def test_hostile_files_end_in_success_or_in_one_line() -> None:
    """Generous with the processor's time, so that a busy machine changes nothing; `make fuzz-files` is not."""
    tried = list(hostile.run(1500, seed=20, seconds=30))
    assert [number for number, _, _ in tried] == list(range(1500))
    assert len({kind for _, kind, _ in tried}) == 5
    assert [one for one in tried if one[2]] == []
