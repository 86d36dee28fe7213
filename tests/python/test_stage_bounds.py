"""What stages cost on emulated cores: no more instructions than their bounds, no more code than they say."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import bare
import numpy as np
import pytest
from conftest import require

from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen.stage_kinds import IN_C
from bs4nn_tc.device.codegen.stage_kinds.signals import SIGNALS
from bs4nn_tc.device.codegen.stage_kinds.tables import TABLES
from bs4nn_tc.device.cores import core
from bs4nn_tc.device.kernels import STAGES as SOURCES
from bs4nn_tc.model import stages
from bs4nn_tc.model.stages import TYPES, Stage, Values, of_type
from bs4nn_tc.targets import emulator

BOARDS = ("qemu-m0", "qemu-m4")
ROW, RECORDING = of_type((60,), "int16"), of_type((20, 3), "int16")

# Each kind in its cheap and in its dear ways, small ones first: what is done once has to be in the bound, too.
CASES: list[tuple[Stage, Values]] = [
    *((stages.Scale((-9,) * n, (65_535,) * n, 16), of_type((60,), kind)) for kind in TYPES for n in (1, 60)),
    *((stages.OnOff((0,) * n, (9,) * n, (9,) * n, 3), of_type((60,), kind)) for kind in TYPES for n in (1, 60)),
    *((stages.Quantiles(k, (0,) * k), of_type((n,), kind)) for kind in TYPES for k in (1, 4, 255) for n in (1, 60)),
    *((stages.Thermometer(k, (0,) * k), of_type((n,), kind)) for kind in TYPES for k in (1, 40) for n in (1, 60)),
    *((stages.Thermometer(3, (0,) * 180), of_type((60,), kind)) for kind in TYPES),
    *((stages.Quantiles(3, (0,) * 180), of_type((60,), kind)) for kind in TYPES),
    *((stages.Complement(), Values((n,))) for n in (1, 60)),
    *((stages.Contrast(n), of_type((60,), kind)) for kind in TYPES for n in (1, 3, 20, 30)),
    *((stages.Differences(), values) for values in (ROW, RECORDING, Values((2,)), Values((30, 2)))),
    *((stages.Means(k), values) for k in (2, 20) for values in (ROW, RECORDING, Values((20,)))),
    *((stages.Spectrum(n, n, (1, 2, n // 2)), of_type((n,), "int16")) for n in (16, 64, 256, 1024)),
    *((stages.Spectrum(256, 256, edges), of_type((256,), "int16")) for edges in ((1, 2, 3), (64, 96, 128))),
    (stages.Spectrum(64, 16, tuple(range(1, 33))), of_type((96, 2), "int16")),
]

PROGRAM = """
%(includes)s
%(tables)s
static uint32_t state = 22u;
static union { uint8_t uint8[4096]; int16_t int16[2048]; } from;
static uint32_t to[1024], work[1024];
static void fill(uint32_t kind)
{
    for (uint32_t i = 0; i < sizeof from; i++) {
        state = state * 1664525u + 1013904223u;
        from.uint8[i] = kind == 0u   ? 255u
                        : kind == 1u ? (uint8_t)((i & 1u) != 0u ? 127u : 255u)
                        : kind == 2u ? (uint8_t)((i & 3u) == 2u)
                                     : (uint8_t)(state >> 24);
    }
}
int main(void)
{
    board_init();
    for (uint32_t kind = 0; kind < 4u; kind++) {
%(calls)s
    }
    board_exit(0);
    return 0;
}
"""


def program(cases: Sequence[tuple[Stage, Values]]) -> str:
    """C that runs each case on samples of the highest values, of the lowest and highest ones, and of random ones."""
    tables, calls = [], []
    for number, (stage, values) in enumerate(cases):
        kind, names = IN_C[stage.kind], []
        for table in kind.tables(stage, values):
            names.append(f"case{number}_{table.name}")
            content = ", ".join(map(str, table.values))
            tables.append(f"static const {table.ctype} {names[-1]}[] = {{{content}}};")
        after = stage.after(values)
        arguments = [f"from.{values.type}", f"({after.type}_t *)(void *)to"]
        arguments += ["work"] if kind.scratch_bytes(stage, values) else []
        arguments += [*names, *map(str, kind.numbers(stage, values))]
        calls.append(f"fill(kind); (void)board_lap(); {kind.function}({', '.join(arguments)}); say(board_lap());")
    files = sorted({IN_C[stage.kind].file for stage, _ in cases})
    return bare.SAY + PROGRAM % {
        "includes": "\n".join(f'#include "{file}.h"' for file in files),
        "tables": "\n".join(tables),
        "calls": "\n".join(calls),
    }


@pytest.mark.parametrize("optimization", ["-O2", "-Os"])
@pytest.mark.parametrize("name", BOARDS)
def test_no_stage_needs_more_instructions_than_its_bound(name: str, optimization: str, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(program(CASES))
    board = boards.load_board(name)
    assert board.emulator is not None
    parts = [tmp_path / "main.c", *(path for path in SOURCES if path.suffix == ".c")]
    linked = bare.link(board, parts, [optimization], tmp_path / "main.elf")
    qemu = require("qemu-system-arm", "qemu-system-arm")
    done = bare.run([qemu, *board.emulator.arguments, *emulator.COUNTING, "-kernel", linked])
    counted = np.array([emulator.instructions(board, int(line)) for line in done.stdout.split()]).reshape(4, -1)
    instruction_set = core(board.core).instruction_set
    assert instruction_set is not None
    for (stage, values), count in zip(CASES, counted.max(axis=0).tolist(), strict=True):
        most = IN_C[stage.kind].instructions(stage, values, instruction_set)
        assert count <= most <= 3 * count + 200, (stage, values)


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("kind", [*TABLES, *SIGNALS])
def test_no_function_has_more_code_than_it_says(kind: str, name: str, tmp_path: Path) -> None:
    """Nor much less: all that is linked if nothing but the function is wanted, the compiler's own functions as well."""
    in_c = IN_C[kind]
    flags = [f"-mcpu={name}", "-mthumb", "-std=c99", "-O2", "-ffunction-sections", "-nostdlib", f"-I{bare.KERNEL}"]
    only = ["-Wl,--gc-sections", f"-Wl,-e,{in_c.function}", bare.KERNEL / f"{in_c.file}.c", "-lgcc"]
    subprocess.run([bare.arm(), *flags, *only, "-o", tmp_path / "only.elf"], check=True)
    size = require("arm-none-eabi-size", "binutils-arm-none-eabi")
    said = subprocess.run([size, "-A", tmp_path / "only.elf"], capture_output=True, text=True, check=True).stdout
    found = sum(int(found[1]) for found in re.finditer(r"^\.(?:text|rodata)\S*\s+(\d+)", said, re.MULTILINE))
    assert 0 < found <= in_c.code_bytes <= 4 * found + 100
