"""k-means of colours with alpha: points (u, 4) of :mod:`kmc.colorspace` -> centroids (k, 4), opaque entries last.

Opaque pixels shall become opaque entries and nothing else. So entries are of two kinds: opaque ones, whose alpha is
held and which opaque colours choose from, and free ones; translucent colours choose from all. Each round is the least
inertia under that rule: the mean of an opaque entry's points, its alpha held. Without the rule, opaque pixels in
clusters that become translucent would end at whatever opaque entry is left.

How many entries are opaque is found by the search: a cluster is split, or the translucent part of an opaque one set
apart, and another cluster merged away for it; rounds follow, and what has less inertia is kept (after Fritzke, "The
breathing k-means algorithm", arXiv 2006.15666). It runs on cells of colours, where a round takes a fraction of a
millisecond, and starts from variance cuts of opaque and translucent cells apart.

Sums run in one order on every machine: the result is the same for any number of threads and any instruction set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.variance_cuts import variance_cuts

__all__ = ["AlphaFit", "fit_alpha"]

Array = NDArray[np.float64]
Labels = NDArray[np.int32]

DIMENSIONS = 4
# More colours than this are joined in cells, of a 32nd or a 16th of the widest axis: in about as many.
MOST_CELLS = 8192
CELL_BITS = (5, 4)
# Of the search. Rounds after a swap, and how much of their last gain the rest of them may be hoped to bring.
ROUNDS_OF_TRIAL = 5
HOPE = 1.0
# Swaps at once at first, one for so many clusters; single ones are tried among so many cheapest and widest.
CLUSTERS_A_SWAP = 8
RANKS = 8
# A split at the mean of a uniform distribution saves 3/4 of the spread, of a normal one 2/pi.
SPLIT_SAVES = 0.7
POWER_ROUNDS = 8


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
    """Weighted points (n, 4) float32, the last `n_opaque` of them opaque."""

    def __init__(self, points: NDArray[np.float32], weights: Array, n_opaque: int, threads: int) -> None:
        self.points, self.weights = points, weights
        self.n_soft = len(points) - n_opaque
        self.opacity = float(points[-1, 3]) if n_opaque else np.inf
        self._threads = threads
        columns = [points[:, t].astype(np.float64) for t in range(DIMENSIONS)]
        self._squares = sum(float(np.cumsum(weights * column * column)[-1]) for column in columns)

    def round(self, centroids: Array, n_opaque: int) -> _State:
        """Assign all points, and move the centroids to the means."""
        k, n = len(centroids), len(self.points)
        threads = _threads.for_work(self._threads, self.points.size * k)
        columns = np.full((DIMENSIONS, k + _kernels.ALPHA_BLOCK), np.inf, dtype=np.float32)
        columns[:, :k] = centroids.T
        labels = np.empty(n, dtype=np.int32)
        soft, opaque = slice(self.n_soft), slice(self.n_soft, n)
        for points, first in ((soft, 0), (opaque, k - n_opaque if n_opaque else 0)):
            _kernels.alpha_labels(self.points[points], columns, first, k, labels[points], threads)
        sums, weights = np.zeros((k, DIMENSIONS)), np.zeros(k)
        _kernels.update(self.points, self.weights, None, labels, sums, weights, threads)
        moved = centroids.copy()
        np.divide(sums, weights[:, np.newaxis], out=moved, where=weights[:, np.newaxis] > 0)
        moved[k - n_opaque :, 3] = self.opacity
        saved = 2 * sums * moved - weights[:, np.newaxis] * np.square(moved)
        return _State(moved, n_opaque, labels, self._squares - float(np.cumsum(saved)[-1]))


def fit_alpha(
    points: NDArray[np.float32],
    weights: Array,
    n_opaque: int,
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
    points : ndarray (u, 4) float32
        Of :func:`kmc.colorspace.points_of`, the opaque ones last; u > k.
    weights : ndarray (u,) float64
    n_opaque : int
        How many points are opaque.
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
    """
    cells = _cells(points, weights, n_opaque, threads)
    if len(cells.points) < 2 * k:
        cells = _Cloud(points, weights, n_opaque, threads)
    state = _first(cells, k)
    state, n_iter, converged = _rounds(cells, state, 2 * ROUNDS_OF_TRIAL if trials else 1, coarse_tol)
    state = _search(cells, state, trials)
    if len(cells.points) < len(points):
        state, _, _ = _rounds(cells, state, rounds, coarse_tol)
        cells = _Cloud(points, weights, n_opaque, threads)
    state, n_iter, converged = _rounds(cells, state, rounds, tol)
    return AlphaFit(state.centroids, state.n_opaque, max(state.inertia, 0.0), n_iter, converged)


def _cells(points: NDArray[np.float32], weights: Array, n_opaque: int, threads: int) -> _Cloud:
    """Join points that share a cell of a grid, opaque ones apart."""
    if len(points) <= MOST_CELLS:
        return _Cloud(points, weights, n_opaque, threads)
    low = points.min(axis=0)
    width = float((points.max(axis=0) - low).max())
    for bits in CELL_BITS:
        places = ((points - low) * np.float32((2**bits - 1) / width)).astype(np.uint64)
        keys = places[:, 0]
        for t in range(1, DIMENSIONS):
            keys = keys << np.uint64(bits) | places[:, t]
        keys[len(keys) - n_opaque :] |= np.uint64(1 << DIMENSIONS * bits)
        ordered = np.sort(keys << np.uint64(32) | np.arange(len(keys), dtype=np.uint64))
        rows, keys = (ordered & np.uint64(0xFFFFFFFF)).astype(np.intp), ordered >> np.uint64(32)
        is_first = np.concatenate([[True], keys[1:] != keys[:-1]])
        if np.count_nonzero(is_first) <= MOST_CELLS:
            break
    numbers = np.cumsum(is_first) - 1
    cell_weights = np.bincount(numbers, weights[rows]).astype(np.float64, copy=False)
    sums = [np.bincount(numbers, weights[rows] * points[rows, t]) for t in range(DIMENSIONS)]
    means = (np.stack(sums, axis=1) / cell_weights[:, np.newaxis]).astype(np.float32)
    n_opaque_cells = int(np.count_nonzero(keys[is_first] >> np.uint64(DIMENSIONS * bits)))
    return _Cloud(means, cell_weights, n_opaque_cells, threads)


def _first(cloud: _Cloud, k: int) -> _State:
    """Cut opaque and translucent points apart, and then both where there is most inertia."""
    if k == 1:
        return cloud.round(np.zeros((1, DIMENSIONS)), int(cloud.n_soft == 0))
    apart = np.zeros((len(cloud.points), DIMENSIONS + 1), dtype=np.float64)
    apart[:, :DIMENSIONS] = cloud.points
    apart[cloud.n_soft :, DIMENSIONS] = 1e3 * np.abs(cloud.points).max()
    cuts = variance_cuts(apart, cloud.weights, k, principal=True)
    is_opaque = cuts[:, DIMENSIONS] > 0
    order = np.argsort(is_opaque, kind="stable")
    return cloud.round(np.ascontiguousarray(cuts[order, :DIMENSIONS]), int(np.count_nonzero(is_opaque)))


def _rounds(cloud: _Cloud, state: _State, most: int, tol: float) -> tuple[_State, int, bool]:
    """Go on until a round gains little; with tol 0 until no label changes."""
    before, n_iter, converged = np.inf, 0, False
    labels = state.labels
    while n_iter < most and not converged:
        state = cloud.round(state.centroids, state.n_opaque)
        n_iter += 1
        if tol > 0:
            converged = before - state.inertia <= tol * state.inertia
        else:
            converged = len(labels) == len(state.labels) and bool((labels == state.labels).all())
        before, labels = state.inertia, state.labels
    return state, n_iter, converged


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
        groups = state.labels.astype(np.intp)
        groups[cloud.n_soft :] += m
        self._measure(cloud, groups, k + m)
        self._entry_of = np.concatenate([np.arange(k), np.arange(k - m, k)])
        saves = SPLIT_SAVES * self._spread
        off = slice(k - m, k)
        saves[off] = self._weight[off] * np.square(self._mean[off] - state.centroids[off]).sum(axis=1)
        costs, partners = self._merges(k, m)
        cheap = np.argsort(costs, kind="stable")[: RANKS * max(1, k // 64)]
        wide = np.argsort(-saves, kind="stable")[: RANKS * max(1, k // 64)]
        promises = [
            (float(costs[victim] - saves[group]), int(victim), int(group))
            for victim in cheap
            for group in wide
            if victim != self._entry_of[group] and partners[victim] != self._entry_of[group] and saves[group] > 0
        ]
        self._partners = partners
        self._promising = [(victim, group) for promise, victim, group in sorted(promises) if promise < 0]
        self.swaps = [(victim, group) for promise, victim, group in sorted(promises) if np.isfinite(promise)]

    def _measure(self, cloud: _Cloud, groups: NDArray[np.intp], n: int) -> None:
        """Find weight, mean, principal axis and inertia along it of each group."""
        axes = [cloud.points[:, t].astype(np.float64) for t in range(DIMENSIONS)]
        weighted = [cloud.weights * axis for axis in axes]
        self._weight = np.bincount(groups, cloud.weights, n)
        safe = np.where(self._weight > 0, self._weight, 1.0)
        self._mean = np.stack([np.bincount(groups, sums, n) for sums in weighted], axis=1) / safe[:, np.newaxis]
        scatter = np.empty((n, DIMENSIONS, DIMENSIONS))
        for t in range(DIMENSIONS):
            for s in range(t + 1):
                products = np.bincount(groups, weighted[t] * axes[s], n)
                scatter[:, t, s] = products - self._weight * self._mean[:, t] * self._mean[:, s]
                scatter[:, s, t] = scatter[:, t, s]
        variances = scatter[:, range(DIMENSIONS), range(DIMENSIONS)]
        self._axis = np.zeros((n, DIMENSIONS))
        self._axis[np.arange(n), np.argmax(variances, axis=1)] = 1.0
        self._spread = np.zeros(n)
        for _ in range(POWER_ROUNDS):
            pulled = (scatter * self._axis[:, np.newaxis]).sum(axis=2)
            self._spread = np.sqrt(np.square(pulled).sum(axis=1))
            self._axis = pulled / np.where(self._spread > 0, self._spread, 1.0)[:, np.newaxis]

    def _merges(self, k: int, m: int) -> tuple[Array, NDArray[np.intp]]:
        """Give what it costs to do without each cluster, and where its points would go."""
        places = self._state.centroids
        weights = self._weight[:k].copy()
        weights[k - m :] += self._weight[k:]
        dist2 = np.zeros((k, k))
        for axis in places.T:
            dist2 += np.square(axis[:, np.newaxis] - axis)
        total = weights[:, np.newaxis] + weights
        costs = dist2 * (weights[:, np.newaxis] * weights) / np.where(total > 0, total, 1.0)
        costs[: k - m, k - m :] = weights[: k - m, np.newaxis] * dist2[: k - m, k - m :]
        costs[k - m :, : k - m] = np.inf
        np.fill_diagonal(costs, np.inf)
        partners = np.argmin(costs, axis=1)
        return costs[np.arange(k), partners], partners

    def disjoint(self, n: int) -> list[tuple[int, int]]:
        """Give up to n promising swaps of which no cluster or partner is in two."""
        used: set[int] = set()
        chosen: list[tuple[int, int]] = []
        for victim, group in self._promising:
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
