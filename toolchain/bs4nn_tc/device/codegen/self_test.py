"""The self-test that is compiled into every application: samples by formula, answers by the reference.

The same generator stands in firmware/src/main.c, so the samples cost no flash.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network

SELF_TESTS = 4
_MASK = 0xFFFF_FFFF


@dataclass(frozen=True)
class Expected:
    """What the reference answers on one sample; `checksum` is the CRC-16 of the whole trace."""

    answer: int
    response_time: int
    spikes: int
    checksum: int


def sample(index: int, network: Network) -> NDArray[Any]:
    """(values,) of the network's type: self-test sample number `index`.

    Each of uint8 is denser than the one before; each of int16 has 16 times as large values, up to all that there are.
    """
    numbers = _xorshift(index, network.sample_values)
    if network.input.type == "int16":
        shift = 4 * (SELF_TESTS - 1 - index)
        return ((numbers >> (16 + shift)) - (0x8000 >> shift)).astype(np.int16)
    density = (index + 1) * 256 // SELF_TESTS
    intensities = ((numbers >> 8 & 255) * (network.input.intensity_max + 1)) >> 8
    return np.where((numbers & 255) < density, intensities, 0).astype(np.uint8)


def _xorshift(index: int, count: int) -> NDArray[np.int64]:
    """(count,) int64, 0 .. 2^32 - 1: what the generator gives for sample number `index`."""
    x = ((index + 1) * 0x9E37_79B9) & _MASK
    numbers = np.zeros(count, np.int64)
    for i in range(count):
        x ^= (x << 13) & _MASK
        x ^= x >> 17
        x ^= (x << 5) & _MASK
        numbers[i] = x
    return numbers


def trace_checksum(firing_times: list[NDArray[np.int32]], potentials: NDArray[np.int32]) -> int:
    """CRC-16/CCITT over all firing times (u16) and the readout potentials (i32), little-endian."""
    content = b"".join(times.astype("<u2").tobytes() for times in firing_times)
    return binascii.crc_hqx(content + potentials.astype("<i4").tobytes(), 0xFFFF)


def expected(network: Network) -> list[Expected]:
    """What the application has to answer on its self-test samples, traces in the order of a device's places."""
    samples = [sample(index, network) for index in range(SELF_TESTS)]
    result = reference.run(network.placed(), np.stack(samples))
    return [
        Expected(
            answer=int(result.answer[index]),
            response_time=int(result.response_time[index]),
            spikes=int(result.spikes[index]),
            checksum=trace_checksum([times[index] for times in result.firing_times], result.readout_potential[index]),
        )
        for index in range(SELF_TESTS)
    ]
