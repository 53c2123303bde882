"""How many colours: ``kmc.choose_k`` fits a picture at several k, measures each and recommends one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from time import perf_counter

import numpy as np

from kmc._settings import checked_settings
from kmc._validate import whole_number
from kmc.api import compress
from kmc.compressed_image import CompressedImage
from kmc.k_selection import KScore, KSelection
from kmc.load import ImageLike, Picture, load
from kmc.similarity import WINDOW, ssim

__all__ = ["choose_k"]

# Those that people know, and steps of at most half where clusters can be told apart.
DEFAULT_KS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256)
MOST_PNG_COLORS = 256


def choose_k(
    image: ImageLike | Picture,
    ks: Iterable[int] | None = None,
    method: str = "elbow",
    *,
    target: float | None = None,
    space: str = "srgb",
    seed: int = 0,
    effort: str = "balanced",
    threads: int | None = None,
) -> KSelection:
    """Recommend a number of colours for a picture.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc
    >>> picture = np.repeat(np.array([[0, 80, 160, 255]], dtype=np.uint8), 64, axis=1)
    >>> kmc.choose_k(picture).k
    4
    """
    picture = load(image)
    wanted = sorted({whole_number("ks", k, 1, 65536, "give each k as a whole number") for k in ks or DEFAULT_KS})
    settings = checked_settings(wanted[-1], "exact", None, effort, space, 0.0, seed, threads)
    fits = []
    scores = []
    for k in wanted:
        start = perf_counter()
        fits.append(
            compress(picture, k, effort=settings.effort, space=settings.space, seed=settings.seed, threads=threads)
        )
        scores.append(_score(picture, k, fits[-1], perf_counter() - start))
    chosen, reason = _elbow(scores)
    return KSelection(tuple(scores), scores[chosen].k, method, reason, fits[chosen])


def _score(picture: Picture, k: int, fit: CompressedImage, seconds: float) -> KScore:
    image = fit.image.reshape(picture.pixels.shape)
    similar = ssim(picture.pixels, image) if min(image.shape[:2]) >= WINDOW else math.nan
    n_bytes = len(fit.to_bytes()) if len(fit.palette) <= MOST_PNG_COLORS else 0
    return KScore(k, len(fit.palette), fit.inertia, fit.mse, fit.psnr, similar, n_bytes, seconds)


def _elbow(scores: list[KScore]) -> tuple[int, str]:
    """Give the row farthest from the straight line between the first and the last: log MSE over log k."""
    across = np.log2([score.k for score in scores])
    down = np.log2([max(score.mse, 1 / 12) for score in scores])
    if len(scores) < 3 or np.ptp(down) == 0:
        return len(scores) - 1, "the curve has no elbow, so the largest k was taken"
    across = (across - across[0]) / np.ptp(across)
    down = (down[0] - down) / np.ptp(down)
    return int(np.argmax(down - across)), "the curve of the error bends most there"
