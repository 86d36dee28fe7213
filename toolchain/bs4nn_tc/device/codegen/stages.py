"""The stages of an input on a device: how generated code calls them, and what that costs at most."""

from __future__ import annotations

from pathlib import Path

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.codegen.stage_kinds import IN_C, InC
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.stages import Stage

# Code of a call and its arguments: more than any core here needs, with -O2.
_CALL_CODE_BYTES = 60


def in_c(stage: Stage) -> InC:
    """What is known of a stage in C.

    Raises:
        UserError: no firmware runs stages of that kind.
    """
    if stage.kind not in IN_C:
        raise UserError(
            f"the input has a stage of kind '{stage.kind}', which no firmware runs yet; on a board there are "
            f"{', '.join(IN_C)}"
        )
    return IN_C[stage.kind]


def files(taken: Input) -> list[Path]:
    """Sources and headers of the kernel's folder that hold the functions of all stages, sorted by name."""
    stems = sorted({in_c(stage).file for stage in taken.stages})
    return [resources.KERNEL / f"{stem}{suffix}" for stem in stems for suffix in (".c", ".h")]


def calls(taken: Input) -> list[str]:
    """C that makes `pixels` of `sample`, one call a stage."""
    statements, source = [], "sample"
    for stage, values in zip(taken.stages, taken.passed, strict=False):
        kind = in_c(stage)
        numbers = ", ".join(map(str, kind.numbers(stage, values)))
        statements.append(f"{kind.function}({source}, pixels, {numbers});")
        source = "pixels"
    return statements


def values_written(taken: Input) -> int:
    """For how many values the pixels need room, while the stages are at work."""
    return max((values.count for values in taken.passed[1:]), default=0)


def code_bytes(taken: Input) -> int:
    """Code of all stages and their calls, at the most."""
    functions = {in_c(stage).function: in_c(stage).code_bytes for stage in taken.stages}
    return sum(functions.values()) + _CALL_CODE_BYTES * len(taken.stages)


def instructions_at_most(taken: Input, instruction_set: InstructionSet) -> int:
    """Upper bound of the instructions of all stages."""
    return sum(
        in_c(stage).instructions(stage, values, instruction_set)
        for stage, values in zip(taken.stages, taken.passed, strict=False)
    )
