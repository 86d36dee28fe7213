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

VERSIONS = {"cortex-m0": "THUMB_1", "cortex-m4": "THUMB_2"}


def parts_of(name: str) -> tuple[Path, str, str]:
    """A kernel's assembly, the header that both languages read, and the C."""
    kernel = KERNELS[name]
    assert kernel.assembly is not None
    (assembly,) = (path for path in kernel.sources if path.suffix == ".S")
    text = {path.name: path.read_text() for path in kernel.files}
    return assembly, text[kernel.assembly.header], text[kernel.main]


def compile_for(core: str, source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    gcc = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    command = [gcc, f"-mcpu={core}", "-mthumb", "-O1", "-ffreestanding", f"-I{source.parent}", f"-I{resources.KERNEL}"]
    return subprocess.run([*command, "-c", source, "-o", target], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_two_fields_that_change_places_do_not_compile(kernel: str, tmp_path: Path) -> None:
    """Every pair of neighbours that the assembly reads; without a change it compiles."""
    _, header, source = parts_of(kernel)
    copy = tmp_path / KERNELS[kernel].main
    (tmp_path / KERNELS[kernel].assembly.header).write_text(header)
    copy.write_text(source)
    assert compile_for("cortex-m4", copy, tmp_path / "same.o").returncode == 0
    fields = re.findall(r"IS_AT\((\w+), (\w+), \w+\);", source)
    assert len(fields) == len(re.findall(r"#define (?:AT|RUN)_", header))
    for (structure, one), (other_structure, other) in itertools.pairwise(fields):
        if structure != other_structure:
            continue
        end = re.search(rf"^}}[ \w]* {structure};", source, re.M)
        assert end is not None
        begin = source.rindex("typedef struct", 0, end.start())
        patterns = (re.compile(rf"^    [^\n/(]*\b{name}(?:\[\d\])?;", re.M) for name in (one, other))
        first, second = (pattern.search(source, begin, end.start()) for pattern in patterns)
        assert first is not None and second is not None, (one, other)
        between = source[first.end() : second.start()]
        copy.write_text(source[: first.start()] + second[0] + between + first[0] + source[second.end() :])
        assert "as_assembly_has_it" in compile_for("cortex-m4", copy, tmp_path / "swapped.o").stderr, (one, other)


@pytest.mark.parametrize("core", VERSIONS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_stack_that_is_stated_is_what_the_code_pushes(kernel: str, core: str, tmp_path: Path) -> None:
    source, header, _ = parts_of(kernel)
    assert compile_for(core, source, tmp_path / "a.o").returncode == 0
    dump = [require("arm-none-eabi-objdump", "binutils-arm-none-eabi"), "-d", "--no-show-raw-insn", tmp_path / "a.o"]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    lines = text.split(f"<{KERNELS[kernel].assembly.function}>:\n")[1].split("\n\n")[0].splitlines()
    pushed = [(index, pushed_bytes(line)) for index, line in enumerate(lines)]
    # The function begins with the registers that it saves; whatever it pushes later it takes back before the next push.
    at_entry = sum(count for index, count in pushed if index < 10)
    later = max((count for index, count in pushed if index >= 10), default=0)
    stated = dict(re.findall(rf"#define {VERSIONS[core]}_(\w+)_STACK (\d+)", header))
    assert at_entry == int(stated["LOOK"])
    assert later == int(stated["MOST"])


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
