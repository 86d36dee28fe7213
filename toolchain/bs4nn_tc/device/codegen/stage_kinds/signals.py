"""Stages for signals: firmware/lib/bs4nn/src/bs4nn_stages_signals.c."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC, Table
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.stages import Contrast, Differences, Means, Spectrum, Values

_FILE = "bs4nn_stages_signals"


def _channels(values: Values) -> int:
    """Of a recording: (steps,) or (steps, channels)."""
    return math.prod(values.shape[1:])


def _spectrum_tables(stage: Spectrum, values: Values) -> tuple[Table, ...]:
    form = (stage.frame, stage.hop, _channels(values), stage.bands, *stage.edges)
    return (
        Table("cosines", "uint16_t", tuple(stage.cosines[: stage.frame // 4 + 1].tolist())),
        Table("rise", "uint8_t", tuple(stage.rise.tolist())),
        Table("form", "uint16_t", form),
    )


def _contrast(stage: Contrast, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a channel with its division, a value."""
    once, channel, value = (60, 250, 35) if instruction_set == "thumb-1" else (60, 25, 27)
    return once + channel * stage.channels + value * values.count


def _differences(stage: Differences, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a value."""
    return 45 + (25 if instruction_set == "thumb-1" else 20) * stage.after(values).count


def _means(stage: Means, values: Values, instruction_set: InstructionSet) -> int:
    """Once, a mean, a value of it."""
    once, mean, value = (60, 46, 17) if instruction_set == "thumb-1" else (60, 34, 13)
    return once + (mean + value * stage.steps) * stage.after(values).count


def _spectrum(stage: Spectrum, values: Values, instruction_set: InstructionSet) -> int:
    """Once; for each channel of each frame once, a step, two numbers that meet, a frequency in use, a band."""
    once, frame, step, meeting, frequency, band = (
        (100, 300, 80, 102, 305, 165) if instruction_set == "thumb-1" else (100, 300, 60, 76, 128, 110)
    )
    numbers = stage.frame // 2
    frame += step * stage.frame + meeting * (numbers // 2) * (numbers.bit_length() - 1)
    frame += frequency * (stage.edges[-1] - stage.edges[0]) + band * stage.bands
    return once + frame * stage.after(values).shape[0] * _channels(values)


SIGNALS: Mapping[str, InC] = {
    Contrast.kind: InC(
        file=_FILE,
        function="bs4nn_contrast",
        numbers=lambda stage, values: (values.count, stage.channels, values.dtype.itemsize),
        instructions=_contrast,
        code_bytes=460,
    ),
    Differences.kind: InC(
        file=_FILE,
        function="bs4nn_differences",
        numbers=lambda stage, values: (stage.after(values).count, _channels(values), values.dtype.itemsize),
        instructions=_differences,
        code_bytes=150,
    ),
    Means.kind: InC(
        file=_FILE,
        function="bs4nn_means",
        numbers=lambda stage, values: (
            stage.after(values).count,
            _channels(values),
            stage.steps,
            65_536 // stage.steps,
            values.dtype.itemsize,
        ),
        instructions=_means,
        code_bytes=270,
        in_place=True,
    ),
    Spectrum.kind: InC(
        file=_FILE,
        function="bs4nn_spectrum",
        tables=_spectrum_tables,
        numbers=lambda stage, values: (stage.after(values).shape[0],),
        scratch_bytes=lambda stage, values: 4 * stage.frame,
        instructions=_spectrum,
        code_bytes=1450,
    ),
}
