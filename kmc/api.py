"""``compress()``, ``fit_palette()`` and ``Palette.apply()``: the way of a picture, one call for each stage."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from numpy.typing import ArrayLike

from kmc._settings import Settings, checked_init, checked_settings
from kmc._stopwatch import Stopwatch
from kmc.color_kmeans import cluster_colors, exceeds_palette
from kmc.compressed_image import CompressedImage
from kmc.downsample import downsample as shrink
from kmc.errors import KmcTypeError, KmcValueError, KmcWarning
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.palette import Palette, with_channels, with_channels_in_common
from kmc.stages import joined, map_pixels, palette_of, weighted_count, with_fixed_colors
from kmc.targets import checked_targets, reach

__all__ = ["apply_palette", "compress", "fit_palette"]

DEFAULT_COLORS, MOST_FILE_COLORS = 16, 256
# In dB. Photographs of Kodak with 2 or 3 colours lie below: shaded things become flat, and coloured ones grey or brown.
POOR_PSNR = 20.0


def compress(
    image: ImageLike | Picture,
    k: int | None = None,
    *,
    preset: str = "exact",
    num_iterations: int | None = None,
    init: str | ArrayLike = "auto",
    effort: str = "balanced",
    space: str | None = None,
    dither: float | str | None = None,
    compactness: float | None = None,
    weighting: str = "pixels",
    fixed: Palette | ArrayLike | None = None,
    downsample: float | str | None = None,
    seed: int = 0,
    threads: int | None = None,
    profile: str = "keep",
    max_pixels: int | None = None,
    min_psnr: float | None = None,
    min_ssim: float | None = None,
    quality: str | int | None = None,
    max_bytes: int | None = None,
) -> CompressedImage:
    """Reduce a picture to at most k colours by k-means.

    Every distinct colour takes part, weighted by how many pixels have it, which is exactly k-means on all pixels. A
    picture that has at most k colours, with those of `fixed`, comes back unchanged.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image or array
        Arrays, and whatever numpy, ``__array_interface__`` or DLPack makes one of, have the shape (h, w), (h, w, 1),
        (h, w, 3) or (h, w, 4) and hold uint8, uint16, bool, or floats from 0 to 1.
    k : int, optional
        The most colours, 1 to 65536; PNG, GIF and TIFF hold 256, WebP all. Left out, 16, or 256 where a quality or a
        size is asked for.
    preset : {"exact", "looks", "small"}
        Sets the defaults of `space`, `dither` and `compactness`. "exact": sRGB, no dithering, which is textbook k-means
        and the least MSE. "looks": Oklab, dithered, with a palette fitted to how that looks. "small": the same with
        less dithering and a compactness of 0.25, for the smallest file of a look; give it more colours.
    num_iterations : int, optional
        The most rounds of k-means. Left out, they run until k-means converges. ``init="random"`` with a number of
        rounds is the textbook algorithm.
    init : {"auto", "random", "k-means++", "maximin", "wu", "pca"} or array_like (k, c)
        The first colours: chosen by kmc, which is fastest and best; by a method of :func:`kmc.kmeans`; or given as
        8-bit values, k - f with `fixed`.
    effort : {"fast", "balanced", "best"}
        "balanced" clusters every distinct colour until a round lowers the inertia by less than 0.05 %; "fast" a sample
        of 65 to 520 thousand pixels, in few rounds: 0.2 to 0.8 of the time, an MSE up to 3 % higher, and colours
        that few pixels have may be lost. Pictures of few colours or of up to 131072 pixels are always counted whole.
        "best" goes on and searches for better minima: 0.5 to 1 % less MSE in 5 to 13 times the time; with dithering it
        fits the palette in six rounds, one of up to 32 colours by trials too; "balanced", which then counts a sample,
        in two, "fast" in none.
    space : {"srgb", "oklab"}, optional
        In which distances are measured: of 8-bit values, for the least MSE, or as eyes see them (Ottosson 2020). Left
        out, what the preset says, but for pictures with alpha, which are laid over others in it, "srgb", and in the
        preset "looks" a linear map of it in which lightness weighs more; the presets "looks" and "small" then weigh
        flat pixels of these up to three times as much as noisy ones.
    dither : float or "blue-noise", optional
        0 for none; up to 1, the share of a pixel's error that its neighbours take (Floyd and Steinberg 1976), in the
        preset "looks" 0.8, with alpha 0.7; "blue-noise" for a fixed mask, without flicker in films. Up to 256 colours.
    compactness : float, optional
        0 for none: every pixel gets the entry that is best for it. Above, the one that continues a run or a pattern of
        the file where that costs little: saving a bit may cost so many times the picture's mean error. 0.05 is not
        seen, 0.25 leaves faint streaks, 1 makes areas flat. Up to 256 colours.
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
    min_psnr, min_ssim : float, optional
        Take the fewest colours, up to `k`, that reach this PSNR in dB or this SSIM (up to 1), with these options.
    quality : str or int, optional
        A range of pngquant's scale from 0 to 100, such as "60-80": the fewest colours that reach 80, or all `k` if that
        is 60 at least; 80 alone has to be reached. It stands for PSNR: 30 dB for 10, 33.2 for 40, 35.3 for 60, 38.6 for
        80, 41.4 for 90; 100 is lossless.
    max_bytes : int, optional
        Take the most colours whose PNG file has at most so many bytes; with a quality, fail where it takes more.

    Returns
    -------
    CompressedImage
        The palette, the index of every pixel and what was lost; :meth:`~kmc.CompressedImage.save` writes it.

    Raises
    ------
    KmcQualityError
        No number of colours up to `k` reaches the quality, or fits into the size.
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.

    Warns
    -----
    KmcWarning
        The PSNR is below 20 dB without dithering, with fewer colours than a file holds and no target: probably a larger
        k was meant.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", 1982. Wu, "Efficient statistical computations for optimal color
    quantization", 1991. Arthur and Vassilvitskii, "k-means++", 2007. Floyd and Steinberg, "An adaptive algorithm for
    spatial greyscale", 1976. Ulichney, "The void-and-cluster method for dither array generation", 1993. Ottosson, "A
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
    targets = checked_targets(min_psnr, min_ssim, quality, max_bytes)
    k = (MOST_FILE_COLORS if targets else DEFAULT_COLORS) if k is None else k
    settings = checked_settings(
        k, preset, num_iterations, effort, space, dither, compactness, seed, threads, weighting, fixed
    )
    if targets and len(settings.fixed):
        raise KmcValueError("fixed colours and a quality or size to reach exclude each other; give one of them, and k")
    stages = Stopwatch()
    picture = load(image, profile=profile, max_pixels=max_pixels)
    settings = settings.for_channels(max(picture.channels, settings.fixed.shape[1]))
    stages.lap("load")
    if targets:
        result = reach(
            picture,
            targets,
            settings,
            lambda k: _compressed(picture, init, downsample, settings._replace(k=k), Stopwatch()),
        )
    else:
        result = _compressed(picture, init, downsample, settings, stages)
    _warn_if_poor(result, settings)
    return result


def _compressed(
    picture: Picture, init: str | ArrayLike, downsample: float | str | None, settings: Settings, stages: Stopwatch
) -> CompressedImage:
    picture, settings = with_fixed_colors(picture, settings)
    first_colors = checked_init(init, settings.n_free, picture.channels)
    pixels = picture.pixels if downsample is None else shrink(picture, downsample).pixels
    stages.lap("downsample")
    histogram, sample = weighted_count(picture.pixels, pixels, settings)
    stages.lap("histogram")
    clustering = cluster_colors(sample, first_colors, settings) if exceeds_palette(sample, settings) else None
    stages.lap("cluster")
    palette = palette_of(clustering, sample, settings)
    stages.lap("palette")
    palette, indices, mse = map_pixels(picture.pixels, histogram, sample, palette, settings)
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


def _warn_if_poor(result: CompressedImage, settings: Settings) -> None:
    """Dithering is meant to have a low PSNR, and nobody can do better than a file's palette."""
    if result.psnr < POOR_PSNR and settings.dithering is None and settings.k < MOST_FILE_COLORS:
        n = len(result.palette)
        warnings.warn(
            f"{n} colour{'s leave' if n > 1 else ' leaves'} a PSNR of {result.psnr:.1f} dB, so areas and shades merge; "
            "a larger k shows more, dithering keeps shades, and kmc.choose_k recommends a k",
            KmcWarning,
            stacklevel=3,
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
    settings = checked_settings(k, "exact", num_iterations, effort, space, 0.0, 0.0, seed, threads, weighting, fixed)
    total: ColorHistogram | None = None
    for image in _each(images):
        picture = load(image)
        pixels = picture.pixels if downsample is None else shrink(picture, downsample).pixels
        counted = weighted_count(picture.pixels, pixels, settings)[1]
        total = counted if total is None else joined(total, counted)
    if total is None:
        raise KmcValueError("images must hold at least one picture, got none; add pictures")
    channels = max(total.colors.shape[1], settings.fixed.shape[1])
    total = ColorHistogram(with_channels(total.colors, channels), total.counts)
    settings = settings._replace(fixed=with_channels(settings.fixed, channels))
    first_colors = checked_init(init, settings.n_free, channels)
    clustering = cluster_colors(total, first_colors, settings) if exceeds_palette(total, settings) else None
    return palette_of(clustering, total, settings)


def apply_palette(
    palette: Palette, image: ImageLike | Picture, threads: int | None, dither: float | str, space: str
) -> CompressedImage:
    """Map a picture to a palette; see :meth:`kmc.Palette.apply`."""
    settings = checked_settings(len(palette), "exact", None, "balanced", space, dither, 0.0, 0, threads)
    stages = Stopwatch()
    picture = load(image)
    stages.lap("load")
    pixels, entries = with_channels_in_common(picture.pixels, palette.colors)
    histogram = None if settings.dithering is None else ColorHistogram.from_pixels(pixels, settings.threads)
    palette, indices, mse = map_pixels(pixels, histogram, histogram, Palette(entries), settings._replace(fixed=entries))
    stages.lap("map")
    shape = picture.shape if pixels is picture.pixels else pixels.shape
    return CompressedImage(palette, indices, shape, mse == 0, mse, 0.0, 0, True, stages.seconds, picture.metadata)


def _each(images: object) -> Iterator[ImageLike | Picture]:
    """Go through pictures; one alone is no list of pictures, even if it can be gone through."""
    alone = isinstance(images, (str, bytes, bytearray)) or getattr(images, "ndim", 4) < 4
    if alone or not isinstance(images, Iterable):
        raise KmcTypeError(f"images must be pictures in a list, got one {type(images).__name__}; give [picture]")
    return iter(images)
