"""The kernels in plain numpy: what the tests compare every instruction set with. Nothing else uses this module.

The operations and their order are those of the definition in ``kmc_kernels.h``, so results are compared bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "count_colors", "distances", "kmeans", "own_dist2", "remap", "update"]

Array = NDArray[Any]


def distances(points: Array, centroids: Array, real: Any = np.float64) -> Array:
    """Squared distances (k, n), computed in `real`, coordinate by coordinate."""
    dist2 = np.zeros((len(centroids), len(points)), dtype=real)
    for x, c in zip(points.T.astype(real), centroids.T.astype(real), strict=True):
        diff = x[None, :] - c[:, None]
        dist2 += diff * diff
    return dist2


def assign(points: Array, centroids: Array) -> NDArray[np.int32]:
    """Index (n,) of the nearest centroid; argmin takes the lowest of equals."""
    labels: NDArray[np.int32] = distances(points, centroids).argmin(axis=0).astype(np.int32)
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


def count_colors(pixels: Array) -> dict[tuple[int, ...], int]:
    """How often each colour occurs in (n, c); all of alpha 0 are (0, 0, 0, 0)."""
    seen = pixels.copy()
    if seen.shape[1] == 4:
        seen[seen[:, 3] == 0] = 0
    colors, counts = np.unique(seen, axis=0, return_counts=True)
    return {tuple(map(int, color)): int(count) for color, count in zip(colors, counts, strict=True)}


def remap(pixels: Array, colors: Array, labels: Array) -> Array:
    """Label (n,) of the colour of each of pixels (n, c)."""
    label_of = {bytes(color): label for color, label in zip(colors, labels, strict=True)}
    seen = pixels.copy()
    if seen.shape[1] == 4:
        seen[seen[:, 3] == 0] = 0
    return np.array([label_of[bytes(pixel)] for pixel in seen], dtype=labels.dtype)
