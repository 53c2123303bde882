"""Every pixel gets the label of its colour: pixels (h, w, c), labels (u,) of the colours -> indices (h, w).

A colour's label is looked up, never computed again: one table access for each pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.histogram import ColorHistogram

__all__ = ["index_type", "remap"]


def index_type(n_colors: int) -> np.dtype[Any]:
    """Give the type of indices into a palette: uint8 up to 256 entries, else uint16."""
    return np.dtype(np.uint8 if n_colors <= 256 else np.uint16)


def remap(
    pixels: NDArray[np.uint8],
    histogram: ColorHistogram,
    labels: NDArray[np.integer],
    n_colors: int,
    threads: int | None = None,
) -> NDArray[Any]:
    """Look up the label of every pixel.

    Parameters
    ----------
    pixels : ndarray (h, w, c) uint8, C-contiguous
    histogram : ColorHistogram
        Made by ``ColorHistogram.from_pixels(pixels)``. Its index is used up.
    labels : ndarray (u,) of integers below `n_colors`
        Palette index of each colour of the histogram.
    n_colors : int
        Entries of the palette, at most 65536.
    threads : int, optional
        Every core if left out.

    Returns
    -------
    indices : ndarray (h, w), uint8 or uint16
    """
    height, width, channels = pixels.shape
    dtype = index_type(n_colors)
    indices = np.empty(height * width, dtype=dtype)
    if channels == 1:
        level_labels = np.zeros(256, dtype=dtype)
        level_labels[histogram.colors[:, 0]] = labels
        _kernels.map_grey(pixels.ravel(), level_labels, indices)
    else:
        _kernels.map_colors(
            pixels.reshape(-1, channels), histogram.colors, labels.astype(dtype), histogram.index, indices,
            _threads.resolve(threads),
        )  # fmt: skip
    return indices.reshape(height, width)
