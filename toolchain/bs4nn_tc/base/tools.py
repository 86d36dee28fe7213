"""Programs of the system that this tool starts, compilers and emulators: where each is looked for, asked in one place.

In this order:

1. What the program's environment variable names (CC), and then nothing else: a path, or a command as a shell takes it
   ("ccache gcc", "gcc -O1").
2. Its names on PATH, one after the other.
3. The package of it that PlatformIO has installed.

The platform inside a generated project (firmware/platform) does the same for itself: it stands alone.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.base.text import printable


@dataclass(frozen=True)
class Tool:
    """A program of the system.

    Attributes:
        what: it is, for people.
        names: of the program.
        packages: Debian's packages that bring it.
        purpose: what it is for.
        variable: the environment variable that may name another one; "" for none.
        platformio_package: PlatformIO's package that has it; "" for none.
    """

    what: str
    names: tuple[str, ...]
    packages: str
    purpose: str
    variable: str = ""
    platformio_package: str = ""


HOST_COMPILER = Tool(
    "a C compiler (gcc, cc or clang)",
    ("gcc", "cc", "clang"),
    "gcc libc6-dev",
    "training, and the native target",
    variable="CC",
)
ARM_COMPILER = Tool(
    "arm-none-eabi-gcc",
    ("arm-none-eabi-gcc",),
    "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "building for emulated Cortex-M boards",
    platformio_package="toolchain-gccarmnoneeabi",
)


def emulator(program: str) -> Tool:
    """The emulator that a board's manifest names."""
    return Tool(program, (program,), program, "running emulated boards")


def platformio_folder() -> Path:
    """Where PlatformIO keeps what it installs."""
    named = os.environ.get("PLATFORMIO_CORE_DIR")
    return Path(named) if named else Path.home() / ".platformio"


def _named(tool: Tool) -> str:
    return os.environ.get(tool.variable, "").strip() if tool.variable else ""


def find(tool: Tool) -> list[str] | None:
    """The command that starts a program, with the arguments that it always gets; None if it is not there."""
    if named := _named(tool):
        try:
            # A path with spaces in it is one program.
            program, *arguments = [named] if shutil.which(named) else shlex.split(named)
        except ValueError:  # a quotation mark without a second
            return None
        path = shutil.which(program)
        return None if path is None else [path, *arguments]
    packages = os.environ.get("PLATFORMIO_PACKAGES_DIR") or platformio_folder() / "packages"
    package = Path(packages, tool.platformio_package, "bin") if tool.platformio_package else None
    for folder in (None, package):  # None is PATH
        for name in tool.names:
            path = shutil.which(name, path=folder)
            if path is not None:
                return [path]
    return None


def require(tool: Tool) -> list[str]:
    """The command that starts a program.

    Raises:
        MissingToolError: it is not there; names the package to install.
    """
    command = find(tool)
    if command is None:
        named = _named(tool)
        what = f"{tool.variable} names {printable(named)}, and no such program" if named else tool.what
        raise MissingToolError(
            f"{what} is {'there' if named else 'not installed'} (needed for {tool.purpose}); "
            f"on Debian or Ubuntu: sudo apt-get install {tool.packages}"
        )
    return command
