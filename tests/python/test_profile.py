"""What `profile` says of a board's clock: measured laps, and emulated boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from application import compile_application
from conftest import random_network

from bs4nn_tc import targets
from bs4nn_tc.device.codegen import project

# A board of its own: laps as the test wants them, the first of them without meaning.
_BOARD = """
#include "board.h"
#include <stdio.h>
#include <stdlib.h>
static const uint32_t laps[] = {%s};
static unsigned next;
void board_init(void) {}
int board_read(void) { int byte = getchar(); return byte == EOF ? -1 : byte; }
void board_write(const void *bytes, size_t count) { fwrite(bytes, 1, count, stdout); fflush(stdout); }
uint32_t board_lap(void) { return laps[next++ %% (sizeof laps / sizeof *laps)]; }
int board_stack_is_whole(void) { return 1; }
void board_exit(int status) { exit(status); }
"""


@pytest.mark.parametrize(
    ("empty", "measured", "told"), [(12, 4012, 4000), (12, 12, 0), (5000, 2938, 0), (2**32 - 1, 2938, 0)]
)
def test_the_empty_lap_is_taken_off_and_never_wraps(empty: int, measured: int, told: int, tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (16, 4), intensity_max=16)
    made = project.generate(network, "laps", [], tmp_path / "p")
    board = tmp_path / "board.c"
    board.write_text(_BOARD % f"0, {empty}u, 0, {measured}u")
    program = compile_application(made, tmp_path / "program", board)
    with targets.open_native(program) as target:
        assert target.profile(np.zeros(16, np.uint8))[1] == told
