"""What answers: the host program, an emulated board that counts, or a board on a serial port; made ready to start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device import building
from bs4nn_tc.device.boards import Board, load_board
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file
from bs4nn_tc.model.network import Network
from bs4nn_tc.targets.application import ApplicationTarget
from bs4nn_tc.targets.kinds import Kind, emulated_boards, open_target

DEFAULT_BOARD = "qemu-m4"


@dataclass(frozen=True)
class Runner:
    """One network on one kind of target.

    Attributes:
        network: what the target has to run.
        name: the network's, for people.
        kind: what the target is.
        board: the emulated board, whose clock counts instructions; None for the others.
        open: starts the target, or reaches it. Raises TargetError or MissingToolError.
    """

    network: Network
    name: str
    kind: Kind
    board: Board | None
    open: Callable[[], ApplicationTarget]


def prepare(path: Path, kind: Kind | None, board_id: str | None, port: str | None, folder: Path) -> Runner:
    """Everything that has to be there before the target can be opened: a project, built.

    Args:
        path: a network file, or a folder that `generate` made.
        kind: None for serial if there is a port, else the emulated board; a project of real boards only is serial.
        board_id: an emulated board; None for the project's first one, or `DEFAULT_BOARD`.
        port: of a serial board; None for the only one that is plugged in.
        folder: a new or empty folder for the project of a network file.

    Raises:
        UserError: no network or project, or one that was not generated for what is asked for.
        MissingToolError: a compiler is missing.
        TargetError: the build fails.
    """
    made = project.open_project(path) if path.is_dir() else None
    network = network_file.load(path) if made is None else made.network
    kind = kind or _usual_kind(made, port)
    _check_goes_with(kind, board_id, port)
    name = path.name if made is None else made.name
    if kind is Kind.SERIAL:  # its firmware is there already, or `flash` brings it
        return Runner(network, name, kind, None, lambda: open_target(kind, made, port=port))
    board = _emulated_board(made, board_id) if kind is Kind.EMULATOR else None
    built = made or project.generate(network, "network", [] if board is None else [board], folder)
    building.build(built, [building.NATIVE if board is None else board.id])
    return Runner(network, name, kind, board, lambda: open_target(kind, built, board, counting=True))


def _usual_kind(made: project.Project | None, port: str | None) -> Kind:
    """A port's board, else an emulated one where there is one, else the project's real one, else this computer."""
    if port is not None:
        return Kind.SERIAL
    if made is None or emulated_boards(made):
        return Kind.EMULATOR
    return Kind.SERIAL if made.boards else Kind.NATIVE


def _check_goes_with(kind: Kind, board_id: str | None, port: str | None) -> None:
    if board_id is not None and kind is not Kind.EMULATOR:
        raise UserError(f"--board chooses an emulated board; it does not go with --target {kind.value}")
    if port is not None and kind is not Kind.SERIAL:
        raise UserError(f"--port names a serial port; it goes with --target serial, not with {kind.value}")


def _emulated_board(made: project.Project | None, board_id: str | None) -> Board:
    """The emulated board to run on.

    Raises:
        UserError: it is a real one, or the project was not generated for it.
    """
    if made is None:
        board = load_board(board_id or DEFAULT_BOARD)
        if board.emulator is None:
            raise UserError(f"{board.id} is a real board: flash it, and use --target serial")
        return board
    there = [board.id for board in emulated_boards(made)]
    chosen = board_id or (there[0] if there else None)
    if chosen is None or chosen not in there:
        asked = f"the emulated board '{chosen}'" if chosen else "no emulated board"
        raise UserError(
            f"{made.folder} was {'not ' if chosen else ''}generated for {asked} (there: {', '.join(there) or 'none'}); "
            f"generate it with --board {chosen or DEFAULT_BOARD}"
        )
    return load_board(chosen)
