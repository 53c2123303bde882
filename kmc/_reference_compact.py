"""The walk of ``compact.h`` in plain Python: what the tests compare the kernel with. Nothing else uses this module."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["compact"]

Array = NDArray[Any]

STRIPE = 64
NEAR, ABOVE, DEPTH, PATIENCE = 8, 2, 16, 48
SHORTEST, LONGEST = 3, 258


class Walk:
    """One stripe: rows `first` to `last` of the picture."""

    def __init__(self, picture: dict[str, Any], first: int, last: int, indices: Array) -> None:
        self.points, self.entries = picture["points"].astype(np.float32), picture["entries"].astype(np.float32)
        self.kinds, self.weights, self.near = (picture[name] for name in ("kinds", "weights", "near"))
        self.forbidden, self.bits, self.prices = picture["forbidden"], int(picture["bits"]), picture["prices"]
        self.differences = bool(picture["differences"])
        self.blur, self.scale = picture["blur"], np.float32(picture["scale"])
        self.first, self.last, self.indices = first, last, indices
        self.per_byte = 8 // self.bits
        self.height, self.width = indices.shape
        self.row_bytes = -(-self.width // self.per_byte)
        self.file: list[int] = []
        self.chains: dict[int, list[int]] = {}

    def error_at(self, y: int, x: int) -> Array:
        """Give a pixel's colour less its entry; 0 beyond the picture."""
        if not (0 <= y < self.height and 0 <= x < self.width):
            return np.zeros(4, dtype=np.float32)
        return np.asarray(self.points[y, x] - self.entries[self.indices[y, x]])

    def wanted(self, y: int, x: int, errors: dict[int, Array]) -> Array:
        """Give the pixel's colour plus the errors around it; errors: those of this row that differ from the indices."""
        blur = self.blur
        seen = np.zeros(4, dtype=np.float32)  # sums of whole numbers, in any order
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                if dy != 0 or dx > 0:
                    seen += blur[dy + 2] * blur[dx + 2] * self.error_at(y + dy, x + dx)
        wanted = self.points[y, x] + seen * self.scale
        for distance in (1, 2):
            error = errors.get(x - distance, self.error_at(y, x - distance))
            wanted = wanted + error * (self.scale * blur[2] * blur[2 - distance])
        return np.asarray(wanted)

    def forbids(self, y: int, x: int, entry: int) -> bool:
        """Whether the pixel must not become the entry."""
        return bool(self.forbidden[self.kinds[y, x], entry])

    def error(self, y: int, x: int, wanted: Array, entry: int) -> np.float32:
        """Weight times squared distance."""
        squares = (wanted - self.entries[entry]) ** 2
        return np.float32(self.weights[y, x] * ((squares[0] + squares[1]) + (squares[2] + squares[3])))

    def pixels_of(self, b: int) -> range:
        """Columns of a byte."""
        return range(b * self.per_byte, min((b + 1) * self.per_byte, self.width))

    def entry(self, byte: int, x: int, previous: int) -> int:
        """Give the entry of column x in its byte; previous: the one to its left."""
        if self.differences:
            return (previous + byte) % 256
        return byte >> (8 - self.bits * (x % self.per_byte + 1)) & ((1 << self.bits) - 1)

    def best_entry(self, y: int, x: int, wanted: Array, prices: Array) -> tuple[np.float32, int]:
        """Give the least cost of an entry near the present one, and the entry; the nearest, if none is allowed."""
        after = np.zeros(256, dtype=np.float32)  # the price of the next difference
        if self.differences and x + 1 < self.width:
            after = self.prices[0][256 + (self.indices[y, x + 1] - np.arange(256)) % 256]
        costs = [
            (self.error(y, x, wanted, entry) + prices[entry] + after[entry], place, int(entry))
            for place, entry in enumerate(self.near[self.indices[y, x]])
            if not self.forbids(y, x, entry)
        ]
        if costs:
            return min(costs)[0] - after[min(costs)[2]], min(costs)[2]
        squares = (wanted - self.entries) ** 2
        dist2 = (squares[:, 0] + squares[:, 1]) + (squares[:, 2] + squares[:, 3])
        return min((dist2[entry], entry) for entry in range(len(dist2)) if not self.forbids(y, x, entry))

    def literal(self, y: int, b: int, previous: int) -> tuple[int, np.float32]:
        """Give the byte that the pixels like best, and its cost."""
        if self.differences:
            prices = self.prices[0][256 + (np.arange(256) - previous) % 256]
            cost, best = self.best_entry(y, b, self.wanted(y, b, {}), prices)
            return (best - previous) % 256, cost
        prefix, cost, errors = 0, np.float32(0), dict[int, Array]()
        pixels = self.pixels_of(b)
        for j, x in enumerate(pixels):
            prices = self.prices[0][(1 << self.bits * (j + 1)) | prefix << self.bits :]
            least, best = self.best_entry(y, x, self.wanted(y, x, errors), prices)
            errors[x] = self.points[y, x] - self.entries[best]
            cost, prefix = cost + least, prefix << self.bits | best
        return prefix << self.bits * (self.per_byte - len(pixels)), cost

    def match(self, y: int, b: int, distance: int, most: np.float32, best: list[Any]) -> tuple[int, np.float32]:
        """Give the length of the best match at a distance, or 0, and what it gains."""
        gain, length, errors = -self.prices[2][distance], 0, dict[int, Array]()
        entry = self.before(y, b)
        patience = PATIENCE * self.prices[1][0]
        source = self.file[len(self.file) - distance :]
        for i in range(min(self.row_bytes - b, LONGEST)):
            byte, byte_error = source[i % distance], np.float32(0)
            for x in self.pixels_of(b + i):
                entry = self.entry(byte, x, entry)
                if self.forbids(y, x, entry):
                    return length, most
                byte_error += self.error(y, x, self.wanted(y, x, errors), entry)
                errors[x] = self.points[y, x] - self.entries[entry]
            gain += best[b + i] - byte_error
            if gain + patience < 0 or gain + patience < most:
                break
            net = gain - self.prices[1][i + 1]
            if i + 1 >= SHORTEST and net > most:
                most, length = net, i + 1
        return length, most

    def before(self, y: int, b: int) -> int:
        """Give the entry to the left of a byte; 0 at the left edge."""
        return int(self.indices[y, b - 1]) if b > 0 and self.differences else 0

    def likes(self, y: int) -> tuple[list[int], list[np.float32]]:
        """Give the bytes of the row that would be liked best, and their costs; in place of differences the entries."""
        liked: list[int] = []
        costs = []
        for b in range(self.row_bytes):
            previous = liked[-1] if self.differences and liked else 0
            byte, cost = self.literal(y, b, previous)
            liked.append((previous + byte) % 256)
            costs.append(cost)
        return liked, costs

    def bytes_from(self, y: int, b: int, liked: list[int]) -> list[int]:
        """Give three bytes of those liked, or fewer at the right edge."""
        own = liked[b : b + SHORTEST]
        if not self.differences:
            return own
        return [(one - other) % 256 for one, other in zip(own, [self.before(y, b), *own], strict=False)]

    def distances(self, b: int, liked: list[int]) -> list[int]:
        """Distances at which matches are tried; liked: the bytes that would be liked best from b on."""
        place, stride, farthest = len(self.file), self.row_bytes + 1, len(self.prices[2]) - 1
        found = list(range(1, min(NEAR, b) + 1))
        if place > stride:
            found += [d for d in range(stride - ABOVE, stride + ABOVE + 1) if NEAR < d <= min(place, farthest)]
        if b + SHORTEST <= self.row_bytes:
            for start in self.chains.get(hash_of(liked), [])[::-1][:DEPTH]:
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
        liked, best = self.likes(y)
        b, entry = 0, 0
        while b < self.row_bytes:
            length, distance, gain = 0, 0, np.float32(0)
            for one in self.distances(b, self.bytes_from(y, b, liked)):
                found, gain = self.match(y, b, one, gain, best)
                if found:
                    length, distance = found, one
            literal = self.literal(y, b, self.before(y, b))[0]
            length, literals = (length, []) if length else (1, [literal])
            for i in range(b, b + length):
                self.put(literals[0] if literals else self.file[-distance])
                for x in self.pixels_of(i):
                    entry = self.entry(self.file[-1], x, entry)
                    self.indices[y, x] = entry
            b += length


def hash_of(values: list[int]) -> int:
    """Give the number of the chain of three bytes."""
    return ((values[0] << 16 | values[1] << 8 | values[2]) * 2654435761 & 0xFFFFFFFF) >> 20


def compact(picture: dict[str, Any], indices: Array) -> Array:
    """Choose indices (h, w) anew; picture: what the kernel is told, by name."""
    chosen = indices.copy()
    height = len(indices)
    stripes = [(y, min(y + STRIPE, height)) for y in range(0, height, STRIPE)]
    for first, last in stripes[::2] + stripes[1::2]:
        walk = Walk(picture, first, last, chosen)
        for y in range(first, last):
            walk.row(y)
    return chosen
