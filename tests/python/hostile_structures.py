"""Networks whose structures say something wrong: python tests/python/hostile_structures.py COUNT KERNEL

In every round some fields of a right structure get values that are small, large, near the right one, or addresses that
are NULL or no address of a word. The kernel refuses it, or runs images in exactly the workspace that it asked for; the
sanitizers stop the program otherwise. Arrays are longer than any structure can say, for nothing tells their lengths.
"""

from __future__ import annotations

import ctypes
import sys

import many_networks
import numpy as np
from kernel import Kernel, Trace

ERROR_ARGUMENT = -1
POINTERS = {"start", "columns", "layers", "rows", "name", "digest"}
VALUES = [0, 1, 2, 3, 6, 7, 8, 15, 16, 17, 18, 19, 31, 32, 33, 127, 128, 254, 255, 256, 32_767, 32_768, 65_535]
MOST_WORDS = 1 << 20
ROUNDS = 20  # a network


class Hostile(Kernel):
    """A kernel whose structures are there to be changed."""

    def __init__(self, rng: np.random.Generator, name: str) -> None:
        self.rng = rng
        super().__init__(many_networks.network(rng), name)
        self.struct, self.layers = self._network.struct, self._network.layers
        self.parts = [self.struct, *self.layers]
        self.long = np.frombuffer(rng.bytes(1_200_000), np.uint32)  # contents are as unknown as lengths
        self.pixels = rng.integers(0, self.network.input.intensity_max + 1, 65_536).astype(np.uint8)
        self.struct.rows = self.long.ctypes.data
        for layer in self.layers:
            layer.columns = layer.columns and self.long.ctypes.data
            layer.start = layer.start and self.long.ctypes.data
        self.right = [bytes(part) for part in self.parts]

    def spoil(self) -> None:
        """Change one to three fields, wherever they are."""
        for part, right in zip(self.parts, self.right, strict=True):
            ctypes.memmove(ctypes.addressof(part), right, len(right))
        for _ in range(self.rng.integers(1, 4)):
            part = self.parts[self.rng.integers(len(self.parts))]
            field, *_ = part._fields_[self.rng.integers(len(part._fields_))]
            value = getattr(part, field)
            if field in POINTERS:
                offset = int(self.rng.integers(0, 4)) if field not in ("layers", "name") else 0
                setattr(part, field, None if offset == 0 else self.long.ctypes.data + offset)
            else:
                setattr(part, field, int(self.rng.choice([*VALUES, value + 1, value - 1, 2 * value, value // 2])))

    def run(self) -> bool:
        """Whether the kernel took the structures; then it has run."""
        words = min(self.struct.workspace_words, MOST_WORDS)
        workspace = np.empty(words, np.uint32)
        times, potentials = np.empty(300_000, np.uint16), np.empty(65_536, np.int32)
        trace = Trace(times.ctypes.data, potentials.ctypes.data)
        net, image = ctypes.byref(self._instance), ctypes.c_void_p(self.pixels.ctypes.data)
        status = self._library.bs4nn_init(
            net, ctypes.byref(self.struct), ctypes.c_void_p(workspace.ctypes.data), ctypes.c_size_t(4 * words)
        )
        answers = [
            self._library.bs4nn_classify(net, image, None),
            self._library.bs4nn_trace(net, image, ctypes.byref(trace), None),
        ]
        if status != 0:
            assert status < 0
            assert answers == [ERROR_ARGUMENT, ERROR_ARGUMENT]
        return bool(status == 0)


def main() -> None:
    count, name = int(sys.argv[1]), sys.argv[2]
    taken = 0
    for seed in range(count // ROUNDS):
        hostile = Hostile(np.random.default_rng(seed), name)
        for _ in range(ROUNDS):
            hostile.spoil()
            taken += hostile.run()
    assert 0 < taken < count
    print(f"{count} structures: refused, or run in their workspace")


if __name__ == "__main__":
    main()
