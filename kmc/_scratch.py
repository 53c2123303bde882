"""Scratch memory that is used again.

The system hands out memory page by page at the first touch, which costs a microsecond for each 4 KiB: a quarter of the
time of ``compress`` at 2.5 megapixels. So a few arrays are kept when nobody needs them any more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scratch"]

# Arrays that are kept, and the most bytes of one. Only pages that were touched take memory: of the histogram's tables
# the colours that occur, of the engine's lists those that were made, 10 to 60 MiB in all for photographs.
KEPT_ARRAYS = 8
KEPT_BYTES = 1 << 28

_free: dict[int, NDArray[np.uint8]] = {}


class Scratch:
    """At least `n_bytes` of memory with any contents; goes back when nobody holds this object.

    Attributes
    ----------
    array : ndarray (n,) uint8
        Not to be used after the object is gone.
    """

    __slots__ = ("array",)

    def __init__(self, n_bytes: int) -> None:
        self.array = _take(n_bytes)

    def __del__(self) -> None:
        _give(self.array)


def _take(n_bytes: int) -> NDArray[np.uint8]:
    """Give the smallest free array that is large enough, or a new one. Threads may call this at the same time."""
    for array in sorted(_free.copy().values(), key=len):
        if len(array) >= n_bytes and _free.pop(id(array), None) is not None:
            return array
    return np.empty(n_bytes, dtype=np.uint8)


def _give(array: NDArray[np.uint8]) -> None:
    if len(array) <= KEPT_BYTES:
        _free[id(array)] = array
        for oldest in list(_free)[:-KEPT_ARRAYS]:
            _free.pop(oldest, None)
