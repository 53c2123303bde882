"""Animated PNG: frames -> the bytes of the file (Portable Network Graphics, third edition, 2025).

All frames share one palette, which is PNG's rule.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kmc.deltas import Delta, ShownFrame, deltas
from kmc.errors import KmcValueError
from kmc.formats.png_chunks import SIGNATURE, chunk
from kmc.loading.metadata import Metadata, png_chunks

__all__ = ["apng_bytes"]

LONGEST = 65535_000  # milliseconds
PALETTE = 3  # colour type
OVERWRITE, DRAW_OVER = 0, 1  # how a frame meets the canvas


def apng_bytes(frames: Iterator[ShownFrame], loop: int, metadata: Metadata) -> bytes:
    """Encode frames as animated PNG.

    Parameters
    ----------
    frames : iterator of ShownFrame
        All of the same colours, and whole.
    loop : int
        How often they are played; 0 for ever.
    metadata : Metadata

    Raises
    ------
    KmcValueError
        The frames have different palettes.
    """
    images: list[bytes] = []
    n_frames, sequence, colors, size = 0, 0, None, (0, 0)
    for delta in deltas(frames, can_overwrite=True, longest=LONGEST):
        if colors is None:
            colors, size = delta.frame.colors, delta.frame.indices.shape
        if not np.array_equal(colors, delta.frame.colors):
            raise KmcValueError(
                "the frames have palettes of their own and an animated PNG has one for all; "
                "compress with palette='shared', or save as GIF or WebP"
            )
        data = _smallest_data(delta, _bits(len(colors)))
        images.append(chunk(b"fcTL", _control(delta, sequence)))
        images.append(chunk(b"fdAT", struct.pack(">I", sequence + 1) + data) if n_frames else chunk(b"IDAT", data))
        sequence += 2 if n_frames else 1
        n_frames += 1
    assert colors is not None
    header = struct.pack(">IIBBBBB", size[1], size[0], _bits(len(colors)), PALETTE, 0, 0, 0)
    alphas = colors[:, 3].tobytes().rstrip(b"\xff")
    return b"".join(
        [
            SIGNATURE,
            chunk(b"IHDR", header),
            png_chunks(metadata),
            chunk(b"acTL", struct.pack(">II", n_frames, loop)) if n_frames > 1 else b"",
            chunk(b"PLTE", colors[:, :3].tobytes()),
            chunk(b"tRNS", alphas) if alphas else b"",
            *(images if n_frames > 1 else images[1:]),
            chunk(b"IEND", b""),
        ]
    )


def _bits(n_colors: int) -> int:
    return next(bits for bits in (1, 2, 4, 8) if n_colors <= 1 << bits)


def _control(delta: Delta, sequence: int) -> bytes:
    """Give the content of a frame's fcTL chunk."""
    top, left, bottom, right = delta.rectangle
    exact = Fraction(delta.duration) / 1000
    seconds = exact.limit_denominator(min(1000, int(65535 / max(exact, Fraction(1)))))
    blend = OVERWRITE if delta.overwrites else DRAW_OVER
    numbers = (sequence, right - left, bottom - top, left, top, seconds.numerator, seconds.denominator, 0, blend)
    return struct.pack(">IIIIIHHBB", *numbers)


def _smallest_data(delta: Delta, bits: int) -> bytes:
    """Compress what is drawn, with the pixels that do not change transparent or as they are."""
    indices, changed = delta.frame.indices[delta.rectangle.slices], delta.changed[delta.rectangle.slices]
    drawings = [indices]
    transparent = delta.frame.transparent_index
    if transparent is not None and not delta.overwrites and not changed.all():
        drawings.append(np.where(changed, indices, np.uint8(transparent)))
    rows = [_packed_rows(drawing, bits) for drawing in drawings]
    return zlib.compress(min(rows, key=lambda data: len(zlib.compress(data, 1))), 9)


def _packed_rows(indices: NDArray[np.uint8], bits: int) -> bytes:
    """Give rows of so many bits a pixel, unfiltered: differences of palette indices mean nothing."""
    height, width = indices.shape
    if bits < 8:
        digits = np.unpackbits(indices[..., np.newaxis], axis=2)[..., 8 - bits :]
        indices = np.packbits(digits.reshape(height, width * bits), axis=1)
    rows = np.zeros((height, indices.shape[1] + 1), dtype=np.uint8)
    rows[:, 1:] = indices
    return rows.tobytes()
