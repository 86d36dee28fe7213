"""The command line: one function a verb, in the module of its kind. All work is done by the modules they call."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Annotated, Any

import typer

import bs4nn_tc

# Their verbs register themselves; what is imported first comes first in --help.
from bs4nn_tc.cli import training, tuning, networks, projects, targets, measuring  # noqa: F401 # isort: skip
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli.common import app, output, progress_console


def main() -> None:
    """Entry point: errors that a user can cause end in one line and a non-zero exit status."""
    _show_everything_as_text()
    try:
        status = app(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)  # the status of a typer.Exit
    except UserError as error:
        progress_console.print(f"error: {error}", style="red")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        progress_console.print("interrupted", style="red")
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except OSError as error:
        # What the system says of a path that no module has looked at: a name that is too long, a folder without access.
        if error.filename is None:
            raise
        progress_console.print(f"error: {error.filename}: {error.strerror}", style="red")
        sys.exit(UserError.exit_code)
    except Exception as error:
        # Typer's own usage errors; which class that is depends on its version.
        if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):
            raise
        _show_usage_error(error)
        sys.exit(error.exit_code)


def _show_everything_as_text() -> None:
    """Let no warning of a library pass raw, and no character stop a terminal that has none such."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_where: Any, **_more: Any) -> None:
    progress_console.print(f"warning: {message}", style="yellow")


def _show_usage_error(error: Any) -> None:
    """One line: what is wrong with the call (it quotes the call, which is data), and where the options are told."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    context = getattr(error, "ctx", None)
    place = f" ({context.command_path} --help lists the options)" if context is not None else ""
    progress_console.print(f"error: {error.format_message().rstrip('.')}{place}", style="red")


def _print_version(wanted: bool) -> None:
    if wanted:
        output.print(f"bs4nn-tc {bs4nn_tc.__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Binarized spiking neural networks, from an image data set to a microcontroller, verified bit for bit."""
