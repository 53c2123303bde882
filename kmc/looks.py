"""A palette fitted to the dithered picture: pixels (h, w, c) and a palette -> a better palette, and indices (h, w).

An eye sees a dithered picture through a small blur G. So k-means is done on what it sees:

- assignment: dithering with the present palette;
- update: all entries move together to the least squares of |G(picture) - G(palette[indices])|^2, a system of k
  equations that is made of how often entries meet at each distance, with some of the unblurred error mixed in.

Areas of one colour that is an entry keep it, and the entry stays. Pictures that are such areas in the main (screens,
drawings) are dithered only: at their few sharp edges the blur cost 2 to 6 points of SSIMULACRA2.

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
from kmc.dither import ALPHA_STEPS, FLAT, GAIN_ONE, RANGE, points_of_pixels, targets_of
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

__all__ = ["BLUR", "BLUR_ONE", "POLISH_SHARE", "fit_palette_to_dithering", "moved_colors"]

Points = NDArray[np.int16]
Array = NDArray[Any]

# The blur G convolved with itself, along rows: a Gaussian of sigma 1.2 pixels in 64ths, cut off at two pixels. On ten
# pictures of CQ100 and Kodak 0.85 and 1.0 for G were equally good, 0.7 slightly worse; a wider window gained nothing.
BLUR = np.array([6, 15, 22, 15, 6], dtype=np.int32)
BLUR_ONE = 64
# The share of the unblurred error in the update and in the choice of entries. With 0.2 in the latter SSIMULACRA2 is 1.2
# points lower at k=16 and butteraugli better by 1 %; below 0.05 both are worse.
UPDATE_SHARE = 0.02
POLISH_SHARE = 0.12
# An entry stays where it is if so many of its pixels lie in flat areas of its colour.
FLAT_SHARE = 0.25
# Pictures with more pixels in flat areas are not fitted. Screens have 0.9.
MOSTLY_FLAT = 0.5
# With alpha: of fifteen emoji one has 0.48, the others more, cut-outs of photographs at most 0.06.
MOSTLY_FLAT_WITH_ALPHA = 0.3
# Of an error, what is passed on while fitting.
STRENGTH = 0.8
# Pictures of more pixels are fitted on tiles, side by side in a picture of so many.
MOST_FITTED_PIXELS = 1 << 19
TILE = 128


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

    Returns
    -------
    palette : Palette
        As many entries as before, ordered anew.
    indices : ndarray (h, w) uint8
    """
    n_threads = _threads.for_work(_threads.resolve(threads), 32.0 * pixels.size)
    height, width = pixels.shape[:2]
    gain = round(strength * GAIN_ONE)
    sample = _tiles(pixels)
    if _is_mostly_flat(sample):
        rounds = polish_rounds = 0
    if rounds > 0 and n_fixed < len(palette):
        palette = _fit(sample, palette, histogram, rounds, gain, space, n_threads, n_fixed)
    targets = targets_of(palette, space, height * width, n_threads)
    points = np.empty((height, width, 4), dtype=np.int16)
    _kernels.points_of_picture(pixels, targets, LINEAR, gain, points, n_threads)
    indices = np.empty((height, width), dtype=np.uint8)
    _kernels.diffuse_points(points, targets, gain, indices, n_threads)
    for _ in range(polish_rounds):
        _kernels.polish_points(points, targets, _polish_weights(), indices, n_threads)
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
        _kernels.points_of_picture(pixels, targets, LINEAR, gain, points, threads)
        _kernels.diffuse_points(points, targets, gain, indices, threads)
        staying = _are_staying(points, indices, palette)
        if pixels.shape[2] == 4:
            points[..., 3] %= FLAT
        if number == 0:
            _kernels.blur_points(points, BLUR, blurred, threads)
        staying[:n_fixed] = True
        colors = _moved(points, blurred, indices, palette, BLUR, space, threads, staying)
        moved = Palette.from_colors(colors[n_fixed:], palette.colors[:n_fixed])
        palette = moved.filled_up(len(palette), histogram, space, threads, n_fixed)
    return palette


def moved_colors(
    points: Points, indices: NDArray[np.uint8], palette: Palette, blur: NDArray[np.int32], space: str, threads: int
) -> NDArray[np.uint8]:
    """Give the colours (k, c) of the least error of points (h, w, 4) seen through a blur, the indices held."""
    blurred = np.empty_like(points)
    _kernels.blur_points(points, blur, blurred, threads)
    none = np.zeros(len(palette), dtype=np.bool_)
    return _moved(points, blurred, indices, palette, blur, space, threads, none)


def _moved(
    points: Points,
    blurred: Points,
    indices: NDArray[np.uint8],
    palette: Palette,
    blur: NDArray[np.int32],
    space: str,
    threads: int,
    staying: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Colours at the least squares; those that are `staying`, or that no pixel has, stay where they are."""
    k, channels = palette.colors.shape
    meetings, blurred_sums, sums, counts = _kernels.normal_equations(points, blurred, indices, blur, k, threads)
    matrix = (meetings + meetings.T) / (2.0 * BLUR_ONE**2)
    matrix[np.diag_indices(k)] += UPDATE_SHARE * counts
    entries = points_of_pixels(palette.colors, space, 0, 1).astype(np.float64)
    right = blurred_sums + UPDATE_SHARE * sums
    staying = staying | (counts == 0)
    _hold(matrix, right, entries, staying)
    _kernels.solve(matrix, right)
    if channels == 4:  # what is opaque or transparent stays it
        has_own_kind = (palette.colors[:, 3] == 255) | (palette.colors[:, 3] == 0)
        right[has_own_kind, 3] = entries[has_own_kind, 3]
    colors = _colors_of_points(right, space, channels)
    colors[staying] = palette.colors[staying]
    return colors


def _are_staying(points: Points, indices: NDArray[np.uint8], palette: Palette) -> NDArray[np.bool_]:
    """Tell which entries flat areas have in the main, which have them exactly and take no error."""
    k, channels = palette.colors.shape
    counts = np.bincount(indices.ravel(), minlength=k)
    takes_none = points[..., 3] >= FLAT if channels == 4 else points[..., 3] == 0
    flat: NDArray[np.bool_] = np.bincount(indices[takes_none], minlength=k) >= np.maximum(FLAT_SHARE * counts, 1)
    return flat


def _hold(matrix: Array, right: Array, entries: Array, staying: NDArray[np.bool_]) -> None:
    """Make the solution of matrix x = right the one whose rows `staying` are those of the entries."""
    for i in np.flatnonzero(staying):  # one by one: in the same order on every machine
        right -= matrix[:, i, np.newaxis] * entries[i]
    matrix[staying] = 0
    matrix[:, staying] = 0
    matrix[staying, staying] = 1
    right[staying] = entries[staying]


def _polish_weights() -> NDArray[np.int16]:
    """Weights of a neighbour's error at (1, 0), (1, 1), (2, 0), (2, 1), (2, 2) pixels, of 32768."""
    blur = BLUR / BLUR_ONE
    window = np.outer(blur, blur)
    window *= 32768 / (window[2, 2] + POLISH_SHARE)
    return np.rint([window[2, 3], window[3, 3], window[2, 4], window[3, 4], window[4, 4]]).astype(np.int16)


def _tiles(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the picture, or tiles of a large one, evenly spread and side by side."""
    height, width = pixels.shape[:2]
    if height * width <= MOST_FITTED_PIXELS or min(height, width) < TILE:
        return pixels
    rows, columns = height // TILE, width // TILE
    share = np.sqrt(MOST_FITTED_PIXELS / (height * width))
    rows, columns = max(1, round(rows * share)), max(1, round(columns * share))
    tops = np.linspace(0, height - TILE, rows).astype(int)
    lefts = np.linspace(0, width - TILE, columns).astype(int)
    return np.ascontiguousarray(
        np.concatenate(
            [np.concatenate([pixels[y : y + TILE, x : x + TILE] for x in lefts], axis=1) for y in tops], axis=0
        )
    )


def _is_mostly_flat(pixels: NDArray[np.uint8]) -> bool:
    """Tell of every fourth row whether most pixels, of those that are seen, are as their four neighbours are."""
    rows, above, below = pixels[1:-1:4], pixels[:-2:4], pixels[2::4]
    if rows.size == 0:
        return False
    flat = (rows[:, 1:-1] == rows[:, :-2]) & (rows[:, 1:-1] == rows[:, 2:])
    flat &= (rows == above)[:, 1:-1] & (rows == below)[:, 1:-1]
    n_seen, is_flat, share = flat.shape[0] * flat.shape[1], flat.all(axis=2), MOSTLY_FLAT
    if pixels.shape[2] == 4:
        is_seen, share = rows[:, 1:-1, 3] > 0, MOSTLY_FLAT_WITH_ALPHA
        n_seen, is_flat = int(np.count_nonzero(is_seen)), is_flat & is_seen
    return bool(np.count_nonzero(is_flat) > share * n_seen)


def _colors_of_points(points: NDArray[np.float64], space: str, channels: int) -> NDArray[np.uint8]:
    """Round points (k, 4) to 8-bit colours (k, c)."""
    if channels < 4:
        return colors_of(points[:, :channels] * (255 / RANGE), space)
    alphas = points[:, 3] / (255 * ALPHA_STEPS[space])
    values = points[:, :3].copy()
    values[:, : 1 if space == "oklab" else 3] -= RANGE / 2 * (1 - alphas[:, np.newaxis])
    return colors_of_premultiplied(values * (255 / RANGE), alphas, space)
