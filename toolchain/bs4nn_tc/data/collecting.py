"""New samples of a class, kept in files that `datasets.load` reads: none is ever overwritten, and all are whole."""

from __future__ import annotations

import csv
import io
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, write_atomically
from bs4nn_tc.base.text import printable
from bs4nn_tc.data.files import are_recordings, reading_of
from bs4nn_tc.data.sources import folders, pictures
from bs4nn_tc.data.sources.reading import SOUNDS
from bs4nn_tc.model.limits import MAX_INTENSITY
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import shape_text

TABLE = "train.csv"
_LONGEST_LABEL = 100


class Collection:
    """Samples of one class in the folder of a data set.

    Pictures become `LABEL/LABEL-0001.png`, sounds .wav, several channels .csv with one row a step; single rows of
    values are added to one table, `train.csv`.

    Attributes:
        files: what has been written so far, one a sample; the table once a sample.
    """

    def __init__(self, folder: Path, label: str, network: Network) -> None:
        """Look whether it can be done, and make the folders.

        Args:
            folder: of the data set.
            label: the class.
            network: whose samples they are: shape, type, and how those were read that it has learned.

        Raises:
            MissingToolError: pictures need Pillow, which is not installed.
            UserError: a label that is no name of a class, samples that no kind of file holds, or a folder that cannot
                be written.
        """
        if not folders.is_class_name(label) or len(label) > _LONGEST_LABEL or re.search(r"[/\\\0\r\n]", label):
            raise UserError(
                f"--label {printable(label, 60)} cannot be the name of a class, which is that of a folder; take "
                "another (not train, test and their like, nothing with / or a dot before it)"
            )
        self._label, self._input, self._reading = label, network.input, reading_of(network)
        self._shape = self._reading.shape
        self._ending = self._kind()
        self._folder = folder if self._ending == TABLE else folder / label
        self.files: list[Path] = []
        if self._ending == ".png":
            pictures.require_pillow()
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [path.stem for path in self._folder.iterdir()]
        found = [re.fullmatch(rf"{re.escape(label)}-([0-9]{{1,9}})", name) for name in names]
        self._last = max((int(one[1]) for one in found if one), default=0)

    def add(self, sample: NDArray[Any]) -> Path:
        """Write one sample (values,) of the network's type; returns its file.

        Raises:
            UserError: a full disk, or a table of other columns.
        """
        if self._ending == TABLE:
            path = self._folder / TABLE
            self._add_row(path, sample)
        else:
            writers: dict[str, Callable[[NDArray[Any]], bytes]] = {
                ".png": self._picture,
                ".wav": self._sound,
                ".csv": self._recording,
            }
            content = writers[self._ending](sample)
            self._last += 1
            path = self._folder / f"{self._label}-{self._last:04}{self._ending}"
            if path.exists():  # somebody else records, too
                raise UserError(f"{path} has come meanwhile and is not overwritten; record again")
            write_atomically(path, content)
        self.files.append(path)
        return path

    def _kind(self) -> str:
        """The ending of the files, or the name of the table."""
        if len(self._shape) == 1:
            return ".wav" if self._reading.kind == SOUNDS and self._input.type == "int16" else TABLE
        if are_recordings(self._reading):
            return ".csv"
        if len(self._shape) == 2 and self._input.type == "uint8":
            return ".png"
        raise UserError(
            f"samples of {shape_text(self._shape)} values are kept in no kind of file that a data set is read from; "
            "recorded are rows of values, pictures, sounds and recordings"
        )

    def _picture(self, sample: NDArray[np.uint8]) -> bytes:
        from PIL import Image  # noqa: PLC0415 - an extra

        highest = self._input.intensity_max
        grey = (sample.astype(np.int64) * MAX_INTENSITY + highest // 2) // highest
        content = io.BytesIO()
        Image.fromarray(grey.astype(np.uint8).reshape(self._shape)).save(content, "PNG")
        return content.getvalue()

    def _sound(self, sample: NDArray[np.int16]) -> bytes:
        content = io.BytesIO()
        with wave.open(content, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._reading.rate or 8000)
            file.writeframes(sample.astype("<i2").tobytes())
        return content.getvalue()

    def _recording(self, sample: NDArray[np.int16]) -> bytes:
        channels = self._shape[1]
        names = self._reading.columns or [f"channel_{number}" for number in range(1, channels + 1)]
        rows = self._values(sample).reshape(self._shape).tolist()
        return _csv([list(names), *rows]).encode()

    def _add_row(self, path: Path, sample: NDArray[Any]) -> None:
        names = self._reading.columns or [f"value_{number}" for number in range(1, len(sample) + 1)]
        heading = _csv([[*names, "label"]])
        with disk_errors(path), path.open("a+", encoding="utf-8", newline="") as file:
            file.seek(0)
            there = file.readline()
            if there not in ("", heading):
                raise UserError(f"{path} has other columns than the samples of the board; record into another folder")
            file.write(("" if there else heading) + _csv([[*self._values(sample).tolist(), self._label]]))

    def _values(self, sample: NDArray[Any]) -> NDArray[Any]:
        """The numbers as they were in the files that the network has learned from."""
        scale = self._reading.scale
        if all(one == 1 for one in scale):
            return sample
        values: NDArray[np.float64] = sample / np.tile(np.array(scale), len(sample) // len(scale))
        return values


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
