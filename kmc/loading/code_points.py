"""Colour spaces by number (PNG's cICP chunk) -> chromaticities and the light of each sample.

The numbers are those of ITU-T H.273. Those of high dynamic range (PQ, HLG) have none: how their light is shown on a
screen of sRGB is left to each reader.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["CodePoints", "chromaticities_and_light"]

# Colour primaries, transfer function, matrix, and 1 for the full range of samples.
CodePoints = tuple[int, int, int, int]

D65 = (0.3127, 0.329)
# White, red, green, blue.
CHROMATICITIES = {
    1: (*D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06),  # sRGB
    5: (*D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),  # PAL
    6: (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),  # NTSC
    7: (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # DCI-P3
    12: (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # Display P3
}
SAMPLES = np.arange(256) / 255
BT_709 = np.where(SAMPLES < 0.081, SAMPLES / 4.5, ((SAMPLES + 0.099) / 1.099) ** (1 / 0.45))
LIGHT = {
    1: BT_709,
    4: SAMPLES**2.2,
    5: SAMPLES**2.8,
    6: BT_709,
    8: SAMPLES,
    13: np.where(SAMPLES <= 0.04045, SAMPLES / 12.92, ((SAMPLES + 0.055) / 1.055) ** 2.4),
    14: BT_709,
    15: BT_709,
}
RGB_OF_FULL_RANGE = (0, 1)


def chromaticities_and_light(numbers: CodePoints | None) -> tuple[tuple[float, ...], NDArray[np.float64]] | None:
    """Give x, y of white, red, green and blue, and the light (256,) of each sample; None where they are not known."""
    if numbers is None or numbers[2:] != RGB_OF_FULL_RANGE:
        return None
    primaries, transfer = numbers[:2]
    if primaries not in CHROMATICITIES or transfer not in LIGHT:
        return None
    return CHROMATICITIES[primaries], LIGHT[transfer]
