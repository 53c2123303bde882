"""What ``kmc.choose_k`` returns: a row of figures for each k, the chosen one and why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kmc.compressed_image import CompressedImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KScore", "KSelection", "LazyScore"]


CLUSTER_SCORES = (
    "silhouette",
    "silhouette_error",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
)


@dataclass(frozen=True, eq=False)
class KScore:
    """What the picture loses and takes with k colours.

    Attributes
    ----------
    k : int
        The colours asked for.
    colors : int
        The palette entries that came out: fewer than k if the picture has fewer colours.
    inertia : float
        Sum over the pixels of the squared distance, in 8-bit values, to their palette entry: mse times the samples.
    mse : float
        Mean squared error over all 8-bit samples; exact.
    psnr : float
        10 * log10(255^2 / mse) in dB; infinite if nothing is lost; exact.
    ssim : float
        Structural similarity, -1 to 1; of pictures with more than 131072 pixels an estimate from a part of them. NaN
        for pictures with a side below 11 pixels.
    n_bytes : int
        Size of the PNG file, estimated in the same way; 0 above 256 colours, which no PNG palette holds.
    seconds : float
        What this k took.
    silhouette, silhouette_error : float or None
        Mean silhouette of the pixels (Rousseeuw 1987), -1 to 1, and its standard error: 0 where it is exact. None
        unless the method asks for it, and for one cluster.
    simplified_silhouette : float or None
        The same with distances to centroids in place of mean distances to clusters, 0 to 1.
    calinski_harabasz : float or None
        Between-cluster over within-cluster variance, each by its degrees of freedom; higher is better.
    davies_bouldin : float or None
        Mean likeness of each cluster to the one most like it, from 0; lower is better.
    """

    k: int
    colors: int
    inertia: float
    mse: float
    psnr: float
    ssim: float
    n_bytes: int
    seconds: float
    silhouette: float | None = None
    silhouette_error: float | None = None
    simplified_silhouette: float | None = None
    calinski_harabasz: float | None = None
    davies_bouldin: float | None = None

    def replace(self, **fields: Any) -> KScore:
        """Give a copy with other values in some fields."""
        return replace(self, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields for JSON, which knows neither infinity nor NaN: those become None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


class LazyScore(KScore):
    """A row whose `ssim` and `n_bytes`, which take longer than all the rest, are computed when first looked at."""

    def __init__(self, ssim: Callable[[], float], n_bytes: Callable[[], int], **fields: Any) -> None:
        known = {"seconds": 0.0, **dict.fromkeys(CLUSTER_SCORES), **fields}
        self.__dict__.update(known, _ssim=ssim, _n_bytes=n_bytes)

    @cached_property
    def ssim(self) -> float:
        """As for KScore."""
        found: float = self.__dict__["_ssim"]()
        return found

    @cached_property
    def n_bytes(self) -> int:
        """As for KScore."""
        found: int = self.__dict__["_n_bytes"]()
        return found

    def replace(self, **fields: Any) -> KScore:
        """Give a copy with other values in some fields, which stays as lazy."""
        copy = object.__new__(LazyScore)
        copy.__dict__.update(self.__dict__, **fields)
        return copy


@dataclass(frozen=True, eq=False, repr=False)
class KSelection:
    """Figures for every k that was tried, and the one to take.

    Attributes
    ----------
    scores : tuple of KScore
        By ascending k.
    k : int
        The chosen one.
    method : str
        By which it was chosen.
    reason : str
        Why, in a sentence.
    best : CompressedImage
        The picture with k colours.
    """

    scores: tuple[KScore, ...]
    k: int
    method: str
    reason: str
    best: CompressedImage

    @property
    def score(self) -> KScore:
        """The row of the chosen k."""
        return next(score for score in self.scores if score.k == self.k)

    def to_dict(self) -> dict[str, Any]:
        """Give k, method, reason and the rows for JSON."""
        return {
            "k": self.k,
            "method": self.method,
            "reason": self.reason,
            "scores": [score.to_dict() for score in self.scores],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw error and SSIM over k with the chosen one marked; see :func:`kmc.plots.plot_selection`."""
        from kmc.plots import plot_selection

        return plot_selection(self, ax)

    def _repr_html_(self) -> str:
        from kmc.notebook import selection_html

        return selection_html(self)

    def __repr__(self) -> str:
        rows = _cells(self.scores)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        marks = ["  ", *("* " if score.k == self.k else "  " for score in self.scores)]
        lines = [
            mark + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for mark, row in zip(marks, rows, strict=True)
        ]
        return "\n".join([*lines, f"k = {self.k} ({self.method}): {self.reason}"])


# Columns of the table: heading, field, pattern. Those that no row has are left out.
COLUMNS = (
    ("k", "k", "d"),
    ("colours", "colors", "d"),
    ("MSE", "mse", ".4g"),
    ("PSNR", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    ("bytes", "n_bytes", ",d"),
    ("silhouette", "silhouette", ".4f"),
    ("+-", "silhouette_error", ".4f"),
    ("simplified", "simplified_silhouette", ".4f"),
    ("Calinski-Harabasz", "calinski_harabasz", ".4g"),
    ("Davies-Bouldin", "davies_bouldin", ".4f"),
)


def _cells(scores: tuple[KScore, ...]) -> list[list[str]]:
    """Give the table's heading and rows as text."""
    shown = [column for column in COLUMNS if any(getattr(score, column[1]) is not None for score in scores)]
    rows = [[_shown(getattr(score, field), pattern) for _, field, pattern in shown] for score in scores]
    return [[heading for heading, _, _ in shown], *rows]


def _shown(value: float | None, pattern: str) -> str:
    return "" if value is None else format(value, pattern)
