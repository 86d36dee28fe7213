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
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bs4nn_tc.base import remedies, tools
from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError
from bs4nn_tc.base.files import cache_folder, disk_errors, write_atomically
from bs4nn_tc.device import pio_output

REGISTRY_URL = "https://api.registry.platformio.org"
PROBE_SECONDS = 2.0
# "online" or "offline": skip the probe.
MODE_VARIABLE = "BS4NN_TC_PLATFORMIO"
# SCons takes a path apart at these, and knows no way to quote them (check_path in firmware/platform/platform.py).
_FOR_SCONS = re.compile(r"\$|\t|  | $")
_FOR_A_SHELL = re.compile(r"[`\"'\\;&|<>$\x00-\x1f\x7f]")
# PlatformIO finds itself connected nearly always, and then tries for a minute; this one says no at once.
OFFLINE_LAUNCHER = (
    "import sys, platformio.http\n"
    "platformio.http._internet_on = lambda: False\n"
    "from platformio.__main__ import main\n"
    "sys.argv[0] = 'pio'\n"
    "sys.exit(main())\n"
)


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
    shared = settings.get("env", "platform", fallback="")
    return settings.get(f"env:{environment}", "platform", fallback=shared).startswith("symlink://")


def check_word(word: str, what: str) -> None:
    """Refuse what a shell would take as more than a word: PlatformIO's platforms write commands for one.

    Args:
        word: a path or a port.
        what: where it comes from, for the message.

    Raises:
        TargetError: there is a character in it that a shell acts on even inside quotes, or that ends them.
    """
    found = sorted(set(_FOR_A_SHELL.findall(word)))
    if found:
        raise TargetError(f"PlatformIO cannot take {what}: {word} holds {' '.join(found)}, which a shell would act on")


def _check_path(project: Path, own_platform: bool) -> None:
    """Refuse a project whose path would be taken apart on the way through PlatformIO, before anything runs."""
    path = project.resolve().as_posix()
    remedy = "rename or move the folder"
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"PlatformIO cannot build in {path}: its path is not UTF-8; {remedy}") from error
    if _FOR_SCONS.search(path):
        raise UserError(
            f"PlatformIO cannot build in {path}: its path holds a dollar sign, a tab, two spaces in a row or a space "
            f"at the end; {remedy}"
        )
    if not own_platform:  # that one calls no shell
        check_word(path, f"this folder for a real board ({remedy})")


def run(
    project: Path,
    arguments: list[str],
    environment: str,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Call `pio ARGUMENTS -e ENVIRONMENT` in a project.

    Args:
        project: the project's folder.
        arguments: e.g. ["run", "-t", "upload"].
        environment: the PlatformIO environment.
        on_line: called with every line that PlatformIO prints.

    Raises:
        UserError: the project's path is one that PlatformIO cannot take.
        MissingToolError: a compiler, or a package of PlatformIO's registry, is missing.
        TargetError: PlatformIO fails, with the line that says why.
    """
    if importlib.util.find_spec("platformio") is None:
        raise MissingToolError(remedies.not_installed("platformio"))
    start = ["-m", "platformio"] if registry_is_reachable() else ["-c", OFFLINE_LAUNCHER]
    command = [sys.executable, *start, *arguments, "-e", environment, "-d", str(project.absolute())]
    own_platform = _brings_its_platform(project, environment)
    _check_path(project, own_platform)
    variables = {**os.environ, **environment_variables(on_line)}
    if own_platform:
        # PlatformIO notes a linked platform by its name in one folder for all projects; two that build at the
        # same time would take it away from each other.
        variables["PLATFORMIO_PLATFORMS_DIR"] = str((project / ".pio" / "platforms").absolute())
        # Its compiler is looked for on PATH, and PlatformIO may have it elsewhere than in the core folder above.
        compiler = tools.find(tools.ARM_COMPILER)
        folders = [str(Path(compiler[0]).parent)] if compiler is not None else []
        variables["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
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
    if process.returncode < 0:
        lines.append(f"error: PlatformIO was ended by {signal.Signals(-process.returncode).name}")
    if process.returncode != 0:
        raise _failure(lines, environment, arguments)


def _failure(lines: list[str], environment: str, arguments: list[str]) -> TargetError | MissingToolError:
    if any(line.startswith("InternetConnectionError") for line in lines):
        core = os.environ.get("PLATFORMIO_CORE_DIR")
        elsewhere = (
            f" lay it into {core}" if core else f", where ~/.platformio has it already, set {MODE_VARIABLE}=online"
        )
        return MissingToolError(
            f"{environment} needs packages from PlatformIO's registry ({pio_output.wanted_packages(lines)}), which "
            f"cannot be reached from here; connect, or{elsewhere}"
        )
    said = pio_output.reason(lines)
    if "is not installed" in said or "is missing" in said:
        return MissingToolError(said)
    return TargetError(f"pio {' '.join(arguments)} failed for {environment}: {said} (--verbose shows all)")
