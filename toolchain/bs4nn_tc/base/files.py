"""Files: written so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.staging import copy_owner_and_mode, file_beside, folder_beside, tidy


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


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """A file open for reading, and nothing else: a FIFO would never end, a device might never begin.

    Args:
        path: the file; symbolic links are followed.

    Raises:
        UserError: it is missing, unreadable or no regular file; or an OSError inside the block.
    """
    with disk_errors(path, "read"):
        # Before it is opened, for that alone resets a board behind a serial port.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"cannot read {path}: it is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise UserError(f"cannot read {path}: it is no regular file (a device, FIFO or socket)")
        # Without O_NONBLOCK, a FIFO that has just taken its place would wait for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - of a handle
            yield file


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """The content of a regular file.

    Args:
        path: the file; symbolic links are followed.
        max_bytes: refused before reading if it is longer.

    Raises:
        UserError: it is missing, unreadable, no regular file, or too long.
    """
    with opened(path) as file:
        length = os.fstat(file.fileno()).st_size
        if max_bytes is not None and length > max_bytes:
            raise UserError(f"cannot read {path}: it has {length:,} bytes; at most {max_bytes:,} are read")
        return file.read() if max_bytes is None else file.read(length)


def write_atomically(path: Path, content: bytes, durable: bool = True) -> None:
    """Write `content` to a temporary file and rename it into place.

    A symbolic link stays, and what it points to is written. A file that is there keeps its permissions, and its owner
    where that is allowed; a new one has those that the umask leaves.

    Args:
        path: the file.
        content: all of it.
        durable: wait until it is on the disk, so that it survives even a loss of power.

    Raises:
        UserError: what `check_target` refuses, or a full disk; `path` is then untouched.
    """
    target, old = _target(path)
    with disk_errors(path), file_beside(target, 0o666 if old is None else 0o600) as (handle, temporary):
        with open(handle, "wb", closefd=False) as file:
            file.write(content)
        if durable:
            os.fsync(handle)
        if old is not None:
            copy_owner_and_mode(handle, old)
        temporary.replace(target)


def check_target(path: Path) -> None:
    """Refuse what `write_atomically` will refuse, before hours are spent on what is to be written.

    Raises:
        UserError: a folder, a device, FIFO or socket, a file or folder without permission, or a missing folder.
    """
    _target(path)


def _target(path: Path) -> tuple[Path, os.stat_result | None]:
    """The file to replace, at the end of all symbolic links, and its facts if it is there."""
    with disk_errors(path):
        try:
            facts = path.stat()
        except FileNotFoundError:
            facts = None
        target = Path(os.path.realpath(path))
        if facts is None:
            if not target.parent.is_dir():
                raise UserError(f"cannot write {path}: there is no folder {target.parent}")
            _check_permission(target.parent)
            return target, None
        if stat.S_ISDIR(facts.st_mode):
            raise UserError(f"cannot write {path}: it is a folder; name a file")
        # What a process has open may be found under /dev/fd, but have no name any more.
        if not stat.S_ISREG(facts.st_mode) or not target.exists() or not os.path.samestat(facts, target.stat()):
            raise UserError(f"cannot write {path}: it is no regular file (a device, FIFO or socket); name a file")
        _check_permission(target)
        _check_permission(target.parent)
        return target, facts


def _check_permission(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextlib.contextmanager
def new_folder(folder: Path, keep: Sequence[str] = ()) -> Iterator[Path]:
    """A folder to be filled, which is `folder` in the end; if anything goes wrong, that is as it was.

    A symbolic link stays, and the folder that it points to is replaced.

    Args:
        folder: missing, empty, or a folder that may be replaced.
        keep: names in it that move over to the new one.

    Raises:
        UserError: it is no folder, cannot be written, or the disk is full.
    """
    with disk_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is no folder; name another one")
        with folder_beside(Path(os.path.realpath(folder)), keep) as new:
            yield new


def put_back(folder: Path) -> None:
    """Let a folder have what a killed process of this tool has taken out of it, and remove what that has left."""
    tidy(Path(os.path.realpath(folder)).parent)


def cache_folder() -> Path:
    """Where this tool keeps what it can make again: `$XDG_CACHE_HOME/bs4nn-tc`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bs4nn-tc"
