"""Build a peer for a core, run images on it in QEMU, and count: as bs4nn_tc.study.bench does for our kernel.

Every answer is compared with what it should be, so that nothing is counted that computes something else.

No Cortex-M0 board of QEMU has room for int8 or float weights of this size. Code for the Cortex-M0 therefore runs on
the emulated Cortex-M3 board, which executes the same instructions: ARMv6-M is a part of ARMv7-M.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from bs4nn_tc.base import tools
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device.boards import Board, load_board

HERE = Path(__file__).resolve().parent
BOARD_LIBRARY = HERE.parents[1] / "firmware" / "lib" / "board"
MACHINES = {"qemu-m0": "qemu-m3"}
# As the platform compiles our kernel (firmware/platform/builder/main.py), but not freestanding: CMSIS-NN advises
# against that, and the others lose nothing. A library is compiled as CMSIS-NN compiles itself.
FLAGS = ("-mthumb", "-O2", "-std=c99", "-ffp-contract=fast", "-ffunction-sections", "-fdata-sections")
LIBRARY_FLAGS = ("-Ofast", "-std=gnu11")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
LINKING = ("-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections")
FPU = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-sp-d16"}
STACK_BYTES = 8192
RAN_OVER = 0xFFFFFFFF  # BOARD_LAP_TOO_LONG


@dataclass(frozen=True)
class Peer:
    """What a user could take instead of our kernel.

    Attributes:
        name: for the table.
        sources: its files beside this one.
        model: content of the model.h that they include.
        answers: (N,) what it should answer.
        scores: (N, 10) what it should compute, where whole numbers say.
        library: somebody else's sources, compiled without our warnings.
        includes: somebody else's headers.
        uses_float: take the core's FPU, if it has one.
        shift: an instruction takes 2^shift ns of the board's time; less for what takes many instructions, as the
            board's counter has 24 bits.
    """

    name: str
    sources: tuple[str, ...]
    model: str
    answers: NDArray[np.int64]
    scores: NDArray[np.int64] | None = None
    library: tuple[Path, ...] = ()
    includes: tuple[Path, ...] = ()
    uses_float: bool = False
    shift: int = 6


@dataclass(frozen=True)
class Count:
    """What a peer costs.

    Attributes:
        instructions: (N,) executed instructions an image, right to within a tick of the board's clock.
        code_bytes: code, with what it takes of the compiler's libraries.
        constant_bytes: weights and other constants.
    """

    instructions: NDArray[np.int64]
    code_bytes: int
    constant_bytes: int


def measure(peer: Peer, board: Board, images: NDArray[np.uint8], machine: Board | None = None) -> Count:
    """Build the peer for the board's core, run every image and count.

    Args:
        peer: the peer, with the answers to these images.
        board: an emulated board; its core is what is compiled for.
        images: (N, 784) uint8.
        machine: the emulated board that runs it; one with room for it by default.

    Raises:
        TargetError: a build or an emulator that fails, or an answer that is wrong.
        MissingToolError: no compiler or emulator.
    """
    machine = machine or load_board(MACHINES.get(board.id, board.id))
    if machine.emulator is None:
        raise TargetError(f"{machine.id} is a real board; instructions are counted on emulated ones (bs4nn-tc boards)")
    with tempfile.TemporaryDirectory(prefix="bs4nn-peers-") as name:
        folder = Path(name)
        firmware = _build(peer, board.core, machine, folder)
        none = Peer("none", ("none.c",), "", peer.answers, uses_float=peer.uses_float)
        empty = _build(none, board.core, machine, folder)
        replies = _run(firmware, machine, images, peer.shift)
        code = _bytes(firmware, ".text") - _bytes(empty, ".text")
        constants = _bytes(firmware, ".rodata", ".data") - _bytes(empty, ".rodata", ".data")
    what = f"{peer.name} on {board.id}"
    wrong = replies[:, 0] != peer.answers
    if peer.scores is not None:
        wrong |= (replies[:, 2:] != peer.scores).any(axis=1)
    if wrong.any():
        raise TargetError(f"{what} computes something else than it should, first for image {int(wrong.argmax())}")
    ticks = replies[:, 1].astype(np.uint32)
    if (ticks == RAN_OVER).any():
        raise TargetError(f"{what} takes longer than the board's counter reaches; give it a smaller shift")
    return Count(np.rint(ticks * 1e9 / machine.f_cpu / 2**peer.shift).astype(np.int64), code, constants)


def _build(peer: Peer, core: str, machine: Board, folder: Path) -> Path:
    """The ELF file of main.c with the peer."""
    (compiler,) = tools.require(tools.ARM_COMPILER)
    fpu = FPU.get(core) if peer.uses_float else None
    target = [f"-mcpu={core}", *((f"-mfpu={fpu}", "-mfloat-abi=hard") if fpu else ("-mfloat-abi=soft",)), *FLAGS]
    includes = [f"-I{HERE}", f"-I{BOARD_LIBRARY / 'src'}"]
    for path in (folder, *peer.includes):
        includes += ["-isystem", str(path)]
    (folder / "model.h").write_text(peer.model, encoding="utf-8")
    own = [
        str(HERE / "main.c"),
        str(BOARD_LIBRARY / "src" / "board_semihosting.c"),
        *(str(HERE / name) for name in peer.sources),
    ]
    objects = folder / peer.name
    objects.mkdir()
    _call([compiler, *target, *WARNINGS, "-DBOARD_PORT_SEMIHOSTING", *includes, "-c", *own], objects)
    if peer.library:
        _call([compiler, *target, *LIBRARY_FLAGS, *includes, "-c", *map(str, peer.library)], objects)
    origins = json.loads(machine.manifest.read_text(encoding="utf-8"))["bs4nn"]["memory"]
    memory = {
        "FLASH_ORIGIN": origins["flash_origin"],
        "RAM_ORIGIN": origins["ram_origin"],
        "FLASH_LENGTH": machine.flash_bytes,
        "RAM_LENGTH": machine.ram_bytes,
        "STACK_BYTES": STACK_BYTES,
    }
    firmware = objects / "firmware.elf"
    symbols = [f"-Wl,--defsym={symbol}={value}" for symbol, value in memory.items()]
    script = f"-Wl,-T,{BOARD_LIBRARY / 'board.ld'}"
    linked = [str(path) for path in sorted(objects.glob("*.o"))]
    _call([compiler, *target, *LINKING, script, *symbols, *linked, "-lm", "-o", str(firmware)], objects)
    return firmware


def _run(firmware: Path, machine: Board, images: NDArray[np.uint8], shift: int) -> NDArray[np.int32]:
    """(N, 12): answer, ticks and ten scores an image."""
    assert machine.emulator is not None
    emulator = [*tools.require(tools.emulator(machine.emulator.program)), *machine.emulator.arguments]
    command = [*emulator, "-icount", f"shift={shift},sleep=off", "-kernel", str(firmware)]
    done = subprocess.run(command, input=images.tobytes(), capture_output=True, check=False)
    if done.returncode or len(done.stdout) != 48 * len(images):
        raise TargetError(f"QEMU ({machine.id}) stopped: {done.stderr.decode(errors='replace').strip()}")
    return np.frombuffer(done.stdout, "<i4").reshape(-1, 12)


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TargetError(f"the compiler refuses a peer:\n{done.stderr.strip()}")


def _bytes(firmware: Path, *names: str) -> int:
    """Bytes of some sections."""
    with firmware.open("rb") as file:
        return sum(section["sh_size"] for section in ELFFile(file).iter_sections() if section.name in names)
