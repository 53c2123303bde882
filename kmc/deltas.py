"""Frames as they are shown -> what of each has to be drawn over the one before it.

A frame is drawn on the canvas within a rectangle. A transparent pixel leaves what is there, so pixels that do not
change can be transparent, which costs next to nothing. To become transparent themselves, pixels are overwritten where
the format can (APNG, WebP); else (GIF) the rectangle of the frame before is cleared once its time is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clock", "Delta", "Rectangle", "ShownFrame", "deltas", "with_alpha"]


class ShownFrame(NamedTuple):
    """A frame as it is shown.

    `pixels` (h, w, 4) uint8, (0, 0, 0, 0) where entirely transparent; `indices` (h, w) uint8 and `colors` (k, 4) give
    the same, everywhere if `is_whole`, else where it differs from the frame before; `duration` in milliseconds.
    """

    pixels: NDArray[np.uint8]
    indices: NDArray[np.uint8]
    colors: NDArray[np.uint8]
    is_whole: bool
    duration: float

    @property
    def transparent_index(self) -> int | None:
        """The entry that leaves what is there, if there is one."""
        transparent = np.flatnonzero(self.colors[:, 3] == 0)
        return int(transparent[0]) if len(transparent) else None


def with_alpha(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give samples (..., c) as (..., 4)."""
    rgba = np.full((*samples.shape[:-1], 4), 255, dtype=np.uint8)
    rgba[..., :3] = samples[..., :3]
    if samples.shape[-1] == 4:
        rgba[..., 3] = samples[..., 3]
    return rgba


class Rectangle(NamedTuple):
    """Part of a canvas: rows `top` to `bottom`, columns `left` to `right`, the last ones not included."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, mask: NDArray[np.bool_], grid: int = 1) -> Rectangle:
        """Give the smallest one with all that is true, whose top and left are multiples of `grid`."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return cls(0, 0, 1, 1)
        top, left = (int(place[0]) // grid * grid for place in (rows, columns))
        return cls(top, left, int(rows[-1]) + 1, int(columns[-1]) + 1)

    def joined(self, other: Rectangle) -> Rectangle:
        """Give the smallest one with both."""
        return Rectangle(*map(min, self[:2], other[:2]), *map(max, self[2:], other[2:]))

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an array with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Delta(NamedTuple):
    """How a frame is drawn.

    `frame`, of which the part in `rectangle` is drawn; `changed` (h, w) bool where the canvas is other before;
    `overwrites`, else drawn over what is there; `clears_after`, the rectangle, when its `duration` is over.
    """

    frame: ShownFrame
    rectangle: Rectangle
    changed: NDArray[np.bool_]
    overwrites: bool
    clears_after: bool
    duration: float


def deltas(
    frames: Iterator[ShownFrame], *, can_overwrite: bool, longest: float = np.inf, grid: int = 1
) -> Iterator[Delta]:
    """Find out how to draw each frame; one that looks like the one before it lengthens that one.

    Parameters
    ----------
    frames : iterator of ShownFrame
    can_overwrite : bool
        Whether a frame of the format can put transparent pixels in place of others.
    longest : float
        Milliseconds that a frame may last in the format.
    grid : int
        Of which the top and left of a rectangle are multiples.

    Yields
    ------
    Delta
        The first is that of the whole canvas.
    """
    pending: Delta | None = None
    canvas = np.zeros((), dtype=np.uint32)
    for frame in frames:
        colors, alpha = _packed(frame.pixels), frame.pixels[..., 3]
        changed = colors != canvas
        if pending is None:
            rectangle = Rectangle(0, 0, *colors.shape)
        else:
            if not changed.any() and pending.duration + frame.duration <= longest:
                pending = pending._replace(duration=pending.duration + frame.duration)
                continue
            vanishing = changed & (alpha == 0)
            if not can_overwrite and vanishing.any():
                rectangle = pending.rectangle.joined(Rectangle.around(vanishing))
                pending = pending._replace(rectangle=rectangle, clears_after=True)
                canvas = canvas.copy()
                canvas[rectangle.slices] = 0
                changed = colors != canvas
            yield pending
            rectangle = Rectangle.around(changed, grid)
        overwrites = can_overwrite and bool((alpha[changed] < 255).any())
        pending = Delta(frame, rectangle, changed, overwrites, False, frame.duration)
        canvas = colors
    if pending is not None:
        yield pending


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Give pixels (h, w, 4) as one number each."""
    return np.ascontiguousarray(pixels).view(np.uint32)[..., 0]


class Clock:
    """Durations in milliseconds, rounded to whole ticks of so many so that their sums stay right."""

    def __init__(self, tick: float) -> None:
        self._tick, self._exact, self._ticks = tick, 0.0, 0

    def ticks(self, duration: float) -> int:
        """Give the ticks from where the clock stands to `duration` later, and go on to there."""
        self._exact += duration
        before, self._ticks = self._ticks, round(self._exact / self._tick)
        return self._ticks - before
