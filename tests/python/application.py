"""The application of a generated project without PlatformIO: compiled and linked by plain GCC, which is faster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import bare
from conftest import require

from bs4nn_tc.device.boards import Board
from bs4nn_tc.device.codegen.project import Project


def compile_application(made: Project, program: Path, board: Path | None = None) -> Path:
    """Compile a project's application for this computer; `board` is a source to take in place of the host's."""
    kernel, boards = made.folder / "lib" / "bs4nn" / "src", made.folder / "lib" / "board" / "src"
    flags = ["-std=c99", "-O1", "-DBOARD_PORT_HOST", f"-I{kernel}", f"-I{boards}"]
    sources = [*(made.folder / "src").glob("*.c"), *kernel.glob("*.c"), board or boards / "board_host.c"]
    subprocess.run([require("gcc", "gcc"), *flags, *sources, "-o", program], check=True)
    return program


def link_application(made: Project, board: Board, program: Path) -> Path:
    """Compile and link it for an emulated board, as `build` does."""
    kernel = made.folder / "lib" / "bs4nn" / "src"
    sources = [*(made.folder / "src").glob("*.c"), *kernel.glob("*.c"), *kernel.glob("*.S")]
    flags = ["-O2", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", f'-DBS4NN_BOARD="{board.id}"']
    return bare.link(board, sources, flags, program)
