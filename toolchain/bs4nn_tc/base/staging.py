"""What is being written lies in a hidden place beside its target, locked by its writer, until it takes the target's.

A writer that is killed leaves that place behind. Its lock is gone, so whoever writes there next knows, puts back what
belongs to the user and removes the rest.

    .bs4nn-tc-0123456789abcdef          a file, or a folder that holds
        journal.json                    whose place it is to take, and what of the old one is to be kept
        new                             what was written; the old one, once both have changed places
        old                             the old one, where the file system cannot exchange two names at once
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bs4nn_tc.base import locks, plain_json
from bs4nn_tc.base.errors import UserError

_PREFIX = ".bs4nn-tc-"
_NAME = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}")
_JOURNAL, _NEW, _OLD = "journal.json", "new", "old"
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def file_beside(target: Path, mode: int) -> Iterator[tuple[int, Path]]:
    """A new, open file in the target's folder, locked until the end; removed then if it still has its name.

    Args:
        target: where it will be renamed to.
        mode: its permissions, of which the umask takes some away.

    Raises:
        OSError: it cannot be made.
    """
    tidy(target.parent)

    def make(path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    handle, path = _locked(target.parent, make)
    try:
        yield handle, path
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def folder_beside(target: Path, keep: Sequence[str] = ()) -> Iterator[Path]:
    """A new folder to be filled, which takes the target's place in the end, or vanishes if anything goes wrong.

    Args:
        target: missing, or a folder (no symbolic link to one), which is replaced.
        keep: names in it that move over to the new one.

    Raises:
        OSError: it cannot be made or renamed; the target is then as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    tidy(target.parent)

    def make(path: Path) -> int:
        path.mkdir(0o700)
        return os.open(path, _OPEN_FLAGS | os.O_DIRECTORY)

    handle, container = _locked(target.parent, make)
    try:
        (container / _JOURNAL).write_text(json.dumps({"folder": target.name, "keep": list(keep)}), encoding="utf-8")
        new = container / _NEW
        new.mkdir()
        yield new
        _take_place(new, target, keep)
    finally:
        _dissolve(container)
        os.close(handle)


def tidy(parent: Path) -> None:
    """Put back and remove what killed processes have left in a folder; what cannot be is left to the next who comes."""
    with contextlib.suppress(OSError):
        for path in [path for path in parent.iterdir() if _NAME.fullmatch(path.name)]:
            with contextlib.suppress(OSError):
                _tidy_one(path)


def _tidy_one(path: Path) -> None:
    handle = os.open(path, _OPEN_FLAGS)
    try:
        if not locks.lock(handle):  # it is being written, or the file system has no locks to tell by
            return
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            _dissolve(path)
        else:
            path.unlink()
    finally:
        os.close(handle)


def copy_owner_and_mode(handle: int, old: os.stat_result) -> None:
    """Give an open file or folder the permissions of the one that it replaces, and its owner where that is allowed."""
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o777)


def _locked(parent: Path, make: Callable[[Path], int]) -> tuple[int, Path]:
    """Something new with a name of ours; in the moment before it is locked, somebody who tidies up may remove it."""
    while True:
        path = parent / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            handle = make(path)
        except FileNotFoundError:
            if not parent.is_dir():
                raise
            continue
        if locks.lock(handle) is not False and locks.is_at(handle, path):
            return handle, path
        os.close(handle)


def _take_place(new: Path, target: Path, keep: Sequence[str]) -> None:
    if target.is_dir():
        handle = os.open(new, _OPEN_FLAGS | os.O_DIRECTORY)
        try:
            copy_owner_and_mode(handle, target.stat())
        finally:
            os.close(handle)
    try:
        new.rename(target)  # which is missing, or empty
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        return
    for name in keep:
        if os.path.lexists(target / name):
            (target / name).rename(new / name)
    if not _exchange(new, target):
        target.rename(new.with_name(_OLD))
        new.rename(target)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


def _dissolve(container: Path) -> None:
    """Put back what belongs to the user, and remove the rest.

    Raises:
        OSError: something of the user's cannot be put back; then nothing is removed.
    """
    journal = _read_journal(container)
    if journal is not None:
        _put_back(container, *journal)
    shutil.rmtree(container, ignore_errors=True)


def _read_journal(container: Path) -> tuple[Path, list[str]] | None:
    """The folder whose place is to be taken, and the names to keep; None if the writer did not get so far."""
    try:
        journal = plain_json.parse((container / _JOURNAL).read_bytes(), _JOURNAL)
        names = [journal["folder"], *journal["keep"]]
    except (FileNotFoundError, UserError, KeyError, TypeError):
        return None
    if not all(isinstance(name, str) and name not in (".", "..") and name == Path(name).name for name in names):
        return None
    return container.with_name(names[0]), names[1:]


def _put_back(container: Path, target: Path, keep: Sequence[str]) -> None:
    new, old = container / _NEW, container / _OLD
    if old.is_dir() and not os.path.lexists(target):
        old.rename(target)
    for path in [part / name for part in (new, old) for name in keep if os.path.lexists(part / name)]:
        if os.path.lexists(target / path.name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target / path.name))
        target.mkdir(exist_ok=True)
        path.rename(target / path.name)
