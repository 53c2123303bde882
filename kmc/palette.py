"""A palette: the k colours of a compressed picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc._validate import color_samples, real_array
from kmc.colorspace import colors_of, points_of
from kmc.errors import KmcValueError
from kmc.kmeans import nearest_centroids
from kmc.palette_file import read_colors, write_colors

if TYPE_CHECKING:
    from kmc.compressed_image import CompressedImage
    from kmc.histogram import ColorHistogram
    from kmc.load import ImageLike, Picture

__all__ = ["Palette", "checked_colors", "with_channels", "with_channels_in_common"]

MOST_COLORS = 65536
# Of red, green and blue in luma (ITU-R BT.601), by which entries are ordered: neighbours in the palette look alike,
# so neighbouring pixels get near indices, and those deflate better than random ones.
LUMA = (299, 587, 114)
# Products with these, by the number of samples, rise with alpha, then luma, then the samples in turn.
ORDER = {
    1: np.array([1]),
    3: np.array([luma << 32 | 1 << 8 * (2 - i) for i, luma in enumerate(LUMA)]),
    4: np.array([*(luma << 32 | 1 << 8 * (3 - i) for i, luma in enumerate(LUMA)), 1 << 52 | 1]),
}


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours by number.

    Those of :func:`kmc.compress` differ from each other: first those that were fixed, as they were given, then
    transparent ones, then the others from dark to light; with `compactness` they may be in the order of the file.

    Attributes
    ----------
    colors : ndarray (k, c) uint8
        c is 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha). 1 to 65536 colours.

    Examples
    --------
    >>> import kmc
    >>> kmc.Palette([[0, 0, 0], [255, 128, 0]])
    Palette(2 colours: #000000, #ff8000)
    """

    colors: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "colors", checked_colors("colors", self.colors))

    @classmethod
    def from_colors(cls, colors: NDArray[np.uint8], fixed: NDArray[np.uint8] | None = None) -> Palette:
        """Order colours (n, c) and drop repeated ones; put `fixed` (f, c) before them as they are."""
        if fixed is not None and len(fixed):
            colors = colors[~np.isin(_keys(colors), _keys(fixed))]
        rank = colors @ ORDER[colors.shape[1]]
        ordered = colors[np.unique(rank, return_index=True)[1]]
        return cls(ordered if fixed is None or not len(fixed) else np.concatenate([fixed, ordered]))

    @classmethod
    def from_centroids(
        cls,
        centroids: NDArray[np.float64],
        histogram: ColorHistogram,
        space: str = "srgb",
        threads: int = 1,
        fixed: NDArray[np.uint8] | None = None,
        *,
        keeps_opacity: bool = False,
    ) -> Palette:
        """Round centroids (k, c) of the space of :mod:`kmc.colorspace` to k different 8-bit colours, behind `fixed`.

        Where two become one, another takes its place; see :meth:`filled_up`. With alpha, centroids that stand for
        opaque pixels become opaque, unless they were found under that rule: `keeps_opacity`.
        """
        n_fixed = 0 if fixed is None else len(fixed)
        k = n_fixed + len(centroids)
        if centroids.shape[1] == 4 and len(centroids) and not keeps_opacity:
            held = np.empty((0, 4)) if fixed is None or not n_fixed else points_of(fixed, space)
            centroids = _with_whole_opacity(np.concatenate([held, centroids]), histogram, space, threads)[n_fixed:]
        return cls.from_colors(colors_of(centroids, space), fixed).filled_up(k, histogram, space, threads, n_fixed)

    def filled_up(
        self, k: int, histogram: ColorHistogram, space: str = "srgb", threads: int = 1, n_fixed: int = 0
    ) -> Palette:
        """Give a palette of k different colours: these, and those of `histogram` to which they leave most error.

        Together there are at least k. The first `n_fixed` entries stay in their places.
        """
        missing = k - len(self)
        if missing == 0:
            return self
        colors = _with_worst_colors(self.colors, histogram, missing, space, threads)
        return Palette.from_colors(colors[n_fixed:], colors[:n_fixed])

    def holds(self, colors: NDArray[np.uint8]) -> bool:
        """Tell whether each of different colours (u, c) is an entry."""
        return len(colors) <= len(self) and bool(np.isin(_keys(colors), _keys(self.colors)).all())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Palette:
        """Read a palette from a ``.gpl`` (GIMP, Inkscape, Krita) or ``.hex`` file (rrggbb or rrggbbaa a line).

        Its colours are RGB, or RGBA where the file has alpha.

        Raises
        ------
        KmcFileError, KmcFileNotFoundError
            There is no such file, or no palette in it.
        """
        return cls(read_colors(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the palette to a ``.gpl`` or ``.hex`` file, wholly or not at all; an existing file is replaced.

        Raises
        ------
        KmcFileError
            The name has another ending, or the file cannot be written.
        KmcValueError
            The palette has transparent colours, and ``.gpl`` holds none.
        """
        write_colors(path, self.colors)

    def __len__(self) -> int:
        return len(self.colors)

    def __repr__(self) -> str:
        shown = ", ".join("#" + bytes(color).hex() for color in self.colors[:8])
        return f"Palette({len(self)} colours: {shown}{', ...' if len(self) > 8 else ''})"

    def _repr_html_(self) -> str:
        from kmc.notebook import palette_html

        return palette_html(self)

    def _repr_png_(self) -> bytes:
        from kmc.notebook import palette_png

        return palette_png(self)

    def nearest(self, colors: NDArray[np.uint8], threads: int | None = None, space: str = "srgb") -> NDArray[np.int32]:
        """Give the index of the nearest entry to each of colors (u, c); ties go to the lowest index.

        Nearest in the space of :mod:`kmc.colorspace`. Opaque colours get opaque entries, and transparent ones
        transparent entries, if there are any.

        Examples
        --------
        >>> import numpy as np
        >>> import kmc
        >>> kmc.Palette([[0, 0, 0], [255, 128, 0]]).nearest(np.array([[200, 90, 9]], dtype=np.uint8)).tolist()
        [1]
        """
        colors = color_samples("colors", colors, "(u, c)")
        if colors.shape[1:] != self.colors.shape[1:]:
            raise KmcValueError(
                f"colors must have shape (u, {self.channels}) as the palette's have, got {colors.shape}; "
                "bring them to its channels"
            )
        n_threads = _threads.resolve(threads)
        if self.channels < 4:
            return _nearest(colors, self.colors, space, n_threads)
        labels = np.empty(len(colors), dtype=np.int32)
        others = np.ones(len(colors), dtype=np.bool_)
        for alpha in (0, 255):
            own, rows = np.flatnonzero(self.colors[:, 3] == alpha), _rows(colors[:, 3] == alpha)
            if len(own) and len(labels[rows]):
                channels = 3 if alpha == 255 and space == "srgb" else 4  # distances of opaque colours are those of RGB
                entries = np.ascontiguousarray(self.colors[own, :channels])
                labels[rows] = own[_nearest(colors[rows, :channels], entries, space, n_threads)]
                others[rows] = False
        if others.any():
            labels[others] = _nearest(colors[others], self.colors, space, n_threads)
        return labels

    @property
    def channels(self) -> int:
        """1 (grey), 3 (RGB) or 4 (RGBA)."""
        return int(self.colors.shape[1])

    def apply(
        self,
        image: ImageLike | Picture,
        threads: int | None = None,
        *,
        dither: float | str = 0.0,
        space: str = "srgb",
    ) -> CompressedImage:
        """Map every pixel of a picture to its nearest entry, ties to the lowest index, or dither it.

        Parameters
        ----------
        image : path, open binary file, bytes, PIL image or array
            As for :func:`kmc.compress`. Grey pictures and palettes are taken for RGB where the other is.
        threads : int, optional
            Every core if left out. Changes the time only.
        dither : float or "blue-noise"
            As for :func:`kmc.compress`: 0 for none; 0.8 with ``space="oklab"`` looks best on photographs. Up to 256
            entries.
        space : {"srgb", "oklab"}
            In which distances are measured.

        Returns
        -------
        CompressedImage
            With this palette's entries in their order.

        Raises
        ------
        KmcValueError
            The picture has transparent pixels and the palette no alpha.

        Examples
        --------
        >>> import numpy as np
        >>> import kmc
        >>> black_and_white = kmc.compress(np.array([[0, 255]], dtype=np.uint8), 2).palette
        >>> black_and_white.apply(np.array([[10, 200, 128]], dtype=np.uint8)).indices.tolist()
        [[0, 1, 1]]
        """
        from kmc.api import apply_palette

        return apply_palette(self, image, threads, dither, space)


def _keys(colors: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Give a number (n,) for each of colours (n, c), in the order of their samples."""
    keys = np.zeros(len(colors), dtype=np.int64)
    for samples in colors.T:
        keys = keys << 8 | samples
    return keys


def _with_whole_opacity(
    centroids: NDArray[np.float64], histogram: ColorHistogram, space: str, threads: int
) -> NDArray[np.float64]:
    """Make opaque those centroids that stand for opaque pixels in the main: the means of these; one at least."""
    points, counts = points_of(histogram.colors, space), histogram.counts
    opaque = histogram.colors[:, 3] == 255
    if len(centroids) == 1 or not opaque.any():
        return centroids
    labels, k = nearest_centroids(points, centroids, threads), len(centroids)
    weights = np.bincount(labels[opaque], counts[opaque], k)
    is_opaque = (weights > 0) & (2 * weights >= np.bincount(labels, counts, k))
    is_opaque[np.argmax(weights)] |= not is_opaque.any()
    sums = [np.bincount(labels[opaque], counts[opaque] * axis, k) for axis in points[opaque].T.astype(np.float64)]
    means = np.stack(sums, axis=1) / np.maximum(weights, 1)[:, np.newaxis]
    return np.where(is_opaque[:, np.newaxis], means, centroids)


def _with_worst_colors(
    entries: NDArray[np.uint8], histogram: ColorHistogram, n: int, space: str, threads: int
) -> NDArray[np.uint8]:
    """Add, one after another, the n colours of most count times squared distance to the nearest entry."""
    centroids = points_of(entries, space).astype(np.float64)
    points = points_of(histogram.colors, space, threads)
    labels = nearest_centroids(points, centroids, threads)
    points = points.astype(np.float64)
    dist2 = np.square(points - centroids[labels]).sum(axis=1)
    for _ in range(n):
        worst = int(np.argmax(dist2 * histogram.counts))
        entries = np.concatenate([entries, histogram.colors[worst : worst + 1]])
        np.minimum(dist2, np.square(points - points[worst]).sum(axis=1), out=dist2)
    return entries


def checked_colors(name: str, colors: object) -> NDArray[np.uint8]:
    """Check an array of 8-bit colours (k, c); `name` is the argument's."""
    array = real_array(name, colors, 2, "(k, c)")
    if array.shape[1] not in (1, 3, 4) or not 1 <= len(array) <= MOST_COLORS:
        raise KmcValueError(
            f"{name} must have the shape (k, 1), (k, 3) or (k, 4) with k from 1 to {MOST_COLORS}, got {array.shape}; "
            "pass one row for each colour"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.min() < 0 or array.max() > 255 or (array != np.rint(array)).any():
        raise KmcValueError(
            f"{name} must be whole numbers from 0 to 255, got {array.min():g} to {array.max():g}; scale and round them"
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    """Give what selects the rows where `mask` (u,) holds: a slice where they follow each other, as in histograms."""
    first, n = int(mask.argmax()), int(np.count_nonzero(mask))
    return slice(first, first + n) if mask[first : first + n].all() else mask


def _nearest(colors: NDArray[np.uint8], entries: NDArray[np.uint8], space: str, threads: int) -> NDArray[np.int32]:
    """Give the index of the nearest of entries (k, c) to each of colors (u, c); of RGB in sRGB by boxes of colours."""
    if entries.shape[1] == 3 and space == "srgb":
        labels = np.empty(len(colors), dtype=np.uint8 if len(entries) <= 256 else np.uint16)
        _kernels.apply_palette(np.ascontiguousarray(colors), entries, None, labels, threads)
        return labels.astype(np.int32)
    points = points_of(colors, space, threads)
    return nearest_centroids(points, points_of(entries, space).astype(np.float64), threads)


def with_channels_in_common(
    pixels: NDArray[np.uint8], colors: NDArray[np.uint8], n_free: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give pixels (h, w, c) and palette entries (k, c) of as many channels: those of the one that has more.

    `n_free` entries that are still to be found may have alpha.
    """
    n_channels = max(pixels.shape[2], colors.shape[1])
    if n_free == 0 and colors.shape[1] < n_channels == 4 and pixels[:, :, 3].min() < 255:
        raise KmcValueError(
            "the picture has transparent pixels and the palette has no alpha; give a palette with alpha, such as that "
            "of a picture with transparency, or put the picture on a background first"
        )
    return with_channels(pixels, n_channels), with_channels(colors, n_channels)


def with_channels(samples: NDArray[np.uint8], n_channels: int) -> NDArray[np.uint8]:
    """Give samples (..., c) as (..., n_channels): grey as RGB, and what has no alpha as opaque."""
    if samples.shape[-1] == n_channels:
        return samples
    rgb = np.broadcast_to(samples[..., :3], (*samples.shape[:-1], 3))
    alpha = np.full((*samples.shape[:-1], n_channels - 3), 255, dtype=np.uint8)
    return np.concatenate([rgb, alpha], axis=-1)
