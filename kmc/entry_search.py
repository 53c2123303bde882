"""Entries of a palette taken to where the dithered picture has most error: better than where rounds of fitting end.

These move every entry a little, and end in the nearest minimum. So one entry after the other, of little use, is taken
away and put beside one of much error, a few rounds follow, and the palette with the least error seen is kept. With few
entries, each of which makes much of the picture, this is worth more than the fit itself is on most screens.

Sums are of integers, or in the order of the pixels: the result is the same on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc.palette import Palette

if TYPE_CHECKING:
    from kmc.dithered_fit import DitheredFit

__all__ = ["search_entries"]

# Rounds after an entry was moved. On twelve pictures SSIMULACRA2 at k=16 and 64 is as high as with three.
ROUNDS = 2
# Entries of most error and of least use that are tried with each other.
MOST_TRIED = 32
# Rows of which one is looked at for where the error is.
ROW_STEP = 4


class _Prospects(NamedTuple):
    """Entries by how much error they have, with the point (k, 4) where another one would help; and by little use."""

    needy: NDArray[np.intp]
    points: NDArray[np.int16]
    idle: NDArray[np.intp]


def search_entries(fit: DitheredFit, palette: Palette, trials: int) -> Palette:
    """Give a palette whose dithered picture has less error, or `palette`, after so many trials."""
    n_free = len(palette) - fit.n_fixed
    if trials < 1 or n_free < 2:
        return palette
    error = fit.dither(palette)
    prospects = _prospects(fit, palette)
    pairs = _pairs(min(len(palette), MOST_TRIED), min(n_free, MOST_TRIED))
    place = 0
    for _ in range(trials):
        while place < len(pairs) and prospects.needy[pairs[place][0]] == prospects.idle[pairs[place][1]]:
            place += 1
        if place == len(pairs):
            break
        needy, idle = prospects.needy[pairs[place][0]], prospects.idle[pairs[place][1]]
        place += 1
        candidate, candidate_error = _tried(fit, fit.with_point(palette, idle, prospects.points[needy]), error)
        if candidate_error < error:
            palette, error = candidate, candidate_error
            fit.dither(palette)
            prospects, place = _prospects(fit, palette), 0
    return palette


def _pairs(n_needy: int, n_idle: int) -> list[tuple[int, int]]:
    """Give ranks, the most promising pairs first."""
    return sorted(((a, b) for a in range(n_needy) for b in range(n_idle)), key=lambda pair: (sum(pair), pair))


def _tried(fit: DitheredFit, palette: Palette, limit: int) -> tuple[Palette, int]:
    """Give the best palette of some rounds, and its error; they end where as much gain again would not do."""
    error = fit.dither(palette)
    best = palette, error
    for _ in range(ROUNDS):
        palette, last = fit.moved(palette), error
        error = fit.dither(palette)
        if error < best[1]:
            best = palette, error
        if error - (last - error) > limit:
            break
    return best


def _prospects(fit: DitheredFit, palette: Palette) -> _Prospects:
    """Look at the picture that was dithered last, with `palette`.

    Another entry is put at the mean of the colours on one side of an entry, along the axis on which they are most
    spread, the side of more error; all weighted by the error seen. Of little use is an entry that merges with another
    at little cost (Ward).
    """
    k = len(palette)
    entries = fit.entries(palette)
    blurred, points, labels = fit.error_of_rows(entries, ROW_STEP)
    squares: NDArray[np.float64] = np.square(blurred).sum(axis=1)

    def summed(weights: NDArray[Any]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.bincount(labels, weights=weights, minlength=k).astype(np.float64)
        return sums

    offsets = points - entries[labels, :3]
    spread = np.stack([summed(squares * np.square(offsets[:, axis])) for axis in range(3)], axis=1)
    is_above = np.take_along_axis(offsets, spread.argmax(axis=1)[labels, np.newaxis], axis=1)[:, 0] > 0
    need = summed(squares)
    squares *= is_above == (2 * summed(squares * is_above) > need)[labels]
    sides = np.maximum(summed(squares), 1)
    beside = np.zeros((k, 4), dtype=np.int16)
    beside[:, :3] = np.rint(np.stack([summed(squares * points[:, axis]) for axis in range(3)], axis=1) / sides[:, None])
    idle = np.argsort(_merge_costs(entries[:, :3], fit.counts)[fit.n_fixed :], kind="stable") + fit.n_fixed
    return _Prospects(np.argsort(-need, kind="stable"), beside, idle)


def _merge_costs(entries: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the least (k,) by which squared distances grow where an entry of (k, 3) and another become their mean."""
    dist2 = np.square(entries[:, np.newaxis] - entries).sum(axis=2)
    both = counts[:, np.newaxis] + counts
    costs = counts[:, np.newaxis] * counts / np.maximum(both, 1) * dist2
    np.fill_diagonal(costs, np.inf)
    least: NDArray[np.float64] = costs.min(axis=1)
    return least
