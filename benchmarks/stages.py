"""The stages of kmc.compress, and kmc.evaluate beside them, each as a call to be measured alone.

A stage is a function (path of a picture, k, threads) -> :class:`Call`; what it does before it
returns, such as what earlier stages do, is not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc.color_kmeans import cluster_colors
from kmc.colorspace import points_of
from kmc.encode import png_bytes
from kmc.evaluate import evaluate
from kmc.histogram import ColorHistogram
from kmc.kmeans import _ClusterSums, fit, nearest_centroids
from kmc.load import load
from kmc.palette import Palette
from kmc.remap import remap
from kmc.seeding import RandomStream, kmeans_plus_plus

__all__ = ["STAGES", "Call"]

Stage: TypeAlias = "Callable[[Path, int, int], Call]"


@dataclass(frozen=True)
class Call:
    """What is measured.

    Attributes
    ----------
    run : callable
        The stage.
    arguments : callable
        Gives its arguments, made afresh for each round and not measured.
    """

    run: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]] = tuple


STAGES: dict[str, Stage] = {}


def stage(function: Stage) -> Stage:
    """Enter a function into :data:`STAGES` under its name."""
    STAGES[function.__name__.removesuffix("_stage")] = function
    return function


@dataclass(frozen=True)
class Clustered:
    """Everything that a picture becomes on its way."""

    pixels: NDArray[np.uint8]
    points: NDArray[Any]
    weights: NDArray[np.float64]
    start: NDArray[np.float64]
    palette: Palette
    labels: NDArray[np.int32]
    indices: NDArray[Any]


@cache
def clustered(path: Path, k: int, threads: int) -> Clustered:
    """Run all stages."""
    pixels = load(path).pixels
    histogram = ColorHistogram.from_pixels(pixels, threads)
    points, weights = points_of(histogram.colors), histogram.counts.astype(np.float64)
    start = kmeans_plus_plus(points, weights, k, RandomStream(0), threads)
    result = fit(points, weights, start, 300, 1e-4, "auto", threads)
    palette = Palette.from_centroids(result.centroids, histogram)
    labels = palette.nearest(histogram.colors, threads)
    indices, _ = remap(pixels, histogram, palette, threads)
    return Clustered(pixels, points, weights, start, palette, labels, indices)


@stage
def load_stage(path: Path, k: int, threads: int) -> Call:
    """Decode the file."""
    return Call(lambda: load(path))


@stage
def histogram_stage(path: Path, k: int, threads: int) -> Call:
    """Count the distinct colours."""
    pixels = load(path).pixels
    return Call(lambda: ColorHistogram.from_pixels(pixels, threads))


@stage
def seeding_stage(path: Path, k: int, threads: int) -> Call:
    """Choose the first centroids by k-means++."""
    way = clustered(path, k, threads)
    return Call(lambda: kmeans_plus_plus(way.points, way.weights, k, RandomStream(0), threads))


@stage
def assignment_stage(path: Path, k: int, threads: int) -> Call:
    """Find the nearest centroid of each distinct colour, once."""
    way = clustered(path, k, threads)
    return Call(lambda: nearest_centroids(way.points, way.start, threads))


@stage
def update_stage(path: Path, k: int, threads: int) -> Call:
    """Move each centroid to the mean of its colours, once and from nothing."""
    way = clustered(path, k, threads)

    def update() -> NDArray[np.float64]:
        sums = _ClusterSums(way.points, way.weights, k, threads)
        sums.refresh(way.labels)
        return sums.means(way.start)

    return Call(update)


@stage
def fit_stage(path: Path, k: int, threads: int) -> Call:
    """Find the centroids: what compress() does by default."""
    histogram = ColorHistogram.from_pixels(load(path).pixels, threads)
    return Call(lambda: cluster_colors(histogram, k, "auto", None, 0, threads))


@stage
def remap_stage(path: Path, k: int, threads: int) -> Call:
    """Give every pixel its index."""
    way = clustered(path, k, threads)
    return Call(
        lambda histogram: remap(way.pixels, histogram, way.palette, threads),
        # The map uses up the histogram's index.
        lambda: (ColorHistogram.from_pixels(way.pixels, threads),),
    )


@stage
def encode_stage(path: Path, k: int, threads: int) -> Call:
    """Make the bytes of the PNG file."""
    way = clustered(path, k, threads)
    return Call(lambda: png_bytes(way.indices, way.palette.colors))


@stage
def evaluate_stage(path: Path, k: int, threads: int) -> Call:
    """Compare the compressed picture with the original."""
    way = clustered(path, k, threads)
    compressed = way.palette.colors[way.indices]
    return Call(lambda: evaluate(way.pixels, compressed))
