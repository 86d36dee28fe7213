"""What a user can cause, in one line: what happened, where, the limit, the remedy.

The command line prints the message and leaves with the exit code; a traceback means a bug of ours.
"""

from __future__ import annotations


class UserError(Exception):
    """Bad input: a file, a value or a folder that cannot be used. Exit code 2."""

    exit_code = 2


class VerificationError(UserError):
    """A target computed something else than the reference. Exit code 1."""

    exit_code = 1


class MissingToolError(UserError):
    """A program, package or data set that is not on this machine. Exit code 3."""

    exit_code = 3


class FailedNetworkError(UserError):
    """A network that was trained and written, and that nobody should use unseen. Exit code 5."""

    exit_code = 5


class TargetError(UserError):
    """A target that does not build, start or answer. Exit code 4."""

    exit_code = 4
