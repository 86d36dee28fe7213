"""The application of a generated project as a program on this computer, by plain gcc: faster than by PlatformIO."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import require

from bs4nn_tc.device.codegen.project import Project


def compile_application(made: Project, program: Path, board: Path | None = None) -> Path:
    """Compile a project's application; `board` is a source to take in place of the host's."""
    kernel, boards = made.folder / "lib" / "bs4nn" / "src", made.folder / "lib" / "board" / "src"
    flags = ["-std=c99", "-O1", "-DBOARD_PORT_HOST", f"-I{kernel}", f"-I{boards}"]
    sources = [*(made.folder / "src").glob("*.c"), *kernel.glob("*.c"), board or boards / "board_host.c"]
    subprocess.run([require("gcc", "gcc"), *flags, *sources, "-o", program], check=True)
    return program
