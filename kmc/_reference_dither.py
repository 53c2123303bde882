"""Dithering in plain Python: what the tests compare every instruction set with. Nothing else uses this module.

The integer operations are those of ``dither.h``, pixel by pixel and in plain order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["box", "diffuse", "nearest", "normal_equations", "polish", "sums"]

Array = NDArray[Any]

STRIPE, WARM_UP, BAND = 120, 8, 16
# What is added to alpha for each sixteenth of its errors that a pixel does not take, and where it takes none.
LESS = 2048
FLAT = 15 * LESS
POLISHED_STRIPE = 32
# Floyd and Steinberg's: of the pixels at (dx, dy), in sixteenths.
SHARES = (((-1, 0), 7), ((1, -1), 3), ((0, -1), 5), ((-1, -1), 1))


def box(space: str, has_alpha: bool) -> tuple[Array, Array]:
    """Least and greatest values of a point's channels."""
    if space == "oklab":
        low, high = [0, -480, -640, 0], [2040, 568, 408, 1020 * has_alpha]
    elif space == "ycc":
        low, high = [0, -852, -820, 0], [2040, 852, 820, 1020]
    else:
        low, high = [0, 0, 0, 0], [2040, 2040, 2040, 1785 * has_alpha]
    return np.array(low), np.array(high)


def nearest(wanted: Array, original: Array, entries: Array, opaque: int) -> int:
    """Index of the entry nearest to a point, among those that its pixel may become; the lowest of equals."""
    dist2 = ((entries - wanted) ** 2).sum(axis=1)
    if opaque and original[3] % LESS in (0, opaque):
        allowed = entries[:, 3] == original[3] % LESS
        if allowed.any():
            dist2 = np.where(allowed, dist2, 2**62)
    return int(dist2.argmin())


def _rounded_share(sums: Array, share: int | Array) -> Array:
    """Give sums times a share of 32768."""
    shares: Array = (sums.astype(np.int64) * share + 16384) >> 15
    return shares


def _gain(point: Array, gain: int, opaque: int) -> Array:
    if not opaque:
        return np.full(4, point[3])
    if point[3] == 0 or point[3] >= FLAT:
        return np.zeros(4, dtype=int)
    gain -= (gain * int(point[3] // LESS * LESS) + 16384) >> 15
    return np.array([gain, gain, gain, gain if point[3] % LESS < opaque else 0])


def stripes(height: int) -> list[tuple[int, int]]:
    """Rows (first, last + 1) of each stripe: whole bands, with the rows of the warm-up, as evenly as they go."""
    n = max(1, (height + STRIPE // 2) // STRIPE) if height < 4 * STRIPE else 4 * ((height + 2 * STRIPE) // (4 * STRIPE))
    n_bands = -(-(height + WARM_UP * (n - 1)) // BAND)
    firsts = [0] + [stripe * n_bands // n * BAND - WARM_UP * (stripe - 1) for stripe in range(1, n)]
    return list(zip(firsts, [*firsts[1:], height], strict=True))


def diffuse(points: Array, entries: Array, gain: int, space: str, has_alpha: bool) -> NDArray[np.uint8]:
    """Error diffusion of points (h, w, 4): indices (h, w)."""
    height, width = points.shape[:2]
    low, high = box(space, has_alpha)
    colors = points.astype(int)
    colors[..., 3] = colors[..., 3] % LESS if has_alpha else 0
    indices = np.zeros((height, width), dtype=np.uint8)
    for first, last in stripes(height):
        top = max(0, first - WARM_UP)
        errors = np.zeros((last - top + 1, width + 2, 4), dtype=int)
        for y in range(top, last):
            for x in range(width):
                sums_around = sum(share * errors[y - top + 1 + dy, x + 1 + dx] for (dx, dy), share in SHARES)
                taken = _rounded_share(np.asarray(sums_around), _gain(points[y, x], gain, high[3]))
                wanted = np.clip(colors[y, x] + taken, low, high)
                index = nearest(wanted, points[y, x], entries, high[3])
                errors[y - top + 1, x + 1] = wanted - entries[index]
                if y >= first:
                    indices[y, x] = index
    return indices


def _polish_order(height: int) -> list[int]:
    stripes = [range(y, min(y + POLISHED_STRIPE, height)) for y in range(0, height, POLISHED_STRIPE)]
    return [y for stripe in stripes[::2] + stripes[1::2] for y in stripe]


def polish(
    points: Array, entries: Array, weights: Array, indices: Array, space: str, has_alpha: bool
) -> NDArray[np.uint8]:
    """One round of choosing each pixel's entry anew, the others held: new indices (h, w)."""
    height, width = points.shape[:2]
    low, high = box(space, has_alpha)
    colors = points.astype(int)
    colors[..., 3] = colors[..., 3] % LESS if has_alpha else 0
    chosen = indices.copy()
    errors = np.zeros((height + 4, width + 4, 4), dtype=int)
    errors[2:-2, 2:-2] = colors - entries[chosen]
    for y in _polish_order(height):
        for x in range(width):
            window = errors[y : y + 5, x : x + 5]
            around = np.zeros(4, dtype=int)
            for weight, distance2 in zip(weights.astype(int), (1, 2, 4, 5, 8), strict=True):
                places = [(i, j) for i in range(5) for j in range(5) if (i - 2) ** 2 + (j - 2) ** 2 == distance2]
                share = _rounded_share(np.sum([window[i, j] for i, j in places], axis=0), weight)
                around = np.clip(around + share, -32768, 32767)
            taken = _gain(points[y, x], 32767, high[3])
            around = _rounded_share(around, taken) if has_alpha else around * (taken > 0)
            wanted = np.clip(colors[y, x] + around, low, high)
            chosen[y, x] = nearest(wanted, points[y, x], entries, high[3])
            errors[y + 2, x + 2] = colors[y, x] - entries[chosen[y, x]]
    return chosen


def normal_equations(points: Array, indices: Array, weights: Array, k: int) -> tuple[Array, Array, Array]:
    """Matrix (k, k), the sums of the blurred picture (k, 4), rounded, and counts (k), from the full linear map."""
    height, width = indices.shape
    chosen = np.zeros((height + 4, width + 4, k), dtype=np.int64)
    chosen[2:-2, 2:-2] = np.eye(k, dtype=np.int64)[indices]
    padded = np.zeros((height + 4, width + 4, 4), dtype=np.int64)
    padded[2:-2, 2:-2] = points
    seen = np.zeros((height, width, k), dtype=np.int64)
    blurred = np.zeros((height, width, 4), dtype=np.int64)
    for i in range(5):
        for j in range(5):
            weight = int(weights[i]) * int(weights[j])
            seen += weight * chosen[i : i + height, j : j + width]
            blurred += weight * padded[i : i + height, j : j + width]
    blurred = (blurred + 2048) >> 12
    own = chosen[2:-2, 2:-2].reshape(-1, k)
    return own.T @ seen.reshape(-1, k), own.T @ blurred.reshape(-1, 4), own.sum(axis=0)


def sums(points: Array, indices: Array, k: int) -> Array:
    """Add up the points of each entry: (k, 4)."""
    found = np.zeros((k, 4), dtype=np.int64)
    np.add.at(found, indices.ravel(), points.reshape(-1, 4))
    return found
