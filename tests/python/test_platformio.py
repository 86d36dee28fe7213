"""Running PlatformIO without its registry: prepared, built, emulated, and never a hang."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from bs4nn_tc.base import resources, tools
from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError
from bs4nn_tc.device import boards, platformio

pytestmark = pytest.mark.usefixtures("offline")

EMULATED = [board.id for board in boards.list_boards() if board.emulator is not None]
# PlatformIO's own tries take 61 s; a build of these few files takes one.
NO_HANG_SECONDS = 20.0

needs_emulation = pytest.mark.skipif(
    tools.find(tools.ARM_COMPILER) is None or tools.find(tools.emulator("qemu-system-arm")) is None,
    reason="needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm",
)

ECHO = """
#include "board.h"

int main(void)
{
    static uint8_t bytes[1000];
    size_t count = 0;
    int byte;
    board_init();
    while ((byte = board_read()) >= 0) {
        bytes[count++] = (uint8_t)byte;
        if (count == sizeof bytes) {
            board_write(bytes, count);
            count = 0;
        }
    }
    board_write(bytes, count);
    board_exit(board_read() < 0 ? 0 : 1); /* the end of the input stays the end */
    return 1;
}
"""
FAULT = """
#include "board.h"

int main(void)
{
    board_init();
    *(volatile uint32_t *)0xDFFFFFF0u = 1u;
    return 0;
}
"""


def _project(folder: Path, main: str) -> Path:
    """A project as `generate` lays it out, with another application."""
    shutil.copytree(resources.FIRMWARE / "platform", folder / "platform")
    shutil.copytree(resources.FIRMWARE / "lib" / "board", folder / "lib" / "board")
    shutil.copytree(resources.BOARDS / "emulated", folder / "boards")
    (folder / "src").mkdir()
    (folder / "src" / "main.c").write_text(main, encoding="utf-8")
    lines = ["[platformio]", "boards_dir = boards", "[env]", "platform = symlink://${PROJECT_DIR}/platform"]
    lines += ["build_flags = -Werror", "[env:native]"]
    for board_id in EMULATED:
        lines += [f"[env:{board_id}]", f"board = {board_id}"]
    lines += ["[env:real]", "platform = ststm32", "board = bluepill_f103c8", "framework = arduino"]
    (folder / "platformio.ini").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _project(tmp_path_factory.mktemp("with a space") / "my echo", ECHO)


def _command(project: Path, environment: str) -> list[str]:
    build = project / ".pio" / "build" / environment
    if environment == "native":
        return [str(build / "program")]
    emulator = boards.load_board(environment).emulator
    assert emulator is not None
    return [emulator.program, *emulator.arguments, "-kernel", str(build / "firmware.elf")]


@pytest.mark.parametrize("environment", ["native", *(pytest.param(b, marks=needs_emulation) for b in EMULATED)])
def test_every_byte_passes_the_console_in_both_directions(echo: Path, environment: str) -> None:
    platformio.run(echo, ["run"], environment)
    sent = bytes(range(256)) * 400  # 102,400 bytes; not a multiple of the 1,000 that are echoed at once
    done = subprocess.run(_command(echo, environment), input=sent, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == sent


@needs_emulation
@pytest.mark.parametrize(("target", "environment"), [("exec", "native"), ("exec", EMULATED[0]), ("upload", "native")])
def test_exec_and_upload_run_the_program(echo: Path, environment: str, target: str) -> None:
    lines: list[str] = []
    platformio.run(echo, ["run", "-t", target], environment, lines.append)
    assert any(line.startswith("Running") for line in lines)


@needs_emulation
def test_upload_flashes_an_emulated_board(echo: Path) -> None:
    platformio.run(echo, ["run", "-t", "upload"], EMULATED[0])
    built = echo / ".pio" / "build" / EMULATED[0] / "firmware.elf"
    assert (echo / ".pio" / "flash" / f"{EMULATED[0]}.elf").read_bytes() == built.read_bytes()


@needs_emulation
def test_nobuild_runs_what_is_there(echo: Path) -> None:
    platformio.run(echo, ["run"], EMULATED[1])
    lines: list[str] = []
    platformio.run(echo, ["run", "-t", "nobuild", "-t", "exec"], EMULATED[1], lines.append)
    assert any(line.startswith("Running") for line in lines)
    assert not any(line.startswith(("Compiling", "Linking")) for line in lines)


@needs_emulation
@pytest.mark.parametrize("environment", EMULATED)
def test_a_fault_ends_the_emulation_with_a_message(tmp_path: Path, environment: str) -> None:
    project = _project(tmp_path / "fault", FAULT)
    platformio.run(project, ["run"], environment)
    done = subprocess.run(_command(project, environment), input=b"", capture_output=True, timeout=60, check=False)
    assert done.returncode not in (0, 1)
    assert b"fault" in done.stderr
    with pytest.raises(TargetError):
        platformio.run(project, ["run", "-t", "exec"], environment)


def test_a_compiler_error_is_passed_on(tmp_path: Path) -> None:
    project = _project(tmp_path / "wrong", "int main(void) { return no_such_name; }\n")
    with pytest.raises(TargetError, match=r"src/main\.c:1:\d+: error: .*no_such_name.*--verbose") as raised:
        platformio.run(project, ["run"], "native")
    assert "\n" not in str(raised.value)


def test_a_plain_pio_needs_nothing_of_ours_and_leaves_no_package_behind(tmp_path: Path) -> None:
    project = _project(tmp_path / "plain project", ECHO)
    home = tmp_path / "home"
    state = home / ".platformio" / "appstate.json"
    state.parent.mkdir(parents=True)
    # The first start was weeks ago: PlatformIO would now look for upgrades, for 61 s off line.
    version = importlib.metadata.version("platformio")
    state.write_text(json.dumps({"last_version": version, "last_check": {"platformio_upgrade": 1}}), encoding="utf-8")
    variables = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "platformio", "run", "-e", "native", "-d", str(project)]
    started = time.monotonic()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - started < NO_HANG_SECONDS
    assert not (home / ".platformio" / "packages").exists()


# ---- What is missing is named, and fast ----


@pytest.mark.parametrize(
    ("environment", "package"), [("native", "gcc"), ("qemu-m3", "gcc-arm-none-eabi libnewlib-arm-none-eabi")]
)
def test_a_missing_compiler_names_its_package(
    echo: Path, environment: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    started = time.monotonic()
    with pytest.raises(MissingToolError) as raised:
        platformio.run(echo, ["run"], environment)
    assert time.monotonic() - started < NO_HANG_SECONDS
    assert f"apt-get install {package}" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Exception" not in str(raised.value)


@needs_emulation
def test_a_missing_emulator_names_its_package(echo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platformio.run(echo, ["run"], "qemu-m3")
    (tmp_path / "sh").symlink_to("/bin/sh")  # what SCons starts programs with
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get install qemu-system-arm"):
        platformio.run(echo, ["run", "-t", "nobuild", "-t", "exec"], "qemu-m3")


def test_a_real_board_off_line_is_refused_at_once(echo: Path) -> None:
    started = time.monotonic()
    with pytest.raises(MissingToolError, match="real needs packages from PlatformIO's registry \\(ststm32\\)"):
        platformio.run(echo, ["run"], "real")
    assert time.monotonic() - started < NO_HANG_SECONDS


@pytest.mark.parametrize(
    ("tool", "package"),
    [
        (tools.HOST_COMPILER, "gcc libc6-dev"),
        (tools.ARM_COMPILER, "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        (tools.emulator("qemu-system-arm"), "qemu-system-arm"),
    ],
)
def test_require_names_the_package(
    tool: tools.Tool, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.find(tool) is None
    with pytest.raises(MissingToolError, match=f"apt-get install {package}$"):
        tools.require(tool)


def test_the_first_name_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "clang"
    compiler.write_text("#!/bin/sh\n", encoding="utf-8")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.require(tools.HOST_COMPILER) == [str(compiler)]


# ---- On line or off ----


def test_off_line_pio_gets_a_prepared_core_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    notes: list[str] = []
    variables = platformio.environment_variables(notes.append)
    version = importlib.metadata.version("platformio")
    core = tmp_path / "bs4nn-tc" / f"platformio-{version}"
    assert variables["PLATFORMIO_CORE_DIR"] == str(core)
    assert variables["PLATFORMIO_DISABLE_UPGRADE_CHECK"] == "true"
    assert json.loads((core / "appstate.json").read_text(encoding="utf-8")) == {"last_version": version}
    assert len(notes) == 1
    assert str(core) in notes[0]


def test_a_used_core_folder_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    state = Path(platformio.offline_variables()["PLATFORMIO_CORE_DIR"]) / "appstate.json"
    state.write_text('{"last_version": "6.2.0", "more": 1}', encoding="utf-8")
    platformio.offline_variables()
    assert "more" in state.read_text(encoding="utf-8")


def test_many_processes_may_prepare_it_at_once(tmp_path: Path) -> None:
    variables = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    code = "from bs4nn_tc.device import platformio; print(platformio.offline_variables()['PLATFORMIO_CORE_DIR'])"
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    folders = {process.communicate(timeout=60)[0].strip() for process in started}
    assert [process.returncode for process in started] == [0] * 8
    (folder,) = folders
    assert json.loads((Path(folder) / "appstate.json").read_text(encoding="utf-8"))["last_version"]
    assert [file.name for file in Path(folder).iterdir()] == ["appstate.json"]


def test_the_users_own_core_folder_is_respected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "mine"))
    assert platformio.environment_variables() == {}


def test_on_line_pio_stays_the_ordinary_pio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(platformio.MODE_VARIABLE, "online")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert platformio.environment_variables() == {}
    assert not any(tmp_path.iterdir())


def test_a_cache_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/bs4nn-tc/platformio-"):
        platformio.offline_variables()


def test_a_registry_that_keeps_silent_is_given_up_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(platformio.MODE_VARIABLE)
    asked: list[object] = []

    def never(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        time.sleep(5)
        raise OSError("nobody there")

    monkeypatch.setattr("urllib.request.urlopen", never)
    started = time.monotonic()
    assert not platformio.registry_is_reachable()
    assert not platformio.registry_is_reachable()
    assert time.monotonic() - started < 4
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("outcome", "reachable"),
    [
        (urllib.error.HTTPError("https://registry", 404, "not here", Message(), None), True),
        (urllib.error.URLError("Tunnel connection failed: 403 Forbidden"), False),
        (ConnectionRefusedError(), False),
    ],
)
def test_any_answer_of_the_registry_counts(
    outcome: Exception, reachable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(platformio.MODE_VARIABLE)

    def answer(*_: object, **__: object) -> None:
        raise outcome

    monkeypatch.setattr("urllib.request.urlopen", answer)
    assert platformio.registry_is_reachable() is reachable
