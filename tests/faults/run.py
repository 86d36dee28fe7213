"""Stop the verbs at every event of the file system: python tests/faults/run.py [--sample N] [--way WAY] [CASE...]

Of each verb every open for writing, write, fsync, rename, mkdir, rmdir, unlink, chmod, ... below its folder is counted
(events.c). Then the verb runs once for each of these events and each way to stop it: killed before it, interrupted
(Ctrl-C), the event fails (EACCES), or the disk is full from there on (ENOSPC). Afterwards every output has to be the
old or the new one, whole; what the user keeps in a project has to be there, or to come back; and repeating the command
has to end as if nothing had happened, without a file too many.

One interpreter forks for each, so that an event costs a fraction of a second. Prints one JSON object a case; ends with
1 if something was found.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

HERE = Path(__file__).resolve().parent
COUNT, SIGNAL, FAIL, FULL = range(4)
WAYS = {
    "killed": (SIGNAL, signal.SIGKILL),
    "interrupted": (SIGNAL, signal.SIGINT),
    "no permission": (FAIL, errno.EACCES),
    "disk full": (FULL, errno.ENOSPC),
}
KEPT = (".git", ".pio", ".vscode")
Tree = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A verb in a folder.

    Attributes:
        name: of the case.
        start: makes what is in the folder before.
        calls: the command; where it may be refused afterwards, what it then tells the user to do.
        outputs: files and folders that are old or new at any time.
        loose: parts of paths whose content differs from run to run.
        exchange: the file system can exchange two names.
    """

    name: str
    start: Callable[[], None]
    calls: tuple[str, ...]
    outputs: tuple[str, ...]
    loose: tuple[str, ...] = ()
    exchange: bool = True


@dataclass
class Findings:
    """What a case has come to."""

    events: int = 0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)


def tree(path: Path, loose: tuple[str, ...] = ()) -> Tree:
    """Every file below a folder, or the file itself: its mode and what it holds. Nothing that was put aside."""
    found: Tree = {}
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        name = one.relative_to(path).as_posix()
        if not os.path.lexists(one) or any(part.startswith(".bs4nn-tc-") for part in one.relative_to(path).parts):
            continue
        content = "" if one.is_dir() or any(part in name for part in loose) else one.read_bytes()
        found[name] = f"{one.stat().st_mode:o} {hashlib.sha256(content).hexdigest()[:8] if content else ''}"
    return found


def without_kept(found: Tree) -> Tree:
    return {name: what for name, what in found.items() if name.split("/", maxsplit=1)[0] not in KEPT}


class Ground:
    """The folder in which the verbs run."""

    def __init__(self, scratch: Path) -> None:
        self.root = scratch / "root"
        self.said = scratch / "said"
        self.events = ctypes.CDLL(None)

    def fresh(self, case: Case) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        os.chdir(self.root)
        case.start()

    def call(
        self, command: str, happens: int = COUNT, at: int = 0, what: int = 0, exchange: bool = True
    ) -> tuple[int, int]:
        """Run the command line in a child; its exit status (negative: the signal that ended it), and its events."""
        from bs4nn_tc import cli  # noqa: PLC0415 - only where events are counted

        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 70
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                out = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(out, 1)
                os.dup2(out, 2)
                sys.argv = ["bs4nn-tc", *command.split()]
                self.events.faults_arm(os.fsencode(self.root), at, happens, what, int(exchange))
                cli.main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            except BaseException:
                traceback.print_exc()
            os.write(writing, str(self.events.faults_seen()).encode())
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            events = int(pipe.read() or 0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return ended, events


class Trial:
    """One case, undisturbed first, then stopped in every way."""

    def __init__(self, ground: Ground, case: Case) -> None:
        self.ground, self.case = ground, case
        self.findings = Findings()
        ground.fresh(case)
        self.old = {name: tree(ground.root / name) for name in case.outputs}
        self.kept = {name: self._kept(name) for name in case.outputs}
        status, self.findings.events = ground.call(case.calls[0], exchange=case.exchange)
        if status != 0:
            sys.exit(f"{case.name} fails undisturbed: {ground.said.read_text()}")
        self.new = {name: tree(ground.root / name) for name in case.outputs}
        self.whole = tree(ground.root, case.loose)

    def _kept(self, name: str) -> Tree:
        found = tree(self.ground.root / name)
        return {path: what for path, what in found.items() if path.split("/", maxsplit=1)[0] in KEPT}

    def stop(self, way: str, at: int) -> None:
        """Stop it once, look, and repeat it."""
        ground, case = self.ground, self.case
        ground.fresh(case)
        happens, what = WAYS[way]
        status, _ = ground.call(case.calls[0], happens, at, what, case.exchange)
        self.findings.runs += 1
        wrong = self._after(way, status, looked_for=at % 2 == 0)
        for command in case.calls:
            status, _ = ground.call(command, exchange=case.exchange)
            if status == 0:
                break
        if status != 0:
            wrong.append(f"repeating it ends with {status}: {ground.said.read_text()[-300:]}")
        elif (found := tree(ground.root, case.loose)) != self.whole:
            differ = [name for name in {*found, *self.whole} if found.get(name) != self.whole.get(name)]
            wrong.append(f"repeated, it leaves others: {sorted(differ)[:5]}")
        if litter := [path.name for path in ground.root.rglob(".bs4nn-tc-*")]:
            wrong.append(f"repeated, it leaves litter: {litter}")
        self.findings.wrong += [f"{way} at {at}: {one}" for one in wrong]

    def _after(self, way: str, status: int, looked_for: bool) -> list[str]:
        """What is wrong once it has been stopped."""
        from bs4nn_tc.base import files  # noqa: PLC0415 - only where events are counted

        wrong = []
        said = self.ground.said.read_text()
        if "Traceback" in said:
            wrong.append(said[-600:])
        if way in ("no permission", "disk full") and status != 0 and said.count("error: ") != 1:
            wrong.append(f"not one line of error: {said[-300:]}")
        if way != "killed" and status not in (0, 2, 130):
            wrong.append(f"ends with {status}")
        for name in self.case.outputs:
            path = self.ground.root / name
            if looked_for or not self.case.exchange:
                files.put_back(path)  # as every verb does that opens a project
                if self._kept(name) != self.kept[name]:
                    wrong.append(f"{name} lacks what is kept in it")
            now, old, new = (without_kept(one) for one in (tree(path), self.old[name], self.new[name]))
            if now not in (old, new) or (status == 0 and now != new):
                differ = [one for one in {*now, *new} if now.get(one) != new.get(one)]
                wrong.append(f"status {status}, and {name} is neither old nor new: {sorted(differ)[:5]}")
        return wrong


def cases(scratch: Path) -> list[Case]:
    """Every verb that writes, over what it finds and beside nothing."""
    from bs4nn_tc.model import network_file  # noqa: PLC0415 - only where events are counted

    network, other = scratch / "n.bs4nn", scratch / "other.bs4nn"
    for path, seed in ((network, 0), (other, 1)):
        network_file.save(_network(seed), path)

    def nothing() -> None:
        shutil.copyfile(network, "n.bs4nn")

    def of_version_1() -> None:
        shutil.copyfile(HERE.parent / "golden" / "first.bs4nn", "n.bs4nn")

    def old_files() -> None:
        nothing()
        shutil.copyfile(other, "out.bs4nn")
        for name in ("out.zip", "out.html", "out.csv"):
            Path(name).write_text("the old one")
        for path in Path().iterdir():
            path.chmod(0o600)

    def old_project() -> None:
        nothing()
        shutil.copytree(scratch / "project", "project", symlinks=True)

    def empty_folder() -> None:
        nothing()
        Path("library").mkdir(mode=0o700)

    _old_project(scratch, other)
    train = "train --dataset digits --hidden 8 --epochs 2 --time-steps 4 --accept --run run -o out.bs4nn --quiet"
    sizes = "--hidden 6 --hidden 8"
    sweep = f"sweep --dataset digits {sizes} --epochs 1 --time-steps 4 -o sweep --quiet"
    digits = "n.bs4nn --dataset digits"
    generate = "generate n.bs4nn --board qemu-m4 -o project"
    both = ("out.bs4nn", "out.csv")
    seconds = ("epochs.csv", "checkpoint.npz")  # hold how long it has taken
    return [
        Case("train", nothing, (train, f"{train} --resume"), ("out.bs4nn",), seconds),
        Case("train over an old network", old_files, (train, f"{train} --resume"), ("out.bs4nn",), seconds),
        Case("sweep", nothing, (sweep,), (), (*seconds, "sweep.db", "sweep.svg")),
        Case("generate", nothing, (generate,), ("project",)),
        Case("generate --force", old_project, (f"{generate} --force",), ("project",)),
        Case("generate --force without exchange", old_project, (f"{generate} --force",), ("project",), (), False),
        Case("package", nothing, ("package n.bs4nn -o library",), ("library",)),
        Case("package in an empty folder", empty_folder, ("package n.bs4nn -o library",), ("library",)),
        Case("package over a zip", old_files, ("package n.bs4nn -o out.zip",), ("out.zip",)),
        Case("tune", old_files, (f"tune {digits} --max-silent 1 -o out.bs4nn --csv out.csv --quiet",), both),
        Case("refine", old_files, (f"refine {digits} -o out.bs4nn --quiet",), ("out.bs4nn",)),
        Case("reorder in place", nothing, (f"reorder {digits}",), ("n.bs4nn",)),
        Case("upgrade in place", of_version_1, ("upgrade n.bs4nn --in-place",), ("n.bs4nn",)),
        Case("blank", old_files, ("blank 12x3 -o out.bs4nn",), ("out.bs4nn",)),
        Case("adapt", old_files, ("adapt n.bs4nn --camera 16x12 -o out.bs4nn",), ("out.bs4nn",)),
        Case("report", old_files, (f"report {digits} -o out.html",), ("out.html",)),
    ]


def _network(seed: int) -> Any:
    import numpy as np  # noqa: PLC0415 - only where events are counted

    from bs4nn_tc.model.input import Input  # noqa: PLC0415
    from bs4nn_tc.model.layers.dense import Dense  # noqa: PLC0415
    from bs4nn_tc.model.network import Network  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    layers = (Dense(rng.choice([-1, 1], (6, 64)), 4), Dense(rng.choice([-1, 1], (10, 6)), 1))
    return Network(layers, time_steps=4, input=Input(intensity_max=16))


def _old_project(scratch: Path, network: Path) -> None:
    """A project of another network, with what a user and PlatformIO leave in it."""
    from bs4nn_tc.device.boards import load_board  # noqa: PLC0415 - only where events are counted
    from bs4nn_tc.device.codegen import project  # noqa: PLC0415
    from bs4nn_tc.model import network_file  # noqa: PLC0415

    made = project.generate(network_file.load(network), "n", [load_board("qemu-m0")], scratch / "project").folder
    for name in KEPT:
        (made / name / "deep").mkdir(parents=True)
        (made / name / "deep" / "file").write_text(name)
    (made / "src" / "main.c").write_text("changed by hand")


def _warm(scratch: Path) -> None:
    """Import and compile all that the children need, and load the data set once."""
    import functools  # noqa: PLC0415

    import optuna  # noqa: F401, PLC0415
    import sqlalchemy.dialects.sqlite  # noqa: F401, PLC0415

    from bs4nn_tc import training  # noqa: PLC0415
    from bs4nn_tc.data import datasets  # noqa: PLC0415
    from bs4nn_tc.pages import figures, report  # noqa: F401, PLC0415
    from bs4nn_tc.study import experiments, sweep, tuning  # noqa: PLC0415, F401

    datasets.load = functools.cache(datasets.load)
    digits = datasets.load("digits", None)
    options = sweep.resolve(digits, sweep.settings([(4,)], [4], ["best"], [0]), epochs=1)
    sweep.run(digits, options, scratch / "warm")
    training.train(digits, next(iter(options.values())), scratch / "warm" / "run")
    figures.render(experiments.Experiment("warm", "warm", ("x", "y"), [(0, 1)], {}, "lines"), "svg")


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these cases.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many events of each case, one way each in turn. [default: all]")
    ] = None,
    way: Annotated[list[str] | None, typer.Option(help=f"Only these ways: {', '.join(WAYS)} (repeat).")] = None,
) -> None:
    """Run the cases in a child that has events.c before the C library."""
    if "BS4NN_FAULTS" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="bs4nn-faults-") as scratch:
            library = Path(scratch) / "events.so"
            compiler = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
            subprocess.run([*compiler, str(HERE / "events.c"), "-o", str(library), "-ldl"], check=True)
            variables = {**os.environ, "LD_PRELOAD": str(library), "BS4NN_FAULTS": scratch}
            variables |= {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "1000"}
            sys.exit(subprocess.run([sys.executable, *sys.argv], env=variables, check=False).returncode)
    scratch_folder = Path(os.environ["BS4NN_FAULTS"]).resolve()
    _warm(scratch_folder)
    found = False
    for case in cases(scratch_folder):
        if names and case.name not in names:
            continue
        started = time.monotonic()
        trial = Trial(Ground(scratch_folder), case)
        events, ways = range(1, trial.findings.events + 1), way or list(WAYS)
        stops = [(one, at) for at in events for one in ways]
        if sample is not None:
            chosen = sorted(random.Random(case.name).sample(events, min(sample, len(events))))
            stops = [(ways[number % len(ways)], at) for number, at in enumerate(chosen)]
        for one, at in stops:
            trial.stop(one, at)
        found |= bool(trial.findings.wrong)
        line = {"case": case.name, **vars(trial.findings), "seconds": round(time.monotonic() - started, 1)}
        print(json.dumps(line), flush=True)
    sys.exit(int(found))


if __name__ == "__main__":
    typer.run(main)
