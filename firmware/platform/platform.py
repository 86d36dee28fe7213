"""A PlatformIO platform that lives inside the project: this computer, and bare Cortex-M boards.

It needs nothing from PlatformIO's registry where the system has the compilers: the ARM compiler is
taken from PATH, and the build engine (SCons) from the Python that runs PlatformIO. Whoever has
neither gets both from the registry, as with any other platform.
"""

import importlib.util
import json
import os
import shutil
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.package.manager.core import get_core_package_dir
from platformio.platform.base import PlatformBase

ENGINE = "tool-scons"
TOOLCHAIN = "toolchain-gccarmnoneeabi"


class Bs4nnPlatform(PlatformBase):
    def configure_default_packages(self, variables, targets):
        if variables.get("board") and not shutil.which("arm-none-eabi-gcc"):
            self.packages[TOOLCHAIN]["optional"] = False
        self._provide_engine()
        return super().configure_default_packages(variables, targets)

    def _provide_engine(self):
        """Stand in for PlatformIO's SCons package with the SCons of the running Python.

        Only where PlatformIO has not installed its own, and where nothing else is wanted from its
        package folder. The stand-in lies in the project's .pio folder; ~/.platformio stays untouched.
        """
        if not self.packages[TOOLCHAIN]["optional"] or importlib.util.find_spec("SCons") is None:
            return
        if get_core_package_dir(ENGINE, auto_install=False):
            return
        packages = Path(self.config.get("platformio", "workspace_dir")) / "packages"
        write_engine(packages / ENGINE)
        os.environ["PLATFORMIO_PACKAGES_DIR"] = str(packages)


def write_engine(folder):
    """Write what PlatformIO takes for its SCons package: a manifest, an origin and a launcher."""
    version = get_core_dependencies()[ENGINE].lstrip("~^=")
    manifest = {"name": ENGINE, "version": version, "description": "SCons of the running Python"}
    spec = {"owner": "platformio", "id": None, "name": ENGINE, "requirements": None, "uri": None}
    origin = {"type": "tool", "name": ENGINE, "version": version, "spec": spec}
    launcher = "import sys\n\nfrom SCons.Script.Main import main\n\nsys.exit(main())\n"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("package.json", json.dumps(manifest)),
        ("scons.py", launcher),
        (".piopm", json.dumps(origin)),
    ):
        temporary = folder / f"{name}.{os.getpid()}"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / name)
