"""The kernels: what runs a network on a device, each with its files, how it is compiled, and what it costs.

`KERNELS` is the only list of them; one more is one more entry. What all kernels share lies beside the fast one in
firmware/lib/bs4nn/src.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bs4nn_tc.base import resources
from bs4nn_tc.device.cores import Core, InstructionSet


@dataclass(frozen=True)
class Costs:
    """Instructions of the things that an inference is made of, at the most, read off the compiled code.

    Attributes:
        image: once: setting up, reading the result.
        pixel: sorting one pixel that is not black; pixel_out: what its spike costs more where no hidden layer takes it.
        intensity: looking for the pixels of one intensity.
        step: one visited step; layer: what each hidden layer adds to it.
        record: setting up one word of neurons; plane: the same for each of its bit planes.
        look: looking at one word in which nobody fires; look_plane: for each plane beyond the seventh.
        spike: counting one spike in one word, and having looked ahead at it; spike_plane: for each plane beyond the
            seventh.
        fire: sending one spike; fire_alone: what it costs more where it is the only one of its word to fire then;
            fire_in_c: the same where the assembly does not do it by itself.
        batch: for every word of output neurons; batch_plane: for every plane of it.
        output: looking at the output layer; output_plane: for every word and plane of it, and for every
            plane of a potential.
    """

    image: int
    pixel: int
    pixel_out: int
    intensity: int
    step: int
    layer: int
    record: int
    plane: int
    look: int
    look_plane: int
    spike: int
    spike_plane: int
    fire: int
    fire_alone: int
    fire_in_c: int
    batch: int
    batch_plane: int
    output: int
    output_plane: int


@dataclass(frozen=True)
class Assembly:
    """A kernel's loops in assembly, as far as whoever adds up the stack has to know them.

    Attributes:
        header: the file that states the stack of each instruction set (THUMB_2_LOOK_STACK and so on).
        function: the one that C calls.
        calls: functions in C that it calls, with nothing more on the stack than at its entry.
    """

    header: str
    function: str
    calls: tuple[str, ...]


# What networks call whose input has stages, each some of it (codegen/stages.py): no part of a kernel.
STAGES = tuple(sorted(resources.KERNEL.glob("bs4nn_stages_*")))


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes:
        name: what `--kernel` takes, and projects remember.
        character: what it is, in the middle of a sentence.
        own: its own files, as patterns below firmware/.
        main: its main source in C.
        optimization: the compiler's flag; "-O2" is what projects have by themselves.
        saves_flash_bytes: flash that it leaves free on any core, against the fast one.
        assembly: its loops in assembly; None for C alone.
        costs: by instruction set, for the bound (codegen/bound.py); without an entry there is none.
        costs_in_c: the same of its C alone.
    """

    name: str
    character: str
    own: tuple[str, ...]
    main: str
    optimization: str
    saves_flash_bytes: int
    assembly: Assembly | None
    costs: Mapping[InstructionSet, Costs]
    costs_in_c: Mapping[InstructionSet, Costs]

    @property
    def in_c(self) -> Kernel:
        """The same without its assembly."""
        return replace(self, assembly=None, costs=self.costs_in_c)

    def on(self, core: Core) -> Kernel:
        """As it runs on a core: on one that is not known in C alone, whatever the compiler takes that core for."""
        return self if core.instruction_set is not None else self.in_c

    @property
    def defines(self) -> tuple[str, ...]:
        """Flags without which it would be compiled as something else."""
        return () if self.assembly is not None else ("-DBS4NN_PORTABLE",)

    @property
    def files(self) -> list[Path]:
        """Sources and headers, its own and those that all kernels share, sorted by name."""
        shared = set(resources.KERNEL.iterdir()).difference(STAGES, *(one.own_files for one in KERNELS.values()))
        return sorted(self.own_files | shared, key=lambda path: path.name)

    @property
    def own_files(self) -> set[Path]:
        """Sources and headers that not all kernels share."""
        return {path for pattern in self.own for path in resources.FIRMWARE.glob(pattern)}

    @property
    def sources(self) -> list[Path]:
        """What is compiled: C and assembly."""
        return [path for path in self.files if path.suffix != ".h"]


def _by_set(**pairs: tuple[int, int]) -> dict[InstructionSet, Costs]:
    """Costs from a pair of numbers each, of Thumb-2 and of Thumb-1."""
    first, second = ({name: pair[index] for name, pair in pairs.items()} for index in (0, 1))
    return {"thumb-2": Costs(**first), "thumb-1": Costs(**second)}


FAST = Kernel(
    name="fast",
    character="the fewest instructions",
    own=tuple(f"lib/bs4nn/src/bs4nn_{part}.*" for part in ("decide", "dense", "look*", "run", "sort*", "state")),
    main="bs4nn_run.c",
    optimization="-O2",
    saves_flash_bytes=0,
    assembly=Assembly("bs4nn_state.h", "bs4nn_look_at_list", ("bs4nn_fire_word",)),
    costs=_by_set(
        image=(1600, 2000),
        pixel=(14, 22),
        pixel_out=(38, 38),
        intensity=(40, 60),
        step=(35, 55),
        layer=(75, 115),
        record=(40, 60),
        plane=(24, 36),
        look=(70, 108),
        look_plane=(10, 15),
        spike=(14, 21),
        spike_plane=(1, 1),
        fire=(18, 30),
        fire_alone=(75, 120),
        fire_in_c=(300, 450),
        batch=(16, 30),
        batch_plane=(0, 0),
        output=(130, 210),
        output_plane=(11, 18),
    ),
    costs_in_c=_by_set(
        image=(1700, 2100),
        pixel=(18, 26),
        pixel_out=(30, 30),
        intensity=(40, 60),
        step=(35, 55),
        layer=(75, 115),
        record=(40, 60),
        plane=(24, 36),
        look=(115, 180),
        look_plane=(12, 18),
        spike=(18, 28),
        spike_plane=(1, 2),
        fire=(40, 60),
        fire_alone=(300, 450),
        fire_in_c=(300, 450),
        batch=(20, 36),
        batch_plane=(0, 0),
        output=(130, 210),
        output_plane=(11, 18),
    ),
)
SMALL = Kernel(
    name="small",
    character="half of the code, a seventh more instructions",
    own=("small/*",),
    main="bs4nn_small.c",
    optimization="-Os",
    saves_flash_bytes=3400,
    assembly=Assembly("bs4nn_small_state.h", "bs4nn_small_look_at_list", ("bs4nn_small_fire",)),
    costs=_by_set(
        image=(2400, 3000),
        pixel=(24, 34),
        pixel_out=(0, 0),
        intensity=(30, 45),
        step=(60, 90),
        layer=(90, 130),
        record=(40, 60),
        plane=(6, 8),
        look=(80, 120),
        look_plane=(9, 14),
        spike=(15, 22),
        spike_plane=(1, 2),
        fire=(90, 140),
        fire_alone=(60, 90),
        fire_in_c=(60, 90),
        batch=(30, 40),
        batch_plane=(8, 10),
        output=(180, 270),
        output_plane=(10, 15),
    ),
    costs_in_c={},
)

# In the order in which a network's kernel is chosen: the first with which it fits.
KERNELS = {kernel.name: kernel for kernel in (FAST, SMALL)}
