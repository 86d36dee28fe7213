"""What an inference costs on a core: executed instructions, bytes of code, constants, RAM and stack.

Instructions are counted by QEMU on the real firmware: the same on every run, and right to within one or
two (a board's clock ticks in other steps). They are instructions, not cycles; `milliseconds` says how
long they may take at a clock.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from bs4nn_tc import targets
from bs4nn_tc.base import resources, tools
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.base.files import write_atomically
from bs4nn_tc.device import building, cores
from bs4nn_tc.device.boards import Board
from bs4nn_tc.device.codegen import memory, project
from bs4nn_tc.device.kernels import FAST, KERNELS, Kernel
from bs4nn_tc.model.network import Network
from bs4nn_tc.study import hard_images
from bs4nn_tc.targets.application import ApplicationTarget, LapTooLongError

# As the platform (firmware/platform/builder/main.py) and generated projects compile them.
_FLAGS = ("-mthumb", "-mfloat-abi=soft", "-std=c99", "-ffreestanding", "-ffunction-sections")


@dataclass(frozen=True)
class Cost:
    """One network on one board.

    Attributes:
        board: the board.
        core: its core.
        kernel: name of the kernel.
        portable: it was compiled from its C alone, without its assembly.
        images: how many images were run.
        instructions_mean: executed instructions an inference, over all images.
        instructions_p99: 99 % of the images need no more.
        instructions_max: the most that any of the images needs.
        instructions_hardest: the most for images made and searched for to be hard (`hard_images`); None if the
            board's counter does not reach that far.
        instructions_bound: no image needs more (device/codegen/bound.py); None for a core that is not known.
        instructions_by_class: the mean for the images of each class.
        code_bytes: the kernel's code and constants.
        constant_bytes: the network in flash.
        workspace_bytes: the kernel's memory in RAM.
        stack_bytes: deepest path of calls from bs4nn_classify, without the C library's memset.
        milliseconds: from the mean at the board's clock, (1 cycle an instruction, 2 cycles an instruction).
    """

    board: str
    core: str
    kernel: str
    portable: bool
    images: int
    instructions_mean: float
    instructions_p99: int
    instructions_max: int
    instructions_hardest: int | None
    instructions_bound: int | None
    instructions_by_class: tuple[float, ...]
    code_bytes: int
    constant_bytes: int
    workspace_bytes: int
    stack_bytes: int
    milliseconds: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure(
    network: Network,
    board: Board,
    images: NDArray[Any],
    labels: NDArray[np.integer],
    on_image: Callable[[], None] | None = None,
    kernel: Kernel | None = None,
    portable: bool = False,
) -> Cost:
    """Build the network for an emulated board, run every image there and count.

    Args:
        network: any network that fits the board.
        board: an emulated board.
        images: (N, values), samples of the network's type.
        labels: (N,) classes, for the means by class.
        on_image: called after every image.
        kernel: None for the first one with which the network fits the board.
        portable: compile it from its C alone.

    Raises:
        TargetError: a real board, or a build or emulator that fails.
        MissingToolError: no compiler or emulator.
    """
    if board.emulator is None:
        raise TargetError(f"{board.id} is a real board; instructions are counted on emulated ones (bs4nn-tc boards)")
    with tempfile.TemporaryDirectory(prefix="bs4nn-bench-") as folder:
        where = Path(folder) / "project"
        made = project.generate(network, "bench", [board], where, kernel=kernel, portable=portable)
        building.build(made, [board.id])
        counts = []
        with targets.open_emulator(board, building.program_path(made, board.id), counting=True) as target:
            target.expect(network)
            for image in images:
                counts.append(targets.instructions(board, target.profile(image)[1]))
                if on_image is not None:
                    on_image()
            hardest = _hardest(network, board, target)
        compiled = (made.folder / ".pio" / "build" / board.id).glob("lib*/bs4nn/*.o")
        code = sum(map(_object_bytes, compiled))
    counted = np.array(counts)
    mean = float(counted.mean())
    used = KERNELS[made.kernel].in_c if portable else KERNELS[made.kernel]
    cycle_milliseconds = 1e3 / board.f_cpu
    return Cost(
        board=board.id,
        core=board.core,
        kernel=made.kernel,
        portable=portable,
        images=len(images),
        instructions_mean=mean,
        instructions_p99=int(np.quantile(counted, 0.99, method="higher")),
        instructions_max=int(counted.max()),
        instructions_hardest=hardest,
        instructions_bound=made.instructions_at_most[board.id],
        instructions_by_class=tuple(
            float(counted[labels == label].mean()) if (labels == label).any() else 0.0
            for label in range(network.outputs)
        ),
        code_bytes=code,
        constant_bytes=sum(item.bytes for item in made.items if item.memory == "flash"),
        workspace_bytes=next(item.bytes for item in made.items if item.symbol == memory.WORKSPACE),
        stack_bytes=stack_bytes(board.core, used),
        milliseconds=(mean * cycle_milliseconds, 2 * mean * cycle_milliseconds),
    )


def _hardest(network: Network, board: Board, target: ApplicationTarget) -> int | None:
    """The most instructions that a search for hard images finds; None without one, or where the counter runs over."""
    try:
        return hard_images.search(network, lambda image: targets.instructions(board, target.profile(image)[1]))
    except LapTooLongError:
        return None


def _object_bytes(path: Path) -> int:
    """Code and constants in an object file."""
    with path.open("rb") as file:
        sections = [
            (section.name, section["sh_size"])
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & 2  # SHF_ALLOC
        ]
    return sum(size for name, size in sections if name.startswith((".text", ".rodata")))


def _compile(core: str, kernel: Kernel, source: Path, folder: Path) -> Path:
    """Compile a source of a kernel, with its call graph beside it; returns the object file."""
    target = folder / f"{source.stem}.o"
    flags = [f"-mcpu={core}", *_FLAGS, kernel.optimization, *kernel.defines, f"-I{resources.KERNEL}"]
    command = [*tools.require(tools.ARM_COMPILER), *flags, "-fcallgraph-info=su", "-c", str(source)]
    command += ["-o", str(target)]
    subprocess.run(command, check=True, cwd=folder)
    return target


def kernel_bytes(core: str, kernel: Kernel = FAST) -> dict[str, int]:
    """Bytes of a kernel's code and constants ("code") and of its deepest stack ("stack") on a core.

    Raises:
        MissingToolError: no compiler.
    """
    with tempfile.TemporaryDirectory(prefix="bs4nn-code-") as folder:
        code = sum(_object_bytes(_compile(core, kernel, source, Path(folder))) for source in kernel.sources)
    return {"code": code, "stack": stack_bytes(core, kernel)}


def stack_bytes(core: str, kernel: Kernel = FAST, entry: str = "bs4nn_classify") -> int:
    """Deepest stack from `entry`, by the compiler's call graph; calls out of the kernel count as 0.

    Raises:
        MissingToolError: no compiler.
        TargetError: the call graph has a loop or a frame of unknown size.
    """
    with tempfile.TemporaryDirectory(prefix="bs4nn-stack-") as folder:
        for path in kernel.sources:
            if path.suffix == ".c":
                _compile(core, kernel, path, Path(folder))
        graph = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.ci")))
    frames: dict[str, int] = {}
    # A function that may be there more than once, or is its file's own, has the file's name before it.
    for name, label in re.findall(r'node: \{ title: "(?:[^"]*:)?([^":]+)" label: "([^"]+)"', graph):
        found = re.search(r"(\d+) bytes \(static\)", label)
        if found is None and "bytes (" in label:
            raise TargetError(f"the stack of {name} has no fixed size: {label}")
        frames[name] = max(frames.get(name, 0), int(found.group(1)) if found else 0)
    calls: dict[str, set[str]] = {}
    edge = r'edge: \{ sourcename: "(?:[^"]*:)?([^":]+)" targetname: "(?:[^"]*:)?([^":]+)"'
    for source, callee in re.findall(edge, graph):
        calls.setdefault(source, set()).add(callee)
    if kernel.assembly is not None:
        # What the call graph does not know: the function in assembly says itself how much it pushes.
        header = next(path for path in kernel.files if path.name == kernel.assembly.header)
        stated = header.read_text(encoding="utf-8")
        version = "THUMB_1" if cores.core(core).instruction_set == "thumb-1" else "THUMB_2"
        pushed = dict(re.findall(rf"#define {version}_(\w+)_STACK (\d+)", stated))
        frames |= {kernel.assembly.function: int(pushed["LOOK"]), "most": int(pushed["MOST"])}
        calls[kernel.assembly.function] = {"most", *kernel.assembly.calls}

    def deepest(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            raise TargetError(f"the kernel calls itself: {' -> '.join((*path, name))}")
        below = (deepest(callee, (*path, name)) for callee in calls.get(name, ()))
        return frames.get(name, 0) + max(below, default=0)

    return deepest(entry, ())


def write_csv(costs: Sequence[Cost], path: Path) -> None:
    """Write one row a board.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    text = io.StringIO()
    rows = []
    for cost in costs:
        row = cost.as_dict()
        row["instructions_by_class"] = " ".join(f"{mean:.1f}" for mean in cost.instructions_by_class)
        row["milliseconds"] = " ".join(f"{value:.4f}" for value in cost.milliseconds)
        rows.append(row)
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
