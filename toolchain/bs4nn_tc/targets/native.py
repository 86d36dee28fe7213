"""The application as a program on this computer."""

from __future__ import annotations

from pathlib import Path

from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.stream import ProcessStream


def open_native(program: Path) -> ApplicationTarget:
    """Start the host program that `build` made.

    Raises:
        TargetError: it is not there, does not start or does not answer.
    """
    if not program.is_file():
        raise TargetError(f"{program} is missing; build the project first (bs4nn-tc build)")
    return ApplicationTarget(ProcessStream([str(program)], "the host program"), "native")
