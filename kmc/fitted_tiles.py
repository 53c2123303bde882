"""What of a picture (h, w, c) a palette is fitted to by :mod:`kmc.looks`: the whole of it, or tiles of a large one.

Of a photograph they are small and evenly spread. A screen is flat in the main, and what is drawn on it is small and of
its own colours: there the tiles are those on which something is drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fitted_tiles"]

# Small tiles, and 480 rows of them, which are four stripes of the diffusion. On five pictures of CQ100 and Kodak
# SSIMULACRA2 at k=16, 64 and 256 is 36.9, 70.4, 86.0 on all of their 0.4 megapixels, 36.8, 70.4, 85.9 on 2^18 pixels
# in tiles of 16, and 36.4, 69.3, 84.7 in tiles of 128.
SIDE = 16
TILE_ROWS = 30
# Of screens, whose letters and icons want larger tiles: more is not drawn on them than on so many pixels.
MOST_DRAWN_PIXELS = 1 << 19
DRAWN_SIDE = 64
DRAWN_ABREAST = 8
# A tile with more differences between neighbours is busy. Whether most are is judged by so many of them.
BUSY_SHARE = 0.01
JUDGED_TILES = 256
GOLDEN = (5**0.5 - 1) / 2

Corners = list[tuple[int, int]]


def fitted_tiles(pixels: NDArray[np.uint8], n_pixels: int) -> NDArray[np.uint8] | None:
    """Give the pixels to fit to, side by side: all, or of a photograph that has more about `n_pixels`.

    None of a screen on which more is drawn than there is room for: what is left out of the tiles would lose its
    colours to the fit.
    """
    height, width = pixels.shape[:2]
    if height * width <= n_pixels or min(height, width) < DRAWN_SIDE:
        return pixels
    corners = _scattered_corners(height, width)
    judged = corners[:JUDGED_TILES]
    if 2 * len(_busy(pixels, judged)) >= len(judged):
        return _even_tiles(pixels, n_pixels)
    if height * width <= MOST_DRAWN_PIXELS:
        return pixels
    busy = _busy(pixels, corners)
    if len(busy) > MOST_DRAWN_PIXELS // DRAWN_SIDE**2:
        return None
    return _drawn_tiles(pixels, busy, corners)


def _scattered_corners(height: int, width: int) -> Corners:
    """Give the corners of tiles that cover the picture, so that each start of the list is spread over it."""
    tops, lefts = (
        np.linspace(0, side - DRAWN_SIDE, -(-side // DRAWN_SIDE)).astype(int).tolist() for side in (height, width)
    )
    corners = [(y, x) for y in tops for x in lefts]
    return [corners[i] for i in np.argsort(np.arange(len(corners)) * GOLDEN % 1)]


def _busy(pixels: NDArray[np.uint8], corners: Corners) -> Corners:
    """Give the corners of tiles in every eighth row of which more than a few pixels differ from those above or left."""
    busy = []
    for y, x in corners:
        tile = pixels[y : y + DRAWN_SIDE, x : x + DRAWN_SIDE]
        rows = tile[1::8]
        differs = (rows[:, 1:] != rows[:, :-1]) | (rows != tile[:-1:8])[:, 1:]
        if np.count_nonzero(differs) > BUSY_SHARE * differs.size:
            busy.append((y, x))
    return busy


def _drawn_tiles(pixels: NDArray[np.uint8], busy: Corners, corners: Corners) -> NDArray[np.uint8]:
    """Give whole rows of tiles: all that are busy, and others to fill the last row."""
    n_rows = max(1, -(-len(busy) // DRAWN_ABREAST))
    others = set(corners) - set(busy)
    chosen = busy + [corner for corner in corners if corner in others]
    tiles = [pixels[y : y + DRAWN_SIDE, x : x + DRAWN_SIDE] for y, x in sorted(chosen[: n_rows * DRAWN_ABREAST])]
    rows = [np.concatenate(tiles[i : i + DRAWN_ABREAST], axis=1) for i in range(0, len(tiles), DRAWN_ABREAST)]
    return np.concatenate(rows, axis=0)


def _even_tiles(pixels: NDArray[np.uint8], n_pixels: int) -> NDArray[np.uint8]:
    """Give small tiles of a grid over the picture."""
    height, width = pixels.shape[:2]
    most = n_pixels // SIDE**2
    columns = min(most // min(TILE_ROWS, height // SIDE), width // SIDE)
    rows = min(most // columns, height // SIDE)
    tops = np.linspace(0, height - SIDE, rows).astype(int)
    lefts = np.linspace(0, width - SIDE, columns).astype(int)
    taken = pixels[(tops[:, np.newaxis] + np.arange(SIDE)).ravel()]
    return np.concatenate([taken[:, x : x + SIDE] for x in lefts], axis=1)
