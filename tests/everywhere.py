"""One call on every instruction set that this processor has and on several numbers of threads.

How work is parted among threads is the same code for every instruction set, so that one gets all numbers, the others
one thread and several.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import kmc
from kmc import _isa


def everywhere(call: Callable[[int], kmc.CompressedImage]) -> list[kmc.CompressedImage]:
    """Give what call(threads) gives; check that palette and indices are the same each time, and the file of two."""
    before, results = kmc.instruction_set(), []
    try:
        for number, name in enumerate(kmc.instruction_sets()):
            _isa.use(name)
            results += [call(threads) for threads in ((1, 3) if number else (1, 2, 3, 7))]
    finally:
        _isa.use(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result.indices, results[0].indices)
        np.testing.assert_array_equal(result.palette.colors, results[0].palette.colors)
    if len(results[0].palette) <= 256:
        assert results[-1].to_bytes() == results[0].to_bytes()
    return results
