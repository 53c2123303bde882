"""One picture in every way: ImageLike -> Measured, with a Result for each k, space and dithering.

The indices of a large picture are not kept (each takes a byte for every pixel); what the page shows of it is made again
from the palette, but for a detail at full size.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kmc import _threads
from kmc.api import compress
from kmc.choose_k import choose_k
from kmc.compressed_image import CompressedImage
from kmc.errors import KmcWarning
from kmc.evaluate import Evaluation, evaluate
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.metrics.error_map import area_errors
from kmc.notebook import shares_of
from kmc.palette import Palette
from kmc.selection.k_selection import KSelection

__all__ = ["MOST_SHOWN", "Measured", "Result", "measure_all", "pixels_within"]

DEFAULT_KS = (4, 8, 16, 32, 64, 256)
SPACES = ("srgb", "oklab")
DITHERS = (0.0, 0.8)
MOST_SHOWN = 600_000  # pixels; larger pictures are shown smaller
ERROR_PIXELS = 60_000
DETAIL_PIXELS = 90_000
MOST_PIXELS_ALL_METRICS = 500_000
MOST_WORKERS = 8


@dataclass(frozen=True, eq=False)
class Result:
    """The picture compressed in one way.

    Attributes
    ----------
    k : int
    space : {"srgb", "oklab"}
    dither : float
    evaluation : Evaluation
        Of the full picture.
    seconds : float
        That compressing took.
    palette : Palette
    shares : ndarray (k,)
        Of the pixels, 0 to 1.
    indices : ndarray (h, w) or None
        None for a picture of more than MOST_SHOWN pixels.
    detail : ndarray of uint8
        The indices within :attr:`Measured.detail`.
    errors : ndarray of float32
        Error of areas, in levels.
    """

    k: int
    space: str
    dither: float
    evaluation: Evaluation
    seconds: float
    palette: Palette
    shares: NDArray[np.float64]
    indices: NDArray[np.uint8] | None
    detail: NDArray[np.uint8]
    errors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Measured:
    """A picture and all its results.

    Attributes
    ----------
    name : str
    picture : Picture
    n_colors : int
        Distinct colours of the picture.
    selection : KSelection
        What is recommended, and the curve.
    detail : tuple of slice
        Rows and columns where the recommended result has its largest error.
    results : list of Result
        By space, dithering and k.
    """

    name: str
    picture: Picture
    n_colors: int
    selection: KSelection
    detail: tuple[slice, slice]
    results: list[Result]


def measure_all(
    image: ImageLike,
    name: str,
    ks: list[int] | None,
    metrics: str | Collection[str] | None,
    seed: int,
    threads: int | None,
    progress: bool,
) -> Measured:
    """Compress a picture in every way and measure each; see :func:`kmc.report.make_report`."""
    picture = load(image)
    n_colors = len(ColorHistogram.from_pixels(picture.pixels, threads))
    selection = choose_k(picture, ks, seed=seed, threads=threads)
    ways = list(product(SPACES, DITHERS, _ks_worth_trying(ks or sorted({*DEFAULT_KS, selection.k}), n_colors)))
    if metrics is None:
        metrics = "all" if picture.height * picture.width <= MOST_PIXELS_ALL_METRICS else "core"
    detail = _area_of_largest_error(picture, selection.best)

    def finish(way: tuple[str, float, int], compressed: CompressedImage, seconds: float) -> Result:
        space, dither, k = way
        return _result(picture, compressed, k, space, dither, metrics, detail, seconds)

    results = []
    n_workers = min(_threads.resolve(threads), MOST_WORKERS)
    bar = tqdm(total=len(ways), desc=name, unit="result", disable=not progress, leave=False)
    with bar, ThreadPoolExecutor(n_workers) as pool:
        for start in range(0, len(ways), n_workers):
            batch = ways[start : start + n_workers]
            # Measured after all of the batch are compressed, so that nothing disturbs the times.
            compressed = [_timed(picture, k, space, dither, seed, threads) for space, dither, k in batch]
            for result in pool.map(finish, batch, *zip(*compressed, strict=True)):
                results.append(result)
                bar.update()
    return Measured(name, picture, n_colors, selection, detail, results)


def _ks_worth_trying(ks: list[int], n_colors: int) -> list[int]:
    """Those of ks, ascending, that differ: of those that keep every colour the least."""
    return [k for k in ks if k < n_colors] + [k for k in ks if k >= n_colors][:1]


def _timed(
    picture: Picture, k: int, space: str, dither: float, seed: int, threads: int | None
) -> tuple[CompressedImage, float]:
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KmcWarning)  # that k is small: the page shows it
        compressed = compress(picture, k, space=space, dither=dither, seed=seed, threads=threads)
    return compressed, perf_counter() - start


def _result(
    picture: Picture,
    compressed: CompressedImage,
    k: int,
    space: str,
    dither: float,
    metrics: str | Collection[str],
    detail: tuple[slice, slice],
    seconds: float,
) -> Result:
    pixels = compressed.palette.colors[compressed.indices]
    is_small = compressed.indices.size <= MOST_SHOWN
    return Result(
        k=k,
        space=space,
        dither=dither,
        evaluation=evaluate(picture, compressed, metrics=metrics),
        seconds=seconds,
        palette=compressed.palette,
        shares=shares_of(compressed),
        indices=compressed.indices if is_small else None,
        detail=np.ascontiguousarray(compressed.indices[detail]),
        errors=area_errors(picture.pixels, pixels, pixels_within(picture, ERROR_PIXELS)),
    )


def pixels_within(picture: Picture, most: float) -> tuple[int, int]:
    """Give the height and width, in the picture's proportions, of at most about `most` pixels."""
    shrink = min(1.0, (most / (picture.height * picture.width)) ** 0.5)
    return max(1, round(picture.height * shrink)), max(1, round(picture.width * shrink))


def _area_of_largest_error(picture: Picture, compressed: CompressedImage) -> tuple[slice, slice]:
    """Give rows and columns of a detail of about DETAIL_PIXELS pixels, in the picture's proportions."""
    height, width = pixels_within(picture, DETAIL_PIXELS)
    pixels = compressed.palette.colors[compressed.indices]
    # Areas of half the detail's sides: four of them are a place it can have.
    rows, columns = max(2, 2 * picture.height // height), max(2, 2 * picture.width // width)
    squares = area_errors(picture.pixels, pixels, (rows, columns)).astype(np.float64) ** 2
    sums = squares[1:, 1:] + squares[1:, :-1] + squares[:-1, 1:] + squares[:-1, :-1]
    row, column = (int(place) for place in np.unravel_index(np.argmax(sums), sums.shape))
    top = min(row * picture.height // rows, picture.height - height)
    left = min(column * picture.width // columns, picture.width - width)
    return slice(top, top + height), slice(left, left + width)
