"""The first stage: whatever holds a picture becomes a :class:`Picture`.

In:  a path, an open binary file, the bytes of a file, a PIL image, an array, or an object that
     turns into an array (``__array_interface__``, ``__array__``, ``__dlpack__``).
Out: :class:`Picture`, 8-bit pixels with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

All validation of pictures happens here and in what is called from here (files: :mod:`kmc.loading.picture_file`,
:mod:`kmc.loading.pil_pixels`; arrays: :mod:`kmc.loading.array_pixels`); the stages after this one trust what they get.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from kmc._validate import choice
from kmc.loading.array_pixels import as_array, check_shape, row_strips, to_8_bits, without_idle_alpha
from kmc.loading.color_profile import PROFILES
from kmc.loading.metadata import Metadata
from kmc.loading.picture_file import ANIMATED_FORMATS, FileLike, is_file_like, n_frames_of, opened
from kmc.loading.pil_pixels import pixels_and_metadata

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
        C-contiguous; 1 channel is grey, 3 are RGB, 4 are RGBA with straight alpha, of which some
        pixel is not opaque: the others take a tenth of the time as RGB. The colour of
        an entirely transparent pixel is left as it came; later stages take it as (0, 0, 0, 0).
        A uint8 array given by the caller is not copied, but for an alpha that says nothing.
    shape : tuple of int
        Shape of the array that the caller gave, such as ``(height, width)``: results come back
        in it.
    n_bytes : int or None
        Size of the file that the picture came from; None for arrays and PIL images.
    metadata : Metadata
        What the file says beside the pixels: colour profile, resolution, EXIF and so on; nothing for arrays.
    n_frames : int
        How many frames or pages the file has (two if it is damaged behind the first); this is the first of them.
    is_animated : bool
        Whether they are frames, which follow each other in time, and not pages.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    shape: tuple[int, ...]
    n_bytes: int | None = None
    metadata: Metadata = field(default_factory=Metadata)
    n_frames: int = 1
    is_animated: bool = False

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


ImageLike: TypeAlias = FileLike | NDArray[Any] | SupportsArrayInterface | SupportsArray | SupportsDLPack | Picture


def load(image: ImageLike, *, profile: str = "keep", max_pixels: int | None = None, name: str = "image") -> Picture:
    """Make a :class:`Picture` of whatever holds one.

    Parameters
    ----------
    image : path, open binary file, bytes, PIL image, array or Picture
        Of a file or a PIL image the first frame is taken, the right way up (EXIF orientation).
        Grey stays grey; RGB, CMYK, YCbCr, HSV and LAB become RGB; what has alpha becomes RGBA if a pixel is not opaque,
        else RGB. Samples of 16 bits are divided by 257 and rounded (Pillow
        itself hands out colour files of 16 bits as the upper 8). The integers of a mode "I"
        image are taken as 16-bit grey, the floats of a mode "F" image as lying in [0, 1].

        Arrays have the shape ``(h, w)`` or ``(h, w, c)``, c being 1, 3 or 4, and hold uint8
        (0 to 255; shared, not copied, when C-contiguous), uint16 (0 to 65535), bool, or floats
        of 16, 32 or 64 bits in [0, 1]. A Picture comes back as it is.
    profile : {"keep", "srgb"}
        What becomes of the ICC profile, or the gamma, of a file: kept beside the pixels, or applied, so that the
        pixels are sRGB. Profiles of CMYK and grey are always applied, as palettes are RGB.
    max_pixels : int, optional
        Files with more pixels are refused before they are decoded. If left out, Pillow's limit holds: twice
        ``PIL.Image.MAX_IMAGE_PIXELS``, 179 million.
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
        The file cannot be opened or read as a picture, or has too many pixels.
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
    choice("profile", profile, PROFILES)
    if isinstance(image, Picture):
        return image
    if is_file_like(image):
        with opened(cast(FileLike, image), name, max_pixels) as picture:
            pixels, metadata = pixels_and_metadata(picture, profile)
            pixels = without_idle_alpha(pixels)
            shape = pixels.shape[:2] if pixels.shape[2] == 1 else pixels.shape
            n_frames = n_frames_of(picture)
            is_animated = n_frames > 1 and picture.image.format in ANIMATED_FORMATS
            return Picture(pixels, shape, picture.n_bytes, metadata, n_frames, is_animated)
    array = as_array(image, name)
    check_shape(array.shape, name)
    channels = array.shape[2] if array.ndim == 3 else 1
    pixels = to_8_bits(array, name).reshape(*array.shape[:2], channels)
    return Picture(without_idle_alpha(pixels), array.shape)
