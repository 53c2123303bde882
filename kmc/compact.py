"""Indices that a deflate stream holds in fewer bits: pixels, a palette and indices -> a palette and indices (h, w).

A rate-distortion choice. Where entries are almost equally near, a pixel takes the one that continues a run or a pattern
of the file: each byte becomes a literal or part of a match, whichever has the least

    error + compactness * (mean error of the picture) * bits.

With many colours PNG's filter Sub makes smaller files: then the bytes are the differences of indices, in an order of
the entries in which these are small.

Errors count less where the picture is busy, which hides them: each is divided by the standard deviation of the
lightness around its pixel. In a dithered picture the error is what an eye sees through a small blur, as in
:mod:`kmc.looks`. Afterwards each entry moves to where it leaves the least error, which costs no byte.

Related: Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers", 1988 (the choice by
error + lambda * bits); Ziv and Lempel, "A universal algorithm for sequential data compression", 1977 (matches);
Atallah et al., "Pattern matching image compression", 1996 (matches that need not be exact).

All sums have a fixed order, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.dither import points_of_pixels
from kmc.dithered_fit import BLUR, BLUR_ONE, moved_colors
from kmc.formats.palette_order import in_meeting_order, trimmed
from kmc.formats.png import bits_per_pixel, differences, n_bytes, packed
from kmc.palette import Palette

__all__ = ["compacted"]

# The share of the unblurred error. At 0.05 files of the same SSIMULACRA2 were 6 % larger than at 0.12, and at 0.12 up
# to 34 % larger than at 0.3 where compactness is large. 0.2 was as good on one picture, 0.5 worse by 4 %.
SHARE = 0.3
# A second pass starts from what the first one left, at the prices of its literals: files are 1 to 8 % smaller at the
# same SSIMULACRA2. A third gained 0 to 2 %.
PASSES = 2
# Bytes are differences where a file of these has, before anything is chosen, less than so many times the bytes of one
# without a filter. At the same SSIMULACRA2 files are up to 17 % smaller; of smooth pictures those of up to 100 colours
# up to 18 % larger.
MOST_DIFFERENCES = 1.035
# Entries that a literal may become (KMC_CANDIDATES).
CANDIDATES = 16
# No blur: an error is that of the pixel alone.
NO_BLUR = np.array([0, 0, BLUR_ONE, 0, 0], dtype=np.int32)
# The window in which lightness varies, in pixels, and the standard deviation that is added, in 2040ths of the range. On
# four pictures of CQ100 and Kodak files at the same SSIMULACRA2 are 2 % (16 colours) to 11 % (128) smaller than without
# weights; windows of 3 and 15 pixels and additions of 20 and 60 gained less.
ACTIVITY_WINDOW = 7
LEAST_ACTIVITY = 5
# Activities are whole numbers, so many to a unit; weights are at most so far from their mean.
ACTIVITY_ONE = 16
WEIGHT_ONE, MOST_WEIGHT = 256, 65535
# Bits of a match of deflate (RFC 1951), as they are on average with Huffman codes of photographs: by the length, those
# of all lengths from one number on; by the distance.
LENGTH_BITS = {3: 2.5, 4: 3, 5: 4, 6: 4.5, 7: 5.5, 9: 6, 11: 8, 19: 10, 35: 12}
LONGEST_MATCH = 258
FARTHEST_MATCH = 32768
# Opaque and transparent pixels only become entries of their kind.
OPAQUE, TRANSPARENT = 1, 2


def compacted(
    pixels: NDArray[np.uint8],
    palette: Palette,
    indices: NDArray[np.uint8],
    compactness: float,
    *,
    dithered: bool,
    space: str = "oklab",
    threads: int | None = None,
) -> tuple[Palette, NDArray[np.uint8]]:
    """Choose entries anew so that the file gets smaller, then move the entries.

    Parameters
    ----------
    pixels : ndarray (h, w, c) uint8, C-contiguous, c = 1, 3 or 4
    palette : Palette
        Up to 256 entries of c channels.
    indices : ndarray (h, w) uint8
        Where the choice starts: nearest entries, or those of dithering. They are not changed.
    compactness : float
        What a bit may cost, in mean errors of the picture. 0.1 is hardly seen; 0.25 leaves faint
        streaks in place of the dots of dithering; at 1 areas become flat.
    dithered : bool
        Whether errors are seen through a blur.
    space : {"oklab", "srgb"}
        In which errors are measured.
    threads : int, optional
        Every core if left out. The result is the same for any number.

    Returns
    -------
    palette : Palette
        At most as many entries as before; where differences of indices are what the file holds,
        in the order in which these are small.
    indices : ndarray (h, w) uint8
    """
    n_threads = _threads.for_work(_threads.resolve(threads), 32.0 * pixels.size)
    height, width, channels = pixels.shape
    points = points_of_pixels(pixels.reshape(-1, channels), space, 0, n_threads).reshape(height, width, 4)
    kinds, forbidden = _kinds(pixels, palette)
    weights = _weights(points[:, :, 0])
    weights[kinds == TRANSPARENT] *= forbidden[OPAQUE].any()  # whichever entry they get is not seen
    lam = compactness * _mean_error(points, points_of_pixels(palette.colors, space, 0, 1), indices, weights)
    if lam < 1:  # nothing is worth a bit
        return palette, indices
    blur = BLUR if dithered else NO_BLUR
    colors, indices, by_differences = _as_in_a_file(palette.colors, indices)
    for _ in range(PASSES):
        indices, palette = indices.copy(), Palette(colors)
        kinds, forbidden = _kinds(pixels, palette)
        entries, bits = points_of_pixels(colors, space, 0, 1), bits_per_pixel(len(colors))
        by_differences &= bits == 8
        rows = differences(indices) if by_differences else packed(indices, bits)
        _kernels.compact(
            points,
            kinds,
            weights.astype(np.float32),
            entries,
            _nearest_entries(entries),
            forbidden,
            bits,
            by_differences,
            (_literal_prices(rows, bits, lam), *_match_prices(lam)),
            blur.astype(np.float32),
            1 / (int(BLUR[2]) ** 2 + SHARE * BLUR_ONE**2) if dithered else 0.0,
            indices,
            n_threads,
        )
        colors, indices = _distinct(moved_colors(points, indices, palette, blur, space, n_threads), indices)
    return (Palette(colors), indices) if by_differences else _ordered(colors, indices)


def _as_in_a_file(
    colors: NDArray[np.uint8], indices: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], bool]:
    """Give colours and indices without those that no pixel has, and whether bytes are to be differences.

    The colours are in the order in which differences are small then.
    """
    indices, colors = trimmed(indices, colors)
    if bits_per_pixel(len(colors)) == 8:
        reordered, in_order = in_meeting_order(indices, colors)
        size = n_bytes(indices, colors, by_differences=False)
        if n_bytes(reordered, in_order, by_differences=True) < MOST_DIFFERENCES * size:
            return in_order, reordered, True
    return colors, indices, False


def _weights(lightness: NDArray[np.int16]) -> NDArray[np.uint16]:
    """Weights (h, w) of errors: inverse to how much the lightness varies around a pixel; the mean of that has 256."""
    reach = ACTIVITY_WINDOW // 2
    padded = np.pad(lightness.astype(np.int32), reach, mode="edge")
    n = ACTIVITY_WINDOW**2
    variances = n * _window_sums(padded * padded).astype(np.int64)  # times n * n
    variances -= _window_sums(padded).astype(np.int64) ** 2
    activities = ACTIVITY_ONE * LEAST_ACTIVITY + (np.sqrt(variances) * (ACTIVITY_ONE / n)).astype(np.int64)
    weights = int(activities.sum()) * WEIGHT_ONE // activities.size // activities
    clipped: NDArray[np.uint16] = np.clip(weights, 1, MOST_WEIGHT).astype(np.uint16)
    return clipped


def _window_sums(padded: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sum windows of 7x7: of squares up to 2040^2 that is below 2^31."""
    sums = padded
    for axis in (0, 1):
        n = sums.shape[axis] - ACTIVITY_WINDOW + 1
        shifted = [sums[i : i + n] if axis == 0 else sums[:, i : i + n] for i in range(ACTIVITY_WINDOW)]
        sums = shifted[0] + shifted[1]
        for one in shifted[2:]:
            sums += one
    return sums


def _mean_error(
    points: NDArray[np.int16], entries: NDArray[np.int16], indices: NDArray[np.uint8], weights: NDArray[np.uint16]
) -> int:
    """Give the mean of weight times squared distance, rounded down."""
    total = 0
    for row_points, row_indices, row_weights in zip(points, indices, weights, strict=True):
        diffs = row_points - entries.take(row_indices, axis=0)  # within 2040
        squares = np.einsum("xt,xt->x", diffs, diffs, dtype=np.int32, casting="same_kind")
        total += int(np.dot(squares.astype(np.float64), row_weights))  # whole numbers below 2^53
    return total // indices.size


def _kinds(pixels: NDArray[np.uint8], palette: Palette) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Kinds (h, w) of pixels, and (4, 256): 1 for the entries that a kind must not become."""
    forbidden = np.zeros((4, 256), dtype=np.uint8)
    forbidden[:, len(palette) :] = 1
    kinds = np.zeros(pixels.shape[:2], dtype=np.uint8)
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3]
        kinds[alpha == 255] = OPAQUE
        kinds[alpha == 0] = TRANSPARENT
        for kind, own in ((OPAQUE, 255), (TRANSPARENT, 0)):
            other = palette.colors[:, 3] != own
            forbidden[kind, : len(palette)] = other & (not other.all())
    return kinds, forbidden


def _nearest_entries(entries: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Give for each entry those nearest to it (k, at most CANDIDATES), itself first."""
    diffs = entries[:, np.newaxis].astype(np.int64) - entries
    dist2 = np.einsum("ijt,ijt->ij", diffs, diffs)
    np.fill_diagonal(dist2, -1)
    return np.argsort(dist2, axis=1, kind="stable")[:, :CANDIDATES].astype(np.uint8)


def _literal_prices(rows: NDArray[np.uint8], bits: int, lam: float) -> NDArray[np.float32]:
    """Prices (512) of each pixel of a byte after those before it, from how often the bytes occur; see compact.h."""
    counts = 2 * np.bincount(rows.ravel(), minlength=256) + 1
    prices = np.zeros(512, dtype=np.float32)
    while len(counts) > 1:
        parents = counts.reshape(-1, 1 << bits).sum(axis=1)
        prices[len(counts) : 2 * len(counts)] = _prices(np.log2(np.repeat(parents, 1 << bits) / counts), lam)
        counts = parents
    return prices


def _match_prices(lam: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Prices (259) by length, that of one bit in place of length 0; and (32769) by distance."""
    lengths = np.ones(LONGEST_MATCH + 1)
    for first, n_bits in LENGTH_BITS.items():
        lengths[first:] = n_bits
    distances = np.arange(FARTHEST_MATCH + 1)
    extra = np.floor(np.log2(np.maximum(distances - 1, 1))) - 1
    return _prices(lengths, lam), _prices(np.where(distances <= 4, 3.5, 4 + extra), lam)


def _prices(bits: NDArray[np.float64], lam: float) -> NDArray[np.float32]:
    """Prices of so many bits, rounded to 64ths so that the last digit of a logarithm does not matter."""
    return (np.rint(64 * bits) * (lam / 64)).astype(np.float32)


def _ordered(colors: NDArray[np.uint8], indices: NDArray[np.uint8]) -> tuple[Palette, NDArray[np.uint8]]:
    """Put different colours in a palette's order, and the indices with them."""
    palette = Palette.from_colors(colors)
    places = {color.tobytes(): place for place, color in enumerate(palette.colors)}
    return palette, np.array([places[color.tobytes()] for color in colors], dtype=np.uint8)[indices]


def _distinct(colors: NDArray[np.uint8], indices: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Leave out colours that no pixel has, and of equal ones all but the first."""
    firsts: dict[bytes, int] = {}
    same = [firsts.setdefault(color.tobytes(), place) for place, color in enumerate(colors)]
    indices, colors = trimmed(np.array(same, dtype=np.uint8)[indices], colors)
    return colors, indices
