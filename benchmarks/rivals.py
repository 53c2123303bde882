"""What a user would take instead of kmc, each behind the same call, at its best settings.

In:  pixels (h, w, 3) uint8, the number of colours k, the number of threads.
Out: palette (k', 3) uint8 with k' at most k, and indices (h, w) into it.

To add a rival, write one function with the decorator :func:`rival`; the first paragraph of its
docstring states its settings and goes into the report. Libraries are imported inside the
functions, so that one that is not installed is skipped and costs nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

__all__ = ["RIVALS", "Rival", "equal_threads"]

Pixels: TypeAlias = NDArray[np.uint8]
Quantized: TypeAlias = tuple[Pixels, NDArray[Any]]
Quantize: TypeAlias = Callable[[Pixels, int, int], Quantized]
Missing: TypeAlias = Callable[[], str | None]


@dataclass(frozen=True)
class Rival:
    """One way to make a palette.

    Attributes
    ----------
    name : str
        What the report calls it.
    settings : str
        How it is called, in a sentence.
    missing : callable
        Says what must be installed first, or None if nothing.
    quantize : callable
        ``quantize(pixels, k, threads)`` gives palette and indices.
    """

    name: str
    settings: str
    missing: Missing
    quantize: Quantize


RIVALS: dict[str, Rival] = {}


def rival(name: str, missing: Missing) -> Callable[[Quantize], Quantize]:
    """Enter a function into :data:`RIVALS`."""

    def enter(quantize: Quantize) -> Quantize:
        settings = " ".join((quantize.__doc__ or "").split("\n\n")[0].split())
        RIVALS[name] = Rival(name, settings, missing, quantize)
        return quantize

    return enter


def module(name: str) -> Missing:
    """Look for a Python module."""
    return lambda: None if importlib.util.find_spec(name) else f"{name} is not installed"


def equal_threads(threads: int) -> AbstractContextManager[Any]:
    """Limit OpenMP and BLAS, as far as loaded already, to `threads` threads.

    What has a pool of its own (OpenCV) or an argument (kmc) is told by its adapter.
    """
    limits: AbstractContextManager[Any] = threadpool_limits(limits=threads)
    return limits


@rival("kmc.compress", module("kmc"))
def kmc_compress(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Defaults: the distinct colours with their counts, until convergence."""
    import kmc

    compressed = kmc.compress(pixels, k, threads=threads)
    return compressed.palette.colors, compressed.indices


@rival("kmc.kmeans, all pixels", module("kmc"))
def kmc_kmeans(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Defaults: every pixel as a point, init k-means++, one start, tol 1e-4."""
    import kmc

    result = kmc.kmeans(pixels.reshape(-1, 3), k, threads=threads)
    return to_palette(result.centroids), result.labels.reshape(pixels.shape[:2])


@rival("scikit-learn KMeans lloyd, all pixels", module("sklearn"))
def sklearn_lloyd(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Points in float32 (faster than float64), init k-means++, n_init 1, max_iter 300, tol 1e-4."""
    return fit_sklearn(pixels, k, "lloyd")


@rival("scikit-learn KMeans elkan, all pixels", module("sklearn"))
def sklearn_elkan(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Points in float32 (faster than float64), init k-means++, n_init 1, max_iter 300, tol 1e-4."""
    return fit_sklearn(pixels, k, "elkan")


def fit_sklearn(pixels: Pixels, k: int, algorithm: str) -> Quantized:
    """Cluster every pixel by scikit-learn's KMeans."""
    from sklearn.cluster import KMeans

    kmeans = KMeans(k, n_init=1, algorithm=algorithm, random_state=0).fit(to_points(pixels))
    return to_palette(kmeans.cluster_centers_), kmeans.labels_.reshape(pixels.shape[:2])


@rival("scikit-learn MiniBatchKMeans", module("sklearn"))
def sklearn_mini_batch(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Points in float32, init k-means++, n_init 1, batches of 1024 pixels, max_iter 100."""
    from sklearn.cluster import MiniBatchKMeans

    kmeans = MiniBatchKMeans(k, n_init=1, random_state=0).fit(to_points(pixels))
    return to_palette(kmeans.cluster_centers_), kmeans.labels_.reshape(pixels.shape[:2])


@rival("scikit-learn KMeans, 1000 sampled pixels", module("sklearn"))
def sklearn_sample(pixels: Pixels, k: int, threads: int) -> Quantized:
    """As in scikit-learn's example of colour quantization: fit on 1000 pixels, then predict all."""
    from sklearn.cluster import KMeans
    from sklearn.utils import shuffle

    points = to_points(pixels)
    kmeans = KMeans(k, n_init=1, random_state=0)
    kmeans.fit(shuffle(points, random_state=0, n_samples=min(1000, len(points))))
    return to_palette(kmeans.cluster_centers_), kmeans.predict(points).reshape(pixels.shape[:2])


@rival("Pillow FASTOCTREE", module("PIL"))
def pillow_fast_octree(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Image.quantize, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "FASTOCTREE", 0)


@rival("Pillow MEDIANCUT", module("PIL"))
def pillow_median_cut(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Image.quantize, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "MEDIANCUT", 0)


@rival("Pillow MEDIANCUT, kmeans=1", module("PIL"))
def pillow_median_cut_kmeans(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Image.quantize with kmeans=1, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "MEDIANCUT", 1)


def quantize_pillow(pixels: Pixels, k: int, method: str, kmeans: int) -> Quantized:
    """Make a palette by Pillow; nothing is dithered."""
    from PIL import Image

    image = Image.fromarray(pixels).quantize(k, Image.Quantize[method], kmeans)
    palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return palette[:k], np.asarray(image)


@rival("OpenCV kmeans, 20 iterations", module("cv2"))
def opencv(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Init k-means++, one attempt, at most 20 iterations or until no centroid moves by 0.1."""
    import cv2

    cv2.setNumThreads(threads)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.1)
    points = to_points(pixels)
    unused = np.empty((len(points), 1), dtype=np.int32)  # labels to start from
    _, labels, centroids = cv2.kmeans(points, k, unused, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return to_palette(np.asarray(centroids)), np.asarray(labels).reshape(pixels.shape[:2])


def to_points(pixels: Pixels) -> NDArray[np.float32]:
    """Flatten (h, w, 3) pixels to (h * w, 3) points."""
    return pixels.reshape(-1, 3).astype(np.float32)


def to_palette(centroids: NDArray[Any]) -> Pixels:
    """Round centroids (k, 3) to 8-bit colours."""
    palette: Pixels = np.clip(np.rint(centroids), 0, 255).astype(np.uint8)
    return palette
