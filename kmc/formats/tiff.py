"""TIFF with a palette: indices and palette -> the bytes of the file (TIFF 6.0, 1992; deflated).

Pillow's directory of tags is used without its encoder, which loses EXIF's folders where it compresses.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COLORMAP,
    COMPRESSION,
    EXTRASAMPLES,
    ICCPROFILE,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    RESOLUTION_UNIT,
    ROWSPERSTRIP,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    ImageFileDirectory_v2,
)
from PIL.TiffTags import BYTE

from kmc.errors import KmcValueError
from kmc.loading.metadata import Metadata, described_by_exif

__all__ = ["TIFF_MAX_COLORS", "tiff_bytes"]

TIFF_MAX_COLORS = 256
# Values of tags.
DEFLATE, PALETTE, INCH, STRAIGHT_ALPHA = 8, 3, 2, 2


def tiff_bytes(indices: NDArray[np.integer], palette_colors: NDArray[np.uint8], metadata: Metadata) -> bytes:
    """Encode a palette picture as TIFF, 8 bits per pixel; with transparency a second sample holds alpha.

    Parameters
    ----------
    indices : ndarray of uint8 or uint16, shape (height, width)
    palette_colors : ndarray of uint8, shape (k, c)
        1 to 256 colours.
    metadata : Metadata
        Of which profile, resolution, EXIF and XMP are written.

    Raises
    ------
    KmcValueError
        The palette has more than 256 colours.
    """
    n_colors = len(palette_colors)
    if n_colors > TIFF_MAX_COLORS:
        raise KmcValueError(
            f"the palette has {n_colors} colours and a TIFF palette of 8 bits holds at most {TIFF_MAX_COLORS}; "
            f"compress with k of {TIFF_MAX_COLORS} or less"
        )
    samples = indices.astype(np.uint8, copy=False)
    has_alpha = palette_colors.shape[1] == 4 and palette_colors[:, 3].min() < 255
    if has_alpha:
        samples = np.stack([samples, palette_colors[indices, 3]], axis=2)
    data = zlib.compress(samples.tobytes(), 9)
    directory = _directory(samples.shape, palette_colors, len(data))
    _describe(directory, metadata)
    file = io.BytesIO()
    directory.save(file)  # which makes the place of the data, 0, that behind itself
    file.write(data)
    return file.getvalue()


def _directory(shape: tuple[int, ...], palette_colors: NDArray[np.uint8], n_bytes: int) -> ImageFileDirectory_v2:
    """Give what a reader must know, of indices (h, w), or (h, w, 2) with alpha, in one strip."""
    height, width, *samples = shape
    n_samples = samples[0] if samples else 1
    colors = np.zeros((TIFF_MAX_COLORS, 3), dtype=np.uint16)
    colors[: len(palette_colors)] = palette_colors[:, :3]
    directory = ImageFileDirectory_v2()
    directory[IMAGEWIDTH], directory[IMAGELENGTH], directory[ROWSPERSTRIP] = width, height, height
    directory[BITSPERSAMPLE] = (8,) * n_samples
    directory[COMPRESSION], directory[PHOTOMETRIC_INTERPRETATION] = DEFLATE, PALETTE
    directory[STRIPOFFSETS], directory[STRIPBYTECOUNTS] = 0, n_bytes
    directory[SAMPLESPERPIXEL] = n_samples
    directory[COLORMAP] = tuple((257 * colors).T.ravel().tolist())
    if n_samples == 2:
        directory[EXTRASAMPLES] = STRAIGHT_ALPHA
    return directory


def _describe(directory: ImageFileDirectory_v2, metadata: Metadata) -> None:
    if metadata.dpi:
        directory[X_RESOLUTION], directory[Y_RESOLUTION] = metadata.dpi
        directory[RESOLUTION_UNIT] = INCH
    if metadata.icc_profile:
        directory[ICCPROFILE] = metadata.icc_profile
    if metadata.xmp:
        directory.tagtype[XMP] = BYTE
        directory[XMP] = metadata.xmp
    for tag, value in described_by_exif(metadata.exif).items():
        directory[tag] = value
