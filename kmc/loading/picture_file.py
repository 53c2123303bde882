"""Path, open file, bytes or PIL image -> an open PIL image, with every failure as one sentence.

Two things are asked of a file before it is decoded: that it has no more pixels than allowed (a file of a few kilobytes
may unfold to gigabytes), and that the data of a PNG file are what was written (Pillow skips their check sums).
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, NamedTuple, TypeAlias, cast

from PIL import Image, UnidentifiedImageError

from kmc._validate import whole_number
from kmc.errors import KmcError, KmcFileError, KmcFileNotFoundError, KmcTypeError, reason_of
from kmc.formats.png_chunks import check_image_data, code_points
from kmc.loading.code_points import CodePoints

__all__ = [
    "ANIMATED_FORMATS",
    "FileLike",
    "OpenPicture",
    "check_pixels",
    "is_file_like",
    "n_frames_of",
    "opened",
    "quiet_pillow",
    "rewindable",
]

FileLike: TypeAlias = (
    str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | BinaryIO | Image.Image
)

# Whose frames follow each other in time; those of other formats are pages.
ANIMATED_FORMATS = ("AVIF", "FLI", "GIF", "PNG", "WEBP")


class OpenPicture(NamedTuple):
    """A PIL image, what messages call it, the most pixels it may have, the size of its file, and its cICP chunk."""

    image: Image.Image
    name: str
    max_pixels: int | None
    n_bytes: int | None
    cicp: CodePoints | None = None


def is_file_like(image: object) -> bool:
    """Whether :func:`opened` takes it."""
    return isinstance(image, str | os.PathLike | bytes | bytearray | memoryview | Image.Image) or hasattr(image, "read")


@contextmanager
def opened(image: FileLike, name: str, max_pixels: int | None = None) -> Iterator[OpenPicture]:
    """Open a picture for as long as the context lasts; what a decoder raises within becomes one sentence.

    Parameters
    ----------
    image : path, open binary file, bytes or PIL image
        An open file is read from its first byte, wherever it stands, and stays open.
    name : str
        What messages call a picture that has no file name.
    max_pixels : int, optional
        The most pixels that are decoded. If left out, Pillow's limit: twice ``PIL.Image.MAX_IMAGE_PIXELS``, and none
        for PIL images.
    """
    if max_pixels is not None:
        max_pixels = whole_number("max_pixels", max_pixels, 1, 2**62, "leave it out for Pillow's limit")
    if isinstance(image, Image.Image):
        with _decoding(name, max_pixels):
            check_pixels(image, name, max_pixels)
            yield OpenPicture(image, name, max_pixels, None)
    elif isinstance(image, str | os.PathLike):
        name = repr(os.fsdecode(image))
        with _open_path(image, name) as file, _opened_file(file, name, max_pixels) as picture:
            yield picture
    else:
        if isinstance(image, bytes | bytearray | memoryview):
            image = io.BytesIO(image)
        with _opened_file(image, _name_of_file(image, name), max_pixels) as picture:
            yield picture


def rewindable(image: FileLike, name: str) -> FileLike:
    """Give what can be opened more than once: an open file that cannot seek is read into memory."""
    if hasattr(image, "read") and not _can_seek(cast(BinaryIO, image)):
        with _decoding(name, None):
            return cast(BinaryIO, image).read()
    return image


def check_pixels(image: Image.Image, name: str, max_pixels: int | None) -> None:
    """Refuse an image, or the frame of one, that has more pixels than allowed."""
    width, height = image.size
    if max_pixels is not None and width * height > max_pixels:
        raise KmcFileError(
            f"{name} has {width} x {height} pixels, which is more than max_pixels = {max_pixels}; "
            "raise max_pixels if you trust it"
        )


def n_frames_of(picture: OpenPicture) -> int:
    """Count the frames or pages of a file; the previews of a photograph and the layers of a drawing are none.

    Of a file that is damaged behind the first they are two: whoever wants more than that one finds out.
    """
    if picture.n_bytes is None or picture.image.format in ("MPO", "PSD"):
        return 1
    try:
        return int(getattr(picture.image, "n_frames", 1))
    except Exception:  # whatever Pillow raises
        return 2


def _open_path(path: str | os.PathLike[str] | os.PathLike[bytes], name: str) -> BinaryIO:
    try:
        return open(os.fsdecode(path), "rb")  # noqa: PTH123 (to Path, "" is the current folder)
    except FileNotFoundError:
        message = f"{name} does not exist; check the path of the picture"
        raise KmcFileNotFoundError(message) from None
    except IsADirectoryError:
        raise KmcFileError(f"{name} is a directory; give the path of one picture file") from None
    except (OSError, ValueError) as error:
        message = f"{name} cannot be opened ({reason_of(error)}); give the path of a readable picture"
        raise KmcFileError(message) from error


def _name_of_file(file: object, name: str) -> str:
    file_name = getattr(file, "name", None)
    return repr(file_name) if isinstance(file_name, str) else name


def _can_seek(file: BinaryIO) -> bool:
    return hasattr(file, "seekable") and file.seekable()


@contextmanager
def _opened_file(file: BinaryIO, name: str, max_pixels: int | None) -> Iterator[OpenPicture]:
    if isinstance(file, io.TextIOBase):
        raise KmcTypeError(f"{name} is a file opened as text; open it with mode 'rb'")
    with _decoding(name, max_pixels):
        if not _can_seek(file):
            file = io.BytesIO(file.read())
        file.seek(0, os.SEEK_END)
        n_bytes = file.tell()
        if n_bytes == 0:
            raise KmcFileError(f"{name} is empty (0 bytes); give a picture file such as PNG or JPEG")
        check_image_data(file, name)
        cicp = code_points(file)
        file.seek(0)
        with Image.open(file) as image:
            check_pixels(image, name, max_pixels)
            yield OpenPicture(image, name, max_pixels, n_bytes, cicp)


class _PillowState:
    """What belongs to the process and has to be other while any thread is in Pillow.

    - Warnings of Pillow are ignored.
    - Pillow's own limit is raised to the greatest that a thread inside has been given; each thread checks its own.

    Were every thread to put back what it found, one that leaves last would put back what another had set, for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[int | None] = []
        self._found_filters = warnings.catch_warnings()
        self._found_limit: int | None = None

    @contextmanager
    def inside(self, max_pixels: int | None) -> Iterator[None]:
        with self._lock:
            if not self._limits:
                self._found_filters = warnings.catch_warnings()
                self._found_filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")
                self._found_limit = Image.MAX_IMAGE_PIXELS
            self._limits.append(max_pixels)
            self._raise_limit()
        try:
            yield
        finally:
            with self._lock:
                self._limits.remove(max_pixels)
                self._raise_limit()
                if not self._limits:
                    self._found_filters.__exit__(None, None, None)

    def _raise_limit(self) -> None:
        given = [limit for limit in self._limits if limit is not None]
        if self._found_limit is not None:
            Image.MAX_IMAGE_PIXELS = max(self._found_limit, *given) if given else self._found_limit


_PILLOW_STATE = _PillowState()


def quiet_pillow() -> AbstractContextManager[None]:
    """Keep Pillow's warnings in for as long as the context lasts."""
    return _PILLOW_STATE.inside(None)


@contextmanager
def _decoding(name: str, max_pixels: int | None) -> Iterator[None]:
    """Keep Pillow's warnings in and turn whatever a decoder raises into one sentence.

    Decoders raise nearly anything on damaged files (OSError, SyntaxError, ValueError, struct.error,
    zlib.error, ...), so everything is caught but kmc's own errors and a lack of memory.
    """
    with _PILLOW_STATE.inside(max_pixels):
        try:
            yield
        except (KmcError, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            advice = "pass max_pixels or raise PIL.Image.MAX_IMAGE_PIXELS"
            if max_pixels is not None:
                advice = f"raise max_pixels, which is {max_pixels}"
            raise KmcFileError(
                f"{name} is refused by Pillow ({reason_of(error)}); if you trust it, {advice}"
            ) from error
        except UnidentifiedImageError as error:
            raise KmcFileError(
                f"{name} is damaged or not a picture in a format that Pillow reads; "
                "give a picture file such as PNG, JPEG, TIFF or WebP"
            ) from error
        except Exception as error:
            raise KmcFileError(
                f"{name} cannot be read as a picture ({reason_of(error)}); "
                "it seems incomplete or damaged, so get a fresh copy"
            ) from error
