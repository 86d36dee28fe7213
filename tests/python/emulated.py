"""An emulated board behind a port, run by `bs4nn-tc emulate`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from bs4nn_tc.device.codegen.project import Project

_TOOL = ("-m", "bs4nn_tc")


@contextlib.contextmanager
def emulated(
    made: Project, board: str, *options: str, tool: Sequence[str] = _TOOL
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`bs4nn-tc emulate`, and the URL that it names; `tool` is how Python has to start it."""
    command = [sys.executable, *tool, "emulate", str(made.folder), "--board", board, *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
