"""``compress()``: the way of a picture, one call for each stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc._settings import Settings, checked_init, checked_settings
from kmc._stopwatch import Stopwatch
from kmc.color_kmeans import FEW_COLORS, Clustering, cluster_colors, exceeds_palette
from kmc.compressed_image import CompressedImage
from kmc.dither import dither as dithered
from kmc.downsample import downsample as shrink
from kmc.errors import KmcTypeError, KmcValueError
from kmc.flatness import weigh_by_flatness
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.looks import fit_palette_to_dithering
from kmc.palette import Palette, with_channels, with_channels_in_common
from kmc.remap import error_of, remap

__all__ = ["apply_palette", "compress", "fit_palette"]

# Pixels that effort="fast" counts: a sixteenth within these. At k=256 the MSE is 1.008 to 1.03 times the default's.
LEAST_SAMPLE, MOST_SAMPLE = 1 << 17, 1 << 18
# Rounds of fitting the palette to the dithered picture, and of choosing pixels' entries anew.
DITHERED_ROUNDS = {"fast": (0, 0), "balanced": (1, 1), "best": (6, 2)}


def compress(
    image: ImageLike | Picture,
    k: int = 16,
    *,
    preset: str = "exact",
    num_iterations: int | None = None,
    init: str | ArrayLike = "auto",
    effort: str = "balanced",
    space: str | None = None,
    dither: float | str | None = None,
    weighting: str = "pixels",
    fixed: Palette | ArrayLike | None = None,
    downsample: float | str | None = None,
    seed: int = 0,
    threads: int | None = None,
    profile: str = "keep",
    max_pixels: int | None = None,
) -> CompressedImage:
    """Reduce a picture to at most k colours by k-means.

    Every distinct colour takes part, weighted by how many pixels have it, which is exactly k-means on all pixels. A
    picture that has at most k colours, with those of `fixed`, comes back unchanged.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image or array
        Arrays, and whatever numpy, ``__array_interface__`` or DLPack makes one of, have the shape (h, w), (h, w, 1),
        (h, w, 3) or (h, w, 4) and hold uint8, uint16, bool, or floats from 0 to 1.
    k : int
        The most colours, 1 to 65536; a file holds 256.
    preset : {"exact", "looks"}
        Sets the defaults of `space` and `dither`. "exact": sRGB, no dithering, which is textbook k-means and the least
        MSE. "looks": Oklab, dithered, with a palette fitted to how that looks.
    num_iterations : int, optional
        The most rounds of k-means. Left out, they run until k-means converges. ``init="random"`` with a number of
        rounds is the textbook algorithm.
    init : {"auto", "random", "k-means++", "maximin", "wu", "pca"} or array_like (k, c)
        The first colours: chosen by kmc, which is fastest and best; by a method of :func:`kmc.kmeans`; or given as
        8-bit values, k - f with `fixed`.
    effort : {"fast", "balanced", "best"}
        "balanced" clusters every distinct colour until a round lowers the inertia by less than 0.05 %; "fast" a sample
        of 130 to 260 thousand pixels, in few rounds: a third of the time or less, an MSE up to 3 % higher, and colours
        that few pixels have may be lost. Pictures of few colours or of up to 131072 pixels are always counted whole.
        "best" goes on and searches for better minima: 0.2 to 0.7 % less MSE in some times the time; with dithering it
        fits the palette in six rounds, "balanced" in one and "fast" in none.
    space : {"srgb", "oklab"}, optional
        In which distances are measured: of 8-bit values, for the least MSE, or as eyes see them (Ottosson 2020).
    dither : float or "blue-noise", optional
        0 for none; up to 1, the share of a pixel's error that its neighbours take (Floyd and Steinberg 1976), 0.8 in
        the preset "looks"; "blue-noise" for a fixed mask, without flicker in films. Up to 256 colours.
    weighting : {"pixels", "flatness"}
        Whether all pixels count the same, for the least MSE, or those where the picture is flat up to 16 times as much
        as where it is noisy, so that small things of one colour keep it and flat areas band less.
    fixed : Palette or array_like (f, c), optional
        Colours, as 8-bit values, that are the first of the palette; the other k - f are fitted around them. With f = k
        the picture is only mapped. Colours and picture take the channels of the one that has more.
    downsample : float or str, optional
        Fit on a smaller picture: a factor (2 halves both sides) or a limit such as ``"1.5MP"``. All pixels are mapped.
    seed : int
        Of all chance, from 0 up; the same seed gives the same picture.
    threads : int, optional
        Every core if left out. Changes the time only.
    profile : {"keep", "srgb"}
        What becomes of a file's colour profile or gamma: written to the compressed file, or applied to the pixels.
    max_pixels : int, optional
        The most pixels that a file may have; 179 million (Pillow's limit) if left out.

    Returns
    -------
    CompressedImage

    Raises
    ------
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", 1982. Arthur and Vassilvitskii, "k-means++", 2007. Ottosson, "A
    perceptual color space for image processing", 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc
    >>> ramp = np.linspace(0, 255, 256 * 256).astype(np.uint8).reshape(256, 256)
    >>> small = kmc.compress(ramp, 4)
    >>> small.palette.colors.ravel().tolist()
    [32, 96, 160, 223]
    >>> small.image.shape
    (256, 256)
    """
    settings = checked_settings(k, preset, num_iterations, effort, space, dither, seed, threads, weighting, fixed)
    stages = Stopwatch()
    picture, settings = _with_fixed_colors(load(image, profile=profile, max_pixels=max_pixels), settings)
    first_colors = checked_init(init, settings.n_free, picture.channels)
    stages.lap("load")
    pixels = picture.pixels if downsample is None else shrink(picture, downsample).pixels
    stages.lap("downsample")
    histogram, sample = _weighted_count(picture.pixels, pixels, settings)
    stages.lap("histogram")
    clustering = cluster_colors(sample, first_colors, settings) if exceeds_palette(sample, settings) else None
    stages.lap("cluster")
    palette = _palette_of(clustering, sample, settings)
    stages.lap("palette")
    palette, indices, mse = _map(picture.pixels, histogram, sample, palette, settings)
    stages.lap("map")
    return CompressedImage(
        palette=palette,
        indices=indices,
        shape=picture.shape,
        lossless=mse == 0,
        mse=mse,
        inertia=clustering.inertia if clustering else 0.0,
        n_iter=clustering.n_iter if clustering else 0,
        converged=clustering.converged if clustering else True,
        timings=stages.seconds,
        metadata=picture.metadata,
    )


def fit_palette(
    images: Iterable[ImageLike | Picture],
    k: int = 16,
    *,
    num_iterations: int | None = None,
    init: str | ArrayLike = "auto",
    effort: str = "balanced",
    space: str = "srgb",
    weighting: str = "pixels",
    fixed: Palette | ArrayLike | None = None,
    downsample: float | str | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Palette:
    """Fit one palette to several pictures: k-means on all their pixels.

    Parameters
    ----------
    images : iterable of pictures
        As for :func:`kmc.compress`, grey, RGB and RGBA in any mixture. Each is loaded when its turn comes, and only
        its colours are kept.
    k, num_iterations, init, effort, space, weighting, fixed, downsample, seed, threads
        As for :func:`kmc.compress`; `downsample` and the sample of ``effort="fast"`` are taken of each picture.

    Returns
    -------
    Palette
        k different colours, or as many as the pictures have; for :meth:`kmc.Palette.apply`.

    Raises
    ------
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc
    >>> black, white = np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 255, dtype=np.uint8)
    >>> palette = kmc.fit_palette([black, white], 2)
    >>> palette
    Palette(2 colours: #00, #ff)
    >>> palette.apply(white).indices.tolist()
    [[1, 1], [1, 1]]
    """
    settings = checked_settings(k, "exact", num_iterations, effort, space, 0.0, seed, threads, weighting, fixed)
    joined: ColorHistogram | None = None
    for image in _each(images):
        picture = load(image)
        pixels = picture.pixels if downsample is None else shrink(picture, downsample).pixels
        counted = _weighted_count(picture.pixels, pixels, settings)[1]
        joined = ColorHistogram(counted.colors, counted.counts) if joined is None else _joined(joined, counted)
    if joined is None:
        raise KmcValueError("images must hold at least one picture, got none; add pictures")
    channels = max(joined.colors.shape[1], settings.fixed.shape[1])
    joined = ColorHistogram(with_channels(joined.colors, channels), joined.counts)
    settings = settings._replace(fixed=with_channels(settings.fixed, channels))
    first_colors = checked_init(init, settings.n_free, channels)
    clustering = cluster_colors(joined, first_colors, settings) if exceeds_palette(joined, settings) else None
    return _palette_of(clustering, joined, settings)


def apply_palette(
    palette: Palette, image: ImageLike | Picture, threads: int | None, dither: float | str, space: str
) -> CompressedImage:
    """Map a picture to a palette; see :meth:`kmc.Palette.apply`."""
    settings = checked_settings(len(palette), "exact", None, "balanced", space, dither, 0, threads)
    stages = Stopwatch()
    picture = load(image)
    stages.lap("load")
    pixels, entries = with_channels_in_common(picture.pixels, palette.colors)
    histogram = None if settings.dithering is None else ColorHistogram.from_pixels(pixels, settings.threads)
    palette, indices, mse = _map(pixels, histogram, histogram, Palette(entries), settings._replace(fixed=entries))
    stages.lap("map")
    shape = picture.shape if pixels is picture.pixels else pixels.shape
    return CompressedImage(palette, indices, shape, mse == 0, mse, 0.0, 0, True, stages.seconds, picture.metadata)


def _with_fixed_colors(picture: Picture, settings: Settings) -> tuple[Picture, Settings]:
    """Bring the picture and the fixed colours to the channels of the one that has more."""
    if not len(settings.fixed):
        return picture, settings
    pixels, fixed = with_channels_in_common(picture.pixels, settings.fixed, settings.n_free)
    shape = picture.shape if pixels is picture.pixels else pixels.shape
    return replace(picture, pixels=pixels, shape=shape), settings._replace(fixed=fixed)


def _each(images: object) -> Iterator[ImageLike | Picture]:
    """Go through pictures; one alone is no list of pictures, even if it can be gone through."""
    alone = isinstance(images, (str, bytes, bytearray)) or getattr(images, "ndim", 4) < 4
    if alone or not isinstance(images, Iterable):
        raise KmcTypeError(f"images must be pictures in a list, got one {type(images).__name__}; give [picture]")
    return iter(images)


def _joined(first: ColorHistogram, second: ColorHistogram) -> ColorHistogram:
    """Add histograms, with the channels of the one that has more: that keeps the order of the colours."""
    channels = max(first.colors.shape[1], second.colors.shape[1])
    return ColorHistogram(with_channels(first.colors, channels), first.counts) + ColorHistogram(
        with_channels(second.colors, channels), second.counts
    )


def _weighted_count(
    pixels: NDArray[np.uint8], fitted_pixels: NDArray[np.uint8], settings: Settings
) -> tuple[ColorHistogram | None, ColorHistogram]:
    """Give the histogram of `pixels`, or None if the map can do without, and the colours to cluster with weights."""
    histogram, sample = _count(pixels, fitted_pixels, settings)
    if histogram is not None and not exceeds_palette(sample, settings):
        fitted_pixels, sample = pixels, histogram  # a smaller picture may have too few colours
    if settings.weighting == "flatness":
        sample = weigh_by_flatness(fitted_pixels, sample, settings.threads)
    return histogram, sample


def _palette_of(clustering: Clustering | None, histogram: ColorHistogram, settings: Settings) -> Palette:
    """Give the fixed colours and those that were found, or all of the histogram's if none had to be."""
    if clustering is None:
        return Palette.from_colors(histogram.colors, settings.fixed)
    return Palette.from_centroids(clustering.centroids, histogram, settings.space, settings.threads, settings.fixed)


def _count(
    pixels: NDArray[np.uint8], fitted_pixels: NDArray[np.uint8], settings: Settings
) -> tuple[ColorHistogram | None, ColorHistogram]:
    """Give the histogram of `pixels`, or None if the map can do without, and that of the colours to cluster."""
    k, threads = settings.k, settings.threads
    if settings.effort == "fast" and pixels.shape[2] == 3 and fitted_pixels.size > 3 * LEAST_SAMPLE:
        n_sampled = min(max(fitted_pixels.size // 3 // 16, LEAST_SAMPLE), MOST_SAMPLE)
        sample = ColorHistogram.from_sample(fitted_pixels, n_sampled, threads)
        if len(sample) > max(k, FEW_COLORS):
            return None, sample
    histogram = ColorHistogram.from_pixels(pixels, threads)
    if len(histogram) <= k or fitted_pixels is pixels:
        return histogram, histogram
    return histogram, ColorHistogram.from_pixels(fitted_pixels, threads)


def _map(
    pixels: NDArray[np.uint8],
    histogram: ColorHistogram | None,
    sample: ColorHistogram | None,
    palette: Palette,
    settings: Settings,
) -> tuple[Palette, NDArray[np.uint8], float]:
    """Give the palette, which dithering may fit, each pixel's index, and the MSE."""
    space, threads = settings.space, settings.threads
    if settings.dithering is None or (histogram is not None and palette.holds(histogram.colors)):
        return palette, *remap(pixels, histogram, palette, threads, sample, space)
    amount, method = settings.dithering
    rounds, polish_rounds = DITHERED_ROUNDS[settings.effort]
    if method == "floyd-steinberg" and polish_rounds:
        assert sample is not None
        palette, indices = fit_palette_to_dithering(
            pixels,
            palette,
            sample,
            rounds=rounds,
            polish_rounds=polish_rounds,
            strength=amount,
            space=space,
            threads=threads,
            n_fixed=len(settings.fixed),
        )
    else:
        indices = dithered(pixels, palette, amount, method=method, space=space, threads=threads)
    return palette, indices, error_of(pixels, palette, indices, threads)
