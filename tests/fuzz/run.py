"""Fuzz the protocol: python tests/fuzz/run.py [--inputs N] [--board-seconds S]

Runs libFuzzer (clang) with the address and undefined-behaviour sanitizers on the application's frame parser and
replies, starting from tests/fuzz/corpus; what it finds new is minimised into the corpus. Then the corpus, mutated,
is thrown at an emulated board for a while, after which it still has to classify.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from bs4nn_tc import targets
from bs4nn_tc.base.errors import TargetError
from bs4nn_tc.device import building
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import network_file, reference

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GOLDEN = ROOT / "tests" / "golden"


def sources() -> list[str]:
    """What the fuzz target is built of."""
    kernel = ROOT / "firmware" / "lib" / "bs4nn" / "src"
    files = [HERE / "fuzz_serve.c", ROOT / "firmware/src/protocol.c", *sorted(kernel.glob("*.c"))]
    files += [GOLDEN / "network" / "application.c", GOLDEN / "network" / "bs4nn_net_first.c"]
    folders = [kernel, ROOT / "firmware/lib/board/src", ROOT / "firmware/src", GOLDEN / "network"]
    return [*(f"-I{folder}" for folder in folders), *map(str, files)]


def fuzz(inputs: int) -> None:
    """So many inputs through libFuzzer; the corpus grows by what it finds."""
    clang = shutil.which("clang")
    if clang is None:
        sys.exit("error: clang is not installed; on Debian: apt-get install clang")
    with tempfile.TemporaryDirectory() as folder:
        target, found, small = Path(folder) / "fuzz", Path(folder) / "found", Path(folder) / "small"
        found.mkdir()
        small.mkdir()
        flags = ["-std=gnu99", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
        subprocess.run([clang, *flags, *sources(), "-o", str(target)], check=True)
        corpus = HERE / "corpus"
        options = [f"-runs={inputs}", "-max_len=400", "-print_final_stats=1", "-verbosity=1"]
        done = subprocess.run([target, *options, found, corpus], stderr=subprocess.PIPE, text=True, check=False)
        print("\n".join(line for line in done.stderr.splitlines() if line.startswith("stat::")))
        if done.returncode != 0:
            sys.exit(done.stderr)
        subprocess.run([target, "-merge=1", small, corpus, found], stderr=subprocess.DEVNULL, check=True)
        shutil.rmtree(corpus)
        shutil.copytree(small, corpus)
        print(f"{inputs:,} inputs, no finding; {len(list(corpus.iterdir()))} kept in {corpus.relative_to(ROOT)}")


def garbage(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Up to a few hundred bytes: pieces of the corpus with bytes changed, cut and joined."""
    pieces = b"".join(rng.choice(seeds) for _ in range(rng.randint(1, 3)))
    content = bytearray(pieces[: rng.randint(1, 400)])
    for _ in range(rng.randint(0, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def flood(seconds: float, board_id: str = "qemu-m4") -> int:
    """Throw garbage at an emulated board, then check that it classifies. Returns how many bytes were thrown.

    Raises:
        AssertionError: it answers wrongly afterwards.
        TargetError: it does not answer any more.
    """
    network = network_file.load(GOLDEN / "first.bs4nn")
    rng = random.Random(0)
    seeds = [path.read_bytes() for path in sorted((HERE / "corpus").iterdir())] or [b"\xb5I\0\0\0\0"]
    images = np.random.default_rng(0).integers(0, 256, (5, network.inputs)).astype(np.uint8)
    expected = reference.run(network, images)
    thrown = 0
    with tempfile.TemporaryDirectory() as folder:
        made = project.generate(network, "first", [load_board(board_id)], Path(folder) / "first")
        building.build(made, [board_id])
        with targets.open_emulator(load_board(board_id), building.program_path(made, board_id)) as target:
            stream = target.stream
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                content = garbage(rng, seeds)
                stream.write(content)
                thrown += len(content)
                with contextlib.suppress(TargetError):  # its replies have to go somewhere
                    while True:
                        stream.read(65_536, time.monotonic())
            target.recover()
            target.expect(network)
            answers = [target.classify(image).answer for image in images]
    assert answers == expected.answer.tolist()
    return thrown


def main(
    inputs: Annotated[int, typer.Option(help="Inputs for the fuzzer.")] = 10_000_000,
    board_seconds: Annotated[float, typer.Option(help="How long an emulated board is flooded.")] = 60.0,
) -> None:
    """Fuzz the parser on this computer, then flood an emulated board."""
    fuzz(inputs)
    print(f"{flood(board_seconds):,} bytes of garbage thrown at an emulated board, which still classifies")


if __name__ == "__main__":
    typer.run(main)
