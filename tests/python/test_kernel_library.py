"""The kernel called from Python: the C that goes onto devices, on this computer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import networks_and_images, random_network
from hypothesis import given, settings

from bs4nn_tc.base import compiled
from bs4nn_tc.base.errors import TargetError, UserError
from bs4nn_tc.device import kernel_library
from bs4nn_tc.device.kernel_library import Kernel
from bs4nn_tc.model.network import Network


@settings(max_examples=25, deadline=None)
@given(networks_and_images())
def test_the_kernel_in_python_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    kernel = Kernel(network)
    answers, traced = kernel.classify(images, threads=2), kernel.trace(images, threads=2)
    for index, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        for found in (answers, traced):
            assert found.answer[index] == expected.answer
            assert found.response_time[index] == expected.response_time
            assert found.spikes[index] == expected.spikes
        assert [layer[index].tolist() for layer in traced.firing_times] == expected.firing_times
        assert traced.readout_potential[index].tolist() == expected.readout_potential


def test_parts_of_threads_are_put_together_in_order() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, (30, 40, 20, 4))
    network = dataclasses.replace(network, order=tuple(rng.permutation(count) for count in (40, 20)))
    images = rng.integers(0, 256, (23, 30)).astype(np.uint8)
    one, several = (Kernel(network).trace(images, threads) for threads in (1, 5))
    for mine, theirs in zip(dataclasses.astuple(one)[:3], dataclasses.astuple(several)[:3], strict=True):
        assert np.array_equal(mine, theirs)
    for mine, theirs in zip(one.firing_times, several.firing_times, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(one.readout_potential, several.readout_potential)
    assert Kernel(network).classify(images[:0]).answer.shape == (0,)


def test_images_that_do_not_fit_are_refused() -> None:
    kernel = Kernel(random_network(np.random.default_rng(0), (30, 4), intensity_max=16))
    with pytest.raises(UserError, match="31 pixels"):
        kernel.classify(np.zeros((2, 31), np.uint8))
    with pytest.raises(UserError, match="intensity 17"):
        kernel.trace(np.full((2, 30), 17, np.uint8))


def test_a_network_too_deep_and_too_wide_for_the_host_library() -> None:
    rng = np.random.default_rng(1)
    network = random_network(rng, (40_000, *[3] * 20, 2))
    image = rng.integers(0, 256, (1, 40_000)).astype(np.uint8)
    assert Kernel(network).classify(image).answer[0] == naive.run(network, image[0].tolist()).answer


def test_a_compiler_that_gets_the_kernel_wrong_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = []
    real = compiled.load
    monkeypatch.setattr(compiled, "load", lambda given: sources.append(given) or real(given))
    kernel_library.library()
    files = []
    for path in sources[0].files:
        text = path.read_text()
        if path.name == "kernel_batch.c":
            assert text.count("= result.answer;") == 1
            text = text.replace("= result.answer;", "= (uint16_t)(result.answer ^ 1u);")
        files.append(tmp_path / path.name)
        files[-1].write_text(text)
    monkeypatch.setattr(compiled, "_FLAGS", ("-O0", *compiled._FLAGS[1:]))
    monkeypatch.setattr(compiled, "_MACHINE_FLAGS", ((),))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(TargetError, match=r"made no kernel that works \(it computes something else"):
        real(dataclasses.replace(sources[0], files=tuple(files)))
