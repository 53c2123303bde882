"""Colours that matter: flat areas.

``weigh_by_flatness``: pixels (h, w, c) and their histogram -> the histogram with weights for counts. K-means gives its
entries to what has most error, and noisy ground, where the eye sees least, has most. So a pixel weighs 16 where the
picture is flat, and less the more it differs from its four neighbours, down to 1: texture hides errors. Flat areas band
less, and a small thing of one colour keeps it beside large noisy ones. Only local contrast counts, not what the picture
shows.

``with_flat_areas``: pixels and their histogram -> the histogram in which pixels inside areas of exactly one colour
count three times, for palettes that dither: on a button or in a cell of a sheet each level beside its colour is seen,
as dots.

``with_flat_colors``: a palette and pixels -> the palette with the exact colours of large flat areas. A mean of the
ground of a page and of the edges of its letters is a level beside the ground: with that the whole ground is dithered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

__all__ = ["weigh_by_flatness", "with_flat_areas", "with_flat_colors"]

MOST_WEIGHT = 16
# The mean difference from the neighbours, in 8-bit levels, that halves the weight. On 12 pictures of Kodak, undithered
# in sRGB, SSIMULACRA2 with 4 is 1.6 (k=16) and 1.4 (k=64) points above that of plain counts, with 16 0.2 and 1.1.
# Ranges and deviations in windows of 3x3 and 5x5 were no better.
HALF_CONTRAST = 4
# An entry becomes a colour that so many of its pixels have, inside flat areas. On 13 pictures of screens SSIMULACRA2 is
# 0.6 points lower at k=16 and 64 with 0.3, where an entry leaves the others of its colours; 0.9 reaches fewer areas.
FLAT_SHARE = 0.6
# How much a pixel inside a flat area counts, where more than this share of them are. On three cuts of pages at k=16
# SSIMULACRA2 is 4 points higher with 3 than with 1, with 2 0.7, with 5 or 16 5; a screen of 4 megapixels loses 4 with
# 16. Of 44 photographs two have a greater share, and stay as good.
FLAT_WEIGHT = 3
LEAST_FLAT_SHARE = 0.1
# Rows are left out of pictures of more than four times so many pixels.
COUNTED_PIXELS = 1 << 17


def weigh_by_flatness(
    pixels: NDArray[np.uint8], histogram: ColorHistogram, threads: int, most: int = MOST_WEIGHT
) -> ColorHistogram:
    """Give a histogram of pixels (h, w, c), or of a sample of them, with weights from 1 to `most` for counts.

    A count is multiplied by the mean weight of the pixels whose colours are in the same box of 8x8x8 (of grey: of the
    same level), which takes a tenth of the time that each colour's own mean would.
    """
    channels = pixels.shape[2]
    threads = _threads.for_work(threads, 4 * pixels.size)
    sums, counts = _kernels.flatness(_seen(pixels), _weight_of_contrast(channels, most), threads)
    means = sums / np.maximum(counts, 1)
    weighted = np.rint(histogram.counts * means[_boxes_of(_seen(histogram.colors))])
    return ColorHistogram(histogram.colors, weighted.astype(np.int64))


def with_flat_areas(pixels: NDArray[np.uint8], histogram: ColorHistogram, threads: int) -> ColorHistogram:
    """Give a histogram of pixels (h, w, c), or of a sample of them, in which those inside flat areas count thrice.

    The histogram itself comes back where less than a tenth of the pixels are as their four neighbours are.
    """
    rows, is_flat = _counted_rows(pixels)
    if np.count_nonzero(is_flat) <= LEAST_FLAT_SHARE * is_flat.size:
        return histogram
    areas = ColorHistogram.from_pixels(rows[is_flat], threads)
    added = (FLAT_WEIGHT - 1) * histogram.n_pixels / is_flat.size
    return histogram + ColorHistogram(areas.colors, np.maximum(1, np.rint(areas.counts * added)).astype(np.int64))


def with_flat_colors(
    palette: Palette, pixels: NDArray[np.uint8], histogram: ColorHistogram, space: str, threads: int, n_fixed: int = 0
) -> Palette:
    """Give a palette in which entries that stand for flat areas of one colour have that colour exactly.

    Of pixels (h, w, c) every fourth row is counted, or fewer. The first `n_fixed` entries stay; `histogram` fills up
    what would be there twice. The palette itself comes back where nothing changes.
    """
    if n_fixed == len(palette):
        return palette
    rows, is_flat = _counted_rows(pixels)
    if not is_flat.any():
        return palette
    everything, areas = (ColorHistogram.from_pixels(part, threads) for part in (rows, rows[is_flat]))
    totals = np.bincount(
        palette.nearest(everything.colors, threads, space), weights=everything.counts, minlength=len(palette)
    )
    order = np.argsort(areas.counts, kind="stable")
    entries = palette.nearest(areas.colors[order], threads, space)
    largest = np.full(len(palette), -1)
    np.maximum.at(largest, entries, np.arange(len(order)))
    area = order[largest]
    exact = (largest >= 0) & (areas.counts[area] >= FLAT_SHARE * totals)
    exact[:n_fixed] = False
    colors = palette.colors.copy()
    colors[exact] = areas.colors[area[exact]]
    if np.array_equal(colors, palette.colors):
        return palette
    exact_palette = Palette.from_colors(colors[n_fixed:], colors[:n_fixed])
    return exact_palette.filled_up(len(palette), histogram, space, threads, n_fixed)


def _counted_rows(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Give rows (r, w - 2, c) of pixels, and which of these (r, w - 2) are as their four neighbours are."""
    step = max(4, pixels.shape[0] * pixels.shape[1] // COUNTED_PIXELS)
    rows = pixels[1:-1:step]
    above, below = pixels[:-2:step], pixels[2::step]
    inner = np.ascontiguousarray(rows[:, 1:-1])
    equal = (inner == rows[:, :-2]) & (inner == rows[:, 2:]) & (inner == above[:, 1:-1]) & (inner == below[:, 1:-1])
    is_flat = equal[..., 0].copy()
    for channel in range(1, pixels.shape[2]):  # a quarter of the time of all(axis=2)
        is_flat &= equal[..., channel]
    return inner, is_flat


def _weight_of_contrast(channels: int, most: int) -> NDArray[np.uint8]:
    """Give the weight for each sum of differences, of every sample from those of four neighbours."""
    contrast = np.arange(4 * 255 * channels + 1) / (4 * channels)
    return np.rint(np.maximum(1, most * HALF_CONTRAST / (HALF_CONTRAST + contrast))).astype(np.uint8)


def _seen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give pixels (..., c), premultiplied where there is alpha: colour that is not seen has no contrast."""
    if pixels.shape[-1] < 4:
        return pixels
    seen = pixels.copy()
    seen[..., :3] = (pixels[..., :3] * pixels[..., 3:].astype(np.uint16) + 127) // 255
    return seen


def _boxes_of(colors: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Give the box (u,), of ``flatness.h``, of each of colours (u, c)."""
    if colors.shape[1] == 1:
        return colors[:, 0].astype(np.int32)
    red, green, blue = (colors[:, channel].astype(np.int32) >> 3 for channel in range(3))
    boxes: NDArray[np.int32] = red << 10 | green << 5 | blue
    return boxes
