"""Folders of images as people have them, and as nobody should trust them: the right pixels, or one clear line."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import refused_data
from PIL import Image

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.data.sources import image_folder, pictures
from bs4nn_tc.model.stages import Crop, Invert, Resize, SquareMeans

# Three by two, so that every way to turn it shows.
STRIPES = np.array([[0, 40, 80], [120, 160, 255]], np.uint8)


def fill(folder: Path, count: int, first: int = 0) -> Path:
    """So many different images of 5 x 4 pixels: the first pixel tells which."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        pixels = np.full((4, 5), 100, np.uint8)
        pixels[0, 0] = index
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def two_classes(folder: Path, count: int = 6) -> Path:
    fill(folder / "cats", count)
    fill(folder / "dogs", count, 100)
    return folder


def marks(images: np.ndarray) -> set[int]:
    """Which of `fill`'s images these are."""
    return {int(mark) for mark in images[:, 0]}


def grey(path: Path) -> list[list[int]]:
    read = pictures.read(path)
    assert read.alpha is None
    return read.grey.tolist()


# ---- What nobody should trust ----


def png(width: int, height: int, bits: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A grey PNG with so many bits a pixel, and more chunks before its rows."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )


@pytest.mark.parametrize("side", [300, 13_000, 20_000, 2**31 - 1])
def test_pictures_that_no_network_takes_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    two_classes(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(png(side, side, 1, bytes(1 << 16)))
    tracemalloc.start()
    refused_data(tmp_path, ".png", "scale")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_more_images_than_are_read_are_refused_after_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bs4nn_tc.data.dataset.MAX_BYTES", 239)
    refused_data(
        two_classes(tmp_path), "12 images of 20 pixels are 240 bytes; at most 239", "take fewer or smaller images"
    )


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    two_classes(tmp_path)
    os.mkfifo(tmp_path / "cats" / "x.png")
    refused_data(tmp_path, "cats/x.png", "no regular file")
    (tmp_path / "cats" / "x.png").unlink()
    (tmp_path / "cats" / "x.png").symlink_to("/dev/zero")
    refused_data(tmp_path, "cats/x.png", "no regular file")
    (tmp_path / "cats" / "x.png").unlink()
    (tmp_path / "cats" / "x.png").touch()
    os.truncate(tmp_path / "cats" / "x.png", 200 << 30)
    refused_data(tmp_path, "cats/x.png", "at most 64,000,000 are read")


def test_postscript_is_not_opened_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_classes(tmp_path)
    Image.new("RGB", (5, 4)).save(tmp_path / "cats" / "0.png", "EPS")
    (tmp_path / "bin").mkdir()
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "data").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / name).rename(tmp_path / "data" / name)
    refused_data(tmp_path / "data", "cats/0.png", "PNG, BMP, JPEG, GIF, TIFF, PPM, WEBP")
    assert not (tmp_path / "started").exists()


def test_a_tiff_of_impossible_tiles_is_refused(tmp_path: Path) -> None:
    # Five by four pixels out of a tile of 40,000 by 40,000, which would be unpacked whole.
    tile = zlib.compress(bytes(1 << 20), 9)
    tags = {256: 5, 257: 4, 258: 8, 259: 8, 262: 1, 277: 1, 322: 40_000, 323: 40_000, 324: 8, 325: len(tile)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + directory)
    with pytest.raises(UserError, match=r"a\.tif is a TIFF of impossible tiles"):
        pictures.read(tmp_path / "a.tif")


def test_a_damaged_tiff_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(STRIPES).save(tmp_path / "a.tif", compression="tiff_deflate")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(zlib.compress(b"")[:1], b"\xff", 1))
    with pytest.raises(UserError, match=r"a\.tif cannot be read as an image"):
        pictures.read(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""  # libtiff has its own words, and a way of its own to say them
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_names_that_are_no_utf8_are_read_like_others(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cats").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    (tmp_path / "dogs" / "100.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/dogs/\xff\n.png"))
    loaded = datasets.load(str(tmp_path))
    assert marks(loaded.train_images) | marks(loaded.test_images) == {*range(6), *range(100, 106)}
    "".join(loaded.class_names).encode()
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    two_classes(folder)
    refused_data(folder, "must be UTF-8")  # a network file could not say what it was trained on


@contextlib.contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder, and a user for whom permissions count: root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65_534)
        try:
            yield folder
            for path in folder.rglob("*"):
                path.chmod(0o755)
        finally:
            os.seteuid(user)


def test_what_may_not_be_read_is_named_and_never_left_out() -> None:
    with unprivileged() as folder:
        two_classes(folder / "set")
        (folder / "set" / "cats" / "3.png").chmod(0)
        refused_data(folder / "set", "cannot read", "cats/3.png", "Permission denied")
        (folder / "set" / "cats").chmod(0)
        refused_data(folder / "set", "cannot read", "cats", "Permission denied")
        (folder / "set").chmod(0)
        refused_data(folder / "set", "cannot read", "Permission denied")
        (folder / "set").chmod(0o755)
        (folder / "set" / "cats").chmod(0o755)


def test_links_to_folders_lead_nowhere_and_are_told(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cats" / "around").symlink_to("..")
    (tmp_path / "cats" / "again").symlink_to(".")
    (tmp_path / "cats" / "itself").symlink_to("itself")
    loaded = datasets.load(str(tmp_path))
    for images, labels in ((loaded.train_images, loaded.train_labels), (loaded.test_images, loaded.test_labels)):
        assert [mark >= 100 for mark in images[:, 0]] == [label == 1 for label in labels]
    assert len(loaded.train_images) + len(loaded.test_images) == 12
    (note,) = loaded.notes
    assert note.endswith("not used: 1 itself, 2 link to a folder")


# ---- Pixels as they look ----


def test_16_bits_become_8_without_losing_grey(tmp_path: Path) -> None:
    deep = STRIPES.astype(np.uint16) * 257
    (tmp_path / "a.pgm").write_bytes(b"P5 3 2 65535\n" + deep.astype(">u2").tobytes())
    for ending in ("png", "tif"):
        Image.fromarray(deep).save(tmp_path / f"a.{ending}")
    for ending in ("png", "tif", "pgm"):
        assert grey(tmp_path / f"a.{ending}") == STRIPES.tolist(), ending
    # Rounded to the nearest of 256: half way between two, the upper one.
    Image.fromarray(np.array([[128, 129, 65_535 - 128, 65_535 - 129]], np.uint16)).save(tmp_path / "b.png")
    assert grey(tmp_path / "b.png") == [[0, 1, 255, 254]]


def test_a_tiff_in_which_0_is_white(tmp_path: Path) -> None:
    Image.fromarray(STRIPES.astype(np.uint16) * 257).save(tmp_path / "a.tif", tiffinfo={262: 0})
    assert grey(tmp_path / "a.tif") == (255 - STRIPES).tolist()


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_that_do_not_say_what_is_white_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(STRIPES.astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="what is white; save it with 8 or 16 bits"):
        pictures.read(tmp_path / "a.tif")


def test_other_modes(tmp_path: Path) -> None:
    image = Image.fromarray(STRIPES)
    for mode in ("RGB", "P"):
        image.convert(mode).save(tmp_path / "a.png")
        assert grey(tmp_path / "a.png") == STRIPES.tolist()
    image.convert("CMYK").save(tmp_path / "a.tif")
    assert grey(tmp_path / "a.tif") == STRIPES.tolist()
    image.point(lambda value: 255 * (value > 100)).convert("1").save(tmp_path / "a.png")
    assert grey(tmp_path / "a.png") == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, STRIPES),
        (2, STRIPES[:, ::-1]),
        (3, STRIPES[::-1, ::-1]),
        (4, STRIPES[::-1]),
        (5, STRIPES.T),
        (6, STRIPES[::-1].T),
        (7, STRIPES[::-1, ::-1].T),
        (8, STRIPES.T[::-1]),
    ],
)
def test_pictures_are_turned_as_their_camera_was_held(
    tmp_path: Path, ending: str, orientation: int, seen: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(STRIPES).save(tmp_path / f"a.{ending}", exif=exif, **more)
    assert grey(tmp_path / f"a.{ending}") == seen.tolist()


def test_damaged_exif_data_turn_nothing(tmp_path: Path) -> None:
    Image.fromarray(STRIPES).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff garbage")
    assert grey(tmp_path / "a.png") == STRIPES.tolist()


def test_the_first_frame_is_taken(tmp_path: Path) -> None:
    first, second = Image.fromarray(STRIPES), Image.fromarray(255 - STRIPES)
    for ending in ("gif", "tif", "png"):
        first.save(tmp_path / f"a.{ending}", save_all=True, append_images=[second])
        assert grey(tmp_path / f"a.{ending}") == STRIPES.tolist()
        assert pictures.read(tmp_path / f"a.{ending}").first_of_several
    two_classes(tmp_path / "set")
    with Image.open(tmp_path / "set" / "cats" / "0.png") as image:
        image.save(tmp_path / "set" / "cats" / "0.gif", save_all=True, append_images=[image.point(lambda one: 99)])
    assert (
        "1 files hold several frames or pages; of each the first one is taken" in datasets.load(f"{tmp_path}/set").notes
    )


def drawings(folder: Path, ink: int, mode: str) -> Path:
    """Strokes of one grey on transparent ground, whose hidden pixels have that grey, too."""
    for label, column in (("a", 0), ("b", 2)):
        (folder / label).mkdir(parents=True)
        for index in range(6):
            alpha = np.zeros((6, 4), np.uint8)
            alpha[index, column] = 255
            alpha[index, column + 1] = 51
            both = np.stack([np.full_like(alpha, ink), alpha], axis=-1)
            image = Image.fromarray(both, "LA").convert("RGBA" if mode == "P" else mode)
            if mode == "P":
                image = image.quantize(16)
            image.save(folder / label / f"{index}.png")
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_drawings_on_transparent_ground_are_seen(tmp_path: Path, ink: int, ground: int, mode: str) -> None:
    loaded = datasets.load(str(drawings(tmp_path, ink, mode)), None, Reading(invert="no"))
    for image in (*loaded.train_images, *loaded.test_images):
        # One full stroke, one at a fifth.
        assert sorted(np.abs(image.astype(int) - ground)) == [0] * 22 + [51, 255]
    assert len([note for note in loaded.notes if "12 images are transparent" in note]) == 1
    assert ("white" if ground else "black") in loaded.notes[0]


def test_a_transparent_grey_is_no_grey(tmp_path: Path) -> None:
    Image.fromarray(STRIPES).save(tmp_path / "a.png", transparency=40)
    rows = b"".join(b"\0" + row.tobytes() for row in STRIPES.astype(">u2") * 257)
    (tmp_path / "b.png").write_bytes(png(3, 2, 16, rows, (b"tRNS", (40 * 257).to_bytes(2, "big"))))
    Image.fromarray(STRIPES).convert("RGB").save(tmp_path / "c.png", transparency=(40, 40, 40))
    for name in "abc":
        read = pictures.read(tmp_path / f"{name}.png")
        assert read.grey[1].tolist() == STRIPES[1].tolist()
        assert read.alpha is not None
        assert read.alpha.tolist() == [[255, 0, 255], [255, 255, 255]]


# ---- Which folder is what ----


def test_litter_is_passed_over(tmp_path: Path) -> None:
    plain = datasets.load(str(two_classes(tmp_path)))
    (tmp_path / "__MACOSX" / "cats").mkdir(parents=True)
    for name in (
        "__MACOSX/cats/._0.png",
        "cats/._0.png",
        "cats/.DS_Store",
        "dogs/Thumbs.db",
        ".DS_Store",
        "desktop.ini",
    ):
        (tmp_path / name).write_bytes(b"\0\5\x16\7 no picture")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "cats" / "__MACOSX").mkdir()
    loaded = datasets.load(str(tmp_path))
    assert loaded.class_names == ("cats", "dogs")
    assert np.array_equal(loaded.train_images, plain.train_images)
    assert loaded.notes == ()


def test_files_that_are_not_used_are_told(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for name in ("cats/photo.HEIC", "cats/photo2.heic", "notes.txt", "loose.png"):
        (tmp_path / name).touch()
    (note,) = datasets.load(str(tmp_path)).notes
    assert note.endswith("not used: 2 .heic, 1 .png, 1 .txt")


def test_class_folders_with_folders_in_them_lose_nothing(tmp_path: Path) -> None:
    two_classes(tmp_path)
    fill(tmp_path / "cats" / "kittens" / "2024", 5, 50)
    loaded = datasets.load(str(tmp_path))
    assert loaded.class_names == ("cats", "dogs")
    assert marks(loaded.train_images) | marks(loaded.test_images) == {*range(6), *range(50, 55), *range(100, 106)}


def test_numbered_classes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(1, 12):
        fill(tmp_path / str(number), 3, 10 * number)
    loaded = datasets.load(str(tmp_path))
    assert loaded.class_names == tuple(str(number) for number in range(1, 12))
    assert all(image[0] // 10 == label + 1 for image, label in zip(loaded.test_images, loaded.test_labels, strict=True))


@pytest.mark.parametrize("test", ["test", "Test", "TESTING", "holdout"])
@pytest.mark.parametrize("train", ["train", "Training"])
def test_train_and_test_by_any_name(tmp_path: Path, train: str, test: str) -> None:
    two_classes(tmp_path / train, 6)
    fill(tmp_path / test / "cats", 2, 200)
    fill(tmp_path / test / "dogs", 1, 210)
    loaded = datasets.load(str(tmp_path))
    assert marks(loaded.test_images) == {200, 201, 210}
    assert len(loaded.train_images) == 12
    assert loaded.notes == ()


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_images_beside_train_and_test_are_chosen_by(tmp_path: Path, name: str) -> None:
    two_classes(tmp_path / "train", 6)
    two_classes(tmp_path / "test", 1)
    fill(tmp_path / name / "cats", 2, 200)
    fill(tmp_path / name / "dogs", 1, 210)
    loaded = datasets.load(str(tmp_path))
    assert marks(loaded.validation()[0]) == {200, 201, 210}
    assert marks(loaded.training()[0]) == {*range(6), *range(100, 106)}
    assert len(loaded.train_images) == 15


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_images_without_test_images_are_the_test_images(tmp_path: Path, name: str) -> None:
    two_classes(tmp_path / "train", 6)
    two_classes(tmp_path / name, 2)
    loaded = datasets.load(str(tmp_path))
    assert marks(loaded.test_images) == {0, 1, 100, 101}
    (note,) = loaded.notes
    assert f"no 'test'; the images in '{name}' are its test images" in note


def test_train_alone_is_split(tmp_path: Path) -> None:
    two_classes(tmp_path / "train", 10)
    loaded = datasets.load(str(tmp_path))
    assert (len(loaded.train_images), len(loaded.test_images)) == (16, 4)
    assert "every fifth image" in loaded.notes[0]


def test_parts_that_are_not_clear_are_refused(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    two_classes(tmp_path / "test", 2)
    two_classes(tmp_path / "Testing", 2)
    refused_data(tmp_path, "'Testing' and 'test' for the same")
    two_classes(tmp_path / "more" / "test")
    two_classes(tmp_path / "more" / "val")
    refused_data(tmp_path / "more", "but no 'train' beside it")
    (tmp_path / "Testing").rename(tmp_path / "extra")
    assert any("not used: extra, more" in note for note in datasets.load(str(tmp_path)).notes)
    fill(tmp_path / "test" / "birds", 2)
    refused_data(tmp_path, "test has a class 'birds' that", "train has not")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("bus", "car", "train"):
        fill(tmp_path / name, 3, len(name) * 10)
    (tmp_path / "train" / "steam").mkdir()
    assert datasets.load(str(tmp_path)).class_names == ("bus", "car", "train")


def test_small_classes_have_a_test_image_or_are_named(tmp_path: Path) -> None:
    loaded = datasets.load(str(two_classes(tmp_path, 4)))
    assert np.bincount(loaded.test_labels).tolist() == [1, 1]
    assert np.bincount(loaded.training()[1]).tolist() == [2, 2]
    assert np.bincount(loaded.validation()[1]).tolist() == [1, 1]
    fill(tmp_path / "birds", 2, 60)
    refused_data(tmp_path, "the class 'birds' has 2 images; at least 3 are needed", "add some, or leave the class out")


def test_a_folder_around_the_classes_is_named(tmp_path: Path) -> None:
    two_classes(tmp_path / "archive")
    refused_data(tmp_path, "at least 2 are needed", f"give {tmp_path}/archive")


def test_a_folder_without_images_says_what_is_taken(tmp_path: Path) -> None:
    refused_data(tmp_path, "no data set", "IDX files", "CLASS/*.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    refused_data(tmp_path, "holds no images", "IDX files", "CLASS/*.png")


def test_black_images_are_named_as_such(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for path in tmp_path.rglob("*.png"):
        Image.new("L", (5, 4)).save(path)
    refused_data(tmp_path, "images are black")


# ---- Other sizes, dark ink ----


def dark_squares(folder: Path, size: tuple[int, int] = (24, 24), more: int = 0, paper: int = 230) -> Path:
    """A dark square on light paper, above the middle (a) or below it (b); `more` columns wider from one to the next."""
    for label, top in (("a", 2), ("b", size[0] // 2 + 2)):
        (folder / label).mkdir(parents=True)
        for index in range(6):
            picture = np.full((size[0], size[1] + more * index), paper, np.uint8)
            picture[top : top + 6, 4:12] = 250 - paper + index
            Image.fromarray(picture).save(folder / label / f"{index}.png")
    return folder


def test_dark_ink_is_inverted_by_a_stage_of_the_network(tmp_path: Path) -> None:
    folder = str(dark_squares(tmp_path / "dark"))
    left = datasets.load(folder, None, Reading(invert="no"))
    assert (left.stages, left.polarity) == ((), "dark")
    loaded = datasets.load(folder)
    assert loaded.stages == (Invert(),)
    assert np.array_equal(loaded.train_images, 255 - left.train_images)
    assert loaded.polarity == "dark"  # that of the samples: the network inverts them itself
    assert np.array_equal(loaded.input.prepare(left.test_images), loaded.test_images)
    assert "inverted by a stage of the network" in loaded.notes[-1]
    bright = str(dark_squares(tmp_path / "bright", paper=9))
    assert datasets.load(bright).stages == ()
    assert datasets.load(bright, None, Reading(invert="yes")).stages == (Invert(),)


def test_the_device_makes_images_smaller_that_are_all_of_one_size(tmp_path: Path) -> None:
    folder = dark_squares(tmp_path / "set", (24, 30))
    plain = datasets.load(f"{folder}-7x10")
    assert plain.stages == (Resize(7, 10), Invert())
    middle = datasets.load(f"{folder}-12x12", None, Reading(crop=True))
    assert middle.stages == (Crop(0, 3, 24, 24), SquareMeans(2), Invert())
    assert middle.image_shape == (12, 12)
    square = datasets.load(str(folder), None, Reading(crop=True, invert="no"))
    assert (square.stages, square.name) == ((Crop(0, 3, 24, 24),), str(folder))


def test_images_of_different_sizes_are_scaled_as_pillow_scales_them(tmp_path: Path) -> None:
    folder = dark_squares(tmp_path / "set", more=2)
    with pytest.raises(UserError, match="--size ROWSxCOLUMNS scales all of them to one size"):
        datasets.load(str(folder))
    loaded = datasets.load(f"{folder}-12x12", None, Reading(invert="no"))
    assert (loaded.image_shape, loaded.stages) == ((12, 12), ())
    assert "12 images are scaled to 12x12 on this computer" in loaded.notes[0]
    ours = {one.tobytes(): one for one in (*loaded.train_images, *loaded.test_images)}
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            box = np.asarray(image.resize((12, 12), Image.Resampling.BOX, reducing_gap=None)).astype(int).reshape(-1)
        assert min(np.abs(box - one).max() for one in ours.values()) <= 40
        (one,) = image_folder.read_all(path, Reading.from_json(loaded.reading))
        assert one.tobytes() in ours


def test_a_large_picture_needs_a_size(tmp_path: Path) -> None:
    for index, path in enumerate(sorted(two_classes(tmp_path / "set").rglob("*.png"))):
        Image.new("L", (400, 300), 10 * index).save(path)
    refused_data(tmp_path / "set", "has 120,000 pixels; at most 65,535 are taken: --size ROWSxCOLUMNS")
    loaded = datasets.load(f"{tmp_path}/set-6x8")
    assert sorted({*loaded.train_images[:, 0].tolist(), *loaded.test_images[:, 0].tolist()}) == [*range(0, 120, 10)]


def test_what_is_transparent_has_no_colour_when_it_is_scaled(tmp_path: Path) -> None:
    both = np.full((4, 4, 2), (90, 0), np.uint8)  # of a grey that nobody sees
    both[:2] = (200, 255)
    Image.fromarray(both, "LA").save(tmp_path / "a.png")
    picture = pictures.fitted(pictures.read(tmp_path / "a.png"), (1, 2), crop=False)
    assert picture.alpha is not None
    assert np.abs(picture.grey.astype(int) - 200).max() <= 1
    assert picture.alpha.tolist() == [[128, 128]]


def test_groups_of_images_are_held_out_whole(tmp_path: Path) -> None:
    for label in ("cats", "dogs"):
        for camera in range(4):
            fill(tmp_path / label / f"camera{camera}", 5, 20 * camera + 100 * (label == "dogs"))
    loaded = datasets.load(str(tmp_path), None, Reading(group=r"/(camera[0-9])/"))
    cameras = [{int(mark) % 100 // 20 for mark in marks(part)} for part in (loaded.train_images, loaded.test_images)]
    assert not cameras[0] & cameras[1]
    assert loaded.groups is not None
    assert len(set(loaded.groups.tolist())) == 3
