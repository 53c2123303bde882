"""k-means of a picture's colours: ColorHistogram -> centroids (k, c) in the space of :mod:`kmc.colorspace`.

Every colour of the histogram takes part with its count (in Oklab rounded to a grid of 8 bits). Three ways lead to the
same kind of result.

- The engine of ``color_kmeans.h`` (``init="auto"``, grey and RGB): Lloyd's rounds from coarse cells of the colour
  space to single colours, seeded by variance cuts (Wu, "Efficient statistical computations for optimal color
  quantization", Graphics Gems II, 1991) and a search that splits and merges clusters where that costs microseconds.
- :mod:`kmc.alpha_kmeans` (``init="auto"``, RGBA): the same in four dimensions, where opaque colours only choose from
  opaque entries.
- :func:`kmc.kmeans.fit` on the points (any other start, and around fixed colours): the textbook's rounds, nothing
  else. Fixed colours are centroids that stay. The others start from all colours, and then again from those
  that the fixed ones are not nearest to.

Entirely transparent pixels take no part: they are a palette entry of their own, if k allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc.alpha_kmeans import fit_alpha
from kmc.colorspace import centroids_of_grid, grid_of, points_of
from kmc.histogram import ColorHistogram, keys_of
from kmc.kmeans import fit, nearest_centroids
from kmc.seeding import starting_centroids

if TYPE_CHECKING:
    from kmc._settings import Settings

__all__ = ["Clustering", "cluster_colors", "exceeds_palette"]

# Rounds when none are asked for: convergence takes 10 to 200, and what never settles is stopped here.
MOST_ROUNDS = 1000
# With few colours one that changes sides is a large share, so a round of little gain says nothing about the next one:
# there the rounds go on until no label moves, which costs microseconds.
FEW_COLORS = 4096


class Effort(NamedTuple):
    """When to stop."""

    most_rounds: int  # on colours
    tol: float  # stop when a round lowers the inertia by at most this share of it
    coarse_tol: float  # the same on cells
    trials: tuple[int, int, int]  # of the search for better minima: on cells, on more cells, on colours
    trials_of_few: tuple[int, int, int]  # the same for up to FEW_CLUSTERS
    # Noisy rounds, and a search that learns. Not where the palette is fitted to dithering: a start of less error gains
    # nothing there (12 pictures, k=16 and 64: 0.1 and 0.2 points of SSIMULACRA2 less, which is within the noise).
    thorough: bool = False
    on_cells: bool = False  # end on cells, without a round on colours, for up to CELLS_MOST_CLUSTERS


# Measured in benchmarks/README.md. "balanced": on 44 pictures of CQ100 and Kodak the worst MSE is 1.002 times that of
# converged k-means++, and 1.009 with a tol of 1e-3 and (8, 0) trials, which save a fifth of the fit at k=256. "fast":
# 8 trials give 0.1 % less at k=64; of 16 clusters the worst of these pictures has 1.031 times the error of "balanced"
# with 6 trials, 1.017 with 10.
EFFORTS = {
    "fast": Effort(3, 1e-3, 2e-3, (4, 0, 0), (10, 0, 0), on_cells=True),
    "balanced": Effort(MOST_ROUNDS, 5e-4, 1e-3, (8, 4, 0), (16, 0, 0)),
    "best": Effort(MOST_ROUNDS, 1e-5, 1e-4, (300, 200, 100), (300, 200, 100), thorough=True),
}
# Of the search with alpha, and the tol of its rounds.
ALPHA_TRIALS = {"fast": 6, "balanced": 24, "best": 200}
ALPHA_TOL = {"fast": 1e-3, "balanced": 5e-4, "best": 1e-5}
# Movement at which rounds around fixed colours end, from a start of the engine. 2.5 megapixels, 0.7 million colours,
# k=256: 1e-4, which is that of other rounds, takes 53 rounds, 1e-3 5, a fifth of the time for 0.2 % more MSE.
AROUND_FIXED_TOL = 1e-3
# Rounds on colours after those on cells lower the MSE of "fast" by 1 % at k=256, by 0.3 % at k=64.
CELLS_MOST_CLUSTERS = 64
FEW_CLUSTERS = 32
# The engine keeps labels in 16 bits, one value of which means none.
ENGINE_MOST_COLORS = 65535


class Clustering(NamedTuple):
    """Centroids (k, c) float64, their inertia, how many rounds ran and whether they ended by themselves.

    `keeps_opacity`: with alpha, opaque pixels have opaque centroids.
    """

    centroids: NDArray[np.float64]
    inertia: float
    n_iter: int
    converged: bool
    keeps_opacity: bool = False


def exceeds_palette(histogram: ColorHistogram, settings: Settings) -> bool:
    """Tell whether the colours, with those that are fixed, are more than k: only then is there something to find."""
    room, fixed = settings.k - len(histogram), settings.fixed
    if room < 0 or not len(fixed):
        return room < 0
    return int(np.count_nonzero(~np.isin(keys_of(fixed), keys_of(histogram.colors)))) > room


def cluster_colors(
    histogram: ColorHistogram,
    init: str | NDArray[np.float64],
    settings: Settings,
    trials: tuple[int, int, int] | None = None,
) -> Clustering:
    """Find the centroids of a histogram that :func:`exceeds_palette`.

    Parameters
    ----------
    histogram : ColorHistogram
    init : "auto", a method of :mod:`kmc.seeding`, or ndarray (k - f, c) of 8-bit values
    settings : Settings
        Of which k, num_iterations, effort, space, seed, threads and fixed (f, c) matter.
    trials : tuple of int, optional
        Of the engine's search, in place of the effort's.

    Returns
    -------
    Clustering
        The k - f centroids that are not fixed; the first is (0, 0, 0, 0) where there are transparent pixels, no fixed
        colour for them, and k is above 1.
    """
    fixed, threads = settings.fixed, settings.threads
    transparent = settings.k > 1 and histogram.has_transparent
    is_shown = fixed[:, 3] > 0 if fixed.shape[1] == 4 else np.ones(len(fixed), dtype=bool)
    shown = ColorHistogram(histogram.colors[int(transparent) :], histogram.counts[int(transparent) :])
    apart = int(transparent and bool(is_shown.all()) and settings.n_free > 0)
    n_free = settings.n_free - apart
    if n_free == 0:
        return Clustering(np.zeros((apart, histogram.colors.shape[1])), 0.0, 0, True)
    if not isinstance(init, str):
        init = points_of(np.rint(init[apart:]).astype(np.uint8), settings.space).astype(np.float64)
    elif init == "auto" and not len(fixed) and (clustering := _by_engine(shown, n_free, settings, trials)):
        if settings.effort == "best":  # now and then the shorter search ends lower
            quick = _by_engine(shown, n_free, settings._replace(effort="balanced"))
            assert quick is not None
            clustering = min(clustering, quick, key=lambda found: found.inertia)
        return clustering
    elif init == "auto" and not len(fixed) and n_free < len(shown) and shown.colors.shape[1] == 4:
        return _with_alpha(shown, n_free, apart, settings)
    points, weights = points_of(shown.colors, settings.space, threads), shown.counts.astype(np.float64)
    held = points_of(fixed[is_shown], settings.space).astype(np.float64).reshape(-1, points.shape[1])
    start = _start(shown, points, init, n_free, settings)
    if len(held) and isinstance(init, str):
        # Once more, for those colours alone that the fixed ones are not nearest to.
        rest = nearest_centroids(points, np.concatenate([held, start]), threads) >= len(held)
        if np.count_nonzero(rest) >= n_free:
            start = _start(ColorHistogram(shown.colors[rest], shown.counts[rest]), points[rest], init, n_free, settings)
    centroids = np.concatenate([held, start])
    rounds, tol = EFFORTS[settings.effort].most_rounds, 1e-4
    if len(held) and isinstance(init, str) and init == "auto" and settings.effort != "best":
        tol = AROUND_FIXED_TOL
    if settings.num_iterations is not None:
        rounds, tol = settings.num_iterations, 0.0
    result = fit(points, weights, centroids, rounds, tol, "lloyd", threads, len(held))
    found = np.concatenate([np.zeros((apart, points.shape[1])), result.centroids[len(held) :]])
    return Clustering(found, result.inertia, result.n_iter, result.converged)


def _with_alpha(shown: ColorHistogram, k: int, apart: int, settings: Settings) -> Clustering:
    """Find k centroids of colours with alpha, behind as many transparent ones as are `apart`."""
    effort = EFFORTS[settings.effort]
    rounds, tol = effort.most_rounds, ALPHA_TOL[settings.effort]
    if settings.num_iterations is not None:
        rounds, tol = settings.num_iterations, 0.0
    elif len(shown) <= FEW_COLORS:
        rounds, tol = MOST_ROUNDS, 0.0
    found = fit_alpha(
        shown.colors,
        shown.counts,
        settings.space,
        k,
        trials=ALPHA_TRIALS[settings.effort],
        rounds=rounds,
        tol=tol,
        coarse_tol=effort.coarse_tol,
        threads=settings.threads,
    )
    centroids = np.concatenate([np.zeros((apart, found.centroids.shape[1])), found.centroids])
    keeps_opacity = bool(found.n_opaque or shown.colors[-1, 3] < 255)
    return Clustering(centroids, found.inertia, found.n_iter, found.converged, keeps_opacity)


def _start(
    histogram: ColorHistogram,
    points: NDArray[Any],
    init: str | NDArray[np.float64],
    n_free: int,
    settings: Settings,
) -> NDArray[np.float64]:
    """Give centroids (n_free, d) for colours whose points these are: by the engine for "auto", if it can."""
    if isinstance(init, str) and init == "auto":
        if clustering := _by_engine(histogram, n_free, settings):
            return clustering.centroids
        init = "k-means++"
    weights = histogram.counts.astype(np.float64)
    return starting_centroids(init, points, weights, n_free, (settings.seed, 0), settings.threads)


def _by_engine(
    histogram: ColorHistogram, k: int, settings: Settings, own_trials: tuple[int, int, int] | None = None
) -> Clustering | None:
    """Find k centroids; None for alpha, for too many, and where the engine's grid has no more than k points."""
    if histogram.colors.shape[1] == 4 or k > ENGINE_MOST_COLORS:
        return None
    colors, counts = grid_of(histogram, settings.space, settings.threads)
    if len(colors) <= k:
        return None
    centroids = np.empty((k, colors.shape[1]))
    rounds, tol, coarse_tol, trials, trials_of_few, thorough, on_cells = EFFORTS[settings.effort]
    trials = own_trials or (trials_of_few if k <= FEW_CLUSTERS else trials)
    on_cells = on_cells and k <= CELLS_MOST_CLUSTERS
    if settings.num_iterations is not None:
        rounds, tol, on_cells = settings.num_iterations, 0.0, False
    elif len(colors) <= FEW_COLORS:
        rounds, tol, on_cells = MOST_ROUNDS, 0.0, False
    thorough = thorough and own_trials is None and settings.dithering is None
    options = (centroids, False, rounds, trials, thorough, tol, coarse_tol, on_cells, settings.threads)
    found = _kernels.color_kmeans(colors, counts, *options)
    found = found or _kernels.color_kmeans(colors, _within_bounds(counts), *options)
    assert found
    inertia, n_iter, converged = found
    return Clustering(centroids_of_grid(centroids, settings.space), inertia, n_iter, converged)


def _within_bounds(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give counts that the engine can add up: of very many pixels, of many pictures or with weights, their ratios."""
    excess = max(int(counts.max()) >> 30, int(counts.sum()) >> 37)
    return np.maximum(counts >> excess.bit_length(), 1) if excess else counts
