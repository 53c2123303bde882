"""Fits of one picture at several k: the histogram once, every fit on as few points as it needs.

With few colours clusters are wide, and the colours of a small box may go together. So each k is fitted on the coarsest
boxes whose scatter (the inertia within them, which no fit of boxes can save) is a small share of the error that the
next larger k left. The greatest k is fitted on the colours themselves, as :func:`kmc.compress` does.

Starting a fit from the one beside it, its worst clusters split or its nearest ones merged, was tried: 1 to 4 % more MSE
(up to 8 % where few colours stand apart), for no less time than a fresh fit on boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc._settings import Settings
from kmc.color_kmeans import cluster_colors
from kmc.compressed_image import CompressedImage
from kmc.histogram import ColorHistogram
from kmc.load import Picture
from kmc.palette import Palette
from kmc.remap import error_of_colors, remap
from kmc.selection.sample_tiles import SampleTiles

__all__ = ["Fit", "Sweep"]

# Boxes of 2^bits levels on a side, from coarse to fine.
BOX_BITS = (3, 2, 1)
# The share of scatter up to which boxes serve. On 14 pictures of Kodak, CQ100 and scikit-learn at 16 values of k the
# worst MSE is 1.0105 times that of compress() with 0.04, and 1.0076 with 0.025.
MOST_SCATTER = 0.025
# Of the search, which costs little on boxes. The worst MSE is 1.0142 times that of compress() with (8, 6, 0), 1.0076
# with these, and 1.0074 in 1.5 times the time with (64, 48, 0).
BOX_TRIALS = (16, 12, 0)


@dataclass(frozen=True, eq=False)
class Fit:
    """A palette for at most k colours, and the MSE of the picture with it."""

    k: int
    palette: Palette
    mse: float

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB."""
        return float(np.inf) if self.mse == 0 else float(10 * np.log10(255**2 / self.mse))


class Sweep:
    """All fits of a picture.

    Parameters
    ----------
    picture : Picture
    settings : Settings
        Of which effort, space, seed and threads matter.
    """

    def __init__(self, picture: Picture, settings: Settings) -> None:
        self.picture = picture
        self.settings = settings
        self.histogram = ColorHistogram.from_pixels(picture.pixels, settings.threads)
        self._fits: dict[int, Fit] = {}
        self._indices: dict[int, NDArray[Any]] = {}
        self._boxes: dict[int, tuple[ColorHistogram, float]] = {}

    @cached_property
    def tiles(self) -> SampleTiles:
        """The tiles from which figures are estimated."""
        return SampleTiles(self.picture.pixels)

    def fit(self, k: int) -> Fit:
        """Fit k colours; quickest where larger k have been fitted before."""
        k = min(k, len(self.histogram))
        if k not in self._fits:
            palette = self._palette(k)
            error = error_of_colors(self.histogram, palette, self.settings.threads, self.settings.space)
            self._fits[k] = Fit(k, palette, error)
        return self._fits[k]

    def ssim(self, k: int) -> float:
        """Give the structural similarity with k colours, estimated as :mod:`kmc.selection.sample_tiles` says."""
        return self.tiles.ssim(self.fit(k).palette, self._sample_indices(k), self.settings.threads)

    def n_bytes(self, k: int) -> int:
        """Give the size of the PNG file with k colours, estimated as :mod:`kmc.selection.sample_tiles` says."""
        return self.tiles.n_bytes(self.fit(k).palette, self._sample_indices(k))

    def compressed(self, k: int) -> CompressedImage:
        """Give the picture with the k colours of its fit."""
        fit = self.fit(k)
        indices, mse = remap(
            self.picture.pixels, self.histogram, fit.palette, self.settings.threads, space=self.settings.space
        )
        inertia = mse * self.picture.pixels.size
        return CompressedImage(
            fit.palette, indices, self.picture.shape, mse == 0, mse, inertia, 0, True, {}, self.picture.metadata
        )

    def _palette(self, k: int) -> Palette:
        if k == len(self.histogram):
            return Palette.from_colors(self.histogram.colors)
        settings = self.settings._replace(k=k)
        points = self._points_for(k)
        clustering = cluster_colors(points, "auto", settings, None if points is self.histogram else BOX_TRIALS)
        return Palette.from_centroids(
            clustering.centroids,
            self.histogram,
            settings.space,
            settings.threads,
            keeps_opacity=clustering.keeps_opacity,
        )

    def _sample_indices(self, k: int) -> NDArray[Any]:
        k = min(k, len(self.histogram))
        if k not in self._indices:
            self._indices[k], _ = remap(
                self.tiles.pixels, self.histogram, self.fit(k).palette, self.settings.threads, space=self.settings.space
            )
        return self._indices[k]

    def _points_for(self, k: int) -> ColorHistogram:
        """Give the coarsest boxes, or the colours, on which k colours can be fitted."""
        larger = [fit for fit in self._fits.values() if fit.k > k and fit.mse > 0]
        if not larger or self.histogram.colors.shape[1] == 4:
            return self.histogram
        error = min(larger, key=lambda fit: fit.k).mse * self.picture.pixels.size
        for bits in BOX_BITS:
            boxes, scatter = self._boxes_of(bits)
            if scatter <= MOST_SCATTER * error and len(boxes) > k:
                return boxes
        return self.histogram

    def _boxes_of(self, bits: int) -> tuple[ColorHistogram, float]:
        if bits not in self._boxes:
            colors, counts = self.histogram.colors, self.histogram.counts
            box_colors, box_counts = np.empty_like(colors), np.empty_like(counts)
            n, scatter = _kernels.join_boxes(colors, counts, bits, box_colors, box_counts)
            self._boxes[bits] = ColorHistogram(box_colors[:n], box_counts[:n]), scatter
        return self._boxes[bits]
