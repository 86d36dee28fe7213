"""Outputs: what may be written where, what stays of what was there, and what a killed process leaves."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_network

from bs4nn_tc import cli
from bs4nn_tc.base import files, locks, staging
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import package, project
from bs4nn_tc.model import network_file


@pytest.fixture
def umask() -> Any:
    before = os.umask(0o027)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(umask: None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for mode in (0o600, 0o664):
        path.chmod(mode)
        files.write_atomically(path, b"again")
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"again", mode)
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may give files away")
def test_what_belongs_to_somebody_else_stays_theirs(tmp_path: Path) -> None:
    path, folder = tmp_path / "file", tmp_path / "folder"
    path.write_bytes(b"old")
    folder.mkdir(0o750)
    for one in (path, folder):
        os.chown(one, 1234, 1235)
    files.write_atomically(path, b"new")
    with files.new_folder(folder) as new:
        (new / "x").touch()
    for one in (path, folder):
        assert (one.stat().st_uid, one.stat().st_gid) == (1234, 1235)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert names(folder) == ["x"]


def test_symbolic_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name, target in (("link", "there/file"), ("second", "link"), ("folder", "there/project")):
        (tmp_path / name).symlink_to(target)
    for content in (b"through a dangling link", b"through one that leads somewhere"):
        files.write_atomically(tmp_path / "second", content)
        assert (tmp_path / "there" / "file").read_bytes() == content
        with files.new_folder(tmp_path / "folder") as new:
            (new / "x").write_bytes(content)
        assert (tmp_path / "there" / "project" / "x").read_bytes() == content
    assert all((tmp_path / name).is_symlink() for name in ("link", "second", "folder"))
    assert names(tmp_path / "there") == ["file", "project"]


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        (tmp_path / "link").symlink_to("fifo")
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "folder").mkdir()
        unusable = {"fifo": "no regular file", "socket": "no regular file", "link": "no regular file"}
        unusable |= {"loop": os.strerror(errno.ELOOP), "folder": "it is a folder", "/dev/null": "no regular file"}
        unusable |= {"none/file": "there is no folder", "folder/fifo/x": "there is no folder"}
        unusable |= {"n" * 256: os.strerror(errno.ENAMETOOLONG)}
        before = names(tmp_path)
        for name, words in unusable.items():
            for refuse in (files.check_target, lambda path: files.write_atomically(path, b"content")):
                with pytest.raises(UserError, match=words):
                    refuse(tmp_path / name)
        for name in ("fifo", "socket", "/dev/null"):
            with pytest.raises(UserError, match="is no folder"), files.new_folder(tmp_path / name):
                pass
        assert names(tmp_path) == before
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_what_a_process_has_open_but_has_no_name(tmp_path: Path) -> None:
    with (tmp_path / "gone").open("wb") as file:
        (tmp_path / "gone").unlink()
        with pytest.raises(UserError, match="no regular file"):
            files.write_atomically(Path(f"/dev/fd/{file.fileno()}"), b"content")
    assert names(tmp_path) == []


def test_names_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        files.write_atomically(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"
        (tmp_path / name).unlink()
        with files.new_folder(tmp_path / name) as new:
            (new / "x").touch()
        assert names(tmp_path / name) == ["x"]


def test_verbs_refuse_before_they_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that took a night is not to be lost to a bad name of the file."""
    monkeypatch.setattr(datasets, "load", None)  # none of them gets so far
    network, fifo = tmp_path / "n.bs4nn", tmp_path / "fifo"
    network_file.save(random_network(np.random.default_rng(0), (64, 8, 10), intensity_max=16), network)
    os.mkfifo(fifo)
    for call in (
        ("train", "--dataset", "digits", "-o", fifo),
        ("train", "--dataset", "digits", "--recipe", "s4nn", "-o", fifo),
        ("tune", network, "--dataset", "digits", "--accuracy", 0.5, "-o", fifo),
        ("tune", network, "--dataset", "digits", "--csv", fifo),
        ("refine", network, "--dataset", "digits", "-o", fifo),
        ("reorder", network, "--dataset", "digits", "-o", fifo),
        ("evaluate", network, "--dataset", "digits", "--save", fifo),
        ("report", network, "--dataset", "digits", "-o", fifo),
    ):
        with pytest.raises(UserError, match="no regular file"):
            cli.app([str(part) for part in call], standalone_mode=False)
    assert names(tmp_path) == ["fifo", "n.bs4nn"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT TESTED: standard output on a full disk; no /dev/full")
def test_standard_output_that_is_full_or_closed() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "bs4nn_tc", "boards", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"error: input or output: {os.strerror(errno.ENOSPC)}\n")
    done = subprocess.run([*command, "--help"], preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_too_many_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old project, run and store cannot be read or written, and nothing is called damaged."""
    monkeypatch.chdir(tmp_path)
    network_file.save(random_network(np.random.default_rng(0), (64, 8, 10), intensity_max=16), Path("n.bs4nn"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    for call in ("inspect n.bs4nn", "package n.bs4nn -o library", "train --run run --resume", "sweep --hidden 8"):
        monkeypatch.setattr(sys, "argv", ["bs4nn-tc", *call.split()])
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(64)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened[0], limit[1]))
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            for handle in opened:
                os.close(handle)
        said = capsys.readouterr().err
        assert (end.value.code, said.count("error: ")) == (2, 1), said
        assert os.strerror(errno.EMFILE) in said


def test_a_full_disk_and_a_failing_rename_leave_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")
    for call in ("fsync", "replace"):

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched, pytest.raises(UserError, match="no space left"):
            patched.setattr(os, call, fail)
            files.write_atomically(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"old"
        assert names(tmp_path) == ["file"]


# The writer of a file and of a folder, halfway: it says so, and waits to be killed.
_HALFWAY = """
import sys
from pathlib import Path
from bs4nn_tc.base.staging import file_beside, folder_beside
with file_beside(Path("file"), 0o666) as (handle, path), folder_beside(Path("folder")) as new:
    (new / "x").touch()
    print("halfway", flush=True)
    sys.stdin.read()
"""


def test_litter_is_removed_once_its_writer_is_dead(tmp_path: Path) -> None:
    keep = tmp_path / ".bs4nn-tc-notes"  # not a name that the tool gives
    keep.touch()
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _HALFWAY], stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "halfway\n"
        files.write_atomically(tmp_path / "other", b"")
        hidden = [name for name in names(tmp_path) if name.startswith(".")]
        assert len(hidden) == 3
        writer.kill()
    files.write_atomically(tmp_path / "other", b"")
    assert names(tmp_path) == [".bs4nn-tc-notes", "other"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_and_keeps_what_is_to_be_kept(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(staging, "_exchange", lambda *_: False)
    (tmp_path / "folder" / ".git" / "objects").mkdir(parents=True)
    (tmp_path / "folder" / "old").touch()
    with files.new_folder(tmp_path / "folder", (".git", ".pio")) as new:
        (new / "new").touch()
    assert names(tmp_path / "folder") == [".git", "new"]
    assert names(tmp_path / "folder" / ".git") == ["objects"]
    with pytest.raises(ZeroDivisionError), files.new_folder(tmp_path / "folder", (".git",)) as new:
        (new / "newer").touch()
        raise ZeroDivisionError
    assert names(tmp_path / "folder") == [".git", "new"]
    assert names(tmp_path) == ["folder"]


def test_what_was_put_aside_is_never_lost(tmp_path: Path) -> None:
    """A killed writer had taken .git out; meanwhile somebody removed the folder, or made another .git."""
    left = tmp_path / f".bs4nn-tc-{'0' * 16}"
    for other in (False, True):
        (left / "new" / ".git").mkdir(parents=True)
        (left / "journal.json").write_text('{"folder": "project", "keep": [".git"]}')
        if other:
            files.put_back(tmp_path / "project")
            assert names(tmp_path) == [left.name, "project"]
            assert (left / "new" / ".git").is_dir()
        else:
            files.put_back(tmp_path / "project")
            assert names(tmp_path / "project") == [".git"]
            assert names(tmp_path) == ["project"]


def test_whoever_opens_a_project_has_all_of_it_back(tmp_path: Path) -> None:
    """Killed between taking .git out of the old project and exchanging it with the new one."""
    network = random_network(np.random.default_rng(0), (64, 8, 10), intensity_max=16)
    board, folder = [load_board("qemu-m0")], tmp_path / "project"
    (folder / ".git").mkdir(parents=True)  # the user has begun with `git init`
    (folder / ".git" / "config").touch()
    project.generate(network, "n", board, folder)
    assert names(folder / ".git") == ["config"]
    for verb in (
        lambda: project.open_project(folder),
        lambda: project.generate(network, "n", board, folder),
        lambda: project.generate(network, "n", board, folder, force=True),
    ):
        left = tmp_path / f".bs4nn-tc-{'0' * 16}"
        (left / "new" / "src").mkdir(parents=True)
        (left / "journal.json").write_text('{"folder": "project", "keep": [".pio", ".vscode", ".git"]}')
        (folder / ".git").rename(left / "new" / ".git")
        verb()
        assert names(folder / ".git") == ["config"]
        assert names(tmp_path) == ["project"]


def test_a_package_that_is_there_is_not_written_twice(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 8, 10), intensity_max=16)
    folder = tmp_path / "library"
    for _ in range(2):
        package.write_folder(network, "n", folder)
    (folder / "notes").touch()
    with pytest.raises(UserError, match="is there already"):
        package.write_folder(network, "n", folder)


@pytest.mark.parametrize("journal", ['{"folder": "../project", "keep": [".git"]}', '{"folder": "..", "keep": []}', "{"])
def test_a_journal_that_is_not_the_tools(journal: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / f".bs4nn-tc-{'0' * 16}" / "new" / ".git").mkdir(parents=True)
    (inner / f".bs4nn-tc-{'0' * 16}" / "journal.json").write_text(journal)
    files.put_back(inner / "project")
    assert names(tmp_path) == ["inner"]


def test_a_claim_ends_with_its_holder(tmp_path: Path) -> None:
    with locks.claimed(tmp_path / "run") as ours, locks.claimed(tmp_path / "run") as theirs:
        assert (ours, theirs) == (True, False)
    assert not (tmp_path / "run").exists()  # nothing has been put there
    with locks.only_one(tmp_path / "run"):
        (tmp_path / "run" / "x").touch()
        with pytest.raises(UserError, match="another process"), locks.only_one(tmp_path / "run"):
            pass
    with locks.claimed(tmp_path / "run") as ours:
        assert ours
    assert names(tmp_path / "run") == ["x"]
