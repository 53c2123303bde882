"""``compress()``: the way of a picture, one call for each stage."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import _threads
from kmc._settings import Settings, checked_settings
from kmc._stopwatch import Stopwatch
from kmc._validate import choice, real_array
from kmc.color_kmeans import FEW_COLORS, cluster_colors
from kmc.colorspace import SPACES
from kmc.compact import compacted
from kmc.compressed_image import CompressedImage
from kmc.dither import dither as dither_pixels
from kmc.downsample import downsample as shrink
from kmc.errors import KmcTypeError, KmcValueError
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.looks import fit_palette_to_dithering
from kmc.palette import Palette, with_channels_in_common
from kmc.remap import error_of, remap

__all__ = ["apply_palette", "compress"]

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
    compactness: float | None = None,
    downsample: float | str | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> CompressedImage:
    """Reduce a picture to at most k colours by k-means.

    Every distinct colour takes part, weighted by how many pixels have it, which is exactly k-means on all pixels. A
    picture that has at most k colours comes back unchanged.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image or array
        Arrays, and whatever numpy, ``__array_interface__`` or DLPack makes one of, have the shape (h, w), (h, w, 1),
        (h, w, 3) or (h, w, 4) and hold uint8, uint16, bool, or floats from 0 to 1.
    k : int
        The most colours, 1 to 65536; a file holds 256.
    preset : {"exact", "looks", "small"}
        Sets the defaults of `space`, `dither` and `compactness`. "exact": sRGB, no dithering, which is textbook k-means
        and the least MSE. "looks": Oklab, dithered, with a palette fitted to how that looks. "small": the same with
        less dithering and a compactness of 0.1, for the smallest file of a look.
    num_iterations : int, optional
        The most rounds of k-means. Left out, they run until k-means converges. ``init="random"`` with a number of
        rounds is the textbook algorithm.
    init : {"auto", "random", "k-means++"} or array_like (k, c)
        The first colours: chosen by kmc, k pixels at random, by greedy k-means++, or given as 8-bit values.
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
    compactness : float, optional
        0 for none: every pixel gets the entry that is best for it. Above, the one that continues a run or a pattern of
        the file where that costs little: saving a bit may cost so many times the picture's mean error. 0.05 is not
        seen, 0.3 makes areas flat. Up to 256 colours.
    downsample : float or str, optional
        Fit on a smaller picture: a factor (2 halves both sides) or a limit such as ``"1.5MP"``. All pixels are mapped.
    seed : int
        Of all chance, from 0 up; the same seed gives the same picture.
    threads : int, optional
        Every core if left out. Changes the time only.

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
    settings = checked_settings(k, preset, num_iterations, effort, space, dither, compactness, seed, threads)
    stages = Stopwatch()
    picture = load(image)
    first_colors = _checked_init(init, settings.k, picture.channels)
    stages.lap("load")
    pixels = picture.pixels if downsample is None else shrink(picture, downsample).pixels
    stages.lap("downsample")
    histogram, sample = _count(picture.pixels, pixels, settings)
    stages.lap("histogram")
    clustering = cluster_colors(sample, first_colors, settings) if len(sample) > settings.k else None
    stages.lap("cluster")
    if clustering is None:
        palette = Palette.from_colors(sample.colors)
    else:
        palette = Palette.from_centroids(clustering.centroids, sample, settings.space, settings.threads)
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
    )


def apply_palette(
    palette: Palette, image: ImageLike | Picture, threads: int | None = None, space: str = "srgb"
) -> CompressedImage:
    """Map a picture to a palette; see :meth:`kmc.Palette.apply`."""
    choice("space", space, SPACES)
    n_threads = _threads.resolve(threads)
    stages = Stopwatch()
    picture = load(image)
    stages.lap("load")
    pixels, fitting = with_channels_in_common(picture.pixels, palette)
    indices, mse = remap(pixels, None, fitting, n_threads, space=space)
    stages.lap("map")
    shape = picture.shape if fitting.channels == picture.channels else pixels.shape
    return CompressedImage(fitting, indices, shape, mse == 0, mse, 0.0, 0, True, stages.seconds)


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
    sample: ColorHistogram,
    palette: Palette,
    settings: Settings,
) -> tuple[Palette, NDArray[np.uint8], float]:
    """Give the palette, which dithering may fit, each pixel's index, and the MSE."""
    space, threads = settings.space, settings.threads
    if histogram is not None and len(histogram) <= settings.k:
        return palette, *remap(pixels, histogram, palette, threads, sample, space)
    if settings.dithering:
        palette, indices = _dither(pixels, sample, palette, settings)
    else:
        indices, mse = remap(pixels, histogram, palette, threads, sample, space)
        if not settings.compactness:
            return palette, indices, mse
    if settings.compactness:
        dithered, amount = settings.dithering is not None, settings.compactness
        palette, indices = compacted(pixels, palette, indices, amount, dithered=dithered, space=space, threads=threads)
    return palette, indices, error_of(pixels, palette, indices, threads)


def _dither(
    pixels: NDArray[np.uint8], sample: ColorHistogram, palette: Palette, settings: Settings
) -> tuple[Palette, NDArray[np.uint8]]:
    """Give the palette, fitted to the dithered picture as the effort says, and each pixel's index."""
    assert settings.dithering
    space, threads = settings.space, settings.threads
    amount, method = settings.dithering
    rounds, polish_rounds = DITHERED_ROUNDS[settings.effort]
    if method == "blue-noise" or not polish_rounds:
        return palette, dither_pixels(pixels, palette, amount, method=method, space=space, threads=threads)
    return fit_palette_to_dithering(
        pixels,
        palette,
        sample,
        rounds=rounds,
        polish_rounds=polish_rounds,
        strength=amount,
        space=space,
        threads=threads,
    )


def _checked_init(init: str | ArrayLike, k: int, channels: int) -> str | NDArray[np.float64]:
    if isinstance(init, str):
        return choice("init", init, ("auto", "random", "k-means++"))
    if init is None:
        raise KmcTypeError("init must be a word or an array (k, c) of colours, got None; leave it out for the default")
    colors = real_array("init", init, 2, "(k, c)").astype(np.float64)
    if colors.shape != (k, channels):
        raise KmcValueError(
            f"init must hold one colour for each cluster, shape {(k, channels)}, got {colors.shape}; "
            "pass as many rows as k and as many columns as the picture has channels"
        )
    if colors.min() < 0 or colors.max() > 255:
        raise KmcValueError(
            f"init must hold 8-bit values from 0 to 255, got {colors.min():g} to {colors.max():g}; scale them"
        )
    return colors
