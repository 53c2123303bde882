"""Checks of plain arguments that several public functions share: one sentence each."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcTypeError, KmcValueError

__all__ = ["choice", "color_samples", "real_array", "real_number", "whole_number"]


def whole_number(name: str, value: object, least: int, most: int, advice: str) -> int:
    """Give `value` as an int from `least` to `most`; True, 2.0 and "2" are not whole numbers."""
    accepted = f"{name} must be a whole number from {least} to {most}"
    if isinstance(value, (bool, np.bool_)):
        raise KmcTypeError(f"{accepted}, got {value!r}; {advice}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise KmcTypeError(f"{accepted}, got {value!r}; {advice}") from None
    if not least <= number <= most:
        raise KmcValueError(f"{accepted}, got {number}; {advice}")
    return number


def real_number(name: str, value: object, least: float, advice: str) -> float:
    """Give `value` as a finite float that is at least `least`."""
    accepted = f"{name} must be a number from {least:g} up"
    if isinstance(value, (bool, str, bytes)):
        raise KmcTypeError(f"{accepted}, got {value!r}; {advice}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise KmcTypeError(f"{accepted}, got {value!r}; {advice}") from None
    if not least <= number < np.inf:
        raise KmcValueError(f"{accepted}, got {number}; {advice}")
    return number


def choice(name: str, value: object, accepted: Sequence[str]) -> str:
    """Give `value` if it is one of the accepted words."""
    if isinstance(value, str) and value in accepted:
        return value
    words = ", ".join(repr(word) for word in accepted)
    kind = KmcValueError if isinstance(value, str) else KmcTypeError
    raise kind(f"{name} must be one of {words}, got {value!r}; choose one of them")


def real_array(name: str, value: object, ndim: int, shape_words: str) -> NDArray[Any]:
    """Give `value` as an array of real numbers with `ndim` dimensions and no NaN or infinity in it."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise KmcTypeError(
            f"{name} must be an array of numbers of shape {shape_words}, got {type(value).__name__} "
            f"that numpy cannot read ({error}); pass rows of equal length"
        ) from None
    if array.dtype.kind not in "buif":
        raise KmcTypeError(f"{name} must hold real numbers, got dtype {array.dtype}; convert with .astype(np.float32)")
    if array.ndim != ndim:
        raise KmcValueError(
            f"{name} must have shape {shape_words}, got {array.shape}; reshape it to {ndim} dimension"
            + ("s" if ndim > 1 else "")
        )
    # The extremes are NaN if anything is, and need no temporary array as isfinite would.
    if array.size and array.dtype.kind == "f" and not np.isfinite([array.min(), array.max()]).all():
        raise KmcValueError(f"{name} must be finite, got NaN or infinity in it; remove or replace those values")
    return array


def color_samples(name: str, value: object, shape_words: str) -> NDArray[np.uint8]:
    """Give `value` C-contiguous if it is an array (..., c) of 8-bit samples, c = 1, 3 or 4, with a colour in it."""
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
        kind = f"one of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise KmcTypeError(
            f"{name} must be an array of uint8, got {kind}; convert with numpy.asarray(..., dtype=numpy.uint8)"
        )
    if value.ndim < 2 or value.shape[-1] not in (1, 3, 4) or value.size == 0:
        raise KmcValueError(
            f"{name} must have shape {shape_words} with c = 1, 3 or 4 and at least one colour, got {value.shape}; "
            "reshape it"
        )
    return np.ascontiguousarray(value)
