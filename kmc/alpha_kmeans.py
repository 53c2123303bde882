"""k-means of colours with alpha: colors (u, 4) and counts -> centroids (k, 4), opaque entries last.

Opaque pixels shall become opaque entries and nothing else. So entries are of two kinds: opaque ones, whose alpha is
held and which opaque colours choose from, and free ones; translucent colours choose from all. Each round is the least
inertia under that rule: the mean of an opaque entry's points, its alpha held. Without the rule, opaque pixels in
clusters that become translucent would end at whatever opaque entry is left.

Points are those of dithering (``dither.h``), in eighths of a level, and centroids are rounded to these where points
choose. They stand in Z-order, and what agrees in the upper bits of its key is a cell. Rounds run on about `FEW_CELLS`
cells first, then on `MANY_CELLS`, then on all; blocks of neighbours are only compared with the centroids that can be
the nearest to one of them.

How many entries are opaque is found by the search: a cluster is split, or the translucent part of an opaque one set
apart, and another cluster merged away for it; rounds follow, and what has less inertia is kept (after Fritzke, "The
breathing k-means algorithm", arXiv 2006.15666). It runs on cells, where a round takes a fraction of a millisecond, and
starts from variance cuts of opaque and translucent cells apart.

All sums are integers: the result is the same for any number of threads and any instruction set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.dither import points_of_pixels

__all__ = ["AlphaFit", "fit_alpha"]

Array = NDArray[np.float64]
Labels = NDArray[np.int32]
Points = NDArray[np.int16]

DIMENSIONS = 4
# So many colours or fewer are not joined at all, more in cells: those that agree to within a level, and about so many.
FEW_COLORS = 4096
FEW_CELLS, MANY_CELLS = 4096, 32768
# About so many centroids, of many, are compared with a point.
NEAR = 32
# In place of the number of bits that points of a cell may differ in.
SINGLE_COLORS = -1
# The least values of points.
LOWS = {"srgb": (0, 0, 0, 0), "oklab": (0, -480, -640, 0), "ycc": (0, -852, -820, 0)}
# From the points of dithering to those of kmc.colorspace: their zeros (where it is not 0, by channel) and scales.
ZEROS = {"srgb": (1020, 1020, 1020, 0), "oklab": (1020, 0, 0, 0), "ycc": (1020, 0, 0, 0)}
SCALES = {"srgb": 63.75, "oklab": 0.125, "ycc": 0.125}
# Of a step that a centroid made, so much is added to the next one while the inertia falls.
MOMENTUM = 0.8
# Of the search. Rounds after a swap, and how much of their last gain the rest of them may be hoped to bring.
ROUNDS_OF_TRIAL = 5
HOPE = 1.0
# Swaps at once at first, one for so many clusters; single ones are tried among so many cheapest and widest.
CLUSTERS_A_SWAP = 8
RANKS = 8
# A split at the mean of a uniform distribution saves 3/4 of the spread, of a normal one 2/pi.
SPLIT_SAVES = 0.7


class AlphaFit(NamedTuple):
    """Centroids (k, 4), the last `n_opaque` opaque, their inertia, rounds, and whether these ended by themselves."""

    centroids: Array
    n_opaque: int
    inertia: float
    n_iter: int
    converged: bool


class _State(NamedTuple):
    """Centroids, and the labels that led to them, whose inertia about them is given."""

    centroids: Array  # (k, 4)
    n_opaque: int
    labels: Labels
    inertia: float


class _Cloud:
    """Weighted points (n, 4), the last of them opaque."""

    def __init__(self, cells: _kernels.AlphaCells, opacity: float, threads: int) -> None:
        self.cells, self.opacity = cells, opacity
        self.n_soft = cells.n_soft
        self._threads = threads

    def __len__(self) -> int:
        return len(self.cells)

    def round(self, centroids: Array, n_opaque: int) -> _State:
        """Assign all points, and move the centroids to the means."""
        k, labels = len(centroids), np.empty(len(self), dtype=np.int32)
        threads = _threads.for_work(self._threads, len(self) * min(k, NEAR))
        sums = self.cells.round(np.rint(centroids).astype(np.int16), n_opaque, labels, threads).astype(np.float64)
        totals, weights = sums[:, :DIMENSIONS], sums[:, DIMENSIONS:]
        moved = centroids.copy()
        np.divide(totals, weights, out=moved, where=weights > 0)
        moved[k - n_opaque :, 3] = self.opacity
        saved = 2 * totals * moved - weights * np.square(moved)
        return _State(moved, n_opaque, labels, self.cells.squares - float(np.cumsum(saved)[-1]))


def fit_alpha(
    colors: NDArray[np.uint8],
    counts: NDArray[np.int64],
    space: str,
    k: int,
    *,
    trials: int,
    rounds: int,
    tol: float,
    coarse_tol: float,
    threads: int,
) -> AlphaFit:
    """Find k centroids.

    Parameters
    ----------
    colors : ndarray (u, 4) uint8
        The opaque ones last, none entirely transparent; u > k.
    counts : ndarray (u,) int64
    space : {"srgb", "oklab"}
    k : int
        With one entry it has no kind: it is the mean.
    trials : int
        Of the search.
    rounds : int
        The most on colours.
    tol, coarse_tol : float
        End where a round lowers the inertia by at most this share of it, on colours and on cells.
    threads : int
        Changes the time only.

    Returns
    -------
    AlphaFit
        In the space of :func:`kmc.colorspace.points_of`.
    """
    clouds = _clouds(colors, counts, space, k, threads)
    state = _first(clouds[0], k)
    state, _, _ = _rounds(clouds[0], state, 2 * ROUNDS_OF_TRIAL if trials else 1, coarse_tol)
    state = _search(clouds[0], state, trials)
    for cells in clouds[:-1]:
        state, _, _ = _rounds(cells, state, rounds, coarse_tol)
    state, n_iter, converged = _rounds(clouds[-1], state, rounds, tol)
    scale = SCALES[space]
    centroids = (state.centroids - ZEROS[space]) * scale
    return AlphaFit(centroids, state.n_opaque, max(state.inertia, 0.0) * scale**2, n_iter, converged)


def _clouds(colors: NDArray[np.uint8], counts: NDArray[np.int64], space: str, k: int, threads: int) -> list[_Cloud]:
    """Give the points from coarse cells to fine ones."""
    points = points_of_pixels(colors, space, 0, threads)
    n_soft = len(colors) - int(np.count_nonzero(colors[:, 3] == 255))
    opacity = float(points[-1, 3]) if n_soft < len(colors) else 0.0
    ordered = _kernels.AlphaPoints(points, counts, n_soft, np.array(LOWS[space], dtype=np.int16), threads)
    shifts = [SINGLE_COLORS]
    if len(points) > max(FEW_COLORS, 2 * k):
        n_cells = np.cumsum(ordered.splits()[::-1])[::-1]  # with so many bits left out
        shifts = [int(np.argmax(n_cells < max(most, 4 * k))) for most in (FEW_CELLS, MANY_CELLS, len(points))]
    return [_Cloud(ordered.cells(shift), opacity, threads) for shift in dict.fromkeys(shifts)]


def _first(cloud: _Cloud, k: int) -> _State:
    """Cut opaque and translucent points apart, and then both where there is most inertia."""
    if k == 1:
        return cloud.round(np.zeros((1, DIMENSIONS)), int(cloud.n_soft == 0))
    means, is_opaque = cloud.cells.cuts(k)
    order = np.argsort(is_opaque, kind="stable")
    means = np.concatenate([np.repeat(means[order[:1]], k - len(means), axis=0), means[order]])
    return cloud.round(means, int(np.count_nonzero(is_opaque)))


def _rounds(cloud: _Cloud, state: _State, most: int, tol: float) -> tuple[_State, int, bool]:
    """Go on until a round gains little; with tol 0 until no label changes."""
    best, n_iter, converged, speed = state._replace(inertia=np.inf), 0, False, 0.0
    centroids, means = state.centroids, state.centroids
    while n_iter < most and not converged:
        state = cloud.round(centroids, state.n_opaque)
        n_iter += 1
        gain, is_plain = best.inertia - state.inertia, speed == 0
        if tol > 0:
            converged = is_plain and gain <= tol * state.inertia
            speed = MOMENTUM if gain > tol * state.inertia else 0.0
        else:
            converged = len(state.labels) == len(best.labels) and bool((state.labels == best.labels).all())
        best = state if gain >= 0 else best
        centroids = state.centroids + speed * (state.centroids - means)
        means = state.centroids
        centroids[len(centroids) - state.n_opaque :, 3] = cloud.opacity
    return best, n_iter, converged


def _search(cloud: _Cloud, best: _State, trials: int) -> _State:
    """Try swaps: a cluster merged away, and another one split."""
    k = len(best.centroids)
    n_swaps, n_tried, fresh = max(1, k // CLUSTERS_A_SWAP), 0, True
    if k == 1:
        return best
    for _ in range(trials):
        if fresh:
            plan, n_tried = _Plan(cloud, best), 0
        swaps = plan.swaps[n_tried : n_tried + 1] if n_swaps == 1 else plan.disjoint(n_swaps)
        if not swaps:
            if n_swaps == 1:
                break
            n_swaps, fresh = 1, False
            continue
        state = _trial(cloud, *plan.swapped(swaps), best.inertia)
        fresh = state.inertia < best.inertia
        if fresh:
            best = state
        else:
            n_tried += int(n_swaps == 1)
            n_swaps = max(1, n_swaps // 2)
    return best


def _trial(cloud: _Cloud, centroids: Array, n_opaque: int, best: float) -> _State:
    """Run rounds; give up where the fall of the inertia promises no more than there was."""
    state = cloud.round(centroids, n_opaque)
    for left in range(ROUNDS_OF_TRIAL - 1, 0, -1):
        before = state.inertia
        state = cloud.round(state.centroids, n_opaque)
        if state.inertia - best > HOPE * (before - state.inertia) * (left - 1):
            break
    return state


class _Plan:
    """What swaps promise: `swaps` are pairs (cluster to merge away, group to split), the best first.

    Groups: of points of free clusters, of translucent points in opaque clusters, and of opaque points in these.
    """

    def __init__(self, cloud: _Cloud, state: _State) -> None:
        self._state = state
        k, m = len(state.centroids), state.n_opaque
        groups = state.labels.copy()
        groups[cloud.n_soft :] += m
        measures = cloud.cells.measure(groups, k + m)
        self._weight, self._spread = measures[:, 0], measures[:, 2]
        self._mean, self._axis = measures[:, 3 : 3 + DIMENSIONS], measures[:, 3 + DIMENSIONS :]
        self._entry_of = np.concatenate([np.arange(k), np.arange(k - m, k)])
        saves = SPLIT_SAVES * self._spread
        off = slice(k - m, k)
        saves[off] = self._weight[off] * np.square(self._mean[off] - state.centroids[off]).sum(axis=1)
        weights = self._weight[:k].copy()
        weights[k - m :] += self._weight[k:]
        costs, self._partners = _kernels.alpha_merges(state.centroids, weights, m)
        cheap = np.argsort(costs, kind="stable")[: RANKS * max(1, k // 64)]
        wide = np.argsort(-saves, kind="stable")[: RANKS * max(1, k // 64)]
        promises = costs[cheap, np.newaxis] - saves[wide]
        kept = self._entry_of[wide]
        promises[(cheap[:, np.newaxis] == kept) | (self._partners[cheap, np.newaxis] == kept)] = np.inf
        promises[:, saves[wide] <= 0] = np.inf
        ranks = np.argsort(promises, axis=None, kind="stable")[: np.count_nonzero(np.isfinite(promises))]
        victims, split = cheap[ranks // len(wide)], wide[ranks % len(wide)]
        self.swaps = list(zip(victims.tolist(), split.tolist(), strict=True))
        self._n_promising = int(np.count_nonzero(promises < 0))

    def disjoint(self, n: int) -> list[tuple[int, int]]:
        """Give up to n promising swaps of which no cluster or partner is in two."""
        used: set[int] = set()
        chosen: list[tuple[int, int]] = []
        for victim, group in self.swaps[: self._n_promising]:
            entry, partner = int(self._entry_of[group]), int(self._partners[victim])
            if len(chosen) == n or used & {victim, entry, partner}:
                continue
            used |= {victim, entry, partner}
            chosen.append((victim, group))
        return chosen

    def swapped(self, swaps: list[tuple[int, int]]) -> tuple[Array, int]:
        """Give the centroids after swaps, and how many of them are opaque."""
        k, m = len(self._state.centroids), self._state.n_opaque
        centroids, is_opaque = self._state.centroids.copy(), np.arange(k) >= k - m
        for victim, group in swaps:
            entry = self._entry_of[group]
            is_opaque[victim] = group >= k
            if k - m <= group < k:
                centroids[victim] = self._mean[group]
                continue
            offset = 0.8 * np.sqrt(self._spread[group] / self._weight[group]) * self._axis[group]
            centroids[entry] = self._mean[group] - offset
            centroids[victim] = self._mean[group] + offset
        order = np.argsort(is_opaque, kind="stable")
        return np.ascontiguousarray(centroids[order]), int(np.count_nonzero(is_opaque))
