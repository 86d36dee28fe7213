"""Image data sets: MNIST and Fashion-MNIST, the bundled digits, IDX folders, folders of images.

The test images give only the figure that is reported. Whatever is chosen (recipe, epoch, seed,
threshold) is chosen on the validation images, the last sixth of the training images.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs4nn_tc.base import remedies
from bs4nn_tc.base.errors import MissingToolError, UserError
from bs4nn_tc.base.files import disk_errors
from bs4nn_tc.base.text import printable

DEFAULT_DATA_DIR = Path("data")
NAMES = ("mnist", "fashion-mnist", "mnist-14x14", "fashion-mnist-14x14", "digits")
# At the end of a name: every two by two pixels become one.
_HALF_SIZE = "-14x14"
_IMAGE_ENDINGS = (".png", ".bmp", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".pgm", ".webp")
_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# The IDX files of MNIST's makers: 3 dimensions of bytes, or 1.
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels.

    Attributes:
        name: as given to `load`.
        train_images: (N, pixels) uint8, intensities 0 .. intensity_max; the last sixth is for validation.
        train_labels: (N,) int64, 0 .. classes - 1.
        test_images: (M, pixels) uint8.
        test_labels: (M,) int64.
        image_shape: (rows, columns), rows * columns = pixels.
        intensity_max: Imax.
        class_names: one a class.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    image_shape: tuple[int, int]
    intensity_max: int
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        # They are only ever shown (a class is its number), and come from names of folders: pages, tables and figures
        # take them as they are.
        object.__setattr__(self, "class_names", tuple(printable(one, 60) for one in self.class_names))

    @property
    def _training_count(self) -> int:
        return len(self.train_images) * 5 // 6

    def training(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images and labels to learn from: the first five sixths (50,000 of MNIST)."""
        return self.train_images[: self._training_count], self.train_labels[: self._training_count]

    def validation(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images and labels to choose by: the last sixth (10,000 of MNIST)."""
        return self.train_images[self._training_count :], self.train_labels[self._training_count :]


def load(name: str, data_dir: Path | None = None) -> Dataset:
    """Load a data set.

    Args:
        name: "mnist", "fashion-mnist", the same with "-14x14" (half the resolution, see `half_size`), "digits", or
            the path of an IDX folder or of a folder of images (CLASS/*.png, or train/CLASS/*.png beside
            test/CLASS/*.png).
        data_dir: where MNIST and Fashion-MNIST lie in torchvision's layout; "data" by default.

    Raises:
        MissingToolError: the data set or the package that brings it is not on this machine.
        UserError: an unknown name, or damaged or unusable data.
    """
    if name in NAMES and name.endswith(_HALF_SIZE):
        whole = load(name.removesuffix(_HALF_SIZE), data_dir)
        rows, columns = whole.image_shape
        return replace(
            whole,
            name=name,
            train_images=half_size(whole.train_images, whole.image_shape),
            test_images=half_size(whole.test_images, whole.image_shape),
            image_shape=(rows // 2, columns // 2),
        )
    if name == "mnist":
        digits = tuple(str(digit) for digit in range(10))
        return _checked(_torchvision_set(name, "MNIST", data_dir or DEFAULT_DATA_DIR, digits))
    if name == "fashion-mnist":
        return _checked(_torchvision_set(name, "FashionMNIST", data_dir or DEFAULT_DATA_DIR, _FASHION_CLASSES))
    if name == "digits":
        return _checked(_digits())
    folder = Path(name)
    if not folder.is_dir():
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"'{name}' is neither a data set ({', '.join(NAMES)}) nor a folder{hint}")
    if _idx_path(folder, "train-images-idx3-ubyte") is not None:
        return _checked(_idx_set(name, folder, None))
    return _checked(_image_folder(name, folder))


def half_size(images: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Images at half the resolution: the mean of every two by two pixels, (a + b + c + d + 2) >> 2 on a device.

    Args:
        images: (N, rows * columns) uint8.
        shape: (rows, columns), both even.

    Returns:
        (N, rows * columns / 4) uint8.
    """
    rows, columns = shape
    fours = images.reshape(len(images), rows // 2, 2, columns // 2, 2)
    sums: NDArray[np.uint16] = fours.sum(axis=(2, 4), dtype=np.uint16)
    means = (sums + 2) // 4
    return means.astype(np.uint8).reshape(len(images), -1)


def _checked(dataset: Dataset) -> Dataset:
    """Refuse what nobody can learn from."""
    classes = len(dataset.class_names)
    if classes < 2:
        raise UserError(f"{dataset.name} has {classes} class; at least 2 are needed")
    for part, labels in (("training", dataset.training()[1]), ("test", dataset.test_labels)):
        missing = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
        if missing.size:
            raise UserError(f"{dataset.name} has no {part} image of class '{dataset.class_names[missing[0]]}'")
    return dataset


# ---- IDX files, as MNIST comes ----


def _idx_path(folder: Path, file: str) -> Path | None:
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)


def _read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes, plain or gzipped."""
    with disk_errors(path, "read"):
        content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path} is damaged: {error}") from error
    dimensions = magic & 0xFF
    header = 4 * (dimensions + 1)
    if len(content) < header or int.from_bytes(content[:4], "big") != magic:
        raise UserError(f"{path} is no IDX file with {dimensions} dimensions of bytes")
    shape = tuple(int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, dimensions + 1))
    expected = header + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise UserError(f"{path} has {len(content):,} bytes where its header says {expected:,}; get it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _idx_set(name: str, folder: Path, class_names: tuple[str, ...] | None) -> Dataset:
    arrays: dict[str, NDArray[np.uint8]] = {}
    for part in ("train", "t10k"):
        for kind, magic in (("images-idx3", _IMAGES_MAGIC), ("labels-idx1", _LABELS_MAGIC)):
            path = _idx_path(folder, f"{part}-{kind}-ubyte")
            if path is None:
                raise UserError(f"{folder} has no file {part}-{kind}-ubyte (or .gz)")
            arrays[f"{part}-{kind}"] = _read_idx(path, magic)
        images, labels = arrays[f"{part}-images-idx3"], arrays[f"{part}-labels-idx1"]
        if len(images) != len(labels) or len(images) == 0:
            raise UserError(f"{folder}: {len(images):,} {part} images, but {len(labels):,} labels")
    train, test = arrays["train-images-idx3"], arrays["t10k-images-idx3"]
    if train.shape[1:] != test.shape[1:]:
        raise UserError(f"{folder}: training images are {train.shape[1:]}, test images {test.shape[1:]} pixels")
    if 0 in train.shape[1:]:
        raise UserError(f"{folder}: images of {train.shape[1:]} pixels hold nothing to learn from")
    train_labels = arrays["train-labels-idx1"].astype(np.int64)
    test_labels = arrays["t10k-labels-idx1"].astype(np.int64)
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    if class_names is not None and classes > len(class_names):
        raise UserError(f"{folder}: a label is {classes - 1}; {name} has classes 0 to {len(class_names) - 1}")
    return Dataset(
        name,
        train.reshape(len(train), -1),
        train_labels,
        test.reshape(len(test), -1),
        test_labels,
        (train.shape[1], train.shape[2]),
        255,
        class_names or tuple(str(label) for label in range(classes)),
    )


def _torchvision_set(name: str, class_name: str, data_dir: Path, class_names: tuple[str, ...]) -> Dataset:
    """MNIST or Fashion-MNIST from torchvision's folder, downloaded by torchvision if it is not there."""
    folder = data_dir / class_name / "raw"
    if _idx_path(folder, "train-images-idx3-ubyte") is None:
        _download(name, class_name, data_dir, folder)
    return _idx_set(name, folder, class_names)


def _download(name: str, class_name: str, data_dir: Path, folder: Path) -> None:
    looked = f"{name} is not in {folder}"
    try:
        from torchvision import datasets as torchvision_datasets  # noqa: PLC0415 - torch only where it is needed
    except ImportError as error:
        raise MissingToolError(
            f"{looked}; say where it is with --data-dir, or let torchvision download it: "
            f"{remedies.pip_install('torchvision')}"
        ) from error
    try:
        for train in (True, False):
            getattr(torchvision_datasets, class_name)(str(data_dir), train=train, download=True)
    except Exception as error:  # torchvision raises whatever its mirrors make it raise
        raise MissingToolError(
            f"{looked} and cannot be downloaded ({error}); say where it is with --data-dir"
        ) from error


# ---- The digits that scikit-learn brings ----


def _digits() -> Dataset:
    """1,797 images of 8 x 8 pixels, intensities 0 .. 16; every fifth image of a class is a test image."""
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = remedies.pip_install("scikit-learn")
        raise MissingToolError(f"the digits data set comes with scikit-learn; install it with: {remedy}") from error
    bunch = load_digits()
    images = bunch.data.astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    is_test = _every_fifth(labels)
    names = tuple(str(digit) for digit in range(10))
    return Dataset("digits", images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 16, names)


def _every_fifth(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) bool: the fifth, tenth, ... image of each class."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[4::5]] = True
    return chosen


# ---- Folders of images ----


def _classes_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_folder(name: str, folder: Path) -> Dataset:
    split = (folder / "train").is_dir() and (folder / "test").is_dir()
    classes = [path.name for path in _classes_in(folder / "train" if split else folder)]
    if not classes:
        raise UserError(
            f"{folder} is no data set: it holds neither IDX files nor folders of images, one a class "
            "(CLASS/*.png, or train/CLASS/*.png beside test/CLASS/*.png)"
        )
    if split:
        extra = {path.name for path in _classes_in(folder / "test")} - set(classes)
        if extra:
            raise UserError(f"{folder / 'test'} has a class '{min(extra)}' that {folder / 'train'} has not")
        train_images, train_labels, shape = _read_images(folder / "train", classes, None)
        test_images, test_labels, shape = _read_images(folder / "test", classes, shape)
    else:
        images, labels, shape = _read_images(folder, classes, None)
        is_test = _every_fifth(labels)
        train_images, train_labels = images[~is_test], labels[~is_test]
        test_images, test_labels = images[is_test], labels[is_test]
    return Dataset(name, train_images, train_labels, test_images, test_labels, shape, 255, tuple(classes))


def _read_images(
    folder: Path, classes: list[str], shape: tuple[int, int] | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[int, int]]:
    """All images by class, in an order that mixes the classes and is the same everywhere."""
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = remedies.pip_install("pillow")
        raise MissingToolError(f"reading images needs Pillow; install it with: {remedy}") from error
    files = [
        (path, label)
        for label, name in enumerate(classes)
        for path in (folder / name).glob("*")
        if path.suffix.lower() in _IMAGE_ENDINGS
    ]
    files.sort(key=lambda item: hashlib.sha256(item[0].relative_to(folder).as_posix().encode()).digest())
    if not files:
        raise UserError(f"{folder} holds no images ({', '.join(_IMAGE_ENDINGS)})")
    images = []
    for path, _ in files:
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("L"))
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{path} cannot be read as an image: {error}") from error
        shape = shape or (pixels.shape[0], pixels.shape[1])
        if pixels.shape != shape:
            raise UserError(f"{path} has {pixels.shape} pixels (rows, columns), the images before it {shape}")
        images.append(pixels.reshape(-1))
    assert shape is not None
    return np.stack(images), np.array([label for _, label in files], np.int64), shape
