"""Other people's tool chains, Arduino cores, shells and folder names: they work, or one line says why not."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, assert_refused, random_network, require, run_tool
from test_platformio import ECHO, _project, needs_emulation

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import MissingToolError, TargetError, UserError
from bs4nn_tc.device import boards, building, doctor, pio_output, platformio
from bs4nn_tc.device.codegen import project
from bs4nn_tc.device.kernels import KERNELS
from bs4nn_tc.model import network_file

pytestmark = pytest.mark.usefixtures("offline")

STANDIN = ROOT / "tests" / "arduino" / "platform"
# What a shell acts on: two kinds of command substitution, the end of a command, both quotes, and a backslash.
HOSTILE = 'it\'s "a" `touch PWNED`;touch PWNED;&touch PWNED| \\ #ü日'


# ---- Names of folders ----


@needs_emulation
def test_a_folders_name_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _project(tmp_path / HOSTILE, ECHO)
    monkeypatch.chdir(tmp_path)
    for environment, target in (("native", "exec"), ("qemu-m0", "exec"), ("qemu-m0", "upload")):
        lines: list[str] = []
        platformio.run(Path(HOSTILE), ["run", "-t", target], environment, lines.append)
        assert any(line.startswith(("Running", "Flashing")) for line in lines)
    assert (folder / ".pio" / "flash" / "qemu-m0.elf").is_file()
    assert not list(tmp_path.rglob("PWNED"))


SCONS_CANNOT = ["a$b", "a$(touch PWNED)b", "a${HOME}b", "a\tb", "a  b", "a "]


@pytest.mark.parametrize("name", SCONS_CANNOT)
def test_what_platformio_cannot_take_is_said_before_anything_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **_: started.append(arguments))
    with pytest.raises(UserError, match=r"PlatformIO cannot build in .*; rename or move the folder"):
        platformio.run(folder, ["run"], "native")
    assert not started


def test_a_link_to_such_a_folder_helps_nobody(tmp_path: Path) -> None:
    """PlatformIO asks the system where it is, and that knows no links."""
    (tmp_path / "a$b").mkdir()
    (tmp_path / "link").symlink_to("a$b")
    with pytest.raises(UserError, match=r"cannot build in .*a\$b: its path holds a dollar sign"):
        platformio.run(tmp_path / "link", ["run"], "native")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its path is not UTF-8"):
        platformio.run(tmp_path / os.fsdecode(b"a\xff"), ["run"], "native")


def _own_platform() -> object:
    specification = importlib.util.spec_from_file_location("own", resources.FIRMWARE / "platform" / "platform.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_plain_pio_says_so_too(tmp_path: Path) -> None:
    own = _own_platform()
    for name in SCONS_CANNOT:
        with pytest.raises(Exception, match="rename or move the folder"):
            own.check_path(str(tmp_path / name))  # type: ignore[attr-defined]
    own.check_path(str(tmp_path / HOSTILE))  # type: ignore[attr-defined]
    folder = _project(tmp_path / "a$(touch PWNED)b", ECHO)
    command = [sys.executable, "-c", platformio.OFFLINE_LAUNCHER, "run", "-t", "exec", "-e", "qemu-m0"]
    variables = {**os.environ, **platformio.environment_variables()}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "rename or move the folder" in done.stderr
    assert "Unknown board" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("character", "`\"'\\;&|<>\n")
def test_a_real_board_is_not_built_where_a_shell_would_act_on_the_path(character: str, tmp_path: Path) -> None:
    """Its platform is not ours, and writes command lines for a shell."""
    folder = tmp_path / f"a{character}b"
    folder.mkdir()
    (folder / "platformio.ini").write_text("[env:real]\nplatform = ststm32\n", encoding="utf-8")
    with pytest.raises(TargetError, match=r"(?s)rename or move the folder.* which a shell would act on"):
        platformio.run(folder, ["run"], "real")


def test_a_port_is_never_run(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    made = project.generate(network, "small", [boards.load_board("bluepill_f103c8")], tmp_path / "small")
    for port in ("`touch PWNED`", "$(touch PWNED)", 'x";touch PWNED;"'):
        with pytest.raises(TargetError, match="cannot take this port"):
            building.flash(made, "bluepill_f103c8", port)


def test_the_command_to_type_next_is_quoted(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    network_file.save(network, tmp_path / "small.bs4nn")
    done = run_tool("generate", "small.bs4nn", "--board", "qemu-m0", "-o", "my `project`", cwd=tmp_path)
    assert "next: bs4nn-tc build 'my `project`'" in done.stdout


# ---- Tool chains ----

REFUSAL = """#!/bin/sh
# A compiler that refuses some arguments, and has no headers of a C library.
for argument; do
    case "$argument" in
    {refused}) echo "{tool}: fatal error: cannot do with $argument" >&2; exit 1 ;;
    esac
done
exec {real} -nostdinc -isystem {headers} -isystem {headers}-fixed "$@"
"""


def _tool_chain(folder: Path, refused: str) -> Path:
    """A folder of stand-ins for the Arm compiler; `refused` is a pattern of the shell."""
    gcc = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    headers = subprocess.run([gcc, "-print-file-name=include"], capture_output=True, text=True, check=True).stdout
    folder.mkdir()
    text = REFUSAL.format(refused=refused, tool="arm-none-eabi-gcc", real=gcc, headers=headers.strip())
    (folder / "arm-none-eabi-gcc").write_text(text, encoding="utf-8")
    (folder / "arm-none-eabi-gcc").chmod(0o755)
    return folder


def test_a_host_compiler_with_arguments_in_a_folder_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "my tools" / "cc"
    compiler.parent.mkdir()
    compiler.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/first\nexec {require("gcc", "gcc")} "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", f"'{compiler}' -DMINE")
    folder = _project(tmp_path / "echo", ECHO)
    platformio.run(folder, ["run"], "native")
    assert set((tmp_path / "first").read_text().split()) == {"-DMINE"}


@needs_emulation
@pytest.mark.parametrize("board_id", ["qemu-m0", "qemu-m33"])
def test_no_c_library_and_no_specs_are_needed(board_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Homebrew's, or Debian's with picolibc in place of newlib: no nano.specs, no libc, no headers of one."""
    tools = _tool_chain(tmp_path / "bin", "--specs=*|-specs=*|-lc*|-lnosys|-Wl,-T*")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    made = project.generate(network, "small", [boards.load_board(board_id)], tmp_path / "small")
    (built,) = building.build(made, [board_id])
    emulator = boards.load_board(board_id).emulator
    assert emulator is not None
    command = [emulator.program, *emulator.arguments, "-kernel", str(built.program)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert b"self-test passed" in done.stdout
    assert done.returncode == 0


def test_a_compiler_that_platformio_has_installed_is_found_by_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build's own core folder has none."""
    made = _for("qemu-m0", tmp_path / "small")
    bin_folder = tmp_path / "packages" / "toolchain-gccarmnoneeabi" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "arm-none-eabi-gcc").write_text("#!/bin/sh\n")
    (bin_folder / "arm-none-eabi-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_PACKAGES_DIR", str(tmp_path / "packages"))
    environments: list[dict[str, str]] = []

    def started(*_: object, env: dict[str, str], **__: object) -> None:
        environments.append(env)
        raise OSError("far enough")

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(OSError, match="far enough"):
        platformio.run(made.folder, ["run"], "qemu-m0")
    assert environments[0]["PATH"].split(os.pathsep) == [str(tmp_path), str(bin_folder)]


def _finding(name: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine() if finding.what == name)


@needs_emulation
def test_doctor_links_for_every_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = "cortex-m0, cortex-m3, cortex-m4, cortex-m7, cortex-m33"
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{_tool_chain(tmp_path / 'fine', '--specs=*|-lc*')}:{path}")
    assert _finding("programs for Cortex-M").found == f"linked: {cores}"
    monkeypatch.setenv("PATH", f"{_tool_chain(tmp_path / 'old', '-mcpu=cortex-m33')}:{path}")
    old = _finding("programs for Cortex-M")
    assert old.found == ""
    assert "makes none for cortex-m33: arm-none-eabi-gcc: fatal error: cannot do with -mcpu=cortex-m33" in old.remedy
    monkeypatch.setenv("PATH", f"{_tool_chain(tmp_path / 'bare', '-lgcc')}:{path}")
    done = run_tool("doctor")
    assert done.returncode == 3
    assert f"makes none for {cores}: arm-none-eabi-gcc: fatal error: cannot do with -lgcc" in done.stdout + done.stderr


def test_doctor_knows_a_host_compiler_that_makes_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text('#!/bin/sh\necho "main.c:3:10: fatal error: stdio.h: No such file" >&2\nexit 1\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    finding = _finding("programs for this computer")
    assert finding.found == ""
    assert "stdio.h: No such file" in finding.remedy


@needs_emulation
def test_the_functions_on_memory_are_right(tmp_path: Path) -> None:
    """Called through pointers, so that the compiler puts nothing of its own in their place."""
    main = """
#include "board.h"
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile fill)(void *, int, size_t) = memset;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
static size_t (*volatile length)(const char *) = strlen;
static char text[] = "0123456789abcdef";

int main(void)
{
    char other[17];
    int right;
    board_init();
    right = copy(other, text, 17) == other && compare(other, text, 17) == 0 && length(other) == 16u;
    right = right && move(text + 3, text, 10) == text + 3 && compare(text, "0120123456789def", 17) == 0;
    right = right && move(text, text + 3, 10) == text && compare(text, "0123456789789def", 17) == 0;
    right = right && fill(text + 1, 0x178, 2) == text + 1 && compare(text, "0xx3456789789def", 17) == 0;
    right = right && compare("a\\xff", "a\\x01", 2) > 0 && compare("a", "b", 1) < 0 && compare("a", "b", 0) == 0;
    right = right && length("") == 0u;
    board_exit(right ? 0 : 1);
    return 1;
}
"""
    folder = _project(tmp_path / "memory", main)
    platformio.run(folder, ["run", "-t", "exec"], "qemu-m0")


# ---- Real boards: their cores, their registry ----


@pytest.fixture
def core_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PlatformIO's folder as a user has it after installing a platform: with a stand-in for one."""
    core = tmp_path / "core"
    (core / "platforms").mkdir(parents=True)
    (core / "platforms" / "standin").symlink_to(STANDIN)
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    return core


def _for(board_id: str, folder: Path) -> project.Project:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    return project.generate(network, "small", [boards.load_board(board_id)], folder)


@needs_emulation
def test_a_core_that_tells_the_assembler_nothing_links(core_folder: Path, tmp_path: Path) -> None:
    """And one that does not say how fast the processor is: PlatformIO's manifest does."""
    _own_platform().write_engine(core_folder / "packages" / "tool-scons")  # type: ignore[attr-defined]
    made = _for("standin_m4", tmp_path / "small")
    lines: list[str] = []
    platformio.run(made.folder, ["run", "-v"], "standin_m4", lines.append)
    program = building.program_path(made, "standin_m4")
    names = subprocess.run(["arm-none-eabi-nm", program], capture_output=True, text=True, check=True).stdout
    assert re.search(r" [TW] bs4nn_look_at_list$", names, re.MULTILINE)  # the assembly's
    assert any("board_arduino" in line and "-DBS4NN_CLOCK=64000000L" in line for line in lines)


@needs_emulation
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_core_that_is_not_known_gets_c_alone_and_no_bound(kernel: str, core_folder: Path, tmp_path: Path) -> None:
    """Even where its compiler takes it for one that runs the assembly."""
    _own_platform().write_engine(core_folder / "packages" / "tool-scons")  # type: ignore[attr-defined]
    network_file.save(random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16), tmp_path / "n.bs4nn")
    call = ("generate", tmp_path / "n.bs4nn", "--board", "standin_unknown", "--board", "standin_m4", "--kernel", kernel)
    said = run_tool(*call, "-o", tmp_path / "project").stdout
    assert "standin_unknown: the kernel in portable C; no bound of instructions is known for cortex-m0plus.sm" in said
    assert "| on standin_unknown | the kernel in portable C; no bound" in (tmp_path / "project/README.md").read_text()
    built = json.loads(run_tool("build", tmp_path / "project", "-e", "standin_unknown", "--json").stdout)
    assert built["kernel"] == kernel
    assert built["builds"][0]["instructions_at_most"] is None
    made = project.open_project(tmp_path / "project")
    assert _assembly(made, "standin_unknown") == ""
    assert made.instructions_at_most["standin_m4"] > 10_000
    building.build(made, ["standin_m4"])
    assert f" W {KERNELS[kernel].assembly.function}\n" in _assembly(made, "standin_m4")


def _assembly(made: project.Project, environment: str) -> str:
    """What the kernel's assembly has brought into a build: symbols with their addresses, a line each."""
    objects = list((made.folder / ".pio" / "build" / environment).glob("lib*/bs4nn/*thumb*.o"))
    assert len(objects) == 4
    command = ["arm-none-eabi-nm", "--defined-only", "--quiet", *map(str, objects)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines(keepends=True)
    return "".join(line for line in lines if " " in line)


def test_a_missing_build_engine_is_named_with_the_folder_it_belongs_in(core_folder: Path, tmp_path: Path) -> None:
    made = _for("standin_m4", tmp_path / "small")
    with pytest.raises(MissingToolError) as raised:
        building.build(made, ["standin_m4"])
    assert "(platformio/tool-scons @ " in str(raised.value)
    assert str(core_folder) in str(raised.value)
    assert "~/.platformio" not in str(raised.value)


@pytest.mark.parametrize("clock", ["", "-DF_CPU=48000000L", "-DBS4NN_CLOCK=133000000L", "-DBS4NN_CLOCK="])
def test_the_arduino_port_needs_no_clock(clock: str, tmp_path: Path) -> None:
    compiler = require("arm-none-eabi-g++", "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib")
    port = ROOT / "firmware" / "lib" / "board" / "src"
    flags = ["-mthumb", "-mcpu=cortex-m0plus", "-std=gnu++11", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command = [compiler, *flags, "-DARDUINO=10819", f"-I{port}", f"-I{STANDIN.parent}", *([clock] if clock else [])]
    subprocess.run([*command, "-c", str(port / "board_arduino.cpp"), "-o", str(tmp_path / "port.o")], check=True)
    names = subprocess.run(["arm-none-eabi-nm", tmp_path / "port.o"], capture_output=True, text=True, check=True).stdout
    assert ("micros" in names) is clock.endswith("L")  # an M0 has no counter of its own


@needs_emulation
def test_one_board_without_its_platform_does_not_stop_the_others(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)
    chosen = [boards.load_board(name) for name in ("bluepill_f103c8", "qemu-m0")]
    project.generate(network, "small", chosen, tmp_path / "small")
    done = run_tool("build", tmp_path / "small", "-e", "bluepill_f103c8", "-e", "qemu-m0")
    assert_refused(done, "built: qemu-m0; not built: bluepill_f103c8 (", "(ststm32)", status=3)
    assert "qemu-m0" in done.stdout  # its bytes
    assert (tmp_path / "small" / ".pio" / "build" / "qemu-m0" / "firmware.elf").is_file()


# ---- Reasons ----


@needs_emulation
def test_the_linkers_number_of_bytes_reaches_the_user(tmp_path: Path) -> None:
    main = ECHO.replace("bytes[1000]", "bytes[20000]")
    folder = _project(tmp_path / "large", main)
    with pytest.raises(TargetError, match=r": region `RAM' overflowed by \d+ bytes; take fewer") as raised:
        platformio.run(folder, ["run"], "qemu-m0")
    assert "collect2" not in str(raised.value)


LD = "/usr/lib/gcc/arm-none-eabi/12.2.1/../../../arm-none-eabi/bin/ld: "
BANNER = [
    "Processing qemu-m0 (board: qemu-m0; platform: symlink:///home/x/error: y/platform)",
    "-" * 80,
    "Verbose mode can be enabled via `-v, --verbose` option",
    "Compiling .pio/build/qemu-m0/src/error.o",
]
TABLE = [
    "*** [.pio/build/qemu-m0/firmware.elf] Error 1",
    "========================== [FAILED] Took 2.34 seconds ==========================",
    "",
    "Environment    Status    Duration",
    "-------------  --------  ------------",
    "qemu-m0        FAILED    00:00:02.342",
    "==================== 1 failed, 0 succeeded in 00:00:02.342 ====================",
]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            [
                f"{LD}.pio/build/x/firmware.elf section `.rodata' will not fit in region `FLASH'",
                f"{LD}region `FLASH' overflowed by 1168 bytes",
                "collect2: error: ld returned 1 exit status",
            ],
            "region `FLASH' overflowed by 1168 bytes; take fewer neurons or a larger board",
        ),
        (
            [
                f"{LD}warning: something harmless",
                f"{LD}lib.a(k.o): in function `run':",
                "/home/x/k.c:9: undefined reference to `bs4nn_look_at_list'",
                "collect2: error: ld returned 1 exit status",
            ],
            "/home/x/k.c:9: undefined reference to `bs4nn_look_at_list'",
        ),
        (
            [f"{LD}cannot find -lc: No such file or directory", "collect2: error: x"],
            "cannot find -lc: No such file or directory",
        ),
        (
            [f"{LD}final link failed: No space left on device", "collect2: error: ld returned 1 exit status"],
            "final link failed: No space left on device",
        ),
        (
            ["src/main.c:1:2: error: unknown type", "src/main.c:9:2: error: later"],
            "src/main.c:1:2: error: unknown type",
        ),
        (["Error: Unknown board ID 'x'"], "Unknown board ID 'x'"),
        (
            ["*** missing SConscript file '/tmp/a/platform/builder/main.py'", 'File "/x/builder/main.py", line 1'],
            "missing SConscript file '/tmp/a/platform/builder/main.py'",
        ),
        (
            [
                "OSError: Traceback (most recent call last):",
                '  File "x.py", line 1',
                "OSError: [Errno 28] No space left",
            ],
            "OSError: [Errno 28] No space left",
        ),
        (["sh: 1: arm-none-eabi-gcc: not found"], "sh: 1: arm-none-eabi-gcc: not found"),
        ([], "it did not say why"),
    ],
)
def test_the_line_that_says_why(said: list[str], reason: str) -> None:
    assert pio_output.reason([*BANNER, *said, *TABLE]) == reason


def test_a_killed_platformio_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "OFFLINE_LAUNCHER", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(TargetError, match="PlatformIO was ended by SIGKILL"):
        platformio.run(tmp_path, ["run"], "native")
