"""The stages between a picture and its result that several ways share; :mod:`kmc.api` calls them in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc._settings import Settings
from kmc.color_kmeans import Clustering, exceeds_palette
from kmc.compact import compacted
from kmc.dither import dither
from kmc.flatness import weigh_by_flatness, with_flat_areas, with_flat_colors
from kmc.histogram import ColorHistogram
from kmc.load import Picture
from kmc.loading.array_pixels import has_idle_alpha
from kmc.looks import fit_palette_to_dithering
from kmc.palette import Palette, with_channels, with_channels_in_common
from kmc.remap import error_of, remap

__all__ = ["joined", "map_pixels", "palette_of", "weighted_count", "with_fixed_colors"]

# What effort="fast" counts: so many pixels for each cluster within these limits, of more than MANY_PIXELS up to twice
# the most, or all where they are at most COUNTED_WHOLE times as many, which takes 0.3 ms more. Colours are joined in
# boxes of 2x2x2 to 8x8x8. The MSE is then, in the mean and at worst of 44 pictures of CQ100 and Kodak, 1.003 and 1.017
# (k=16), 1.015 and 1.022 (64), 1.015 and 1.023 (256) times the default's.
SAMPLED_FOR_EACH, LEAST_SAMPLE, MOST_SAMPLE = 2048, 1 << 16, 1 << 18
MANY_PIXELS = 1 << 22
COUNTED_WHOLE = 4
SMALLEST_BOX_BITS = 1
# What it counts whole: smaller pictures, and those whose sample has no more colours than this, where each matters.
FEW_PIXELS, FEW_SAMPLED_COLORS = 1 << 17, 1024


class DitheredEffort(NamedTuple):
    """How a palette is fitted to the dithered picture: see :func:`kmc.looks.fit_palette_to_dithering`."""

    rounds: int
    polish_rounds: int
    n_fitted: int
    trials: int = 0


# Rounds of fitting the palette to the dithered picture, and of choosing pixels' entries anew. On nine pictures of CQ100
# and Kodak SSIMULACRA2 at k=16, 64 and 256 is 33.3, 67.5, 82.6 without, 38.9, 70.0, 83.8 with (1, 1), and 39.8, 70.4,
# 84.0 with (2, 0), which is quicker from half a megapixel on. Then on how many pixels of a larger picture it is fitted,
# and trials of taking an entry elsewhere: see benchmarks/README.md.
DITHERED_EFFORTS = {
    "fast": DitheredEffort(0, 0, 0),
    "balanced": DitheredEffort(2, 0, 1 << 18),
    "best": DitheredEffort(6, 2, 1 << 19, trials=5),
}
# With alpha (1, 1) has more of both SSIMULACRA2 and PSNR on the worst of three backgrounds: see benchmarks/README.md.
EFFORTS_WITH_ALPHA = DITHERED_EFFORTS | {"balanced": DitheredEffort(1, 1, 1 << 18)}


def with_fixed_colors(picture: Picture, settings: Settings) -> tuple[Picture, Settings]:
    """Bring the picture and the fixed colours to the channels of the one that has more."""
    if not len(settings.fixed):
        return picture, settings
    pixels, fixed = with_channels_in_common(picture.pixels, settings.fixed, settings.n_free)
    shape = picture.shape if pixels is picture.pixels else pixels.shape
    return replace(picture, pixels=pixels, shape=shape), settings._replace(fixed=fixed)


def joined(first: ColorHistogram, second: ColorHistogram) -> ColorHistogram:
    """Add histograms, with the channels of the one that has more: that keeps the order of the colours."""
    channels = max(first.colors.shape[1], second.colors.shape[1])
    return ColorHistogram(with_channels(first.colors, channels), first.counts) + ColorHistogram(
        with_channels(second.colors, channels), second.counts
    )


def weighted_count(
    pixels: NDArray[np.uint8], fitted_pixels: NDArray[np.uint8], settings: Settings
) -> tuple[ColorHistogram | None, ColorHistogram]:
    """Give the histogram of `pixels`, or None if the map can do without, and the colours to cluster with weights."""
    histogram, sample = _count(pixels, fitted_pixels, settings)
    if histogram is not None and not exceeds_palette(sample, settings):
        fitted_pixels, sample = pixels, histogram  # a smaller picture may have too few colours
    if settings.flat_weight > 1:
        sample = weigh_by_flatness(fitted_pixels, sample, settings.threads, settings.flat_weight)
    elif settings.dithering is not None and pixels.shape[2] < 4:
        sample = with_flat_areas(fitted_pixels, sample, settings.threads)
    return histogram, sample


def palette_of(clustering: Clustering | None, histogram: ColorHistogram, settings: Settings) -> Palette:
    """Give the fixed colours and those that were found, or all of the histogram's if none had to be."""
    if clustering is None:
        return Palette.from_colors(histogram.colors, settings.fixed)
    return Palette.from_centroids(
        clustering.centroids,
        histogram,
        settings.space,
        settings.threads,
        settings.fixed,
        keeps_opacity=clustering.keeps_opacity,
    )


def _count(
    pixels: NDArray[np.uint8], fitted_pixels: NDArray[np.uint8], settings: Settings
) -> tuple[ColorHistogram | None, ColorHistogram]:
    """Give the histogram of `pixels`, or None if the map can do without, and that of the colours to cluster."""
    k, threads = settings.k, settings.threads
    n_pixels = fitted_pixels.shape[0] * fitted_pixels.shape[1]
    if pixels.shape[2] == 3 and n_pixels > FEW_PIXELS and (n_sampled := _sample_size(n_pixels, settings)):
        n_clusters = k if settings.effort == "fast" else None
        sample = ColorHistogram.from_sample(fitted_pixels, n_sampled, SMALLEST_BOX_BITS, n_clusters, threads)
        if len(sample) > max(k, FEW_SAMPLED_COLORS):
            return None, sample
    histogram = ColorHistogram.from_pixels(pixels, threads)
    if len(histogram) <= k or fitted_pixels is pixels:
        return histogram, histogram
    return histogram, ColorHistogram.from_pixels(fitted_pixels, threads)


def _sample_size(n_pixels: int, settings: Settings) -> int:
    """Give how many of a picture's pixels to count, 0 where their colours are to be counted exactly."""
    is_fitted_again = settings.dithering is not None and settings.dithering.method == "floyd-steinberg"
    if settings.effort == "fast":
        most = 2 * MOST_SAMPLE if n_pixels > MANY_PIXELS else MOST_SAMPLE
        n_sampled = min(max(SAMPLED_FOR_EACH * settings.k, LEAST_SAMPLE), most)
    elif settings.effort == "balanced" and is_fitted_again:
        n_sampled = MOST_SAMPLE
    else:
        return 0
    return n_sampled if n_pixels > COUNTED_WHOLE * n_sampled else n_pixels


def map_pixels(
    pixels: NDArray[np.uint8],
    histogram: ColorHistogram | None,
    sample: ColorHistogram | None,
    palette: Palette,
    settings: Settings,
) -> tuple[Palette, NDArray[np.uint8], float]:
    """Give the palette, which dithering and compacting may move, each pixel's index, and the MSE."""
    palette, indices, mse = _mapped(pixels, histogram, sample, palette, settings)
    if has_idle_alpha(pixels) and palette.colors[:, 3].max() == 255:  # for a palette's sake: opaque ones stay opaque
        mse *= 4 / 3
    return palette, indices, mse


def _mapped(
    pixels: NDArray[np.uint8],
    histogram: ColorHistogram | None,
    sample: ColorHistogram | None,
    palette: Palette,
    settings: Settings,
) -> tuple[Palette, NDArray[np.uint8], float]:
    space, threads = settings.space, settings.threads
    if histogram is not None and palette.holds(histogram.colors):
        return palette, *remap(pixels, histogram, palette, threads, space)
    if settings.dithering:
        palette, indices = _dithered(pixels, sample, palette, settings)
    else:
        indices, mse = remap(pixels, histogram, palette, threads, space)
        if not settings.compactness:
            return palette, indices, mse
    if settings.compactness:
        is_dithered, amount = settings.dithering is not None, settings.compactness
        palette, indices = compacted(
            pixels, palette, indices, amount, dithered=is_dithered, space=space, threads=threads
        )
    return palette, indices, error_of(pixels, palette, indices, threads)


def _dithered(
    pixels: NDArray[np.uint8], sample: ColorHistogram | None, palette: Palette, settings: Settings
) -> tuple[Palette, NDArray[np.uint8]]:
    """Give the palette, fitted to the dithered picture as the effort says, and each pixel's index."""
    assert settings.dithering
    space, threads = settings.space, settings.threads
    amount, method = settings.dithering
    effort = (EFFORTS_WITH_ALPHA if pixels.shape[2] == 4 else DITHERED_EFFORTS)[settings.effort]
    if sample is not None:
        palette = with_flat_colors(palette, pixels, sample, space, threads, len(settings.fixed))
    if method == "blue-noise" or not (effort.rounds or effort.polish_rounds):
        return palette, dither(pixels, palette, amount, method=method, space=space, threads=threads)
    assert sample is not None
    return fit_palette_to_dithering(
        pixels,
        palette,
        sample,
        strength=amount,
        space=space,
        threads=threads,
        n_fixed=len(settings.fixed),
        **effort._asdict(),
    )
