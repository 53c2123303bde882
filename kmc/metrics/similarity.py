"""Structural similarity of two pictures: SSIM and MS-SSIM.

In:  two pictures (h, w, c) of uint8 with the same height and width; c is 1, 3 or 4.
Out: the mean similarity, -1 to 1 (MS-SSIM: 0 to 1), where 1 means identical.

Of two pictures with different channels the poorer is brought to the richer: grey becomes RGB, what
has no alpha becomes opaque. The pictures are read tile by tile, so that the working memory (about
6 MiB) does not grow with them; MS-SSIM also holds both at half the size in float32. Two threads over
the tiles were tried and were no faster than one.

References: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13 (2004). Wang, Simoncelli and Bovik,
"Multi-scale structural similarity for image quality assessment", 37th Asilomar Conference on
Signals, Systems and Computers (2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc.load import row_strips

__all__ = ["MS_SSIM_SIDE", "WINDOW", "ms_ssim", "samples_of", "ssim", "sums_of_tiles", "tiles"]

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]  # float32 where they were made smaller
Samples: TypeAlias = NDArray[np.float64]

# Measured on 2 megapixels, RGB: 32x256 to 128x512 pixels within 10 % of each other, whole rows of
# 2560 pixels 1.4 times as long. With them ssim() took a third of scikit-image's time.
TILE_ROWS = 64
TILE_COLUMNS = 256

# The window of Wang et al., as scikit-image cuts it off: sigma 1.5, 3.5 sigma on either side.
RADIUS = _kernels.SSIM_RADIUS
WINDOW = 2 * RADIUS + 1

PEAK = 255.0

# Of the five scales, from the finest on, as Wang, Simoncelli and Bovik found them by asking people.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Shorter sides leave less than the window at the coarsest scale: 11 * 2**4, the limit of Wang's own program.
MS_SSIM_SIDE = WINDOW << len(SCALE_WEIGHTS) - 1


def ssim(original: Pixels, compressed: Pixels) -> float:
    """Mean of the local similarity over all places where the window lies in the picture, and over the channels."""
    similarity, _ = _means(original, compressed)
    return float(similarity.mean())


def ms_ssim(original: Pixels, compressed: Pixels) -> float:
    """Product of the means at five scales, for each channel; then the mean over the channels.

    A scale has half the size of the one before: means of 2 x 2 pixels, an odd last row or column
    taken twice. At the four finer scales contrast and structure alone are taken, at the coarsest
    the whole similarity; a negative mean counts as 0.
    """
    product = np.ones(_channels(original, compressed))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            original, compressed = _halved(original), _halved(compressed)
        similarity, contrast = _means(original, compressed)
        is_coarsest = scale == len(SCALE_WEIGHTS) - 1
        product *= np.maximum(similarity if is_coarsest else contrast, 0) ** weight
    return float(product.mean())


def tiles(height: int, width: int, overlap: int = 0) -> Iterator[tuple[slice, slice]]:
    """Divide places (height, width) into tiles; each reaches `overlap` pixels farther down and right."""
    for top in range(0, height, TILE_ROWS):
        bottom = min(top + TILE_ROWS, height) + overlap
        for left in range(0, width, TILE_COLUMNS):
            yield slice(top, bottom), slice(left, min(left + TILE_COLUMNS, width) + overlap)


def samples_of(pixels: Pixels, channels: int) -> Samples:
    """Give (h, w, 1, 3 or 4) pixels as (h, w * channels) float64, channels interleaved.

    The colour of an entirely transparent pixel cannot be seen and becomes (0, 0, 0, 0).
    """
    height, width = pixels.shape[:2]
    samples = np.empty((height, width, channels))
    samples[..., :3] = pixels[..., :3]  # grey is broadcast to the three
    if pixels.shape[2] == 4:
        samples[..., 3] = pixels[..., 3]
        samples[pixels[..., 3] == 0] = 0
    elif channels == 4:
        samples[..., 3] = PEAK
    return samples.reshape(height, width * channels)


def _channels(original: Pixels, compressed: Pixels) -> int:
    return int(max(original.shape[2], compressed.shape[2]))


def _means(original: Pixels, compressed: Pixels) -> tuple[Samples, Samples]:
    """Give the means (channels,) of the similarity and of its part for contrast and structure."""
    channels = _channels(original, compressed)
    height, width = (length - 2 * RADIUS for length in original.shape[:2])
    totals = np.zeros((2, channels))
    for tile in tiles(height, width, overlap=2 * RADIUS):
        x, y = (samples_of(pixels[tile], channels)[np.newaxis] for pixels in (original, compressed))
        totals += sums_of_tiles(x, y, channels)[0]
    totals /= height * width
    return totals[0], totals[1]


def sums_of_tiles(x: Samples, y: Samples, channels: int, threads: int = 1) -> Samples:
    """Sum up the similarity, and contrast and structure alone, wherever the window lies in tiles (m, h, w * channels).

    Returns (m, 2, channels). Of identical tiles exactly the number of places.
    """
    m, _, stride = x.shape
    sums = np.empty((m, 2, stride - 2 * RADIUS * channels))
    _kernels.ssim(x, y, channels, sums, threads)
    totals: Samples = sums.reshape(m, 2, -1, channels).sum(axis=2)
    return totals


def _halved(pixels: Pixels) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels (h, w, c) -> (ceil(h / 2), ceil(w / 2), c).

    Exact: four halvings of 8-bit samples need 16 of float32's 24 bits.
    """
    height, width, channels = pixels.shape
    halved = np.empty(((height + 1) // 2, (width + 1) // 2, channels), dtype=np.float32)
    right = np.minimum(np.arange(1, width + 1, 2), width - 1)
    for rows in row_strips(halved.shape):
        strip = pixels[2 * rows.start : 2 * rows.stop]
        lower = strip[1::2]
        sums = strip[::2].astype(np.float32)
        sums[: len(lower)] += lower
        sums[len(lower) :] *= 2
        halved[rows] = (sums[:, ::2] + sums[:, right]) / 4
    return halved
