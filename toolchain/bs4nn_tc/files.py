"""Files: written so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bs4nn_tc.errors import UserError


@contextlib.contextmanager
def disk_errors(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an OSError inside the block into one clear line about `path`.

    Raises:
        UserError: no space left, no permission, a missing folder, or any other error of the system.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"cannot {doing} {path}: no space left on the device; free some and try again") from error
        raise UserError(f"cannot {doing} {path}: {error.strerror or error}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path` and rename it into place.

    Raises:
        UserError: the disk is full or the folder cannot be written; `path` is then untouched.
    """
    with disk_errors(path):
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes private files; give this one the mode any new file would have.
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def cache_folder() -> Path:
    """Where this tool keeps what it can make again: `$XDG_CACHE_HOME/bs4nn-tc`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bs4nn-tc"
