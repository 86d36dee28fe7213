"""The kernel itself on this computer: the C that goes onto devices, compiled once, on any network and many images."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import compiled
from bs4nn_tc.base.compiled import pointer
from bs4nn_tc.base.errors import VerificationError
from bs4nn_tc.device.codegen import pack
from bs4nn_tc.device.kernels import FAST
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network

_FOLDER = Path(__file__).parent


class _Layer(ctypes.Structure):
    """`bs4nn_layer_t`."""

    _fields_ = (
        ("inputs", ctypes.c_uint16),
        ("neurons", ctypes.c_uint16),
        ("words", ctypes.c_uint16),
        ("threshold", ctypes.c_uint16),
        ("spread", ctypes.c_uint16),
        ("planes", ctypes.c_uint8),
        ("start_planes", ctypes.c_uint8),
        ("state", ctypes.c_uint32),
        ("start", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
    )


class _Network(ctypes.Structure):
    """`bs4nn_network_t`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("digest", ctypes.c_void_p),
        ("time_steps", ctypes.c_uint16),
        ("readout_step", ctypes.c_uint16),
        ("steps_a_unit", ctypes.c_uint16),
        ("remainder_a_unit", ctypes.c_uint8),
        ("intensity_max", ctypes.c_uint8),
        ("delay", ctypes.c_uint16),
        ("hidden_layers", ctypes.c_uint16),
        ("workspace_words", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
    )


class _Batch(ctypes.Structure):
    """`batch_t` of kernel_batch.c."""

    _fields_ = (
        ("images", ctypes.c_void_p),
        ("count", ctypes.c_int32),
        ("answer", ctypes.c_void_p),
        ("response_time", ctypes.c_void_p),
        ("spikes", ctypes.c_void_p),
        ("firing_times", ctypes.c_void_p),
        ("readout_potentials", ctypes.c_void_p),
    )


def _address(array: NDArray[Any] | None) -> int | None:
    return None if array is None else array.ctypes.data


class KernelNetwork:
    """A network in memory as the kernel reads it: what `generate` writes as constant arrays.

    Attributes:
        struct: the `bs4nn_network_t`; valid as long as this object lives.
        layers: its array of `bs4nn_layer_t`.
        workspace_words: of a workspace, 32 bits each.
    """

    def __init__(self, network: Network) -> None:
        """Pack the network."""
        self._packed = packed = pack.pack(network)
        self.layers = (_Layer * len(packed.layers))(
            *(
                _Layer(
                    layer.group.inputs,
                    layer.group.neurons,
                    layer.group.words,
                    layer.group.threshold,
                    layer.group.spread,
                    layer.group.planes,
                    layer.group.start_planes,
                    packed.state_offsets[index],
                    _address(layer.group.start),
                    _address(layer.columns) if isinstance(layer, pack.PackedHidden) else None,
                )
                for index, layer in enumerate(packed.layers)
            )
        )
        self._digest = np.frombuffer(bytes.fromhex(network.digest), np.uint8)
        self.struct = _Network(
            b"here",
            _address(self._digest),
            network.time_steps,
            network.readout_step,
            packed.steps_a_unit,
            packed.remainder_a_unit,
            network.input.intensity_max,
            network.delay,
            len(packed.hidden),
            packed.workspace_words,
            ctypes.addressof(self.layers),
            _address(packed.output.rows),
        )
        self.workspace_words = packed.workspace_words


def library() -> ctypes.CDLL:
    """The portable C of the kernel as a shared library, built if need be.

    Raises:
        MissingToolError: no C compiler.
        TargetError: the compiler refuses the sources, hangs, or makes nothing that works.
        UserError: the cache folder cannot be written.
    """
    files = (*(path for path in FAST.files if path.suffix != ".S"), _FOLDER / "kernel_batch.c")
    return compiled.load(compiled.Sources("kernel", files, _FOLDER / "kernel_trial.py"))


class Kernel:
    """A network in the kernel.

    Attributes:
        network: the network.
    """

    def __init__(self, network: Network, compiled_kernel: ctypes.CDLL | None = None) -> None:
        """Pack the network.

        Args:
            network: any network.
            compiled_kernel: the kernel of `library`, compiled if that was not done before, if not given.

        Raises:
            MissingToolError: no C compiler.
            TargetError: the compiler makes nothing that works.
            UserError: the cache folder cannot be written.
        """
        self.network = network
        self._memory = KernelNetwork(network)
        self._library = library() if compiled_kernel is None else compiled_kernel

    def classify(self, images: NDArray[Any], threads: int | None = None) -> reference.Answers:
        """Answer images as a device does, each until its first output spike.

        Args:
            images: (N, values), samples of the network's type; their stages are computed in NumPy.
            threads: how many work; one a processor if not given.

        Raises:
            UserError: images of another size than the network takes, or a pixel that is too bright.
        """
        return self._run(images, threads, None, None)

    def trace(self, images: NDArray[Any], threads: int | None = None) -> reference.Result:
        """Run images to the last step; takes and raises what `classify` does."""
        sizes = [layer.neurons for layer in self.network.layers]
        times = np.empty((len(images), sum(sizes)), np.uint16)
        potentials = np.empty((len(images), sizes[-1]), np.int32)
        answers = self._run(images, threads, times, potentials)
        for first, places in zip(np.cumsum([0, *sizes]), self.network.order, strict=False):
            placed = times[:, first : first + places.size].copy()
            times[:, first + places] = placed
        by_layer = tuple(np.split(times, np.cumsum(sizes)[:-1], axis=1))
        return reference.Result(answers.answer, answers.response_time, answers.spikes, by_layer, potentials)

    def _run(
        self,
        images: NDArray[Any],
        threads: int | None,
        times: NDArray[np.uint16] | None,
        potentials: NDArray[np.int32] | None,
    ) -> reference.Answers:
        reference.check_images(self.network, images)
        images = np.ascontiguousarray(self.network.input.prepare(images))
        answer, response_time, spikes = (np.empty(len(images), np.int32) for _ in range(3))

        def work(part: slice) -> int:
            workspace = np.empty(self._memory.workspace_words, np.uint32)
            arrays = (answer, response_time, spikes, times, potentials)
            batch = _Batch(
                images[part].ctypes.data,
                len(images[part]),
                *(None if array is None else array[part].ctypes.data for array in arrays),
            )
            struct = ctypes.byref(self._memory.struct)
            status: int = self._library.bs4nn_batch(struct, pointer(workspace), ctypes.byref(batch))
            return status

        status = compiled.in_threads(work, len(images), threads)
        if status < 0:
            raise VerificationError(f"the kernel refuses this network with its error {status}; please report this")
        return reference.Answers(answer, response_time, spikes)
