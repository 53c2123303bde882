"""Arrays of any accepted dtype -> 8-bit pixels (h, w, c), converted in strips of rows.

No second picture of a wider type ever stands in memory beside the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcTypeError, KmcValueError, reason_of

__all__ = ["as_array", "check_shape", "has_idle_alpha", "row_strips", "to_8_bits", "without_idle_alpha"]


# The bits of alpha in the four bytes of a pixel.
_ALPHA = np.array([0, 0, 0, 255], dtype=np.uint8).view(np.uint32)[0]


def as_array(image: object, name: str) -> NDArray[Any]:
    """Give the array that an object is or turns into."""
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
            f"({reason_of(error)}); give a numpy array in main memory"
        ) from error


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Check that an array of this shape can be a picture."""
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


def to_8_bits(samples: NDArray[Any], name: str) -> NDArray[np.uint8]:
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


def has_idle_alpha(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (h, w, c) have an alpha that says nothing, as all are opaque."""
    return pixels.shape[2] == 4 and bool(
        np.bitwise_and.reduce(pixels.reshape(-1, 4).view(np.uint32).ravel()) & _ALPHA == _ALPHA
    )


def without_idle_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give pixels (h, w, c) as they are, or as RGB if all are opaque."""
    if not has_idle_alpha(pixels):
        return pixels
    rgb = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    for channel in range(3):  # four times as fast as all three at once
        rgb[..., channel] = pixels[..., channel]
    return rgb


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


# Seconds for 24 megapixels of RGB by strip size, as float32, uint16 and bool:
# 2**13: 0.15 0.09 0.06    2**15: 0.20 0.08 0.06    2**18: 0.30 0.12 0.05    2**22: 0.65 0.33 0.05
_STRIP_SAMPLES = 2**15


def row_strips(shape: tuple[int, ...], samples: int = _STRIP_SAMPLES) -> Iterator[slice]:
    """Divide an array into ranges of whole rows with about `samples` samples each."""
    height, *row = shape
    step = max(1, samples // math.prod(row))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))
