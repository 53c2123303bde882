"""Pictures with transparency as they look in front of something.

In:  two pictures (h, w, c) of uint8 with the same height and width; c is 1, 3 or 4 (straight alpha).
Out: the same two without alpha (c is 1 or 3), once for each background.

A sample is mixed with the background as browsers do, in sRGB values, and rounded to 8 bits:
``(sample * alpha + background * (255 - alpha)) / 255``. The backgrounds are black (0), white (255)
and a checkerboard: squares of 8 x 8 pixels in the greys 102 and 153, the lighter one at the upper
left, as picture editors show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc.load import row_strips

__all__ = ["BACKGROUNDS", "on_background", "pairs_on_backgrounds"]

Pixels: TypeAlias = NDArray[np.uint8]

BACKGROUNDS = ("black", "white", "checkerboard")

SQUARE = 8
LIGHT, DARK = 153, 102


def pairs_on_backgrounds(original: Pixels, compressed: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """Give the two on each background; once and as they are where nothing shines through either."""
    if _is_opaque(original) and _is_opaque(compressed):
        yield original[..., :3], compressed[..., :3]
        return
    for background in BACKGROUNDS:
        yield on_background(original, background), on_background(compressed, background)


def _is_opaque(pixels: Pixels) -> bool:
    return pixels.shape[2] < 4 or int(pixels[..., 3].min()) == 255


def on_background(pixels: Pixels, background: str) -> Pixels:
    """Lay a picture on one of :data:`BACKGROUNDS`; one without alpha comes back as it is."""
    if pixels.shape[2] < 4:
        return pixels
    height, width = pixels.shape[:2]
    mixed = np.empty((height, width, 3), dtype=np.uint8)
    for rows in row_strips(pixels.shape):
        strip = pixels[rows].astype(np.uint32)
        alpha = strip[..., 3:]
        behind = _grey_of(background, rows.start, *strip.shape[:2])[..., np.newaxis]
        mixed[rows] = (strip[..., :3] * alpha + behind * (255 - alpha) + 127) // 255
    return mixed


def _grey_of(background: str, top: int, height: int, width: int) -> NDArray[np.uint32]:
    """Give the grey (height, width) of a background from row `top` on."""
    if background != "checkerboard":
        return np.full((height, width), {"black": 0, "white": 255}[background], dtype=np.uint32)
    is_dark = np.add.outer(np.arange(top, top + height) // SQUARE, np.arange(width) // SQUARE) % 2
    return np.where(is_dark, np.uint32(DARK), np.uint32(LIGHT))
