"""Text from outside is data: on the terminal, in JSON, in pages, figures, projects; and remedies are whole commands."""

from __future__ import annotations

import dataclasses
import html.parser
import importlib.metadata
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc import cli, targets
from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.cli import common
from bs4nn_tc.data.datasets import Dataset
from bs4nn_tc.device import boards, doctor, kernels
from bs4nn_tc.device.codegen import names, pack, package, project, render
from bs4nn_tc.model import network_file
from bs4nn_tc.model.provenance import TrainedOn
from bs4nn_tc.pages import figures, report
from bs4nn_tc.pages.live import server, session
from bs4nn_tc.study.experiments import Experiment
from bs4nn_tc.targets import application, runner

pytestmark = pytest.mark.bounds

# Markup of rich, a link, escape codes that colour and rename the window, a new line, text turned around, a bell.
HOSTILE = "[/x][link=http://e]\x1b[31m\x1b]0;t\x07\r\nerror: \u2028\u202eend"
# What ends a comment, a string, a cell, a script, a formula.
CODE = "*/ ??/ \\ \" '; `id` $(id) ${x} | </script><script>alert(1)</script> <b> & $x$ {{ 7*7 }}"
SHOWN = r"[/x][link=http://e]\x1b[31m\x1b]0;t\x07\r\nerror: \u2028\u202eend"
# A byte that is no UTF-8, as Python has it in names of files.
HALF = "\udcff"


@pytest.fixture
def network_path(tmp_path: Path) -> Path:
    """A network whose description and file name are hostile."""
    network = random_network(np.random.default_rng(0), (64, 5, 10), intensity_max=16)
    network = dataclasses.replace(
        network,
        description={HOSTILE: CODE, CODE[:9]: HOSTILE},
        class_names=(HOSTILE, CODE, *map(str, range(8))),
        data=TrainedOn(HOSTILE.replace("/", ":")),
    )
    path = tmp_path / f"{HOSTILE.replace('/', ':')}{HALF}.bs4nn"
    path.write_bytes(network_file.to_bytes(network))
    return path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit status of the tool, run within this process."""
    monkeypatch.setattr(sys, "argv", ["bs4nn-tc", *map(os.fspath, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


def assert_plain(text: str) -> None:
    """No control code but line ends."""
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\udc80-\udcff]", text) is None, repr(text)


def no_constant(name: str) -> float:
    raise AssertionError(name)


# ---- The terminal ----


def test_a_description_and_a_file_name_are_shown_as_they_are(
    network_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common.output, "width", 400)
    assert call(monkeypatch, "inspect", network_path) == 0
    told = capsys.readouterr().out
    assert_plain(told)
    assert SHOWN in told
    assert CODE in told
    assert call(monkeypatch, "evaluate", network_path, "--dataset", "digits", "--images", "5", "--quiet") == 0
    assert_plain(capsys.readouterr().out)


def test_json_is_strict_whatever_files_hold(
    network_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--dataset", "digits", "--images", "5", "--quiet", "--json")
    assert call(monkeypatch, "evaluate", network_path, *arguments) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=no_constant)
    told["network"].encode()  # no half character
    assert told["network"].endswith(r"\udcff.bs4nn")
    assert call(monkeypatch, "inspect", network_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["description"][HOSTILE] == CODE
    common.print_json({"deep": [{"nan": float("nan"), HALF: (float("inf"), 0.5)}]})
    text = capsys.readouterr().out
    assert json.loads(text, parse_constant=no_constant) == {"deep": [{"nan": None, r"\udcff": [None, 0.5]}]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", f"{HOSTILE}{HALF}"),
        ("train", "--recipe", HOSTILE),
        ("train", f"{HOSTILE}{HALF}"),
        ("train", "--hidden", HOSTILE),
        ("train", "--dataset", f"{HOSTILE}{HALF}"),
        ("train", "--set", f"{HOSTILE}=1"),
        (f"{HOSTILE}{HALF}",),
        (f"--{HOSTILE}{HALF}",),
        ("verify", f"{HOSTILE}{HALF}"),
        ("generate", f"{HOSTILE}{HALF}", "--board", HOSTILE),
        ("import", f"{HOSTILE}{HALF}.npy", "-o", HOSTILE),
    ],
)
def test_an_error_is_one_line(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert_plain(told.err)
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_an_error_is_shown_where_the_terminal_has_no_such_character(tmp_path: Path) -> None:
    done = run_tool("inspect", "網路.bs4nn", environment={"PYTHONIOENCODING": "ascii"}, cwd=tmp_path)
    assert_refused(done, r"\u7db2\u8def.bs4nn")


def test_an_error_of_the_call_names_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "train", "--nonsense") == 2
    assert "train --help" in capsys.readouterr().err
    assert call(monkeypatch) == 2
    told = capsys.readouterr()
    assert "sweep" in told.out + told.err


def test_a_bar_and_a_warning_and_a_title(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with common.progress_bar(HOSTILE, 1, False) as advance:
        advance()
    common.print_table(HOSTILE, [(HOSTILE, HOSTILE)])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    cli._show_everything_as_text()
    warnings.showwarning(UserWarning(HOSTILE), UserWarning, "file.py", 7)
    told = capsys.readouterr()
    assert_plain(told.out + told.err)
    assert f"warning: {SHOWN}\n" in told.err


def test_what_a_board_and_a_compiler_print_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    common.output.print_foreign("a\tb [bold]\n\x1b[2J" + "long " * 40 + "end\n", end="")
    assert capsys.readouterr().out == "a       b [bold]\n\\x1b[2J" + "long " * 40 + "end\n"


class Pieces:
    """A stream that gives its bytes in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, _most: int, _until: float) -> bytes:
        return next(self._pieces)


def test_what_a_board_says_may_come_in_pieces() -> None:
    target = application.ApplicationTarget.__new__(application.ApplicationTarget)
    target.label, target._stream = "board", Pieces([b"one\r", b"\ntwo \xc3", b"\xbc\r\n"])  # type: ignore[assignment]
    listening: Iterator[str] = target.listen()
    assert "".join(next(listening) for _ in range(3)) == "one\ntwo ü\n"


def test_a_board_that_says_hostile_names() -> None:
    names = [b"\x1b[31m[/x]\n", b"b"]
    payload = bytes([application.frames.PROTOCOL_VERSION, 5, 1, 0]) + bytes(12) + bytes(32)
    payload += b"".join(bytes([len(name)]) + name for name in names) + b"\x01"
    told = application._identity(payload)
    assert (told.name, told.board) == (r"\x1b[31m[/x]\n", "b")


# ---- What is generated ----


def test_generated_files_do_not_quote_what_a_network_says_of_itself(tmp_path: Path) -> None:
    plain = random_network(np.random.default_rng(0), (64, 5, 10), intensity_max=16)
    hostile = dataclasses.replace(plain, description={HOSTILE: CODE}, data=TrainedOn(CODE), class_names=(CODE,) * 10)
    assert package.package_files(hostile, "net") == package.package_files(plain, "net")
    board = boards.load_board("qemu-m0")
    texts = []
    for folder, network in (("plain", plain), ("hostile", hostile)):
        made = project.generate(network, "net", [board], tmp_path / folder).folder
        but = ("network.bs4nn", project.MANIFEST)
        files = sorted(path for path in made.rglob("*") if path.is_file() and path.name not in but)
        texts.append({path.relative_to(made): path.read_bytes() for path in files})
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", [HOSTILE, CODE, "a\n", "a\nb", "a*/", "ä", f"a{HALF}", "a b", ""])
def test_a_name_that_is_no_identifier_never_reaches_c(name: str) -> None:
    with pytest.raises(UserError, match="cannot be used in C"):
        names.check_name(name)


def test_a_foreign_board_cannot_write_into_platformio_ini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = {
        "name": "A | `b` <i>\nextra_scripts = evil.py",
        "frameworks": ["arduino"],
        "build": {"cpu": "cortex-m4\n[env:evil]", "f_cpu": "1000000L"},
        "upload": {"maximum_size": 2**20, "maximum_ram_size": 2**17},
    }
    for platform, board in (("good", "good"), ("evil\nextra_scripts = x", "b1"), ("good2", "b2\n[env:evil]")):
        folder = tmp_path / platform.split()[0] / "boards"
        folder.mkdir(parents=True)
        (folder.parent / "platform.json").write_text(json.dumps({"name": platform}))
        (folder / f"{board}.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("PLATFORMIO_PLATFORMS_DIR", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "none"))
    assert list(boards.installed_boards()) == ["good"]
    network = random_network(np.random.default_rng(0), (64, 5, 10), intensity_max=16)
    evil = boards.load_board("good")
    texts = render.render_project(network, pack.pack(network), "net", [evil], kernels.FAST, {evil.id: None})
    lines = texts["platformio.ini"].splitlines()
    assert not [line for line in lines if line.startswith(("extra_scripts", "[env:evil"))]
    row = next(line for line in texts["README.md"].splitlines() if "upload" in line)
    assert re.sub(r"\\.", "", row).count("|") == 3


# ---- Pages and figures ----


class Tags(html.parser.HTMLParser):
    """The tags of a page, and what its scripts hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def named(name: str, classes: str) -> Dataset:
    """Ten images of three classes with names that begin like that."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 12)).astype(np.uint8), np.arange(12, dtype=np.int64) % 3
    return Dataset(name, images, labels, images, labels, (3, 4), 255, tuple(f"{classes}{one}" for one in range(3)))


def test_the_report_of_hostile_names(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (12, 6, 3))
    pages = []
    for text in ("plain", CODE + HOSTILE + HALF):
        report.write(network, f"{text}.bs4nn".replace("/", ":"), named(text, text), [], tmp_path / "n.html")
        pages.append(Tags((tmp_path / "n.html").read_text(encoding="utf-8")))
    plain, hostile = pages
    assert hostile.tags == plain.tags
    assert_plain(hostile.text)
    facts = json.loads(hostile.scripts[0])
    assert facts["class_names"][0].startswith(CODE[:59])
    command = next(line for line in hostile.text.splitlines() if line.startswith("bs4nn-tc evaluate"))
    assert len(shlex.split(command)) == 7


def test_the_page_of_hostile_names() -> None:
    network = random_network(np.random.default_rng(0), (12, 6, 3))

    def page(text: str) -> Tags:
        asked = session.Session(runner.Runner(network, text, targets.Kind.NATIVE, None, lambda: pytest.fail("opened")))
        facts = server.facts(asked, named(text, text))
        return Tags(render.environment().get_template("live.html.j2").render(facts=facts))

    hostile = page(CODE + HOSTILE + HALF)
    assert hostile.tags == page("plain").tags
    assert json.loads(hostile.scripts[0])["name"] == f"{CODE}{SHOWN}\\udcff"


@pytest.mark.parametrize("kind", ["bars", "matrix", "lines"])
def test_a_figure_takes_names_for_no_formulas(kind: str) -> None:
    name = r"$\frac$ $x_$"
    first: Any = "1" if kind == "lines" else name
    outcome = Experiment("e", f"{name}{HOSTILE}{HALF}", (name, name, name), [(first, 1.0, 2.0)], {}, kind)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="bs4nn_tc")
        assert figures.render(outcome, "svg").startswith(b"<?xml")


# ---- Remedies ----


def test_a_remedy_is_the_command_of_this_python_with_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(sys.executable).parent
    monkeypatch.setattr("shutil.which", lambda _: str(own / "pip"))
    words = shlex.split(remedies.pip_install("scikit-learn", "pillow", "unknown"))
    assert words[:2] == ["pip", "install"]
    declared = importlib.metadata.requires("bs4nn-tc") or []
    for name, word in zip(("scikit-learn", "pillow"), words[2:4], strict=True):
        assert next(one for one in declared if one.startswith(f"{name}>")).split(";")[0].strip() == word
    assert words[4] == "unknown"
    assert re.fullmatch(r"starlette>=[\d.]+,<2", shlex.split(remedies.pip_install("starlette"))[-1])
    for pip in (None, "/elsewhere/bin/pip"):
        monkeypatch.setattr("shutil.which", lambda _, pip=pip: pip)
        assert shlex.split(remedies.pip_install("unknown")) == [sys.executable, "-m", "pip", "install", "unknown"]


def test_doctor_prints_whole_remedies(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("BS4NN_TC_PLATFORMIO", "offline")
    monkeypatch.setenv("PATH", "")
    found = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("scikit-learn", "pillow", "starlette", "torchvision"):
            raise importlib.metadata.PackageNotFoundError
        return found(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    findings = {one.what: one for one in doctor.examine()}
    assert call(monkeypatch, "doctor") == 3
    lines = capsys.readouterr().out.splitlines()
    for what in ("scikit-learn", "pillow", "starlette", "torchvision", "qemu-system-arm", "arm-none-eabi-gcc"):
        assert f"{what}: {findings[what].remedy}" in lines
    assert "-m pip install 'scikit-learn>=" in findings["scikit-learn"].remedy
    assert not [line for line in lines if "bs4nn-tc[" in line]
