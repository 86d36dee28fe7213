"""One more file becomes the sample that it was, or would have been, in the data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_sounds import folder_of_recordings, folder_of_sounds

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.data.sources import one_file

pytestmark = pytest.mark.bounds


def table(folder: Path) -> Path:
    rows = "".join(f"{i * 0.25},{'ab'[i % 2]}\n" for i in range(40))
    (folder / "t.csv").write_text("volts,kind\n" + rows, encoding="utf-8")
    return folder / "t.csv"


def images(folder: Path) -> Path:
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for index in range(6):
            picture = np.full((6, 8), 20 * index + (label == "b"), np.uint8)
            Image.fromarray(picture).save(folder / label / f"{index}.png")
    return folder


@pytest.mark.parametrize("kind", ["sounds", "recordings", "images"])
def test_every_file_of_a_folder_is_a_sample_of_it(tmp_path: Path, kind: str) -> None:
    make = {"sounds": folder_of_sounds, "recordings": folder_of_recordings, "images": images}[kind]
    folder = make(tmp_path / "set")
    loaded = datasets.load(str(folder), prepared=False)
    reading = Reading.from_json(loaded.reading)
    both = {one.tobytes() for one in (*loaded.train_images, *loaded.test_images)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 12 * (1 + (kind == "sounds"))
    assert {sample.tobytes() for path in files for sample in one_file.read_all(path, reading)} == both


def test_a_row_and_several(tmp_path: Path) -> None:
    loaded = datasets.load(str(table(tmp_path)))
    reading = Reading.from_json(loaded.reading)
    (tmp_path / "one.csv").write_text("volts\n1.25\n", encoding="utf-8")
    assert one_file.read_one(tmp_path / "one.csv", reading).tolist() == [125]
    assert len(one_file.read_all(tmp_path / "t.csv", reading)) == 40
    with pytest.raises(UserError, match="holds 40 samples; a file of one is needed"):
        one_file.read_one(tmp_path / "t.csv", reading)


def test_a_picture_is_made_to_fit(tmp_path: Path) -> None:
    reading = Reading.from_json(datasets.load(str(images(tmp_path / "set"))).reading)
    wide = np.zeros((12, 32), np.uint8)
    wide[:, 8:24] = 99
    Image.fromarray(wide).convert("RGB").save(tmp_path / "wide.png")
    one = one_file.read_one(tmp_path / "wide.png", reading).reshape(6, 8)
    assert one.tolist() == [[0, 0, 99, 99, 99, 99, 0, 0]] * 6
    cropped = Reading.from_json({**reading.json, "crop": True})
    assert one_file.read_one(tmp_path / "wide.png", cropped).tolist() == [99] * 48


def test_what_is_no_sample_of_it_is_said_in_one_line(tmp_path: Path) -> None:
    reading = Reading.from_json(datasets.load(str(table(tmp_path))).reading)
    for name, content, text in (
        ("a.xyz", b"", "of no kind that this network takes"),
        ("a.png", b"", "of no kind that this network takes"),
        ("a.wav", b"", "how many samples a second"),
        ("a.npy", b"", "no plain NumPy array"),
        ("a.csv", b"", "is empty"),
        ("none.csv", None, "No such file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            one_file.read_all(tmp_path / name, reading)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="nothing says what a sample of this network is"):
        one_file.read_all(tmp_path / "t.csv", Reading())
