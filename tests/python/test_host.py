"""The host library: its answers, its gradients from potentials at every single step, and how it is built and kept."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import naive
import numpy as np
import pytest
from conftest import networks_and_images, random_network
from hypothesis import given, settings

import bs4nn_tc
from bs4nn_tc.base import tools
from bs4nn_tc.host import library
from bs4nn_tc.host.network import Surrogate
from bs4nn_tc.host.structures import Dropout
from bs4nn_tc.model import reference
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.training import ordering
from bs4nn_tc.training.loop import host_network

SOURCES = Path(library.__file__).parent


def times_of(network: Network, image: np.ndarray) -> np.ndarray:
    """(pixels,) firing times, from the equation."""
    high, steps = network.input.intensity_max, network.time_steps
    return np.array([(high - int(intensity)) * steps // high for intensity in image])


# ---- Every firing time of a batch ----


@settings(max_examples=150, deadline=None)
@given(networks_and_images())
def test_all_firing_times_equal_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    found = host_network(network).times(images, threads=2)
    for index, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        assert [layer[index].tolist() for layer in found.firing_times] == expected.firing_times
        assert found.readout_potential[index].tolist() == expected.readout_potential
        assert found.answer[index] == expected.answer
        assert found.response_time[index] == expected.response_time
        assert found.spikes[index] == expected.spikes


@settings(max_examples=150, deadline=None)
@given(networks_and_images())
def test_an_evaluation_equals_the_naive_simulator(case: tuple[Network, np.ndarray]) -> None:
    network, images = case
    outputs = network.layers[-1].neurons
    labels = np.arange(len(images), dtype=np.int32) % outputs
    found = host_network(network).evaluate(images, labels)
    fired = np.zeros(sum(layer.neurons for layer in network.layers[:-1]), np.int64)
    for index, image in enumerate(images):
        expected = naive.run(network, image.tolist())
        decided, silent = expected.response_time, expected.response_time == network.time_steps
        assert found.answer[index] == expected.answer
        assert found.response_time[index] == decided
        assert found.spikes[index] == expected.spikes
        of_label = expected.firing_times[-1][labels[index]]
        assert found.lenient[index] == (expected.answer == labels[index] if silent else of_label == decided)
        hidden = np.array([time for layer in expected.firing_times[:-1] for time in layer])
        if hidden.size:
            fired += (hidden < network.time_steps) & (silent | (hidden <= decided - network.delay))
    if fired.size:
        assert found.fired.tolist() == fired.tolist()


@pytest.mark.parametrize("sizes", [(300, 16), (300, 17), (784, 1100, 600, 40), (40, 2100, 10)])
def test_all_firing_times_of_wide_layers(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(sizes))
    network = random_network(rng, sizes, time_steps=64, delay=len(sizes) % 2)
    images = (rng.integers(0, 256, (6, sizes[0])) * (rng.random((6, sizes[0])) < 0.4)).astype(np.uint8)
    expected, found = reference.run(network, images), host_network(network).times(images)
    for mine, theirs in zip(found.firing_times, expected.firing_times, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(found.readout_potential, expected.readout_potential)
    assert np.array_equal(found.answer, expected.answer)


def test_an_order_groups_neurons_that_fire_together() -> None:
    """Two kinds of neurons, shuffled: each word has to hold one kind; the answers stay."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 32)
    shuffled = rng.permutation(64)
    signs = np.where(kinds[shuffled, None] == 0, 1, -1) * np.array([1] * 20 + [-1] * 20)
    network = Network((Dense(signs, 3), Dense(rng.choice([-1, 1], (4, 64)), 5)), time_steps=8)
    images = rng.integers(0, 256, (30, 40)).astype(np.uint8)
    ordered = ordering.order_neurons(network, images)
    by_place = kinds[shuffled][ordered.order[0]]
    assert len(set(by_place[:32].tolist())) == len(set(by_place[32:].tolist())) == 1
    assert ordered.digest != network.digest
    expected, found = reference.run(network, images), reference.run(ordered.placed(), images)
    assert np.array_equal(found.answer, expected.answer)
    assert np.array_equal(found.firing_times[0], expected.firing_times[0][:, ordered.order[0]])


def test_a_word_holds_the_neurons_nearest_to_the_first_that_is_left() -> None:
    rng = np.random.default_rng(6)
    network = random_network(rng, (40, 90, 5))
    images = rng.integers(0, 256, (25, 40)).astype(np.uint8)
    result = reference.run(network, images)
    times = np.minimum(result.firing_times[0], result.response_time[:, None] + 1).astype(float)
    places = ordering.order_neurons(network, images).order[0]
    for start in range(0, 90, 32):
        left, first = places[start:], places[start]
        distances = np.array([math.dist(times[:, first], times[:, neuron]) for neuron in left])
        assert times[:, first].mean() == times[:, left].mean(axis=0).min()
        assert distances[:32].max() <= distances[32:].min(initial=math.inf)


# ---- The gradients of the recipe "best" ----


def dense_gradients(
    network: Network, image: np.ndarray, label: int, scale: float, windows: tuple[float, ...]
) -> tuple[list[np.ndarray], float]:
    """Loss and gradients (in, out) of one image in float64, from potentials at every single step."""
    steps = network.time_steps
    arrivals = [times_of(network, image)]
    potentials = []  # one (T, neurons) a layer
    for layer in network.layers:
        here = np.stack([layer.signs[:, arrivals[-1] <= step].sum(axis=1, dtype=np.int64) for step in range(steps)])
        potentials.append(here)
        crossed = here >= layer.thresholds
        arrivals.append(np.where(crossed.any(axis=0), crossed.argmax(axis=0), steps))
    tau = min(int(arrivals[-1].min()), steps - 1)
    logits = scale * potentials[-1][tau].astype(np.float64)
    soft = np.exp(logits - logits.max())
    soft /= soft.sum()
    slope = soft - np.eye(network.outputs)[label]
    gradients: list[np.ndarray] = []
    for number in range(len(network.layers) - 1, -1, -1):
        times = arrivals[number]
        if number == len(network.layers) - 1:
            counted = np.repeat((times <= tau)[:, None], network.outputs, axis=1)
        else:
            layer, seen = network.layers[number], potentials[number][: tau + 1]
            peak, at = seen.max(axis=0), seen.argmax(axis=0)
            above = network.layers[number + 1].signs
            triangle = 1 - np.abs(peak - layer.thresholds + 0.5) / windows[number]
            slope = (above.T @ slope) * np.maximum(0, triangle)
            counted = times[:, None] <= at[None, :]
        gradients.insert(0, counted * slope[None, :])
    return gradients, -math.log(soft[label])


@pytest.mark.parametrize("hidden", [(9,), (40,), (12, 15), (6, 7, 8)])
@pytest.mark.parametrize("time_steps", [1, 5, 16])
def test_gradients_are_those_of_a_dense_computation(hidden: tuple[int, ...], time_steps: int) -> None:
    rng = np.random.default_rng([len(hidden), hidden[0], time_steps])
    for _ in range(5):
        network = random_network(rng, (30, *hidden, 5), time_steps=time_steps)
        network = Network(network.layers, time_steps)
        # Some images without a bright pixel: nothing arrives at step 0, the potentials stand at 0.
        images = (rng.integers(0, 256, (8, 30)) * (rng.random((8, 30)) < 0.7)).astype(np.uint8)
        images[:3] //= 3
        labels = rng.integers(0, 5, 8).astype(np.int32)
        windows = tuple(rng.uniform(2, 9, len(hidden)))
        host = host_network(network)
        got = [np.zeros(layer.shape, np.float32) for layer in host.signs]
        of_thresholds = [np.zeros(neurons, np.float32) for neurons in hidden]
        loss = host.surrogate_gradients(
            images,
            labels,
            Surrogate(0.3, windows),
            gradients=got,
            threshold_gradients=of_thresholds,
            dropout=Dropout(),
        )
        dense = [
            dense_gradients(network, image, label, 0.3, windows) for image, label in zip(images, labels, strict=True)
        ]
        assert loss == pytest.approx(sum(part[1] for part in dense), rel=1e-5)
        for layer, gradient in enumerate(got):
            np.testing.assert_allclose(gradient, sum(part[0][layer] for part in dense), atol=2e-5)


# ---- The build ----


def test_the_sources_compile_without_a_warning(tmp_path: Path) -> None:
    for source in sorted(SOURCES.glob("*.c")):
        flags = ("-std=gnu99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-c")
        command = [*tools.require(tools.HOST_COMPILER), *flags, str(source), "-o", str(tmp_path / "object.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# Loads the library, or prints the exit code and the one line.
PROBE = """
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base import compiled as module
from bs4nn_tc.host.library import library
{before}
try:
    library()
    print("loaded")
except UserError as error:
    print(error.exit_code, error)
"""


def start(environment: dict[str, str], before: str = "") -> subprocess.Popen[str]:
    variables = {**os.environ, "PYTHONPATH": str(Path(bs4nn_tc.__file__).parents[1]), **environment}
    command = [sys.executable, "-c", PROBE.format(before=before)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


def probe(cache: Path, compiler: str | Path, before: str = "") -> str:
    """What a new process says of the library with this cache and $CC: one line, and nothing else."""
    said, failed = start({"XDG_CACHE_HOME": str(cache), "CC": str(compiler)}, before).communicate(timeout=60)
    assert not failed
    assert said.count("\n") == 1
    return said.strip()


def compiler_that(folder: Path, does: str) -> Path:
    """A compiler that knows its version and then does something with $out, the file that it is to write.

    Every call is a line of calls.txt beside it.
    """
    path = folder / "compiler"
    path.write_text(
        f"""#!/bin/sh
case "$*" in *--version) exec echo "a compiler, 1.0";; esac
echo "$*" >> "{folder}/calls.txt"
while [ "$1" != -o ]; do shift; done
out="$2"
rm -f "$out"
{does}
"""
    )
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def built() -> Path:
    """A library that works, from the compiler of this machine."""
    return Path(library.library()._name)


def kept_in(cache: Path) -> list[Path]:
    return list((cache / "bs4nn-tc").iterdir())


def test_two_first_uses_at_once_and_then_no_compiler_run_again(tmp_path: Path) -> None:
    for process in [start({"XDG_CACHE_HOME": str(tmp_path)}) for _ in range(2)]:
        said, failed = process.communicate(timeout=120)
        assert said == "loaded\n", failed
    assert [path.suffix for path in kept_in(tmp_path)] == [".so"]
    never = "def never(*_): raise AssertionError('compiled again')\nmodule._compile = never"
    said, failed = start({"XDG_CACHE_HOME": str(tmp_path)}, never).communicate(timeout=60)
    assert said == "loaded\n", failed


def test_several_threads_at_once_compile_once(tmp_path: Path, built: Path) -> None:
    compiler = compiler_that(tmp_path, f'sleep 0.2; cp {built} "$out"')
    threads = "import concurrent.futures as f\nwith f.ThreadPoolExecutor(4) as p: [p.submit(library) for _ in '1234']"
    assert probe(tmp_path / "cache", compiler, threads) == "loaded"
    assert len((tmp_path / "calls.txt").read_text().splitlines()) == 1


@pytest.mark.parametrize("length", [None, 0, 0.7])
def test_a_library_damaged_in_the_cache_is_built_anew(tmp_path: Path, built: Path, length: float | None) -> None:
    compiler = compiler_that(tmp_path, f'cp {built} "$out"')
    assert probe(tmp_path / "cache", compiler) == "loaded"
    (path,) = kept_in(tmp_path / "cache")
    content = path.read_bytes()
    damaged = bytes(len(content)) if length is None else content[: int(length * len(content))]
    path.write_bytes(damaged)
    assert probe(tmp_path / "cache", compiler) == "loaded"
    assert [path.read_bytes() for path in kept_in(tmp_path / "cache")] == [content]


def test_a_library_that_is_whole_but_does_not_load_is_one_line(tmp_path: Path, built: Path) -> None:
    """As in a folder from which programs may not run any more."""
    compiler = compiler_that(tmp_path, f'cp {built} "$out"')
    assert probe(tmp_path / "cache", compiler) == "loaded"
    (path,) = kept_in(tmp_path / "cache")
    key = path.stem.rsplit("-", 1)[0]
    path.unlink()
    content = b"no library"
    path.with_name(f"{key}-{hashlib.sha256(content).hexdigest()[:16]}.so").write_bytes(content)
    said = probe(tmp_path / "cache", compiler)
    assert said.startswith("4 ")
    assert "XDG_CACHE_HOME" in said


def test_the_compiler_may_have_arguments(tmp_path: Path, built: Path) -> None:
    folder = tmp_path / "my tools"
    folder.mkdir()
    compiler = compiler_that(folder, f'cp {built} "$out"')
    assert probe(tmp_path / "1", compiler) == "loaded"  # a path with a space is one program
    (folder / "calls.txt").unlink()
    assert probe(tmp_path / "2", f"'{compiler}' -O1 -DA='b c'") == "loaded"
    assert (folder / "calls.txt").read_text().startswith("-O1 -DA=b c -O3")
    assert probe(tmp_path / "3", f"{compiler} '").startswith("3 ")


def test_without_a_compiler_the_package_is_named(tmp_path: Path) -> None:
    said, failed = start({"PATH": str(tmp_path), "CC": "", "XDG_CACHE_HOME": str(tmp_path)}).communicate()
    assert said.startswith("3 "), failed
    assert "apt-get install gcc" in said
    assert "no-such-compiler" in probe(tmp_path, "no-such-compiler")


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo 'out of ideas' >&2; exit 1", "out of ideas"),
        ("printf 'a\\ncc1: fatal error: none \\033[1mleft\\351\\n' >&2; exit 1", r"error: none \x1b[1mleft"),
        ("echo 'ld: no space'; echo 'collect2: error: ld returned 1 exit status'; exit 1", "ld: no space"),
        ("true", "left no host library"),
        ('> "$out"', "file too short"),
        ('echo "no library" > "$out"', "no host library that works"),
        ('head -c 20000 {built} > "$out"', "only a part"),
        ('head -c $(($(wc -c < {built}) - 1)) {built} > "$out"', "room on that disk"),
        (
            'echo "long host_adam(void) {{ return 0; }}" | {cc} -shared -fPIC -x c - -o "$out"',
            "computes something else",
        ),
        ('echo "int other;" | {cc} -shared -fPIC -x c - -o "$out"', "host_adam"),
    ],
)
def test_a_compiler_that_makes_nothing_useful_is_one_line(tmp_path: Path, built: Path, does: str, words: str) -> None:
    compiler = compiler_that(tmp_path, does.format(built=built, cc=tools.require(tools.HOST_COMPILER)[0]))
    said = probe(tmp_path / "cache", compiler)
    assert said.startswith("4 ")
    assert words in said
    assert not kept_in(tmp_path / "cache")


@pytest.mark.parametrize("asks", [True, False])
def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, asks: bool) -> None:
    compiler = compiler_that(tmp_path, "true")
    hangs = f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/started\nwait\n"
    hangs = hangs if asks else compiler.read_text().replace("while", "\n".join(hangs.splitlines()[1:]) + "\nwhile")
    compiler.write_text(hangs)
    said = probe(tmp_path / "cache", compiler, f"module.{'_ASK' if asks else '_COMPILE'}_SECONDS = 1.0")
    assert said.startswith("4 ")
    assert "has not ended after 1 seconds" in said
    ended = Path("/proc") / (tmp_path / "started").read_text().strip() / "cmdline"
    assert not ended.exists() or ended.read_text() == ""  # a process that has ended but nobody has asked for
    assert not (tmp_path / "cache" / "bs4nn-tc").exists() or not kept_in(tmp_path / "cache")


def test_code_that_this_processor_does_not_know_is_compiled_again_without(tmp_path: Path, built: Path) -> None:
    """A machine that says it had vectors which it does not."""
    source = "#include <signal.h>\n__attribute__((constructor)) static void f(void) { raise(SIGILL); }"
    (tmp_path / "illegal.c").write_text(source)
    illegal = f'{tools.require(tools.HOST_COMPILER)[0]} -shared -fPIC {tmp_path}/illegal.c -o "$out"'
    does = f'case "$(tail -1 {tmp_path}/calls.txt)" in *native*) {illegal};; *) cp {built} "$out";; esac'
    assert probe(tmp_path / "cache", compiler_that(tmp_path, does)) == "loaded"
    assert len((tmp_path / "calls.txt").read_text().splitlines()) == 3
