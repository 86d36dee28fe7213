"""What a user sees: the calls as documented, and one clear line for everything that can go wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, random_network, run_tool

from bs4nn_tc.model import network_file


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A small network for the digits."""
    path = tmp_path / "tiny.bs4nn"
    network_file.save(random_network(np.random.default_rng(0), (64, 20, 10), intensity_max=16), path)
    return path


def weights(folder: Path, **changes: np.ndarray) -> list[Path]:
    """Two weight files, one of which may be changed."""
    rng = np.random.default_rng(0)
    arrays = {"W0": rng.normal(size=(5, 9, 1)), "W1": rng.normal(size=(3, 5, 1)), **changes}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return [folder / "W0.npy", folder / "W1.npy"]


ALPHAS = ("--theta", "100", "--alpha", "4", "--alpha", "9")


# ---- The calls as documented ----


def test_import_evaluate_and_save_the_authors_network(reference_dir: Path, data_dir: Path, tmp_path: Path) -> None:
    files = [reference_dir / f"W{layer}_binary.npy" for layer in (0, 1)]
    alphas = ("--theta", "100", "--alpha", "4.03707844", "--alpha", "9.06516109", "--rules", "authors")
    done = run_tool("import", *files, *alphas, "-o", "authors.bs4nn", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    options = ("--dataset", "mnist", "--data-dir", data_dir, "--images", "2000", "--save", "out.npz", "--json")
    done = run_tool("evaluate", "authors.bs4nn", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["strict_accuracy"] == pytest.approx(0.9525)
    assert figures["tie_lenient_accuracy"] == pytest.approx(0.9625)
    assert {"response_time", "silent_share"} <= set(figures)
    with np.load(tmp_path / "out.npz") as saved, np.load(reference_dir / "official_mnist_first2000.npz") as official:
        assert np.array_equal(saved["answer"], official["strict_prediction"])
        assert np.array_equal(saved["response_time"], official["first_spike"])
        assert np.array_equal(saved["firing_time_1"], official["hidden_firing_time"])
        assert np.array_equal(saved["firing_time_2"], official["output_firing_time"])
        assert np.array_equal(saved["readout_potential"], official["output_potential_at_253"])
    fast = ("--dataset", "mnist", "--data-dir", data_dir, "--images", "2000", "--save", "fast.npz", "--json", "--fast")
    done = run_tool("evaluate", "authors.bs4nn", *fast, cwd=tmp_path)
    assert json.loads(done.stdout) == figures
    with np.load(tmp_path / "out.npz") as saved, np.load(tmp_path / "fast.npz") as again:
        assert set(saved) == set(again)
        assert all(np.array_equal(saved[name], again[name]) for name in saved)


@pytest.mark.bounds
def test_import_any_weights_with_thresholds(tmp_path: Path) -> None:
    files = weights(tmp_path)
    np.save(tmp_path / "t.npy", np.array([1, 2, 3, 4, 5]))
    options = ("--threshold", tmp_path / "t.npy", "--threshold", "2", "--time-steps", "8", "-o", tmp_path / "n.bs4nn")
    assert run_tool("import", *files, *options).returncode == 0
    network = network_file.load(tmp_path / "n.bs4nn")
    assert network.layers[0].thresholds.tolist() == [1, 2, 3, 4, 5]
    assert network.layers[1].shared_threshold == 2
    assert (network.time_steps, network.delay, network.readout_step) == (8, 0, 7)
    assert np.array_equal(network.layers[0].signs, np.sign(np.load(files[0])[..., 0]))


@pytest.mark.parametrize(("rules", "thresholds"), [("paper", [25, 10]), ("authors", [26, 11])])
def test_theta_over_alpha_is_rounded_by_the_rules(rules: str, thresholds: list[int], tmp_path: Path) -> None:
    """100 / 4 = 25 and 100 / 10 = 10 exactly: V >= 25 in the paper, V > 25 in the authors' program."""
    files = weights(tmp_path, W0=np.ones((5, 40)))
    out = tmp_path / "n.bs4nn"
    options = ("--theta", "100", "--alpha", "4", "--alpha", "10", "--rules", rules, "-o", out)
    assert run_tool("import", *files, *options).returncode == 0
    network = network_file.load(out)
    expected = [min(value, layer.inputs + 1) for value, layer in zip(thresholds, network.layers, strict=True)]
    assert [layer.shared_threshold for layer in network.layers] == expected


@pytest.mark.bounds
def test_help_has_an_example_for_every_verb() -> None:
    verbs = (
        "train",
        "import",
        "evaluate",
        "inspect",
        "generate",
        "build",
        "verify",
        "bench",
        "flash",
        "boards",
        "doctor",
        "classify",
        "record",
        "blank",
    )
    for verb in verbs:
        assert f"bs4nn-tc {verb}" in run_tool(verb, "--help").stdout


def test_inspect_and_boards_speak_json(network: Path) -> None:
    assert json.loads(run_tool("inspect", network, "--json").stdout)["sizes"] == [64, 20, 10]
    boards = json.loads(run_tool("boards", "--json").stdout)["boards"]
    assert {"qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33"} <= {board["id"] for board in boards}


@pytest.mark.bounds
def test_what_is_not_said_is_taken_from_where_it_is_known(tmp_path: Path) -> None:
    """The shortest way: train, generate, verify, with the data set and folders by default."""
    assert run_tool("train", "--epochs", "2", "--hidden", "8", "--accept", cwd=tmp_path).returncode == 0
    assert run_tool("generate", "digits-8.bs4nn", "--board", "qemu-m0", cwd=tmp_path).returncode == 0
    done = run_tool("verify", "--images", "5", "--json", cwd=tmp_path / "digits_8-project")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dataset"] == "digits"
    done = run_tool("evaluate", "digits-8.bs4nn", "--images", "5", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["images"] == 5


def test_a_network_that_does_not_say_its_data_set(tmp_path: Path) -> None:
    network_file.save(random_network(np.random.default_rng(0), (4, 2)), tmp_path / "n.bs4nn")
    assert_refused(run_tool("evaluate", tmp_path / "n.bs4nn"), "--dataset")


# ---- Bad input ----


def test_truncated_and_flipped_network_files(network: Path) -> None:
    content = network.read_bytes()
    network.write_bytes(content[: len(content) // 2])
    assert_refused(run_tool("inspect", network), "tiny.bs4nn", "truncated")
    middle = content.index(b"signs_1") + 200
    network.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
    assert_refused(run_tool("inspect", network), "tiny.bs4nn", "damaged")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_weights_that_have_no_sign(value: float, tmp_path: Path) -> None:
    bad = np.ones((5, 9))
    bad[3, 7] = value
    out = tmp_path / "n.bs4nn"
    done = run_tool("import", *weights(tmp_path, W0=bad), *ALPHAS, "-o", out)
    assert_refused(done, "W0.npy", "neuron 3", "input 7")
    assert not out.exists()


def test_weights_of_the_wrong_shape(tmp_path: Path) -> None:
    out = tmp_path / "n.bs4nn"
    done = run_tool("import", *weights(tmp_path, W1=np.ones((3, 6))), *ALPHAS, "-o", out)
    assert_refused(done, "layer 2", "6 inputs", "5 neurons")
    done = run_tool("import", *weights(tmp_path, W1=np.ones(3)), *ALPHAS, "-o", out)
    assert_refused(done, "W1.npy", "(3,)")
    assert not out.exists()


def test_pickled_weights(tmp_path: Path) -> None:
    np.save(tmp_path / "W0.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    done = run_tool("import", tmp_path / "W0.npy", "--theta", "1", "--alpha", "1", "-o", tmp_path / "n.bs4nn")
    assert_refused(done, "W0.npy", "array")


def test_missing_alphas(tmp_path: Path) -> None:
    done = run_tool("import", *weights(tmp_path), "--theta", "100", "--alpha", "4", "-o", tmp_path / "n.bs4nn")
    assert_refused(done, "2 --alpha", "1 given")


def test_unknown_board(network: Path, tmp_path: Path) -> None:
    done = run_tool("generate", network, "--board", "qemu-m5", "-o", tmp_path / "p")
    assert_refused(done, "qemu-m5", "qemu-m4", "bs4nn-tc boards")
    assert not (tmp_path / "p").exists()


def test_a_network_that_does_not_fit(tmp_path: Path) -> None:
    """784-1000-10 takes 784 * 32 * 4 + 1000 * 2 bytes of weights alone; the board has 65,536."""
    network_file.save(random_network(np.random.default_rng(0), (784, 1000, 10)), tmp_path / "big.bs4nn")
    done = run_tool("generate", "big.bs4nn", "--board", "bluepill_f103c8", "-o", "p", cwd=tmp_path)
    assert_refused(done, "bluepill_f103c8", "65,536 are there", "too few")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.bs4nn"]


@pytest.mark.parametrize("name", ["7up", "two words", "Digits", "NULL", "a-b", "", "_x", "é", "x" * 49])
def test_names_that_are_no_c_identifiers(name: str, network: Path, tmp_path: Path) -> None:
    done = run_tool("generate", network, "--board", "qemu-m4", "--name", name, "-o", tmp_path / "p")
    assert_refused(done, "name", "--name")
    assert not (tmp_path / "p").exists()


def test_file_names_become_c_names(network: Path, tmp_path: Path) -> None:
    path = network.rename(tmp_path / "My-net 2.bs4nn")
    done = run_tool("generate", path, "--board", "qemu-m4", "-o", tmp_path / "p")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p" / "src" / "bs4nn_net_my_net_2.c").is_file()
    path = path.rename(tmp_path / "7up.bs4nn")
    assert_refused(run_tool("generate", path, "--board", "qemu-m4", "-o", tmp_path / "q"), "7up", "--name")


def test_an_output_folder_that_holds_something_else(network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("precious")
    done = run_tool("generate", network, "--board", "qemu-m4", "-o", folder)
    assert_refused(done, "thesis", "something else")
    assert [path.name for path in folder.iterdir()] == ["chapter1.tex"]


def test_a_project_that_was_changed_by_hand(network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    call = ("generate", network, "--board", "qemu-m4", "-o", folder)
    assert run_tool(*call).returncode == 0
    assert run_tool(*call).returncode == 0
    main = folder / "src" / "main.c"
    main.write_text(main.read_text() + "/* mine */\n")
    assert_refused(run_tool(*call), "src/main.c", "--force")
    assert main.read_text().endswith("/* mine */\n")
    assert run_tool(*call, "--force").returncode == 0
    assert not main.read_text().endswith("/* mine */\n")


def test_missing_data_set(network: Path, tmp_path: Path) -> None:
    done = run_tool("evaluate", network, "--dataset", "mnist", "--data-dir", tmp_path / "none")
    assert_refused(done, "mnist", "none", "--data-dir", status=3)
    done = run_tool("evaluate", network, "--dataset", "mnits")
    assert_refused(done, "mnits", "did you mean mnist")


def test_images_of_the_wrong_size(network: Path, data_dir: Path) -> None:
    done = run_tool("evaluate", network, "--dataset", "mnist", "--data-dir", data_dir)
    assert_refused(done, "784 pixels", "64")


def without(tmp_path: Path, *programs: str) -> dict[str, str]:
    """An environment whose PATH has everything but these programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).iterdir() if Path(directory).is_dir() else ():
            link = folder / program.name
            if program.name not in programs and not link.exists():
                link.symlink_to(program)
    return {"PATH": str(folder)}


def test_missing_compilers_and_emulator(network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert run_tool("generate", network, "--board", "qemu-m4", "-o", folder).returncode == 0
    without_arm = without(tmp_path, "arm-none-eabi-gcc")
    done = run_tool("build", folder, "-e", "qemu-m4", environment=without_arm)
    assert_refused(done, "arm-none-eabi-gcc", "apt-get install", "gcc-arm-none-eabi", status=3)
    (tmp_path / "2").mkdir()
    without_host = without(tmp_path / "2", "gcc", "cc", "clang", "x86_64-linux-gnu-gcc")
    done = run_tool("build", folder, "-e", "native", environment=without_host)
    assert_refused(done, "compiler", "apt-get install gcc", status=3)
    (tmp_path / "3").mkdir()
    without_qemu = without(tmp_path / "3", "qemu-system-arm")
    call = ("verify", folder, "--target", "emulator", "--dataset", "digits", "--images", "2")
    done = run_tool(*call, environment=without_qemu)
    assert_refused(done, "qemu-system-arm", "apt-get install", status=3)


def test_training_without_a_compiler(tmp_path: Path) -> None:
    environment = {**without(tmp_path, "gcc", "cc", "clang"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    call = ("train", "--dataset", "digits", "--hidden", "8", "--run", tmp_path / "run", "-o", tmp_path / "n.bs4nn")
    assert_refused(run_tool(*call, environment=environment), "C compiler", "apt-get install", status=3)


def test_not_a_project(tmp_path: Path) -> None:
    assert_refused(run_tool("build", tmp_path), "no generated project")
    assert_refused(run_tool("verify", tmp_path, "--dataset", "digits"), "no generated project")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="NOT TESTED: mounting a small disk needs root")
def test_no_space_left_on_the_device(network: Path, tmp_path: Path) -> None:
    """A real file system of 64 KiB."""
    import subprocess  # noqa: PLC0415

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("NOT TESTED: tmpfs cannot be mounted here")
    try:
        network_file.save(random_network(np.random.default_rng(0), (784, 600, 10)), tmp_path / "big.bs4nn")
        done = run_tool("generate", tmp_path / "big.bs4nn", "--board", "qemu-m4", "-o", disk / "p")
        assert_refused(done, "no space left")
        assert list(disk.iterdir()) == []
        done = run_tool(
            "import", *weights(tmp_path, W0=np.ones((900, 900)), W1=np.ones((9, 900))), *ALPHAS, "-o", disk / "n"
        )
        assert_refused(done, "no space left")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
