"""How well points fall into clusters: silhouette, simplified silhouette, Calinski-Harabasz and Davies-Bouldin scores.

In:  points (n, d), labels (n,), weights (n,): how often each point occurs.
Out: one number, that of the points written out as often as they occur.

References
----------
Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
Hruschka, de Castro and Campello, "Evolutionary algorithms for clustering gene-expression data", 2004 (simplified).
Calinski and Harabasz, "A dendrite method for cluster analysis", 1974.
Davies and Bouldin, "A cluster separation measure", 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import _kernels, _threads
from kmc._tiles import Tiles, real_type
from kmc._validate import real_array, whole_number
from kmc.errors import KmcTypeError, KmcValueError
from kmc.kmeans import as_points, as_weights, weighted_sum

__all__ = ["Clusters", "Silhouette", "calinski_harabasz", "davies_bouldin", "silhouette_score"]


class Silhouette(NamedTuple):
    """A mean, and its standard error: 0 where every point was asked."""

    mean: float
    error: float


def silhouette_score(
    points: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    sample: int | None = None,
    threads: int | None = None,
) -> float:
    """Mean silhouette of points in clusters (Rousseeuw 1987), as scikit-learn's ``silhouette_score``.

    The silhouette of a point is (b - a) / max(a, b): a is its mean distance to the others of its cluster, b the least
    mean distance to the points of another cluster. A point alone in its cluster has 0.

    Parameters
    ----------
    points : array_like (n, d)
        d from 1 to 4096. uint8 and float32 points are compared in float32, others in float64.
    labels : array_like (n,) of whole numbers
        The cluster of each point: 2 to n - 1 different ones.
    weights : array_like (n,), optional
        How often each point occurs, above 0; 1 if left out. The score is that of the points so often written out.
    sample : int, optional
        Ask so many points, chosen evenly within each cluster and always the same, and compare them with all. Left out,
        every point is asked, which takes time in proportion to n squared.
    threads : int, optional
        Every core if left out. Changes the time only.

    Returns
    -------
    float
        From -1 to 1; high where clusters are dense and far apart.

    Raises
    ------
    KmcValueError, KmcTypeError
        One sentence: what came, what is accepted, what to do.

    References
    ----------
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.

    Examples
    --------
    >>> import kmc
    >>> round(kmc.silhouette_score([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1]), 4)
    0.8997
    """
    n_threads = _threads.resolve(threads)
    rows = as_points(points)
    counts = np.ones(len(rows)) if weights is None else as_weights(weights, len(rows))
    members = counts > 0
    names, own = np.unique(_checked_labels(labels, len(rows))[members], return_inverse=True)
    if not 2 <= len(names) < counts.sum():
        raise KmcValueError(
            f"labels must name 2 to {max(2, int(counts.sum()) - 1)} clusters, got {len(names)}; "
            "a silhouette compares clusters of several points"
        )
    if sample is not None:
        sample = whole_number("sample", sample, 2, 2**31 - 1, "leave it out to ask every point")
    return Clusters(rows[members], own.ravel(), counts[members], n_threads).silhouette(sample).mean


def _checked_labels(labels: ArrayLike, n: int) -> NDArray[Any]:
    array = real_array("labels", labels, 1, "(n,)")
    if array.dtype.kind == "f":
        raise KmcTypeError(f"labels must be whole numbers, got dtype {array.dtype}; convert with .astype(np.int32)")
    if len(array) != n:
        raise KmcValueError(f"labels must have one entry for each of the {n} points, got {len(array)}; pass as many")
    return array


@dataclass(frozen=True, eq=False)
class _Order:
    """The points cluster by cluster: `rows` (n,) sorts them, cluster j stands at starts[j]:starts[j + 1]."""

    rows: NDArray[np.intp]
    starts: NDArray[np.int64]


class Clusters:
    """Points in k clusters.

    Parameters
    ----------
    points : ndarray (n, d) of uint8, float32 or float64
    labels : ndarray (n,) of integers from 0 to k - 1, each at least once
    weights : ndarray (n,) float64, above 0
    threads : int
    """

    def __init__(self, points: NDArray[Any], labels: NDArray[Any], weights: NDArray[np.float64], threads: int) -> None:
        self.points = np.ascontiguousarray(points)
        self.labels = labels.astype(np.int32)
        self.weights = weights
        self.threads = threads
        self.sizes: NDArray[np.float64] = np.bincount(self.labels, weights).astype(np.float64)
        self.k = len(self.sizes)

    @property
    def means(self) -> NDArray[np.float64]:
        """The clusters' means (k, d)."""
        sums = [np.bincount(self.labels, self.weights * axis, self.k) for axis in self.points.T.astype(np.float64)]
        means: NDArray[np.float64] = np.stack(sums, axis=1) / self.sizes[:, np.newaxis]
        return means

    def squared_distances(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distance (n,) of each point to the mean of its cluster."""
        dist2 = np.empty(len(self.points))
        _kernels.own_dist2(self.points, means, self.labels, dist2, self.threads)
        return dist2

    def silhouette(self, sample: int | None = None) -> Silhouette:
        """Give the mean silhouette: of all points, or of `sample` of them."""
        order = self._order()
        if sample is None or sample >= len(self.points):
            return Silhouette(self._mean(self._silhouettes(order, order.rows)), 0.0)
        sizes_of_sample = np.maximum(2, np.rint(sample * self.sizes / self.sizes.sum())).astype(np.int64)
        rows = np.concatenate([self._spread(order, j, m) for j, m in enumerate(sizes_of_sample)])
        values = np.split(self._silhouettes(order, rows), np.cumsum(sizes_of_sample)[:-1])
        shares = self.sizes / self.sizes.sum()
        errors = [share**2 * own.var(ddof=1) / len(own) for share, own in zip(shares, values, strict=True)]
        mean = sum(share * own.mean() for share, own in zip(shares, values, strict=True))
        return Silhouette(float(mean), float(np.sqrt(sum(errors))))

    def simplified_silhouette(self) -> float:
        """Give the mean silhouette with distances to the clusters' means in place of mean distances."""
        ones, starts = np.ones(self.k), np.arange(self.k + 1)
        rows = np.arange(len(self.points))
        real = real_type(self.points)
        values = self._by_kernel(rows, self.means.astype(real), np.ones(self.k, real), starts, ones, ones)
        return weighted_sum(values, self.weights, self.threads) / float(self.sizes.sum())

    def _order(self) -> _Order:
        rows = np.argsort(self.labels, kind="stable")
        return _Order(rows, np.searchsorted(self.labels[rows], np.arange(self.k + 1)).astype(np.int64))

    def _spread(self, order: _Order, cluster: int, n: int) -> NDArray[np.intp]:
        """Choose n rows of a cluster, evenly by weight in the order of the points."""
        rows = order.rows[order.starts[cluster] : order.starts[cluster + 1]]
        ends = np.cumsum(self.weights[rows])
        places = np.searchsorted(ends, (np.arange(n) + 0.5) / n * ends[-1])
        chosen: NDArray[np.intp] = rows[np.minimum(places, len(rows) - 1)]
        return chosen

    def _mean(self, values_in_order: NDArray[np.float64]) -> float:
        weights = self.weights[np.argsort(self.labels, kind="stable")]
        return weighted_sum(values_in_order, weights, self.threads) / float(self.sizes.sum())

    def _silhouettes(self, order: _Order, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        real = real_type(self.points)
        targets = np.ascontiguousarray(self.points[order.rows], dtype=real)
        weights = np.ascontiguousarray(self.weights[order.rows], dtype=real)
        return self._by_kernel(rows, targets, weights, order.starts, self.sizes, self.sizes - 1)

    def _by_kernel(
        self,
        rows: NDArray[np.intp],
        targets: NDArray[Any],
        weights: NDArray[Any],
        starts: NDArray[np.int64],
        sizes: NDArray[np.float64],
        others: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        points = np.ascontiguousarray(self.points[rows])
        origin = np.zeros(points.shape[1], dtype=real_type(points))
        tiles = Tiles(points, origin, self.threads).array
        values = np.empty(len(rows))
        threads = _threads.for_work(self.threads, len(rows) * targets.size)
        _kernels.silhouettes(tiles, self.labels[rows], targets, weights, starts, sizes, others, values, threads)
        return values


def calinski_harabasz(clusters: Clusters) -> float | None:
    """Between-cluster over within-cluster variance, by their degrees of freedom; None where nothing is within."""
    total, means = float(clusters.sizes.sum()), clusters.means
    within = weighted_sum(clusters.squared_distances(means), clusters.weights, clusters.threads)
    middle = (clusters.sizes[:, np.newaxis] * means).sum(axis=0) / total
    between = float((clusters.sizes * np.square(means - middle).sum(axis=1)).sum())
    if within == 0 or total == clusters.k:
        return None
    return between / (clusters.k - 1) / (within / (total - clusters.k))


def davies_bouldin(clusters: Clusters) -> float:
    """Mean over the clusters of the greatest (s_i + s_j) / d_ij: mean distances to the means over theirs."""
    means = clusters.means
    distances = np.sqrt(clusters.squared_distances(means)) * clusters.weights
    spreads = np.bincount(clusters.labels, distances, clusters.k) / clusters.sizes
    apart = np.sqrt(np.square(means[:, np.newaxis] - means).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    return float(((spreads[:, np.newaxis] + spreads) / apart).max(axis=1).mean())
