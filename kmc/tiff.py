"""TIFF with a palette: indices and palette -> the bytes of the file (TIFF 6.0, 1992; deflated)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.errors import KmcValueError
from kmc.metadata import Metadata, pillow_options

__all__ = ["TIFF_MAX_COLORS", "tiff_bytes"]

TIFF_MAX_COLORS = 256


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
    image = Image.fromarray(indices.astype(np.uint8, copy=False))
    image.putpalette(np.broadcast_to(palette_colors[:, :3], (n_colors, 3)).tobytes())
    if palette_colors.shape[1] == 4 and palette_colors[:, 3].min() < 255:
        alpha = palette_colors[indices, 3]
        image = image.convert("PA")
        image.putalpha(Image.fromarray(alpha))
    file = io.BytesIO()
    image.save(file, "TIFF", compression="tiff_adobe_deflate", **pillow_options(metadata))
    return file.getvalue()
