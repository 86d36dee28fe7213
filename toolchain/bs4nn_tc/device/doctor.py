"""What this machine has of everything the toolchain can use, and how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from bs4nn_tc.base import remedies
from bs4nn_tc.device import platformio


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: its name.
        found: its version or place; empty if it is missing.
        needed: without it the main road (train, generate, build, verify) is closed.
        purpose: what it is for.
        remedy: how to get it.
    """

    what: str
    found: str
    needed: bool
    purpose: str
    remedy: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def _version_line(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return path
    return (done.stdout.splitlines() or [path])[0]


def _program(tool: platformio.Tool, needed: bool) -> Finding:
    path = platformio.find(tool)
    remedy = f"sudo apt-get install {tool.packages}"
    return Finding(tool.names[0], _version_line(path) if path else "", needed, tool.purpose, remedy)


def _package(name: str, needed: bool, purpose: str) -> Finding:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = ""
    return Finding(name, found, needed, purpose, remedies.pip_install(name))


def examine() -> list[Finding]:
    """Look for everything; nothing is installed or changed."""
    registry = platformio.registry_is_reachable()
    return [
        Finding("python", sys.version.split()[0], True, "everything", ""),
        _package("platformio", True, "building and flashing"),
        _package("scons", True, "PlatformIO's build engine"),
        _program(platformio.HOST_COMPILER, True),
        _program(platformio.ARM_COMPILER, True),
        _program(platformio.QEMU, True),
        _package("scikit-learn", False, "the bundled digits data set"),
        _package("pillow", False, "folders of images"),
        _package("torchvision", False, "downloading MNIST and Fashion-MNIST"),
        _package("starlette", False, "the page of live"),
        Finding(
            "PlatformIO's registry",
            "reachable" if registry else "",
            False,
            "platforms of real boards",
            "not reachable from here: emulated boards work, real boards need their platform installed",
        ),
    ]
