"""Processor cores: what is known of each, and so which kernel's loops it runs and what can be promised of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

InstructionSet = Literal["thumb-1", "thumb-2"]
_SETS: dict[InstructionSet, tuple[str, ...]] = {
    "thumb-1": ("cortex-m0", "cortex-m0plus", "cortex-m1", "cortex-m23"),
    "thumb-2": (
        "cortex-m3",
        "cortex-m4",
        "cortex-m7",
        "cortex-m33",
        "cortex-m35p",
        "cortex-m52",
        "cortex-m55",
        "cortex-m85",
    ),
}


@dataclass(frozen=True)
class Core:
    """One core.

    Attributes:
        name: as compilers and PlatformIO call it, e.g. "cortex-m4".
        instruction_set: which assembly it runs; None for a core that is not known here, which runs the kernel in
            portable C, and of which no number of instructions is promised.
    """

    name: str
    instruction_set: InstructionSet | None


def core(name: str) -> Core:
    """The core of that name, known or not."""
    return Core(name, next((known for known, names in _SETS.items() if name in names), None))
