"""The order of a palette in its file: indices (h, w) and k -> the entries in an order in which neighbours are near.

A filter of PNG stores differences of neighbouring indices, which are small where entries that meet in the picture stand
side by side. That is modified Zeng reindexing: Zeng, Li and Lei, "An efficient color re-indexing scheme for
palette-based compression", 2000, in the variant of Pinho and Neves, "A note on Zeng's technique for color re-indexing
of palette-based images", 2004, which does not count on entries that are still to come.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels

__all__ = ["in_meeting_order", "meeting_order", "trimmed"]


def trimmed(
    indices: NDArray[np.integer], palette_colors: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Leave out the entries that no pixel has, and put those with transparency first."""
    small = np.ascontiguousarray(indices.astype(np.uint8, copy=False))
    counts = np.empty(256, dtype=np.int64)
    _kernels.count_grey(small.ravel(), counts)
    return _reordered(small, palette_colors, np.flatnonzero(counts))


def in_meeting_order(
    indices: NDArray[np.uint8], colors: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Put the entries in the order of :func:`meeting_order`, but those with transparency first."""
    return _reordered(indices, colors, meeting_order(indices, len(colors)))


def _reordered(
    indices: NDArray[np.uint8], colors: NDArray[np.uint8], order: NDArray[np.intp]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Put the entries in an order, but those with transparency first: tRNS holds the alphas up to the last of them."""
    if colors.shape[1] == 4:
        order = order[np.argsort(colors[order, 3] == 255, kind="stable")]
    if len(order) == len(colors) and (order == np.arange(len(order))).all():
        return indices, colors
    places = np.zeros(len(colors), dtype=np.uint8)
    places[order] = np.arange(len(order))
    return places[indices], colors[order]


def meeting_order(indices: NDArray[np.uint8], k: int) -> NDArray[np.intp]:
    """Order entries so that those that meet often, side by side or one above the other, have near numbers.

    Parameters
    ----------
    indices : ndarray (h, w) uint8
        All below `k`.
    k : int
        1 to 256.

    Returns
    -------
    ndarray (k,) intp
        The entry at each place of the new order.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.formats.palette_order import meeting_order
    >>> meeting_order(np.array([[0, 2, 1, 2, 0, 2]], dtype=np.uint8), 3).tolist()
    [1, 2, 0]
    """
    meetings = _meetings(indices, k)
    first = int(meetings.sum(axis=1).argmax())
    order = [first]
    is_placed = np.zeros(k, dtype=bool)
    is_placed[first] = True
    with_placed = meetings[first].copy()
    for n in range(1, k):
        entry = int(np.where(is_placed, -1, with_placed).argmax())
        nearness_to_left = n - 1 - 2 * np.arange(n)  # above 0 for the places of the left half
        is_left = int(nearness_to_left @ meetings[entry, order]) > 0
        order.insert(0 if is_left else n, entry)
        is_placed[entry] = True
        with_placed += meetings[entry]
    return np.array(order, dtype=np.intp)


def _meetings(indices: NDArray[np.uint8], k: int) -> NDArray[np.int64]:
    """Count neighbours (k, k), both ways; an entry does not meet itself."""
    pairs = np.zeros(k * k, dtype=np.int64)
    for one, other in ((indices[:, :-1], indices[:, 1:]), (indices[:-1], indices[1:])):
        codes = one.astype(np.uint16) * np.uint16(k) + other if k < 256 else one.astype(np.uint16) << 8 | other
        pairs += np.bincount(codes.ravel(), minlength=k * k)
    meetings = pairs.reshape(k, k)
    meetings = meetings + meetings.T
    np.fill_diagonal(meetings, 0)
    return meetings
