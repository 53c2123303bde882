"""The kernels in plain numpy: what the tests compare every instruction set with. Nothing else uses this module.

The operations and their order are those of the definition in ``kmc_kernels.h``, so results are compared bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc.colorspace import points_of

__all__ = ["assign", "count_colors", "distances", "keys", "kmeans", "nearest_entries", "own_dist2", "update"]

Array = NDArray[Any]

POINTS_AT_ONCE = 256  # whose distances stay in the cache


def distances(points: Array, centroids: Array, real: Any = np.float64) -> Array:
    """Squared distances (k, n), computed in `real`, coordinate by coordinate."""
    dist2 = np.zeros((len(centroids), len(points)), dtype=real)
    for x, c in zip(points.T.astype(real), centroids.T.astype(real), strict=True):
        diff = x[None, :] - c[:, None]
        dist2 += diff * diff
    return dist2


def assign(points: Array, centroids: Array) -> NDArray[np.int32]:
    """Index (n,) of the nearest centroid; argmin takes the lowest of equals."""
    labels = np.empty(len(points), dtype=np.int32)
    for start in range(0, len(points), POINTS_AT_ONCE):
        part = slice(start, start + POINTS_AT_ONCE)
        labels[part] = distances(points[part], centroids).argmin(axis=0)
    return labels


def own_dist2(points: Array, centroids: Array, labels: Array) -> NDArray[np.float64]:
    """Squared distance (n,) to the centroid of each point's label."""
    dist2: NDArray[np.float64] = distances(points, centroids)[labels, np.arange(len(points))]
    return dist2


def update(points: Array, weights: Array | None, labels: Array, k: int) -> tuple[Array, Array]:
    """Weighted coordinate sums (k, d) and weights (k,) of the clusters."""
    point_weights = np.ones(len(points)) if weights is None else weights
    sums = np.zeros((k, points.shape[1]))
    np.add.at(sums, labels, point_weights[:, None] * points)
    return sums, np.bincount(labels, weights=point_weights, minlength=k)


def kmeans(points: Array, weights: Array | None, centroids: Array, rounds: int) -> tuple[Array, Array]:
    """So many rounds of assignment and update (clusters that empty stay where they are), then the labels."""
    for _ in range(rounds):
        sums, weight = update(points, weights, assign(points, centroids), len(centroids))
        centroids = np.where(weight[:, None] > 0, sums / np.maximum(weight, 1e-300)[:, None], centroids)
    return centroids, assign(points, centroids)


def keys(pixels: Array) -> NDArray[np.uint32]:
    """One number (n,) for each of pixels (n, c); all of alpha 0 are 0."""
    key = np.zeros(len(pixels), dtype=np.uint32)
    for samples in pixels.T:
        key = key << np.uint32(8) | samples
    if pixels.shape[1] == 4:
        key[pixels[:, 3] == 0] = 0
    return key


def count_colors(pixels: Array) -> dict[int, int]:
    """How often each key occurs among those of pixels (n, c)."""
    found, counts = np.unique(keys(pixels), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def nearest_entries(colors: Array, entries: Array, space: str = "srgb") -> Array:
    """Index of the nearest of entries (k, c) to each of colors (u, c); opaque and transparent colours keep their kind.

    Where there is an entry of the kind.
    """
    labels = assign(points_of(colors, space), points_of(entries, space).astype(np.float64))
    for alpha in (0, 255) if colors.shape[1] == 4 else ():
        rows, own = colors[:, 3] == alpha, np.flatnonzero(entries[:, 3] == alpha)
        if len(own) and rows.any():
            labels[rows] = own[
                assign(points_of(colors[rows], space), points_of(entries[own], space).astype(np.float64))
            ]
    return labels


def alpha_labels(points: Array, centroids: Array, n_soft: int, n_opaque: int) -> Array:
    """Index of the nearest of centroids (k, 4) to points (n, 4); those from `n_soft` on choose from the last ones."""
    dist2 = np.square(points[:, np.newaxis].astype(np.int64) - centroids).sum(axis=2)
    if n_opaque:
        dist2[n_soft:, : len(centroids) - n_opaque] = np.iinfo(np.int64).max
    labels: Array = dist2.argmin(axis=1).astype(np.int32)
    return labels


def alpha_cells(points: Array, weights: Array, low: Array, shift: int) -> dict[int, tuple[Array, int]]:
    """Give mean (4,) and weight of each cell: of points (n, 4) whose keys agree but for `shift` bits."""
    steps = (points - low) >> 3
    keys = np.zeros(len(points), dtype=np.int64)
    for bit in range(32):
        keys |= (steps[:, 3 - bit % 4].astype(np.int64) >> bit // 4 & 1) << bit
    found = {}
    for key in np.unique(keys >> shift).tolist():
        own = keys >> shift == key
        means = weights[own] @ points[own].astype(np.int64) / weights[own].sum()
        found[key] = np.floor(means + 0.5).astype(np.int64), int(weights[own].sum())
    return found
