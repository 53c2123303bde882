"""Points as the kernels read them: (n, d) of uint8, float32 or float64 -> tiles of transposed points.

Reading rows of points into the lanes of vectors costs more than the distances to eight centroids, so it is done once
for all rounds. It takes as much memory as the points in float32 (float64 for float64 points).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels

__all__ = ["Tiles", "real_type"]


def real_type(points: NDArray[Any]) -> np.dtype[Any]:
    """Give the type in which distances to these points are computed first."""
    return np.dtype(np.float64 if points.dtype == np.float64 else np.float32)


def middle(points: NDArray[Any]) -> NDArray[Any]:
    """Give a place near the middle of the points: what is computed from there loses the fewest digits."""
    mean: NDArray[Any] = points[:: len(points) // 1024 + 1].mean(axis=0, dtype=np.float64).astype(real_type(points))
    return mean


class Tiles:
    """Points less an origin, transposed, and their lengths; see ``kmc_kernels.h``.

    Attributes
    ----------
    origin : ndarray (d,), float32 or float64
    array : ndarray (tiles, d + 1, TILE_POINTS)
    """

    def __init__(self, points: NDArray[Any], origin: NDArray[Any], threads: int) -> None:
        n, d = points.shape
        self.origin = origin
        self.array = np.empty((-(-n // _kernels.TILE_POINTS), d + 1, _kernels.TILE_POINTS), dtype=origin.dtype)
        _kernels.tile_points(points, origin, self.array, threads)

    @property
    def farthest(self) -> float:
        """The greatest length, rounded up."""
        return float(self.array[:, -1].max())
