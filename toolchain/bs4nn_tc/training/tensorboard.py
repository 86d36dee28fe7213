"""The figures of every epoch as TensorBoard scalars, beside the run's epochs.csv."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError
from bs4nn_tc.base.files import disk_errors

FOLDER = "tensorboard"


def writer_class() -> Any:
    """tensorboardX's SummaryWriter.

    Raises:
        MissingToolError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingToolError(remedies.not_installed("tensorboardX")) from error
    return SummaryWriter


class Scalars:
    """Event files in a folder; a run that is resumed goes on in a file of its own."""

    def __init__(self, folder: Path, epoch: int) -> None:
        """Open a file.

        Args:
            folder: the run's folder.
            epoch: the epoch that comes first, from 0; what earlier files say of it and later ones is void.

        Raises:
            MissingToolError: tensorboardX is not installed.
            UserError: the folder cannot be written.
        """
        self._folder = folder / FOLDER
        with disk_errors(self._folder):
            self._writer = writer_class()(str(self._folder), purge_step=epoch + 1)

    def add(self, row: Mapping[str, float]) -> None:
        """Write one epoch's figures.

        Raises:
            UserError: the disk is full.
        """
        with disk_errors(self._folder):
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, int(row["epoch"]))
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
