"""A part of a picture that stands for the whole: pixels (h, w, c) -> tiles, spread evenly, always the same ones.

Structural similarity and the size of a file need the picture and not only its colours, and cost many times what a fit
costs. For a curve over k they are estimated from tiles: at most `MOST_PIXELS` pixels, in squares of `SIDE`. Of pictures
with up to `WHOLE_PIXELS` pixels the one tile is the picture, and the estimates are exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc.formats.png import PNG_MAX_COLORS, png_bytes
from kmc.metrics.similarity import WINDOW, samples_of, ssim, sums_of_tiles
from kmc.palette import Palette

__all__ = ["SampleTiles"]

WHOLE_PIXELS = 1 << 17
MOST_PIXELS = 1 << 16
# The window of structural similarity fits into 63 % of the places of a tile, and deflate sees the row above.
SIDE = 48
# Deflate finds less that comes again in tiles: on six pictures of Kodak, grey and RGB, at k=16 and 100, a pixel of them
# takes 1.06 to 1.16 times the bytes that one of the picture takes.
TILES_BYTES = 1.095


class SampleTiles:
    """Tiles of a picture.

    Attributes
    ----------
    is_whole : bool
        Whether there is one tile, the whole picture.
    pixels : ndarray (m * h, w, c) uint8
        The tiles, one below the other.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[:2]
        self.n_pixels = height * width
        self.is_whole = self.n_pixels <= WHOLE_PIXELS
        if self.is_whole:
            self._corners, self._shape = [(0, 0)], (height, width)
        else:
            self._shape = (min(SIDE, height), min(SIDE, width))
            self._corners = _corners(height, width, *self._shape)
        self.pixels = pixels if self.is_whole else self.cut(pixels)
        self._original = None if self.is_whole else self._as_rows(_visible(self.pixels))

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """Give the tiles of an array (h, w) or (h, w, c), one below the other."""
        height, width = self._shape
        return np.concatenate([array[top : top + height, left : left + width] for top, left in self._corners])

    def ssim(self, palette: Palette, indices: NDArray[Any], threads: int) -> float:
        """Give the mean structural similarity of the tiles with indices; NaN if its window does not fit."""
        if min(self._shape) < WINDOW:
            return math.nan
        channels = palette.channels
        if self._original is None:
            return ssim(self.pixels, palette.colors[indices])
        compressed = self._as_rows(palette.colors.astype(np.float64)[indices])
        sums = sums_of_tiles(self._original, compressed, channels, threads)[:, 0]
        places = math.prod(side - WINDOW + 1 for side in self._shape)
        return float(sums.sum() / (len(sums) * places * channels))

    def n_bytes(self, palette: Palette, indices: NDArray[Any]) -> int:
        """Give the size of the picture's PNG file, in proportion to that of the tiles; 0 above 256 colours."""
        if len(palette) > PNG_MAX_COLORS:
            return 0
        size = len(png_bytes(indices, palette.colors))
        if self.is_whole:
            return size
        fixed = len(png_bytes(indices[:1, :1], palette.colors))
        estimated: int = fixed + round((size - fixed) * self.n_pixels / indices.size / TILES_BYTES)
        return estimated

    def _as_rows(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give tiles as (m, h, w * c)."""
        return samples.reshape(len(self._corners), self._shape[0], -1)


def _visible(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give samples (h, w, c). Grey stays one channel: three equal ones have the same similarity."""
    channels = pixels.shape[2]
    return pixels.astype(np.float64) if channels == 1 else samples_of(pixels, channels).reshape(pixels.shape)


def _corners(height: int, width: int, tile_height: int, tile_width: int) -> list[tuple[int, int]]:
    """Spread tiles evenly, in rows and columns in proportion to the sides."""
    most = max(1, MOST_PIXELS // (tile_height * tile_width))
    n_rows = min(max(1, round(math.sqrt(most * height / width))), most, height // tile_height)
    n_columns = min(max(1, most // n_rows), width // tile_width)
    tops = [(2 * i + 1) * height // (2 * n_rows) - tile_height // 2 for i in range(n_rows)]
    lefts = [(2 * i + 1) * width // (2 * n_columns) - tile_width // 2 for i in range(n_columns)]
    return [
        (min(max(top, 0), height - tile_height), min(max(left, 0), width - tile_width))
        for top in tops
        for left in lefts
    ]
