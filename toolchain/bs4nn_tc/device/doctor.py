"""What this machine has of everything the toolchain can use, and how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bs4nn_tc.base import remedies, resources, tools
from bs4nn_tc.device import boards, pio_output, platformio
from bs4nn_tc.device.kernels import FAST

# Includes a header of the compiler's, calls what a processor without it takes from the compiler's library (division),
# and has its start-up, assembly and memory map from the firmware. A host needs its C library, too.
_BOARD_PROGRAM = """
#include "board.h"
int main(void)
{
    volatile uint64_t dividend = 1;
    board_init();
    return (int)(dividend / 3u);
}
"""
_HOST_PROGRAM = """
#include <stdint.h>
#include <stdio.h>
int main(void)
{
    return puts("") < 0;
}
"""
_SECONDS = 60


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


def _version_line(command: list[str]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return command[0]
    return (done.stdout.splitlines() or command)[0]


def _program(tool: tools.Tool) -> Finding:
    """A program without which the main road is closed."""
    command = tools.find(tool)
    remedy = f"sudo apt-get install {tool.packages}"
    return Finding(tool.names[0], _version_line(command) if command else "", True, tool.purpose, remedy)


def _attempt(command: list[str], program: str, libraries: tuple[str, ...] = ()) -> str:
    """Compile and link a program; why that fails, or "" if it does not."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "main.c")
        source.write_text(program, encoding="utf-8")
        whole = [*command, str(source), *libraries, "-o", str(Path(folder, "program"))]
        try:
            done = subprocess.run(
                whole, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    return pio_output.reason(done.stderr.splitlines()) if done.returncode else ""


def _why_not_for(compiler: list[str], board: boards.Board) -> str:
    """Make a bare firmware as the platform of a project does (firmware/platform/builder/main.py); why that fails."""
    flags = json.loads((resources.FIRMWARE / "platform" / "cortex_m.json").read_text(encoding="utf-8"))
    port = resources.FIRMWARE / "lib" / "board"
    memory = {
        "FLASH_ORIGIN": 0,
        "FLASH_LENGTH": board.flash_bytes,
        "RAM_ORIGIN": 0x20000000,
        "RAM_LENGTH": board.ram_bytes,
        "STACK_BYTES": 2048,
    }
    sources = [*sorted((port / "src").glob("*.c")), *(path for path in FAST.sources if path.suffix == ".S")]
    command = [
        *compiler,
        *(f"-mcpu={board.core}", *flags["machine"], *flags["compile"], "-std=c99"),
        *(f"-DBOARD_PORT_{board.port.upper()}", f"-I{port / 'src'}", *map(str, sources)),
        *(*flags["link"], "-T", str(port / "board.ld"), *(f"-Wl,--defsym={key}={memory[key]}" for key in memory)),
    ]
    return _attempt(command, _BOARD_PROGRAM, tuple(f"-l{name}" for name in flags["libraries"]))


def _linking() -> list[Finding]:
    """Whether the compilers that are there make programs: headers, libraries or cores may be missing."""
    findings = []
    if compiler := tools.find(tools.HOST_COMPILER):
        reason = _attempt(compiler, _HOST_PROGRAM)
        remedy = f"{compiler[0]} makes none: {reason}; on Debian or Ubuntu: sudo apt-get install gcc libc6-dev"
        findings.append(
            Finding("programs for this computer", "" if reason else "linked", True, "the native target", remedy)
        )
    if compiler := tools.find(tools.ARM_COMPILER):
        emulated = [board for board in boards.list_boards() if board.emulator is not None]
        reasons = {board.core: _why_not_for(compiler, board) for board in emulated}
        failed = [core for core, reason in reasons.items() if reason]
        found = "" if failed else f"linked: {', '.join(reasons)}"
        why = "; ".join(dict.fromkeys(reasons[core] for core in failed))
        remedy = f"{compiler[0]} makes none for {', '.join(failed)}: {why}; put another tool chain first on PATH"
        findings.append(Finding("programs for Cortex-M", found, True, "emulated boards", remedy))
    return findings


def _package(name: str, needed: bool, purpose: str) -> Finding:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = ""
    return Finding(name, found, needed, purpose, remedies.pip_install(name))


def examine() -> list[Finding]:
    """Look for everything; nothing is installed or changed."""
    registry = platformio.registry_is_reachable()
    emulators = dict.fromkeys(board.emulator.program for board in boards.list_boards() if board.emulator is not None)
    return [
        Finding("python", sys.version.split()[0], True, "everything", ""),
        _package("platformio", True, "building and flashing"),
        _package("scons", True, "PlatformIO's build engine"),
        _program(tools.HOST_COMPILER),
        _program(tools.ARM_COMPILER),
        *_linking(),
        *map(_program, map(tools.emulator, emulators)),
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
