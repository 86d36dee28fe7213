"""The widest network that a place has room for."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device import boards
from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.limits import MAX_SYNAPSES
from bs4nn_tc.model.network import Network

# Nothing that has been tried gained anything from more.
WIDEST = 2048
# No byte depends on how many there are.
_STEPS = 16
_SIZE = re.compile(r"([0-9]{1,9})(|B|KB|KiB|k|K)")


@dataclass(frozen=True)
class Room:
    """A place for a network.

    Attributes:
        board: its firmware takes the rest; None where only flash counts.
        flash: bytes for the network's data and the code of its stages; None where a board says it.
    """

    board: boards.Board | None
    flash: int | None

    @property
    def text(self) -> str:
        """For people."""
        by_board = [] if self.board is None else [self.board.id]
        return " and ".join((*by_board, *([] if self.flash is None else [f"{self.flash:,} bytes of flash"])))

    def takes(self, plan: memory.Plan) -> bool:
        """Whether a network with such a plan fits."""
        if self.flash is not None and plan.flash_bytes + plan.code_bytes > self.flash:
            return False
        return self.board is None or not memory.lacking(plan, self.board, memory.choose_kernel(plan, [self.board]))

    def widest(self, behind: Dataset) -> int:
        """Neurons of the widest hidden layer that fits, at most `WIDEST`.

        Args:
            behind: the data set behind its stages.

        Raises:
            UserError: not even one neuron fits.
        """
        inputs, outputs = behind.train_images.shape[1], len(behind.class_names)
        least, most = 0, min(WIDEST, MAX_SYNAPSES // (inputs + outputs))
        while least < most:
            middle = (least + most + 1) // 2
            if self.takes(_plan(behind, middle)):
                least = middle
            else:
                most = middle - 1
        if not least:
            raise UserError(
                f"{self.text}: no network of {inputs:,} inputs and {outputs:,} classes fits; take a larger board, "
                "fewer values a sample, or another --coding"
            )
        return least


def room(board: str | None, flash: str | None) -> Room | None:
    """The place that a user has named; None for none.

    Args:
        board: the name of one.
        flash: bytes ("16000"), or with a unit of 1,024 bytes ("16KB").

    Raises:
        UserError: an unknown board, or no size.
    """
    if board is None and flash is None:
        return None
    size = None
    if flash is not None:
        match = _SIZE.fullmatch(flash)
        if match is None:
            raise UserError(f"--flash {printable(flash, 40)}: bytes are needed, such as 16KB or 16000")
        size = int(match[1]) * (1 if match[2] in ("", "B") else 1024)
    return Room(None if board is None else boards.load_board(board), size)


def _plan(behind: Dataset, hidden: int) -> memory.Plan:
    """What a network with so many hidden neurons, each with the same threshold, takes."""
    sizes = (behind.train_images.shape[1], hidden, len(behind.class_names))
    layers = tuple(Dense(np.ones((neurons, inputs), np.int8), 1) for inputs, neurons in itertools.pairwise(sizes))
    network = Network(layers, time_steps=_STEPS, input=behind.input)
    return memory.plan(network, pack.pack(network), "network")
