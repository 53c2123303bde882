"""The space in which distance between colours is measured: colors (u, c) uint8 -> points (u, d) and back.

Grey and sRGB values are their own points. RGBA is premultiplied, so that colour counts as far as it is seen: the point
is (r * a, g * a, b * a, 255 * a), which is 255 times the premultiplied colour and a whole number, exact in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["colors_of", "points_of"]


def points_of(colors: NDArray[np.uint8]) -> NDArray[Any]:
    """Give the points of colours.

    Parameters
    ----------
    colors : ndarray (u, c) uint8, c = 1, 3 or 4

    Returns
    -------
    points : ndarray (u, c)
        uint8 for grey and RGB, which are returned as they are; float32 from 0 to 65025 for RGBA.
    """
    if colors.shape[1] != 4:
        return colors
    alpha = colors[:, 3:].astype(np.float32)
    points = colors.astype(np.float32)
    points[:, 3] = 255
    points *= alpha
    return points


def colors_of(centroids: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Give the 8-bit colours nearest to centroids in the space of :func:`points_of`.

    Parameters
    ----------
    centroids : ndarray (k, c) float64

    Returns
    -------
    colors : ndarray (k, c) uint8
        Straight alpha. A colour that rounds to alpha 0 is (0, 0, 0, 0).
    """
    if centroids.shape[1] != 4:
        return _round(centroids)
    colors = np.zeros(centroids.shape, dtype=np.uint8)
    colors[:, 3] = _round(centroids[:, 3] / 255)
    seen = colors[:, 3] > 0
    colors[seen, :3] = _round(centroids[seen, :3] / centroids[seen, 3:] * 255)
    return colors


def _round(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
