"""Files: written so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bs4nn_tc.base.errors import UserError


@contextlib.contextmanager
def disk_errors(path: Path, doing: str = "write") -> Iterator[None]:
    """Turn an OSError inside the block into one clear line about `path`.

    Raises:
        UserError: no space left, no permission, a missing folder, or any other error of the system.
    """
    try:
        yield
    except OSError as error:
        # shutil's own error has no number, only a list of (source, target, why).
        text = error.strerror or (error.args[0][0][2] if isinstance(error, shutil.Error) else str(error))
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in text:
            raise UserError(f"cannot {doing} {path}: no space left on the device; free some and try again") from error
        raise UserError(f"cannot {doing} {path}: {text}") from error


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """The content of a file, and of nothing else: a FIFO would never end, a device might never begin.

    Args:
        path: the file; symbolic links are followed.
        max_bytes: refused before reading if it is longer.

    Raises:
        UserError: it is missing, unreadable, no regular file, or too long.
    """
    with disk_errors(path, "read"):
        # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - of a handle
            facts = os.fstat(handle)
            if stat.S_ISDIR(facts.st_mode):
                raise UserError(f"cannot read {path}: it is a folder, not a file")
            if not stat.S_ISREG(facts.st_mode):
                raise UserError(f"cannot read {path}: it is no regular file (a device, FIFO or socket)")
            if max_bytes is not None and facts.st_size > max_bytes:
                raise UserError(f"cannot read {path}: it has {facts.st_size:,} bytes; at most {max_bytes:,} are read")
            return file.read() if max_bytes is None else file.read(max_bytes)


def write_atomically(path: Path, content: bytes, durable: bool = True) -> None:
    """Write `content` to a temporary file beside `path` and rename it into place.

    Args:
        path: the file.
        content: all of it.
        durable: wait until it is on the disk, so that it survives even a loss of power.

    Raises:
        UserError: the disk is full or the folder cannot be written; `path` is then untouched.
    """
    with disk_errors(path):
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if durable:
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


@contextlib.contextmanager
def staging_for(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, to be filled and renamed to it; removed again if anything goes wrong.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    parent = folder.absolute().parent
    with disk_errors(folder):
        parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
        try:
            staging.chmod(0o755)
            yield staging
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def cache_folder() -> Path:
    """Where this tool keeps what it can make again: `$XDG_CACHE_HOME/bs4nn-tc`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bs4nn-tc"
