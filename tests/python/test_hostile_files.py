"""Weights, runs and projects that nobody should trust: read, or refused in one line."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_hand import facts, npy, small
from conftest import Tool

from bs4nn_tc.base import archives
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.device.boards import load_board
from bs4nn_tc.device.codegen import project
from bs4nn_tc.model import importers, network_file, real_network
from bs4nn_tc.model.real_network import RealNetwork
from bs4nn_tc.training.run_folder import BEST, BEST_REAL, CHECKPOINT, History, RunFolder
from bs4nn_tc.training.trainer import Progress

pytestmark = pytest.mark.bounds

# --- .npy files, and import


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        npy("{}"),
        npy(facts("(2, 2)"), b"\1\1"),
        npy(facts("(99999999999, 99999999999)"), b"\1\1"),
        npy(facts("(2, 2)", "|O"), b"\1\1"),
        npy(facts("(2, 2)", "|V0")),
        npy("(" * 900),
        npy(facts("(True, 2)"), b"\1\1"),
        b"\x93NUMPY\3\0" + bytes(200),
        b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(200),
    ],
)
def test_broken_arrays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "W0.npy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"W0\.npy is not a plain NumPy array file"):
        importers.load_weights(path)


@pytest.mark.parametrize(
    "array", [np.ones((2, 2), np.float32), np.asfortranarray(np.arange(6).reshape(2, 3)), np.ones(3)]
)
def test_whole_arrays_are_read(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(archives.read_npy((tmp_path / "a.npy").read_bytes(), array.nbytes), array)
    with pytest.raises(UserError, match="at most"):
        archives.read_npy((tmp_path / "a.npy").read_bytes(), array.nbytes - 1)


def test_weights_of_more_than_a_network(tmp_path: Path) -> None:
    path = tmp_path / "W0.npy"
    path.write_bytes(npy(facts("(65536, 2)"), bytes(2 * 65536)))
    with pytest.raises(UserError, match=r"W0\.npy holds weights of shape \(65536, 2\).*1 to 65,535"):
        importers.load_weights(path)


def saved(folder: Path, *shapes: tuple[int, ...]) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = [folder / f"W{number}.npy" for number in range(len(shapes))]
    for path, shape in zip(paths, shapes, strict=True):
        np.save(path, rng.choice([-1.5, 1.5], shape).astype(np.float32))
    return paths


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2.5", "--threshold 2.5: a threshold is a whole number, as potentials are; V >= 2.5 means V >= 3"),
        ("0", "1 to 65,535 is allowed"),
        ("-3", "1 to 65,535 is allowed"),
        ("65536", "1 to 65,535 is allowed"),
        ("nan", "1 to 65,535 is allowed"),
        ("1e999999999", "1 to 65,535 is allowed"),
        ("9" * 5000, "1 to 65,535 is allowed"),
        ("none.npy", "neither a whole number nor a .npy file that exists"),
    ],
)
def test_thresholds_that_are_none(text: str, words: str, tool: Tool, tmp_path: Path) -> None:
    (path,) = saved(tmp_path, (2, 3))
    status, _, said = tool("import", path, "--threshold", text, "-o", tmp_path / "n.bs4nn")
    assert status == 2
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "n.bs4nn").exists()


def test_keras_weights_by_transpose(tool: Tool, tmp_path: Path) -> None:
    """(in, out): refused with the remedy where shapes tell, read right with it."""
    paths, out = saved(tmp_path, (7, 5), (5, 3)), tmp_path / "n.bs4nn"
    options = ["--threshold", "1", "--threshold", "2.0", "-o", out]
    status, _, said = tool("import", *paths, *options)
    assert status == 2
    assert "add --transpose" in said
    status, shown, said = tool("import", *paths, "--transpose", *options)
    assert (status, said) == (0, "")
    assert "7-5-3" in shown
    network = network_file.load(out)
    assert np.array_equal(network.layers[0].signs, np.sign(np.load(paths[0])).T)
    assert network.layers[1].thresholds.tolist() == [2, 2, 2]
    others = saved(tmp_path, (5, 7), (3, 5))
    assert "leave out --transpose" in tool("import", *others, "--transpose", *options)[2]
    status, shown, said = tool("import", *others, *options)
    assert (status, said) == (0, "")
    assert "7-5-3" in shown


@pytest.mark.parametrize("shapes", [[(4, 4), (4, 4)], [(6, 3)]])
def test_a_hint_where_shapes_allow_both_ways(shapes: list[tuple[int, int]], tool: Tool, tmp_path: Path) -> None:
    paths, out = saved(tmp_path, *shapes), tmp_path / "n.bs4nn"
    options = [*["--threshold", "1"] * len(paths), "-o", out]
    status, _, said = tool("import", *paths, *options)
    assert status == 0
    assert said.startswith("note: the shapes fit both ways")
    assert np.array_equal(network_file.load(out).layers[0].signs, np.sign(np.load(paths[0])))
    for option in ("--transpose", "--no-transpose"):
        assert tool("import", *paths, option, *options)[2] == ""
    assert np.array_equal(network_file.load(out).layers[0].signs, np.sign(np.load(paths[0])))


def test_many_dimensions_are_flattened_from_the_right_side(tmp_path: Path) -> None:
    """Keras' last axis is the neurons'; PyTorch's is the first."""
    (path,) = saved(tmp_path, (2, 3, 4))
    weights = np.load(path)
    assert np.array_equal(importers.load_weights(path), np.sign(weights).reshape(2, 12))
    assert np.array_equal(importers.load_weights(path, transpose=True), np.sign(weights).reshape(6, 4).T)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"proxies_1": np.ones((13, 9), np.float32)},
        {"proxies_1": np.ones((9, 13), np.float32), "proxies_2": np.ones((9, 3), np.float32)},
        {"proxies_1": np.ones((13, 9), np.int8), "proxies_2": np.ones((9, 3), np.float32)},
        {"proxies_1": np.full((13, 9), np.nan), "proxies_2": np.ones((9, 3), np.float32)},
        {"proxies_1": np.full((13, 9), 1e300), "proxies_2": np.ones((9, 3), np.float32)},
    ],
)
def test_proxies_of_something_else(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "best-proxies.npz"
    path.write_bytes(archives.to_npz(arrays))
    with pytest.raises(UserError, match="prox"):
        importers.load_proxies([path], small())


# --- S4NN networks


def real(**changes: Any) -> RealNetwork:
    weights = (np.ones((4, 3), np.float32), np.ones((3, 2), np.float32))
    made = {"weights": weights, "thresholds": np.ones(2, np.float32), "time_steps": 8, "intensity_max": 16}
    return RealNetwork(**{**made, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"time_steps": True},
        {"time_steps": 10**9},
        {"intensity_max": 1.0},
        {"weights": (np.ones((4, 3), np.float32), np.ones((2, 2), np.float32))},
        {"weights": (np.ones((4, 3)), np.ones((3, 2)))},
        {"weights": (np.ones((0, 3), np.float32), np.ones((3, 2), np.float32))},
        {"weights": (np.full((4, 3), np.inf, np.float32), np.ones((3, 2), np.float32))},
        {"weights": (np.ones(4, np.float32), np.ones((3, 2), np.float32))},
        {"thresholds": np.ones(3, np.float32)},
        {"thresholds": np.full(2, np.nan, np.float32)},
    ],
)
def test_s4nn_files_that_are_none(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "n.s4nn.npz"
    real().save(path)
    assert real_network.load(path).shape_text == "4-3-2"
    real(**changes).save(path)
    with pytest.raises(UserError, match="is no S4NN network"):
        real_network.load(path)


def test_s4nn_descriptions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        real(description={"a": float("nan")}).save(tmp_path / "n.s4nn.npz")
    assert not (tmp_path / "n.s4nn.npz").exists()


# --- runs


def checkpoint(folder: Path, **changes: Any) -> RunFolder:
    """A run whose checkpoint says something else."""
    run = RunFolder(folder, {"recipe": "best"}, resume=False)
    rows = [{"epoch": 1, "loss": 0.5}]
    run.save_checkpoint(Progress(1, 2, 0.5, 3, 1.5), History(rows, 0.5, 0), {"proxies_1": np.ones((3, 2), np.float32)})
    if changes:
        held = archives.Archive((folder / CHECKPOINT).read_bytes())
        state = json.loads(held.read("state").tobytes())
        for name, value in changes.items():
            part, _, key = name.partition("__")
            state[part] = {**state[part], key: value} if key else value
        arrays = {"state": np.frombuffer(json.dumps(state).encode(), np.uint8), "proxies_1": held.read("proxies_1")}
        (folder / CHECKPOINT).write_bytes(archives.to_npz(arrays))
    return run


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    run = checkpoint(tmp_path / "run")
    arrays = {"proxies_1": np.zeros((3, 2), np.float32)}
    assert run.load_checkpoint(arrays) == (Progress(1, 2, 0.5, 3, 1.5), History([{"epoch": 1, "loss": 0.5}], 0.5, 0))
    assert (arrays["proxies_1"] == 1).all()
    (tmp_path / "run" / CHECKPOINT).unlink()
    assert run.load_checkpoint(arrays) == (Progress(), History())


@pytest.mark.parametrize(
    "changes",
    [
        *({"progress": 5}, {"progress": {}}, {"history": []}, {"progress__more": 1}, {"progress__epoch": True}),
        *({"progress__epoch": -1}, {"progress__epoch": 1.5}, {"progress__loss": "x"}, {"progress__loss": float("nan")}),
        *(
            {"history__rows": {}},
            {"history__rows": [1]},
            {"history__rows": [{"a": "b"}]},
            {"history__best_epoch": None},
        ),
    ],
)
def test_checkpoints_of_other_content(changes: dict[str, Any], tmp_path: Path) -> None:
    run = checkpoint(tmp_path / "run", **changes)
    with pytest.raises(UserError, match=r"checkpoint\.npz is damaged or of another run") as caught:
        run.load_checkpoint({"proxies_1": np.zeros((3, 2), np.float32)})
    assert "remove" not in str(caught.value)


def test_checkpoints_of_other_arrays(tmp_path: Path) -> None:
    run = checkpoint(tmp_path / "run")
    for arrays in ({"proxies_2": np.zeros(1)}, {"proxies_1": np.zeros((3, 2))}, {"proxies_1": np.zeros(1, np.float32)}):
        with pytest.raises(UserError, match="another run"):
            run.load_checkpoint(arrays)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_an_unreadable_checkpoint_is_not_called_damaged(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = checkpoint(tmp_path / "run")

    def failing(*_arguments: object, **_options: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(UserError) as caught:
        run.load_checkpoint({"proxies_1": np.zeros((3, 2), np.float32)})
    assert str(caught.value) == f"cannot read {tmp_path / 'run' / CHECKPOINT}: {os.strerror(number)}"


def test_a_checkpoint_that_is_a_folder_or_link_to_nothing(tmp_path: Path) -> None:
    """Neither starts from the beginning, which would write over the best network."""
    run = checkpoint(tmp_path / "run")
    (tmp_path / "run" / CHECKPOINT).unlink()
    (tmp_path / "run" / CHECKPOINT).mkdir()
    with pytest.raises(UserError, match="it is a folder, not a file"):
        run.load_checkpoint({})
    (tmp_path / "run" / CHECKPOINT).rmdir()
    (tmp_path / "run" / CHECKPOINT).symlink_to("elsewhere")
    with pytest.raises(UserError, match="cannot read"):
        run.load_checkpoint({})


def test_the_best_network_of_another_run(tmp_path: Path) -> None:
    """Its sizes are held against the images before compiled code reads them."""
    run = checkpoint(tmp_path / "run")
    network_file.save(small(), tmp_path / "run" / BEST)
    assert run.load_best(13, 3).sizes == (13, 9, 3)
    with pytest.raises(UserError, match="is not of this run"):
        run.load_best(64, 3)
    real().save(tmp_path / "run" / BEST_REAL)
    with pytest.raises(UserError, match="is not of this run"):
        run.load_best(13, 3)


@pytest.mark.parametrize(
    "seeds", ["1000000000", "0," * 2000 + "1", "9" * 5000, "1," + "9" * 30, "0", "a", "", "1,1", "-1,2"]
)
def test_seeds_without_end(seeds: str, tool: Tool, tmp_path: Path) -> None:
    for verb in (["train"], ["sweep", "--hidden", "4"]):
        status, _, said = tool(*verb, "--seeds", seeds, "-o", tmp_path / "out")
        assert status == 2
        assert said.startswith("error: --seeds ")
        assert len(said) < 250
    assert not (tmp_path / "out").exists()


def test_output_names_that_are_too_long(tool: Tool, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)
    network_file.save(small(), tmp_path / "n.bs4nn")
    (path,) = saved(tmp_path, (2, 3))
    for arguments in (
        ("import", path, "--threshold", "1", "-o", long),
        ("generate", tmp_path / "n.bs4nn", "--board", "qemu-m0", "-o", long),
        ("package", tmp_path / "n.bs4nn", "-o", long),
        ("inspect", long),
        ("build", long),
    ):
        status, _, said = tool(*arguments)
        assert status == 2
        assert "File name too long" in said
        assert said.count("\n") == 1


# --- projects


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "made"
    project.generate(small(), "small", [load_board("qemu-m0")], folder)
    return folder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("name", 5),
            ("name", "a/../b"),
            ("name", "a\nb"),
            ("digest", "abc"),
            ("digest", None),
            ("boards", "qemu-m0"),
        ),
        *(
            ("boards", [5]),
            ("boards", ["../x"]),
            ("boards", ["a b"]),
            ("boards", ["-x"]),
            ("memory", {}),
            ("memory", [5]),
        ),
        *(("memory", [{"symbol": "a"}]), ("memory", [{"symbol": "a", "what": "b", "memory": "flash", "bytes": True}])),
        *(("memory", [{"symbol": "a", "what": "b", "memory": "disk", "bytes": 1}]), ("files", []), ("files", {"a": 5})),
        *(
            ("files", {"../a": "0" * 64}),
            ("files", {"/a": "0" * 64}),
            ("manifest_version", True),
            ("manifest_version", 2),
        ),
        ("memory", [{"symbol": "a", "what": "b", "memory": "flash", "bytes": 1, "more": 1}]),
    ],
)
def test_project_manifests_of_other_content(key: str, value: object, made: Path, tmp_path: Path) -> None:
    manifest = json.loads((made / project.MANIFEST).read_text(encoding="utf-8"))
    assert project.open_project(made).boards == ("qemu-m0",)
    (tmp_path / project.MANIFEST).write_text(json.dumps({**manifest, key: value}), encoding="utf-8")
    with pytest.raises(UserError, match="damaged or of another version"):
        project.open_project(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 5000, b'{"name": NaN}', b"5", b"{}", b'"\\ud800"'])
def test_project_manifests_that_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / project.MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match="damaged or of another version"):
        project.open_project(tmp_path)
