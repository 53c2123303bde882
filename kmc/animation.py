"""``compress_animation()``: the way of an animation, in two passes over its file.

1. The histograms of all frames are added. They are clustered once for a palette that all share; or, with
   ``palette="frame"``, each frame gets a palette of the colours that change in it.
2. Each frame is mapped to its palette. Pixels that have not changed keep the entry that they had, so that dithering
   does not flicker and the file can leave them out.

Frames are kept deflated, so that memory grows with the size of the result and not with pixels times frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc._settings import Settings, checked_settings
from kmc._validate import choice
from kmc.color_kmeans import cluster_colors
from kmc.compressed_animation import AnimationFrames, CompressedAnimation, PackedFrame
from kmc.deltas import with_alpha
from kmc.dither import dither as dithered
from kmc.errors import KmcTypeError, KmcValueError
from kmc.frames import Frame, frames_of
from kmc.histogram import ColorHistogram
from kmc.loading.array_pixels import row_strips
from kmc.loading.color_profile import PROFILES
from kmc.loading.metadata import Metadata
from kmc.loading.picture_file import FileLike, is_file_like, rewindable
from kmc.palette import Palette
from kmc.remap import error_of, remap

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
        Entries of a palette, 2 to 256. One of them is transparent and marks what does not change between frames.
    palette : {"shared", "frame"}
        One palette for all frames, by k-means over all of them; or one for each, of the colours that change in it, for
        films of many colours (GIF and WebP only; larger files).
    preset : {"exact", "looks", "small"}
        As for :func:`kmc.compress`; "looks" and "small" dither by a blue-noise mask, which does not flicker.
    init : {"auto", "random", "k-means++"}
        As for :func:`kmc.compress`, as are all that are not named here.
    dither : float or "blue-noise", optional
        0 for none; "blue-noise" gives equal colours at a place the same entry in every frame; up to 1, error diffusion,
        which flickers where the picture changes.
    max_pixels : int, optional
        The most pixels that a frame may have; 179 million (Pillow's limit) if left out.

    Returns
    -------
    CompressedAnimation

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
    choice("preset", preset, ("exact", "looks"))  # "small" chooses entries by what they cost in a still PNG
    choice("init", init, ("auto", "random", "k-means++"))
    choice("profile", profile, PROFILES)
    if preset != "exact" and dither is None:
        dither = "blue-noise"
    settings = checked_settings(k, preset, num_iterations, effort, space, dither, 0.0, seed, threads)
    if not 2 <= settings.k <= MOST_COLORS:
        raise KmcValueError(
            f"an animation's palette holds 2 to {MOST_COLORS} colours, got k = {settings.k}; give a k in that range"
        )
    if not is_file_like(image):
        raise KmcTypeError(
            f"image is of type {type(image).__name__}; give an animation as path, open binary file, bytes or PIL image"
        )
    image = rewindable(image, "image")
    histogram, n_frames = _count(frames_of(image, profile, max_pixels), settings.threads)
    has_spare = palette == "shared" and (histogram.has_transparent or len(histogram) <= settings.k)
    if n_frames > 1 and not has_spare:
        settings = settings._replace(k=settings.k - 1)  # the last one marks what does not change
    if len(histogram) <= settings.k:
        settings = settings._replace(dithering=None)
    shared = _fitted(histogram, init, settings) if palette == "shared" else None
    return _map(frames_of(image, profile, max_pixels), histogram.colors.shape[1], shared, init, settings)


def _count(frames: Iterator[Frame], threads: int) -> tuple[ColorHistogram, int]:
    """Count the colours of all frames, (u, 3) if all are opaque and else (u, 4), and the frames."""
    # Sums of about equal size are added first: else each frame would be added to the colours of all before it.
    sums: list[ColorHistogram] = []
    n_frames = 0
    for frame in frames:
        n_frames += 1
        one = ColorHistogram.from_pixels(frame.pixels, threads)
        one = ColorHistogram(with_alpha(one.colors), one.counts)
        while sums and len(sums[-1]) <= 2 * len(one):
            one = sums.pop() + one
        sums.append(one)
    total = sums.pop()
    while sums:
        total = sums.pop() + total
    if total.colors[:, 3].min() == 255:
        total = ColorHistogram(np.ascontiguousarray(total.colors[:, :3]), total.counts)
    return total, n_frames


def _fitted(histogram: ColorHistogram, init: str, settings: Settings) -> Palette:
    """Give the palette of a histogram: its colours if there are no more than k."""
    if len(histogram) <= settings.k:
        return Palette.from_colors(histogram.colors)
    clustering = cluster_colors(histogram, init, settings)
    return Palette.from_centroids(
        clustering.centroids, histogram, settings.space, settings.threads, keeps_opacity=clustering.keeps_opacity
    )


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
        palette = _fitted(ColorHistogram.from_pixels(counted, settings.threads), init, settings)
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
