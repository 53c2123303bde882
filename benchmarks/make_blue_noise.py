"""Writes kmc/_blue_noise.py: a 64x64 blue-noise mask.

The void-and-cluster method (Ulichney, "The void-and-cluster method for dither array generation", 1993): the energy of a
place is the sum of Gaussians around the ones of a pattern on a torus; ones are moved from the tightest cluster to the
largest void until they are evenly spread, then ranked by taking them away and by adding more.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZE = 64
SIGMA = 1.5
FIRST_ONES = SIZE * SIZE // 10


def gaussian() -> NDArray[np.float64]:
    """Energy (SIZE, SIZE) around a one at the origin, on a torus."""
    place = np.arange(SIZE)
    distance2 = np.minimum(place, SIZE - place) ** 2
    energy: NDArray[np.float64] = np.exp(-(distance2[:, np.newaxis] + distance2) / (2 * SIGMA**2))
    return energy


class Pattern:
    """Ones on a torus and the energy of each place."""

    def __init__(self, ones: NDArray[np.bool_]) -> None:
        self.ones = np.zeros((SIZE, SIZE), dtype=bool)
        self.energy = np.zeros((SIZE, SIZE))
        self.around = gaussian()
        for place in np.flatnonzero(ones):
            self.flip(int(place))

    def flip(self, place: int) -> None:
        """Put a one there or take it away."""
        row, column = divmod(place, SIZE)
        sign = -1 if self.ones[row, column] else 1
        self.ones[row, column] = not self.ones[row, column]
        self.energy += sign * np.roll(self.around, (row, column), axis=(0, 1))

    def tightest_cluster(self) -> int:
        """Give the one with the most energy."""
        return int(np.where(self.ones, self.energy, -np.inf).argmax())

    def largest_void(self) -> int:
        """Give the zero with the least energy."""
        return int(np.where(self.ones, np.inf, self.energy).argmin())


def blue_noise() -> NDArray[np.uint16]:
    """Give ranks (SIZE, SIZE) from 0."""
    first = np.zeros(SIZE * SIZE, dtype=bool)
    first[np.random.default_rng(0).permutation(SIZE * SIZE)[:FIRST_ONES]] = True
    pattern = Pattern(first)
    while True:
        cluster = pattern.tightest_cluster()
        pattern.flip(cluster)
        void = pattern.largest_void()
        pattern.flip(void)
        if void == cluster:
            break
    ranks = np.empty(SIZE * SIZE, dtype=np.uint16)
    falling = Pattern(pattern.ones)
    for rank in reversed(range(FIRST_ONES)):
        place = falling.tightest_cluster()
        falling.flip(place)
        ranks[place] = rank
    for rank in range(FIRST_ONES, SIZE * SIZE):
        place = pattern.largest_void()
        pattern.flip(place)
        ranks[place] = rank
    return ranks.reshape(SIZE, SIZE)


def main() -> None:
    """Write the module."""
    text = base64.b85encode(blue_noise().astype("<u2").tobytes()).decode()
    lines = "\n".join(f'    "{text[i : i + 110]}"' for i in range(0, len(text), 110))
    module = f'''"""A blue-noise mask, made by benchmarks/make_blue_noise.py."""

import base64

import numpy as np

__all__ = ["MASK"]

_TEXT = (
{lines}
)

# Ranks (64, 64) uint16, 0 to 4095: those below any number are evenly spread.
MASK = np.frombuffer(base64.b85decode(_TEXT), dtype="<u2").astype(np.uint16).reshape(64, 64)
'''
    (Path(__file__).parents[1] / "kmc" / "_blue_noise.py").write_text(module)


if __name__ == "__main__":
    main()
