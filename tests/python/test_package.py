"""The library folder: built and run by a plain compiler, CMake, PlatformIO and, for boards, Arduino's way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, assert_refused, random_network, require, run_tool

from bs4nn_tc.base import resources
from bs4nn_tc.device import platformio
from bs4nn_tc.device.codegen import package, self_test
from bs4nn_tc.device.kernels import FAST, KERNELS, SMALL, Kernel
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(np.random.default_rng(0), (64, 40, 10), intensity_max=16)


@pytest.fixture
def folder(network: Network, tmp_path: Path) -> Path:
    network_file.save(network, tmp_path / "small.bs4nn")
    done = run_tool("package", "small.bs4nn", "-o", "a library", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "a library"


def expected(network: Network) -> str:
    result = reference.run(network, self_test.sample(3, network)[None])
    return f"class {result.answer[0]}, step {result.response_time[0]}\n"


def run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_a_plain_compiler(network: Network, folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "classify"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    sources = [*sorted((folder / "src").glob("*.c")), *sorted((folder / "src").glob("*.S"))]
    example = folder / "examples" / "host" / "classify.c"
    command = [require("gcc", "gcc"), *flags, f"-I{folder / 'src'}", *map(str, [*sources, example])]
    subprocess.run([*command, "-o", str(program)], check=True)
    assert run(program) == expected(network)


@pytest.mark.bounds
def test_cmake(network: Network, folder: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    cmake = str(Path(sys.executable).with_name("cmake"))  # of the dev extra
    subprocess.run([cmake, "-S", folder, "-B", build], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([cmake, "--build", build], check=True, stdout=subprocess.DEVNULL)
    assert run(build / "classify") == expected(network)


def test_the_small_kernel(network: Network, tmp_path: Path) -> None:
    """Its library has other sources, and CMake knows them."""
    network_file.save(network, tmp_path / "small.bs4nn")
    assert run_tool("package", "small.bs4nn", "--kernel", "small", "-o", "library", cwd=tmp_path).returncode == 0
    found = sorted(path.name for path in (tmp_path / "library" / "src").iterdir())
    network_files = ["bs4nn_net_small.c", "bs4nn_net_small.h"]
    small = ["bs4nn_small.c", *(f"bs4nn_small_{part}_thumb{n}.S" for part in ("look", "sort") for n in "12")]
    small.append("bs4nn_small_state.h")
    shared = ["bs4nn.h", *(f"bs4nn_{part}" for part in ("adders.h", "compiler.h", "encode.h", "init.c", "layout.h"))]
    assert found == [*shared, *network_files, *small]
    test_cmake(network, tmp_path / "library", tmp_path)


def test_platformio(network: Network, folder: Path, tmp_path: Path) -> None:
    """Packed by `pio pkg pack`, unpacked elsewhere, and used by a project through its path."""
    pack = [sys.executable, "-m", "platformio", "pkg", "pack", "-o", str(tmp_path / "small.tar.gz")]
    subprocess.run(pack, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    user = tmp_path / "user"
    (user / "src").mkdir(parents=True)
    shutil.unpack_archive(tmp_path / "small.tar.gz", tmp_path / "elsewhere")
    shutil.copytree(resources.FIRMWARE / "platform", user / "platform")
    shutil.copyfile(folder / "examples" / "host" / "classify.c", user / "src" / "main.c")
    (user / "platformio.ini").write_text(
        f"[env:native]\nplatform = symlink://${{PROJECT_DIR}}/platform\nlib_deps = symlink://{tmp_path / 'elsewhere'}\n"
    )
    platformio.run(user, ["run"], "native")
    assert run(user / ".pio" / "build" / "native" / "program") == expected(network)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_arduino(core: str, network: Network, tmp_path: Path) -> None:
    """The archive for the IDE: its sources and its example compile against the stand-in for a core."""
    package.write_zip(network, "small", tmp_path / "small.zip")
    package.write_zip(network, "small", tmp_path / "again.zip")
    assert (tmp_path / "small.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "small.zip") as archive:
        archive.extractall(tmp_path)
    library = tmp_path / "bs4nn_net_small"
    assert "includes=bs4nn_net_small.h\n" in (library / "library.properties").read_text()
    sketch = tmp_path / "classify.cpp"  # what the IDE makes of a sketch
    sketch.write_text("#include <Arduino.h>\n" + (library / "examples/classify/classify.ino").read_text())
    machine = ["-mthumb", f"-mcpu={core}", f"-I{library / 'src'}", f"-I{ROOT / 'tests' / 'arduino'}", "-c"]
    gcc = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    for source in [*sorted((library / "src").glob("*.[cS]")), sketch]:
        language = [gcc.removesuffix("gcc") + "g++", "-std=gnu++11"] if source.suffix == ".cpp" else [gcc]
        subprocess.run([*language, *machine, "-Wall", "-Werror", str(source), "-o", str(tmp_path / "o")], check=True)


TWO = """
#include "bs4nn_net_one.h"
#include "bs4nn_net_other.h"
#include <stdio.h>
static uint32_t one[BS4NN_NET_ONE_WORKSPACE_WORDS], other[BS4NN_NET_OTHER_WORKSPACE_WORDS];
static const uint8_t pixels[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
int main(void)
{
    bs4nn_t first, second;
    int errors = bs4nn_init(&first, &bs4nn_net_one, one, sizeof one);
    errors += bs4nn_init(&second, &bs4nn_net_other, other, sizeof other);
    printf("%d %d %d\\n", errors, bs4nn_classify(&first, pixels, NULL), bs4nn_classify(&second, pixels, NULL));
    return 0;
}
"""


def two_libraries(folder: Path, second: Kernel) -> tuple[str, list[Path]]:
    """Two packages side by side: what a program with both prints, and the library's folders."""
    images = np.zeros((1, 64), np.uint8)
    images[0, :16] = np.arange(1, 17)
    answers = []
    for seed, name in enumerate(("one", "other"), 7):
        made = random_network(np.random.default_rng(seed), (64, 40, 10), intensity_max=16)
        package.write_folder(made, name, folder / name, second if name == "other" else FAST)
        answers.append(reference.run(made, images).answer[0])
    (folder / "main.c").write_text(TWO)
    return f"0 {answers[0]} {answers[1]}\n", [folder / "one", folder / "other"]


def all_objects(library: Path, compiler: list[str]) -> list[Path]:
    """Every source of a library, compiled with its own headers, as Zephyr and the Arduino IDE link them."""
    made = []
    for source in sorted((library / "src").glob("*.[cS]")):
        made.append(library / f"{source.name}.o")
        subprocess.run([*compiler, f"-I{library / 'src'}", "-c", str(source), "-o", str(made[-1])], check=True)
    return made


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("flags", [["-O2"], ["-O2", "-flto"]], ids=["objects", "lto"])
def test_two_libraries_in_one_program(flags: list[str], kernel: Kernel, tmp_path: Path) -> None:
    """Each brings the kernel; linked whole, in whatever order, the program has one."""
    expected, libraries = two_libraries(tmp_path, kernel)
    gcc = [require("gcc", "gcc"), *flags]
    objects = [path for library in libraries for path in all_objects(library, gcc)]
    for order in (objects, objects[::-1], sorted(objects, key=lambda path: path.name)):
        include = [f"-I{library / 'src'}" for library in libraries]
        call = [*gcc, *include, str(tmp_path / "main.c"), *map(str, order), "-o", str(tmp_path / "main")]
        subprocess.run(call, check=True)
        assert run(tmp_path / "main") == expected


def test_two_libraries_on_a_core(tmp_path: Path) -> None:
    """The same with the assembly, linked for Cortex-M4: no function twice, none missing."""
    _, libraries = two_libraries(tmp_path, SMALL)
    gcc = [require("arm-none-eabi-gcc", "gcc-arm-none-eabi"), "-mcpu=cortex-m4", "-mthumb", "-O2"]
    objects = [path for library in libraries for path in all_objects(library, gcc)]
    call = [*gcc, "--specs=nosys.specs", *(f"-I{library / 'src'}" for library in libraries), str(tmp_path / "main.c")]
    subprocess.run([*call, *map(str, objects), "-o", str(tmp_path / "main.elf")], check=True)


@pytest.mark.parametrize("way", ["objects", "archives", "lto", "one source"])
def test_two_formats_in_one_program_are_refused(way: str, tmp_path: Path) -> None:
    """Linked whole or out of archives, or included together: an error that says what is wrong."""
    _, (one, other) = two_libraries(tmp_path, FAST)
    for path in (other / "src").iterdir():
        path.write_text(path.read_text().replace("BS4NN_FORMAT 5", "BS4NN_FORMAT 6").replace("!= 5", "!= 6"))
    flags = ["-O2", "-flto"] if way == "lto" else ["-O2"]
    gcc = [require("gcc", "gcc"), *flags]
    if way == "one source":
        call = [*gcc, f"-I{one / 'src'}", f"-I{other / 'src'}", "-c", str(tmp_path / "main.c"), "-o", "/dev/null"]
    else:
        parts = []
        for name, library in (("one", one), ("other", other)):
            user = library / "user.c"
            call_of_library = f"bs4nn_inputs(&bs4nn_net_{name})"
            user.write_text(
                f'#include "bs4nn_net_{name}.h"\nint {name}(void);\nint {name}(void) {{ return {call_of_library}; }}\n'
            )
            objects = all_objects(library, gcc)
            subprocess.run([*gcc, f"-I{library / 'src'}", "-c", str(user), "-o", str(library / "user.o")], check=True)
            if way == "archives":
                subprocess.run(["ar", "rc", str(library / "lib.a"), *map(str, objects)], check=True)
                objects = [library / "lib.a"]
            parts += [library / "user.o", *objects]
        (tmp_path / "main.c").write_text(
            "int one(void);\nint other(void);\nint main(void) { return one() + other(); }\n"
        )
        call = [*gcc, str(tmp_path / "main.c"), *map(str, parts), "-o", str(tmp_path / "main")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    why = "another version of the bs4nn library" if way == "one source" else "bs4nn_libraries_of_different_formats"
    assert why in done.stderr


def test_nothing_is_overwritten(network: Network, folder: Path, tmp_path: Path) -> None:
    call = ("package", tmp_path / "small.bs4nn", "-o", folder)
    assert run_tool(*call).returncode == 0  # the very library: nothing is left to do
    notes = folder / "notes.txt"
    notes.write_text("of the user's")
    assert_refused(run_tool(*call), "is there already")
    assert notes.read_text() == "of the user's"
    notes.unlink()
    changed = next((folder / "src").glob("bs4nn_net_*.c"))
    changed.write_text("/* by the user */\n")
    assert_refused(run_tool(*call), "is there already")
    assert changed.read_text() == "/* by the user */\n"
    assert_refused(run_tool("package", tmp_path / "small.bs4nn", "--name", "7up", "-o", tmp_path / "x"), "--name")
