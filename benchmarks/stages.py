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

from kmc._settings import Settings
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
    moved : int
        Bytes that it must read and write: its input and its result, each once.
    arguments : callable
        Gives its arguments, made afresh for each round and not measured.
    """

    run: Callable[..., Any]
    moved: int
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
    histogram_bytes: int
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
    histogram_bytes = histogram.colors.nbytes + histogram.counts.nbytes
    return Clustered(pixels, histogram_bytes, points, weights, start, palette, labels, indices)


@stage
def load_stage(path: Path, k: int, threads: int) -> Call:
    """Decode the file."""
    return Call(lambda: load(path), path.stat().st_size + clustered(path, k, threads).pixels.nbytes)


@stage
def histogram_stage(path: Path, k: int, threads: int) -> Call:
    """Count the distinct colours."""
    way = clustered(path, k, threads)
    return Call(lambda: ColorHistogram.from_pixels(way.pixels, threads), way.pixels.nbytes + way.histogram_bytes)


@stage
def sample_stage(path: Path, k: int, threads: int) -> Call:
    """Count the colours of 131072 pixels, joined in boxes: effort="fast"."""
    way = clustered(path, k, threads)
    sample = ColorHistogram.from_sample(way.pixels, 1 << 17, 1, k, threads)
    moved = 3 * sample.n_pixels + sample.colors.nbytes + sample.counts.nbytes
    return Call(lambda: ColorHistogram.from_sample(way.pixels, 1 << 17, 1, k, threads), moved)


@stage
def cluster_stage(path: Path, k: int, threads: int) -> Call:
    """Find the centroids: what compress() does by default."""
    way = clustered(path, k, threads)
    histogram = ColorHistogram.from_pixels(way.pixels, threads)
    settings = Settings(k, None, "balanced", "srgb", None, 0, threads)
    return Call(lambda: cluster_colors(histogram, "auto", settings), way.histogram_bytes)


@stage
def seeding_stage(path: Path, k: int, threads: int) -> Call:
    """Choose first centroids by k-means++: only where asked for."""
    way = clustered(path, k, threads)
    return Call(
        lambda: kmeans_plus_plus(way.points, way.weights, k, RandomStream(0), threads),
        way.points.nbytes + way.weights.nbytes,
    )


@stage
def assignment_stage(path: Path, k: int, threads: int) -> Call:
    """Find the nearest centroid of each distinct colour, once, as kmc.kmeans does."""
    way = clustered(path, k, threads)
    return Call(lambda: nearest_centroids(way.points, way.start, threads), way.points.nbytes + way.labels.nbytes)


@stage
def update_stage(path: Path, k: int, threads: int) -> Call:
    """Move each centroid to the mean of its colours, once and from nothing, as kmc.kmeans does."""
    way = clustered(path, k, threads)

    def update() -> NDArray[np.float64]:
        sums = _ClusterSums(way.points, way.weights, k, threads)
        sums.refresh(way.labels)
        return sums.means(way.start)

    return Call(update, way.points.nbytes + way.weights.nbytes + way.labels.nbytes)


@stage
def palette_stage(path: Path, k: int, threads: int) -> Call:
    """Round the centroids and order them."""
    way = clustered(path, k, threads)
    histogram, centroids = ColorHistogram.from_pixels(way.pixels, threads), way.palette.colors.astype(np.float64)
    return Call(lambda: Palette.from_centroids(centroids, histogram), centroids.nbytes)


@stage
def map_stage(path: Path, k: int, threads: int) -> Call:
    """Give every pixel its index."""
    way = clustered(path, k, threads)
    return Call(
        lambda histogram: remap(way.pixels, histogram, way.palette, threads),
        way.pixels.nbytes + way.indices.nbytes + way.histogram_bytes,
        # The map uses up the histogram's index.
        lambda: (ColorHistogram.from_pixels(way.pixels, threads),),
    )


@stage
def apply_stage(path: Path, k: int, threads: int) -> Call:
    """Give every pixel its index without a histogram: effort="fast" and Palette.apply."""
    way = clustered(path, k, threads)
    return Call(lambda: remap(way.pixels, None, way.palette, threads), way.pixels.nbytes + way.indices.nbytes)


@stage
def encode_stage(path: Path, k: int, threads: int) -> Call:
    """Make the bytes of the PNG file."""
    way = clustered(path, k, threads)
    return Call(lambda: png_bytes(way.indices, way.palette.colors), way.indices.nbytes)


@stage
def evaluate_stage(path: Path, k: int, threads: int) -> Call:
    """Compare the compressed picture with the original."""
    way = clustered(path, k, threads)
    compressed = way.palette.colors[way.indices]
    return Call(lambda: evaluate(way.pixels, compressed), 2 * way.pixels.nbytes)
