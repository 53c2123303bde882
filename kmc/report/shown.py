"""What the page shows of a picture, in as many bytes as it may have: Measured -> Shown.

A picture of up to MOST_SHOWN pixels is shown as it is, a larger one made smaller by averaging and mapped to the same
palettes in the same way, with a detail in which every pixel is one of the result's. What is still too large for the
page is made smaller again.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.dither import dither
from kmc.downsample import downsample
from kmc.encode import png_bytes
from kmc.load import Picture
from kmc.notebook import data_uri
from kmc.remap import remap
from kmc.report.measure import MOST_SHOWN, Measured, Result

__all__ = ["ERROR_TICKS", "Shown", "View", "error_color_codes", "show"]

# Bytes of all images in the page of one picture, before base64 makes four of three; the rest, most of it palettes, had
# 250 kB.
BUDGET = 3_400_000
JPEG_QUALITY = 92
ERROR_QUALITY = 80
MOST_TRIES = 8

# Errors are shown on a log axis, so that 4 colours and 256 have the same one.
LEAST_ERROR, MOST_ERROR = 0.5, 64.0
ERROR_TICKS = (1, 2, 4, 8, 16, 32, 64)
# Of matplotlib's "inferno", at equal steps.
INFERNO = np.array(
    [[0, 0, 4], [51, 10, 95], [120, 28, 109], [189, 55, 84], [237, 105, 37], [252, 181, 25], [252, 255, 164]]
)


@dataclass(frozen=True)
class View:
    """Original and results as they are shown in one way.

    Attributes
    ----------
    title : str
    width, height : int
        In pixels.
    original : str
        Data address.
    results : list of str
        Data addresses, as many as there are results.
    note : str
        What is not as it is in the file.
    """

    title: str
    width: int
    height: int
    original: str
    results: list[str]
    note: str


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture with all that the page shows of it; the last view is the error map."""

    measured: Measured
    views: list[View]


def show(measured: Measured, *, n_pictures: int, threads: int | None) -> Shown:
    """Make what is shown; the budget of a page grows with the square root of the number of pictures."""
    picture, results = measured.picture, measured.results
    budget = BUDGET / n_pictures**0.5
    size = f"{picture.width} x {picture.height}"
    errors = [_error_jpeg(result.errors) for result in results]
    budget -= sum(map(len, errors))
    detail = [png_bytes(result.detail, result.palette.colors) for result in results]
    detail_original, detail_kind = _original(np.ascontiguousarray(picture.pixels[measured.detail]))
    whole_budget = budget - sum(map(len, detail)) - len(detail_original)

    if picture.height * picture.width <= MOST_SHOWN:
        whole = [png_bytes(_kept(result), result.palette.colors) for result in results]
        original, kind = _original(picture.pixels)
        if sum(map(len, whole)) + len(original) <= budget:
            note = f"Shown as it is, {size} pixels{_jpeg_note(kind)}"
            view = View("Whole", picture.width, picture.height, data_uri(original, kind), _uris(whole), f"{note}.")
            return Shown(measured, [view, _error_view(view, errors)])

    small, whole, original, kind = _fitted(measured, whole_budget, threads)
    note = (
        f"Shown smaller, {small.width} x {small.height} of {size} pixels{_jpeg_note(kind)}; each result is its palette "
        "mapped again at that size. The detail shows pixels as they are. All figures are of the full picture."
    )
    view = View("Whole", small.width, small.height, data_uri(original, kind), _uris(whole), note)
    rows, columns = measured.detail
    note = (
        f"The pixels of the full result, where {measured.selection.k} colours lose most: {rows.stop - rows.start} rows "
        f"from {rows.start}, {columns.stop - columns.start} columns from {columns.start}{_jpeg_note(detail_kind)}."
    )
    height, width = results[0].detail.shape
    detail_view = View(
        "Detail, full resolution", width, height, data_uri(detail_original, detail_kind), _uris(detail), note
    )
    return Shown(measured, [view, detail_view, _error_view(view, errors)])


def _kept(result: Result) -> NDArray[np.uint8]:
    assert result.indices is not None
    return result.indices


def _fitted(measured: Measured, budget: float, threads: int | None) -> tuple[Picture, list[bytes], bytes, str]:
    """Make the picture smaller until its original and its results have at most `budget` bytes."""
    n_pixels = float(min(MOST_SHOWN, measured.picture.height * measured.picture.width))
    for _ in range(MOST_TRIES):
        small = downsample(measured.picture, f"{n_pixels / 1e6:.6f}MP")
        whole = [png_bytes(_mapped(small, result, threads), result.palette.colors) for result in measured.results]
        original, kind = _original(small.pixels)
        n_bytes = sum(map(len, whole)) + len(original)
        if n_bytes <= budget:
            break
        # Bytes shrink more slowly than pixels; below half in one step, the estimate is not worth much.
        n_pixels = max(1.0, small.width * small.height * min(0.95, max(0.5, 0.97 * budget / n_bytes)))
    return small, whole, original, kind


def _mapped(picture: Picture, result: Result, threads: int | None) -> NDArray[np.uint8]:
    if result.dither and result.evaluation.mse != 0:
        return dither(picture.pixels, result.palette, result.dither, space=result.space, threads=threads)
    return remap(picture.pixels, None, result.palette, threads, space=result.space)[0].astype(np.uint8, copy=False)


def _error_view(view: View, errors: list[bytes]) -> View:
    note = (
        "Error of each area: the root of the mean squared difference in 8-bit levels, on a log axis that is the same "
        "for all results. Dithering raises it while the mean colour of an area, which eyes see, comes nearer."
    )
    return View("Error map", view.width, view.height, view.original, _uris(errors, "jpeg"), note)


def _error_jpeg(errors: NDArray[np.float32]) -> bytes:
    shares = np.log2(np.clip(errors, LEAST_ERROR, MOST_ERROR) / LEAST_ERROR) / np.log2(MOST_ERROR / LEAST_ERROR)
    return _encoded(_error_colors(shares), "JPEG", quality=ERROR_QUALITY)


def _error_colors(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give the colours (..., 3) of shares from 0 to 1."""
    places = np.linspace(0, 1, len(INFERNO))
    return np.stack([np.interp(shares, places, channel) for channel in INFERNO.T], axis=-1).round().astype(np.uint8)


def error_color_codes() -> list[str]:
    """Give the colours of the scale for CSS, from the least to the largest error."""
    return ["#" + bytes(color.astype(np.uint8)).hex() for color in INFERNO]


def _original(pixels: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Encode the original: as PNG if that is small or has alpha, else as JPEG, without subsampled colours."""
    png = _encoded(pixels, "PNG")
    if pixels.shape[2] == 4:
        return png, "png"
    jpeg = _encoded(pixels, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return (png, "png") if len(png) <= 1.5 * len(jpeg) else (jpeg, "jpeg")


def _encoded(pixels: NDArray[np.uint8], file_format: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, file_format, **options)
    return file.getvalue()


def _uris(contents: list[bytes], kind: str = "png") -> list[str]:
    return [data_uri(content, kind) for content in contents]


def _jpeg_note(kind: str) -> str:
    return f" (the original as a JPEG of quality {JPEG_QUALITY})" if kind == "jpeg" else ""
