"""Dithering: pixels (h, w, c) uint8 and a palette -> indices (h, w) uint8.

- ``floyd-steinberg``: error diffusion (Floyd and Steinberg, "An adaptive algorithm for spatial greyscale", 1976) in
  plain scan order. A share of each pixel's error is passed on; a flat area whose colour the palette holds takes none.
- ``blue-noise``: ordered dithering by a mask in which near pixels differ most (Ulichney, "The void-and-cluster method
  for dither array generation", 1993). A pixel's index depends on its colour and place alone: films do not flicker.

Both work in sRGB or in Oklab (Ottosson, 2020), premultiplied where there is alpha. Entirely transparent pixels become
entirely transparent and take no error, opaque ones become opaque, if the palette has such entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc._blue_noise import MASK
from kmc.colorspace import LINEAR
from kmc.palette import Palette

__all__ = ["dither", "points_of_pixels", "targets_of"]

# Numbers of the spaces in dither.h.
SPACES = {"srgb": 0, "oklab": 1, "ycc": 2}
# The whole range of a channel, and the gain at which the whole error is passed on.
RANGE = 2040
GAIN_ONE = 2048
# With alpha: what a step of 8-bit alpha is in points, and what is added to it for each sixteenth of its errors that a
# pixel does not take, and where it takes none.
ALPHA_STEPS = {"srgb": 7, "oklab": 4, "ycc": 4}
LESS = 2048
FLAT = 15 * LESS


def points_of_pixels(pixels: NDArray[np.uint8], space: str, gain: int, threads: int) -> NDArray[np.int16]:
    """Give points (n, 4) of pixels (n, c) as in ``dither.h``: a colour in `space` times 2040, and alpha or the gain."""
    points = np.empty((len(pixels), 4), dtype=np.int16)
    _kernels.dither_points(np.ascontiguousarray(pixels), SPACES[space], LINEAR, gain, points, threads)
    return points


def targets_of(palette: Palette, space: str, n_pixels: int, threads: int) -> _kernels.Targets:
    """Prepare the entries of a palette for look-ups of so many pixels on up to so many threads."""
    entries = points_of_pixels(palette.colors, space, 0, 1)
    return _kernels.Targets(entries, SPACES[space], palette.colors.shape[1], n_pixels, threads)


def dither(
    pixels: NDArray[np.uint8],
    palette: Palette,
    amount: float = 0.8,
    *,
    method: str = "floyd-steinberg",
    space: str = "oklab",
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """Map pixels to palette entries so that the mean colour of an area is that of the picture.

    Parameters
    ----------
    pixels : ndarray (h, w, c) uint8, C-contiguous, c = 1, 3 or 4
    palette : Palette
        Up to 256 entries of c channels.
    amount : float
        0 to 1: the share of an error that is passed on, or of the noise that is added. At 1 errors can add up to
        specks; 0.8 looked best on photographs.
    method : {"floyd-steinberg", "blue-noise"}
    space : {"oklab", "srgb"}
        In which distances are measured and errors are passed on.
    threads : int, optional
        Every core if left out. The indices are the same for any number.

    Returns
    -------
    indices : ndarray (h, w) uint8
    """
    height, width = pixels.shape[:2]
    n_threads = _threads.for_work(_threads.resolve(threads), 32.0 * pixels.size)
    targets = targets_of(palette, space, height * width, n_threads)
    indices = np.empty((height, width), dtype=np.uint8)
    if method == "blue-noise":
        amplitude = _noise_amplitude(palette, space, amount)
        _kernels.noise_pixels(pixels, targets, LINEAR, MASK, amplitude, indices, n_threads)
    else:
        gain = round(amount * GAIN_ONE)
        _kernels.diffuse_pixels(pixels, targets, LINEAR, gain, indices, n_threads)
    return indices


def _noise_amplitude(palette: Palette, space: str, amount: float) -> NDArray[np.int16]:
    """Noise as wide as the palette is coarse: the mean distance from an entry to the nearest other one."""
    entries = points_of_pixels(palette.colors, space, 0, 1).astype(np.float64)
    dist2 = ((entries[:, np.newaxis] - entries) ** 2).sum(axis=2)
    np.fill_diagonal(dist2, np.inf)
    spacing = np.sqrt(dist2.min(axis=1)).mean() if len(entries) > 1 else 0.0
    return np.full(3, min(RANGE, round(amount * spacing)), dtype=np.int16)
