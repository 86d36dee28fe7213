"""Exact bytes of a network in flash and RAM, known before anything is compiled.

Every item names the C symbol that holds it, so that `build` can compare the plan with the ELF
file, symbol by symbol. Sizes are those of a 32-bit core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.boards import Board
from bs4nn_tc.device.codegen import names, stages
from bs4nn_tc.device.codegen.pack import PackedNetwork
from bs4nn_tc.device.kernels import FAST, KERNELS, Kernel
from bs4nn_tc.model.network import Network

# sizeof of the kernel's structures on a 32-bit core, held by a test against the compiler.
LAYER_STRUCT_BYTES = 24
NETWORK_STRUCT_BYTES = 32
DIGEST_BYTES = 32
# What a stream's functions and the application's use of them take at the most, with -O2.
_PUSH_CODE_BYTES = 300
# The C object that is the kernel's memory.
WORKSPACE = "application_workspace"


@dataclass(frozen=True)
class Item:
    """One C object: its symbol, what it holds, where ("flash" or "ram") and its size in bytes."""

    symbol: str
    what: str
    memory: str
    bytes: int


@dataclass(frozen=True)
class Plan:
    """Everything a network puts into flash and RAM.

    Attributes:
        items: its data.
        code: what of its code not every network needs, and how many bytes that takes at the most.
    """

    items: tuple[Item, ...]
    code: tuple[tuple[str, int], ...] = ()

    @property
    def code_bytes(self) -> int:
        """Of `code`."""
        return sum(size for _, size in self.code)

    @property
    def flash_bytes(self) -> int:
        """Constant bytes of the network."""
        return sum(item.bytes for item in self.items if item.memory == "flash")

    @property
    def ram_bytes(self) -> int:
        """Static bytes that depend on the network: workspace and the application's buffers."""
        return sum(item.bytes for item in self.items if item.memory == "ram")

    @property
    def workspace_bytes(self) -> int:
        """Of the workspace, which is one of the items."""
        return next(item.bytes for item in self.items if item.symbol == WORKSPACE)


def plan(network: Network, packed: PackedNetwork, name: str) -> Plan:
    """Compute the plan of a network generated under `name`."""

    def part(what: str) -> str:
        return names.part_name(name, what)

    items = [
        Item(names.c_name(name), "network description", "flash", NETWORK_STRUCT_BYTES),
        Item(part("name"), "name", "flash", len(name) + 1),
        Item(part("digest"), "digest", "flash", DIGEST_BYTES),
    ]
    items.append(Item(part("layers"), "layer descriptions", "flash", LAYER_STRUCT_BYTES * len(packed.layers)))
    for number, hidden in enumerate(packed.hidden, start=1):
        items.append(Item(part(f"layer{number}_columns"), f"layer {number} weights", "flash", hidden.columns.nbytes))
    last = len(packed.layers)
    items.append(Item(part(f"layer{last}_rows"), f"layer {last} weights", "flash", packed.output.rows.nbytes))
    for number, layer in enumerate(packed.layers, start=1):
        start = layer.group.start
        if start is not None:
            items.append(Item(part(f"layer{number}_start"), f"layer {number} thresholds", "flash", start.nbytes))
    staged = stages.plan(network.input, packed.workspace_words, name)
    for number, call in enumerate(staged.calls, start=1):
        for symbol, table in call.constants:
            items.append(Item(symbol, f"stage {number} {table.name}", "flash", table.bytes))
    neurons = sum(layer.neurons for layer in network.layers)
    sample_bytes = network.sample_values * network.input.sample.dtype.itemsize
    items += [
        Item(WORKSPACE, "kernel workspace", "ram", 4 * staged.workspace_words),
        Item("application_sample", "sample", "ram", sample_bytes),
        *([Item("application_stream", "stream", "ram", 4 + -(-sample_bytes // 4) * 4)] if network.input.hop else []),
        Item("application_firing_times", "trace of firing times", "ram", 2 * neurons),
        Item("application_potentials", "trace of readout potentials", "ram", 4 * network.outputs),
    ]
    stream = (("push of a stream", _PUSH_CODE_BYTES),) if network.input.hop else ()
    return Plan(tuple(items), (*staged.code, *stream))


def workspace_by_layer(network: Network, packed: PackedNetwork) -> list[tuple[str, int]]:
    """What the workspace's bytes are for: [(what, bytes), ...]; stages use those of the others, too."""
    staged = stages.plan(network.input, packed.workspace_words, "network")
    rows = [("input stages", 4 * (staged.workspace_words - packed.workspace_words))] if staged.calls else []
    rows += [("order of the pixels", 4 * packed.order_words)]
    rows += [(f"layer {number} state", 4 * layer.state_words) for number, layer in enumerate(packed.layers, 1)]
    return rows


def lacking(network_plan: Plan, board: Board, kernel: Kernel = FAST) -> dict[str, int]:
    """Bytes that a board lacks for a network and the program around it; empty if it fits."""
    program = board.reserved_flash_bytes + network_plan.code_bytes - kernel.saves_flash_bytes
    missing = {
        "flash": network_plan.flash_bytes + program - board.flash_bytes,
        "RAM": network_plan.ram_bytes + board.reserved_ram_bytes - board.ram_bytes,
    }
    return {memory: count for memory, count in missing.items() if count > 0}


def choose_kernel(network_plan: Plan, boards: Sequence[Board]) -> Kernel:
    """The first kernel with which a network fits every board; where none does, the one that takes least flash."""
    for kernel in KERNELS.values():
        if not any(lacking(network_plan, board, kernel) for board in boards):
            return kernel
    return max(KERNELS.values(), key=lambda kernel: kernel.saves_flash_bytes)


def check_fits(network_plan: Plan, shape: str, board: Board, kernel: Kernel = FAST) -> None:
    """Refuse a network that a board has no room for.

    Args:
        network_plan: what the network needs.
        shape: the network's sizes, for the message.
        board: with what its firmware takes besides the network.
        kernel: the one in the firmware.

    Raises:
        UserError: with needed, available and missing bytes, and what to change.
    """
    missing = lacking(network_plan, board, kernel)
    other = choose_kernel(network_plan, [board])
    another = f"the {other.name} kernel (--kernel {other.name}), " if not lacking(network_plan, board, other) else ""
    for memory, network_bytes, available, remedy in (
        ("flash", network_plan.flash_bytes, board.flash_bytes, f"{another}fewer neurons, or a larger board"),
        ("RAM", network_plan.ram_bytes, board.ram_bytes, "fewer neurons, or a board with more RAM"),
    ):
        if memory in missing:
            needed = available + missing[memory]
            raise UserError(
                f"{shape} does not fit {board.id}: it needs {needed:,} bytes of {memory} "
                f"({network_bytes:,} network + {needed - network_bytes:,} program), {available:,} are there, "
                f"{missing[memory]:,} too few; take {remedy}"
            )
