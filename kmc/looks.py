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
from kmc.dither import GAIN_ONE, RANGE, points_of_pixels, targets_of
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
# Of an error, what is passed on while fitting.
STRENGTH = 0.8
# Pictures of more pixels are fitted on tiles, side by side in a picture of so many.
MOST_FITTED_PIXELS = 1 << 19
TILE = 64
TILES_ABREAST = 8
# A tile with more differences between neighbours is busy.
BUSY_SHARE = 0.01
GOLDEN = (5**0.5 - 1) / 2


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
    if sample is None:
        rounds = polish_rounds = 0
    elif rounds > 0 and n_fixed < len(palette):
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
        if number == 0:
            _kernels.blur_points(points, BLUR, blurred, threads)
        _kernels.diffuse_points(points, targets, gain, indices, threads)
        staying = _are_staying(points, indices, palette)
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
    colors = _colors_of_points(right, space, channels)
    colors[staying] = palette.colors[staying]
    if channels == 4:  # what is opaque or transparent stays it
        colors[palette.colors[:, 3] == 255, 3] = 255
        colors[palette.colors[:, 3] == 0] = 0
    return colors


def _are_staying(points: Points, indices: NDArray[np.uint8], palette: Palette) -> NDArray[np.bool_]:
    """Tell which entries flat areas have in the main, which have them exactly and take no error."""
    k, channels = palette.colors.shape
    if channels == 4:
        return np.zeros(k, dtype=np.bool_)
    counts = np.bincount(indices.ravel(), minlength=k)
    flat: NDArray[np.bool_] = np.bincount(indices[points[..., 3] == 0], minlength=k) >= np.maximum(
        FLAT_SHARE * counts, 1
    )
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


def _tiles(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Give the picture, or tiles of a large one, spread over it and side by side; none that is flat, if it can be.

    None of a screen on which more is drawn than there is room for: what is left out of the tiles is small and of its
    own colours, which the fit would move away.
    """
    height, width = pixels.shape[:2]
    if height * width <= MOST_FITTED_PIXELS or min(height, width) < TILE:
        return pixels
    tops, lefts = (np.linspace(0, side - TILE, -(-side // TILE)).astype(int) for side in (height, width))
    corners = [(y, x) for y in tops for x in lefts]
    is_busy = np.array([_is_busy(pixels[y : y + TILE, x : x + TILE]) for y, x in corners])
    # Those first that are busy; multiples of the golden section spread each start of the list over the picture.
    order = np.lexsort((np.arange(len(corners)) * GOLDEN % 1, ~is_busy))
    n_busy = int(np.count_nonzero(is_busy))
    if n_busy >= len(corners) / 2:
        return _even_tiles(pixels)
    if n_busy > MOST_FITTED_PIXELS // TILE**2:
        return None
    n_rows = min(-(-n_busy // TILES_ABREAST), MOST_FITTED_PIXELS // (TILE * TILE * TILES_ABREAST))
    chosen = order[: max(1, n_rows) * TILES_ABREAST]
    tiles = [pixels[y : y + TILE, x : x + TILE] for y, x in (corners[number] for number in sorted(chosen))]
    abreast = min(TILES_ABREAST, len(tiles))
    rows = [np.concatenate(tiles[i : i + abreast], axis=1) for i in range(0, len(tiles) // abreast * abreast, abreast)]
    return np.concatenate(rows, axis=0)


def _even_tiles(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give tiles, twice as wide, of a grid over the picture."""
    height, width = pixels.shape[:2]
    side = min(2 * TILE, height, width)
    share = np.sqrt(MOST_FITTED_PIXELS / (height * width))
    rows, columns = max(1, round(height // side * share)), max(1, round(width // side * share))
    tops = np.linspace(0, height - side, rows).astype(int)
    lefts = np.linspace(0, width - side, columns).astype(int)
    return np.concatenate(
        [np.concatenate([pixels[y : y + side, x : x + side] for x in lefts], axis=1) for y in tops], axis=0
    )


def _is_busy(tile: NDArray[np.uint8]) -> bool:
    """Tell of every eighth row whether more than a few pixels differ from those above or to the left."""
    rows = tile[1::8]
    differs = (rows[:, 1:] != rows[:, :-1]) | (rows != tile[:-1:8])[:, 1:]
    return bool(np.count_nonzero(differs) > BUSY_SHARE * differs.size)


def _colors_of_points(points: NDArray[np.float64], space: str, channels: int) -> NDArray[np.uint8]:
    """Round points (k, 4) to 8-bit colours (k, c)."""
    if channels == 4:
        return colors_of_premultiplied(points[:, :3] * (255 / RANGE), points[:, 3] / RANGE, space)
    return colors_of(points[:, :channels] * (255 / RANGE), space)
