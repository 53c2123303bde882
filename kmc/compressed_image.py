"""What ``kmc.compress`` returns: a palette, the index of every pixel, and what was lost."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc._validate import choice
from kmc.encode import Format, format_named, format_of, write_atomically
from kmc.loading.color_profile import for_file
from kmc.loading.metadata import KEPT, Metadata
from kmc.palette import Palette, with_channels

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
        Its colours, in the channels of the picture.
    indices : ndarray (height, width), uint8 up to 256 colours, else uint16
        The palette entry of every pixel.
    shape : tuple of int
        Shape of :attr:`image`: that of the array that was compressed.
    lossless : bool
        Whether every pixel kept its colour (of entirely transparent pixels, their transparency).
    mse : float
        Mean over all samples (pixels times channels) of the squared difference of the 8-bit values; alpha is a channel
        where some pixel is not opaque.
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
    metadata : Metadata
        What the file of the picture said beside its pixels.
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
    metadata: Metadata = field(default_factory=Metadata, repr=False)

    def __post_init__(self) -> None:
        channels = self.shape[2] if len(self.shape) == 3 else 1
        if channels == 4:  # of opaque RGBA, which is compressed as RGB
            object.__setattr__(self, "palette", Palette(with_channels(self.palette.colors, channels)))

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

    def to_bytes(
        self,
        file_format: str = "PNG",
        *,
        metadata: str = "display",
        optimize: str = "default",
        threads: int | None = None,
    ) -> bytes:
        """Give the bytes of a file.

        A PNG leaves out entries that no pixel has and may hold the others in another order than :attr:`palette`,
        whichever is smaller.

        Parameters
        ----------
        file_format : {"PNG", "GIF", "WebP", "TIFF"}
            Each decodes to this picture (WebP is lossless), but for GIF, which has no partial transparency: there
            colours of alpha 128 and more become opaque, the others entirely transparent.
        metadata : {"display", "all", "none"}
            What is written beside the pixels, as far as the format has a place for it. "display": the colour profile,
            gamma and resolution, so that the picture is shown right. "all": texts, EXIF and XMP as well. "none":
            nothing. Where the profile is not written, as in GIF, the colours are converted to sRGB.
        optimize : {"fast", "default", "max"}
            How much time a smaller PNG may take. "fast": one try. "default": above 16 colours a second with reordered
            entries, and up to a megapixel the smaller one at zlib's best level. "max": then oxipng, which needs
            ``pip install 'kmc-image[max]'``. The other formats are written in one way.
        threads : int, optional
            Every core if left out. Changes the time only.

        Raises
        ------
        KmcValueError
            The palette has more colours than the format can hold, or the picture is too large for it.
        KmcImportError
            ``optimize="max"`` and pyoxipng is not installed.
        """
        return self._encoded(format_named(file_format), metadata, optimize, threads)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        metadata: str = "display",
        optimize: str = "default",
        threads: int | None = None,
        times_of: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write the picture to `path`, wholly or not at all; an existing file is replaced.

        The ending of the name says the format: .png, .gif, .webp or .tif; `metadata`, `optimize` and `threads` are as
        for :meth:`to_bytes`. The permissions of a replaced file are kept. The file gets the times of the file
        `times_of` if one is named.

        Raises
        ------
        KmcFileError
            The folder does not exist or cannot be written, or the file's format has no palette.
        KmcValueError
            The palette has more colours than the format can hold, or the picture is too large for it.
        KmcImportError
            ``optimize="max"`` and pyoxipng is not installed.
        """
        write_atomically(path, self._encoded(format_of(path), metadata, optimize, threads), times_of=times_of)

    def _encoded(self, file_format: Format, kept: str, optimize: str, threads: int | None) -> bytes:
        choice("metadata", kept, KEPT)
        colors, written = for_file(
            self.palette.colors, self.metadata, kept, file_format.holds_profile, file_format.holds_gamma
        )
        return file_format.encode(self.indices, colors, written, optimize, threads)

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
