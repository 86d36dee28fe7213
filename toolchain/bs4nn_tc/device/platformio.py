"""Runs PlatformIO, on line or off: where its registry cannot be reached, with a core folder of our own.

Generated projects need nothing from the registry (their platform lies in the project, the build
engine is the SCons that pip installed, compilers are the system's). But PlatformIO itself looks for
upgrades at its first start, and hangs for a minute where it cannot. A core folder of our own, keyed
by PlatformIO's version and prepared beforehand, avoids that; `~/.platformio` is never written to.
"""

from __future__ import annotations

import configparser
import functools
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, TargetError
from bs4nn_tc.base.files import cache_folder, disk_errors, write_atomically

REGISTRY_URL = "https://api.registry.platformio.org"
PROBE_SECONDS = 2.0
# "online" or "offline": skip the probe.
MODE_VARIABLE = "BS4NN_TC_PLATFORMIO"
# PlatformIO finds itself connected nearly always, and then tries for a minute; this one says no at once.
OFFLINE_LAUNCHER = (
    "import sys, platformio.http\n"
    "platformio.http._internet_on = lambda: False\n"
    "from platformio.__main__ import main\n"
    "sys.argv[0] = 'pio'\n"
    "sys.exit(main())\n"
)


@dataclass(frozen=True)
class Tool:
    """A program of the system: its names, Debian's packages for it, and what it is for."""

    names: tuple[str, ...]
    packages: str
    purpose: str


HOST_COMPILER = Tool(("gcc", "cc", "clang"), "gcc", "training, and the native target")
ARM_COMPILER = Tool(
    ("arm-none-eabi-gcc",), "gcc-arm-none-eabi libnewlib-arm-none-eabi", "building for emulated Cortex-M boards"
)
QEMU = Tool(("qemu-system-arm",), "qemu-system-arm", "running emulated boards")


def find(tool: Tool) -> str | None:
    """Path of the first program of that tool on PATH."""
    return next((path for name in tool.names if (path := shutil.which(name))), None)


def require(tool: Tool) -> str:
    """Path of the tool.

    Raises:
        MissingToolError: it is not installed; names the package to install.
    """
    path = find(tool)
    if path is None:
        raise MissingToolError(
            f"{tool.names[0]} is not installed (needed for {tool.purpose}); "
            f"on Debian or Ubuntu: sudo apt-get install {tool.packages}"
        )
    return path


@functools.cache
def registry_is_reachable() -> bool:
    """Whether PlatformIO's registry answers within two seconds; asked once per process."""
    mode = os.environ.get(MODE_VARIABLE, "")
    if mode in ("online", "offline"):
        return mode == "online"
    answers: list[int] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(REGISTRY_URL, method="HEAD")
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
                answers.append(answer.status)
        except urllib.error.HTTPError as error:  # an answer, too
            answers.append(error.code)
        except OSError:
            pass

    # In a thread, for the time-out of a request does not cover the look-up of the name.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answers)


def offline_variables() -> dict[str, str]:
    """Environment variables that keep PlatformIO from looking for its registry; prepares the core folder.

    Raises:
        UserError: the cache folder cannot be written.
    """
    version = importlib.metadata.version("platformio")
    core = cache_folder() / f"platformio-{version}"
    with disk_errors(core):
        core.mkdir(parents=True, exist_ok=True)
    state = core / "appstate.json"
    if not state.exists():
        write_atomically(state, json.dumps({"last_version": version}).encode())
    return {
        "PLATFORMIO_CORE_DIR": str(core),
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "36500",
    }


def environment_variables(note: Callable[[str], None] | None = None) -> dict[str, str]:
    """What to add to the environment of a `pio` call; nothing where the registry is reachable.

    Args:
        note: told, in one line, that the core folder of our own is used.
    """
    if "PLATFORMIO_CORE_DIR" in os.environ or registry_is_reachable():
        return {}
    variables = offline_variables()
    if note is not None:
        note(f"PlatformIO's registry is out of reach: working off line with {variables['PLATFORMIO_CORE_DIR']}")
    return variables


def _brings_its_platform(project: Path, environment: str) -> bool:
    """Whether an environment's platform lies in the project itself."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        settings.read(project / "platformio.ini", encoding="utf-8")
    except configparser.Error:
        return False  # PlatformIO says better what is wrong
    return settings.get(f"env:{environment}", "platform", fallback="").startswith("symlink://")


def run(
    project: Path,
    arguments: list[str],
    environment: str,
    on_line: Callable[[str], None] | None = None,
    flags: Sequence[str] = (),
) -> None:
    """Call `pio ARGUMENTS -e ENVIRONMENT` in a project.

    Args:
        project: the project's folder.
        arguments: e.g. ["run", "-t", "upload"].
        environment: the PlatformIO environment.
        on_line: called with every line that PlatformIO prints.
        flags: for the compiler, besides those of the project.

    Raises:
        MissingToolError: a compiler is missing.
        TargetError: PlatformIO fails, with its first error line.
    """
    if importlib.util.find_spec("platformio") is None:
        raise MissingToolError(remedies.not_installed("platformio"))
    start = ["-m", "platformio"] if registry_is_reachable() else ["-c", OFFLINE_LAUNCHER]
    command = [sys.executable, *start, *arguments, "-e", environment, "-d", str(project)]
    variables = {**os.environ, **environment_variables(on_line)}
    if flags:
        variables["PLATFORMIO_BUILD_FLAGS"] = " ".join([os.environ.get("PLATFORMIO_BUILD_FLAGS", ""), *flags]).strip()
    if _brings_its_platform(project, environment):
        # PlatformIO notes a linked platform by its name in one folder for all projects; two that build at the
        # same time would take it away from each other.
        variables["PLATFORMIO_PLATFORMS_DIR"] = str((project / ".pio" / "platforms").absolute())
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=variables,
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if on_line is not None:
                on_line(lines[-1])
    if process.returncode != 0:
        raise _failure(lines, environment, arguments)


def _failure(lines: list[str], environment: str, arguments: list[str]) -> TargetError | MissingToolError:
    if any(line.startswith("InternetConnectionError") for line in lines):
        return MissingToolError(
            f"{environment} needs packages from PlatformIO's registry, which cannot be reached from here; connect, or, "
            f"where ~/.platformio has them already, set {MODE_VARIABLE}=online"
        )
    errors = [line for line in lines if re.search(r"\berror\b|^UserSideException", line, re.IGNORECASE)]
    said = errors[0] if errors else next((line for line in reversed(lines) if line.strip()), "it said nothing")
    said = re.sub(r"^\s*(error|UserSideException):\s*", "", said, flags=re.IGNORECASE).strip()
    if "is not installed" in said or "is missing" in said:
        return MissingToolError(said)
    return TargetError(f"pio {' '.join(arguments)} failed for {environment}: {said} (--verbose shows all)")
