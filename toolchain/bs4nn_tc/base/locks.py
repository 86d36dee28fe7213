"""Who is at work on a file or folder: a lock of the kernel's, which is gone at once with the process that held it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bs4nn_tc.base.errors import UserError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def lock(handle: int, wait: bool = False) -> bool | None:
    """Lock an open file or folder.

    Args:
        handle: of the file or folder.
        wait: until whoever holds the lock lets it go.

    Returns:
        Whether it is ours now, False if another holds it; None where the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_at(handle: int, path: Path) -> bool:
    """Whether what is open is what lies at `path` (now: it may have been removed or renamed)."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def claimed(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Make a folder if need be, and hold its lock; a new one that is still empty in the end is removed again.

    Args:
        folder: the folder.
        wait: until whoever holds it lets it go.

    Yields whether it is ours; False if another process holds it.

    Raises:
        OSError: it cannot be made or opened.
    """
    made = not folder.exists()
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        ours = lock(handle, wait) is not False
        if not ours or os.path.samestat(os.fstat(handle), folder.stat()):
            break
        os.close(handle)  # who held it has removed it meanwhile
    try:
        yield ours
    finally:
        if ours and made:
            with contextlib.suppress(OSError):  # not empty: it is a run by now
                folder.rmdir()
        os.close(handle)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """`claimed`, for those who do not go on without it.

    Raises:
        UserError: another process is at work there.
        OSError: see `claimed`.
    """
    with claimed(folder) as ours:
        if not ours:
            raise UserError(f"another process is at work in {folder}; wait for it, or name another folder")
        yield


def place_of(folder: Path) -> str:
    """Names a folder among all of all machines, as long as this one runs: two of one name see each other's locks."""
    try:
        kernel = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        kernel = os.uname().nodename
    facts = folder.stat()
    return f"{kernel} {facts.st_dev} {facts.st_ino}"
