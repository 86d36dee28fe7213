"""Draw a digit with dark ink on unevenly lit paper, as a small camera sees it: python draw.py PICTURE.png [DIGIT]"""

import sys

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 160, 120
# The pen's way for some digits, in pixels of the picture.
STROKES = {
    "1": [(78, 36), (86, 28), (84, 92)],
    "4": [(72, 28), (60, 62), (98, 66), (92, 34), (88, 96)],
    "7": [(58, 32), (100, 32), (86, 60), (76, 94)],
}


def main(path: str, digit: str = "7") -> None:
    """Light falls from the left; the corner at the lower right lies in shadow."""
    ink = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(ink).line(STROKES[digit], fill=255, width=8, joint="curve")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    paper = 215 - 0.5 * x - 0.4 * y
    Image.fromarray((paper * (1 - 0.7 * np.asarray(ink) / 255)).astype(np.uint8)).save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
