"""The PyTorch modules against the reference and the compiled trainer. Skipped, loudly, where torch is not installed."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, networks_and_images, random_network
from hypothesis import given, settings

from bs4nn_tc.base.errors import VerificationError
from bs4nn_tc.data import datasets
from bs4nn_tc.host.network import Surrogate, host_network
from bs4nn_tc.host.structures import Dropout
from bs4nn_tc.model import network_file, reference
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network

try:
    import torch

    from bs4nn_tc.training import torch_modules
except ImportError:
    warnings.warn("torch is not installed: the PyTorch modules are NOT tested; pip install torch", stacklevel=1)
    pytest.skip("torch is not installed", allow_module_level=True)


def assert_equal_to_reference(network: Network, images: np.ndarray) -> None:
    modules = torch_modules.BinaryIFNetwork.from_network(network)
    found = modules(torch.tensor(images))
    expected = reference.run(network, images)
    for mine, theirs in zip(found.firing_times, expected.firing_times, strict=True):
        assert np.array_equal(mine.numpy(), theirs)
    assert np.array_equal(found.answer.numpy(), expected.answer)
    assert np.array_equal(found.response_time.numpy(), expected.response_time)
    assert (
        modules.to_network(images).digest
        == Network(network.layers, network.time_steps, network.delay, network.readout_step, network.input).digest
    )


@settings(max_examples=60, deadline=None)
@given(networks_and_images())
def test_forward_pass_equals_the_reference(case: tuple[Network, np.ndarray]) -> None:
    assert_equal_to_reference(*case)


def test_the_authors_network(authors: Network, data_dir: Path) -> None:
    assert_equal_to_reference(authors, datasets.load("mnist", data_dir).test_images[:50])


def test_firing_times_come_from_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another ramp than equation 1, which the reference follows, too (test_equation_one.py)."""
    true = Input.table
    monkeypatch.setattr(Input, "table", lambda self, steps: true(self, steps)[np.arange(256) ** 2 // 255])
    rng = np.random.default_rng(0)
    network = random_network(rng, (60, 40, 5))
    assert_equal_to_reference(network, rng.integers(0, 256, (20, 60)).astype(np.uint8))


def test_wide_sums_are_exact() -> None:
    """257 inputs of +1 at once: one more than bfloat16 can count to."""
    for inputs in (256, 257):
        network = Network((Dense(np.ones((3, inputs), np.int8), inputs), Dense(np.ones((2, 3), np.int8), 3)), 4)
        images = np.full((2, inputs), 255, np.uint8)
        images[1, 0] = 0
        assert_equal_to_reference(network, images)


@pytest.mark.parametrize("hidden", [(9,), (40,), (70,)])
@pytest.mark.parametrize("time_steps", [1, 5, 16])
def test_gradients_are_those_of_the_compiled_trainer(hidden: tuple[int, ...], time_steps: int) -> None:
    rng = np.random.default_rng([len(hidden), hidden[0], time_steps])
    network = random_network(rng, (30, *hidden, 5), time_steps=time_steps)
    network = Network(network.layers, time_steps)
    images = (rng.integers(0, 256, (20, 30)) * (rng.random((20, 30)) < 0.7)).astype(np.uint8)
    images[:3] //= 3
    labels = rng.integers(0, 5, 20)
    host = host_network(network)
    expected = [np.zeros(layer.shape, np.float32) for layer in host.signs]
    loss = host.surrogate_gradients(
        images,
        labels.astype(np.int32),
        Surrogate(0.3, [7.0] * len(hidden)),
        gradients=expected,
        threshold_gradients=[np.zeros(neurons, np.float32) for neurons in hidden],
        dropout=Dropout(),
    )
    modules = torch_modules.BinaryIFNetwork.from_network(network, window=7.0)
    potentials = modules(torch.tensor(images)).potentials
    found = torch.nn.functional.cross_entropy(0.3 * potentials, torch.tensor(labels), reduction="sum")
    found.backward()
    assert found.item() == pytest.approx(loss, rel=1e-4)
    for layer, wanted in zip(modules.layers, expected, strict=True):
        # The compiled trainer leaves the factor of the softmax out, which Adam does not see.
        np.testing.assert_allclose(layer.proxies.grad.numpy().T / 0.3, wanted, atol=1e-4)


def test_what_the_reference_does_not_compute_is_not_handed_over() -> None:
    modules = torch_modules.BinaryIFNetwork((20, 10, 3), [2, 2], time_steps=8)
    images = np.random.default_rng(0).integers(0, 256, (40, 20)).astype(np.uint8)
    modules.to_network(images)
    modules.layers[0].thresholds += 0.4  # rounds to the same whole number, but fires later
    with pytest.raises(VerificationError, match="whole numbers"):
        modules.to_network(images)


def test_the_example_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pytorch_training.py", "--epochs", "4"])
    runpy.run_path(str(ROOT / "examples" / "pytorch_training.py"), run_name="__main__")
    network = network_file.load(tmp_path / "digits-pytorch.bs4nn")
    digits = datasets.load("digits", None)
    assert (reference.run(network, digits.test_images).answer == digits.test_labels).mean() > 0.8
