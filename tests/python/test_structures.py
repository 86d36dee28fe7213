"""Structures that C and Python share: every field at the same place, as a compiler sees it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from bs4nn_tc.base import resources, tools
from bs4nn_tc.device import kernel_library
from bs4nn_tc.host import structures

HOST = Path(structures.__file__).parent


def mirrors(module: ModuleType) -> dict[str, type[ctypes.Structure]]:
    """By the name in C, which stands between the first two grave accents of what is said of a structure."""
    found = {}
    for one in vars(module).values():
        if isinstance(one, type) and issubclass(one, ctypes.Structure) and one is not ctypes.Structure:
            assert one.__doc__
            found[one.__doc__.split("`")[1]] = one
    return found


@pytest.mark.parametrize(
    ("module", "headers"),
    [
        (structures, [HOST / "host.h"]),
        (kernel_library, [resources.KERNEL / "bs4nn.h", Path(kernel_library.__file__).with_name("kernel_batch.c")]),
    ],
)
def test_every_field_lies_where_the_compiler_puts_it(module: ModuleType, headers: list[Path], tmp_path: Path) -> None:
    found = mirrors(module)
    assert len(found) >= 3
    lines = ["#include <stddef.h>", f'#include "{headers[0]}"', *(f'#include "{path}"' for path in headers[1:])]
    for name, structure in found.items():
        lines.append(f'_Static_assert(sizeof({name}) == {ctypes.sizeof(structure)}, "{name}");')
        for field, *_ in structure._fields_:
            place = getattr(structure, field)
            lines.append(f'_Static_assert(offsetof({name}, {field}) == {place.offset}, "{name}.{field}");')
            size = f"sizeof((({name} *)0)->{field})"
            lines.append(f'_Static_assert({size} == {place.size}, "size of {name}.{field}");')
    source = tmp_path / "places.c"
    source.write_text("\n".join(lines) + "\n")
    include = [f"-I{path.parent}" for path in headers]
    done = subprocess.run(
        [*tools.require(tools.HOST_COMPILER), "-std=gnu11", "-fsyntax-only", *include, str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
