"""The photographs that the benchmarks work on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

__all__ = ["bundled", "china", "in_folder", "noise", "of_megapixels", "rgb"]

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def china() -> Path:
    """Give the path of scikit-learn's sample picture china.jpg (640x427)."""
    return Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


def bundled() -> list[Path]:
    """List the photographs that scikit-learn ships."""
    return [china(), china().with_name("flower.jpg")]


def in_folder(folder: Path) -> list[Path]:
    """List the pictures in a folder by name; those in its subfolders are left out."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (h, w, 3) uint8, whatever it is."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def of_megapixels(pixels: NDArray[np.uint8], megapixels: float) -> NDArray[np.uint8]:
    """Make a picture of that size with the same proportions: smaller by averaging, larger by tiling."""
    height, width = pixels.shape[:2]
    scale = (megapixels * 1e6 / (height * width)) ** 0.5
    new_height, new_width = round(height * scale), round(width * scale)
    if scale <= 1:
        return np.array(Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BOX))
    times = int(np.ceil(scale))
    return np.ascontiguousarray(np.tile(pixels, (times, times, 1))[:new_height, :new_width])


def noise() -> NDArray[np.uint8]:
    """Make the tiny picture (32, 32, 3) on which everything runs once before it is measured."""
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
