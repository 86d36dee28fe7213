"""A PlatformIO platform that lives inside the project: this computer, and bare Cortex-M boards.

It needs nothing from PlatformIO's registry where the system has the compilers: the ARM compiler is
taken from PATH, and the build engine (SCons) from the Python that runs PlatformIO. Whoever has
neither gets both from the registry, as with any other platform.
"""

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
import threading
from pathlib import Path

import requests
from platformio.dependencies import get_core_dependencies
from platformio.exception import UserSideException
from platformio.package.manager.core import get_core_package_dir
from platformio.platform.base import PlatformBase
from platformio.project.helpers import get_project_dir

ENGINE = "tool-scons"
TOOLCHAIN = "toolchain-gccarmnoneeabi"
PACKAGES_VARIABLE = "PLATFORMIO_PACKAGES_DIR"
REGISTRY_URL = "https://api.registry.platformio.org"
REGISTRY_SECONDS = 2


class Bs4nnPlatform(PlatformBase):
    def configure_default_packages(self, variables, targets):
        check_path(get_project_dir())
        builds_for_board = variables.get("board") and "nobuild" not in targets
        if builds_for_board and not shutil.which("arm-none-eabi-gcc"):
            if not self.get_package(TOOLCHAIN):
                require_registry(
                    "arm-none-eabi-gcc is not installed; on Debian: "
                    "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
                )
            self.packages[TOOLCHAIN]["optional"] = False
        self._provide_engine()
        return super().configure_default_packages(variables, targets)

    def run(self, *arguments):
        try:
            return super().run(*arguments)
        finally:
            # The next environment of the same call may be another platform's, with packages of its own.
            if os.environ.get(PACKAGES_VARIABLE) == str(self._stand_ins()):
                del os.environ[PACKAGES_VARIABLE]

    def _stand_ins(self):
        return Path(self.config.get("platformio", "workspace_dir")) / "packages"

    def _provide_engine(self):
        """Stand in for PlatformIO's SCons package with the SCons of the running Python.

        Only where PlatformIO has not installed its own, and where nothing else is wanted from its
        package folder. The stand-in lies in the project's .pio folder; ~/.platformio stays untouched.
        """
        if not self.packages[TOOLCHAIN]["optional"] or get_core_package_dir(ENGINE, auto_install=False):
            return
        if importlib.util.find_spec("SCons") is None:
            install = f"{shlex.quote(sys.executable)} -m pip install scons"
            require_registry(f"PlatformIO's build engine is not installed; install it with: {install}")
            return
        if PACKAGES_VARIABLE in os.environ:  # the user's own folder
            return
        write_engine(self._stand_ins() / ENGINE)
        os.environ[PACKAGES_VARIABLE] = str(self._stand_ins())
        # Once a week PlatformIO looks for a newer one after the build, for 61 s where nobody answers.
        os.environ.setdefault("PLATFORMIO_DISABLE_UPGRADE_CHECK", "true")


def check_path(folder):
    """Refuse a path that SCons would take apart: `$` begins a variable there, and it knows no way to quote it.

    It would build elsewhere, or nothing, and say that a board or a file is unknown.
    """
    if re.search(r"\$|\t|  | $", folder):
        raise UserSideException(
            f"PlatformIO cannot build in {folder!r}: its path holds a dollar sign, a tab, two spaces in a row or a "
            "space at the end; rename or move the folder"
        )


def require_registry(missing):
    """Say in one line what is missing, where it cannot be fetched either.

    PlatformIO itself would try for 61 s and then say nothing.
    """
    answers = []

    def ask():
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(REGISTRY_URL, timeout=REGISTRY_SECONDS))

    # In a thread, for the time-out of a request does not cover the look-up of the name.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(REGISTRY_SECONDS + 1)
    if not answers:
        raise UserSideException(f"{missing} (PlatformIO's registry, which also has it, cannot be reached)")


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
