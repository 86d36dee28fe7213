"""Write the golden files anew: python tests/golden/make.py

Two small networks as files of version 2, as C, and the answers of the naive simulator to twenty images, for the tests
of file format, generator and firmware; their files of version 1 stay as they are. Run it only when a format version
changes, and read the difference.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

import naive  # noqa: E402
from conftest import random_network  # noqa: E402

from bs4nn_tc.device.codegen import pack, render  # noqa: E402
from bs4nn_tc.model import network_file  # noqa: E402
from bs4nn_tc.model.input import Input  # noqa: E402
from bs4nn_tc.model.network import Network  # noqa: E402
from bs4nn_tc.model.provenance import Scaling, TrainedOn  # noqa: E402

IMAGES = 20


def networks() -> dict[str, Network]:
    """One with thresholds of its own for every neuron, one with a delay and shared thresholds."""
    first = random_network(np.random.default_rng(1), (49, 70, 40, 5), time_steps=16)
    second = random_network(np.random.default_rng(2), (30, 33, 17), time_steps=100, delay=1, shared_thresholds=True)
    first = replace(
        first,
        input=Input((7, 7)),
        class_names=("a", "b", "c", "d", "e"),
        data=TrainedOn("mnist", "0f" * 32, "bright", all_images=True),
        scaling=Scaling(100.0, (4.0, 9.5, 2.0)),
        description={"seed": 1},
    )
    return {"first": first, "second": second}


def expected_header(name: str, network: Network) -> str:
    """Images and the naive simulator's answers as C."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, network.input.intensity_max + 1, (IMAGES, network.inputs))
    images[rng.random(images.shape) < rng.random((IMAGES, 1))] = 0
    lines = [f"/* {name}: images, and what the naive simulator answers. Made by make.py. */"]
    lines.append(f"static const uint8_t {name}_images[{IMAGES}][{network.inputs}] = {{")
    lines += ["    {" + ", ".join(map(str, image)) + "}," for image in images.tolist()]
    lines += ["};", f"static const uint32_t {name}_expected[{IMAGES}][3] = {{"]
    for image in images.tolist():
        outcome = naive.run(network, image)
        lines.append(f"    {{{outcome.answer}, {outcome.response_time}, {outcome.spikes}}},")
    neurons = sum(layer.neurons for layer in network.layers)
    lines += ["};", f"static const uint16_t {name}_firing_times[{IMAGES}][{neurons}] = {{"]
    for image in images.tolist():
        times = [time for layer in naive.run(network, image).firing_times for time in layer]
        lines.append("    {" + ", ".join(map(str, times)) + "},")
    return "\n".join([*lines, "};", ""])


def main() -> None:
    """Write everything."""
    digests = {}
    (HERE / "network").mkdir(exist_ok=True)
    for name, network in networks().items():
        network_file.save(network, HERE / f"{name}-2.bs4nn")
        digests[name] = network.digest
        files = render.render_network(network, pack.pack(network), name)
        if name == "first":
            files |= render.render_application(network, pack.pack(network), name)
        files[f"{name}_expected.h"] = expected_header(name, network)
        for file, text in files.items():
            (HERE / "network" / file).write_text(text, encoding="utf-8")
    (HERE / "digests.json").write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
