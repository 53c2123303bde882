"""WebP without loss: indices and palette, or frames, -> the bytes of the file (RFC 9649).

The pixels are compressed by libwebp through Pillow, which finds the palette by itself; the chunks of animations are
written here, so that only one frame is in memory at a time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.deltas import Clock, Delta, ShownFrame, deltas
from kmc.errors import KmcImportError, KmcValueError
from kmc.loading.metadata import Metadata, webp_options

__all__ = ["animated_webp_bytes", "webp_bytes"]

LONGEST_SIDE = 16383
LONGEST = 2**24 - 1  # milliseconds
# Flags of the header.
ICC, ALPHA, EXIF, XMP, ANIMATION = 0x20, 0x10, 0x08, 0x04, 0x02
OVERWRITE = 0x02  # flag of a frame
# How much libwebp tries: method and quality. On eight pictures of 0.4 megapixels and 64 colours, milliseconds of each
# and kB of all: 0 0: 83 992; 4 50: 204 820; 4 80: 349 817; 4 100: 490 811; 6 100: 24031 755.
METHOD, EFFORT = 4, 50


def webp_bytes(indices: NDArray[np.integer], palette_colors: NDArray[np.uint8], metadata: Metadata) -> bytes:
    """Encode a palette picture as lossless WebP.

    Parameters
    ----------
    indices : ndarray of uint8 or uint16, shape (height, width)
    palette_colors : ndarray of uint8, shape (k, c)
        Of any number of colours; above 256 the file is of true colour.
    metadata : Metadata
        Of which profile, EXIF and XMP are written.

    Raises
    ------
    KmcValueError
        The picture has a side of more than 16383 pixels.
    """
    pixels: NDArray[np.uint8] = palette_colors[indices]
    return _encoded(pixels, **webp_options(metadata))


def _encoded(pixels: NDArray[np.uint8], **options: bytes) -> bytes:
    height, width = pixels.shape[:2]
    if max(height, width) > LONGEST_SIDE:
        raise KmcValueError(
            f"the picture has {width} x {height} pixels and a side of a WebP picture at most {LONGEST_SIDE}; "
            "save it as PNG"
        )
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    file = io.BytesIO()
    try:
        image.save(file, "WEBP", lossless=True, exact=True, method=METHOD, quality=EFFORT, **options)
    except KeyError:
        raise KmcImportError("this Pillow was built without WebP; install Pillow's own wheel, or save as PNG") from None
    return file.getvalue()


def animated_webp_bytes(frames: Iterator[ShownFrame], loop: int, metadata: Metadata) -> bytes:
    """Encode frames as lossless WebP.

    Parameters
    ----------
    frames : iterator of ShownFrame
        Durations are rounded to milliseconds, so that their sum stays right.
    loop : int
        How often they are played; 0 for ever.
    metadata : Metadata
    """
    clock, images, has_alpha, size = Clock(1), [], False, (0, 0)
    for delta in deltas(frames, can_overwrite=True, longest=LONGEST, grid=2):
        size = delta.frame.indices.shape
        pixels = _drawn_pixels(delta)
        has_alpha |= bool(pixels[..., 3].min() < 255)
        images.append(_frame_chunk(delta, pixels, clock.ticks(delta.duration)))
    options = webp_options(metadata)
    extras = [(ICC, b"ICCP", "icc_profile"), (EXIF, b"EXIF", "exif"), (XMP, b"XMP ", "xmp")]
    flags = ANIMATION | ALPHA * has_alpha | sum(flag for flag, _, name in extras if name in options)
    icc, exif, xmp = (_chunk(kind, options[name]) if name in options else b"" for _, kind, name in extras)
    header = _chunk(b"VP8X", struct.pack("<I", flags) + _in_24_bits(size[1] - 1) + _in_24_bits(size[0] - 1))
    animation = _chunk(b"ANIM", struct.pack("<IH", 0, min(loop, 65535)))
    content = b"".join([b"WEBP", header, icc, animation, *images, exif, xmp])
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _drawn_pixels(delta: Delta) -> NDArray[np.uint8]:
    pixels = delta.frame.pixels[delta.rectangle.slices]
    if delta.overwrites:
        return pixels
    return np.where(delta.changed[delta.rectangle.slices][..., np.newaxis], pixels, np.uint8(0))


def _frame_chunk(delta: Delta, pixels: NDArray[np.uint8], duration: int) -> bytes:
    height, width = pixels.shape[:2]
    top, left = delta.rectangle[:2]
    numbers = (left // 2, top // 2, width - 1, height - 1, duration)
    opaque = pixels[..., 3].min() == 255
    file = _encoded(np.ascontiguousarray(pixels[..., :3]) if opaque else pixels)
    flags = bytes([OVERWRITE if delta.overwrites else 0])
    return _chunk(b"ANMF", b"".join(map(_in_24_bits, numbers)) + flags + _image_chunks(file))


def _image_chunks(file: bytes) -> bytes:
    """Give those chunks of a still picture that hold its pixels."""
    chunks, position = b"", 12
    while position < len(file):
        (length,) = struct.unpack_from("<I", file, position + 4)
        end = position + 8 + length + length % 2
        if file[position : position + 4] in (b"VP8L", b"VP8 ", b"ALPH"):
            chunks += file[position:end]
        position = end
    return chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _in_24_bits(number: int) -> bytes:
    return number.to_bytes(3, "little")
