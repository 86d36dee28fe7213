"""Call PlatformIO in this checkout with the settings that the tool uses: python tools/pio.py test -e native"""

from __future__ import annotations

import os
import subprocess
import sys

from bs4nn_tc.device import platformio


def main() -> int:
    """Run pio with the arguments of this program; returns its exit status."""
    variables = platformio.environment_variables(note=lambda text: print(text, flush=True))
    command = [sys.executable, "-m", "platformio", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
