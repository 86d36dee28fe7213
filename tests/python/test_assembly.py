"""What assembly and C have to know of each other: where fields lie, and how much stack is used."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest
from conftest import require

from bs4nn_tc.base import resources
from bs4nn_tc.device.kernels import KERNELS

VERSIONS = {"cortex-m0": ("THUMB_1", "thumb1"), "cortex-m4": ("THUMB_2", "thumb2")}


def kernel_file(kernel: str, ending: str) -> Path:
    (found,) = (path for path in KERNELS[kernel].files if path.name.endswith(ending))
    return found


def compile_for(core: str, source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    gcc = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    command = [gcc, f"-mcpu={core}", "-mthumb", "-O1", "-ffreestanding", f"-I{source.parent}", f"-I{resources.KERNEL}"]
    return subprocess.run([*command, "-c", source, "-o", target], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_two_fields_that_change_places_do_not_compile(kernel: str, tmp_path: Path) -> None:
    """Every pair of neighbours that the assembly reads; without a change it compiles."""
    state = kernel_file(kernel, "_state.h")
    text = state.read_text()
    source = tmp_path / "includes.c"
    source.write_text(f'#include "{state.name}"\n')
    (tmp_path / state.name).write_text(text)
    assert compile_for("cortex-m4", source, tmp_path / "same.o").returncode == 0
    for one, other in neighbours(text):
        between = text[one.end() : other.start()]
        (tmp_path / state.name).write_text(text[: one.start()] + other[0] + between + one[0] + text[other.end() :])
        done = compile_for("cortex-m4", source, tmp_path / "swapped.o")
        assert "as_assembly_has_it" in done.stderr, (one[0], other[0])


@pytest.mark.parametrize("kernel", KERNELS)
def test_assembly_finds_fields_that_move_or_refuses(kernel: str, tmp_path: Path) -> None:
    """Two neighbours exchanged, their offsets as well: other instructions, or what is loaded together is apart."""
    state = kernel_file(kernel, "_state.h")
    text = state.read_text()
    source = tmp_path / "look.S"
    source.write_text(kernel_file(kernel, "_look_thumb2.S").read_text())
    (tmp_path / state.name).write_text(text)
    assert compile_for("cortex-m4", source, tmp_path / "look.o").returncode == 0
    before = (tmp_path / "look.o").read_bytes()
    refused = 0
    for one, other in neighbours(text):
        between = text[one.end(3) : other.start(3)]
        (tmp_path / state.name).write_text(text[: one.start(3)] + other[3] + between + one[3] + text[other.end(3) :])
        done = compile_for("cortex-m4", source, tmp_path / "look.o")
        refused += "do not stand together" in done.stderr
        assert "do not stand together" in done.stderr or (tmp_path / "look.o").read_bytes() != before
    assert refused > 5


@pytest.mark.parametrize("core", VERSIONS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_stack_that_is_stated_is_what_the_code_pushes(kernel: str, core: str, tmp_path: Path) -> None:
    version, file = VERSIONS[core]
    source = kernel_file(kernel, f"_look_{file}.S")
    assembly = KERNELS[kernel].assembly
    assert assembly is not None
    assert compile_for(core, source, tmp_path / "a.o").returncode == 0
    dump = [require("arm-none-eabi-objdump", "binutils-arm-none-eabi"), "-d", "--no-show-raw-insn", tmp_path / "a.o"]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    lines = text.split(f"<{assembly.function}>:\n")[1].split("\n\n")[0].splitlines()
    pushed = [(index, pushed_bytes(line)) for index, line in enumerate(lines)]
    # The function begins with the registers that it saves; whatever it pushes later it takes back before the next push.
    at_entry = sum(count for index, count in pushed if index < 10)
    later = max((count for index, count in pushed if index >= 10), default=0)
    header = kernel_file(kernel, assembly.header).read_text()
    stated = dict(re.findall(rf"#define {version}_(\w+)_STACK (\d+)", header))
    assert at_entry == int(stated["LOOK"])
    assert later == int(stated["MOST"])


def neighbours(text: str) -> list[tuple[re.Match[str], re.Match[str]]]:
    """Lines of the lists of fields, two by two: FIELD(offset, type and name), in one list."""
    fields = list(re.finditer(r"\bFIELD\((\d+)(, )([^)]*)\)", text))
    assert len(fields) > 15
    return [(one, other) for one, other in itertools.pairwise(fields) if other[1] != "0"]


def pushed_bytes(line: str) -> int:
    """Bytes by which an instruction moves the stack pointer down."""
    listed = re.search(r"(?:push|stmdb\s+sp!,)\s*\{(.*)\}", line)
    if listed is not None:
        return 4 * sum(_registers(part.strip()) for part in listed[1].split(","))
    moved = re.search(r"\bsub(?:\.w)?\s+sp, (?:sp, )?#(\d+)", line)
    if moved is not None:
        return int(moved[1])
    stored = re.search(r"\[sp, #-(\d+)\]!", line)
    return int(stored[1]) if stored is not None else 0


def _registers(part: str) -> int:
    names = {"sl": 10, "fp": 11, "ip": 12, "lr": 14, "r9": 9}
    first, _, last = part.partition("-")
    if not last:
        return 1
    numbers = [names.get(name) or int(name.removeprefix("r")) for name in (first.strip(), last.strip())]
    return numbers[1] - numbers[0] + 1
