"""A network to C sources through the Jinja2 templates: the same input gives the same bytes."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

import bs4nn_tc
from bs4nn_tc.base import resources
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.sources.reading import Reading
from bs4nn_tc.device.boards import Board
from bs4nn_tc.device.codegen import memory, names, self_test, stages
from bs4nn_tc.device.codegen.pack import PackedNetwork
from bs4nn_tc.device.cores import core
from bs4nn_tc.device.kernels import Kernel
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import shape_text

# Version of the data layout, BS4NN_FORMAT in bs4nn.h.
KERNEL_FORMAT = 5
# Of the values of a sample, those whose units the header tells; and what a name in a comment may consist of.
_MOST_UNITS, _IN_COMMENT = 64, re.compile(r"[^\w .,:%()+-]", re.ASCII)


def _hex_lines(values: NDArray[Any], per_line: int, digits: int) -> Iterator[str]:
    suffix, size = "u" if digits == 8 else "", digits // 2
    content = np.asarray(values).astype(f">u{size}").tobytes()  # a large network has a million words
    for first in range(0, len(content), size * per_line):
        words = content[first : first + size * per_line].hex(",", size).upper()
        yield f"0x{words.replace(',', f'{suffix}, 0x')}{suffix},"


def _decimal_lines(values: NDArray[Any], per_line: int) -> Iterator[str]:
    texts = [str(value) for value in np.asarray(values).tolist()]
    for first in range(0, len(texts), per_line):
        yield ", ".join(texts[first : first + per_line]) + ","


def _markdown(text: str) -> str:
    """Text as itself in a table of Markdown."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


@functools.cache
def environment() -> jinja2.Environment:
    """The one Jinja2 environment of all templates: an undefined variable is an error, never empty text."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["markdown"] = _markdown
    made.filters["hex_lines"] = _hex_lines
    made.filters["decimal_lines"] = _decimal_lines
    return made


def _values(network: Network, packed: PackedNetwork, name: str) -> dict[str, Any]:
    return {
        "name": names.check_name(name),
        "c_name": names.c_name(name),
        "part": functools.partial(names.part_name, name),
        "version": bs4nn_tc.__version__,
        "format": KERNEL_FORMAT,
        "network": network,
        "shape": network.shape_text,
        "digest": network.digest,
        "digest_bytes": np.frombuffer(bytes.fromhex(network.digest), np.uint8),
        "neurons": sum(layer.neurons for layer in network.layers),
        "packed": packed,
        "plan": memory.plan(network, packed, name),
        "last": len(network.layers),
        "shape_text": shape_text,
        "stage_headers": [path.name for path in stages.files(network.input) if path.suffix == ".h"],
        "stage_plan": stages.plan(network.input, packed.workspace_words, name),
        "ctype": stages.CTYPES[network.input.type],
        "units": textwrap.wrap(", ".join(_units(network)[:_MOST_UNITS]), 100),
        "step_values": network.input.step_values,
        "sample_bytes": network.sample_values * network.input.sample.dtype.itemsize,
    }


def _units(network: Network) -> list[str]:
    """What the values of a sample are, in the units of the data set: "alcohol x 100"; [] where nobody knows.

    Names come from files of people whom nobody should trust, and stand in a comment.
    """
    reading = Reading.from_json(network.data.reading if network.data is not None else None)
    features = max(len(reading.columns), len(reading.scale))
    scales = reading.scale or (1.0,)
    if len(scales) not in (1, features) or len(reading.columns) not in (0, features):
        return []
    names = [_IN_COMMENT.sub("?", printable(name, 40)) for name in reading.columns]
    units = []
    for index in range(features):
        name = names[index] if names else "a value of the data set"
        scale = scales[index % len(scales)]
        units.append(name if scale == 1 else f"{name} x {scale:g}")
    return units if units != ["a value of the data set"] else []


def _render(templates: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
    made = environment()
    return {file: made.get_template(template).render(values) for file, template in templates.items()}


def render_network(network: Network, packed: PackedNetwork, name: str) -> dict[str, str]:
    """The network as C: {"bs4nn_net_NAME.h": text, "bs4nn_net_NAME.c": text}.

    Raises:
        UserError: see `names.check_name`.
    """
    file = names.c_name(name)
    return _render({f"{file}.h": "network.h.j2", f"{file}.c": "network.c.j2"}, _values(network, packed, name))


def render_application(network: Network, packed: PackedNetwork, name: str) -> dict[str, str]:
    """What tells the application its network: {"application.h": text, "application.c": text}.

    Raises:
        UserError: see `names.check_name`.
    """
    values = {**_values(network, packed, name), "expected": self_test.expected(network)}
    return _render({"application.h": "application.h.j2", "application.c": "application.c.j2"}, values)


def render_project(
    network: Network,
    packed: PackedNetwork,
    name: str,
    boards: Sequence[Board],
    kernel: Kernel,
    most: Mapping[str, int | None],
) -> dict[str, str]:
    """The project's own texts: {"platformio.ini": text, "README.md": text}.

    Args:
        network: the network.
        packed: the same, packed.
        name: its name.
        boards: the boards to build for.
        kernel: the kernel.
        most: by board, instructions that no image exceeds; None where nobody knows.

    Raises:
        UserError: see `names.check_name`.
    """
    defines = {board.id: kernel.on(core(board.core)).defines for board in boards}
    values = {**_values(network, packed, name), "boards": boards, "kernel": kernel, "defines": defines, "most": most}
    return _render({"platformio.ini": "platformio.ini.j2", "README.md": "README.md.j2"}, values)


def render_package(
    network: Network,
    packed: PackedNetwork,
    name: str,
    sample: NDArray[Any],
    answer: int,
    response_time: int,
    kernel: Kernel,
) -> dict[str, str]:
    """What a library folder holds besides sources and metadata: CMakeLists.txt, README.md and examples.

    Args:
        network: the network.
        packed: the same, packed.
        name: its name.
        sample: (values,) of the examples.
        answer: the network's answer on it.
        response_time: its response time on it.
        kernel: the kernel.

    Raises:
        UserError: see `names.check_name`.
    """
    values = {
        **_values(network, packed, name),
        "sample": sample,
        "answer": answer,
        "response_time": response_time,
        "kernel": kernel,
        "sources": [path for path in [*kernel.files, *stages.files(network.input)] if path.suffix != ".h"],
    }
    templates = {
        "CMakeLists.txt": "package_CMakeLists.txt.j2",
        "README.md": "package_README.md.j2",
        "examples/host/classify.c": "package_classify.c.j2",
        "examples/classify/classify.ino": "package_classify.ino.j2",
    }
    return _render(templates, values)
