"""Run a firmware in QEMU: python emulate.py MANIFEST FIRMWARE [SECONDS] < console

The manifest (boards/NAME.json) says which machine. The board's console is standard input and
output. Without input the firmware is asked to test itself and to end.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

# The protocol's quit frame, see src/protocol.h: start, 'Q', length 0, CRC-16.
QUIT_FRAME = bytes.fromhex("b551000000006fae")


def qemu_command(manifest, firmware):
    """The QEMU command line for a board manifest (a dict) and a firmware path."""
    emulator = manifest["bs4nn"]["emulator"]
    return [emulator["program"], *emulator["arguments"], "-kernel", str(firmware)]


def main(arguments):
    manifest = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    command = qemu_command(manifest, arguments[1])
    seconds = float(arguments[2]) if len(arguments) > 2 else 60.0
    if shutil.which(command[0]) is None:
        print(f"{command[0]} is not installed; on Debian: apt-get install qemu-system-arm", file=sys.stderr)
        return 3
    try:
        done = subprocess.run(command, input=QUIT_FRAME, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        print(f"{command[0]} did not end within {seconds:g} s", file=sys.stderr)
        return 4
    # The text for people comes before the first frame (0xB5).
    sys.stdout.write(done.stdout.split(b"\xb5")[0].decode(errors="replace").replace("\r\n", "\n"))
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
