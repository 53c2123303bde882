"""``compress_animation()``: the way of an animation, in two passes over its file.

1. The histograms of all frames are added, weighted and of smaller frames if asked for. They are clustered once for a
   palette that all share; or, with ``palette="frame"``, each frame gets a palette of the colours that change in it.
2. Each frame is mapped to its palette. Pixels that have not changed keep the entry that they had, so that dithering
   does not flicker and the file can leave them out.

Frames are kept deflated, so that memory grows with the size of the result and not with pixels times frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc._settings import Settings, checked_settings
from kmc._validate import choice
from kmc.color_kmeans import cluster_colors, exceeds_palette
from kmc.compressed_animation import AnimationFrames, CompressedAnimation, PackedFrame
from kmc.deltas import with_alpha
from kmc.dither import dither as dithered
from kmc.downsample import downsample as shrink
from kmc.errors import KmcTypeError, KmcValueError
from kmc.flatness import weigh_by_flatness
from kmc.frames import Frame, frames_of
from kmc.histogram import ColorHistogram
from kmc.load import Picture
from kmc.loading.array_pixels import row_strips, without_idle_alpha
from kmc.loading.color_profile import PROFILES
from kmc.loading.metadata import Metadata
from kmc.loading.picture_file import FileLike, is_file_like, rewindable
from kmc.palette import Palette, with_channels, with_channels_in_common
from kmc.remap import error_of, remap
from kmc.seeding import METHODS
from kmc.stages import palette_of

__all__ = ["compress_animation"]

MOST_COLORS = 256
PALETTES = ("shared", "frame")


def compress_animation(
    image: FileLike,
    k: int = 256,
    *,
    palette: str = "shared",
    preset: str = "exact",
    num_iterations: int | None = None,
    init: str = "auto",
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
) -> CompressedAnimation:
    """Reduce an animation (GIF, WebP, APNG, or whatever Pillow reads frames of) to at most k colours by k-means.

    Parameters
    ----------
    image : path, open binary file, bytes or PIL image
        Is read twice, one frame at a time. A still picture is an animation of one frame.
    k : int
        The most entries of a palette, 2 to 256. With several frames one of them is transparent and marks what does not
        change from one to the next, unless every colour has an entry or all are fixed.
    palette : {"shared", "frame"}
        One palette for all frames, by k-means over all of them; or one for each, of the colours that change in it, for
        films of many colours (GIF and WebP only; larger files).
    preset : {"exact", "looks"}
        As for :func:`kmc.compress`; "looks" dithers by a blue-noise mask, which does not flicker.
    init : {"auto", "random", "k-means++", "maximin", "wu", "pca"}
        As for :func:`kmc.compress`, as are all that are not named here.
    dither : float or "blue-noise", optional
        0 for none; "blue-noise" gives equal colours at a place the same entry in every frame; up to 1, error diffusion,
        which flickers where the picture changes.
    fixed : Palette or array_like (f, c), optional
        Colours, as 8-bit values, that are in every palette; f up to k.
    downsample : float or str, optional
        As for :func:`kmc.compress`, of each frame; for the shared palette only.
    max_pixels : int, optional
        The most pixels that a frame may have; 179 million (Pillow's limit) if left out.

    Returns
    -------
    CompressedAnimation
        The frames, when and how often they are shown, and what was lost; :meth:`~kmc.CompressedAnimation.save` writes
        it.

    Raises
    ------
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> import kmc
    >>> file = io.BytesIO()
    >>> colors = [Image.new("RGB", (8, 8), name) for name in ("red", "green", "blue")]
    >>> colors[0].save(file, "GIF", save_all=True, append_images=colors[1:], duration=40, loop=0)
    >>> kmc.compress_animation(file.getvalue(), 16)
    CompressedAnimation(8x8, 3 frames, 120 ms, lossless)
    """
    choice("palette", palette, PALETTES)
    if preset == "small":  # which chooses entries by what they cost in a still PNG
        raise KmcValueError("preset 'small' is for still pictures only; give 'looks' or 'exact' for an animation")
    choice("preset", preset, ("exact", "looks"))
    choice("init", init, ("auto", *METHODS))
    choice("profile", profile, PROFILES)
    if preset != "exact" and dither is None:
        dither = "blue-noise"
    settings = checked_settings(k, preset, num_iterations, effort, space, dither, 0.0, seed, threads, weighting, fixed)
    if not 2 <= settings.k <= MOST_COLORS:
        raise KmcValueError(
            f"an animation's palette holds 2 to {MOST_COLORS} colours, got k = {settings.k}; give a k in that range"
        )
    if downsample is not None and palette == "frame":
        raise KmcValueError(
            "downsample is for the palette that all frames share; leave it out, or give palette='shared'"
        )
    if not is_file_like(image):
        raise KmcTypeError(
            f"image is of type {type(image).__name__}; give an animation as path, open binary file, bytes or PIL image"
        )
    image = rewindable(image, "image")
    histogram, sample, n_frames = _count(frames_of(image, profile, max_pixels), downsample, settings)
    histogram, sample, settings = _with_fixed_colors(histogram, sample, settings)
    has_transparent = sample.has_transparent or bool(_is_transparent(settings.fixed).any())
    has_spare = palette == "shared" and (has_transparent or not exceeds_palette(histogram, settings))
    if n_frames > 1 and not has_spare:  # the last one marks what does not change
        settings = settings._replace(k=max(settings.k - 1, len(settings.fixed)))
    if not exceeds_palette(histogram, settings):
        sample, settings = histogram, settings._replace(dithering=None)
    elif not exceeds_palette(sample, settings):
        sample = histogram
    shared = _fitted(sample, init, settings) if palette == "shared" else None
    return _map(frames_of(image, profile, max_pixels), histogram.colors.shape[1], shared, init, settings)


class _Sum:
    """Histograms that are added, those of about equal size first: else each would be added to the colours of all."""

    def __init__(self) -> None:
        self.sums: list[ColorHistogram] = []

    def add(self, one: ColorHistogram) -> None:
        """Add one of any number of channels."""
        one = ColorHistogram(with_alpha(one.colors), one.counts)
        while self.sums and len(self.sums[-1]) <= 2 * len(one):
            one = self.sums.pop() + one
        self.sums.append(one)

    def total(self) -> ColorHistogram:
        """Give the sum: colours (u, 3) if all are opaque, and else (u, 4)."""
        total = self.sums.pop()
        while self.sums:
            total = self.sums.pop() + total
        if total.colors[:, 3].min() == 255:
            total = ColorHistogram(np.ascontiguousarray(total.colors[:, :3]), total.counts)
        return total


def _count(
    frames: Iterator[Frame], downsample: float | str | None, settings: Settings
) -> tuple[ColorHistogram, ColorHistogram, int]:
    """Count the colours of all frames, those to cluster with weights, and the frames."""
    counted, n_frames = _Sum(), 0
    are_the_same = downsample is None and settings.for_channels(4).flat_weight == 1
    sampled = counted if are_the_same else _Sum()
    for frame in frames:
        n_frames += 1
        pixels = without_idle_alpha(frame.pixels)
        histogram = ColorHistogram.from_pixels(pixels, settings.threads)
        counted.add(histogram)
        if downsample is not None:
            pixels = shrink(Picture(pixels, pixels.shape), downsample).pixels
            histogram = ColorHistogram.from_pixels(pixels, settings.threads)
        if not are_the_same:
            sampled.add(_weighted(pixels, histogram, settings))
    total = counted.total()
    return total, total if are_the_same else sampled.total(), n_frames


def _weighted(pixels: NDArray[np.uint8], histogram: ColorHistogram, settings: Settings) -> ColorHistogram:
    """Give a histogram of all pixels of a frame, or of some, with weights if there are any."""
    has_alpha = bool((histogram.colors[:, 3:] < 255).any())  # and not only a channel for it
    weight = settings.for_channels(4 if has_alpha else 3).flat_weight
    return histogram if weight == 1 else weigh_by_flatness(pixels, histogram, settings.threads, weight)


def _with_fixed_colors(
    histogram: ColorHistogram, sample: ColorHistogram, settings: Settings
) -> tuple[ColorHistogram, ColorHistogram, Settings]:
    """Bring the colours and those that are fixed to the channels of the one that has more."""
    _, fixed = with_channels_in_common(histogram.colors[np.newaxis], settings.fixed, settings.n_free)
    histogram, sample = (
        ColorHistogram(with_channels(one.colors, fixed.shape[1]), one.counts) for one in (histogram, sample)
    )
    return histogram, sample, settings.for_channels(fixed.shape[1])._replace(fixed=fixed)


def _is_transparent(colors: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which of colours (n, c) are entirely transparent."""
    return colors[:, 3] == 0 if colors.shape[1] == 4 else np.zeros(len(colors), dtype=np.bool_)


def _fitted(histogram: ColorHistogram, init: str, settings: Settings) -> Palette:
    """Give the palette of a histogram: the fixed colours, and its own if there are no more than k."""
    clustering = cluster_colors(histogram, init, settings) if exceeds_palette(histogram, settings) else None
    return palette_of(clustering, histogram, settings)


class _Canvas(NamedTuple):
    """The frame before: its pixels in the file, its palette and indices, and how it is shown."""

    pixels: NDArray[np.uint8]
    palette: Palette
    indices: NDArray[np.uint8]
    shown: NDArray[np.uint8]


def _map(
    frames: Iterator[Frame], channels: int, shared: Palette | None, init: str, settings: Settings
) -> CompressedAnimation:
    packed: list[PackedFrame] = []
    durations: list[float] = []
    canvas: _Canvas | None = None
    loop, metadata, squares, n_samples = 1, Metadata(), 0.0, 0
    for frame in frames:
        pixels = _in_channels(frame.pixels, channels)
        # What becomes transparent needs all of a frame at hand (see kmc.deltas), and so do frames of one palette.
        changed = None if canvas is None else _differing(pixels, canvas.pixels)
        mask = changed if shared is None and channels == 3 else None
        canvas = _drawn(pixels, changed, mask, canvas, shared, init, settings)
        packed.append(PackedFrame.of(canvas.palette, canvas.indices, mask))
        durations.append(frame.duration)
        squares += _squared_error(pixels, canvas, mask, settings.threads)
        n_samples += pixels.size
        loop, metadata = frame.loop, metadata if len(packed) > 1 else frame.metadata
    return CompressedAnimation(AnimationFrames(packed), tuple(durations), loop, squares / n_samples, metadata)


def _in_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Give pixels (h, w, 3), or (h, w, 4) with (0, 0, 0, 0) where entirely transparent."""
    if channels == 3:
        return np.ascontiguousarray(pixels[..., :3])
    rgba = with_alpha(pixels)
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def _drawn(
    pixels: NDArray[np.uint8],
    changed: NDArray[np.bool_] | None,
    mask: NDArray[np.bool_] | None,
    before: _Canvas | None,
    shared: Palette | None,
    init: str,
    settings: Settings,
) -> _Canvas:
    """Map a frame; only what is true in `mask` is drawn, if there is one."""
    if before is not None and changed is not None and not changed.any():
        return before
    palette = shared
    if palette is None:
        counted = pixels if mask is None else pixels[mask][np.newaxis]
        histogram = ColorHistogram.from_pixels(counted, settings.threads)
        palette = _fitted(_weighted(pixels, histogram, settings), init, settings)
        if palette.holds(histogram.colors):
            settings = settings._replace(dithering=None)
    indices = _nearest(pixels, palette, settings)
    if before is None or changed is None:
        return _Canvas(pixels, palette, indices, palette.colors.take(indices, axis=0))
    if shared is not None:
        indices = np.where(changed, indices, before.indices)
    shown = palette.colors.take(indices, axis=0)
    if mask is not None:
        shown = np.where(mask[..., np.newaxis], shown, before.shown)
    return _Canvas(pixels, palette, indices, shown)


def _nearest(pixels: NDArray[np.uint8], palette: Palette, settings: Settings) -> NDArray[np.uint8]:
    if settings.dithering is None:
        indices, _ = remap(pixels, None, palette, settings.threads, space=settings.space)
        return indices
    amount, method = settings.dithering
    return dithered(pixels, palette, amount, method=method, space=settings.space, threads=settings.threads)


def _differing(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Give (h, w), whether a pixel differs; by channels, which is faster than along them."""
    differs: NDArray[np.bool_] = one[..., 0] != other[..., 0]
    for channel in range(1, one.shape[2]):
        differs |= one[..., channel] != other[..., channel]
    return differs


def _squared_error(pixels: NDArray[np.uint8], canvas: _Canvas, mask: NDArray[np.bool_] | None, threads: int) -> float:
    """Give the sum over all samples of the squared difference to what is shown."""
    if mask is None:
        return pixels.size * error_of(pixels, canvas.palette, canvas.indices, threads)
    strips = row_strips(pixels.shape)
    return float(sum(np.square(pixels[rows].astype(np.int64) - canvas.shown[rows]).sum() for rows in strips))
