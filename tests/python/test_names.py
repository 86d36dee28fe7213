"""Names of networks: whatever is accepted compiles, in a project, a library, its examples, a sketch and C++."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, random_network, require

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import names, pack, package, project, render
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

# Keywords of every C and C++, macros and functions of their libraries, of POSIX and of compilers, names of headers, of
# Arduino and CMake, and what our own examples, application and library call things.
NASTY = """
    asm auto bool break case catch char class const constexpr default delete do double else enum explicit export extern
    false final float for friend goto if import inline int long module namespace new noexcept nullptr operator override
    private public register requires restrict return short signed sizeof static struct switch template this thread_local
    throw true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor
    assert errno linux unix vax i386 arm sun stdin stdout stderr signals printf strlen memset memcpy malloc free exit
    abort main read write open close index y0 j1 gamma exp log sin pow abs div time clock rand remove signal uint8_t
    uint32_t size_t offsetof stdio stdint stddef limits string stdlib math inttypes arduino spi wire board protocol
    application bs4nn bs4nn_net bs4nn_t init classify trace inputs neurons t network_t layer_t run_t layout adders
    small state look sort encode dense decide compiler format net network result error workspace pixels answer images
    delay serial setup loop random map tone first second
    digest name layers rows columns all test clean help install package lib src library h c x a_name a_layers a a_inputs
""".split()

HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef stdint
    stdio stdlib string tgmath time wchar wctype
""".split()


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(np.random.default_rng(0), (9, 5, 3))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources of a network under all names."""
    folder = tmp_path_factory.mktemp("nasty")
    network = Network((Dense(np.ones((2, 3)), [1, 2]), Dense(np.ones((2, 2)), 1)), 4)
    for name in NASTY:
        for file, text in render.render_network(network, pack.pack(network), name).items():
            (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize("compiler", ["gcc -std=gnu17 -x c", "g++ -std=gnu++17 -x c++"])
def test_all_of_them_beside_the_standard_headers(compiler: str, generated: Path, tmp_path: Path) -> None:
    """All in one source, their folder searched before the system's."""
    headers = [name for name in HEADERS if "++" not in compiler or name != "complex"]
    lines = [f"#include <{name}.h>" for name in headers] + [f'#include "{names.c_name(name)}.c"' for name in NASTY]
    (tmp_path / "everything.c").write_text("\n".join(lines) + "\n")
    program, *flags = compiler.split()
    flags += ["-Wall", "-Wextra", "-Werror", "-Wno-unused-variable", f"-I{generated}", f"-I{resources.KERNEL}"]
    call = [require(program, "gcc g++"), *flags, "-fsyntax-only", str(tmp_path / "everything.c")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


def test_no_two_names_meet() -> None:
    """Neither files, on systems that take capitals for small letters, nor macros, nor symbols."""
    for one, other in itertools.combinations(NASTY, 2):
        assert names.c_name(one).casefold() != names.c_name(other).casefold()
    macros = ["INPUTS", "OUTPUTS", "NEURONS", "TIME_STEPS", "INTENSITY_MAX", "WORKSPACE_WORDS", "H"]
    made = [f"{names.c_name(name)}_{macro}".upper() for name in NASTY for macro in macros]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("name", ["stdio", "net", "printf", "delay"])
def test_library_and_project(name: str, network: Network, tmp_path: Path) -> None:
    """By a plain compiler: example and host program run and are right; the sketch compiles, and all sources as C++."""
    package.write_folder(network, name, tmp_path / "library")
    source = tmp_path / "library" / "src"
    gcc = [require("gcc", "gcc"), "-std=c99", "-Wall", "-Wextra", "-Werror"]
    sources = sorted(map(str, source.glob("*.c")))
    example = str(tmp_path / "library/examples/host/classify.c")
    for compiler in (gcc, [require("g++", "g++"), "-x", "c++"]):
        subprocess.run([*compiler, f"-I{source}", *sources, example, "-o", str(tmp_path / "classify")], check=True)
        subprocess.run([tmp_path / "classify"], check=True, stdout=subprocess.DEVNULL)
    sketch = tmp_path / "library/examples/classify/classify.ino"
    machine = ["arm-none-eabi-g++", "-mcpu=cortex-m0", "-mthumb", f"-I{source}", f"-I{ROOT / 'tests/arduino'}"]
    call = [*machine, "-include", "Arduino.h", "-x", "c++", "-Wall", "-Werror", "-c", str(sketch), "-o", "/dev/null"]
    subprocess.run(call, check=True)
    folder = project.generate(network, name, [boards.load_board("qemu-m0")], tmp_path / "project").folder
    parts = [folder / "src", *(folder / "lib").glob("*/src")]
    sources = [str(path) for part in parts for path in sorted(part.glob("*.c"))]
    call = [*gcc, "-DBOARD_PORT_HOST", *(f"-I{part}" for part in parts), *sources, "-o", str(tmp_path / "program")]
    subprocess.run(call, check=True)
    done = subprocess.run([tmp_path / "program"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert f"bs4nn: {name} (9-5-3)".encode() in done.stdout
    assert b"self-test passed" in done.stdout


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("NULL", "null"),
        ("EOF", "eof"),
        ("Serial", "serial"),
        ("Digits", "digits"),
        ("7up", "net7up"),
        ("", "net"),
        ("_x", "net_x"),
        ("two words", "two_words"),
        ("a-b", "a_b"),
        ("naïve", "na_ve"),
        ("x\n", "x_"),
        ("x" * 49, "x" * 48),
        ("7" * 99, "net" + "7" * 45),
        ("a_classify", "a"),
        ("a_stream_init", "a_stream"),
        ("A_Trace_Push", "a"),
    ],
)
def test_a_refused_name_comes_with_one_that_is_taken(name: str, near: str) -> None:
    with pytest.raises(UserError, match=f"--name {near}$"):
        names.check_name(name)
    assert names.check_name(near) == near


def test_names_from_files() -> None:
    assert names.name_from_file("MNIST-14x14 best.v2") == "mnist_14x14_best_v2"
    with pytest.raises(UserError, match=r"--name net2nd$"):
        names.name_from_file("2nd")
