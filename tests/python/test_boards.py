"""Board manifests: facts from data sheets, near names, and broken manifests."""

from __future__ import annotations

import configparser
import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, random_network, require, run_tool

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import project

# From the boards' data sheets and QEMU's documentation, not from our manifests.
FACTS = {
    "qemu-m0": ("cortex-m0", 256 * 1024, 16 * 1024, 16_000_000),
    "qemu-m3": ("cortex-m3", 4 * 1024**2, 4 * 1024**2, 25_000_000),
    "qemu-m4": ("cortex-m4", 4 * 1024**2, 4 * 1024**2, 25_000_000),
    "qemu-m7": ("cortex-m7", 4 * 1024**2, 4 * 1024**2, 25_000_000),
    "qemu-m33": ("cortex-m33", 4 * 1024**2, 4 * 1024**2, 20_000_000),
    "bluepill_f103c8": ("cortex-m3", 64 * 1024, 20 * 1024, 72_000_000),
    "nucleo_f401re": ("cortex-m4", 512 * 1024, 96 * 1024, 84_000_000),
    "nucleo_g071rb": ("cortex-m0plus", 128 * 1024, 36 * 1024, 64_000_000),
    "nucleo_h743zi": ("cortex-m7", 2048 * 1024, 512 * 1024, 480_000_000),
    "nucleo_l552ze_q": ("cortex-m33", 512 * 1024, 256 * 1024, 110_000_000),
    "pico": ("cortex-m0plus", 2048 * 1024, 264 * 1024, 133_000_000),
    "nrf52840_dk": ("cortex-m4", 1024 * 1024, 256 * 1024, 64_000_000),
    "teensy41": ("cortex-m7", 7936 * 1024, 512 * 1024, 600_000_000),
    "adafruit_feather_m0": ("cortex-m0plus", 256 * 1024, 32 * 1024, 48_000_000),
}
# PlatformIO's own names.
PLATFORMS = {
    "bluepill_f103c8": "ststm32",
    "nucleo_f401re": "ststm32",
    "nucleo_g071rb": "ststm32",
    "nucleo_h743zi": "ststm32",
    "nucleo_l552ze_q": "ststm32",
    "pico": "raspberrypi",
    "nrf52840_dk": "nordicnrf52",
    "teensy41": "teensy",
    "adafruit_feather_m0": "atmelsam",
}
MACHINES = {
    "qemu-m0": "microbit",
    "qemu-m3": "mps2-an385",
    "qemu-m4": "mps2-an386",
    "qemu-m7": "mps2-an500",
    "qemu-m33": "mps2-an505",
}


@pytest.mark.parametrize("board_id", FACTS)
def test_facts_agree_with_the_data_sheet(board_id: str) -> None:
    board = boards.load_board(board_id)
    assert (board.core, board.flash_bytes, board.ram_bytes, board.f_cpu) == FACTS[board_id]


@pytest.mark.parametrize("board", boards.list_boards(), ids=lambda board: board.id)
def test_every_board_is_usable(board: boards.Board) -> None:
    manifest = json.loads(board.manifest.read_text(encoding="utf-8"))
    assert board.manifest.is_relative_to(resources.BOARDS)
    assert board.reserved_flash_bytes < board.flash_bytes
    assert board.reserved_ram_bytes < board.ram_bytes
    for field in ("name", "vendor", "url"):  # PlatformIO refuses a manifest without
        assert manifest[field]
    if board.kind == "emulated":
        assert board.emulator is not None
        assert board.manifest.parent.name == "emulated"
        assert board.port == "semihosting"
        assert manifest["bs4nn"]["memory"]["stack_bytes"] <= board.reserved_ram_bytes
        machine = board.emulator.arguments[board.emulator.arguments.index("-machine") + 1]
        assert machine == MACHINES[board.id]
    else:
        assert (board.kind, board.port) == ("real", "arduino")
        assert board.manifest.parent.name == "real"
        assert (board.platform, board.framework) == (PLATFORMS[board.id], "arduino")


def test_all_boards_are_listed_once_emulated_first_smallest_core_first() -> None:
    listed = [board.id for board in boards.list_boards()]
    assert listed[:5] == list(MACHINES)
    assert sorted(listed[5:]) == sorted(PLATFORMS)


@pytest.mark.parametrize("board_id", PLATFORMS)
def test_the_project_of_a_real_board_names_platform_board_and_framework(board_id: str, tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    made = project.generate(network, "small", [boards.load_board(board_id)], tmp_path / "small")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(made.folder / "platformio.ini")
    section = settings[f"env:{board_id}"]
    assert (section["platform"], section["board"], section["framework"]) == (PLATFORMS[board_id], board_id, "arduino")
    assert section["monitor_speed"] == "115200"
    assert board_id in section["build_flags"]


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_the_arduino_port_compiles_against_a_stand_in_for_the_core(core: str, tmp_path: Path) -> None:
    compiler = require("arm-none-eabi-g++", "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    port = ROOT / "firmware" / "lib" / "board" / "src"
    flags = ["-mthumb", f"-mcpu={core}", "-std=gnu++11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command = [compiler, *flags, "-DARDUINO=10819", f"-I{port}", f"-I{ROOT / 'tests' / 'arduino'}"]
    subprocess.run([*command, "-c", str(port / "board_arduino.cpp"), "-o", str(tmp_path / "port.o")], check=True)


@pytest.mark.parametrize(
    ("typed", "meant"), [("bluepill", "bluepill_f103c8"), ("qemu-m4f", "qemu-m4"), ("nucleo", "nucleo_f401re")]
)
def test_an_unknown_board_names_near_ones_and_the_remedy(typed: str, meant: str) -> None:
    with pytest.raises(UserError) as raised:
        boards.load_board(typed)
    message = str(raised.value)
    assert typed in message
    assert meant in message
    assert "bs4nn-tc boards" in message
    assert "\n" not in message


def test_an_unknown_board_like_none_names_no_near_one() -> None:
    with pytest.raises(UserError, match=r"'zzzzzz'; bs4nn-tc boards"):
        boards.load_board("zzzzzz")


# ---- Boards of PlatformIO's own platforms ----


@pytest.fixture
def platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PlatformIO core folder with one platform of three boards, as the registry's platforms look."""
    platform = tmp_path / "core" / "platforms" / "ststm32@17.0.0"
    (platform / "boards").mkdir(parents=True)
    (platform / "platform.json").write_text('{"name": "ststm32", "version": "17.0.0"}', encoding="utf-8")
    disco = {
        "name": "ST STM32F4DISCOVERY",
        "vendor": "ST",
        "url": "https://example.org",
        "build": {"core": "stm32", "cpu": "cortex-m4", "f_cpu": "168000000L", "mcu": "stm32f407vgt6"},
        "frameworks": ["arduino", "cmsis", "zephyr"],
        "upload": {"maximum_size": 1048576, "maximum_ram_size": 131072, "protocol": "stlink"},
    }
    bare = {**disco, "frameworks": ["cmsis"]}
    own = {**disco, "name": "not this one"}
    for name, manifest in (("disco_f407vg", disco), ("bare_f407", bare), ("nucleo_f401re", own)):
        (platform / "boards" / f"{name}.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "core" / "platforms" / "damaged" / "boards").mkdir(parents=True)
    (tmp_path / "core" / "platforms" / "damaged" / "platform.json").write_text("{", encoding="utf-8")
    monkeypatch.delenv("PLATFORMIO_PLATFORMS_DIR", raising=False)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    return platform


def test_any_board_of_an_installed_platform_works_by_its_name(platforms: Path, tmp_path: Path) -> None:
    board = boards.load_board("disco_f407vg")
    assert (board.core, board.f_cpu, board.flash_bytes, board.ram_bytes) == ("cortex-m4", 168_000_000, 2**20, 2**17)
    assert (board.port, board.emulator) == ("arduino", None)
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    made = project.generate(network, "small", [board], tmp_path / "small")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(made.folder / "platformio.ini")
    section = settings["env:disco_f407vg"]
    assert (section["platform"], section["board"], section["framework"]) == ("ststm32", "disco_f407vg", "arduino")
    assert not (made.folder / "boards" / "disco_f407vg.json").exists()  # PlatformIO's own manifest is the better one
    assert project.open_project(made.folder).boards == ("disco_f407vg",)
    listed = json.loads(run_tool("boards", "--installed", "--json").stdout)["boards"]
    assert [one["id"] for one in listed if one["id"] in ("disco_f407vg", "bare_f407")] == ["disco_f407vg"]


def test_what_a_firmware_needs_follows_from_the_port(tmp_path: Path) -> None:
    """Not from whether somebody can emulate the board."""
    board = dataclasses.replace(boards.load_board("qemu-m0"), emulator=None)
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    made = project.generate(network, "small", [board], tmp_path / "small")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(made.folder / "platformio.ini")
    section = settings["env:qemu-m0"]
    assert section["platform"] == "symlink://${PROJECT_DIR}/platform"
    assert "framework" not in section
    assert "BS4NN_CLOCK" not in section["build_flags"]
    assert (made.folder / "boards" / "qemu-m0.json").is_file()


def test_our_own_manifest_comes_first(platforms: Path) -> None:
    assert boards.load_board("nucleo_f401re").name != "not this one"


def test_a_board_without_an_arduino_core_or_facts_is_refused(platforms: Path) -> None:
    with pytest.raises(UserError, match=r"no Arduino core for the board 'bare_f407' \(it has: cmsis\).*package"):
        boards.load_board("bare_f407")
    (platforms / "boards" / "half.json").write_text('{"frameworks": ["arduino"]}', encoding="utf-8")
    with pytest.raises(UserError, match="no field build"):
        boards.load_board("half")
    assert boards.find_board("half") is None
    with pytest.raises(UserError, match=r"did you mean disco_f407vg.*pio pkg install"):
        boards.load_board("disco_f407")


@pytest.mark.parametrize("name", ["", "../real/nucleo_f401re", "qemu-m0.json", "/etc/passwd"])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(UserError, match="unknown board"):
        boards.load_board(name)


def _broken(tmp_path: Path, field: str, value: Any, board_id: str = "qemu-m3") -> Path:
    """A copy of a good manifest with one field replaced, or removed for `...`."""
    manifest = json.loads(boards.load_board(board_id).manifest.read_text(encoding="utf-8"))
    *parents, last = field.split(".")
    place = manifest
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "build",
        "build.cpu",
        "build.f_cpu",
        "upload.maximum_size",
        "upload.maximum_ram_size",
        "bs4nn",
        "bs4nn.port",
        "bs4nn.reserved.flash_bytes",
        "bs4nn.reserved.ram_bytes",
        "bs4nn.emulator.arguments",
        "bs4nn.emulator.program",
        "bs4nn.emulator",
    ],
)
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    path = _broken(tmp_path, field, ...)
    with pytest.raises(UserError) as raised:
        boards.read_board(path)
    assert str(path) in str(raised.value)
    assert f"has no field {field}" in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 3),
        ("build", "cortex-m3"),
        ("build.f_cpu", "fast"),
        ("build.f_cpu", 16_000_000),
        ("upload.maximum_size", "65536"),
        ("upload.maximum_size", 65536.5),
        ("upload.maximum_ram_size", -1),
        ("upload.maximum_ram_size", True),
        ("bs4nn.reserved.ram_bytes", None),
        ("bs4nn.emulator.arguments", "-machine mps2-an385"),
        ("bs4nn.emulator.arguments", [1]),
        ("bs4nn.port", "telnet"),
        ("bs4nn.port", 1),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(tmp_path: Path, field: str, value: Any) -> None:
    path = _broken(tmp_path, field, value)
    with pytest.raises(UserError) as raised:
        boards.read_board(path)
    assert str(path) in str(raised.value)
    assert field in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b'{"bs4nn": 1}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.json"):
        boards.read_board(path)
