"""bs4nn-tc: binarized spiking neural networks from an image data set to a microcontroller."""

__version__ = "0.1.0"
