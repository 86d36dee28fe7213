"""Build a generated project with PlatformIO, and compare what the ELF holds with the memory plan."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError, VerificationError
from bs4nn_tc.device import platformio
from bs4nn_tc.device.boards import Board, load_board
from bs4nn_tc.device.codegen.project import Project

NATIVE = "native"
SELF_TEST_SECONDS = 60


@dataclass(frozen=True)
class ElfSizes:
    """What one ELF file takes on its board, in bytes.

    Attributes:
        flash: everything that is stored: code, constants, initial values.
        ram: static data and the reserved stack.
        symbols: size of every C object by name.
    """

    flash: int
    ram: int
    symbols: dict[str, int]


@dataclass(frozen=True)
class Build:
    """One environment, built.

    Attributes:
        environment: "native" or a board's id.
        program: the ELF file or host program.
        sizes: what it takes; None for the host, where nobody counts.
    """

    environment: str
    program: Path
    sizes: ElfSizes | None


def program_path(project: Project, environment: str) -> Path:
    """Where PlatformIO puts the result of an environment."""
    name = "program" if environment == NATIVE else "firmware.elf"
    return project.folder / ".pio" / "build" / environment / name


def flashed_path(project: Project, board: str) -> Path:
    """What an emulated board has been flashed with (firmware/platform/builder/main.py)."""
    return project.folder / ".pio" / "flash" / f"{board}.elf"


def read_elf(path: Path) -> ElfSizes:
    """Sizes of an ELF file.

    Raises:
        TargetError: it is no ELF file.
    """
    flash = ram = 0
    symbols: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            for section in elf.iter_sections():
                flags, size = section["sh_flags"], section["sh_size"]
                if not flags & SH_FLAGS.SHF_ALLOC:
                    continue
                if section["sh_type"] != "SHT_NOBITS":
                    flash += size
                if flags & SH_FLAGS.SHF_WRITE:
                    ram += size
            table = elf.get_section_by_name(".symtab")
            if isinstance(table, SymbolTableSection):
                symbols = {s.name: s["st_size"] for s in table.iter_symbols() if s["st_info"]["type"] == "STT_OBJECT"}
    except (OSError, ELFError) as error:
        raise TargetError(f"{path} cannot be read as an ELF file: {error}") from error
    return ElfSizes(flash, ram, symbols)


def check_plan(project: Project, sizes: ElfSizes, environment: str) -> None:
    """Compare every object of the memory plan with the ELF file.

    Raises:
        VerificationError: an object is missing or has another size than planned.
    """
    for item in project.items:
        found = sizes.symbols.get(item.symbol)
        if found != item.bytes:
            raise VerificationError(
                f"{environment}: {item.symbol} ({item.what}) takes {found} bytes in the ELF file, "
                f"{item.bytes} were planned; generate the project again, and report this if it stays"
            )


def build(
    project: Project,
    environments: list[str],
    on_line: Callable[[str], None] | None = None,
) -> list[Build]:
    """Build environments one after another and check their memory.

    Args:
        project: a generated project.
        environments: "native" and ids of boards of the project.
        on_line: called with every line that PlatformIO prints.

    Raises:
        MissingToolError: a compiler is missing.
        TargetError: the build fails.
        VerificationError: the ELF file does not hold what was planned, or the host program fails its self-test.
    """
    builds = []
    for environment in environments:
        platformio.run(project.folder, ["run"], environment, on_line)
        program = program_path(project, environment)
        sizes = None
        if environment == NATIVE:
            _run_self_test(program)
        else:
            sizes = read_elf(program)
            check_plan(project, sizes, environment)
            _check_room(load_board(environment), sizes)
        builds.append(Build(environment, program, sizes))
    return builds


def build_each(
    project: Project,
    environments: Sequence[str],
    on_line: Callable[[str], None] | None = None,
    on_environment: Callable[[], None] | None = None,
) -> tuple[list[Build], UserError | None]:
    """Build some environments of a project, and the others even if one cannot be built.

    Args:
        project: a generated project.
        environments: "native" and ids of its boards.
        on_line: called with every line that PlatformIO prints.
        on_environment: called after each environment.

    Returns:
        what was built, and the error that says what was not and why.
    """
    builds: list[Build] = []
    failures: dict[str, UserError] = {}
    for environment in environments:
        try:
            builds += build(project, [environment], on_line)
        except (MissingToolError, TargetError, VerificationError) as error:
            failures[environment] = error
        if on_environment is not None:
            on_environment()
    if not failures:
        return builds, None
    first = next(iter(failures.values()))
    if len(environments) == 1:
        return builds, first
    built = ", ".join(one.environment for one in builds) or "nothing"
    reasons = "; ".join(f"{environment} ({error})" for environment, error in failures.items())
    return builds, type(first)(f"built: {built}; not built: {reasons}")


def _run_self_test(program: Path) -> None:
    """Start the host program, which tests itself and ends with its input.

    Raises:
        TargetError: it does not start or end.
        VerificationError: it does not find what the reference answers.
    """
    try:
        done = subprocess.run(
            [str(program.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=SELF_TEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{program} was built, but its self-test does not run: {error}") from error
    if done.returncode != 0:
        raise VerificationError(
            f"{program} was built, but its self-test FAILED (exit status {done.returncode}): it does not compute what "
            "the reference computes; generate the project again, and report this if it stays"
        )


def flash(project: Project, board: str, port: str | None = None, on_line: Callable[[str], None] | None = None) -> None:
    """Build a board's firmware, check its memory, and put it on the board through PlatformIO's upload.

    Args:
        project: a generated project.
        board: of the project; an emulated one that runs (`bs4nn-tc emulate`) starts anew.
        port: upload port, where the board needs one.
        on_line: called with every line that PlatformIO prints.

    Raises:
        MissingToolError: a compiler is missing.
        TargetError: the port cannot be one, the build or the upload fails, or the board has no room.
        VerificationError: the ELF file does not hold what was planned.
    """
    if port is not None:
        platformio.check_word(port, "this port")
    build(project, [board], on_line)
    arguments = ["run", "-t", "nobuild", "-t", "upload", *(["--upload-port", port] if port else [])]
    platformio.run(project.folder, arguments, board, on_line)


def _check_room(board: Board, sizes: ElfSizes) -> None:
    for memory, needed, available in (
        ("flash", sizes.flash, board.flash_bytes),
        ("RAM", sizes.ram, board.ram_bytes),
    ):
        if needed > available:
            raise TargetError(
                f"{board.id}: the firmware needs {needed:,} bytes of {memory}, {available:,} are there; "
                "take fewer neurons or a larger board"
            )
