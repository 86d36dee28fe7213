"""The command line: one function a verb, in the module of its kind. All work is done by the modules they call."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from typing import Annotated, Any

import typer

import bs4nn_tc

# Their verbs register themselves; what is imported first comes first in --help.
# isort: off
from bs4nn_tc.cli import training, data, tuning, networks, files, projects, targets, samples, measuring  # noqa: F401

# isort: on
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli.common import app, output, progress_console


def main() -> None:
    """Entry point: errors that a user can cause end in one line and a non-zero exit status."""
    _show_everything_as_text()
    try:
        status = app(standalone_mode=False)
        print(end="", flush=True)
        sys.exit(status if isinstance(status, int) else 0)  # the status of a typer.Exit
    except UserError as error:
        progress_console.print(f"error: {error}", style="red")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        progress_console.print("interrupted", style="red")
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:  # as of `| head`: nobody wants to hear more
        _drop_output()
        sys.exit(1)
    except OSError as error:
        # What the system says of a path that no module has looked at: a name that is too long, a folder without access.
        # Without a path: standard output on a full disk, or too many open files.
        _drop_output()
        where = "input or output" if error.filename is None else error.filename
        progress_console.print(f"error: {where}: {error.strerror or error}", style="red")
        sys.exit(UserError.exit_code)
    except Exception as error:
        # Typer's own usage errors; which class that is depends on its version.
        if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):
            raise
        _show_usage_error(error)
        sys.exit(error.exit_code)


def _drop_output() -> None:
    """What could not be written would be tried again at the end, with a traceback."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


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
