"""Random pipelines of input stages, samples for them, and the C of all kinds behind one small program."""

from __future__ import annotations

import contextlib
import math
import struct
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import require

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.codegen.stage_kinds import IN_C, InC, Table
from bs4nn_tc.device.kernels import STAGES as SOURCES
from bs4nn_tc.model import stages
from bs4nn_tc.model.stages import TYPES, Stage, Values
from bs4nn_tc.model.stages.pictures import FORMATS

# Values of a sample, and of what a stage makes of it, at the most.
MOST = 200


@dataclass(frozen=True)
class Pipeline:
    """Stages, what flows between them, and samples, (N, values)."""

    stages: tuple[Stage, ...]
    passed: list[Values]
    samples: np.ndarray

    @property
    def kinds(self) -> set[str]:
        return {stage.kind for stage in self.stages}


def divisor(rng: np.random.Generator, number: int, most: int = 64) -> int:
    """One that divides; often 1 or the number itself."""
    divisors = [k for k in range(1, min(number, most) + 1) if number % k == 0]
    return int(rng.choice([1, divisors[-1], rng.choice(divisors)]))


def anywhere(rng: np.random.Generator, kind: str, size: int, extreme: float = 0.3) -> list[int]:
    """Numbers of a type; some of them the lowest, the highest or those next to them."""
    lowest, highest = TYPES[kind]
    spread = int(rng.choice([3, 50, highest - lowest]))
    centre = rng.integers(lowest, highest + 1)
    values = rng.integers(centre - spread, centre + spread + 1, size).clip(lowest, highest)
    ends = rng.choice([lowest, lowest + 1, highest - 1, highest], size)
    return np.where(rng.random(size) < extreme * rng.integers(0, 2), ends, values).tolist()


def features(rng: np.random.Generator, values: Values) -> int:
    """All values alike, one a channel, one a value, or any other number that divides them."""
    return int(rng.choice([1, values.shape[-1], values.count, divisor(rng, values.count)]))


def multipliers(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    """From 0 to the highest."""
    ends = rng.choice([0, 1, 32_767, 32_768, 65_535], count)
    return tuple(np.where(rng.random(count) < 0.3, ends, rng.integers(0, 2 ** rng.integers(1, 17), count)).tolist())


def scale(rng: np.random.Generator, values: Values) -> Stage:
    n = features(rng, values)
    offset = anywhere(rng, str(rng.choice([values.type, "int16"])), n)
    return stages.Scale(tuple(offset), multipliers(rng, n), int(rng.integers(0, 17)))


def on_off(rng: np.random.Generator, values: Values) -> Stage:
    n = features(rng, values)
    return stages.OnOff(
        tuple(anywhere(rng, values.type, n)), multipliers(rng, n), multipliers(rng, n), int(rng.integers(0, 17))
    )


def levels(rng: np.random.Generator, values: Values) -> tuple[int, tuple[int, ...]]:
    n, count = features(rng, values), int(rng.choice([1, 2, 3, 4, 15, rng.integers(1, 256)]))
    count = min(count, max(1, 1000 // n))
    drawn = np.array(anywhere(rng, values.type, n * count)).reshape(n, count)
    return count, tuple(np.sort(drawn, axis=1).ravel().tolist())


def contrast(rng: np.random.Generator, values: Values) -> Stage:
    return stages.Contrast(features(rng, values))


def spectrum(rng: np.random.Generator, values: Values) -> Stage:
    frame = 2 ** int(rng.integers(4, max(5, values.shape[0].bit_length())))
    edges = rng.choice(np.arange(1, frame // 2 + 1), int(rng.integers(3, min(frame // 2, 20) + 1)), replace=False)
    return stages.Spectrum(frame, int(rng.choice([1, 7, frame // 2, frame, 65_535])), tuple(np.sort(edges).tolist()))


def square_means(rng: np.random.Generator, values: Values) -> Stage:
    return stages.SquareMeans(divisor(rng, math.gcd(*values.shape)))


def grey(rng: np.random.Generator, values: Values) -> Stage:
    return stages.Grey(
        str(rng.choice([form for form, size in FORMATS.items() if size == values.shape[-1]] or ["yuyv"]))
    )


def crop(rng: np.random.Generator, values: Values) -> Stage:
    rows, columns = (int(rng.integers(1, side + 1)) for side in (values.shape[0], values.shape[-1]))
    top, left = (int(rng.integers(0, room + 1)) for room in (values.shape[0] - rows, values.shape[-1] - columns))
    return stages.Crop(top, left, rows, columns)


def ink(rng: np.random.Generator, values: Values) -> Stage:
    rows, columns = (int(side) for side in rng.integers(1, 15, 2))
    box = (int(rng.integers(1, rows + 1)), int(rng.integers(1, columns + 1)))
    centre = (int(rng.integers(0, 256 * rows + 1)), int(rng.integers(0, 256 * columns + 1)))
    return stages.Ink(str(rng.choice(["dark", "bright"])), rows, columns, box, centre, values.highest)


# Each kind with what draws one for such values; it may raise what `Stage.after` or the stage itself does not take.
DRAWN: dict[str, Callable[[np.random.Generator, Values], Stage]] = {
    "square-means": square_means,
    "grey": grey,
    "crop": crop,
    "resize": lambda rng, values: stages.Resize(*(int(side) for side in rng.integers(1, 9, 2))),
    "invert": lambda rng, values: stages.Invert(),
    "ink": ink,
    "scale": scale,
    "on-off": on_off,
    "quantiles": lambda rng, values: stages.Quantiles(*levels(rng, values)),
    "thermometer": lambda rng, values: stages.Thermometer(*levels(rng, values)),
    "complement": lambda rng, values: stages.Complement(),
    "contrast": contrast,
    "differences": lambda rng, values: stages.Differences(),
    "means": lambda rng, values: stages.Means(int(rng.choice([2, 3, rng.integers(2, 256)]))),
    "spectrum": spectrum,
}


def beginning(rng: np.random.Generator) -> tuple[Values, list[str]]:
    """What a sample is: a row, a recording, a picture, planes; and a kind of stage to begin with, if it is for one."""
    kinds = ["row", "recording", "squares", "picture", "planes", "camera", "paper"]
    what = rng.choice(kinds, p=[0.2, 0.32, 0.16, 0.16, 0.08, 0.07, 0.01])
    axes, side = 3 if what == "planes" else 2, int(rng.integers(2, 6)) if what == "squares" else 1
    channels, form = int(rng.integers(1, 7)), str(rng.choice([*FORMATS]))
    shape = {
        "row": (rng.integers(1, MOST + 1),),
        "recording": (rng.integers(1, MOST // channels + 1), channels),
        "camera": (*rng.integers(1, 9, 2), FORMATS[form]),
        "paper": rng.integers(28, 34, 2),
    }.get(what, side * rng.integers(1, int(MOST ** (1 / axes)) // side + 1, axes))
    kind = "uint8" if what in ("camera", "paper") else str(rng.choice(["uint8", "int16"]))
    lowest, highest = TYPES[kind]
    if kind == "uint8" and what != "camera" and rng.random() < 0.5:
        highest = int(rng.integers(1, 256))
    first = {"camera": ["grey"], "paper": ["ink"], "squares": ["square-means"]}.get(what, [])
    return Values(tuple(map(int, shape)), kind, lowest, highest), first


def drawn_pipeline(rng: np.random.Generator) -> Pipeline:
    """One to four stages that take what they get, and three samples."""
    while True:
        taken, first = beginning(rng)
        passed = [taken]
        chosen: list[Stage] = []
        wanted = int(rng.integers(1, 5))
        for name in [*first, *rng.choice(["spectrum", "means", *DRAWN], 8)]:
            with contextlib.suppress(UserError):
                stage = DRAWN[name](rng, passed[-1])
                after = stage.after(passed[-1])
                if after.count <= MOST:
                    chosen.append(stage)
                    passed.append(after)
            if len(chosen) == wanted:
                break
        if chosen:
            rows = [anywhere(rng, taken.type, taken.count) for _ in range(2)]
            rows.append([int(rng.integers(taken.lowest, taken.highest + 1))] * taken.count)
            return Pipeline(tuple(chosen), passed, np.array(rows).clip(taken.lowest, taken.highest).astype(taken.type))


def loudest() -> list[Pipeline]:
    """Spectra of every length of a frame, of the loudest samples there are: what sums in C have to hold."""
    found = []
    for frame in (16, 32, 64, 128, 256, 512, 1024):
        values = Values((frame,), "int16", *TYPES["int16"])
        i = np.arange(frame)
        turns = [frame // 2, frame // 4, frame // 2 - 1, 3]
        signs = [np.ones(frame), -np.ones(frame), *(np.cos(2 * np.pi * i * turn / frame + 0.1) for turn in turns)]
        samples = np.where(np.array(signs) < 0, -32_768, 32_767).astype(np.int16)
        for edges in ((1, 2, frame // 2), (1, 3, frame // 4, frame // 2 - 1, frame // 2)):
            stage = stages.Spectrum(frame, 1, edges)
            found.append(Pipeline((stage,), [values, stage.after(values)], samples))
    return found


# Reads jobs, each of stages and samples, and writes what every stage makes of every sample. Each array lies in memory
# of its exact size; a stage that may work in place does so as well, with the same outcome.
DRIVER = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
%(includes)s
enum { MOST_STAGES = 8, MOST_ARRAYS = 8 };

typedef struct {
    uint32_t call, to_bytes, scratch_bytes, in_place, tables, numbers;
    void *table[MOST_ARRAYS];
    uint32_t number[MOST_ARRAYS];
} stage_t;

static void call(const stage_t *stage, void *from, void *to)
{
    void *p[MOST_ARRAYS], *scratch = malloc(stage->scratch_bytes);
    uint32_t count = 0;
    p[count++] = from;
    p[count++] = to;
    if (stage->scratch_bytes > 0u) {
        p[count++] = scratch;
    }
    memcpy(&p[count], stage->table, stage->tables * sizeof p[0]);
    const uint32_t *n = stage->number;
    switch (stage->call) {
%(cases)s
    default: abort();
    }
    free(scratch);
}

static void take(void *to, size_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes) {
        abort();
    }
}

static uint32_t number(void)
{
    uint32_t value;
    take(&value, sizeof value);
    return value;
}

static void *array(size_t bytes)
{
    void *made = malloc(bytes);
    take(made, bytes);
    return made;
}

static void *apply(const stage_t *stage, void *from, size_t from_bytes)
{
    void *to = malloc(stage->to_bytes);
    if (stage->in_place) {
        uint8_t *both = malloc(from_bytes > stage->to_bytes ? from_bytes : stage->to_bytes);
        memcpy(both, from, from_bytes);
        call(stage, both, both);
        call(stage, from, to);
        if (memcmp(both, to, stage->to_bytes) != 0) {
            fprintf(stderr, "not the same in place: call %%u\\n", (unsigned)stage->call);
            exit(1);
        }
        free(both);
    } else {
        call(stage, from, to);
    }
    free(from);
    fwrite(to, 1, stage->to_bytes, stdout);
    return to;
}

int main(void)
{
    for (uint32_t jobs = number(); jobs > 0u; jobs--) {
        stage_t stages[MOST_STAGES];
        const uint32_t count = number(), samples = number(), sample_bytes = number();
        for (uint32_t i = 0; i < count; i++) {
            take(&stages[i], 6u * sizeof(uint32_t));
            for (uint32_t table = 0; table < stages[i].tables; table++) {
                const uint32_t bytes = number();
                stages[i].table[table] = array(bytes);
            }
            take(stages[i].number, stages[i].numbers * sizeof(uint32_t));
        }
        for (uint32_t sample = 0; sample < samples; sample++) {
            void *values = array(sample_bytes);
            size_t bytes = sample_bytes;
            for (uint32_t i = 0; i < count; i++) {
                values = apply(&stages[i], values, bytes);
                bytes = stages[i].to_bytes;
            }
            free(values);
        }
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t table = 0; table < stages[i].tables; table++) {
                free(stages[i].table[table]);
            }
        }
    }
    return 0;
}
"""


def _call(kind: InC, stage: Stage, values: Values) -> str:
    """A call in the driver."""
    pointers = 2 + bool(kind.scratch_bytes(stage, values)) + len(kind.tables(stage, values))
    arguments = [f"p[{i}]" for i in range(pointers)]
    arguments += [f"n[{i}]" for i in range(len(kind.numbers(stage, values)))]
    return f"{kind.function}({', '.join(arguments)})"


def _table(table: Table) -> bytes:
    content = np.array(table.values).astype(table.ctype.removesuffix("_t")).tobytes()
    return struct.pack("<I", len(content)) + content


def _steps(pipelines: Iterable[Pipeline]) -> Iterable[tuple[InC, Stage, Values, Values]]:
    for pipeline in pipelines:
        for number, stage in enumerate(pipeline.stages):
            yield IN_C[stage.kind], stage, pipeline.passed[number], pipeline.passed[number + 1]


def in_c(pipelines: Sequence[Pipeline], folder: Path) -> list[list[np.ndarray]]:
    """What the C that ships makes of all samples, under the sanitizers: for each pipeline (N, values) a stage."""
    calls = sorted({_call(kind, stage, values) for kind, stage, values, _ in _steps(pipelines)})
    includes = sorted({kind.file for kind, *_ in _steps(pipelines)})
    (folder / "driver.c").write_text(
        DRIVER
        % {
            "includes": "\n".join(f'#include "{file}.h"' for file in includes),
            "cases": "\n".join(f"    case {number}: {call}; break;" for number, call in enumerate(calls)),
        }
    )
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [folder / "driver.c", *(path for path in SOURCES if path.suffix == ".c")]
    command = [require("gcc", "gcc"), "-std=c99", "-g", "-O1", *sanitizers, f"-I{resources.KERNEL}", *sources]
    subprocess.run([*command, "-o", folder / "driver"], check=True)
    told = [struct.pack("<I", len(pipelines))]
    for pipeline in pipelines:
        told.append(struct.pack("<III", len(pipeline.stages), len(pipeline.samples), pipeline.passed[0].bytes))
        for kind, stage, values, after in _steps([pipeline]):
            tables, numbers = kind.tables(stage, values), kind.numbers(stage, values)
            call = calls.index(_call(kind, stage, values))
            sizes = (after.bytes, kind.scratch_bytes(stage, values), kind.in_place, len(tables), len(numbers))
            told += [struct.pack("<6I", call, *sizes), *map(_table, tables), struct.pack(f"<{len(numbers)}I", *numbers)]
        told.append(pipeline.samples.tobytes())
    done = subprocess.run([folder / "driver"], input=b"".join(told), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return _answers(pipelines, done.stdout)


def _answers(pipelines: Sequence[Pipeline], said: bytes) -> list[list[np.ndarray]]:
    """The driver's output, taken apart."""
    answers, place = [], 0
    for pipeline in pipelines:
        rows: list[list[np.ndarray]] = [[] for _ in pipeline.stages]
        for _ in pipeline.samples:
            for number, after in enumerate(pipeline.passed[1:]):
                rows[number].append(np.frombuffer(said, after.dtype, after.count, place))
                place += after.bytes
        answers.append([np.stack(row) for row in rows])
    assert place == len(said)
    return answers
