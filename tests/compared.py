"""Pairs of pictures for the tests of measures."""

from __future__ import annotations

import numpy as np
from skimage import data as skimage_data
from sklearn.datasets import load_sample_image

PHOTOGRAPHS = {
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
    "astronaut": skimage_data.astronaut,
    "coffee": skimage_data.coffee,
    "grey": skimage_data.camera,
    "odd": lambda: load_sample_image("china.jpg")[3:310, 5:284],
    "window": lambda: load_sample_image("flower.jpg")[200:211, 200:211],
    "one_row_of_windows": lambda: load_sample_image("flower.jpg")[200:211, 100:500],
}


def posterize(pixels, step=32):
    return (pixels // step * step + step // 2).astype(np.uint8)


def random_pixels(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
