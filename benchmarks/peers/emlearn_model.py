"""Train a network with scikit-learn and let emlearn turn it into C.

Run by peer_firmware.py in the Python that has emlearn: emlearn_model.py FOLDER reads FOLDER/images.npz (train_images,
train_labels, test_images) and writes FOLDER/model.h, FOLDER/answers.npy and, on stdout, emlearn's folder of headers.
"""

import sys
import warnings
from pathlib import Path

import emlearn
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


def main(folder: Path) -> None:
    """Two passes over the training images: only so that there is a network to count."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    with np.load(folder / "images.npz") as arrays:
        images, labels, tested = (arrays[name] for name in ("train_images", "train_labels", "test_images"))
    model = MLPClassifier((600,), max_iter=2, random_state=0).fit(images / np.float32(255), labels)
    converted = emlearn.convert(model, method="loadable")  # what 0.23 saves as "inline" fails
    converted.save(file=str(folder / "model.h"), name="model")
    np.save(folder / "answers.npy", model.predict(tested / np.float32(255)).astype(np.int64))
    sys.stdout.write(emlearn.includedir)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
