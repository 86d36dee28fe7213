"""One search for compilers and emulators: what CC names, then PATH, then what PlatformIO has installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import run_tool

from bs4nn_tc.base import tools
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.device import doctor


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of PATH; nothing of the user's counts."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("CC", "PLATFORMIO_PACKAGES_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    return folder


def program(folder: Path, name: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_the_order_of_names_on_path(path: Path) -> None:
    assert tools.find(tools.HOST_COMPILER) is None
    clang = program(path, "clang")
    assert tools.find(tools.HOST_COMPILER) == [clang]
    cc = program(path, "cc")
    assert tools.find(tools.HOST_COMPILER) == [cc]
    gcc = program(path, "gcc")
    assert tools.require(tools.HOST_COMPILER) == [gcc]


def test_what_cc_names_counts_alone(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcc, mine = program(path, "gcc"), program(tmp_path / "my tools", "cc 2")
    for named, command in (
        ("gcc -O1", [gcc, "-O1"]),
        (mine, [mine]),
        (f"'{mine}' -DA='b c'", [mine, "-DA=b c"]),
        ("no-such-compiler", None),
        ("gcc '", None),
        ("  ", [gcc]),
    ):
        monkeypatch.setenv("CC", named)
        assert tools.find(tools.HOST_COMPILER) == command
    monkeypatch.setenv("CC", "no-such\ncompiler")
    with pytest.raises(MissingToolError, match=r"CC names no-such\\ncompiler, and no such program is there .*training"):
        tools.require(tools.HOST_COMPILER)


def test_platformios_package_is_the_last_resort(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingToolError, match="apt-get install gcc-arm-none-eabi libnewlib"):
        tools.require(tools.ARM_COMPILER)
    name = "arm-none-eabi-gcc"
    package = program(tmp_path / "core" / "packages" / "toolchain-gccarmnoneeabi" / "bin", name)
    assert tools.find(tools.ARM_COMPILER) == [package]
    elsewhere = program(tmp_path / "elsewhere" / "toolchain-gccarmnoneeabi" / "bin", name)
    monkeypatch.setenv("PLATFORMIO_PACKAGES_DIR", str(tmp_path / "elsewhere"))
    assert tools.find(tools.ARM_COMPILER) == [elsewhere]
    on_path = program(path, name)
    assert tools.find(tools.ARM_COMPILER) == [on_path]


@pytest.mark.usefixtures("offline")
def test_doctor_asks_the_same_and_calls_none_of_them_optional(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main road (train, generate, build, verify) is closed without any of them."""
    findings = {finding.what: finding for finding in doctor.examine()}
    for name in ("gcc", "arm-none-eabi-gcc", "qemu-system-arm"):
        assert (findings[name].found, findings[name].needed) == ("", True)
        assert findings[name].remedy.startswith("sudo apt-get install ")
    for name in ("gcc", "arm-none-eabi-gcc", "qemu-system-arm"):
        (path / name).write_text(f"#!/bin/sh\necho {name} of this test\n")
        (path / name).chmod(0o755)
        found = {finding.what: finding.found for finding in doctor.examine()}
        assert found[name] == f"{name} of this test"
    mine = program(tmp_path, "mine")
    Path(mine).write_text("#!/bin/sh\necho mine with $1\n")
    monkeypatch.setenv("CC", f"{mine} -O1")
    assert {finding.what: finding.found for finding in doctor.examine()}["gcc"] == "mine with -O1"


def test_doctor_ends_with_3_where_a_compiler_is_missing(path: Path) -> None:
    done = run_tool("doctor", "--json")
    assert done.returncode == 3
    missing = [one["what"] for one in json.loads(done.stdout)["findings"] if one["needed"] and not one["found"]]
    assert missing == ["gcc", "arm-none-eabi-gcc", "qemu-system-arm"]
