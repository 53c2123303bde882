"""Rounds of fitting: a palette -> the one that is best for how the picture is dithered with it.

Dithering with the present palette is the assignment; the update moves all entries together to the least squares of the
error seen, |G(picture) - G(palette[indices])|^2, a system of k equations that is made of how often entries meet at each
distance, with some of the unblurred error mixed in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels
from kmc.colorspace import LINEAR, colors_of, colors_of_premultiplied
from kmc.dither import ALPHA_STEPS, FLAT, LESS, RANGE, points_of_pixels, targets_of
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

__all__ = ["BLUR", "BLUR_ONE", "POLISH_SHARE", "DitheredFit", "moved_colors", "put_points"]

Points = NDArray[np.int16]
Array = NDArray[Any]
# What kmc._kernels.normal_equations gives.
Equations = tuple[Array, Array, Array, Array, Array]

# The blur G convolved with itself, along rows: a Gaussian of sigma 1.2 pixels in 64ths, cut off at two pixels. On ten
# pictures of CQ100 and Kodak 0.85 and 1.0 for G were equally good, 0.7 slightly worse; a wider window gained nothing.
BLUR = np.array([6, 15, 22, 15, 6], dtype=np.int32)
BLUR_ONE = 64
# The share of the unblurred error in the update, and in the error that is judged. With 0.2 in the latter SSIMULACRA2 is
# 1.2 points lower at k=16 and butteraugli better by 1 %; below 0.05 both are worse.
UPDATE_SHARE = 0.02
POLISH_SHARE = 0.12
# With alpha, where PSNR on the worst of three backgrounds counts as well.
UPDATE_SHARE_WITH_ALPHA = 0.3
# An entry stays where it is if so many of its pixels lie in flat areas of its colour.
FLAT_SHARE = 0.25
# With alpha, how many sixteenths of its errors a pixel leaves, by the sum of the differences of its four samples from
# those of four neighbours: half at 10 levels each. Noise and texture hide an error, and dots there cost the most.
_CONTRAST = np.arange(4 * 4 * 255 + 1) / 12
LESS_WHERE_BUSY = np.minimum(np.rint(15 * _CONTRAST / (_CONTRAST + 10)), 14).astype(np.uint8)


class DitheredFit:
    """A picture (h, w, c), or tiles of one, and how it is dithered with one palette after the other.

    Attributes
    ----------
    n_fixed : int
        So many entries, the first ones, stay as they are.
    """

    def __init__(
        self, pixels: NDArray[np.uint8], histogram: ColorHistogram, gain: int, space: str, threads: int, n_fixed: int
    ) -> None:
        self.n_fixed = n_fixed
        self._pixels, self._histogram, self._gain = pixels, histogram, gain
        self._space, self._threads = space, threads
        self._points, self._blurred = (np.empty((*pixels.shape[:2], 4), dtype=np.int16) for _ in range(2))
        self._indices = np.empty(pixels.shape[:2], dtype=np.uint8)
        self._is_blurred = False

    def rounds(self, palette: Palette, n: int) -> Palette:
        """Give the palette after so many rounds."""
        for _ in range(n):
            self._dither(palette)
            palette = self.moved(palette)
        return palette

    def best_of_rounds(self, palette: Palette, n: int) -> Palette:
        """Give the one with the least error of a palette and of those after up to so many rounds."""
        best = palette, self.dither(palette)
        for _ in range(n):
            palette = self.moved(palette)
            error = self.dither(palette)
            if error < best[1]:
                best = palette, error
        return best[0]

    def dither(self, palette: Palette) -> int:
        """Dither with a palette, and give the error seen, less what is the same for all palettes; without alpha."""
        self._dither(palette)
        meetings, blurred_sums, sums, counts, _ = self._equations
        entries = self.entries(palette)[:, :3]
        seen = (entries * (meetings @ entries)).sum() - 2 * BLUR_ONE**2 * (entries * blurred_sums[:, :3]).sum()
        unblurred = (entries * (counts[:, np.newaxis] * entries - 2 * sums[:, :3])).sum()
        return int(seen) + round(POLISH_SHARE * BLUR_ONE**2) * int(unblurred)

    def moved(self, palette: Palette) -> Palette:
        """Give the palette, which was dithered with last, at the least squares."""
        counts = self._equations[3]
        # Entries that flat areas have in the main, which have them exactly and take no error.
        staying = self._still >= np.maximum(FLAT_SHARE * counts, 1)
        staying[: self.n_fixed] = True
        return self._filled_up(_moved(self._equations, palette, self._space, staying))

    def with_point(self, palette: Palette, entry: int, point: NDArray[np.int16]) -> Palette:
        """Give the palette with another colour, that of a point (4,), for one of the entries."""
        colors = palette.colors.copy()
        colors[entry] = _colors_of_points(point[np.newaxis].astype(np.float64), self._space, colors.shape[1])
        return self._filled_up(colors)

    def entries(self, palette: Palette) -> NDArray[np.int64]:
        """Give the points (k, 4) of a palette."""
        return points_of_pixels(palette.colors, self._space, 0, 1).astype(np.int64)

    def error_of_rows(
        self, entries: NDArray[np.int64], step: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
        """Give blurred errors (n, 3), points (n, 3) and indices (n,) of every so many rows, as dithered last."""
        errors = self._points - entries.astype(np.int16)[self._indices]
        errors[..., 3] = 0
        blurred = np.empty_like(errors)
        _kernels.blur_points(errors, BLUR, blurred, self._threads)
        parts = (part[::step, :, :3].reshape(-1, 3).astype(np.float64) for part in (blurred, self._points))
        return next(parts), next(parts), self._indices[::step].ravel()

    @property
    def counts(self) -> NDArray[np.int64]:
        """Give the pixels (k,) of each entry of the palette that was dithered with last."""
        counts: NDArray[np.int64] = self._equations[3]
        return counts

    def _dither(self, palette: Palette) -> None:
        height, width, channels = self._pixels.shape
        targets = targets_of(palette, self._space, height * width, self._threads)
        points, indices, gain = self._points, self._indices, self._gain
        put_points(self._pixels, targets, gain, points, self._threads)
        _kernels.diffuse_points(points, targets, gain, indices, self._threads)
        still = _without_flags(points, indices, len(palette)) if channels == 4 else None
        if not self._is_blurred:
            _kernels.blur_points(points, BLUR, self._blurred, self._threads)
            self._is_blurred = True
        self._equations: Equations = _kernels.normal_equations(
            points, self._blurred, indices, BLUR, len(palette), self._threads
        )
        self._still: NDArray[np.int64] = self._equations[4] if still is None else still

    def _filled_up(self, colors: NDArray[np.uint8]) -> Palette:
        distinct = Palette.from_colors(colors[self.n_fixed :], colors[: self.n_fixed])
        return distinct.filled_up(len(colors), self._histogram, self._space, self._threads, self.n_fixed)


def put_points(pixels: NDArray[np.uint8], targets: _kernels.Targets, gain: int, points: Points, threads: int) -> None:
    """Write the points (h, w, 4) of pixels, with how much of their errors they take."""
    _kernels.points_of_picture(pixels, targets, LINEAR, gain, points, threads)
    if pixels.shape[2] == 4:
        _kernels.mark_busy_points(pixels, LESS_WHERE_BUSY, points, threads)


def moved_colors(
    points: Points, indices: NDArray[np.uint8], palette: Palette, blur: NDArray[np.int32], space: str, threads: int
) -> NDArray[np.uint8]:
    """Give the colours (k, c) of the least error of points (h, w, 4) seen through a blur, the indices held."""
    blurred = np.empty_like(points)
    _kernels.blur_points(points, blur, blurred, threads)
    equations = _kernels.normal_equations(points, blurred, indices, blur, len(palette), threads)
    return _moved(equations, palette, space, np.zeros(len(palette), dtype=np.bool_))


def _moved(equations: Equations, palette: Palette, space: str, staying: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Colours at the least squares; those that are `staying`, or that no pixel has, stay where they are."""
    k, channels = palette.colors.shape
    meetings, blurred_sums, sums, counts, _ = equations
    matrix = (meetings + meetings.T) / (2.0 * BLUR_ONE**2)
    share = UPDATE_SHARE_WITH_ALPHA if channels == 4 else UPDATE_SHARE
    matrix[np.diag_indices(k)] += share * counts
    entries = points_of_pixels(palette.colors, space, 0, 1).astype(np.float64)
    right = blurred_sums + share * sums
    staying = staying | (counts == 0)
    _hold(matrix, right, entries, staying)
    _kernels.solve(matrix, right)
    if channels == 4:  # what is opaque or transparent stays it
        has_own_kind = (palette.colors[:, 3] == 255) | (palette.colors[:, 3] == 0)
        right[has_own_kind, 3] = entries[has_own_kind, 3]
    colors = _colors_of_points(right, space, channels)
    colors[staying] = palette.colors[staying]
    return colors


def _hold(matrix: Array, right: Array, entries: Array, staying: NDArray[np.bool_]) -> None:
    """Make the solution of matrix x = right the one whose rows `staying` are those of the entries."""
    for i in np.flatnonzero(staying):  # one by one: in the same order on every machine
        right -= matrix[:, i, np.newaxis] * entries[i]
    matrix[staying] = 0
    matrix[:, staying] = 0
    matrix[staying, staying] = 1
    right[staying] = entries[staying]


def _without_flags(points: Points, indices: NDArray[np.uint8], k: int) -> NDArray[np.int64]:
    """Count the pixels of each entry that take no error, and take away the marks in the alpha of points."""
    still = np.bincount(indices[points[..., 3] >= FLAT], minlength=k)
    points[..., 3] &= LESS - 1
    return still


def _colors_of_points(points: NDArray[np.float64], space: str, channels: int) -> NDArray[np.uint8]:
    """Round points (k, 4) to 8-bit colours (k, c)."""
    if channels < 4:
        return colors_of(points[:, :channels] * (255 / RANGE), space)
    alphas = points[:, 3] / (255 * ALPHA_STEPS[space])
    values = points[:, :3].copy()
    values[:, : 3 if space == "srgb" else 1] -= RANGE / 2 * (1 - alphas[:, np.newaxis])
    return colors_of_premultiplied(values * (255 / RANGE), alphas, space)
