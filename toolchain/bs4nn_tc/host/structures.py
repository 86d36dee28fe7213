"""The structures of host.h, field by field, and the arrays behind their pointers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.compiled import pointer

MAX_LAYERS = 16
_Pointers = ctypes.c_void_p * MAX_LAYERS


def a_layer_each(arrays: Sequence[NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    """Pointers to arrays, one a layer, in a field of a structure. The arrays have to outlive it."""
    return _Pointers(*(pointer(array) for array in arrays))


class Layer(ctypes.Structure):
    """`host_layer_t`."""

    _fields_ = (
        ("inputs", ctypes.c_int32),
        ("neurons", ctypes.c_int32),
        ("signs", ctypes.c_void_p),
        ("thresholds", ctypes.c_void_p),
    )


class BinaryNetwork(ctypes.Structure):
    """`host_network_t`."""

    _fields_ = (
        ("layer_count", ctypes.c_int32),
        ("time_steps", ctypes.c_int32),
        ("delay", ctypes.c_int32),
        ("readout_step", ctypes.c_int32),
        ("step_of_intensity", ctypes.c_void_p),
        ("layers", Layer * MAX_LAYERS),
    )


class RealNetworkStruct(ctypes.Structure):
    """`host_s4nn_t`."""

    _fields_ = (
        ("layer_count", ctypes.c_int32),
        ("time_steps", ctypes.c_int32),
        ("step_of_intensity", ctypes.c_void_p),
        ("sizes", ctypes.c_int32 * (MAX_LAYERS + 1)),
        ("thresholds", ctypes.c_float * MAX_LAYERS),
        ("weights", _Pointers),
    )


class Images(ctypes.Structure):
    """`host_images_t`."""

    _fields_ = (("images", ctypes.c_void_p), ("labels", ctypes.c_void_p), ("count", ctypes.c_int64))

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int32] | None = None) -> None:
        """Keep the arrays (no copies), (N, inputs) and (N,)."""
        super().__init__(pointer(images), None if labels is None else pointer(labels), len(images))
        self._arrays = (images, labels)


class Answers(ctypes.Structure):
    """`host_answers_t`."""

    _fields_ = (
        ("answer", ctypes.c_void_p),
        ("response_time", ctypes.c_void_p),
        ("lenient", ctypes.c_void_p),
        ("spikes", ctypes.c_void_p),
        ("fired", ctypes.c_void_p),
    )


class Result(ctypes.Structure):
    """`host_result_t`."""

    _fields_ = (
        ("answer", ctypes.c_void_p),
        ("response_time", ctypes.c_void_p),
        ("spikes", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("readout", ctypes.c_void_p),
    )


class Stopped(ctypes.Structure):
    """`host_stopped_t`."""

    _fields_ = (
        ("answer", ctypes.c_void_p),
        ("response_time", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("potentials", ctypes.c_void_p),
    )


class SurrogateStruct(ctypes.Structure):
    """`host_surrogate_t`."""

    _fields_ = (
        ("scale", ctypes.c_float),
        ("windows", ctypes.c_float * MAX_LAYERS),
        ("gradients", _Pointers),
        ("threshold_gradients", _Pointers),
        ("loss", ctypes.c_double),
    )


class Moments(ctypes.Structure):
    """`host_moments_t`."""

    _fields_ = (
        ("proxies", ctypes.c_void_p),
        ("mean", ctypes.c_void_p),
        ("square", ctypes.c_void_p),
        ("signs", ctypes.c_void_p),
        ("count", ctypes.c_int64),
    )


class Adam(ctypes.Structure):
    """`host_adam_t`."""

    _fields_ = (
        ("gradient_scale", ctypes.c_float),
        ("rate", ctypes.c_float),
        ("mean_correction", ctypes.c_float),
        ("square_correction", ctypes.c_float),
    )


class PaperWeights(ctypes.Structure):
    """`host_paper_weights_t`."""

    _fields_ = (
        ("proxies", _Pointers),
        ("signs", _Pointers),
        ("thresholds", _Pointers),
        ("alphas", ctypes.c_void_p),
        ("flips", ctypes.c_int64),
    )


class PaperStep(ctypes.Structure):
    """`host_paper_t` of host.h: how the recipe "paper" learns from one image."""

    _fields_ = (
        ("threshold", ctypes.c_float),
        ("rate", ctypes.c_float),
        ("alpha_rate", ctypes.c_float),
        ("decay", ctypes.c_float),
        ("gamma", ctypes.c_int32),
        ("early_target", ctypes.c_int32),
        ("strict", ctypes.c_int32),
        ("black_fires", ctypes.c_int32),
        ("silent_target", ctypes.c_int32),
        ("window", ctypes.c_float),
        ("balanced", ctypes.c_int32),
    )


class Dropout(ctypes.Structure):
    """`host_dropout_t` of host.h: hidden neurons that stay silent while images are learned from."""

    _fields_ = (("silent", ctypes.c_void_p), ("kept", ctypes.c_float))

    def __init__(self, silent: NDArray[np.uint8] | None = None, share: float = 0.0) -> None:
        """Keep the array (no copy).

        Args:
            silent: (N, hidden neurons of all layers) uint8, 1 where one stays silent; None if nobody does.
            share: of the hidden neurons that do.
        """
        super().__init__(None if silent is None else silent.ctypes.data, 1 - share)
        self._array = silent

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int, hidden_neurons: int, share: float) -> Dropout:
        """Draw, for each of `count` images, who stays silent; takes nothing from `rng` if share is 0."""
        if share == 0:
            return cls()
        return cls((rng.random((count, hidden_neurons)) < share).astype(np.uint8), share)


class RealRules(ctypes.Structure):
    """`host_s4nn_rules_t` of host.h: how the recipe "s4nn" learns from one image."""

    _fields_ = (
        ("rate", ctypes.c_float),
        ("gamma", ctypes.c_int32),
        ("window", ctypes.c_float),
        ("balanced", ctypes.c_int32),
        ("limits", ctypes.c_float * MAX_LAYERS),
    )
