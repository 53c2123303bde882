"""A palette: the k colours of a compressed picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmc import _threads
from kmc.colorspace import colors_of, points_of
from kmc.kmeans import nearest_centroids

__all__ = ["Palette"]

# Of red, green and blue in luma (ITU-R BT.601), by which entries are ordered: neighbours in the palette look alike,
# so neighbouring pixels get near indices, and those deflate better than random ones.
LUMA = np.array([299, 587, 114])


@dataclass(frozen=True, eq=False)
class Palette:
    """Different colours, transparent ones first, then from dark to light.

    Attributes
    ----------
    colors : ndarray (k, c) uint8
        c is 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha).
    """

    colors: NDArray[np.uint8]

    @classmethod
    def from_colors(cls, colors: NDArray[np.uint8]) -> Palette:
        """Order colours (n, c) and drop repeated ones."""
        keys = np.zeros(len(colors), dtype=np.int64)
        for samples in colors.T:
            keys = keys << 8 | samples
        luma = colors[:, :3] @ LUMA if colors.shape[1] > 1 else colors[:, 0]
        alpha = colors[:, 3] if colors.shape[1] == 4 else np.zeros(len(colors), dtype=np.uint8)
        order = np.lexsort((keys, luma, alpha))
        repeated = np.concatenate([[False], keys[order][1:] == keys[order][:-1]])
        return cls(np.ascontiguousarray(colors[order[~repeated]]))

    @classmethod
    def from_centroids(cls, centroids: NDArray[np.float64]) -> Palette:
        """Round centroids (k, c) of the space of :mod:`kmc.colorspace` to 8-bit colours."""
        return cls.from_colors(colors_of(centroids))

    def __len__(self) -> int:
        return len(self.colors)

    def __repr__(self) -> str:
        shown = ", ".join("#" + bytes(color).hex() for color in self.colors[:8])
        return f"Palette({len(self)} colours: {shown}{', ...' if len(self) > 8 else ''})"

    def nearest(self, colors: NDArray[np.uint8], threads: int | None = None) -> NDArray[np.int32]:
        """Give the index of the nearest entry to each of colors (u, c); ties go to the lowest index.

        Nearest in the space of :mod:`kmc.colorspace`.
        """
        entries = points_of(self.colors).astype(np.float64)
        return nearest_centroids(points_of(colors), entries, _threads.resolve(threads))
