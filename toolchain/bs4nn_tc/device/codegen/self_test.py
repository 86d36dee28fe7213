"""The self-test that is compiled into every application: images by formula, answers by the reference.

The same generator stands in firmware/src/main.c, so the images cost no flash.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network

SELF_TESTS = 4
_MASK = 0xFFFF_FFFF


@dataclass(frozen=True)
class Expected:
    """What the reference answers on one image; `checksum` is the CRC-16 of the whole trace."""

    answer: int
    response_time: int
    spikes: int
    checksum: int


def image(index: int, pixels: int, intensity_max: int) -> NDArray[np.uint8]:
    """(pixels,) uint8: self-test image number `index`, each denser than the one before."""
    x = ((index + 1) * 0x9E37_79B9) & _MASK
    density = (index + 1) * 256 // SELF_TESTS
    made = np.zeros(pixels, np.uint8)
    for i in range(pixels):
        x ^= (x << 13) & _MASK
        x ^= x >> 17
        x ^= (x << 5) & _MASK
        if (x & 255) < density:
            made[i] = ((x >> 8 & 255) * (intensity_max + 1)) >> 8
    return made


def trace_checksum(firing_times: list[NDArray[np.int32]], potentials: NDArray[np.int32]) -> int:
    """CRC-16/CCITT over all firing times (u16) and the readout potentials (i32), little-endian."""
    content = b"".join(times.astype("<u2").tobytes() for times in firing_times)
    return binascii.crc_hqx(content + potentials.astype("<i4").tobytes(), 0xFFFF)


def expected(network: Network) -> list[Expected]:
    """What the application has to answer on its self-test samples, traces in the order of a device's places."""
    samples = [image(index, network.sample_values, network.input.intensity_max) for index in range(SELF_TESTS)]
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
