"""How different colours look: CIEDE2000.

In:  two pictures (h, w, c) of uint8, sRGB, with the same height and width; c is 1 or 3.
Out: mean and 95th percentile of the difference over all pixels; 0 is identical, about 1 just
     noticeable side by side, 100 black to white.

The pictures are read tile by tile. For the percentile the greatest twentieth of the differences is
kept, 0.4 to 0.8 bytes for each pixel of the picture.

Reference: Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes,
supplementary test data, and mathematical observations", Color Research and Application 30 (2005).
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc.metrics.similarity import tiles

__all__ = ["ciede2000", "delta_e", "lab_of"]

Pixels: TypeAlias = NDArray[np.uint8]
Values: TypeAlias = NDArray[np.float64]

QUANTILE = 0.95

# IEC 61966-2-1, with the rounded matrix and the white D65 of 2 degrees that scikit-image has.
_RAMP: Values = np.arange(256) / 255
LINEAR: Values = np.where(_RAMP > 0.04045, ((_RAMP + 0.055) / 1.055) ** 2.4, _RAMP / 12.92)
XYZ_OF_RGB: Values = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
WHITE: Values = np.array([0.95047, 1.0, 1.08883])

TURN = 2 * math.pi


def ciede2000(original: Pixels, compressed: Pixels) -> tuple[float, float]:
    """Give the mean and the 95th percentile (linear between ranks) of CIEDE2000 over the pixels."""
    height, width = original.shape[:2]
    n_pixels = height * width
    rank = QUANTILE * (n_pixels - 1)
    greatest = _Greatest(n_pixels - math.floor(rank))
    total = 0.0
    for tile in tiles(height, width):
        differences = delta_e(lab_of(original[tile]), lab_of(compressed[tile])).ravel()
        total += float(differences.sum())
        greatest.add(differences)
    at_rank, *above = greatest.ascending()[:2].tolist()
    percentile = at_rank + (rank - math.floor(rank)) * (above[0] - at_rank) if above else at_rank
    return total / n_pixels, percentile


class _Greatest:
    """The `count` greatest of all values that were added."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._least = -math.inf  # a value that is not above it changes nothing
        self._parts: list[Values] = []
        self._length = 0

    def add(self, values: Values) -> None:
        kept = values[values > self._least]
        self._parts.append(kept)
        self._length += len(kept)
        if self._length > 2 * self._count:  # seldom, so that each value is moved about twice
            self._parts = [self._cut()]
            self._length = self._count
            self._least = float(self._parts[0].min())

    def _cut(self) -> Values:
        values = np.concatenate(self._parts)
        return np.partition(values, len(values) - self._count)[len(values) - self._count :]

    def ascending(self) -> Values:
        return np.sort(self._cut())


def lab_of(pixels: Pixels) -> Values:
    """Give sRGB pixels (..., 1 or 3) as CIELAB: an array (3, ...) of L*, a* and b*."""
    rgb = np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    xyz = LINEAR[rgb] @ XYZ_OF_RGB.T / WHITE
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def delta_e(first: Values, second: Values) -> Values:
    """Give CIEDE2000 between colours (3, ...) of CIELAB, with all parametric factors 1."""
    lightness_1, a_1, b_1 = first
    lightness_2, a_2, b_2 = second
    stretch = 1.5 - 0.5 * _chroma_ratio((np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2)
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    chroma_1, chroma_2 = np.hypot(a_1, b_1), np.hypot(a_2, b_2)
    turn, hue = _turn_and_mean(np.arctan2(b_1, a_1) % TURN, np.arctan2(b_2, a_2) % TURN)

    offset = ((lightness_1 + lightness_2) / 2 - 50) ** 2
    chroma = (chroma_1 + chroma_2) / 2
    in_lightness = (lightness_2 - lightness_1) / (1 + 0.015 * offset / np.sqrt(20 + offset))
    in_chroma = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)
    in_hue = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(turn / 2) / (1 + 0.015 * chroma * _hue_weight(hue))
    angle = math.radians(60) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2))
    rotation = -2 * _chroma_ratio(chroma) * np.sin(angle)
    squared = in_lightness**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    difference: Values = np.sqrt(np.maximum(squared, 0))  # rounding can leave -1e-17
    return difference


def _chroma_ratio(chroma: Values) -> Values:
    power = chroma**7
    ratio: Values = np.sqrt(power / (power + 25.0**7))
    return ratio


def _turn_and_mean(hue_1: Values, hue_2: Values) -> tuple[Values, Values]:
    """Give the turn from one hue (0 to 2 pi) to the other the short way, and the hue half way.

    A colour without chroma has no hue and needs no case of its own: all terms with hues are 0 then.
    """
    turn = hue_2 - hue_1
    total = hue_1 + hue_2
    is_long_way = np.abs(turn) > math.pi
    mean = np.where(is_long_way, total + np.where(total < TURN, TURN, -TURN), total) / 2
    return np.where(is_long_way, turn - np.copysign(TURN, turn), turn), mean


def _hue_weight(hue: Values) -> Values:
    weight: Values = (
        1
        - 0.17 * np.cos(hue - math.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + math.radians(6))
        - 0.20 * np.cos(4 * hue - math.radians(63))
    )
    return weight
