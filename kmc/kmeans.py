"""k-means of points of any dimension: points (n, d) with weights -> centroids (k, d), labels (n,).

Rounds of assignment (each point to its nearest centroid, squared Euclidean distance, ties to the lowest index) and
update (each centroid to the weighted mean of its points), until no label changes or the centroids hardly move (Lloyd,
"Least squares quantization in PCM", 1982). Two ways to assign give the same labels, bit for bit: "lloyd" computes a
score for every centroid with vectors, from a transposed copy of the points; "elkan" skips those that the triangle
inequality rules out (Elkan, 2003).

The update is in place: only points that changed cluster move between the sums, which are float64 and taken afresh every
`FRESH_EVERY` rounds and before the end, so that their drift cannot be measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import _kernels, _threads
from kmc._tiles import Tiles, middle, real_type
from kmc._validate import choice, real_array, real_number, whole_number
from kmc.errors import KmcTypeError, KmcValueError
from kmc.seeding import DRAWN, METHODS, starting_centroids

__all__ = ["KMeansResult", "kmeans"]

Points = NDArray[Any]
Centroids = NDArray[np.float64]
Labels = NDArray[np.int32]
Weights = NDArray[np.float64]

MOST_DIMENSIONS = 4096
MOST_CLUSTERS = 1 << 24  # labels travel in float32 lanes
FRESH_EVERY = 16
POINTS_AT_ONCE = 1 << 18  # where there is one round only, so that a transposed copy stays small


@dataclass(frozen=True, eq=False)
class KMeansResult:
    """What k-means found.

    Attributes
    ----------
    centroids : ndarray (k, d) float64
    labels : ndarray (n,) int32
        Index of the nearest centroid of each point.
    inertia : float
        Sum over the points of weight times squared distance to the nearest centroid.
    n_iter : int
        Rounds of assignment and update that ran.
    converged : bool
        Whether the rounds ended by themselves, before `num_iterations`.
    """

    centroids: Centroids
    labels: Labels
    inertia: float
    n_iter: int
    converged: bool

    def __repr__(self) -> str:
        k, d = self.centroids.shape
        state = "converged" if self.converged else "not converged"
        return (
            f"KMeansResult(k={k}, d={d}, n={len(self.labels)}, inertia={self.inertia:.6g}, "
            f"n_iter={self.n_iter}, {state})"
        )


def kmeans(
    points: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    init: str | ArrayLike = "k-means++",
    num_iterations: int = 300,
    tol: float = 1e-4,
    algorithm: str = "auto",
    n_init: int = 1,
    seed: int = 0,
    threads: int | None = None,
) -> KMeansResult:
    """Cluster points into k groups of least inertia.

    Parameters
    ----------
    points : array_like (n, d), 1 <= d <= 4096
        uint8, float32 and float64 are used as they are, other real types are converted to float64. Labels are those
        of float64 arithmetic for each.
    k : int
        Number of clusters, 1 to n.
    weights : array_like (n,), optional
        Non-negative, not all zero. A point of weight 2 counts as two points.
    init : {"k-means++", "random", "maximin", "wu", "pca"} or array_like (k, d)
        How the rounds start: greedy k-means++, k points at random, the farthest points, cuts across the axis that leave
        the least inertia, the same across principal axes, or these centroids. See :mod:`kmc.seeding`.
    num_iterations : int
        The most rounds of assignment and update.
    tol : float
        Stop when the squared movement of all centroids together is at most `tol` times the mean variance of the
        coordinates (weighted, if there are weights). 0: stop when no label changes.
    algorithm : {"auto", "lloyd", "elkan"}
        Changes the time and the memory (elkan keeps n * k bounds), never the result.
    n_init : int
        How many starts; the result of least inertia is returned. One if `init` leaves nothing to chance.
    seed : int
        From 0 up; the same seed gives the same result.
    threads : int, optional
        Every core if left out. Changes the time only.

    Returns
    -------
    KMeansResult

    Raises
    ------
    KmcValueError, KmcTypeError
        One sentence: what came, what is accepted, what to do.

    Notes
    -----
    A cluster that loses all its points gets the point that contributes most to the inertia.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", 1982. Elkan, "Using the triangle inequality to accelerate k-means",
    2003. Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007. Gonzalez, "Clustering to
    minimize the maximum intercluster distance", 1985. Wu, "Efficient statistical computations for optimal color
    quantization", 1991. Su and Dy, "In search of deterministic methods for initializing k-means and Gaussian mixture
    clustering", 2007.

    Examples
    --------
    >>> import kmc
    >>> result = kmc.kmeans([[0.0], [1.0], [10.0], [11.0]], 2)
    >>> sorted(result.centroids.ravel().tolist())
    [0.5, 10.5]
    >>> result.inertia
    1.0
    """
    array = as_points(points)
    n = len(array)
    k = whole_number("k", k, 1, min(n, MOST_CLUSTERS), f"there are {n} points, so use k up to {n}")
    point_weights = None if weights is None else as_weights(weights, n)
    start = init if isinstance(init, str) else as_centroids(init, k, array)
    if isinstance(start, str):
        choice("init", start, METHODS)
    num_iterations = whole_number("num_iterations", num_iterations, 1, 2**31 - 1, "300 is the default")
    tol = real_number("tol", tol, 0, "use 0 to run until no label changes")
    choice("algorithm", algorithm, ("auto", "lloyd", "elkan"))
    n_init = whole_number("n_init", n_init, 1, 2**31 - 1, "1 is the default")
    seed = whole_number("seed", seed, 0, 2**63 - 1, "0 is the default")
    n_threads = _threads.resolve(threads)

    runs = n_init if isinstance(start, str) and start in DRAWN else 1
    best: KMeansResult | None = None
    for run in range(runs):
        centroids = starting_centroids(start, array, point_weights, k, (seed, run), n_threads)
        result = fit(array, point_weights, centroids, num_iterations, tol, algorithm, n_threads)
        if best is None or result.inertia < best.inertia:
            best = result
    assert best is not None
    return best


def fit(
    points: Points,
    weights: Weights | None,
    centroids: Centroids,
    num_iterations: int,
    tol: float,
    algorithm: str,
    threads: int,
    n_fixed: int = 0,
) -> KMeansResult:
    """Run the rounds from `centroids` (k, d), of which the first `n_fixed` stay; arguments as in :func:`kmeans`."""
    n, d = points.shape
    threads = _threads.for_work(threads, n * d * len(centroids))
    assigner = _assigner(algorithm, points, centroids, threads)
    sums = _ClusterSums(points, weights, len(centroids), threads, n_fixed)
    most_shift2 = tol * _mean_variance(points, weights, threads) if tol > 0 else 0.0
    labels = np.zeros(n, dtype=np.int32)
    n_iter, converged, stable = 0, False, False
    while n_iter < num_iterations and not converged:
        n_iter += 1
        old_labels = labels.copy()
        assigner.assign(centroids, labels)
        moved = sums.update(None if n_iter == 1 else old_labels, labels)
        stable = n_iter > 1 and moved == 0
        if stable:
            sums.refresh(labels)
        stable &= not sums.refill_empty(labels, centroids, assigner)
        new_centroids = sums.means(centroids)
        shift2 = float(np.square(new_centroids - centroids).sum())
        assigner.centroids_moved(centroids, new_centroids)
        centroids = new_centroids
        stable &= shift2 == 0
        converged = stable or shift2 <= most_shift2
    if not stable:
        assigner.assign(centroids, labels)
    dist2 = assigner.own_dist2(centroids, labels)
    inertia = weighted_sum(dist2, weights, threads)
    return KMeansResult(centroids, labels, inertia, n_iter, converged)


class _Centroids:
    """The centroids of one round as the kernels want them: see ``kmc_kernels.h``.

    Attributes
    ----------
    exact : ndarray (k, d) float64
    transposed : ndarray (d, stride)
        These and the following in the real type of the points.
    panels : ndarray (stride / PANEL_CENTROIDS, d, PANEL_CENTROIDS)
    half_norms : ndarray (stride,)
    farthest : float
        The greatest distance from the origin.
    """

    def __init__(self, exact: Centroids, origin: NDArray[Any]) -> None:
        real, (k, d) = origin.dtype, exact.shape
        stride = padded(k)
        self.exact = exact
        self.transposed = np.full((d, stride), np.inf, dtype=real)
        self.half_norms = np.full(stride, np.inf, dtype=real)
        from_origin = np.zeros((stride, d))
        with np.errstate(over="ignore", invalid="ignore"):  # centroids that were given may be anywhere
            self.transposed[:, :k] = exact.T
            from_origin[:k] = origin - exact
            half_norms = 0.5 * np.square(from_origin[:k]).sum(axis=1)
            self.half_norms[:k] = half_norms
            panels = from_origin.reshape(-1, _kernels.PANEL_CENTROIDS, d).transpose(0, 2, 1)
            self.panels = np.ascontiguousarray(panels.astype(real))
        self.farthest = float(np.sqrt(2 * half_norms.max()))


def padded(k: int) -> int:
    """Round k up to whole blocks of centroids."""
    block = int(_kernels.BLOCK_CENTROIDS)
    return -(-k // block) * block


class _Assigner:
    """Finds the nearest centroid of every point by computing every distance ("lloyd").

    Distances are computed in the real type of the points first; see ``kmc_kernels.h`` for the definition that decides
    where two are too close to call.
    """

    def __init__(self, points: Points, centroids: Centroids, threads: int) -> None:
        d = points.shape[1]
        self._points = points
        self._threads = threads
        self._real = real_type(points)
        # Rounding a coordinate moves it by half an epsilon; underflow takes less than 1e-17 off a float32 distance.
        epsilon = float(np.finfo(self._real).eps)
        largest = max(largest_coordinate(points), largest_coordinate(centroids))
        self._relative = (d + 16) * epsilon
        self._absolute = 1e-152 if self._real == np.float64 else epsilon * largest * d**0.5 + 2e-17
        self._origin = middle(points)
        self._tiles: Tiles | None = None
        self._farthest = 0.0

    def _tiled(self) -> Tiles:
        if self._tiles is None:
            self._tiles = Tiles(self._points, self._origin, self._threads)
            self._farthest = self._tiles.farthest
        return self._tiles

    def _bounds(self, centroids: _Centroids) -> NDArray[Any]:
        """Give (relative, absolute, margin, margin_per_norm) of ``kmc_kernels.h``, rounded up.

        With u the unit roundoff of real and w that of float64, x and c a point and a centroid less the origin: d + 1
        multiply-adds, the rounding of both factors and the sum with the margin change a score by at most
        (d + 10) u |x| |c| + (d + 8) u |c|^2; half the definition's own error is at most
        (d + 2) w (|x|^2 / 2 + |x| |c| + |c|^2 / 2). Two scores are compared, and products may underflow.
        """
        d, real = self._points.shape[1], np.finfo(self._real)
        tiny, u, w = d * float(real.smallest_subnormal), 0.5 * float(real.eps), 2.0**-53
        per_norm = (d + 10) * u * centroids.farthest + (d + 2) * w * (0.5 * self._farthest + centroids.farthest)
        margin = ((d + 8) * u + (d + 2) * w) * centroids.farthest**2
        bounds = [self._relative, self._absolute, 2.02 * margin + 6 * tiny, 2.02 * per_norm + 2 * tiny]
        with np.errstate(over="ignore"):
            rounded_up: NDArray[Any] = np.nextafter(np.array(bounds, dtype=self._real), self._real.type(np.inf))
        return rounded_up

    def assign(self, centroids: Centroids, labels: Labels) -> None:
        """OUT labels (n,); IN too, as they were the last time."""
        tiles = self._tiled()
        known = _Centroids(centroids, self._origin)
        _kernels.assign(
            self._points, tiles.array, known.exact, known.transposed, known.panels, known.half_norms,
            self._bounds(known), labels, self._threads,
        )  # fmt: skip

    def centroids_moved(self, old: Centroids, new: Centroids) -> None:
        """Tell that the centroids are elsewhere."""

    def relabelled(self, chosen: NDArray[np.intp]) -> None:
        """Tell that these points were given another label from outside."""

    def own_dist2(self, centroids: Centroids, labels: Labels) -> NDArray[np.float64]:
        """Squared distance (n,) of each point to the centroid of its label."""
        dist2 = np.empty(len(labels))
        _kernels.own_dist2(self._points, centroids, labels, dist2, self._threads)
        return dist2


class _Elkan(_Assigner):
    """Computes only the distances that the triangle inequality leaves open; elkan.inc.h explains the bounds."""

    def __init__(self, points: Points, centroids: Centroids, threads: int) -> None:
        super().__init__(points, centroids, threads)
        n, stride = len(points), padded(len(centroids))
        self._travelled = np.zeros(stride, dtype=self._real)
        self._upper = np.full(n, np.inf, dtype=self._real)
        self._lower = np.zeros((n, stride), dtype=self._real)

    def assign(self, centroids: Centroids, labels: Labels) -> None:
        known = _Centroids(centroids, self._origin)
        half = np.full((len(centroids), len(self._travelled)), np.inf, dtype=self._real)
        half[:, : len(centroids)] = self._half_distances(centroids)
        _kernels.elkan_assign(
            self._points, known.exact, known.transposed, known.panels, known.half_norms, self._bounds(known), half,
            half.min(axis=1), self._travelled, labels, self._upper, self._lower, self._threads,
        )  # fmt: skip

    def _half_distances(self, centroids: Centroids) -> NDArray[np.float64]:
        """Half the distances between centroids (k, k), rounded down; infinite from each to itself."""
        k, d = centroids.shape
        tiles = Tiles(centroids, np.zeros(d), self._threads)
        dist2, unused = np.empty((k, k)), np.empty((-(-k // _kernels.PART_SIZE), k))
        _kernels.distances(tiles.array, centroids, np.full(k, np.inf), None, dist2, unused, self._threads)
        half: NDArray[np.float64] = np.sqrt(dist2, out=dist2)
        half *= 0.5 * (1 - 2 * self._relative)
        np.fill_diagonal(half, np.inf)
        return half

    def centroids_moved(self, old: Centroids, new: Centroids) -> None:
        drift = np.sqrt(np.square(new - old).sum(axis=1))
        travelled = self._travelled[: len(drift)]
        travelled[:] = (travelled + drift) * (1 + 4 * np.finfo(self._real).eps)

    def relabelled(self, chosen: NDArray[np.intp]) -> None:
        self._upper[chosen] = np.inf


def _assigner(algorithm: str, points: Points, centroids: Centroids, threads: int) -> _Assigner:
    # "auto" is "lloyd", which was faster for every shape and data that were measured. Elkan's processor time over
    # Lloyd's, 100000 points in clusters: d=64 1.8 (k=64) and 1.2 (k=256), d=128 1.4 and 1.2; 10000 points, d=512 1.4,
    # d=1024 1.5; 2 to 8 for uniform points and below d=64.
    return (_Elkan if algorithm == "elkan" else _Assigner)(points, centroids, threads)


class _ClusterSums:
    """Weighted coordinate sums and weights of the clusters, kept up as points change cluster."""

    def __init__(self, points: Points, weights: Weights | None, k: int, threads: int, n_fixed: int = 0) -> None:
        self._n_fixed = n_fixed
        self._points = points
        self._weights = weights
        self._threads = threads
        self._sums = np.zeros((k, points.shape[1]))
        self._weight_sums = np.zeros(k)
        self._rounds = 0

    def update(self, old_labels: Labels | None, labels: Labels) -> int:
        """Take in one round of labels; give how many points changed cluster."""
        self._rounds += 1
        if old_labels is None or self._rounds >= FRESH_EVERY:
            moved = len(labels) if old_labels is None else int((old_labels != labels).sum())
            self.refresh(labels)
            return moved
        return self._move(old_labels, labels)

    def refresh(self, labels: Labels) -> None:
        """Sum afresh, which takes off the rounding errors of the moves."""
        self._rounds = 0
        self._sums[:] = 0
        self._weight_sums[:] = 0
        self._move(None, labels)

    def _move(self, old_labels: Labels | None, labels: Labels) -> int:
        return int(
            _kernels.update(
                self._points,
                self._weights,
                old_labels,
                labels,
                self._sums,
                self._weight_sums,
                self._threads,
            )
        )

    def _empty(self, labels: Labels) -> NDArray[np.intp]:
        # Moves may leave a rest of 1e-17 where a weight went in and out: look again before calling it a weight.
        if self._weights is not None and self._rounds and self._weight_sums.min() <= 1e-9 * self._weight_sums.max():
            self.refresh(labels)
        return self._n_fixed + np.flatnonzero(self._weight_sums[self._n_fixed :] <= 0)

    def refill_empty(self, labels: Labels, centroids: Centroids, assigner: _Assigner) -> bool:
        """Give each empty cluster the point that contributes most error; tell whether any was given."""
        empty = self._empty(labels)
        if not len(empty):
            return False
        errors = assigner.own_dist2(centroids, labels)
        if self._weights is not None:
            errors *= self._weights
        worst = np.argsort(-errors, kind="stable")[: len(empty)]
        worst = worst[errors[worst] > 0]
        for cluster, point in zip(empty, worst, strict=False):
            weight = 1.0 if self._weights is None else self._weights[point]
            coordinates = weight * self._points[point].astype(np.float64)
            self._sums[labels[point]] -= coordinates
            self._weight_sums[labels[point]] -= weight
            self._sums[cluster] = coordinates
            self._weight_sums[cluster] = weight
            labels[point] = cluster
        assigner.relabelled(worst)
        return len(worst) > 0

    def means(self, centroids: Centroids) -> Centroids:
        """Give the new centroids (k, d); one that is fixed or without weight stays where it was."""
        weight, moved = self._weight_sums[self._n_fixed :, None], centroids.copy()
        np.divide(self._sums[self._n_fixed :], weight, out=moved[self._n_fixed :], where=weight > 0)
        return moved


def weighted_sum(values: NDArray[Any], weights: Weights | None, threads: int) -> float:
    """Give the sum of weights * values (n,), the same for any number of threads."""
    part_sums = np.empty(-(-len(values) // _kernels.PART_SIZE))
    _kernels.weighted_sums(values, weights, part_sums, threads)
    return float(np.cumsum(part_sums)[-1])  # cumsum adds in order; sum would add in pairs


def _mean_variance(points: Points, weights: Weights | None, threads: int) -> float:
    """Weighted variance of each coordinate, averaged over the coordinates."""
    labels = np.zeros(len(points), dtype=np.int32)
    sums = _ClusterSums(points, weights, 1, threads)
    sums.refresh(labels)
    mean = sums.means(np.zeros((1, points.shape[1])))
    dist2 = np.empty(len(points))
    _kernels.own_dist2(points, mean, labels, dist2, threads)
    total_weight = len(points) if weights is None else weights.sum()
    return float(weighted_sum(dist2, weights, threads) / total_weight / points.shape[1])


def nearest_centroids(points: Points, centroids: Centroids, threads: int) -> Labels:
    """Give the index (n,) of the nearest of centroids (k, d) to each of points (n, d)."""
    labels = np.empty(len(points), dtype=np.int32)
    threads = _threads.for_work(threads, points.size * len(centroids))
    for start in range(0, len(points), POINTS_AT_ONCE):
        part = slice(start, start + POINTS_AT_ONCE)
        _Assigner(points[part], centroids, threads).assign(centroids, labels[part])
    return labels


def as_points(points: ArrayLike) -> Points:
    """Check `points` and give them as a C-contiguous (n, d) array of uint8, float32 or float64."""
    array = real_array("points", points, 2, "(n, d)")
    n, d = array.shape
    if n == 0 or d == 0:
        raise KmcValueError(
            f"points must hold at least one point of one dimension, got shape {array.shape}; add points"
        )
    if d > MOST_DIMENSIONS:
        raise KmcValueError(f"points must have at most {MOST_DIMENSIONS} dimensions, got {d}; reduce them first")
    if array.dtype not in (np.uint8, np.float32, np.float64):
        array = array.astype(np.float64)
    array = np.ascontiguousarray(array)
    if array.dtype == np.uint8:
        return array
    largest = largest_coordinate(array)
    if array.dtype == np.float32 and largest > 0 and not 1e-15 < largest < 1e15:
        array = array.astype(np.float64)  # squared distances would leave the range of float32
    if largest > 1e150:
        raise KmcValueError(f"points must be at most 1e150 in size, got {largest:g}; scale them down")
    return array


def largest_coordinate(points: Points) -> float:
    """Give the largest absolute value among the coordinates."""
    return max(float(points.max()), -float(points.min()))


def as_weights(weights: ArrayLike, n: int) -> Weights:
    """Check `weights` and give them as float64 (n,)."""
    array = real_array("weights", weights, 1, "(n,)").astype(np.float64)
    if len(array) != n:
        raise KmcValueError(f"weights must be one for each of the {n} points, got {len(array)}; pass {n} weights")
    if array.min() < 0:
        raise KmcValueError(f"weights must not be negative, got {array.min():g}; use 0 to leave a point out")
    if array.max() == 0:
        raise KmcValueError("weights must not all be zero, got only zeros; give at least one point a weight above 0")
    return array


def as_centroids(init: Any, k: int, points: Points) -> Centroids:
    """Check an array `init` and give it as (k, d) in the type of the arithmetic."""
    if init is None:
        raise KmcTypeError("init must be a word or an array (k, d), got None; leave it out for the default")
    array = real_array("init", init, 2, "(k, d)")
    if array.shape != (k, points.shape[1]):
        raise KmcValueError(
            f"init must have shape (k, d) = {(k, points.shape[1])}, got {array.shape}; pass one row for each cluster"
        )
    return np.ascontiguousarray(array, dtype=np.float64)
