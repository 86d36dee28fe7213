"""Data sets: the right images, and one clear line for damaged ones."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bs4nn_tc import cli, training
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.cli import common
from bs4nn_tc.data import datasets
from bs4nn_tc.model.network import Network

pytestmark = pytest.mark.bounds


def write_idx(path: Path, array: np.ndarray, magic: int) -> None:
    header = magic.to_bytes(4, "big") + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def idx(tmp_path: Path) -> Path:
    """A small data set as IDX files."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 4, 5)), 2051)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count) % 3, 2049)
    return tmp_path


def test_mnist(data_dir: Path) -> None:
    mnist = datasets.load("mnist", data_dir)
    assert mnist.train_images.shape == (60_000, 784)
    assert mnist.test_images.shape == (10_000, 784)
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert len(mnist.training()[0]) == 50_000
    assert np.array_equal(mnist.validation()[0], mnist.train_images[-10_000:])
    assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_fashion_mnist(data_dir: Path) -> None:
    fashion = datasets.load("fashion-mnist", data_dir)
    assert np.bincount(fashion.train_labels).tolist() == [6000] * 10
    assert fashion.class_names[9] == "Ankle boot"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_half_the_resolution(data_dir: Path, name: str) -> None:
    whole, half = datasets.load(name, data_dir), datasets.load(f"{name}-14x14", data_dir)
    assert half.image_shape == (14, 14)
    assert half.name == f"{name}-14x14"
    assert np.array_equal(half.train_labels, whole.train_labels)
    squares = whole.test_images[:100].reshape(100, 28, 28).astype(int)
    corners = squares[:, ::2, ::2] + squares[:, ::2, 1::2] + squares[:, 1::2, ::2] + squares[:, 1::2, 1::2]
    assert np.array_equal(half.test_images[:100], (np.floor(corners / 4 + 0.5)).reshape(100, 196))
    assert half.train_images.shape == (60_000, 196)


def test_any_data_set_can_be_made_smaller(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, third = datasets.load("digits"), datasets.load(datasets.sized_name("digits", "4x4"))
    expected = [
        [
            int(sum(image[8 * (y + down) + x + right] for down in (0, 1) for right in (0, 1)) + 2) >> 2
            for y in range(0, 8, 2)
            for x in range(0, 8, 2)
        ]
        for image in whole.test_images[:20].tolist()
    ]
    assert third.test_images[:20].tolist() == expected
    assert (third.name, third.image_shape, third.intensity_max) == ("digits-4x4", (4, 4), 16)
    (tmp_path / "sets").mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        images = np.arange(count * 54).reshape(count, 6, 9) * 3 % 256
        write_idx(tmp_path / "sets" / f"{part}-images-idx3-ubyte", images, 2051)
        shutil.copy(idx / f"{part}-labels-idx1-ubyte", tmp_path / "sets")
    monkeypatch.chdir(tmp_path)
    small = datasets.load("sets-2x3")
    assert (small.name, small.image_shape) == (f"{tmp_path}/sets-2x3", (2, 3))
    square = [3 * (9 * y + x) for y in range(3, 6) for x in range(6, 9)]
    assert small.train_images[0, 5] == round(sum(value % 256 for value in square) / 9)
    assert datasets.is_here("sets-2x3")
    assert not datasets.is_here("others-2x3")
    # A folder of that very name is itself.
    shutil.copytree(tmp_path / "sets", tmp_path / "sets-2x3")
    assert datasets.load("sets-2x3").image_shape == (6, 9)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits-16x16", "digits has images of 8x8 pixels; they can be made smaller, but not 16x16"),
        ("digits-4x9", "but not 4x9"),
        ("mnits-14x14", "'mnits-14x14' is neither"),
    ],
)
def test_sizes_that_images_cannot_have(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        datasets.load(name)


def test_a_network_for_smaller_images_knows_their_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = f"train --size 4x4 --hidden 40 --epochs 3 --quiet --accept --run {tmp_path}/run -o {tmp_path}/n.bs4nn"
    cli.app(call.split(), standalone_mode=False)
    capsys.readouterr()
    cli.app(["evaluate", f"{tmp_path}/n.bs4nn", "--quiet", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["dataset"] == "digits-4x4"
    assert told["images"] == 355


@pytest.mark.parametrize("size", ["", "14", "14x", "0x4", "4x4x4", "4x4 ", "123456x4"])
def test_what_is_no_size(size: str) -> None:
    with pytest.raises(UserError, match="rows and columns such as 14x14 are needed"):
        datasets.sized_name("mnist", size)


def test_digits_are_split_the_same_way_everywhere() -> None:
    digits = datasets.load("digits")
    assert digits.train_images.shape == (1442, 64)
    assert digits.test_images.shape == (355, 64)
    assert digits.intensity_max == digits.train_images.max() == 16
    assert np.bincount(digits.test_labels).min() >= 34
    both = {image.tobytes() for image in digits.train_images} & {image.tobytes() for image in digits.test_images}
    assert not both


def test_idx_folder_plain_and_gzipped(idx: Path) -> None:
    plain = datasets.load(str(idx))
    assert plain.image_shape == (4, 5)
    assert plain.class_names == ("0", "1", "2")
    for path in list(idx.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert np.array_equal(datasets.load(str(idx)).train_images, plain.train_images)


def test_damaged_idx_files(idx: Path) -> None:
    images, labels = idx / "train-images-idx3-ubyte", idx / "train-labels-idx1-ubyte"
    good = images.read_bytes()
    images.write_bytes(good[:-7])
    with pytest.raises(UserError, match=r"train-images.* bytes where its header says"):
        datasets.load(str(idx))
    images.write_bytes(b"\0\0\x08\x01" + good[4:])
    with pytest.raises(UserError, match="no IDX file"):
        datasets.load(str(idx))
    images.write_bytes(good)
    write_idx(labels, np.zeros(59), 2049)
    with pytest.raises(UserError, match="60 train images, but 59 labels"):
        datasets.load(str(idx))
    write_idx(labels, np.zeros(60), 2049)
    with pytest.raises(UserError, match="no training image of class '1'"):
        datasets.load(str(idx))
    labels.unlink()
    with pytest.raises(UserError, match="train-labels"):
        datasets.load(str(idx))
    (idx / "train-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(UserError, match="damaged"):
        datasets.load(str(idx))


def make_images(folder: Path, count: int, shape: tuple[int, int] = (6, 5)) -> None:
    rng = np.random.default_rng(len(folder.name))
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{index}.png")


def test_folder_of_images(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        make_images(tmp_path / name, 20)
    loaded = datasets.load(str(tmp_path))
    assert loaded.class_names == ("cats", "dogs")
    assert loaded.image_shape == (6, 5)
    assert len(loaded.test_images) == 8
    assert len(loaded.train_images) == 32
    assert np.array_equal(datasets.load(str(tmp_path)).train_labels, loaded.train_labels)


def test_folder_of_images_with_a_split_of_its_own(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("test", 3)):
        for name in ("a", "b"):
            make_images(tmp_path / part / name, count)
    loaded = datasets.load(str(tmp_path))
    assert (len(loaded.train_images), len(loaded.test_images)) == (24, 6)


def test_unusable_folders_of_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set"):
        datasets.load(str(tmp_path))
    make_images(tmp_path / "a", 10)
    with pytest.raises(UserError, match="at least 2"):
        datasets.load(str(tmp_path))
    make_images(tmp_path / "b", 10, (7, 5))
    with pytest.raises(UserError, match=r"\.png has \(\d, 5\) pixels"):
        datasets.load(str(tmp_path))
    (tmp_path / "a" / "0.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"0\.png"):
        datasets.load(str(tmp_path))


def test_missing_data_set_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="--data-dir"):
        datasets.load("fashion-mnist", tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"), [("mnits", "mnist"), ("fashion_mnist", "fashion-mnist"), ("digit", "digits")]
)
def test_a_misspelt_name_is_answered_with_the_right_one(name: str, meant: str) -> None:
    with pytest.raises(UserError, match=rf"'{name}' is neither .*; did you mean {meant}\?$"):
        datasets.load(name)


def test_an_unknown_name_is_answered_in_a_whole_sentence() -> None:
    with pytest.raises(
        UserError, match=r"nor a folder; taken are arrays .*, a folder of IDX files .* and a folder of images"
    ):
        datasets.load("/nowhere/to/be/found")


def test_every_truncation_and_every_changed_magic_number_is_refused(idx: Path) -> None:
    for path in sorted(idx.iterdir()):
        whole = path.read_bytes()
        magics = [whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :] for position in range(4)]
        for content in (*(whole[:length] for length in (*range(20), len(whole) - 1)), whole + b"\0", *magics):
            path.write_bytes(content)
            with pytest.raises(UserError, match=path.name):
                datasets.load(str(idx))
        path.write_bytes(whole)


def test_images_without_pixels_are_refused(idx: Path) -> None:
    write_idx(idx / "train-images-idx3-ubyte", np.zeros((60, 0, 5)), 2051)
    write_idx(idx / "t10k-images-idx3-ubyte", np.zeros((20, 0, 5)), 2051)
    with pytest.raises(UserError, match="nothing to learn from"):
        datasets.load(str(idx))


@pytest.mark.parametrize(
    ("module", "name", "package"), [("sklearn.datasets", "digits", "scikit-learn"), ("PIL", "images", "pillow")]
)
def test_a_missing_package_is_named(
    module: str, name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in ("a", "b"):
        make_images(tmp_path / "images" / label, 10)
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(MissingToolError, match=f"pip install '?{package}>="):
        datasets.load(name if name == "digits" else str(tmp_path / name))


# Of shapes, types and bytes of images and labels, whole and split, as release 0.1 gave them.
DIGESTS = {
    "mnist": "de986209d5a1ace37fd75324a23ab43ae2f7bed6fc53b682179918ad07af189f",
    "fashion-mnist-14x14": "8e30356f1fee330d7386b2ccd41a9fbb96bd2a7d220d9cf67e0756143d42c64d",
    "digits": "439992c8dd1c641fb8691deedc0d7b7f1d9bbec3ce24579bf34696f10afc1304",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_data_sets_with_names_are_what_they_have_always_been(data_dir: Path, name: str) -> None:
    loaded = datasets.load(name, data_dir)
    whole = (loaded.train_images, loaded.train_labels, loaded.test_images, loaded.test_labels)
    digest = hashlib.sha256()
    for array in (*whole, *loaded.training(), *loaded.validation()):
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    digest.update(str((loaded.name, loaded.image_shape, loaded.intensity_max, loaded.class_names)).encode())
    assert digest.hexdigest() == DIGESTS[name]
    assert loaded.notes == ()


def test_a_file_of_another_kind_is_answered_with_what_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mnist_train.mat"
    path.write_text("label,pixel0\n")
    with pytest.raises(UserError, match=r"mnist_train\.mat' is a file; taken are .*a folder of IDX files .*CLASS/"):
        datasets.load(str(path))


@pytest.mark.parametrize("name", ["", "x" * 300, "a\0b", "\ud800", "a/" * 3000])
def test_names_that_no_folder_has_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="is neither") as caught:
        datasets.load(name)
    assert len(str(caught.value)) < 700


def test_a_set_that_does_not_fit_into_memory_is_one_line(idx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(UserError, match="does not fit into the memory here"):
        datasets.load(str(idx))


def test_a_relative_path_means_the_same_from_every_folder(
    idx: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("other")
    (here / "imgs").symlink_to(idx)
    monkeypatch.chdir(here)
    loaded = datasets.load("imgs")
    options = training.resolve(loaded, "best", (8,), 1, None, 0, [])
    network = training.train(loaded, options, here / "run").network
    assert isinstance(network, Network)
    # Another data set of the same relative name lies where it is evaluated, and is not taken for it.
    monkeypatch.chdir(other)
    shutil.copytree(idx, other / "imgs")
    write_idx(other / "imgs" / "train-images-idx3-ubyte", np.eye(60, 20).reshape(60, 4, 5) * 255, 2051)
    write_idx(other / "imgs" / "t10k-images-idx3-ubyte", np.full((20, 4, 5), 255), 2051)
    name, images, _ = common.test_images(None, None, None, network)
    assert name == str(idx)
    assert np.array_equal(images, loaded.test_images)
    # The run goes on with the same images by whatever path they have, and with no others.
    shutil.copytree(idx, other / "copy")
    training.train(datasets.load("copy"), options, here / "run", resume=True)
    with pytest.raises(UserError, match=f"other options .dataset is .* there, {other}/imgs here"):
        training.train(datasets.load("imgs"), options, here / "run", resume=True)
    idx.rename(idx.with_name("moved"))
    with pytest.raises(UserError, match=f"trained on '{idx}', which is not here; name the images with --dataset"):
        common.test_images(None, None, None, network)


def test_notes_on_a_data_set_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("a", "b"):
        make_images(tmp_path / "train" / label, 12)
    common.load_dataset(str(tmp_path), None)
    printed = capsys.readouterr().err
    assert printed.count("note: ") == 1
    assert "every fifth image of a class is a test image" in " ".join(printed.split())
