"""A palette fitted to the dithered picture: pixels (h, w, c) and a palette -> a better palette, and indices (h, w).

An eye sees a dithered picture through a small blur G. So k-means is done on what it sees:

- assignment: dithering with the present palette;
- update: all entries move together to the least squares of |G(picture) - G(palette[indices])|^2, a system of k
  equations that is made of how often entries meet at each distance, with some of the unblurred error mixed in.

Areas of one colour that is an entry (:func:`kmc.flatness.with_flat_colors` makes it one) keep it, and the entry stays.

At the end each pixel's entry is chosen anew while the others are held: rounds of Gauss and Seidel on the same error.
Related: Puzicha et al., "On spatial quantization of color images", 2000; direct binary search in halftoning.

All sums are integers, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.colorspace import LINEAR, colors_of, colors_of_premultiplied
from kmc.dither import ALPHA_STEPS, FLAT, GAIN_ONE, LESS, RANGE, dither, points_of_pixels, targets_of
from kmc.fitted_tiles import fitted_tiles
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

__all__ = ["BLUR", "BLUR_ONE", "POLISH_SHARE", "fit_palette_to_dithering", "moved_colors"]

Points = NDArray[np.int16]
Array = NDArray[Any]
# What kmc._kernels.normal_equations gives.
Equations = tuple[Array, Array, Array, Array, Array]

# The blur G convolved with itself, along rows: a Gaussian of sigma 1.2 pixels in 64ths, cut off at two pixels. On ten
# pictures of CQ100 and Kodak 0.85 and 1.0 for G were equally good, 0.7 slightly worse; a wider window gained nothing.
BLUR = np.array([6, 15, 22, 15, 6], dtype=np.int32)
BLUR_ONE = 64
# The share of the unblurred error in the update and in the choice of entries. With 0.2 in the latter SSIMULACRA2 is 1.2
# points lower at k=16 and butteraugli better by 1 %; below 0.05 both are worse.
UPDATE_SHARE = 0.02
POLISH_SHARE = 0.12
# With alpha, where PSNR on the worst of three backgrounds counts as well.
UPDATE_SHARE_WITH_ALPHA = 0.3
POLISH_SHARE_WITH_ALPHA = 0.25
# An entry stays where it is if so many of its pixels lie in flat areas of its colour.
FLAT_SHARE = 0.25
# Drawings with alpha, more of whose seen pixels lie in flat areas, are not fitted. Of fifteen emoji one has 0.48, the
# others more, cut-outs of photographs at most 0.06.
MOSTLY_FLAT_WITH_ALPHA = 0.3
# With alpha, how many sixteenths of its errors a pixel leaves, by the sum of the differences of its four samples from
# those of four neighbours: half at 10 levels each. Noise and texture hide an error, and dots there cost the most.
_CONTRAST = np.arange(4 * 4 * 255 + 1) / 12
LESS_WHERE_BUSY = np.minimum(np.rint(15 * _CONTRAST / (_CONTRAST + 10)), 14).astype(np.uint8)
# Of an error, what is passed on while fitting.
STRENGTH = 0.8


def fit_palette_to_dithering(
    pixels: NDArray[np.uint8],
    palette: Palette,
    histogram: ColorHistogram,
    *,
    rounds: int = 6,
    polish_rounds: int = 2,
    strength: float = STRENGTH,
    space: str = "oklab",
    threads: int | None = None,
    n_fixed: int = 0,
    n_fitted: int = 1 << 19,
) -> tuple[Palette, NDArray[np.uint8]]:
    """Fit a palette to how the picture looks when it is dithered, and dither it.

    Parameters
    ----------
    pixels : ndarray (h, w, c) uint8, C-contiguous, c = 1, 3 or 4
    palette : Palette
        Where the fit starts: converged k-means in `space`.
    histogram : ColorHistogram
        Of the picture, or a sample of it: a colour of it takes the place of an entry that falls on another one.
    rounds : int
        Of dithering and moving the entries. 6 converge; 2 gain three quarters of what they do.
    polish_rounds : int
        Of choosing each pixel's entry anew.
    strength : float
        The share of an error that is passed on, 0 to 1.
    space : {"oklab", "srgb"}
    threads : int, optional
    n_fixed : int
        So many entries, the first ones, stay as they are.
    n_fitted : int
        Pictures of more pixels are fitted on about so many of them (:mod:`kmc.fitted_tiles`).

    Returns
    -------
    palette : Palette
        As many entries as before, ordered anew.
    indices : ndarray (h, w) uint8
    """
    n_threads = _threads.for_work(_threads.resolve(threads), 32.0 * pixels.size)
    height, width = pixels.shape[:2]
    gain = round(strength * GAIN_ONE)
    sample = fitted_tiles(pixels, n_fitted)
    if sample is None or _is_flat_drawing(pixels):
        polish_rounds = 0
    elif rounds > 0 and n_fixed < len(palette):
        palette = _fit(sample, palette, histogram, rounds, gain, space, n_threads, n_fixed)
    if polish_rounds == 0 and pixels.shape[2] < 4:
        return palette, dither(pixels, palette, strength, space=space, threads=threads)
    targets = targets_of(palette, space, height * width, n_threads)
    points = np.empty((height, width, 4), dtype=np.int16)
    _put_points(pixels, targets, gain, points, n_threads)
    indices = np.empty((height, width), dtype=np.uint8)
    _kernels.diffuse_points(points, targets, gain, indices, n_threads)
    weights = _polish_weights(POLISH_SHARE_WITH_ALPHA if pixels.shape[2] == 4 else POLISH_SHARE)
    for _ in range(polish_rounds):
        _kernels.polish_points(points, targets, weights, indices, n_threads)
    return palette, indices


def _fit(
    pixels: NDArray[np.uint8],
    palette: Palette,
    histogram: ColorHistogram,
    rounds: int,
    gain: int,
    space: str,
    threads: int,
    n_fixed: int,
) -> Palette:
    height, width = pixels.shape[:2]
    points, blurred = (np.empty((height, width, 4), dtype=np.int16) for _ in range(2))
    indices = np.empty((height, width), dtype=np.uint8)
    for number in range(rounds):
        targets = targets_of(palette, space, height * width, threads)
        _put_points(pixels, targets, gain, points, threads)
        _kernels.diffuse_points(points, targets, gain, indices, threads)
        still = _without_flags(points, indices, len(palette)) if pixels.shape[2] == 4 else None
        if number == 0:
            _kernels.blur_points(points, BLUR, blurred, threads)
        equations = _kernels.normal_equations(points, blurred, indices, BLUR, len(palette), threads)
        counts = equations[3]
        # Entries that flat areas have in the main, which have them exactly and take no error.
        staying = (equations[4] if still is None else still) >= np.maximum(FLAT_SHARE * counts, 1)
        staying[:n_fixed] = True
        colors = _moved(equations, palette, space, staying)
        moved = Palette.from_colors(colors[n_fixed:], palette.colors[:n_fixed])
        palette = moved.filled_up(len(palette), histogram, space, threads, n_fixed)
    return palette


def _put_points(pixels: NDArray[np.uint8], targets: _kernels.Targets, gain: int, points: Points, threads: int) -> None:
    """Write the points (h, w, 4) of pixels, with how much of their errors they take."""
    _kernels.points_of_picture(pixels, targets, LINEAR, gain, points, threads)
    if pixels.shape[2] == 4:
        _kernels.mark_busy_points(pixels, LESS_WHERE_BUSY, points, threads)


def moved_colors(
    points: Points, indices: NDArray[np.uint8], palette: Palette, blur: NDArray[np.int32], space: str, threads: int
) -> NDArray[np.uint8]:
    """Give the colours (k, c) of the least error of points (h, w, 4) seen through a blur, the indices held."""
    blurred = np.empty_like(points)
    _kernels.blur_points(points, blur, blurred, threads)
    equations = _kernels.normal_equations(points, blurred, indices, blur, len(palette), threads)
    return _moved(equations, palette, space, np.zeros(len(palette), dtype=np.bool_))


def _moved(equations: Equations, palette: Palette, space: str, staying: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Colours at the least squares; those that are `staying`, or that no pixel has, stay where they are."""
    k, channels = palette.colors.shape
    meetings, blurred_sums, sums, counts, _ = equations
    matrix = (meetings + meetings.T) / (2.0 * BLUR_ONE**2)
    share = UPDATE_SHARE_WITH_ALPHA if channels == 4 else UPDATE_SHARE
    matrix[np.diag_indices(k)] += share * counts
    entries = points_of_pixels(palette.colors, space, 0, 1).astype(np.float64)
    right = blurred_sums + share * sums
    staying = staying | (counts == 0)
    _hold(matrix, right, entries, staying)
    _kernels.solve(matrix, right)
    if channels == 4:  # what is opaque or transparent stays it
        has_own_kind = (palette.colors[:, 3] == 255) | (palette.colors[:, 3] == 0)
        right[has_own_kind, 3] = entries[has_own_kind, 3]
    colors = _colors_of_points(right, space, channels)
    colors[staying] = palette.colors[staying]
    return colors


def _without_flags(points: Points, indices: NDArray[np.uint8], k: int) -> NDArray[np.int64]:
    """Count the pixels of each entry that take no error, and take away the marks in the alpha of points."""
    still = np.bincount(indices[points[..., 3] >= FLAT], minlength=k)
    points[..., 3] &= LESS - 1
    return still


def _hold(matrix: Array, right: Array, entries: Array, staying: NDArray[np.bool_]) -> None:
    """Make the solution of matrix x = right the one whose rows `staying` are those of the entries."""
    for i in np.flatnonzero(staying):  # one by one: in the same order on every machine
        right -= matrix[:, i, np.newaxis] * entries[i]
    matrix[staying] = 0
    matrix[:, staying] = 0
    matrix[staying, staying] = 1
    right[staying] = entries[staying]


def _polish_weights(share: float = POLISH_SHARE) -> NDArray[np.int16]:
    """Weights of a neighbour's error at (1, 0), (1, 1), (2, 0), (2, 1), (2, 2) pixels, of 32768."""
    blur = BLUR / BLUR_ONE
    window = np.outer(blur, blur)
    window *= 32768 / (window[2, 2] + share)
    return np.rint([window[2, 3], window[3, 3], window[2, 4], window[3, 4], window[4, 4]]).astype(np.int16)


def _is_flat_drawing(pixels: NDArray[np.uint8]) -> bool:
    """Tell of every fourth row of RGBA whether many pixels, of those that are seen, are as their neighbours are."""
    rows, above, below = pixels[1:-1:4], pixels[:-2:4], pixels[2::4]
    if pixels.shape[2] != 4 or rows.size == 0:
        return False
    flat = (rows[:, 1:-1] == rows[:, :-2]) & (rows[:, 1:-1] == rows[:, 2:])
    flat &= (rows == above)[:, 1:-1] & (rows == below)[:, 1:-1]
    is_seen = rows[:, 1:-1, 3] > 0
    return bool(np.count_nonzero(flat.all(axis=2) & is_seen) > MOSTLY_FLAT_WITH_ALPHA * np.count_nonzero(is_seen))


def _colors_of_points(points: NDArray[np.float64], space: str, channels: int) -> NDArray[np.uint8]:
    """Round points (k, 4) to 8-bit colours (k, c)."""
    if channels < 4:
        return colors_of(points[:, :channels] * (255 / RANGE), space)
    alphas = points[:, 3] / (255 * ALPHA_STEPS[space])
    values = points[:, :3].copy()
    values[:, : 3 if space == "srgb" else 1] -= RANGE / 2 * (1 - alphas[:, np.newaxis])
    return colors_of_premultiplied(values * (255 / RANGE), alphas, space)
