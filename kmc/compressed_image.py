"""What ``kmc.compress`` returns: a palette, the index of every pixel, and what was lost."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.encode import format_of, png_bytes, write_atomically
from kmc.palette import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kmc.load import ImageLike, Picture

__all__ = ["CompressedImage"]


@dataclass(frozen=True, eq=False)
class CompressedImage:
    """A picture of few colours.

    Attributes
    ----------
    palette : Palette
        Its colours.
    indices : ndarray (height, width), uint8 up to 256 colours, else uint16
        The palette entry of every pixel.
    shape : tuple of int
        Shape of :attr:`image`: that of the array that was compressed.
    lossless : bool
        Whether every pixel kept its colour (of entirely transparent pixels, their transparency).
    mse : float
        Mean over all samples (pixels times channels) of the squared difference of the 8-bit values.
    inertia : float
        What k-means minimized: the sum over the pixels that were clustered of the squared distance to the nearest
        centroid, before centroids were rounded to 8 bits, in the units of the points of :mod:`kmc.colorspace`. 0 if
        nothing was clustered.
    n_iter : int
        Rounds of k-means that ran; 0 if nothing was clustered.
    converged : bool
        Whether k-means ended by itself.
    timings : dict of str to float
        Seconds of each stage, in their order: load, downsample, histogram, cluster, palette, map.
    """

    palette: Palette
    indices: NDArray[Any] = field(repr=False)
    shape: tuple[int, ...]
    lossless: bool
    mse: float
    inertia: float
    n_iter: int
    converged: bool
    timings: dict[str, float] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        height, width = self.indices.shape
        error = "lossless" if self.lossless else f"PSNR {self.psnr:.2f} dB"
        return f"CompressedImage({width}x{height}, {len(self.palette)} colours, {error})"

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB: 10 * log10(255^2 / mse); infinite if lossless."""
        return math.inf if self.mse == 0 else 10 * math.log10(255**2 / self.mse)

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture as an array of 8-bit samples, in the shape that was compressed; made anew at each call."""
        pixels: NDArray[np.uint8] = self.palette.colors[self.indices]
        return pixels.reshape(self.shape)

    def to_pil(self) -> Image.Image:
        """Give the picture as a PIL image of mode L, RGB or RGBA."""
        pixels = self.palette.colors[self.indices]
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)

    def to_bytes(self) -> bytes:
        """Give the bytes of a palette PNG.

        Raises
        ------
        KmcValueError
            The palette has more than 256 colours.
        """
        return png_bytes(self.indices, self.palette.colors)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to `path`, wholly or not at all; an existing file is replaced.

        Raises
        ------
        KmcFileError
            The folder does not exist or cannot be written, or the file's format has no palette.
        KmcValueError
            The palette has more colours than the format can hold.
        """
        data = format_of(path).encode(self.indices, self.palette.colors)
        write_atomically(path, data)

    def plot(self, original: ImageLike | Picture | None = None) -> Figure:
        """Draw the picture, its palette and, where the original is given, its colours and the error map.

        See :func:`kmc.plots.plot_compressed`; needs matplotlib.
        """
        from kmc.plots import plot_compressed

        return plot_compressed(self, original)

    def _repr_html_(self) -> str:
        from kmc.notebook import image_html

        return image_html(self)

    def _repr_png_(self) -> bytes | None:
        return self.to_bytes() if len(self.palette) <= 256 else None
