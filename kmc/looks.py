"""A palette fitted to the dithered picture: pixels (h, w, c) and a palette -> a better palette, and indices (h, w).

An eye sees a dithered picture through a small blur G. So k-means is done on what it sees:

- :mod:`kmc.dithered_fit`: rounds of dithering and of moving all entries to the least squares of the error seen;
- :mod:`kmc.entry_search`: trials of taking an entry elsewhere.

Areas of one colour that is an entry (:func:`kmc.flatness.with_flat_colors` makes it one) keep it, and the entry stays.

At the end each pixel's entry is chosen anew while the others are held: rounds of Gauss and Seidel on the same error.
Related: Puzicha et al., "On spatial quantization of color images", 2000; direct binary search in halftoning.

All sums are integers, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.dither import GAIN_ONE, dither, targets_of
from kmc.dithered_fit import BLUR, BLUR_ONE, POLISH_SHARE, DitheredFit, put_points
from kmc.entry_search import search_entries
from kmc.fitted_tiles import fitted_tiles
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

__all__ = ["fit_palette_to_dithering"]

# With alpha, where PSNR on the worst of three backgrounds counts as well.
POLISH_SHARE_WITH_ALPHA = 0.25
# Drawings with alpha, more of whose seen pixels lie in flat areas, are not fitted. Of fifteen emoji one has 0.48, the
# others more, cut-outs of photographs at most 0.06.
MOSTLY_FLAT_WITH_ALPHA = 0.3
# Entries are taken elsewhere in palettes of up to so many, on about so many pixels, after so many rounds. On eight
# photographs of CQ100 and Kodak SSIMULACRA2 at k=16 is 0.6 points higher for it on 2^18 pixels, 0.5 on 2^19, 0.4 on
# 2^17, where colours are lost, and 3 lower on 2^16. At k=64 it is 0.1 higher, and as high on screens.
MOST_SEARCHED_COLORS = 32
SEARCHED_PIXELS = 1 << 18
ROUNDS_BEFORE_SEARCH = 4
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
    trials: int = 0,
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
    trials : int
        Of taking an entry elsewhere: of up to 32 entries, without alpha.

    Returns
    -------
    palette : Palette
        As many entries as before, ordered anew.
    indices : ndarray (h, w) uint8
    """
    n_threads = _threads.for_work(_threads.resolve(threads), 32.0 * pixels.size)
    height, width = pixels.shape[:2]
    gain = round(strength * GAIN_ONE)
    if _is_flat_drawing(pixels):
        polish_rounds = 0
    elif rounds > 0 and n_fixed < len(palette):
        is_searched = trials > 0 and len(palette) <= MOST_SEARCHED_COLORS and pixels.shape[2] < 4
        if is_searched:
            palette = _searched(pixels, palette, histogram, trials, gain, space, n_threads, n_fixed)
        sample = fitted_tiles(pixels, n_fitted)
        if sample is not None:
            fit = DitheredFit(sample, histogram, gain, space, n_threads, n_fixed)
            # Of what trials found, two rounds on more of the picture are as good as three.
            palette = fit.best_of_rounds(palette, rounds // 3) if is_searched else fit.rounds(palette, rounds)
        elif pixels.shape[2] == 4:
            polish_rounds = 0
    if polish_rounds == 0 and pixels.shape[2] < 4:
        return palette, dither(pixels, palette, strength, space=space, threads=threads)
    targets = targets_of(palette, space, height * width, n_threads)
    points = np.empty((height, width, 4), dtype=np.int16)
    put_points(pixels, targets, gain, points, n_threads)
    indices = np.empty((height, width), dtype=np.uint8)
    _kernels.diffuse_points(points, targets, gain, indices, n_threads)
    weights = _polish_weights(POLISH_SHARE_WITH_ALPHA if pixels.shape[2] == 4 else POLISH_SHARE)
    for _ in range(polish_rounds):
        _kernels.polish_points(points, targets, weights, indices, n_threads)
    return palette, indices


def _searched(
    pixels: NDArray[np.uint8],
    palette: Palette,
    histogram: ColorHistogram,
    trials: int,
    gain: int,
    space: str,
    threads: int,
    n_fixed: int,
) -> Palette:
    """Give a palette found by trials on a part of the picture, of a screen by as many as its part leaves time for."""
    sample = fitted_tiles(pixels, SEARCHED_PIXELS)
    if sample is None:
        return palette
    fit = DitheredFit(sample, histogram, gain, space, threads, n_fixed)
    n = min(trials, trials * SEARCHED_PIXELS // (sample.shape[0] * sample.shape[1]))
    return search_entries(fit, fit.rounds(palette, ROUNDS_BEFORE_SEARCH), n)


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
