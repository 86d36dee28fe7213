"""Throw files that nobody should trust at the program: python tests/fuzz/hostile.py [--inputs N] [--seed S] [--first N]

Network files, projects, weights, checkpoints and data sets go through what reads them: the command line's `inspect`,
`generate`, `package`, `evaluate` and `import` in a process of its own, and the loaders. Each has to end in success or
in one line, in bounded time (of the processor) and memory. An input follows from the seed and its number, so that
`--seed S --first N --inputs 1` repeats it; its files are then kept.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import hostile_data
import hostile_files
import hostile_samples
import numpy as np
import typer

from bs4nn_tc import cli
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import check, datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import importers, network_file, real_network
from bs4nn_tc.model.input import Input
from bs4nn_tc.model.layers.dense import Dense
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.run_folder import CHECKPOINT, History, RunFolder
from bs4nn_tc.training.trainer import Progress

MOST_MEGABYTES = 256
# A process that has said nothing for so long hangs.
_SILENCE_SECONDS = 120
_LONGEST_LINE = 2000


class TooLongError(BaseException):
    """Raised by the alarm; no `except Exception` of the program holds it back."""


class FindingError(AssertionError):
    """What an input has done that it must not."""


def call(*arguments: str | Path) -> int:
    """One command line; checks what it says, and returns its exit status."""
    said, shown = io.StringIO(), io.StringIO()
    sys.argv = ["bs4nn-tc", *map(str, arguments)]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown):
        try:
            cli.main()
        except SystemExit as left:
            status = int(left.code or 0)
    lines = said.getvalue().splitlines()
    if status not in range(5) or (status and (len(lines) != 1 or not lines[0].startswith("error: "))):
        raise FindingError(f"{arguments[0]}: status {status}, {len(lines)} lines: {said.getvalue()[:300]!r}")
    if any(len(line) > _LONGEST_LINE for line in lines):
        raise FindingError(f"{arguments[0]}: a line of {max(map(len, lines))} characters: {lines[0][:300]}")
    raw = {unicodedata.category(one) for one in (said.getvalue() + shown.getvalue()).replace("\n", "")}
    if raw & {"Cc", "Cf", "Cs"}:
        raise FindingError(f"{arguments[0]}: control codes reach the terminal")
    return status


# ---- what reads each kind of file ----


def small_network() -> Network:
    """(13, 9, 3), the same every time."""
    rng = np.random.default_rng(0)
    layers = tuple(Dense(rng.choice([-1, 1], (out, inputs)), 2) for inputs, out in ((13, 9), (9, 3)))
    return Network(layers, 8, input=Input(intensity_max=16), data=TrainedOn("digits"))


def networks(source: random.Random, folder: Path) -> None:
    """A network file through what takes network files."""
    path = folder / "n.bs4nn"
    path.write_bytes(hostile_files.network_file(source))
    accepted = call("inspect", path, *source.choice(([], ["--json"]))) == 0
    what = source.random()  # most of the time goes to what is tried last, and least needs it
    if not accepted or what < 0.7:
        return
    if what < 0.8:
        call("evaluate", path)
    elif what < 0.95:
        board = source.choice(("qemu-m0", "qemu-m4"))
        if call("generate", path, "--board", board, "-o", folder / "out") == 0:
            project.open_project(folder / "out")
        elif (folder / "out").exists():
            raise FindingError("generate was refused, and left something behind")
    else:
        call("package", path, "-o", folder / "library")


def projects(source: random.Random, folder: Path) -> None:
    """A project with another manifest, or another network in it."""
    made = folder.parent / "made"
    if not made.exists():
        project.generate(small_network(), "small", [load_board("qemu-m0")], made)
    inside = folder / "project"
    inside.mkdir()
    for name in (project.MANIFEST, project.NETWORK_FILE):
        shutil.copy(made / name, inside)
    text = (made / project.MANIFEST).read_text(encoding="utf-8")
    (inside / project.MANIFEST).write_bytes(hostile_files.changed_json(source, text))
    if source.random() < 0.2:
        (inside / project.NETWORK_FILE).write_bytes(hostile_files.network_file(source))
    if source.random() < 0.05:
        call("generate", made / project.NETWORK_FILE, "--board", "qemu-m0", "-o", inside)
    with contextlib.suppress(UserError):
        network = project.open_project(inside).network
        network_file.to_bytes(network)


def weights(source: random.Random, folder: Path) -> None:
    """.npy files, through `import`."""
    paths = [folder / f"W{number}.npy" for number in range(source.randrange(1, 4))]
    for path in paths:
        path.write_bytes(hostile_files.numbers_file(source))
    texts = (
        "1",
        "2",
        "65535",
        "65536",
        "2.5",
        "nan",
        "-1",
        "1e999999",
        "9" * 5000,
        str(paths[0]),
        str(folder / "none"),
    )
    options: list[str] = []
    for _ in paths if source.random() < 0.9 else range(source.randrange(4)):
        options += ["--threshold", source.choice(texts)]
    options += source.choice(([], [], ["--transpose"], ["--no-transpose"], ["--theta", source.choice(texts[:8])]))
    options += source.choice(([], ["--time-steps", source.choice(texts[:8])], ["--intensity-max", "0"]))
    with contextlib.suppress(typer.BadParameter):
        status = _import(paths, options, folder / "n.bs4nn")
        if status == 0:
            network_file.load(folder / "n.bs4nn")
        elif (folder / "n.bs4nn").exists():
            raise FindingError("import was refused, and wrote a file")


def _import(paths: list[Path], options: list[str], out: Path) -> int:
    typed = [value for name, value in itertools.pairwise(options) if name in ("--time-steps", "--theta")]
    return call("import", *paths, *options, "-o", out) if all(map(_is_number, typed)) else 2  # Typer's own refusal


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdecimal() and len(text) < 300


def arrays_of_runs(source: random.Random, folder: Path) -> None:
    """Proxy weights, S4NN networks and checkpoints."""
    rng = np.random.default_rng(source.randrange(2**32))
    pair = [rng.normal(size=shape).astype(np.float32) for shape in ((13, 9), (9, 3))]
    proxies = {f"proxies_{number}": array for number, array in enumerate(pair, 1)}
    what = source.randrange(3)
    with contextlib.suppress(UserError):
        if what == 0:
            path = folder / "best-proxies.npz"
            path.write_bytes(hostile_files.archive(source, proxies, {}))
            importers.load_proxies([path], small_network())
        elif what == 1:
            path = folder / "n.s4nn.npz"
            RealNetwork(tuple(pair), np.ones(2, np.float32), 16, 255, {"a": [1, {"b": 2}]}).save(path)
            held = np.load(path)
            text = hostile_files.changed_json(source, held["facts"].tobytes().decode())
            arrays = {name: held[name] for name in held.files if name != "facts"}
            path.write_bytes(hostile_files.archive(source, arrays, {"facts": text}))
            real_network.load(path)
        else:
            run = RunFolder(folder / "run", {"recipe": "best"}, resume=False)
            run.save_checkpoint(Progress(1, 2, 0.5), History([{"epoch": 1, "loss": 0.5}], 0.5, 0), proxies)
            held = np.load(folder / "run" / CHECKPOINT)
            text = hostile_files.changed_json(source, held["state"].tobytes().decode())
            (folder / "run" / CHECKPOINT).write_bytes(hostile_files.archive(source, proxies, {"state": text}))
            progress, history = run.load_checkpoint(proxies)
            if progress.epoch + progress.piece + history.best_epoch < -1 or sum(map(len, history.rows)) < 0:
                raise FindingError("a state that counts below zero")


def data_sets(source: random.Random, folder: Path) -> None:
    """IDX files, folders of images and of sounds, arrays, tables and recordings."""
    inside = folder / "data"
    inside.mkdir()
    made = source.choice((hostile_data.idx_folder, hostile_data.image_folder, *hostile_samples.KINDS))(source, inside)
    with contextlib.suppress(UserError):
        reading = Reading.from_json(hostile_samples.reading(source)) if source.random() < 0.3 else None
        loaded = datasets.load(str(made or inside), None, reading)
        if int(loaded.train_labels.max(initial=0)) >= len(loaded.class_names):
            raise FindingError("labels beyond the classes")
        if loaded.train_images.dtype not in (np.uint8, np.int16):
            raise FindingError(f"samples of type {loaded.train_images.dtype}")
        check.look(loaded)


_KINDS: tuple[tuple[Callable[[random.Random, Path], None], int], ...] = (
    (networks, 10),
    (projects, 3),
    (weights, 4),
    (arrays_of_runs, 3),
    (data_sets, 4),
)


# ---- one process, many inputs ----


def _raise_too_long(*_arguments: Any) -> None:
    raise TooLongError


def try_one(seed: int, number: int, folder: Path, seconds: float) -> tuple[str, str]:
    """One input.

    Returns:
        Its kind, and what it has done wrong, or "".
    """
    source = random.Random(f"{seed} {number}")
    kind = source.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])[0]
    started = time.process_time()
    found = ""
    signal.setitimer(signal.ITIMER_PROF, 4 * seconds)
    try:
        kind(source, folder)
    except TooLongError:
        found = f"stopped after {4 * seconds} s"
    except UserError as error:
        found = f"refused what it had accepted before: {error}"
    except BaseException as error:  # anything else is what we look for
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        found = f"{type(error).__name__}: {str(error)[:300]} ({where})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took = time.process_time() - started
    if not found and took > seconds:
        found = f"took {took:.1f} s of the processor"
    return kind.__name__, found


def work(seed: int, first: int, end: int, scratch: Path, seconds: float, keep: bool) -> None:
    """Inputs `first` .. `end` - 1; says each number, kind and finding on standard output.

    Leaves early after an input that took too much memory: what a process has once had says nothing of the next.
    """
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)
    signal.signal(signal.SIGPROF, _raise_too_long)
    # Typer makes the same tree of all verbs anew at every call, which takes longer than most inputs.
    cli.app = typer.main.get_command(cli.app)  # type: ignore[assignment]
    _warm_up(scratch)
    limit = 4 * MOST_MEGABYTES * 2**20 + _mapped_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = sys.stdout
    for number in range(first, end):
        print(number, "", "", sep="\t", file=report, flush=True)
        folder = scratch / str(number)
        folder.mkdir()
        kind, found = try_one(seed, number, folder, seconds)
        if not keep:
            shutil.rmtree(folder)
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        if more > MOST_MEGABYTES:
            found = found or f"took {more} MB"
        print(number, kind, found.replace("\n", " ").replace("\t", " "), sep="\t", file=report, flush=True)
        if more > MOST_MEGABYTES:
            return


def _warm_up(scratch: Path) -> None:
    """What is loaded once, with the first use of everything, is not the first input's."""
    network_file.save(small_network(), scratch / "warm.bs4nn")
    call("inspect", scratch / "warm.bs4nn")
    call("evaluate", scratch / "warm.bs4nn")
    call("generate", scratch / "warm.bs4nn", "--board", "qemu-m0", "-o", scratch / "warm")
    with contextlib.suppress(UserError):
        datasets.load(str(scratch), None)


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


# ---- all processes ----


def run(
    inputs: int, seed: int = 0, first: int = 0, seconds: float = 2.0, keep: bool = False
) -> Iterator[tuple[int, str, str]]:
    """Inputs `first` .. `first` + `inputs` - 1, each as (number, kind, finding or "")."""
    shared = Path("/dev/shm")
    scratch = Path(tempfile.mkdtemp(prefix="hostile-", dir=shared if shared.is_dir() else None))
    number, end = first, first + inputs
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
        "COLUMNS": "100",
        "XDG_CACHE_HOME": str(scratch / "cache"),
    }
    try:
        while number < end:
            for part in scratch.glob("*"):
                subprocess.run(["rm", "-rf", part], check=True)
            command = [
                sys.executable,
                __file__,
                "--inputs",
                str(end - number),
                "--seed",
                str(seed),
                "--first",
                str(number),
            ]
            command += ["--seconds", str(seconds), "--scratch", str(scratch), *(["--keep"] if keep else [])]
            with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as worker:
                last, done = yield from _reports(worker)
            if last is None:
                raise RuntimeError("the process that tries inputs does not start")
            if not done:
                yield last, "?", "the process ended, or said nothing for too long"
            number = last + 1
    finally:
        if keep:
            print(f"kept: {scratch}")
        else:
            subprocess.run(["rm", "-rf", scratch], check=True)


def _reports(worker: subprocess.Popen[bytes]) -> Iterator[Any]:
    """What a process says; returns the last number it has begun, and whether it has done that."""
    assert worker.stdout is not None
    last, done, content = None, False, b""
    while True:
        ready, _, _ = select.select([worker.stdout], [], [], _SILENCE_SECONDS)
        more = os.read(worker.stdout.fileno(), 65_536) if ready else b""
        if not more:
            worker.kill()  # it is silent, or has ended
            return last, done
        *lines, content = (content + more).split(b"\n")
        for line in lines:
            text, kind, found = line.decode().split("\t")
            last, done = int(text), bool(kind)
            if done:
                yield last, kind, found


def main(
    inputs: Annotated[int, typer.Option(help="How many.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    first: Annotated[int, typer.Option(help="Number of the first.")] = 0,
    seconds: Annotated[float, typer.Option(help="Of the processor, at most, for each.")] = 2.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files.")] = False,
    scratch: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Throw files that nobody should trust at the program."""
    if scratch is not None:
        work(seed, first, first + inputs, scratch, seconds, keep)
        return
    counts: Counter[str] = Counter()
    findings = 0
    started = time.monotonic()
    for number, kind, found in run(inputs, seed, first, seconds, keep or inputs == 1):
        counts[kind] += 1
        if found:
            findings += 1
            print(f"--seed {seed} --first {number} ({kind}): {found}", flush=True)
    many = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    print(f"{sum(counts.values()):,} inputs ({many}) in {time.monotonic() - started:.0f} s: {findings} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    typer.run(main)
