"""Every pixel to its nearest palette entry: pixels (h, w, c), their histogram and a palette -> indices (h, w), MSE.

RGB pictures in sRGB: with few entries each pixel is compared with each; else the boxes of 4x4x4 colours that occur are
decided, from lists of the few entries that can be the nearest in them, and each pixel looked up. Others, and pictures
of up to 2^16 pixels: each distinct colour is compared with each entry once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.histogram import ColorHistogram
from kmc.kmeans import weighted_sum
from kmc.palette import Palette

__all__ = ["error_of", "error_of_colors", "remap"]


def remap(
    pixels: NDArray[np.uint8],
    histogram: ColorHistogram | None,
    palette: Palette,
    threads: int | None = None,
    space: str = "srgb",
) -> tuple[NDArray[Any], float]:
    """Find the nearest entry of every pixel, in the space of :mod:`kmc.colorspace`; ties go to the lowest index.

    Parameters
    ----------
    pixels : ndarray (h, w, c) uint8, C-contiguous
    histogram : ColorHistogram or None
        Made by ``ColorHistogram.from_pixels`` of these pixels, or more of them; where it is needed and not given, they
        are counted again.
    palette : Palette
        At most 65536 entries of c channels.
    threads : int, optional
        Every core if left out.
    space : {"srgb", "oklab"}

    Returns
    -------
    indices : ndarray (h, w), uint8 up to 256 entries, else uint16
    mse : float
        Mean over all samples of the squared difference of the 8-bit values; colour under alpha 0 counts as 0.
    """
    height, width, channels = pixels.shape
    n_threads = _threads.resolve(threads)
    indices = np.empty(height * width, dtype=np.uint8 if len(palette) <= 256 else np.uint16)
    flat = pixels.reshape(-1, channels)
    if _is_mapped_at_once(flat, space):
        index = histogram.index if histogram is not None else None
        squares: float = _kernels.apply_palette(flat, palette.colors, index, indices, n_threads)
        return indices.reshape(height, width), float(squares / pixels.size)
    histogram = histogram or ColorHistogram.from_pixels(pixels, n_threads)
    labels = palette.nearest(histogram.colors, n_threads, space)
    squares = _squared_error(histogram, palette, labels, n_threads)
    _look_up(flat, histogram, labels.astype(indices.dtype), indices, n_threads)
    return indices.reshape(height, width), float(squares / pixels.size)


def error_of_colors(histogram: ColorHistogram, palette: Palette, threads: int, space: str = "srgb") -> float:
    """Give the MSE that :func:`remap` gives of the pixels that were counted."""
    colors = histogram.colors
    if _is_mapped_at_once(colors, space):
        labels = remap(colors[np.newaxis], None, palette, threads)[0].ravel().astype(np.int32)
    else:
        labels = palette.nearest(colors, threads, space)
    n_samples = int(histogram.counts.sum()) * colors.shape[1]
    return float(_squared_error(histogram, palette, labels, threads) / n_samples)


def _is_mapped_at_once(pixels: NDArray[np.uint8], space: str) -> bool:
    """Tell whether pixels (n, c) are compared without their histogram."""
    return pixels.shape[1] == 3 and space == "srgb" and len(pixels) > _kernels.SMALL_PICTURE_PIXELS


def _look_up(
    flat: NDArray[np.uint8],
    histogram: ColorHistogram,
    labels: NDArray[Any],
    indices: NDArray[Any],
    threads: int,
) -> None:
    """OUT indices (n,): the label, of labels (u,), of each pixel's colour."""
    if flat.shape[1] > 1:
        _kernels.map_colors(flat, histogram.colors, labels, histogram.index, indices, threads)
        return
    level_labels = np.zeros(256, dtype=labels.dtype)
    level_labels[histogram.colors[:, 0]] = labels
    _kernels.map_grey(flat.ravel(), level_labels, indices)


def _squared_error(histogram: ColorHistogram, palette: Palette, labels: NDArray[np.int32], threads: int) -> float:
    dist2 = np.empty(len(labels))
    threads = _threads.for_work(threads, histogram.colors.size)
    _kernels.own_dist2(histogram.colors, palette.colors.astype(np.float64), labels, dist2, threads)
    return weighted_sum(dist2, histogram.counts.astype(np.float64), threads)


def error_of(pixels: NDArray[np.uint8], palette: Palette, indices: NDArray[np.uint8], threads: int) -> float:
    """Give the MSE over all samples of pixels (h, w, c) with indices (h, w); colour under alpha 0 counts as 0."""
    channels = pixels.shape[2]
    squares = _kernels.error_of_indices(pixels.reshape(-1, channels), palette.colors, indices.ravel(), threads)
    return float(squares / pixels.size)
