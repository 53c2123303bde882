"""The first stage: whatever holds a picture becomes a :class:`Picture`.

In:  a path, an open binary file, the bytes of a file, a PIL image, an array, or an object that
     turns into an array (``__array_interface__``, ``__array__``, ``__dlpack__``).
Out: :class:`Picture`, 8-bit pixels with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

All validation of pictures happens here; the stages after this one trust what they get. What is
not 8-bit already is converted in strips of rows, so that no second picture of a wider type ever
stands in memory beside the first.
"""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from kmc.errors import KmcError, KmcFileError, KmcFileNotFoundError, KmcTypeError, KmcValueError

__all__ = ["ImageLike", "Picture", "load", "row_strips"]


class SupportsArrayInterface(Protocol):
    """An object that describes its memory as numpy does."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


class SupportsArray(Protocol):
    """An object that makes a numpy array of itself."""

    def __array__(self) -> NDArray[Any]: ...


class SupportsDLPack(Protocol):
    """An array of another library, exchanged by DLPack."""

    def __dlpack__(self) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that has been checked: what every later stage works on.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, channels)
        C-contiguous; 1 channel is grey, 3 are RGB, 4 are RGBA with straight alpha. The colour of
        an entirely transparent pixel is left as it came; later stages take it as (0, 0, 0, 0).
        A uint8 array given by the caller is not copied.
    shape : tuple of int
        Shape of the array that the caller gave, such as ``(height, width)``: results come back
        in it.
    n_bytes : int or None
        Size of the file that the picture came from; None for arrays and PIL images.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    shape: tuple[int, ...]
    n_bytes: int | None = None

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Samples per pixel: 1 (grey), 3 (RGB) or 4 (RGBA)."""
        return int(self.pixels.shape[2])


ImageLike: TypeAlias = (
    str
    | os.PathLike[str]
    | os.PathLike[bytes]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | Image.Image
    | NDArray[Any]
    | SupportsArrayInterface
    | SupportsArray
    | SupportsDLPack
    | Picture
)


def load(image: ImageLike, *, name: str = "image") -> Picture:
    """Make a :class:`Picture` of whatever holds one.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image, array or Picture
        Of a file or a PIL image the first frame is taken, the right way up (EXIF orientation).
        Grey stays grey; RGB, CMYK, YCbCr, HSV, LAB and opaque palettes become RGB; whatever can
        be transparent becomes RGBA. Samples of 16 bits are divided by 257 and rounded (Pillow
        itself hands out colour files of 16 bits as the upper 8). The integers of a mode "I"
        image are taken as 16-bit grey, the floats of a mode "F" image as lying in [0, 1].

        Arrays have the shape ``(h, w)`` or ``(h, w, c)``, c being 1, 3 or 4, and hold uint8
        (0 to 255; shared, not copied, when C-contiguous), uint16 (0 to 65535), bool, or floats
        of 16, 32 or 64 bits in [0, 1]. A Picture comes back as it is.
    name : str, default "image"
        What messages call a picture that has no file name.

    Returns
    -------
    Picture

    Raises
    ------
    KmcTypeError
        The object is none of these, or the array's dtype is not one of those named.
    KmcValueError
        The array has another shape, no pixels, or floats outside [0, 1].
    KmcFileError
        The file cannot be opened or read as a picture.
    KmcFileNotFoundError
        There is no such file.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.load import load
    >>> picture = load(np.zeros((2, 3), dtype=np.uint8))
    >>> picture.height, picture.width, picture.channels
    (2, 3, 1)
    """
    if isinstance(image, Picture):
        return image
    if isinstance(image, str | os.PathLike):
        return _from_path(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return _from_file(io.BytesIO(image), name)
    if isinstance(image, Image.Image):
        with _reading(name):
            return _from_pil(image, name, None)
    if hasattr(image, "read"):
        return _from_file(cast(BinaryIO, image), _name_of_file(image, name))
    return _from_array(_as_array(image, name), name)


def _from_path(path: str | os.PathLike[str] | os.PathLike[bytes]) -> Picture:
    text = os.fsdecode(path)
    name = repr(text)
    try:
        file = open(text, "rb")  # noqa: PTH123, SIM115 (to Path, "" is the current folder)
    except FileNotFoundError:
        message = f"{name} does not exist; check the path of the picture"
        raise KmcFileNotFoundError(message) from None
    except IsADirectoryError:
        raise KmcFileError(f"{name} is a directory; give the path of one picture file") from None
    except (OSError, ValueError) as error:
        message = f"{name} cannot be opened ({_reason(error)}); give the path of a readable picture"
        raise KmcFileError(message) from error
    with file:
        return _from_file(file, name)


def _name_of_file(file: object, name: str) -> str:
    file_name = getattr(file, "name", None)
    return repr(file_name) if isinstance(file_name, str) else name


def _from_file(file: BinaryIO, name: str) -> Picture:
    """Read the whole file, from its first byte and wherever it stands, as Pillow does."""
    if isinstance(file, io.TextIOBase):
        raise KmcTypeError(f"{name} is a file opened as text; open it with mode 'rb'")
    with _reading(name):
        if not (hasattr(file, "seekable") and file.seekable()):
            file = io.BytesIO(file.read())
        file.seek(0, os.SEEK_END)
        n_bytes = file.tell()
        if n_bytes == 0:
            raise KmcFileError(f"{name} is empty (0 bytes); give a picture file such as PNG or JPEG")
        file.seek(0)
        with Image.open(file) as image:
            return _from_pil(image, name, n_bytes)


class _QuietPillow:
    """Within it Pillow's warnings are ignored, while any thread is in it.

    The filters of warnings belong to the process: were every thread to put back what it found, one
    that leaves last would put back the filters that another had set, for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._found = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._found = warnings.catch_warnings()
                self._found.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")
            self._n_inside += 1

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._found.__exit__(None, None, None)


_QUIET_PILLOW = _QuietPillow()


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Keep Pillow's warnings in and turn whatever a decoder raises into one sentence.

    Decoders raise nearly anything on damaged files (OSError, SyntaxError, ValueError, struct.error,
    zlib.error, ...), so everything is caught but kmc's own errors and a lack of memory.
    """
    with _QUIET_PILLOW:
        try:
            yield
        except (KmcError, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise KmcFileError(
                f"{name} is refused by Pillow ({_reason(error)}); if you trust it, raise PIL.Image.MAX_IMAGE_PIXELS"
            ) from error
        except UnidentifiedImageError as error:
            raise KmcFileError(
                f"{name} is damaged or not a picture in a format that Pillow reads; "
                "give a picture file such as PNG, JPEG, TIFF or WebP"
            ) from error
        except Exception as error:
            raise KmcFileError(
                f"{name} cannot be read as a picture ({_reason(error)}); "
                "it seems incomplete or damaged, so get a fresh copy"
            ) from error


def _reason(error: Exception) -> str:
    """Say the cause in one line, without the path that an OSError repeats."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")[:200]


# Applied here and not by ImageOps.exif_transpose, which copies upright pictures too and fails on
# EXIF data that it cannot write again.
_TURN_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _from_pil(image: Image.Image, name: str, n_bytes: int | None) -> Picture:
    key = _transparent_key(image)  # first, as loading discards what it needs
    image.load()  # and only then the orientation, as loading a TIFF file turns it upright
    turn = _TURN_UPRIGHT.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if 0 in image.size:
        raise KmcValueError(f"{name} has no pixels (size {image.size}); give at least one pixel")
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = _from_deep_grey(image, key, name)
    else:
        pixels = _convert(image, key, _plain_mode(image))
    shape = pixels.shape[:2] if pixels.shape[2] == 1 else pixels.shape
    return Picture(pixels, shape, n_bytes)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data raise nearly anything; the pixels are still good
        return 1


def _transparent_key(image: Image.Image) -> Any:
    """Find the sample(s) that mean "transparent" (PNG's tRNS), on the scale of the pixels.

    Pillow scales the pixels of a PNG file to 8 bits, but leaves the key as it stands in the file.
    """
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    rawmode = tile[0][3] if tile else None
    if isinstance(key, int) and rawmode in ("L;2", "L;4"):
        return key * {"L;2": 85, "L;4": 17}[rawmode]
    if isinstance(key, tuple) and rawmode == "RGB;16B":
        return tuple(sample >> 8 for sample in key)
    return key


def _plain_mode(image: Image.Image) -> str:
    """Choose the one of Pillow's modes L, RGB and RGBA that holds the picture without loss."""
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _convert(image: Image.Image, key: Any, mode: str) -> NDArray[np.uint8]:
    """Give the pixels in Pillow's mode L, RGB or RGBA."""
    pixels = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    for rows in row_strips(pixels.shape):
        strip = image.crop((0, rows.start, image.width, rows.stop))
        if strip.mode == "La":
            strip = strip.convert("LA")  # Pillow knows no direct way from La to RGBA
        if strip.mode != mode:
            if key is not None:
                strip.info["transparency"] = key
            strip = strip.convert(mode)
        pixels[rows] = np.asarray(strip).reshape(pixels[rows].shape)
    return pixels


def _from_deep_grey(image: Image.Image, key: Any, name: str) -> NDArray[np.uint8]:
    """Give the pixels of the modes "I;16..." and "I" (taken as 16 bits) and "F" (in [0, 1])."""
    samples = np.asarray(image)
    if image.mode == "I":
        if samples.min() < 0 or samples.max() > 65535:
            raise KmcValueError(
                f"{name} holds integers from {samples.min()} to {samples.max()}; "
                "grey pictures of more than 8 bits are read as 16-bit, so scale it to 0..65535"
            )
        samples = samples.astype(np.uint16)
    grey = _to_8_bits(samples, name)
    if key is None:
        return grey[..., np.newaxis]
    alpha = np.where(samples == key, np.uint8(0), np.uint8(255))
    return np.dstack([grey, grey, grey, alpha])


def _as_array(image: object, name: str) -> NDArray[Any]:
    if not any(hasattr(image, protocol) for protocol in ("__array_interface__", "__array__", "__dlpack__")):
        raise KmcTypeError(
            f"{name} is of type {type(image).__name__}; give a path, an open binary file, bytes, "
            "a PIL image or an array (numpy.asarray(..., dtype=numpy.uint8) makes one of lists)"
        )
    try:
        if hasattr(image, "__array_interface__") or hasattr(image, "__array__"):
            return np.asarray(image)
        return np.from_dlpack(cast(Any, image))
    except MemoryError:
        raise
    except Exception as error:  # whatever another library raises
        raise KmcTypeError(
            f"{name} is of type {type(image).__name__} and does not turn into an array "
            f"({_reason(error)}); give a numpy array in main memory"
        ) from error


def _from_array(array: NDArray[Any], name: str) -> Picture:
    _check_shape(array.shape, name)
    pixels = _to_8_bits(array, name)
    channels = array.shape[2] if array.ndim == 3 else 1
    return Picture(pixels.reshape(*array.shape[:2], channels), array.shape)


def _check_shape(shape: tuple[int, ...], name: str) -> None:
    accepted = "kmc takes (height, width) and (height, width, 1, 3 or 4)"
    if 0 in shape:
        raise KmcValueError(f"{name} has no pixels (shape {shape}); give at least one pixel")
    if len(shape) not in (2, 3):
        raise KmcValueError(
            f"{name} has the shape {shape} of {len(shape)} dimension{'s'[len(shape) == 1 :]}; "
            f"{accepted}, so give the pixels of one picture"
        )
    if len(shape) == 3 and shape[2] not in (1, 3, 4):
        advice = "drop or convert the other channels"
        if shape[0] in (1, 3, 4) and shape[0] < min(shape[1:]):
            advice = "move the channels last with numpy.moveaxis(image, 0, -1)"
        raise KmcValueError(f"{name} has {shape[2]} channels (shape {shape}); {accepted}, so {advice}")


def _to_8_bits(samples: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Give samples of an accepted dtype as C-contiguous uint8, uncopied if they are that."""
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples)
    _check_dtype(samples.dtype, name)
    pixels = np.empty(samples.shape, dtype=np.uint8)
    for rows in row_strips(samples.shape):
        strip = samples[rows]
        if strip.dtype == np.bool_:
            pixels[rows] = strip * np.uint8(255)
        elif strip.dtype.kind == "u":
            pixels[rows] = (strip.astype(np.uint32) + 128) // 257
        else:
            # In float64 whatever the dtype: the same number gives the same pixel.
            pixels[rows] = np.rint(_checked_unit_interval(strip, name) * np.float64(255))
    return pixels


def _check_dtype(dtype: np.dtype[Any], name: str) -> None:
    if dtype.newbyteorder("=") in (np.bool_, np.uint16, np.float16, np.float32, np.float64):
        return
    advice = "convert it to one of these"
    if dtype.kind in "iu":
        advice = "if its values lie in 0..255, call .astype(numpy.uint8)"
    elif dtype.kind == "f":
        advice = "call .astype(numpy.float64)"
    raise KmcTypeError(
        f"{name} holds {dtype} samples; kmc takes uint8, uint16, bool and float16, 32 or 64, so {advice}"
    )


def _checked_unit_interval(strip: NDArray[Any], name: str) -> NDArray[Any]:
    low, high = strip.min(), strip.max()  # NaN if there is one
    if low >= 0 and high <= 1:
        return strip
    if not (np.isfinite(low) and np.isfinite(high)):
        raise KmcValueError(
            f"{name} holds NaN or infinity; floats must lie in [0, 1], "
            "so replace them, for example with numpy.nan_to_num"
        )
    raise KmcValueError(
        f"{name} holds {low if low < 0 else high:g}; floats must lie in [0, 1], "
        "so scale them (divide by 255 if they go from 0 to 255)"
    )


# Seconds for 24 megapixels of RGB by strip size, as float32, uint16, bool and PIL image:
# 2**13: 0.15 0.09 0.06 0.16    2**15: 0.20 0.08 0.06 0.10
# 2**18: 0.30 0.12 0.05 0.07    2**22: 0.65 0.33 0.05 0.08
_STRIP_SAMPLES = 2**15


def row_strips(shape: tuple[int, ...], samples: int = _STRIP_SAMPLES) -> Iterator[slice]:
    """Divide an array into ranges of whole rows with about `samples` samples each."""
    height, *row = shape
    step = max(1, samples // math.prod(row))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))
