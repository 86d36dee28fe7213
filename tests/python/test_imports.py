"""Dependencies point one way: who may import whom, read from the sources."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "toolchain" / "bs4nn_tc"

# The rooms from the ground up; a room may import only from rooms on lines above its own, and from itself.
FLOORS = [
    {"base"},
    {"model"},
    {"data"},
    {"host", "device"},
    {"targets", "training"},
    {"study"},
    {"pages"},
    {"cli"},
    {"__main__"},
]
TORCH = {"torch", "torchvision"}
WEB = {"starlette", "uvicorn"}


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """(module, at the top of the file) for every import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found += [(name, node in tree.body) for name in names]
    return found


def floor_of(part: str) -> int:
    return next(level for level, names in enumerate(FLOORS) if part in names)


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    for name, _ in imports_of(path):
        parts = name.split(".")
        if parts[0] == "bs4nn_tc" and len(parts) > 1 and not parts[1].startswith("__") and parts[1] != own:
            assert floor_of(parts[1]) < floor_of(own), f"{own} must not import {name}"


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in sources()}
    needs = {
        module: {name for name, _ in imports_of(path) if name in modules}
        | {name.rpartition(".")[0] for name, _ in imports_of(path) if name.rpartition(".")[0] in modules}
        for module, path in modules.items()
    }
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError, which names the circle


def test_torch_is_only_imported_where_it_is_needed() -> None:
    for path in sources():
        for name, at_the_top in imports_of(path):
            if name.split(".")[0] in TORCH:
                assert path.name in ("bundled.py", "torchvision_sets.py", "torch_modules.py")
                assert not at_the_top or path.name == "torch_modules.py"
    for path in sources():
        assert path.name == "torch_modules.py" or not any("torch_modules" in name for name, _ in imports_of(path))


def test_training_is_only_imported_by_whoever_trains() -> None:
    verbs = list((PACKAGE / "cli").glob("*.py"))
    assert verbs
    for path in verbs:
        for name, at_the_top in imports_of(path):
            if name.startswith("bs4nn_tc.training"):
                assert not at_the_top


def test_a_web_server_is_only_imported_by_whoever_serves() -> None:
    for path in sources():
        for name, at_the_top in imports_of(path):
            if name.split(".")[0] in WEB:
                assert path.relative_to(PACKAGE).as_posix() in ("pages/live/guards.py", "pages/live/server.py")
            if name.startswith("bs4nn_tc.pages.live") and path.parent.name != "live":
                assert not at_the_top


def test_the_kernel_includes_nothing_generated_and_nothing_of_a_board() -> None:
    allowed = {
        '"bs4nn.h"',
        *(f'"bs4nn_{part}.h"' for part in ("adders", "compiler", "encode", "layout", "state")),
        *(f'"bs4nn_stages_{part}.h"' for part in ("pictures", "signals", "tables")),
        "<string.h>",
        "<stddef.h>",
        "<limits.h>",
        "<stdint.h>",
    }
    for path in (ROOT / "firmware" / "lib" / "bs4nn" / "src").glob("*.[ch]"):
        included = {line.split()[1] for line in path.read_text().splitlines() if line.startswith("#include")}
        assert included <= allowed
