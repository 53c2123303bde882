"""The walk of ``compact.h`` in plain Python: what the tests compare the kernel with. Nothing else uses this module."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["compact"]

Array = NDArray[Any]

STRIPE = 64
NEAR, ABOVE, DEPTH, PATIENCE = 8, 2, 16, 24
SHORTEST, LONGEST = 3, 258


class Walk:
    """One stripe: rows `first` to `last` of the picture."""

    def __init__(self, picture: dict[str, Any], first: int, last: int, indices: Array) -> None:
        self.points, self.kinds, self.weights, self.entries = (
            picture[name] for name in ("points", "kinds", "weights", "entries")
        )
        self.forbidden, self.bits, self.prices = picture["forbidden"], int(picture["bits"]), picture["prices"]
        self.blur, self.scale = picture["blur"], int(picture["scale"])
        self.first, self.last, self.indices = first, last, indices
        self.per_byte = 8 // self.bits
        self.height, self.width = indices.shape
        self.row_bytes = -(-self.width // self.per_byte)
        self.file: list[int] = []
        self.chains: dict[int, list[int]] = {}

    def wanted(self, y: int, x: int, errors: dict[int, Array]) -> Array:
        """Give the pixel's colour plus the errors around it; errors: those of this row that differ from the indices."""
        point = self.points[y, x].astype(np.int64)
        around = np.zeros(4, dtype=np.int64)
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                at_y, at_x = y + dy, x + dx
                if (dy, dx) == (0, 0) or not (0 <= at_y < self.height and 0 <= at_x < self.width):
                    continue
                error = self.points[at_y, at_x].astype(np.int64) - self.entries[self.indices[at_y, at_x]]
                if dy == 0 and at_x in errors:
                    error = errors[at_x]
                around += int(self.blur[dy + 2]) * int(self.blur[dx + 2]) * error
        scale = 0 if self.kinds[y, x] & 4 else self.scale
        return np.asarray(point + (around * scale + 32768 >> 16))

    def forbids(self, y: int, x: int, entry: int) -> bool:
        """Whether the pixel must not become the entry."""
        return bool(entry >= len(self.entries) or self.forbidden[self.kinds[y, x] & 3, entry])

    def error(self, y: int, x: int, wanted: Array, entry: int) -> int:
        """Weight times squared distance."""
        return int(((wanted - self.entries[entry]) ** 2).sum()) * int(self.weights[y, x])

    def pixels_of(self, b: int) -> range:
        """Columns of a byte."""
        return range(b * self.per_byte, min((b + 1) * self.per_byte, self.width))

    def entry(self, byte: int, x: int) -> int:
        """Give the entry of column x in its byte."""
        return byte >> (8 - self.bits * (x % self.per_byte + 1)) & ((1 << self.bits) - 1)

    def literal(self, y: int, b: int, is_final: bool) -> tuple[int, int]:
        """Give the byte that the pixels like best, and its cost."""
        prefix, cost = 0, 0
        pixels = self.pixels_of(b)
        for j, x in enumerate(pixels):
            wanted = self.wanted(y, x, {})
            prices = self.prices[0][(1 << self.bits * (j + 1)) | prefix << self.bits :]
            costs = [
                (self.error(y, x, wanted, entry) + int(prices[entry]), entry)
                for entry in range(len(self.entries))
                if not self.forbids(y, x, entry)
            ]
            least, best = min(costs)
            cost, prefix = cost + least, prefix << self.bits | best
            if is_final:
                self.indices[y, x] = best
        return prefix << self.bits * (self.per_byte - len(pixels)), cost

    def match(self, y: int, b: int, distance: int, most: int, best: list[int]) -> tuple[int, int]:
        """Give the length of the best match at a distance, or 0, and what it gains."""
        gain, length, errors, bit = -int(self.prices[2][distance]), 0, dict[int, Array](), int(self.prices[1][0])
        source = self.file[len(self.file) - distance :]
        for i in range(min(self.row_bytes - b, LONGEST)):
            byte = source[i % distance]
            for x in self.pixels_of(b + i):
                entry = self.entry(byte, x)
                if self.forbids(y, x, entry):
                    return length, most
                gain -= self.error(y, x, self.wanted(y, x, errors), entry)
                errors[x] = self.points[y, x].astype(np.int64) - self.entries[entry]
            gain += best[b + i]
            if gain < -PATIENCE * bit or gain + PATIENCE * bit < most:
                break
            net = gain - int(self.prices[1][i + 1])
            if i + 1 >= SHORTEST and net > most:
                most, length = net, i + 1
        return length, most

    def distances(self, b: int, liked: list[int]) -> list[int]:
        """Distances at which matches are tried."""
        place, stride, farthest = len(self.file), self.row_bytes + 1, len(self.prices[2]) - 1
        found = list(range(1, min(NEAR, b) + 1))
        if place > stride:
            found += [d for d in range(stride - ABOVE, stride + ABOVE + 1) if NEAR < d <= min(place, farthest)]
        if b + SHORTEST <= self.row_bytes:
            for start in self.chains.get(hash_of(liked[b : b + SHORTEST]), [])[::-1][:DEPTH]:
                if place - start > farthest:
                    break
                found.append(place - start)
        return found

    def put(self, byte: int) -> None:
        """Write a byte to the file, and down where its last three stand."""
        self.file.append(byte)
        if len(self.file) >= SHORTEST:
            self.chains.setdefault(hash_of(self.file[-SHORTEST:]), []).append(len(self.file) - SHORTEST)

    def row(self, y: int) -> None:
        """Walk a row."""
        self.file.append(0)
        liked, best = map(list, zip(*(self.literal(y, b, False) for b in range(self.row_bytes)), strict=True))
        b = 0
        while b < self.row_bytes:
            length, distance, gain = 0, 0, 0
            for one in self.distances(b, liked):
                found, gain = self.match(y, b, one, gain, best)
                if found:
                    length, distance = found, one
            if not length:
                self.put(self.literal(y, b, True)[0])
            for i in range(b, b + length):
                self.put(self.file[-distance])
                for x in self.pixels_of(i):
                    self.indices[y, x] = self.entry(self.file[-1], x)
            b += max(length, 1)


def hash_of(values: list[int]) -> int:
    """Give the number of the chain of three bytes."""
    return ((values[0] << 16 | values[1] << 8 | values[2]) * 2654435761 & 0xFFFFFFFF) >> 20


def compact(picture: dict[str, Any], indices: Array) -> Array:
    """Choose indices (h, w) anew; picture: points, kinds, weights, entries, forbidden, bits, prices, blur and scale."""
    chosen = indices.copy()
    height = len(indices)
    stripes = [(y, min(y + STRIPE, height)) for y in range(0, height, STRIPE)]
    for first, last in stripes[::2] + stripes[1::2]:
        walk = Walk(picture, first, last, chosen)
        for y in range(first, last):
            walk.row(y)
    return chosen
