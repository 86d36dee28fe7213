"""How to get what is missing: commands that work where they are printed."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import shutil
import sys
from pathlib import Path


def pip_install(*packages: str) -> str:
    """The command that installs packages, in versions that this tool takes, for the Python that runs it.

    It names the packages themselves and no extra of this one, which pip may not find: an extra comes from wherever
    this tool was installed from, and that may be a checkout, a wheel or an index.

    Args:
        packages: names as on PyPI, of dependencies in pyproject.toml.
    """
    pip = shutil.which("pip")
    # By its name only if that is the pip of this Python, and not one that fills another environment.
    own = pip is not None and Path(pip).absolute().parent == Path(sys.executable).absolute().parent
    command = ["pip"] if own else [sys.executable, "-m", "pip"]
    return shlex.join([*command, "install", *map(_with_bounds, packages)])


def not_installed(package: str) -> str:
    """The line for a package that an extra would have brought."""
    return f"{package} is not installed; install it with: {pip_install(package)}"


def _with_bounds(package: str) -> str:
    """A package as in this tool's own requirements, e.g. "pillow>=10"; its name alone where nobody knows them."""
    try:
        requirements = importlib.metadata.requires("bs4nn-tc") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    for requirement in requirements:
        found = re.fullmatch(r"([\w.-]+)\s*([<>=!~,.\w\s]*?)\s*(;.*)?", requirement)
        if found is not None and found[1].lower() == package.lower():
            return package + ",".join(sorted(found[2].replace(" ", "").split(","), reverse=True))
    return package
