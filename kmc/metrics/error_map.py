"""Where a compressed picture differs from its original: two pictures (h, w, c) -> errors (h, w)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.load import row_strips
from kmc.metrics.similarity import samples_of

__all__ = ["area_errors", "error_map"]

Errors = NDArray[np.float32]


def error_map(original: NDArray[np.uint8], compressed: NDArray[np.uint8]) -> Errors:
    """Give the error of every pixel.

    Parameters
    ----------
    original, compressed : ndarray (h, w, c) uint8
        Of the same height and width; c is 1, 3 or 4. The poorer is brought to the richer, as in :mod:`kmc.evaluate`.

    Returns
    -------
    errors : ndarray (h, w) float32
        Root of the mean over the channels of the squared difference, 0 to 255. The mean of their squares is the MSE.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.metrics.error_map import error_map
    >>> error_map(np.zeros((1, 2, 1), dtype=np.uint8), np.array([[[0], [7]]], dtype=np.uint8)).tolist()
    [[0.0, 7.0]]
    """
    return np.sqrt(_squares(original, compressed))


def area_errors(original: NDArray[np.uint8], compressed: NDArray[np.uint8], size: tuple[int, int]) -> Errors:
    """Give the error of every area when the picture is divided into `size` (height, width) areas.

    As :func:`error_map`, the mean taken over the pixels of the area as well.
    """
    height, width = size
    means = Image.fromarray(_squares(original, compressed)).resize((width, height), Image.Resampling.BOX)
    errors: Errors = np.sqrt(np.maximum(np.asarray(means), 0))
    return errors


def _squares(original: NDArray[np.uint8], compressed: NDArray[np.uint8]) -> Errors:
    height, width = original.shape[:2]
    channels = max(original.shape[2], compressed.shape[2])
    squares = np.empty((height, width), dtype=np.float32)
    for rows in row_strips((height, width, channels)):
        difference = samples_of(original[rows], channels) - samples_of(compressed[rows], channels)
        squares[rows] = np.square(difference).reshape(-1, width, channels).mean(axis=2)
    return squares
