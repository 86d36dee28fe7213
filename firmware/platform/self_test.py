"""Run the self-test of a firmware: python self_test.py PROGRAM [MANIFEST]

A host program is started as it is; with a board's manifest (boards/NAME.json) PROGRAM runs in the
emulator that the manifest names, the board's console being standard input and output. Either way
the program tests itself and ends with its input; its exit status is this one's.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

FRAME_START = b"\xb5"
SECONDS = 60


def main(program, manifest=None):
    command = [str(Path(program).resolve())]
    if manifest is not None:
        emulator = json.loads(Path(manifest).read_text(encoding="utf-8"))["bs4nn"]["emulator"]
        command = [emulator["program"], *emulator["arguments"], "-kernel", program]
        if shutil.which(command[0]) is None:
            print(f"error: {command[0]} is not installed; on Debian: apt-get install qemu-system-arm", file=sys.stderr)
            return 3
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        print(f"error: {command[0]} did not end within {SECONDS} s", file=sys.stderr)
        return 4
    # What comes before the first frame is text for people.
    sys.stdout.write(done.stdout.split(FRAME_START)[0].decode(errors="replace").replace("\r\n", "\n"))
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
