"""PNG: indices (h, w) of uint8 or uint16 and palette colours (k, c) of uint8 -> the bytes of the file.

Without a filter the order of the entries does not matter to deflate. With the filter Sub, differences to the left, it
does, and on photographs the order of :mod:`kmc.formats.palette_order` wins: at k=256 its files are up to 6 % smaller
than without a filter, where the order of luminance gives 10 % larger ones, a chain of nearest neighbours 2 % larger
ones and the order of popularity 16 % larger ones. The order in which the entries are given takes its place where
differences have less entropy in it: :mod:`kmc.compact` chooses indices for one. At k=32, and with the other filters,
nothing was gained; nor by a filter chosen for each row. So these two are tried, and the smaller file is taken.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from kmc import _threads
from kmc._validate import choice
from kmc.errors import KmcImportError, KmcValueError
from kmc.formats.palette_order import in_meeting_order, trimmed
from kmc.formats.png_chunks import SIGNATURE, chunk

__all__ = ["OPTIMIZE", "PNG_MAX_COLORS", "bits_per_pixel", "differences", "n_bytes", "packed", "png_bytes"]

PNG_MAX_COLORS = 256
OPTIMIZE = ("fast", "default", "max")

# zlib's levels. Of Kodak's photographs with 64 colours 5 makes files 1.3 % larger than 6 in 0.6 times the time. At 2.5
# megapixels 9 makes them 0.7 % (256 colours) to 1.5 % (16 colours) smaller than 6 and takes 2.5 to 5 times as long; of
# what has long runs 5 to 10 % smaller.
FAST_LEVEL, QUICK_LEVEL, BEST_LEVEL = 5, 6, 9
# Above so many pixels level 9 takes more than half a second.
MOST_THOROUGH_PIXELS = 1 << 20
# zlib's usual one. With 9 its blocks, each with codes of its own, are twice as long, and files 0.5 % (64 colours) to
# 2 % (16 colours) larger.
MEMORY_LEVEL = 8
NO_FILTER, SUB = 0, 1
# oxipng's level, that of libdeflate, which weighs all parses: 1 % to 9 % smaller than zlib's. zopfli's files were as
# large (0.2 % at most between them) in four times the time.
OXIPNG_LEVEL, LIBDEFLATE_LEVEL = 3, 12


def png_bytes(
    indices: NDArray[np.integer],
    palette_colors: NDArray[np.uint8],
    optimize: str = "default",
    threads: int | None = None,
) -> bytes:
    """Encode a palette picture as PNG, with 1, 2, 4 or 8 bits per pixel as the palette needs.

    The file's palette has only the entries that some pixel has, those with transparency first, and may be in another
    order than `palette_colors`: a reader finds the same pixels, not the same indices.

    Parameters
    ----------
    indices : ndarray of uint8 or uint16, shape (height, width)
        Number of every pixel's palette entry, below ``len(palette_colors)``.
    palette_colors : ndarray of uint8, shape (k, c)
        1 to 256 colours; c is 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha, written as tRNS).
    optimize : {"fast", "default", "max"}
        "fast": no filter, zlib's level 5. "default": level 6, on more than 16 colours a second try with differences of
        reordered entries, and up to a megapixel the smaller one again at level 9. "max": then oxipng, which
        tries more filters and deflates by libdeflate, by the extra ``kmc-image[max]``.
    threads : int, optional
        Every core if left out. The bytes are the same for any number.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    KmcValueError
        The palette has more than 256 colours.
    KmcImportError
        ``optimize="max"`` and pyoxipng is not installed.

    References
    ----------
    Portable Network Graphics (PNG) Specification, W3C, third edition. RFC 1950 and 1951 (deflate).

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.formats.png import png_bytes
    >>> png_bytes(np.zeros((2, 2), dtype=np.uint8), np.array([[255, 0, 0]], dtype=np.uint8))[1:4]
    b'PNG'
    """
    n_colors = len(palette_colors)
    if n_colors > PNG_MAX_COLORS:
        raise KmcValueError(
            f"the palette has {n_colors} colours and a PNG palette holds at most {PNG_MAX_COLORS}; "
            f"compress with k of {PNG_MAX_COLORS} or less, or use the picture in memory"
        )
    choice("optimize", optimize, OPTIMIZE)
    indices, colors = trimmed(indices, palette_colors)
    n_threads = _threads.resolve(threads)
    if optimize == "fast":
        return _file(indices, colors, NO_FILTER, FAST_LEVEL)
    tries: list[tuple[NDArray[np.uint8], NDArray[np.uint8], int]] = [(indices, colors, NO_FILTER)]
    if len(colors) > 16:
        orders = ((indices, colors), in_meeting_order(indices, colors))
        tries.append((*min(orders, key=lambda order: _entropy(differences(order[0]))), SUB))
    with ThreadPoolExecutor(min(n_threads, len(tries))) as pool:
        files = list(pool.map(lambda one: _file(one[0], one[1], one[2], QUICK_LEVEL), tries))
    smallest = min(files, key=len)
    if indices.size <= MOST_THOROUGH_PIXELS:
        smallest = min(smallest, _file(*tries[files.index(smallest)], BEST_LEVEL), key=len)
    return _squeezed(smallest) if optimize == "max" else smallest


def bits_per_pixel(k: int) -> int:
    """Give the bits that a PNG takes for each index of a palette of k entries: 1, 2, 4 or 8."""
    return next(bits for bits in (1, 2, 4, 8) if k <= 1 << bits)


def differences(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give what the filter Sub leaves of rows (h, w) of bytes: the first of each, then differences modulo 256."""
    result = rows.copy()
    result[:, 1:] -= rows[:, :-1]
    return result


def n_bytes(indices: NDArray[np.uint8], colors: NDArray[np.uint8], *, by_differences: bool) -> int:
    """Give how many bytes a file of these entries has that is written at once, with the filter Sub or without."""
    return len(_file(indices, colors, SUB if by_differences else NO_FILTER, FAST_LEVEL))


def packed(indices: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Put the indices (h, w) of several pixels in each byte, the leftmost in the highest bits; rows are filled up."""
    per_byte = 8 // bits
    if per_byte == 1:
        return indices
    rows = np.pad(indices, ((0, 0), (0, -indices.shape[1] % per_byte)))
    bytes_: NDArray[np.uint8] = rows[:, ::per_byte] << np.uint8(8 - bits)
    for place in range(1, per_byte):
        bytes_ |= rows[:, place::per_byte] << np.uint8(8 - bits * (place + 1))
    return bytes_


def _file(indices: NDArray[np.uint8], colors: NDArray[np.uint8], filter_type: int, level: int) -> bytes:
    height, width = indices.shape
    bits = bits_per_pixel(len(colors))
    header = struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)  # colour type 3: palette; not interlaced
    rgb = np.broadcast_to(colors[:, :3], (len(colors), 3))  # grey: the one sample three times
    parts = [(b"IHDR", header), (b"PLTE", rgb.tobytes())]
    if alphas := _alphas(colors):
        parts.append((b"tRNS", alphas))
    parts += [(b"IDAT", _deflated(packed(indices, bits), filter_type, level)), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def _entropy(rows: NDArray[np.uint8]) -> float:
    """Give the bits of all bytes, each coded by how often it occurs."""
    counts = np.bincount(rows.ravel())
    counts = counts[counts > 0]
    return float(counts @ np.log2(rows.size / counts))


def _alphas(colors: NDArray[np.uint8]) -> bytes:
    """Give the alpha of every entry up to the last that is not opaque: what tRNS must hold."""
    return colors[:, 3].tobytes().rstrip(b"\xff") if colors.shape[1] == 4 else b""


def _deflated(rows: NDArray[np.uint8], filter_type: int, level: int) -> bytes:
    """Give the zlib stream of rows (h, bytes), each after its filter's number."""
    stream = np.empty((rows.shape[0], rows.shape[1] + 1), dtype=np.uint8)
    stream[:, 0] = filter_type
    stream[:, 1:] = differences(rows) if filter_type == SUB else rows
    compressor = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, MEMORY_LEVEL)
    return compressor.compress(stream.data) + compressor.flush()


def _squeezed(content: bytes) -> bytes:
    """Let oxipng try its filters and libdeflate all parses; chunks and the kind of picture stay."""
    try:
        import oxipng
    except ImportError as error:
        raise KmcImportError(
            'optimize="max" needs pyoxipng, which is not installed; pip install "kmc-image[max]" or take "default"'
        ) from error
    deflate = oxipng.Deflaters.libdeflater(LIBDEFLATE_LEVEL)
    squeezed: bytes = oxipng.optimize_from_memory(
        content, level=OXIPNG_LEVEL, grayscale_reduction=False, deflate=deflate
    )
    return min(content, squeezed, key=len)
