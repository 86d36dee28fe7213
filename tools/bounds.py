"""Some tests with the oldest and with the newest versions that pyproject.toml allows: python tools/bounds.py [FOLDER]

Makes the environments FOLDER/.venv-oldest and FOLDER/.venv-newest (FOLDER: the checkout) and runs in each the tests
marked `bounds`, which touch every dependency: files of NumPy, training, the command line and its help, pages, sweeps,
TensorBoard, serial ports, PlatformIO, CMake. The oldest one is kept until a bound changes, the newest one is upgraded.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# All but `vision` and `torch`, which are gigabytes, and `dev`, whose linters run on their newest versions only.
EXTRAS = "train,report,sweep,tensorboard,live,test"


def lowest(pyproject: str) -> dict[str, str]:
    """The lower bound of every requirement, by name.

    Args:
        pyproject: the text of pyproject.toml.

    Raises:
        ValueError: a requirement has none, and so its bounds are not known.
    """
    described = tomllib.loads(pyproject)
    project = described["project"]
    groups = [
        described["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
    ]
    bounds = {}
    for requirement in itertools.chain.from_iterable(groups):
        name = re.match(r"[\w.-]+", requirement)
        if name is None or name[0] == project["name"]:
            continue
        bound = re.search(r">=([\w.]+)", requirement)
        if bound is None:
            raise ValueError(f"pyproject.toml: '{requirement}' has no lower bound")
        bounds[name[0]] = bound[1]
    return bounds


def make(folder: Path, constraints: Path | None) -> None:
    """Install this checkout and what its tests need into a new or an older environment."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    environment = dict(os.environ)
    how = ["--upgrade", "--upgrade-strategy", "eager"]
    if constraints is not None:
        # By the environment, for then they also hold for what builds the package.
        environment |= {"PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}
        how = ["--only-binary", ":all:"]  # an old source may no longer build
    command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install", *how]
    subprocess.run([*command, "--editable", f"{ROOT}[{EXTRAS}]"], env=environment, check=True)


def run(folder: Path) -> int:
    """Run the tests in an environment; their exit status."""
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-m", "bounds"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Make both environments and run the tests in them; 0 if all pass."""
    parent = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    pins = "".join(f"{name}=={version}\n" for name, version in lowest((ROOT / "pyproject.toml").read_text()).items())
    oldest, newest = parent / ".venv-oldest", parent / ".venv-newest"
    made = oldest / "constraints.txt"
    if not made.exists() or made.read_text() != pins:
        print("bounds: the oldest versions:", pins.replace("\n", " "), flush=True)
        oldest.mkdir(exist_ok=True)
        constraints = oldest / "constraints.tmp"
        constraints.write_text(pins)
        make(oldest, constraints)
        constraints.replace(made)
    print("bounds: tests with the oldest versions", flush=True)
    status = run(oldest)
    print("bounds: tests with the newest versions", flush=True)
    make(newest, None)
    return run(newest) or status


if __name__ == "__main__":
    sys.exit(main())
