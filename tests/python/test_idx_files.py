"""IDX files as people have them, and as nobody should trust them: the right images, or one clear line at once."""

from __future__ import annotations

import gzip
import math
import os
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import refused_data

from bs4nn_tc.data import datasets

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    header = bytes([0, 0, kind, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(TYPES[kind]).tobytes()


def header(*sizes: int) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)


def material(classes: int = 3) -> dict[str, np.ndarray]:
    """60 training and 20 test images of 4 x 5 pixels."""
    rng = np.random.default_rng(0)
    return {
        NAMES[0]: rng.integers(0, 256, (60, 4, 5)),
        NAMES[1]: np.arange(60) % classes,
        NAMES[2]: rng.integers(0, 256, (20, 4, 5)),
        NAMES[3]: np.arange(20) % classes,
    }


def write(folder: Path, **changes: bytes | np.ndarray) -> Path:
    """A data set whose files are `material`, or as told: train_images, train_labels, t10k_images, t10k_labels."""
    folder.mkdir(exist_ok=True)
    for name, array in material().items():
        content = changes.get("_".join(name.split("-")[:2]), array)
        (folder / name).write_bytes(content if isinstance(content, bytes) else idx(content))
    return folder


@pytest.mark.parametrize(
    "sizes",
    [
        (2**31, 2**31, 4),  # 2^64: zero in 64 bits
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
        (60, 2**31, 2**31),
        (2**31 - 1, 4, 5),
        (2**20, 2**6, 2**6),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("more", [0, 100])
def test_sizes_that_no_file_has_are_refused_without_reading(
    tmp_path: Path, sizes: tuple[int, ...], packed: bool, more: int
) -> None:
    content = header(*sizes) + bytes(more)
    folder = write(tmp_path, train_images=gzip.compress(content) if packed else content)
    if packed:  # what could give it away stands in its header alone
        (folder / NAMES[2]).write_bytes(gzip.compress(header(20, *sizes[1:])))
    (folder / NAMES[1]).write_bytes(gzip.compress(header(sizes[0])))
    whole = math.prod(sizes)
    tracemalloc.start()
    refused_data(folder, "take" if packed else f"its header says {16 + whole:,}")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_packed_file_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(idx(material()[NAMES[0]]))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(16)) + packer.flush()
    folder = write(tmp_path, train_images=bomb)
    tracemalloc.start()
    refused_data(folder, NAMES[0], "has more bytes where its header says 1,216")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_huge_files_that_take_no_room_are_refused_by_their_length(tmp_path: Path) -> None:
    for name in (NAMES[0], NAMES[1]):
        whole = idx(material()[name])
        for content in (whole, gzip.compress(whole)):
            folder = write(tmp_path)
            (folder / name).write_bytes(content)
            os.truncate(folder / name, 200 << 30)
            refused_data(folder, name, f"has {200 << 30:,} bytes where its header says {len(whole):,}")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / NAMES[0]).unlink()
    os.mkfifo(folder / NAMES[0])
    refused_data(folder, NAMES[0], "no regular file")
    (folder / NAMES[0]).unlink()
    (folder / NAMES[0]).symlink_to("/dev/zero")
    refused_data(folder, NAMES[0], "no regular file")


@pytest.mark.parametrize("kind", [9, 11, 12, 13, 14])
def test_images_of_another_type_are_named_with_what_is_taken(tmp_path: Path, kind: int) -> None:
    named = np.dtype(TYPES[kind]).name
    refused_data(
        write(tmp_path, train_images=idx(material()[NAMES[0]] // 2, kind)), f"3 dimensions of {named}", "taken is uint8"
    )


def test_images_of_one_or_four_dimensions_are_named_with_what_is_taken(tmp_path: Path) -> None:
    refused_data(
        write(tmp_path, train_images=np.arange(60)), "1 dimension of uint8", "3 dimensions (images, rows, columns)"
    )
    refused_data(
        write(tmp_path, train_images=np.zeros((60, 1, 4, 5))), "4 dimensions of uint8", "or 2 (images, features)"
    )


def test_a_row_of_features_is_an_image_of_one_row(tmp_path: Path) -> None:
    rows = {name: array.reshape(len(array), -1) for name, array in material().items()}
    loaded = datasets.load(str(write(tmp_path, train_images=rows[NAMES[0]], t10k_images=rows[NAMES[2]])))
    assert loaded.image_shape == (1, 20)
    assert np.array_equal(loaded.train_images, rows[NAMES[0]])
    assert np.array_equal(loaded.test_images, rows[NAMES[2]])


def test_labels_of_wider_types_are_the_same_labels(tmp_path: Path) -> None:
    plain = datasets.load(str(write(tmp_path)))
    for kind in (9, 11, 12):
        wide = datasets.load(str(write(tmp_path, train_labels=idx(material()[NAMES[1]], kind))))
        assert np.array_equal(wide.train_labels, plain.train_labels)
    refused_data(write(tmp_path, train_labels=idx(material()[NAMES[1]], 13)), "1 dimension of float32", "whole numbers")


def test_images_that_no_network_takes_are_refused(tmp_path: Path) -> None:
    large = np.zeros((60, 300, 300), np.uint8)
    refused_data(
        write(tmp_path, train_images=large, t10k_images=large[:20]), "90,000 pixels", "65,535", "scale them down"
    )


def test_labels_from_1_and_with_gaps_are_the_classes_that_occur(tmp_path: Path) -> None:
    labels = np.array([1, 4, 26])
    loaded = datasets.load(
        str(write(tmp_path, train_labels=labels[np.arange(60) % 3], t10k_labels=labels[np.arange(20) % 3]))
    )
    assert loaded.class_names == ("1", "4", "26")
    assert loaded.train_labels.tolist() == [index % 3 for index in range(60)]
    assert loaded.test_labels.tolist() == [index % 3 for index in range(20)]


def rename(folder: Path, change: dict[str, str]) -> Path:
    for path in sorted(folder.iterdir()):
        name = path.name
        for old, new in change.items():
            name = name.replace(old, new)
        path.rename(folder / name)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"-idx": ".idx"},
        {"t10k": "test"},
        {"train": "emnist-letters-train", "t10k": "emnist-letters-test"},
        {"train": "My train set-train", "t10k": "My train set-t10k", "-ubyte": "-ubyte.gz"},
        {"train-images": "Train-Images", "t10k-labels": "T10K-LABELS"},
    ],
)
def test_names_as_people_have_them(tmp_path: Path, change: dict[str, str]) -> None:
    expected = datasets.load(str(write(tmp_path / "usual")))
    loaded = datasets.load(str(rename(write(tmp_path / "theirs"), change)))
    assert np.array_equal(loaded.train_images, expected.train_images)
    assert np.array_equal(loaded.test_labels, expected.test_labels)


def test_a_folder_of_the_files_name_around_the_file(tmp_path: Path) -> None:
    expected = datasets.load(str(write(tmp_path / "usual")))
    folder = write(tmp_path / "theirs")
    for name in NAMES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).mkdir()
        (folder / name / name.replace("-idx", ".idx")).write_bytes(content)
    assert np.array_equal(datasets.load(str(folder)).train_images, expected.train_images)
    # As Kaggle's archive unpacks: both.
    (folder / NAMES[0].replace("-idx", ".idx")).write_bytes(idx(material()[NAMES[0]]))
    assert np.array_equal(datasets.load(str(folder)).train_images, expected.train_images)


def test_several_sets_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path)
    rename(tmp_path, {"train": "emnist-letters-train", "t10k": "emnist-letters-test"})
    one = datasets.load(str(tmp_path))
    write(tmp_path / "more", train_images=np.full((60, 4, 5), 7) + np.arange(60)[:, None, None])
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / f"emnist-digits-{path.name}")
    (tmp_path / "more").rmdir()
    refused_data(tmp_path, "several data sets", f"{tmp_path}/emnist-digits, {tmp_path}/emnist-letters")
    letters = datasets.load(f"{tmp_path}/emnist-letters")
    digits = datasets.load(f"{tmp_path}/emnist-digits")
    assert np.array_equal(letters.train_images, one.train_images)
    assert digits.train_images[5, 0] == 12
    assert digits.name == str(tmp_path / "emnist-digits")
    refused_data(f"{tmp_path}/emnist-balanced", "is neither")


def test_a_missing_file_is_named_as_the_others_are(tmp_path: Path) -> None:
    folder = rename(write(tmp_path), {"train": "emnist-letters-train", "t10k": "emnist-letters-t10k"})
    (folder / "emnist-letters-t10k-labels-idx1-ubyte").unlink()
    refused_data(folder, "has no file emnist-letters-t10k-labels-idx1-ubyte")


def test_sorted_by_class_every_class_is_learned_and_validated(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], [30, 22, 8])
    loaded = datasets.load(str(write(tmp_path, train_labels=labels)))
    images, learned = loaded.training()
    held_images, held = loaded.validation()
    assert np.bincount(learned).tolist() == [25, 18, 6]  # five sixths of each, rounded down
    assert np.bincount(held).tolist() == [5, 4, 2]
    assert np.array_equal(images, loaded.train_images[[*range(25), *range(30, 48), *range(52, 58)]])
    assert np.array_equal(held_images, loaded.train_images[[*range(25, 30), *range(48, 52), *range(58, 60)]])
    again = datasets.load(str(tmp_path))
    assert np.array_equal(again.validation()[0], held_images)


def test_a_split_that_keeps_every_class_stays_the_last_sixth(tmp_path: Path) -> None:
    loaded = datasets.load(str(write(tmp_path)))
    assert np.array_equal(loaded.training()[0], loaded.train_images[:50])
    assert np.array_equal(loaded.validation()[0], loaded.train_images[50:])


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_images_that_are_all_black_are_named_as_such(tmp_path: Path, part: str) -> None:
    images = np.zeros((60 if part == "train" else 20, 4, 5))
    refused_data(write(tmp_path, **{f"{part}_images": images}), f"all {len(images)} ", "images are black")


def test_images_that_are_all_alike_are_named_as_such(tmp_path: Path) -> None:
    refused_data(write(tmp_path, train_images=np.full((60, 4, 5), 200)), "all 60 training images are alike")


def test_dark_images_come_with_a_note(tmp_path: Path) -> None:
    masks = material()[NAMES[0]] % 2
    loaded = datasets.load(str(write(tmp_path, train_images=masks)))
    assert [note for note in loaded.notes if "brightest pixel is 1 of 255" in note]
    assert datasets.load(str(write(tmp_path))).notes == ()
