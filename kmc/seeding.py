"""Where k-means starts: points (n, d) with weights -> centroids (k, d).

"random" takes k points, each with a probability proportional to its weight and none twice (Efraimidis and Spirakis,
"Weighted random sampling with a reservoir", 2006). "k-means++" spreads them: each next one is drawn with a probability
proportional to weight times squared distance to the nearest so far, and of 2 + log k such candidates the one that
leaves the least inertia is taken (Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007,
section 6; scikit-learn does the same). "maximin" begins at the mean and goes on to the point that is farthest from all
so far, whatever its weight (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; Celebi,
"Improving the performance of k-means for color quantization", 2011). "wu" and "pca" cut: :mod:`kmc.variance_cuts`.

Random numbers come from the raw 64-bit stream of PCG64, which numpy keeps the same from version to version.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc._threads import for_work
from kmc._tiles import Tiles, middle
from kmc.variance_cuts import variance_cuts

__all__ = ["DRAWN", "METHODS", "RandomStream", "kmeans_plus_plus", "maximin", "random_points", "starting_centroids"]

Points = NDArray[Any]

# Those that depend on the seed, and all.
DRAWN = ("k-means++", "random")
METHODS = (*DRAWN, "maximin", "wu", "pca")


class RandomStream:
    """Uniform doubles in [0, 1), the same for a seed in every version of numpy."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, size: int) -> NDArray[np.float64]:
        """Give `size` doubles."""
        raw = np.asarray(self._bits.random_raw(size), dtype=np.uint64)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_points(
    points: Points, weights: NDArray[np.float64] | None, k: int, stream: RandomStream
) -> NDArray[np.float64]:
    """Draw k different points, each with a probability proportional to its weight.

    Parameters
    ----------
    points : ndarray (n, d), n >= k
    weights : ndarray (n,) float64, or None for equal weights
    k : int
    stream : RandomStream

    Returns
    -------
    centroids : ndarray (k, d) float64
    """
    draws = stream.uniform(len(points))
    with np.errstate(divide="ignore"):
        # -log(u) / weight is the waiting time for a point; the k shortest win. Weight 0 waits for ever.
        waits = -np.log1p(-draws) if weights is None else -np.log1p(-draws) / weights
    chosen = np.argsort(waits, kind="stable")[:k]
    return points[chosen].astype(np.float64)


def kmeans_plus_plus(
    points: Points,
    weights: NDArray[np.float64] | None,
    k: int,
    stream: RandomStream,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Choose k points by greedy k-means++.

    Parameters
    ----------
    points : ndarray (n, d) of uint8, float32 or float64, C-contiguous, n >= k
    weights : ndarray (n,) float64, or None for equal weights
    k : int
    stream : RandomStream
    threads : int
        Changes the time only.

    Returns
    -------
    centroids : ndarray (k, d) float64
    """
    n, d = points.shape
    n_candidates = 2 + int(np.log(k))
    threads = for_work(threads, n * d * n_candidates)
    tiles = Tiles(points, middle(points), threads)
    closest = np.full(n, np.inf, dtype=tiles.origin.dtype)
    buffers = np.empty((2, n_candidates, n), dtype=closest.dtype)
    chosen = np.empty(k, dtype=np.intp)
    candidates, part_sums = np.array([_first(n, weights, stream)]), np.empty(0)
    for j in range(k):
        if j > 0:
            candidates = _draw(closest, weights, part_sums, stream.uniform(2 * n_candidates))
        brought_down = buffers[j % 2, : len(candidates)]
        potentials = _bring_down(closest, points[candidates], tiles, weights, brought_down, threads)
        best = int(np.argmin(potentials.sum(axis=0)))
        chosen[j] = candidates[best]
        closest, part_sums = brought_down[best], potentials[:, best]
    return points[chosen].astype(np.float64)


def maximin(points: Points, weights: NDArray[np.float64] | None, k: int, threads: int = 1) -> NDArray[np.float64]:
    """Choose the mean, then k - 1 points, each the farthest from the nearest so far; ties go to the first.

    Parameters
    ----------
    points : ndarray (n, d) of uint8, float32 or float64, C-contiguous
    weights : ndarray (n,) float64, or None for equal weights
        Of the mean; points of weight 0 are not chosen.
    k : int
    threads : int
        Changes the time only.

    Returns
    -------
    centroids : ndarray (k, d) float64
    """
    if weights is not None and weights.min() == 0:
        points, weights = points[weights > 0], weights[weights > 0]
    n, d = points.shape
    threads = for_work(threads, n * d)
    tiles = Tiles(points, middle(points), threads)
    buffers = np.full((2, 1, n), np.inf, dtype=tiles.origin.dtype)
    centroids = np.empty((k, d))
    centroids[0] = variance_cuts(points, weights, 1, principal=False)[0]
    for j in range(1, k):
        closest, brought_down = buffers[1 - j % 2, 0], buffers[j % 2]
        _bring_down(closest, centroids[j - 1 : j], tiles, None, brought_down, threads)
        centroids[j] = points[np.argmax(brought_down[0])]
    return centroids


def starting_centroids(
    init: str | NDArray[np.float64],
    points: Points,
    weights: NDArray[np.float64] | None,
    k: int,
    seed: tuple[int, ...],
    threads: int,
) -> NDArray[np.float64]:
    """Give the centroids (k, d) to start from: `init` itself, or chosen by its method, one of `METHODS`."""
    if not isinstance(init, str):
        return init
    if init == "random":
        return random_points(points, weights, k, RandomStream(*seed))
    if init == "k-means++":
        return kmeans_plus_plus(points, weights, k, RandomStream(*seed), threads)
    if init == "maximin":
        return maximin(points, weights, k, threads)
    return variance_cuts(points, weights, k, principal=init == "pca")


def _bring_down(
    closest: NDArray[Any],
    candidates: Points,
    tiles: Tiles,
    weights: NDArray[np.float64] | None,
    brought_down: NDArray[Any],
    threads: int,
) -> NDArray[np.float64]:
    """Give the weighted sums (parts, m) of OUT brought_down (m, n): `closest` (squared distances) by each candidate."""
    part_sums = np.empty((-(-len(closest) // _kernels.PART_SIZE), len(candidates)))
    from_origin = candidates.astype(closest.dtype) - tiles.origin
    _kernels.distances(tiles.array, from_origin, closest, weights, brought_down, part_sums, threads)
    return part_sums


def _first(n: int, weights: NDArray[np.float64] | None, stream: RandomStream) -> int:
    draw = stream.uniform(1)
    if weights is None:
        return int(draw[0] * n)
    return int(_search(np.cumsum(weights), draw)[0])


def _search(cumulative: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find where draws in [0, 1) fall, never past the last entry that has any weight (rounding may ask for it)."""
    found = np.searchsorted(cumulative, targets * cumulative[-1], side="right")
    last = np.searchsorted(cumulative, cumulative[-1], side="left")
    indices: NDArray[np.intp] = np.minimum(found, last)
    return indices


def _draw(
    closest: NDArray[Any],
    weights: NDArray[np.float64] | None,
    part_sums: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Draw points with a probability proportional to weight * closest: one draw for the part, one for the point."""
    parts = _search(np.cumsum(part_sums), draws[::2])
    chosen = np.empty(len(parts), dtype=np.intp)
    for i, part in enumerate(parts):
        start = int(part) * _kernels.PART_SIZE
        run = closest[start : start + _kernels.PART_SIZE].astype(np.float64)
        if weights is not None:
            run *= weights[start : start + _kernels.PART_SIZE]
        chosen[i] = start + _search(np.cumsum(run), draws[2 * i + 1 : 2 * i + 2])[0]
    return chosen
