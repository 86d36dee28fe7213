"""The command line: one function a verb, in the module of its kind. All work is done by the modules they call."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import bs4nn_tc

# Their verbs register themselves; what is imported first comes first in --help.
from bs4nn_tc.cli import training, tuning, networks, projects, targets  # noqa: F401 # isort: skip
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.cli.common import app, output, progress_console


def main() -> None:
    """Entry point: errors that a user can cause end in one line and a non-zero exit status."""
    try:
        status = app(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)  # the status of a typer.Exit
    except UserError as error:
        progress_console.print(f"error: {printable(error)}", style="red", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        progress_console.print("interrupted", style="red")
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        # Typer's own usage errors know how to show themselves.
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        error.show()
        sys.exit(error.exit_code)


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
