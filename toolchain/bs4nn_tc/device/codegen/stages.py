"""The stages of an input on a device: where they work, how generated code calls them, and what that costs at most.

Everything lies in the one workspace. Two places take turns as what a stage reads and what it writes: one from its start
on, one up to its end. The pixels come to lie at the end, behind all that a kernel writes to; all else may lie where the
kernel works later.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.codegen import names
from bs4nn_tc.device.codegen.stage_kinds import IN_C, InC, Table
from bs4nn_tc.device.cores import InstructionSet
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.stages import Stage, Values

# The types of values in C.
CTYPES = {"uint8": "uint8_t", "int16": "int16_t"}
# Of a call with its arguments, and of the functions around all calls, at the most: code with -O2, and instructions.
_CALL_CODE_BYTES, _AROUND_CODE_BYTES = 60, 160
_CALL_INSTRUCTIONS, _AROUND_INSTRUCTIONS = 30, 80


@dataclass(frozen=True)
class Call:
    """One stage in generated code.

    Attributes:
        text: what it does, for people.
        statement: the call.
        place: where what comes out lies, the first word in the workspace.
        bytes: of what comes out.
        constants: (name in C, table) of each of its tables.
        function: that is called.
        code_bytes: of the function, at the most.
    """

    text: str
    statement: str
    place: int
    bytes: int
    constants: tuple[tuple[str, Table], ...]
    function: str
    code_bytes: int

    @property
    def constant_bytes(self) -> int:
        """Of its tables."""
        return sum(table.bytes for _, table in self.constants)


@dataclass(frozen=True)
class Plan:
    """All stages of an input in generated code.

    Attributes:
        calls: one a stage.
        workspace_words: of the whole workspace, the kernel's words included.
    """

    calls: tuple[Call, ...]
    workspace_words: int

    @property
    def constant_bytes(self) -> int:
        """Of all tables."""
        return sum(call.constant_bytes for call in self.calls)

    @property
    def code(self) -> tuple[tuple[str, int], ...]:
        """Each function, and what calls them all, with how many bytes of code it takes at the most."""
        if not self.calls:
            return ()
        functions = {call.function: call.code_bytes for call in self.calls}
        return (*functions.items(), ("calls of the stages", _AROUND_CODE_BYTES + _CALL_CODE_BYTES * len(self.calls)))


@dataclass(frozen=True)
class Layout:
    """Where everything lies, in words from the start of the workspace.

    Attributes:
        words: of the workspace.
        places: of what comes out of each stage.
        scratch: of what each stage needs while it works.
    """

    words: int
    places: tuple[int, ...]
    scratch: tuple[int, ...]


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


def plan(taken: Input, kernel_words: int, name: str) -> Plan:
    """What generated code does for the stages of an input.

    Args:
        taken: the input.
        kernel_words: of the workspace that the kernel needs.
        name: of the network.

    Raises:
        UserError: no firmware runs a stage of the kind.
    """
    if not taken.stages:
        return Plan((), kernel_words)
    kinds = [in_c(stage) for stage in taken.stages]
    pairs = [*zip(taken.stages, taken.passed, strict=False)]
    layout = lay_out(
        [_words(values.bytes) for values in taken.passed[1:]],
        [_words(kind.scratch_bytes(*pair)) for kind, pair in zip(kinds, pairs, strict=True)],
        [kind.in_place for kind in kinds],
        kernel_words,
    )
    calls = []
    source = "sample"
    for number, (kind, (stage, values)) in enumerate(zip(kinds, pairs, strict=True), start=1):
        after, place = taken.passed[number], layout.places[number - 1]
        constants = tuple(
            (names.part_name(name, f"stage{number}_{table.name}"), table) for table in kind.tables(stage, values)
        )
        arguments = [source, f"({CTYPES[after.type]} *){_word(place, after)}"]
        if kind.scratch_bytes(stage, values):
            arguments.append(f"work + {layout.scratch[number - 1]}")
        arguments += [constant for constant, _ in constants]
        arguments += map(str, kind.numbers(stage, values))
        statement = f"{kind.function}({', '.join(arguments)});"
        calls.append(Call(stage.text, statement, place, after.bytes, constants, kind.function, kind.code_bytes))
        source = f"(const {CTYPES[after.type]} *){_word(place, after)}"
    return Plan(tuple(calls), layout.words)


def instructions_at_most(taken: Input, instruction_set: InstructionSet) -> int:
    """Upper bound of the instructions of all stages."""
    called = sum(
        _CALL_INSTRUCTIONS + in_c(stage).instructions(stage, values, instruction_set)
        for stage, values in zip(taken.stages, taken.passed, strict=False)
    )
    return called + _AROUND_INSTRUCTIONS if taken.stages else 0


def _word(place: int, values: Values) -> str:
    """A word of the workspace in C, to be cast; through `void` where compilers would warn of it otherwise."""
    return f"(work + {place})" if values.type == "uint8" else f"(void *)(work + {place})"


def _words(count_bytes: int) -> int:
    return -(-count_bytes // 4)


def lay_out(sizes: Sequence[int], scratch: Sequence[int], may_be_in_place: Sequence[bool], kernel_words: int) -> Layout:
    """The smallest workspace, over all choices of stages that work where their values lie.

    Args:
        sizes: of what comes out of each stage, in words.
        scratch: what each needs while it works, in words.
        may_be_in_place: whether each can work where its values lie; the first one reads the caller's sample.
        kernel_words: of the workspace that the kernel needs.
    """
    choices = [(False,), *((False, True) if one else (False,) for one in may_be_in_place[1:])]
    layouts = (_lay_out_so(sizes, scratch, in_place, kernel_words) for in_place in itertools.product(*choices))
    return min(layouts, key=lambda layout: layout.words)


def _lay_out_so(sizes: Sequence[int], scratch: Sequence[int], in_place: Sequence[bool], kernel_words: int) -> Layout:
    """A workspace in which these stages, of which some work in place, find room for what comes out of each."""
    turns = list(itertools.accumulate(int(not one) for one in in_place))  # stages of one turn share their place
    room = {turn: max(size for size, own in zip(sizes, turns, strict=True) if own == turn) for turn in turns}
    at_end = {turn: (turns[-1] - turn) % 2 == 0 for turn in turns}
    words = kernel_words + room[turns[-1]]
    used_low = []
    for read, written, need in zip([None, *turns], turns, scratch, strict=False):
        used = {written} if read is None else {read, written}
        words = max(words, sum(room[turn] for turn in used) + need)
        used_low.append(sum(room[turn] for turn in used if not at_end[turn]))
    places = tuple(words - room[turn] if at_end[turn] else 0 for turn in turns)
    return Layout(words, places, tuple(used_low))
