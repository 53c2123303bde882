"""k-means of a picture's colours: ColorHistogram -> centroids (k, c) in the space of :mod:`kmc.colorspace`.

Every colour of the histogram takes part with its count (in Oklab rounded to a grid of 8 bits). Two ways lead to the
same kind of result.

- The engine of ``color_kmeans.h`` (``init="auto"``, grey and RGB): Lloyd's rounds from coarse cells of the colour
  space to single colours, seeded by variance cuts (Wu, "Efficient statistical computations for optimal color
  quantization", Graphics Gems II, 1991) and a search that splits and merges clusters where that costs microseconds.
- :func:`kmc.kmeans.fit` on the points (any other start, and RGBA): the textbook's rounds, nothing else.

Entirely transparent pixels take no part: they are a palette entry of their own, if k allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc.colorspace import centroids_of_grid, grid_of, points_of
from kmc.histogram import ColorHistogram
from kmc.kmeans import fit, starting_centroids

if TYPE_CHECKING:
    from kmc._settings import Settings

__all__ = ["Clustering", "cluster_colors"]

# Rounds when none are asked for: convergence takes 10 to 200, and what never settles is stopped here.
MOST_ROUNDS = 1000
# With few colours one that changes sides is a large share, so a round of little gain says nothing about the next one:
# there the rounds go on until no label moves, which costs microseconds.
FEW_COLORS = 4096
# Small pictures: there the search is a larger part. With 6 trials single pictures were up to 1.7 % worse, with 8 0.3 %.
SMALL_PICTURE_PIXELS = 1_000_000
SMALL_PICTURE_TRIALS = (8, 6, 0)


class Effort(NamedTuple):
    """When to stop."""

    most_rounds: int  # on colours
    tol: float  # stop when a round lowers the inertia by at most this share of it
    coarse_tol: float  # the same on cells
    trials: tuple[int, int, int]  # of the search for better minima: on cells, on boxes, on colours


# tol: on 20 pictures of CQ100 at k=256 the mean MSE is .9945, .9965 and .9986 times that of converged k-means++ with
# 3e-4, 7e-4 and 1e-3; on 10 megapixels the worst is 1.0053 with 7e-4, 1.0039 with 5e-4. coarse_tol: 2e-3 is as good
# in the mean, but worse on single pictures at k=16. Trials: from 2.5 megapixels on 16 are as good as 32.
EFFORTS = {
    "fast": Effort(4, 2e-3, 2e-3, (6, 4, 0)),
    "balanced": Effort(MOST_ROUNDS, 5e-4, 1e-3, (16, 12, 0)),
    "best": Effort(MOST_ROUNDS, 1e-5, 1e-4, (300, 200, 100)),
}
# The engine keeps labels in 16 bits, one value of which means none.
ENGINE_MOST_COLORS = 65535


class Clustering(NamedTuple):
    """Centroids (k, c) float64, their inertia, how many rounds ran and whether they ended by themselves."""

    centroids: NDArray[np.float64]
    inertia: float
    n_iter: int
    converged: bool


def cluster_colors(histogram: ColorHistogram, init: str | NDArray[np.float64], settings: Settings) -> Clustering:
    """Find the k centroids of a histogram of more than k colours.

    Parameters
    ----------
    histogram : ColorHistogram
    init : {"auto", "random", "k-means++"} or ndarray (k, c) of 8-bit values
    settings : Settings
        Of which k, num_iterations, effort, space, seed and threads matter.

    Returns
    -------
    Clustering
        k centroids; the first is (0, 0, 0, 0) where there are transparent pixels and k is above 1.
    """
    k, num_iterations, effort, space, _, seed, threads, _ = settings
    apart = 1 if histogram.has_transparent and k > 1 else 0
    colors, counts = histogram.colors[apart:], histogram.counts[apart:]
    if isinstance(init, str) and init == "auto" and colors.shape[1] < 4 and k <= ENGINE_MOST_COLORS:
        grid, grid_counts = grid_of(ColorHistogram(colors, counts), space, threads)
        if len(grid) > k:
            return _by_engine(grid, grid_counts, settings)
    points, weights = points_of(colors, space, threads), counts.astype(np.float64)
    if not isinstance(init, str):
        init = points_of(np.rint(init).astype(np.uint8), space)[apart:].astype(np.float64)
    elif init == "auto":
        init = "k-means++"
    start = starting_centroids(init, points, weights, k - apart, (seed, 0), threads)
    rounds, tol = (EFFORTS[effort].most_rounds, 1e-4) if num_iterations is None else (num_iterations, 0.0)
    result = fit(points, weights, start, rounds, tol, "lloyd", threads)
    centroids = np.concatenate([np.zeros((apart, colors.shape[1])), result.centroids])
    return Clustering(centroids, result.inertia, result.n_iter, result.converged)


def _by_engine(colors: NDArray[np.uint8], counts: NDArray[np.int64], settings: Settings) -> Clustering:
    centroids = np.empty((settings.k, colors.shape[1]))
    rounds, tol, coarse_tol, trials = EFFORTS[settings.effort]
    if settings.num_iterations is not None:
        rounds, tol = settings.num_iterations, 0.0
    elif len(colors) <= FEW_COLORS:
        rounds, tol = MOST_ROUNDS, 0.0
    if settings.effort == "balanced" and counts.sum() < SMALL_PICTURE_PIXELS:
        trials = SMALL_PICTURE_TRIALS
    inertia, n_iter, converged = _kernels.color_kmeans(
        colors, counts, centroids, False, rounds, trials, tol, coarse_tol, settings.threads
    )
    return Clustering(centroids_of_grid(centroids, settings.space), inertia, n_iter, converged)
