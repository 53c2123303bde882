"""A smaller picture to fit a palette on: the area average of the whole one.

In:  :class:`~kmc.load.Picture` and a factor or a limit on megapixels.
Out: :class:`~kmc.load.Picture` with the same channels, never larger and never empty.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc._validate import real_number
from kmc.errors import KmcValueError
from kmc.load import Picture, row_strips

__all__ = ["downsample"]


def downsample(picture: Picture, limit: float | str) -> Picture:
    """Shrink a picture by averaging areas.

    Colours are averaged in premultiplied alpha, so that transparent pixels lend none of theirs.

    Parameters
    ----------
    picture : Picture
        The picture, of any size.
    limit : float or str
        A number of at least 1 is the factor by which both sides shrink: a whole one averages
        blocks of that many pixels squared (those at the right and lower edge may be partial).
        A text such as ``"1.5MP"`` is the number of megapixels (1e6 pixels) that the result may
        have at most; a picture within it stays as it is.

    Returns
    -------
    Picture
        At least 1x1 pixels; `picture` itself where there is nothing to do.

    Raises
    ------
    KmcValueError
        The number is below 1 or not finite, or the text is not a positive number of megapixels.
    KmcTypeError
        `limit` is neither a number nor a text.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.downsample import downsample
    >>> from kmc.load import load
    >>> picture = load(np.zeros((2000, 3000, 3), dtype=np.uint8))
    >>> downsample(picture, 4).shape
    (500, 750, 3)
    >>> downsample(picture, "1.5MP").shape
    (1000, 1500, 3)
    """
    if isinstance(limit, str):
        height, width = _size_within(picture, _parse_megapixels(limit) * 1e6)
    else:
        factor = real_number("downsample", limit, 1, "or give a text such as '1.5MP' as a limit")
        # Up, as Image.reduce does: the rest at an edge makes a last, partial block.
        height, width = math.ceil(picture.height / factor), math.ceil(picture.width / factor)
    if (height, width) == (picture.height, picture.width):
        return picture
    pixels = _average(picture, height, width)
    return Picture(pixels, pixels.shape[:2] + picture.shape[2:])


def _parse_megapixels(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*MP\s*", text, re.IGNORECASE | re.ASCII)
    if match is None or not 0 < float(match[1]) < math.inf:
        raise KmcValueError(
            f"downsample is {text!r}; give a number of at least 1 by which both sides shrink, "
            "or a limit in megapixels such as '1.5MP'"
        )
    return float(match[1])


def _size_within(picture: Picture, max_pixels: float) -> tuple[int, int]:
    """Height and width in the picture's proportions with at most `max_pixels` pixels."""
    shrink = min(1.0, math.sqrt(max_pixels / (picture.height * picture.width)))
    height, width = max(1, int(picture.height * shrink)), max(1, int(picture.width * shrink))
    # A side that could not shrink below 1 leaves the rest to the other.
    height = min(height, max(1, int(max_pixels / width)))
    return height, min(width, max(1, int(max_pixels / height)))


# 24 megapixels of RGB by a factor of 2: 20 MiB in strips of 2**20 samples, 149 MiB in one piece;
# the time from 2**17 samples up to one piece differs by less than it scatters.
STRIP_SAMPLES = 2**20


def _average(picture: Picture, height: int, width: int) -> NDArray[np.uint8]:
    """Average areas in strips of rows, as Pillow's copy of a picture is larger than that."""
    block = math.ceil(picture.height / height)
    whole = (height, width) == (math.ceil(picture.height / block), math.ceil(picture.width / block))
    scale = block if whole else picture.height / height
    pixels = picture.pixels[..., 0] if picture.channels == 1 else picture.pixels
    small = np.empty((height, width, *pixels.shape[2:]), dtype=np.uint8)
    for rows in row_strips((height, block, *pixels.shape[1:]), STRIP_SAMPLES):
        top, bottom = rows.start * scale, min(rows.stop * scale, picture.height)
        first = int(top)
        strip = Image.fromarray(pixels[first : math.ceil(bottom)])
        if whole:
            small[rows] = strip.reduce(block)  # as resize() would, in a third of the time
        else:
            box = (0, top - first, picture.width, bottom - first)
            size = (width, rows.stop - rows.start)
            small[rows] = strip.resize(size, Image.Resampling.BOX, box)
    return small.reshape(height, width, picture.channels)
