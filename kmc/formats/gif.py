"""GIF: indices and palette, or frames, -> the bytes of the file (GIF89a, Graphics Interchange Format, 1990).

GIF has one transparent entry and no partial transparency: colours of alpha 128 and more become opaque, the others
entirely transparent. The pixels are compressed by Pillow; the blocks around them are written here, as Pillow chooses
palettes and rectangles by itself.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.deltas import Clock, Delta, ShownFrame, deltas, with_alpha
from kmc.errors import KmcValueError
from kmc.loading.metadata import Metadata

__all__ = ["GIF_MAX_COLORS", "animated_gif_bytes", "gif_bytes", "palette_sizes"]

GIF_MAX_COLORS = 256
LONGEST_SIDE = 65535
LEAST_OPAQUE = 128
TICK = 10  # milliseconds
MOST_TICKS = 65535
CLEAR, LEAVE = 2, 1  # disposal


def gif_bytes(indices: NDArray[np.integer], palette_colors: NDArray[np.uint8], metadata: Metadata) -> bytes:
    """Encode a palette picture as GIF.

    Parameters
    ----------
    indices : ndarray of uint8 or uint16, shape (height, width)
    palette_colors : ndarray of uint8, shape (k, c)
        1 to 256 colours; of alpha, 128 and more counts as opaque, less as entirely transparent.
    metadata : Metadata
        Of which texts are written, as comments.

    Raises
    ------
    KmcValueError
        The palette has more than 256 colours, or the picture a side of more than 65535 pixels.
    """
    if len(palette_colors) > GIF_MAX_COLORS:
        raise KmcValueError(
            f"the palette has {len(palette_colors)} colours and a GIF palette holds at most {GIF_MAX_COLORS}; "
            f"compress with k of {GIF_MAX_COLORS} or less"
        )
    colors = with_alpha(palette_colors)
    frame = ShownFrame(colors[indices], indices.astype(np.uint8, copy=False), colors, True, 0)
    return animated_gif_bytes(iter([frame]), 1, metadata)


def animated_gif_bytes(frames: Iterator[ShownFrame], loop: int, metadata: Metadata) -> bytes:
    """Encode frames as GIF.

    Parameters
    ----------
    frames : iterator of ShownFrame
        Durations are rounded to hundredths of a second, so that their sum stays right.
    loop : int
        How often they are played; 0 for ever.
    metadata : Metadata
    """
    drawn = deltas((_without_partial_alpha(frame) for frame in frames), can_overwrite=False, longest=MOST_TICKS * TICK)
    first = next(drawn)
    height, width = first.frame.indices.shape
    if max(height, width) > LONGEST_SIDE:
        raise KmcValueError(
            f"the picture has {width} x {height} pixels and a side of a GIF picture at most {LONGEST_SIDE}; "
            "save it as PNG"
        )
    table = _color_table(first.frame.colors)
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0xF0 | _size_field(table), 0, 0), table]
    clock = Clock(TICK)
    images = [_frame_blocks(delta, table, clock.ticks(delta.duration)) for delta in chain([first], drawn)]
    if len(images) > 1 and loop != 1:  # it counts what follows on the first time
        parts.append(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", min(max(0, loop - 1), 65535), 0))
    return b"".join([*parts, _comments(metadata), *images, b";"])


def _without_partial_alpha(frame: ShownFrame) -> ShownFrame:
    colors, pixels, indices = frame.colors.copy(), frame.pixels.copy(), frame.indices
    for samples in (colors, pixels):
        is_opaque = samples[..., 3] >= LEAST_OPAQUE
        samples[..., 3] = 255
        samples[~is_opaque] = 0
    transparent = np.flatnonzero(colors[:, 3] == 0)
    if len(transparent) > 1:
        entries = np.arange(len(colors), dtype=np.uint8)
        entries[transparent] = transparent[0]
        indices = entries[indices]
    return frame._replace(colors=colors, pixels=pixels, indices=indices)


def _color_table(colors: NDArray[np.uint8]) -> bytes:
    """Give red, green and blue of each entry, and of as many black ones as make their number a power of two."""
    return colors[:, :3].tobytes().ljust(3 << max(1, (len(colors) - 1).bit_length()), b"\0")


def _size_field(table: bytes) -> int:
    return (len(table) // 3).bit_length() - 2


def _frame_blocks(delta: Delta, global_table: bytes, n_ticks: int) -> bytes:
    """Give a frame with its timing, and its palette if that is another one."""
    frame, rectangle = delta.frame, delta.rectangle
    indices, changed = frame.indices[rectangle.slices], delta.changed[rectangle.slices]
    transparent = frame.transparent_index
    drawings = [indices] if frame.is_whole else []
    if transparent is not None and not (frame.is_whole and changed.all()):
        drawings.append(np.where(changed, indices, np.uint8(transparent)))
    table = _color_table(frame.colors)
    # The code size is that of the palette: with 8 bits for all files were 3 to 5 % larger.
    data = min((_lzw_data(drawing, _code_size(table)) for drawing in drawings), key=len)
    flags = 0 if table == global_table else 0x80 | _size_field(table)
    disposal = CLEAR if delta.clears_after else LEAVE
    control = struct.pack("<BHBB", disposal << 2 | (transparent is not None), n_ticks, transparent or 0, 0)
    place = struct.pack("<HHHHB", rectangle.left, rectangle.top, indices.shape[1], indices.shape[0], flags)
    return b"!\xf9\x04" + control + b"," + place + (table if flags else b"") + data


def _code_size(table: bytes) -> int:
    return max(2, _size_field(table) + 1)


def _lzw_data(indices: NDArray[np.uint8], bits: int) -> bytes:
    """Compress indices below ``2**bits``; from the code size to the end of the last block."""
    return bytes([bits]) + Image.fromarray(np.ascontiguousarray(indices)).tobytes("gif", "L", bits, 0) + b"\0"


def _comments(metadata: Metadata) -> bytes:
    blocks = b""
    for _, text in metadata.texts:
        comment = text.encode()
        pieces = [comment[start : start + 255] for start in range(0, len(comment), 255)]
        blocks += b"!\xfe" + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
    return blocks


def palette_sizes(file: BinaryIO) -> Iterator[int]:
    """Count the colours of each palette of a GIF file, without decoding its pixels."""
    flags = file.read(13)[10]
    if flags & 0x80:
        yield _palette_size(file, flags)
    while (mark := file.read(1)) in (b"!", b","):
        if mark == b",":
            flags = file.read(9)[8]
            if flags & 0x80:
                yield _palette_size(file, flags)
        file.read(1)  # what kind of extension, or the code size
        while size := file.read(1)[0]:
            file.seek(size, os.SEEK_CUR)


def _palette_size(file: BinaryIO, flags: int) -> int:
    """Read a palette; black entries at its end only fill it up to a power of two."""
    table = file.read(6 << (flags & 7))
    return -(-len(table.rstrip(b"\0")) // 3)
