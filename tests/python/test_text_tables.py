"""Tables in text files as data sets, in all the ways that people and programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import refused_data

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.data import datasets
from bs4nn_tc.data.datasets import Reading
from bs4nn_tc.data.sources import tables

pytestmark = pytest.mark.bounds

# Width, height, and which of three kinds: (rows, 2) and (rows,).
VALUES = np.array([[i % 7 + 0.25, -i % 11] for i in range(60)])
KINDS = [("oak", "elm", "ash")[i % 3] for i in range(60)]


def rows(separator: str = ",", ending: str = "\n", decimal: str = ".") -> list[str]:
    return [
        separator.join([f"{a:g}".replace(".", decimal), f"{b:g}", kind]) + ending
        for (a, b), kind in zip(VALUES, KINDS, strict=True)
    ]


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder / name)


def check(loaded: datasets.Dataset) -> None:
    """It holds what `rows` has written."""
    assert loaded.class_names == ("ash", "elm", "oak")
    of_row = {(round(100 * a), round(100 * b)): kind for (a, b), kind in zip(VALUES.tolist(), KINDS, strict=True)}
    count = 0
    for images, labels in ((loaded.train_images, loaded.train_labels), (loaded.test_images, loaded.test_labels)):
        for row, label in zip(images.tolist(), labels, strict=True):
            assert of_row[tuple(row)] == loaded.class_names[label]
            count += 1
    assert count == 60
    assert np.bincount(loaded.test_labels).tolist() == [4, 4, 4]


HEADER = "width,height,kind of tree\n"


@pytest.mark.parametrize(
    "text",
    [
        "width of the crown (m),height of the whole tree (m),kind of tree\n" + "".join(rows()),
        "width, in m;height, as seen from the ground, in m;kind\n" + "".join(rows(";", decimal=",")),
        "".join(rows()),
        HEADER + "".join(rows()),
        b"\xef\xbb\xbf" + (HEADER + "".join(rows(ending="\r\n"))).encode(),
        (HEADER + "".join(rows())).encode("utf-16"),
        "\n\n" + HEADER.replace(",", ";") + "\n".join(rows(";", decimal=",")),
        HEADER.replace(",", "\t") + "".join(rows("\t")),
        "".join(rows("|")),
        "".join("  " + row for row in rows("   ")),
        HEADER + "".join(f'"{row.replace(",", chr(34) + "," + chr(34)).strip()}"\n' for row in rows()),
        ",width,height,kind\n" + "".join(f"{i},{row}" for i, row in enumerate(rows())),
    ],
)
def test_whatever_separates_and_encodes(tmp_path: Path, text: str | bytes) -> None:
    check(datasets.load(write(tmp_path, text)))


@pytest.mark.parametrize(("header", "label"), [("Class,w,h\n", None), ("k,w,h\n", "k"), ("k,w,h\n", "K"), ("", "1")])
def test_the_column_of_classes_by_its_name_or_number(tmp_path: Path, header: str, label: str | None) -> None:
    text = header + "".join(f"{kind},{a:g},{b}\n" for (a, b), kind in zip(VALUES, KINDS, strict=True))
    check(datasets.load(write(tmp_path, text), None, Reading(label=label)))


def test_names_in_latin_1(tmp_path: Path) -> None:
    text = "größe,height,Übung\n" + "".join(rows()).replace("oak", "Ölbaum")
    loaded = datasets.load(write(tmp_path, text.encode("latin-1")))
    assert loaded.class_names == ("ash", "elm", "Ölbaum")
    assert loaded.reading is not None
    assert loaded.reading["columns"] == ["größe", "height"]


def test_labels_from_1_in_a_column_of_numbers(tmp_path: Path) -> None:
    text = "".join(f"{a},{b},{i % 10 + 1}\n" for i, (a, b) in enumerate(VALUES))
    assert datasets.load(write(tmp_path, text)).class_names == tuple(map(str, range(1, 11)))


def test_groups_of_a_column(tmp_path: Path) -> None:
    text = "who,a,b,kind\n" + "".join(f"p{i // 10},{row}" for i, row in enumerate(rows()))
    loaded = datasets.load(write(tmp_path, text), None, Reading(group="who"))
    assert loaded.image_shape == (2,)
    assert loaded.groups is not None
    assert loaded.test_groups is not None
    assert not set(loaded.groups.tolist()) & set(loaded.test_groups.tolist())


def test_columns_called_pixel_are_a_picture(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 9))
    text = "label," + ",".join(f"pixel{i}" for i in range(9)) + "\n"
    text += "".join(f"{i % 2}," + ",".join(map(str, one)) + "\n" for i, one in enumerate(pictures))
    loaded = datasets.load(write(tmp_path, text))
    assert loaded.image_shape == (3, 3)
    assert loaded.train_images.dtype == np.uint8
    assert {tuple(one) for one in loaded.train_images.tolist()} < {tuple(one) for one in pictures.tolist()}


def test_a_folder_with_a_file_to_learn_from_and_one_to_test_with(tmp_path: Path) -> None:
    write(tmp_path, HEADER + "".join(rows()[:45]), "train.csv")
    write(tmp_path, HEADER + "".join(rows()[45:]), "test.csv")
    loaded = datasets.load(str(tmp_path))
    assert loaded.test_images.tolist() == (VALUES[45:] * 100).round().tolist()
    assert loaded.test_labels.tolist() == [("ash", "elm", "oak").index(kind) for kind in KINDS[45:]]
    write(tmp_path, "height,width,kind of tree\n" + "".join(rows()[45:]), "test.csv")
    refused_data(str(tmp_path), "test.csv has other columns than", "train.csv")


def test_rows_to_classify_are_read_as_the_table_was(tmp_path: Path) -> None:
    loaded = datasets.load(write(tmp_path, HEADER + "".join(rows())))
    reading = Reading.from_json(loaded.reading)
    for text in ("height,more,width\n3,7,1.5\n", "width,height,kind of tree\n1.5,3,oak\n", "1.5,3\n", "1.5,3,oak\n"):
        assert tables.read_all(Path(write(tmp_path, text, "one.csv")), reading).tolist() == [[150, 300]], text
    with pytest.raises(UserError, match="no column 'height', which the network's samples have"):
        tables.read_all(Path(write(tmp_path, "width,h\n1,2\n", "one.csv")), reading)
    with pytest.raises(UserError, match="4 values a row; 2 are needed"):
        tables.read_all(Path(write(tmp_path, "1,2,3,4,5\n", "one.csv")), reading)


@pytest.mark.parametrize("hole", ["", "NA", " nan ", "?", "inf"])
def test_a_missing_cell_is_named_left_out_or_filled(tmp_path: Path, hole: str) -> None:
    lines = rows()
    lines[4] = lines[4].replace(lines[4].split(",")[0], hole, 1)
    path = write(tmp_path, HEADER + "".join(lines))
    refused_data(path, "t.csv, line 6, column 'width' is", "--missing median", "--missing drop")
    dropped = datasets.load(path, None, Reading(missing="drop"))
    assert len(dropped.train_labels) + len(dropped.test_labels) == 59
    filled = datasets.load(path, None, Reading(missing="median"))
    assert filled.reading is not None
    median = filled.reading["fill"][0]
    assert 2 < median < 5
    assert len(filled.train_labels) + len(filled.test_labels) == 60
    of_hole = [row for row in [*filled.train_images.tolist(), *filled.test_images.tolist()] if row[1] == 700]
    assert round(100 * median) in {row[0] for row in of_hole}


def test_what_is_no_table_is_said_in_one_line(tmp_path: Path) -> None:
    good = HEADER + "".join(rows())
    refused_data(
        write(tmp_path, good.replace("\n1.25", "\nhigh", 1)),
        "line 3, column 'width' holds 'high'",
        "--label width",
    )
    refused_data(
        write(tmp_path, good), "no column 'size'; there are width, height, kind of tree", reading=Reading("size")
    )
    refused_data(write(tmp_path, "".join(rows())), "no column '4'; there are columns 1 to 3", reading=Reading("4"))
    refused_data(write(tmp_path, good + "1,2\n"), "line 62 has 2 cells; the first row has 3")
    refused_data(write(tmp_path, good + "1,2,\n"), "line 62 has no class", "--missing drop")
    refused_data(write(tmp_path, ""), "is empty")
    refused_data(write(tmp_path, HEADER.replace("kind of tree", "class")), "no rows of values")
    refused_data(write(tmp_path, "a\n1\n2\n"), "has 1 column and none with values beside the classes")
    refused_data(write(tmp_path, b"\x89PNG\r\n\0\0\0\rIHDR\0"), "t.csv")
    refused_data(
        write(tmp_path, "".join(row.replace("elm", "oak").replace("ash", "oak") for row in rows())), "has 1 class"
    )
    refused_data(write(tmp_path, "".join(rows()[:3])), "the class 'ash' has 1 sample; at least 3 are needed")
    refused_data(write(tmp_path, good + '"' + "a" * 200_000), "field larger than field limit")
    assert datasets.load(write(tmp_path, good + "1,2,\n"), None, Reading(missing="drop")).image_shape == (2,)


def test_a_table_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.csv"
    path.write_text("a,b,c\n" + "1.5,2.5,x\n" * 8000, encoding="utf-8")
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # sparse: it takes no room
    refused_data(str(path), "rows of 2 values; at most 100,000,000 values are read: take fewer rows")
    monkeypatch.setattr(tables, "MAX_VALUES", 10_000)
    path.write_text("a,b,c\n" + "1.123456789,2.123456789,x\n" * 2600 + "1,2,x\n" * 3800, encoding="utf-8")
    refused_data(str(path), "more than 6,144 rows of 2 values; at most 10,000")
