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
    image = self_test.image(3, network.inputs, network.intensity_max)
    result = reference.run(network, image[None])
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


def test_cmake(network: Network, folder: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    cmake = str(Path(sys.executable).with_name("cmake"))  # of the dev extra
    subprocess.run([cmake, "-S", folder, "-B", build], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([cmake, "--build", build], check=True, stdout=subprocess.DEVNULL)
    assert run(build / "classify") == expected(network)


def test_the_small_kernel(network: Network, tmp_path: Path) -> None:
    """Its library has other sources, and CMake knows them."""
    network_file.save(network, tmp_path / "small.bs4nn")
    assert run_tool("package", "small.bs4nn", "--small", "-o", "library", cwd=tmp_path).returncode == 0
    found = sorted(path.name for path in (tmp_path / "library" / "src").iterdir())
    network_files = ["bs4nn_net_small.c", "bs4nn_net_small.h"]
    small = ["bs4nn_small.c", "bs4nn_small_cortex_m.S"]
    assert found == ["bs4nn.h", "bs4nn_adders.h", "bs4nn_init.c", "bs4nn_layout.h", *network_files, *small]
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


def test_nothing_is_overwritten(network: Network, folder: Path, tmp_path: Path) -> None:
    assert_refused(run_tool("package", tmp_path / "small.bs4nn", "-o", folder), "is there already")
    assert_refused(run_tool("package", tmp_path / "small.bs4nn", "--name", "7up", "-o", tmp_path / "x"), "--name")
