"""PNG files as chunks, for what has to be looked at or put in without decoding the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from kmc.errors import KmcFileError

__all__ = ["SIGNATURE", "check_image_data", "chunk", "chunks_of", "code_points", "with_chunks"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Signature and IHDR, which is always first and always as long.
HEADER_BYTES = 8 + 25


def chunk(kind: bytes, content: bytes) -> bytes:
    """Give a chunk as it stands in a file: length, kind, content, check sum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give kind and content of each chunk of an undamaged file."""
    position = len(SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def with_chunks(data: bytes, chunks: bytes) -> bytes:
    """Put chunks behind the header of a file, where all of them may stand."""
    return data[:HEADER_BYTES] + chunks + data[HEADER_BYTES:]


def code_points(file: BinaryIO) -> tuple[int, int, int, int] | None:
    """Read the four numbers of the cICP chunk; None of files that have none, or are not PNG."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return None
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"PLTE", b"IDAT", b"IEND"):  # it stands before these
            return None
        if kind == b"cICP" and length == 4 and len(content := file.read(4)) == 4:
            primaries, transfer, matrix, is_full_range = content
            return primaries, transfer, matrix, is_full_range
        file.seek(length + 4, 1)
    return None


def check_image_data(file: BinaryIO, name: str) -> None:
    """Check the sums of the pixel data of a PNG file; files of other formats pass."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"IDAT", b"fdAT"):
            content, check_sum = file.read(length), file.read(4)
            if len(check_sum) == 4 and struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))) != check_sum:
                raise KmcFileError(
                    f"{name} is damaged: a check sum of its pixel data does not fit; get a fresh copy of the file"
                )
        else:
            file.seek(length + 4, 1)
        if kind == b"IEND":
            return
