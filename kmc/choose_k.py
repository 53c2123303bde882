"""How many colours: ``kmc.choose_k`` fits a picture at several k, measures each and recommends one.

What is exact and what is estimated: ``mse``, ``psnr``, ``inertia`` and ``colors`` are exact for the palette of each k,
whose MSE is within 1 % of what :func:`kmc.compress` reaches with that k. ``ssim`` and ``n_bytes`` of pictures with
more than 131072 pixels come from tiles that hold up to 65536 of them (:mod:`kmc.selection.sample_tiles`), when they
are first looked at; where a target is asked for they are exact around the chosen k. ``silhouette`` comes with its
standard error.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

import numpy as np

from kmc._settings import checked_settings
from kmc._validate import choice, real_number, whole_number
from kmc.colorspace import points_of
from kmc.errors import KmcTypeError, KmcValueError
from kmc.load import ImageLike, Picture, load
from kmc.metrics.similarity import WINDOW, ssim
from kmc.palette import MOST_COLORS
from kmc.selection.cluster_scores import Clusters, calinski_harabasz, davies_bouldin
from kmc.selection.k_selection import KScore, KSelection, LazyScore
from kmc.selection.knee import best_by, elbow, first_reaching
from kmc.selection.sweep import Fit, Sweep

__all__ = ["METHODS", "choose_k"]

# Those that people know, and steps of at most half where clusters can be told apart.
DEFAULT_KS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256)

CLUSTER_METHODS = ("silhouette", "calinski-harabasz", "davies-bouldin")
TARGETS = {"psnr": "a PSNR in dB such as 35", "ssim": "an SSIM such as 0.95", "bytes": "a number of bytes"}
METHODS = ("elbow", *CLUSTER_METHODS, *TARGETS)

# The silhouette of more colours than these, a second's work for 16 values of k, is that of a sample: as many colours as
# make so many distances.
EXACT_SILHOUETTE_COLORS = 1 << 14
SILHOUETTE_DISTANCES = 1 << 28


def choose_k(
    image: ImageLike | Picture,
    ks: Iterable[int] | None = None,
    method: str = "elbow",
    *,
    target: float | None = None,
    space: str = "srgb",
    effort: str = "balanced",
    seed: int = 0,
    threads: int | None = None,
) -> KSelection:
    """Recommend a number of colours for a picture, with the figures for every k that was tried.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image or array
        As for :func:`kmc.compress`.
    ks : iterable of int, optional
        The numbers of colours to try, 1 to 65536, in any order. Left out, 16 values from 2 to 256, as far as the
        picture has so many colours.
    method : str, default "elbow"
        - "elbow": where the curve of the error bends most (kneedle on log2 MSE over log2 k). Photographs often have no
          elbow; then the first k of 30 dB PSNR is taken, and the reason says so.
        - "silhouette", "calinski-harabasz", "davies-bouldin": the k whose clusters stand apart best. Pictures of more
          than 16384 colours get a silhouette from a sample of these.
        - "psnr", "ssim": the smallest k that reaches `target`. "bytes": the largest k whose PNG file has at most
          `target` bytes.
    target : float, optional
        For "psnr" (dB), "ssim" (up to 1) and "bytes", and needed there.
    space, effort, seed, threads
        As for :func:`kmc.compress`.

    Returns
    -------
    KSelection
        Exact are MSE, PSNR and inertia. SSIM and bytes are computed when they are first looked at; those of pictures
        with more than 131072 pixels are estimates from tiles. For the k chosen by "ssim" and "bytes" they are exact.

    Raises
    ------
    KmcQualityError
        No k reaches the target.
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.

    References
    ----------
    Satopaa, Albrecht, Irwin and Raghavan, "Finding a 'kneedle' in a haystack", 2011. Rousseeuw, "Silhouettes", 1987.
    Calinski and Harabasz, "A dendrite method for cluster analysis", 1974. Davies and Bouldin, "A cluster separation
    measure", 1979.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc
    >>> stripes = np.repeat(np.array([[0, 80, 160, 255]], dtype=np.uint8), 64, axis=1)
    >>> noise = np.random.default_rng(0).integers(-4, 5, (64, 256))
    >>> selection = kmc.choose_k(np.clip(stripes.astype(int) + noise, 0, 255).astype(np.uint8))
    >>> selection.k
    4
    >>> selection.best.psnr > 35
    True
    """
    choice("method", method, METHODS)
    wanted = None if ks is None else _checked_ks(ks)
    settings = checked_settings((wanted or DEFAULT_KS)[-1], "exact", None, effort, space, 0.0, 0.0, seed, threads)
    limit = _checked_target(method, target)
    picture = load(image)
    if method == "ssim" and min(picture.height, picture.width) < WINDOW:
        raise KmcValueError(
            f"SSIM needs {WINDOW} x {WINDOW} pixels, got {picture.width} x {picture.height}; use the method 'psnr'"
        )
    sweep = Sweep(picture, settings)
    scores = _scores(sweep, wanted or _default_ks(len(sweep.histogram)), method)
    place, reason = _chosen(sweep, scores, method, limit)
    return KSelection(tuple(scores), scores[place].k, method, reason, sweep.compressed(scores[place].k))


def _checked_ks(ks: Iterable[int]) -> list[int]:
    try:
        values = list(ks)
    except TypeError:
        raise KmcTypeError(f"ks must be several whole numbers such as [4, 8, 16], got {ks!r}; pass a list") from None
    if not values:
        raise KmcValueError("ks must hold at least one number of colours, got none; leave it out for 2 to 256")
    return sorted({whole_number("ks", k, 1, MOST_COLORS, "give such numbers only") for k in values})


def _checked_target(method: str, target: float | None) -> float:
    if method not in TARGETS:
        if target is not None:
            names = ", ".join(repr(name) for name in TARGETS)
            raise KmcValueError(f"target is for the methods {names}, got {target!r} with {method!r}; leave it out")
        return 0.0
    if target is None:
        raise KmcValueError(f"the method {method!r} needs a target, got none; give {TARGETS[method]}")
    return real_number("target", target, 0, f"give {TARGETS[method]}")


def _default_ks(n_colors: int) -> list[int]:
    """Give the default values up to the number of colours, and that number in place of the first greater one."""
    return sorted({min(k, n_colors) for k in DEFAULT_KS})


def _scores(sweep: Sweep, ks: list[int], method: str) -> list[KScore]:
    """Measure every k, from the largest down: see :mod:`kmc.selection.sweep`."""
    scores = []
    for k in reversed(ks):
        start = perf_counter()
        score = _score(sweep, k)
        if method in CLUSTER_METHODS:
            score = _with_cluster_scores(score, sweep, sweep.fit(k), method == "silhouette")
        scores.append(score.replace(seconds=perf_counter() - start))
    return scores[::-1]


def _score(sweep: Sweep, k: int) -> KScore:
    fit = sweep.fit(k)
    return LazyScore(
        lambda: sweep.ssim(k),
        lambda: sweep.n_bytes(k),
        k=k,
        colors=len(fit.palette),
        inertia=fit.mse * sweep.picture.pixels.size,
        mse=fit.mse,
        psnr=fit.psnr,
    )


def _with_cluster_scores(score: KScore, sweep: Sweep, fit: Fit, with_silhouette: bool) -> KScore:
    """Add the scores of the clusters, those palette entries that some colour has."""
    histogram, settings = sweep.histogram, sweep.settings
    labels = fit.palette.nearest(histogram.colors, settings.threads, settings.space)
    names, own = np.unique(labels, return_inverse=True)
    if not 2 <= len(names) < histogram.n_pixels:
        return score
    points = points_of(histogram.colors, settings.space, settings.threads)
    clusters = Clusters(points, own.ravel(), histogram.counts.astype(np.float64), settings.threads)
    score = score.replace(
        simplified_silhouette=clusters.simplified_silhouette(),
        calinski_harabasz=calinski_harabasz(clusters),
        davies_bouldin=davies_bouldin(clusters),
    )
    if not with_silhouette:
        return score
    is_exact = len(points) <= EXACT_SILHOUETTE_COLORS
    silhouette = clusters.silhouette(None if is_exact else SILHOUETTE_DISTANCES // len(points))
    return score.replace(silhouette=silhouette.mean, silhouette_error=silhouette.error)


def _chosen(sweep: Sweep, scores: list[KScore], method: str, target: float) -> tuple[int, str]:
    if method == "elbow":
        return elbow(scores)
    if method == "silhouette":
        return best_by(scores, "silhouette", "silhouette")
    if method == "calinski-harabasz":
        return best_by(scores, "calinski_harabasz", "Calinski-Harabasz score")
    if method == "davies-bouldin":
        return best_by(scores, "davies_bouldin", "Davies-Bouldin score", lowest=True)
    if method == "bytes":
        return _largest_within(sweep, scores, target)
    return _smallest_reaching(sweep, scores, method, target)


def _smallest_reaching(sweep: Sweep, scores: list[KScore], method: str, target: float) -> tuple[int, str]:
    def reaches(place: int) -> bool:
        if method == "ssim":
            scores[place] = scores[place].replace(ssim=_exact_ssim(sweep, scores[place].k))
        return bool(getattr(scores[place], method) >= target)

    guess = next((place for place, score in enumerate(scores) if getattr(score, method) >= target), len(scores) - 1)
    unit = " dB" if method == "psnr" else ""
    place = first_reaching(
        len(scores),
        guess,
        reaches,
        lambda: (
            f"no k up to {scores[-1].k} reaches {method.upper()} {target:g}{unit}, the best is "
            f"{getattr(scores[-1], method):.4g}; lower the target or try larger ks"
        ),
    )
    return place, f"k = {scores[place].k} is the first to reach {method.upper()} {target:g}{unit}"


def _largest_within(sweep: Sweep, scores: list[KScore], target: float) -> tuple[int, str]:
    def fits(backwards: int) -> bool:
        place = len(scores) - 1 - backwards
        scores[place] = scores[place].replace(n_bytes=_exact_bytes(sweep, scores[place].k))
        return 0 < scores[place].n_bytes <= target

    sizes = [score.n_bytes for score in reversed(scores)]
    guess = next((place for place, size in enumerate(sizes) if 0 < size <= target), len(scores) - 1)
    backwards = first_reaching(
        len(scores),
        guess,
        fits,
        lambda: (
            f"no k fits into {target:,.0f} bytes, k = {scores[0].k} takes {scores[0].n_bytes:,}; "
            "raise the target or try smaller ks"
        ),
    )
    place = len(scores) - 1 - backwards
    return place, f"k = {scores[place].k} is the largest that fits into {target:,.0f} bytes"


def _exact_ssim(sweep: Sweep, k: int) -> float:
    compressed = sweep.compressed(k)
    return ssim(sweep.picture.pixels, compressed.palette.colors[compressed.indices])


def _exact_bytes(sweep: Sweep, k: int) -> int:
    compressed = sweep.compressed(k)
    return len(compressed.to_bytes()) if len(compressed.palette) <= 256 else 0
