"""The last stage: indices and palette become the bytes of a picture file, and those a file.

In:  indices (h, w) of uint8 or uint16 and palette colours (k, c) of uint8, c being 1, 3 or 4.
Out: the bytes of the file; on disk, the whole file or none of it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc._validate import choice
from kmc.deltas import ShownFrame
from kmc.errors import KmcFileError, KmcFileNotFoundError, KmcValueError
from kmc.formats.apng import apng_bytes
from kmc.formats.gif import GIF_MAX_COLORS, animated_gif_bytes, gif_bytes
from kmc.formats.png import OPTIMIZE, PNG_MAX_COLORS, png_bytes
from kmc.formats.png_chunks import with_chunks
from kmc.formats.tiff import TIFF_MAX_COLORS, tiff_bytes
from kmc.formats.webp import animated_webp_bytes, webp_bytes
from kmc.loading.metadata import Metadata, png_chunks

__all__ = ["FORMATS", "Format", "check_target", "format_named", "format_of", "png_bytes", "write_atomically"]

StrPath: TypeAlias = str | os.PathLike[str]
Encode: TypeAlias = Callable[[NDArray[np.integer], NDArray[np.uint8], Metadata, str, int | None], bytes]


@dataclass(frozen=True)
class Format:
    """A file format that holds a palette picture.

    Attributes
    ----------
    name : str
        What people call it.
    suffixes : tuple of str
        File name endings in lower case, each with its dot.
    max_colors : int
        Palette entries that fit.
    encode : callable
        ``encode(indices, palette_colors, metadata, optimize, threads)`` makes the bytes of the file.
    encode_animation : callable or None
        ``encode_animation(frames, loop, metadata)`` makes those of an animation, if the format has such.
    holds_profile : bool
        Whether readers of the format look for an ICC profile.
    holds_gamma : bool
        Whether it has a place for gamma and chromaticities.
    """

    name: str
    suffixes: tuple[str, ...]
    max_colors: int
    encode: Encode
    encode_animation: Callable[[Iterator[ShownFrame], int, Metadata], bytes] | None = None
    holds_profile: bool = True
    holds_gamma: bool = False


def _png(
    indices: NDArray[np.integer], colors: NDArray[np.uint8], metadata: Metadata, optimize: str, threads: int | None
) -> bytes:
    return with_chunks(png_bytes(indices, colors, optimize, threads), png_chunks(metadata))


def _in_one_way(encode: Callable[[NDArray[np.integer], NDArray[np.uint8], Metadata], bytes]) -> Encode:
    """Make an encoder take `optimize` and `threads` whose format is written in one way only."""

    def encode_so(
        indices: NDArray[np.integer], colors: NDArray[np.uint8], metadata: Metadata, optimize: str, _: int | None
    ) -> bytes:
        choice("optimize", optimize, OPTIMIZE)
        return encode(indices, colors, metadata)

    return encode_so


FORMATS = (
    Format("PNG", (".png", ".apng"), PNG_MAX_COLORS, _png, apng_bytes, holds_gamma=True),
    Format("GIF", (".gif",), GIF_MAX_COLORS, _in_one_way(gif_bytes), animated_gif_bytes, holds_profile=False),
    Format("WebP", (".webp",), 65536, _in_one_way(webp_bytes), animated_webp_bytes),
    Format("TIFF", (".tif", ".tiff"), TIFF_MAX_COLORS, _in_one_way(tiff_bytes)),
)


def format_named(name: str) -> Format:
    """Look up a format by its name, such as "png"; upper and lower case are the same.

    Raises
    ------
    KmcValueError
        There is no such format, or it holds no palette.
    """
    for file_format in FORMATS:
        if isinstance(name, str) and name.lower() == file_format.name.lower():
            return file_format
    names = ", ".join(repr(file_format.name) for file_format in FORMATS)
    raise KmcValueError(f"the format must be one of {names}, got {name!r}; choose one of them")


def format_of(path: StrPath) -> Format:
    """Look up the format that a file name's ending asks for.

    Raises
    ------
    KmcFileError
        No format that holds a palette has this ending.

    Examples
    --------
    >>> from kmc.encode import format_of
    >>> format_of("small.PNG").name
    'PNG'
    """
    suffix = Path(path).suffix.lower()
    for file_format in FORMATS:
        if suffix in file_format.suffixes:
            return file_format
    ending = f"cannot hold a palette as {suffix!r}" if suffix else "has no ending"
    accepted = " or ".join(suffix for file_format in FORMATS for suffix in file_format.suffixes)
    raise KmcFileError(f"{os.fspath(path)!r} {ending}; kmc writes palette pictures, so end the name in {accepted}")


def check_target(path: StrPath) -> Path:
    """Check that a file can be written at a path, as far as that shows before it is done.

    Returns
    -------
    Path
        The file to write: `path` itself, or what it points to where it is a symbolic link.

    Raises
    ------
    KmcFileError
        There is a directory, a device or a write-protected file at `path`, or its folder cannot
        be written.
    KmcFileNotFoundError
        The folder does not exist.
    """
    name = repr(os.fspath(path))
    try:
        target = Path(os.path.realpath(path))
        mode = target.lstat().st_mode if os.path.lexists(target) else None
        folder_exists = target.parent.is_dir()
    except (OSError, ValueError) as error:
        raise _cannot_write(name, error) from error
    if mode is not None and stat.S_ISDIR(mode):
        raise KmcFileError(f"{name} is a directory; give the name of a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        raise KmcFileError(f"{name} is not a regular file; give the name of one")
    if mode is not None and not os.access(target, os.W_OK):
        raise KmcFileError(f"{name} is write-protected; change its permissions or take another name")
    if not folder_exists:
        raise KmcFileNotFoundError(
            f"{name} cannot be written: its folder {str(target.parent)!r} does not exist; create it or take another"
        )
    if not os.access(target.parent, os.W_OK):
        raise KmcFileError(
            f"{name} cannot be written: its folder {str(target.parent)!r} is write-protected; "
            "change its permissions or take another"
        )
    return target


def write_atomically(path: StrPath, data: bytes, *, times_of: StrPath | None = None) -> None:
    """Write a file whole or not at all.

    The bytes go to a temporary name in the same folder, reach the disk, and take the file's name
    in one step: whoever looks, and whatever fails, finds the old file or the new one. The file
    that a symbolic link points to is replaced, not the link. A replaced file's permissions are
    kept; a new file gets those that ``open()`` would give it. The file gets the times of access and
    change of the file `times_of`, which may be `path` itself; by default those of now.

    Raises
    ------
    KmcFileError
        The file cannot be written there (see :func:`check_target`), or the disk is full.
    KmcFileNotFoundError
        The folder does not exist.
    """
    target = check_target(path)
    temporary = target.with_name(f".kmc-{secrets.token_hex(8)}.tmp")
    try:
        model = None if times_of is None else Path(times_of).stat()
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            if model:
                os.utime(temporary, ns=(model.st_atime_ns, model.st_mtime_ns))
            temporary.replace(target)
        except BaseException:  # Ctrl-C too leaves nothing behind
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _cannot_write(repr(os.fspath(path)), error) from error


def _cannot_write(name: str, error: Exception) -> KmcFileError:
    reason = getattr(error, "strerror", None) or error
    return KmcFileError(f"{name} cannot be written ({reason}); take another folder or name")
