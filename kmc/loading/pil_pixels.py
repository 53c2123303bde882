"""A PIL image -> 8-bit pixels (h, w, c), the right way up, and their metadata.

c is 1 (grey), 3 (RGB) or 4 (RGBA). What is not one of these already is converted in strips of rows, so that no second
picture of a wider type ever stands in memory beside the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from kmc.errors import KmcValueError
from kmc.loading.array_pixels import row_strips, to_8_bits
from kmc.loading.color_profile import profile_space, srgb_from_cmyk, to_srgb
from kmc.loading.metadata import Metadata
from kmc.loading.picture_file import OpenPicture, check_pixels

__all__ = ["pixels_and_metadata"]

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
# Samples in a strip. Milliseconds for 0.4 and for 24 megapixels of RGB: 2**15 0.87 and 106, 2**16 0.62 and 70, 2**17
# 0.54 and 57, 2**20 0.6 and 49, 2**23 0.6 and 87; from 2**18 on the system hands out memory anew for each.
STRIP_SAMPLES = 1 << 17
# Orientations that make the width the height.
SIDEWAYS = (5, 6, 7, 8)


def pixels_and_metadata(picture: OpenPicture, profile: str) -> tuple[NDArray[np.uint8], Metadata]:
    """Decode the frame at which an image stands.

    Parameters
    ----------
    picture : OpenPicture
    profile : {"keep", "srgb"}
        What becomes of a profile or gamma of RGB colours; a profile of grey or CMYK is always applied.

    Returns
    -------
    pixels : ndarray (h, w, c) uint8
    metadata : Metadata
        Of the pixels as they are returned.
    """
    image, name = picture.image, picture.name
    check_pixels(image, name, picture.max_pixels)  # frames may differ
    key = _transparent_key(image)  # first, as loading discards what it needs
    stored_orientation = _orientation(image)
    image.load()  # and only then what is to be turned, as loading a TIFF file turns it upright
    turn = _TURN_UPRIGHT.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if 0 in upright.size:
        raise KmcValueError(f"{name} has no pixels (size {upright.size}); give at least one pixel")
    if upright.mode == "F" or upright.mode.startswith("I"):
        pixels = _from_deep_grey(upright, key, name)
    else:
        pixels = _convert(upright, key, _plain_mode(upright))
    metadata = Metadata.of(image, sides_swapped=stored_orientation in SIDEWAYS, cicp=picture.cicp)
    return _in_rgb(pixels, metadata, image.mode, profile)


def _in_rgb(
    pixels: NDArray[np.uint8], metadata: Metadata, mode: str, profile: str
) -> tuple[NDArray[np.uint8], Metadata]:
    """Apply the profile where that is asked for, or where palettes, which are RGB, cannot have it."""
    space = profile_space(metadata.icc_profile) if metadata.icc_profile else None
    is_grey = space == "GRAY" and mode in ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
    if space in ("RGB", None) and profile == "keep":
        return pixels, metadata
    if space in ("RGB", None) or is_grey:
        to_srgb(pixels, metadata)
    return pixels, metadata.without_color()


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data raise nearly anything; the pixels are still good
        return 1


def _transparent_key(image: Image.Image) -> Any:
    """Find the sample(s) that mean "transparent" (PNG's tRNS), on the scale of the pixels.

    Pillow scales the pixels of a PNG file to 8 bits, but leaves the key as it stands in the file (until version 13 that
    of one bit, too).
    """
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    rawmode = tile[0][3] if tile else None
    if isinstance(key, int) and rawmode == "1":
        return 255 if key else 0
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
    for rows in row_strips(pixels.shape, STRIP_SAMPLES):
        strip = image.crop((0, rows.start, image.width, rows.stop))
        if strip.mode == "CMYK":
            strip = srgb_from_cmyk(strip, image.info.get("icc_profile")) or strip
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
    grey = to_8_bits(samples, name)
    if key is None:
        return grey[..., np.newaxis]
    alpha = np.where(samples == key, np.uint8(0), np.uint8(255))
    return np.dstack([grey, grey, grey, alpha])
