"""What the generator knows of one kind of stage in C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.stages import Values

_BYTES = {"uint8_t": 1, "int8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4}


@dataclass(frozen=True)
class Table:
    """Constants of a stage, which become a `static const` array.

    Attributes:
        name: what they are, as part of a name in C.
        ctype: the type of one.
        values: at least one.
    """

    name: str
    ctype: Literal["uint8_t", "int8_t", "uint16_t", "int16_t", "uint32_t", "int32_t"]
    values: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of all values."""
        return len(self.values) * _BYTES[self.ctype]


@dataclass(frozen=True)
class InC:
    """A kind of stage as a function in C, called as `function(from, to[, scratch], tables..., numbers...)`.

    `from`, `to` and `scratch` lie at words' addresses, but for a sample, which lies as its type has to: it belongs to
    the caller and is never written to. In `to` there is room for what `Stage.after` says.

    Attributes:
        file: its source and its header in firmware/lib/bs4nn/src, without .c and .h.
        function: its name.
        numbers: the arguments at the end, of a stage and what goes into it.
        instructions: at the most, of the same and an instruction set; read off the compiled code.
        code_bytes: of the function and what it alone calls, at the most: on any core here, with -O2.
        tables: the constants that it is given.
        scratch_bytes: room that it needs while it works; 0 for none, and then no such argument.
        in_place: `to` may be where `from` begins.
    """

    file: str
    function: str
    numbers: Callable[[Any, Values], tuple[int, ...]]
    instructions: Callable[[Any, Values, InstructionSet], int]
    code_bytes: int
    tables: Callable[[Any, Values], tuple[Table, ...]] = lambda stage, values: ()
    scratch_bytes: Callable[[Any, Values], int] = lambda stage, values: 0
    in_place: bool = False
