"""What a user would take instead of kmc, each behind the same call, at its best settings.

In:  pixels (h, w, 3) uint8, the number of colours k, the number of threads; where the function has
     such an argument, whether to dither; where its decorator says so, pixels (h, w, 4).
Out: palette (k', 3 or 4) uint8 with k' at most k, and indices (h, w) into it.

To add a rival, write one function with the decorator :func:`rival`; the first paragraph of its
docstring states its settings and goes into the report. Libraries are imported inside the
functions, so that one that is not installed is skipped and costs nothing. What an array needs to
become what the library takes (floats, a PIL image) is part of its time.
"""

from __future__ import annotations

import importlib.util
import inspect
import io
import json
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

__all__ = ["RIVALS", "Quantized", "Rival", "equal_threads"]

# The races compress tiny pictures to warm up, and to very few colours: kmc need not say that these look poor.
warnings.filterwarnings("ignore", message=".* a PSNR of .* dB, so areas and shades merge")
QUANTETTE = Path(__file__).parents[1] / "build" / "quantette" / "release" / "quantette-rival"
QUANTETTE_RUNS = 4

Pixels: TypeAlias = NDArray[np.uint8]
Quantize: TypeAlias = "Callable[..., Quantized]"
Missing: TypeAlias = Callable[[], str | None]


class Quantized(NamedTuple):
    """What a rival gives; `seconds` only where part of the call is not to be counted."""

    palette: Pixels
    indices: NDArray[Any]
    seconds: float | None = None


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
        ``quantize(pixels, k, threads)`` gives palette and indices; with ``dither=True`` dithered, if `dithers`.
    is_program : bool
        Whether it runs in a process of its own, whose memory is not seen.
    rgba : tuple of bool
        The values of `dither` with which it takes pixels with alpha.
    """

    name: str
    settings: str
    missing: Missing
    quantize: Quantize
    is_program: bool = False
    rgba: tuple[bool, ...] = ()

    @property
    def dithers(self) -> bool:
        """Whether ``quantize`` takes ``dither=True``."""
        return "dither" in inspect.signature(self.quantize).parameters

    def timed(self, pixels: Pixels, k: int, threads: int) -> tuple[Quantized, float]:
        """Run once and say how many seconds it took."""
        start = time.perf_counter()
        quantized = self.quantize(pixels, k, threads)
        passed = time.perf_counter() - start
        return quantized, passed if quantized.seconds is None else quantized.seconds


RIVALS: dict[str, Rival] = {}


def rival(
    name: str, missing: Missing, is_program: bool = False, rgba: tuple[bool, ...] = ()
) -> Callable[[Quantize], Quantize]:
    """Enter a function into :data:`RIVALS`."""

    def enter(quantize: Quantize) -> Quantize:
        settings = " ".join((quantize.__doc__ or "").split("\n\n")[0].split())
        RIVALS[name] = Rival(name, settings, missing, quantize, is_program, rgba)
        return quantize

    return enter


def module(name: str) -> Missing:
    """Look for a Python module."""
    return lambda: None if importlib.util.find_spec(name) else f"{name} is not installed"


def program(name: str) -> Missing:
    """Look for a program."""
    return lambda: None if shutil.which(name) else f"{name} is not installed"


def effort() -> str | None:
    """Look for the argument of kmc.compress."""
    import kmc

    has_effort = "effort" in inspect.signature(kmc.compress).parameters
    return None if has_effort else "this version of kmc.compress has no effort"


def quantette() -> str | None:
    """Look for our program in benchmarks/rivals/quantette."""
    if QUANTETTE.exists():
        return None
    return "quantette is not built (make quantette)" if shutil.which("cargo") else "cargo is not installed"


def equal_threads(threads: int) -> AbstractContextManager[Any]:
    """Limit OpenMP and BLAS, as far as loaded already, to `threads` threads.

    What has a pool of its own (OpenCV, oneDAL), an argument (kmc) or an environment (programs) is
    told by its adapter.
    """
    limits: AbstractContextManager[Any] = threadpool_limits(limits=threads)
    return limits


@rival("kmc.compress", module("kmc"))
def kmc_compress(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Defaults: the distinct colours with their counts, until convergence."""
    import kmc

    compressed = kmc.compress(pixels, k, threads=threads)
    return Quantized(compressed.palette.colors, compressed.indices)


@rival("kmc.compress, effort fast", effort)
def kmc_compress_fast(pixels: Pixels, k: int, threads: int) -> Quantized:
    """``effort="fast"``: a sample of the pixels, few rounds."""
    import kmc

    compress: Any = kmc.compress  # older versions have no such argument
    compressed = compress(pixels, k, effort="fast", threads=threads)
    return Quantized(compressed.palette.colors, compressed.indices)


@rival("kmc.kmeans, all pixels", module("kmc"))
def kmc_kmeans(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Defaults: every pixel as a point, init k-means++, one start, tol 1e-4."""
    import kmc

    result = kmc.kmeans(pixels.reshape(-1, 3), k, threads=threads)
    return from_clusters(result.centroids, result.labels, pixels)


@rival("quantette Wu, sRGB", quantette, is_program=True)
def quantette_wu(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Version 0.6, built for this processor; WuU8x3 with BinnerU8x3::rgb(); timed inside the program."""
    return run_quantette("wu-srgb", pixels, k, threads)


@rival("quantette Wu, Oklab", quantette, is_program=True)
def quantette_wu_oklab(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Version 0.6, built for this processor; Pipeline with QuantizeMethod::Wu; timed inside the program."""
    return run_quantette("wu-oklab-dithered" if dither else "wu-oklab", pixels, k, threads)


@rival("quantette k-means, Oklab", quantette, is_program=True)
def quantette_kmeans(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Version 0.6, built for this processor; Pipeline with QuantizeMethod::kmeans(); timed inside the program."""
    return run_quantette("kmeans-oklab-dithered" if dither else "kmeans-oklab", pixels, k, threads)


def run_quantette(method: str, pixels: Pixels, k: int, threads: int) -> Quantized:
    """Run our program; its first runs warm up what is new in a process, its last counts."""
    height, width = pixels.shape[:2]
    output = run_program([QUANTETTE, width, height, k, method, QUANTETTE_RUNS], pixels.tobytes(), threads)
    header, _, rest = output.partition(b"\n")
    times = json.loads(header)
    content = np.frombuffer(rest, dtype=np.uint8)
    n_bytes = 3 * times["colors"]
    return Quantized(content[:n_bytes].reshape(-1, 3), content[n_bytes:].reshape(height, width), times["seconds"][-1])


def run_program(command: list[Any], stdin: bytes, threads: int) -> bytes:
    """Run a program on so many threads; give what it writes."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    words = [str(word) for word in command]
    return subprocess.run(words, input=stdin, stdout=subprocess.PIPE, check=True, env=environment).stdout


@rival("Pillow FASTOCTREE", module("PIL"), rgba=(False,))
def pillow_fast_octree(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Image.quantize, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "FASTOCTREE", 0, dither)


@rival("Pillow MEDIANCUT", module("PIL"))
def pillow_median_cut(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Image.quantize, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "MEDIANCUT", 0, dither)


@rival("Pillow MEDIANCUT, kmeans=1", module("PIL"))
def pillow_median_cut_kmeans(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Image.quantize with kmeans=1, on one thread as all of Pillow."""
    return quantize_pillow(pixels, k, "MEDIANCUT", 1)


def quantize_pillow(pixels: Pixels, k: int, method: str, kmeans: int, dither: bool = False) -> Quantized:
    """Make a palette by Pillow; for dithering, which it does with given palettes only, map once more."""
    from PIL import Image

    image = Image.fromarray(pixels)
    quantized = image.quantize(k, Image.Quantize[method], kmeans)
    if dither:
        quantized = image.quantize(palette=quantized, dither=Image.Dither.FLOYDSTEINBERG)
    return from_pillow(quantized, k, pixels.shape[2])


def from_pillow(image: Any, k: int, channels: int, seconds: float | None = None) -> Quantized:
    """Take palette and indices out of a PIL image of mode P."""
    if channels == 4:
        image.apply_transparency()
    mode = "RGBA" if channels == 4 else "RGB"
    palette = np.array(image.getpalette(mode), dtype=np.uint8).reshape(-1, channels)
    return Quantized(palette[:k], np.asarray(image), seconds)


@rival("imagequant", module("imagequant"), rgba=(False, True))
def imagequant(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Default speed of libimagequant, no dithering; the package is built for one thread."""
    import imagequant
    from PIL import Image

    height, width = pixels.shape[:2]
    rgba = Image.fromarray(pixels).convert("RGBA").tobytes()
    indices, palette = imagequant.quantize_raw_rgba_bytes(rgba, width, height, float(dither), k)
    colors = np.array(palette, dtype=np.uint8).reshape(-1, 4)[:k, : pixels.shape[2]]
    return Quantized(colors, np.frombuffer(indices, dtype=np.uint8).reshape(height, width))


@rival("pngquant", program("pngquant"), is_program=True, rgba=(False, True))
def pngquant(pixels: Pixels, k: int, threads: int, dither: bool = False) -> Quantized:
    """Whole program at its default speed, --nofs: reads a PNG that is not compressed, writes a compressed one."""
    return run_pngquant(pixels, k, threads, 4, dither)


@rival("pngquant, speed 10", program("pngquant"), is_program=True)
def pngquant_fast(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Whole program, --speed 10 --nofs: reads a PNG that is not compressed, writes a compressed one."""
    return run_pngquant(pixels, k, threads, 10)


def run_pngquant(pixels: Pixels, k: int, threads: int, speed: int, dither: bool = False) -> Quantized:
    """Time the program from start to end; making its PNG and reading the result is not counted."""
    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG", compress_level=0)
    content = png.getvalue()
    start = time.perf_counter()
    options = ["--floyd=1" if dither else "--nofs", "--speed", speed]
    output = run_program(["pngquant", *options, k, "-"], content, threads)
    seconds = time.perf_counter() - start
    return from_pillow(Image.open(io.BytesIO(output)), k, pixels.shape[2], seconds)


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
    return from_clusters(np.asarray(centroids), np.asarray(labels), pixels)


@rival("faiss Kmeans", module("faiss"))
def faiss_sample(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Kmeans of niter 20, nredo 1 on a sample of 256 points a centroid as by default (use_faster_subsampling)."""
    return fit_faiss(pixels, k, use_faster_subsampling=True)


@rival("faiss Kmeans, all pixels", module("faiss"))
def faiss_all(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Kmeans of niter 20, nredo 1, max_points_per_centroid without bound."""
    return fit_faiss(pixels, k, max_points_per_centroid=pixels.size)


def fit_faiss(pixels: Pixels, k: int, **settings: Any) -> Quantized:
    """Cluster by faiss, then find the nearest centroid of every pixel."""
    import faiss

    points = to_points(pixels)
    kmeans = faiss.Kmeans(3, k, niter=20, nredo=1, seed=0, min_points_per_centroid=1, **settings)
    kmeans.train(points)
    _, labels = kmeans.index.search(points, 1)
    return from_clusters(np.asarray(kmeans.centroids), labels, pixels)


@rival("scikit-learn KMeans, all pixels", module("sklearn"))
def sklearn_all(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Points in float32 (faster than float64), lloyd (faster than elkan here), n_init 1, max_iter 300, tol 1e-4."""
    from sklearn.cluster import KMeans

    kmeans = KMeans(k, n_init=1, random_state=0).fit(to_points(pixels))
    return from_clusters(kmeans.cluster_centers_, kmeans.labels_, pixels)


@rival("scikit-learn KMeans, distinct colours", module("sklearn"))
def sklearn_distinct(pixels: Pixels, k: int, threads: int) -> Quantized:
    """As on all pixels, with counts as sample_weight; only fit() is timed, colours and final map are kmc's."""
    from sklearn.cluster import KMeans

    from kmc.histogram import ColorHistogram
    from kmc.palette import Palette
    from kmc.remap import remap

    histogram = ColorHistogram.from_pixels(pixels, threads)
    points, weights = histogram.colors.astype(np.float32), histogram.counts.astype(np.float32)
    start = time.perf_counter()
    kmeans = KMeans(k, n_init=1, random_state=0).fit(points, sample_weight=weights)
    seconds = time.perf_counter() - start
    palette = Palette.from_centroids(kmeans.cluster_centers_.astype(np.float64), histogram)
    indices, _ = remap(pixels, histogram, palette, threads)
    return Quantized(palette.colors, indices, seconds)


@rival("scikit-learn-intelex KMeans, all pixels", module("sklearnex"))
def sklearn_intelex(pixels: Pixels, k: int, threads: int) -> Quantized:
    """sklearnex.cluster.KMeans (scikit-learn is not patched), points in float32, n_init 1, max_iter 300, tol 1e-4."""
    from sklearnex.cluster import KMeans

    kmeans = KMeans(k, n_init=1, random_state=0, n_jobs=threads).fit(to_points(pixels))
    return from_clusters(kmeans.cluster_centers_, kmeans.labels_, pixels)


@rival("scikit-learn MiniBatchKMeans", module("sklearn"))
def sklearn_mini_batch(pixels: Pixels, k: int, threads: int) -> Quantized:
    """Points in float32, init k-means++, n_init 1, batches of 1024 pixels, max_iter 100."""
    from sklearn.cluster import MiniBatchKMeans

    kmeans = MiniBatchKMeans(k, n_init=1, random_state=0).fit(to_points(pixels))
    return from_clusters(kmeans.cluster_centers_, kmeans.labels_, pixels)


@rival("scikit-learn KMeans, 1000 sampled pixels", module("sklearn"))
def sklearn_sample(pixels: Pixels, k: int, threads: int) -> Quantized:
    """As in scikit-learn's example of colour quantization: fit on 1000 pixels, then predict all."""
    from sklearn.cluster import KMeans
    from sklearn.utils import shuffle

    points = to_points(pixels)
    kmeans = KMeans(k, n_init=1, random_state=0)
    kmeans.fit(shuffle(points, random_state=0, n_samples=min(1000, len(points))))
    return from_clusters(kmeans.cluster_centers_, kmeans.predict(points), pixels)


def to_points(pixels: Pixels) -> NDArray[np.float32]:
    """Flatten (h, w, 3) pixels to (h * w, 3) points."""
    return pixels.reshape(-1, 3).astype(np.float32)


def to_palette(centroids: NDArray[Any]) -> Pixels:
    """Round centroids (k, 3) to 8-bit colours."""
    palette: Pixels = np.clip(np.rint(centroids), 0, 255).astype(np.uint8)
    return palette


def from_clusters(centroids: NDArray[Any], labels: NDArray[Any], pixels: Pixels) -> Quantized:
    """Make palette and indices of the clusters of all pixels."""
    return Quantized(to_palette(centroids), labels.reshape(pixels.shape[:2]))
