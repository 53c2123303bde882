"""A picture to look at: the same crops of every result, enlarged, side by side.

In:  the original pixels (h, w, 3 or 4) uint8 and results by column; a column has one that is not
     dithered, one that is, or both.
Out: a PIL image. For each crop a block: above, the original and what is not dithered; below, where
     the crop lies and what is dithered. More columns than fit a row go on in further blocks of as
     many columns.

Three crops are chosen by what goes wrong in them: a smooth gradient (banding), an edge beside a
flat area (halos, specks), and many colours (lost ones). Pictures with alpha are shown on a
checkerboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kmc.metrics.backgrounds import on_background

__all__ = ["Crop", "Result", "choose_crops", "draw_sheet"]

ZOOM = 3
COLUMNS = 7  # beside the original; with crops of 80 pixels a sheet is 1960 pixels wide
GAP = 5
LINE = 17  # height of a line of text
PAPER, INK, FAINT, MARK = (255, 255, 255), (0, 0, 0), (110, 110, 110), (255, 0, 200)

Pixels: TypeAlias = NDArray[np.uint8]


class Result(NamedTuple):
    """A compressed picture and what is written above it."""

    pixels: Pixels
    caption: str


class Crop(NamedTuple):
    """A square of a picture."""

    name: str
    top: int
    left: int
    side: int

    def of(self, pixels: Pixels) -> Pixels:
        """Cut it out."""
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]

    def overlaps(self, other: Crop) -> bool:
        """Say whether two of the same side have a pixel in common."""
        return max(abs(self.top - other.top), abs(self.left - other.left)) < self.side


def draw_sheet(
    title: str, original: Pixels, columns: Mapping[str, Mapping[bool, Result]], crops: Sequence[Crop]
) -> Image.Image:
    """Draw all crops of the original and of the results, by column and by whether they are dithered."""
    names = list(columns)
    n_groups = -(-len(names) // COLUMNS)
    n_columns = -(-len(names) // n_groups)
    groups = [names[start : start + n_columns] for start in range(0, len(names), n_columns)]
    cell_width = ZOOM * crops[0].side + GAP
    block_height = 2 * (ZOOM * crops[0].side + 2 * LINE + GAP) + LINE
    height = 2 * LINE + block_height * len(groups) * len(crops)
    sheet = Image.new("RGB", (GAP + cell_width * (1 + n_columns), height), PAPER)
    pen = ImageDraw.Draw(sheet)
    write(pen, (GAP, GAP), title, sheet.width, INK, 15)
    shown = shown_on_screen(original)
    top = 2 * LINE
    for crop in crops:
        for group in groups:
            draw_block(sheet, (GAP, top), shown, {name: columns[name] for name in group}, crop)
            top += block_height
    return sheet


def draw_block(
    sheet: Image.Image,
    corner: tuple[int, int],
    original: Pixels,
    columns: Mapping[str, Mapping[bool, Result]],
    crop: Crop,
) -> None:
    """Draw one crop of some columns."""
    left, top = corner
    size = ZOOM * crop.side
    row_height = size + 2 * LINE + GAP
    draw_cell(sheet, (left, top), enlarged(crop.of(original)), "original", crop.name)
    draw_cell(sheet, (left, top + row_height), overview(original, crop, size), "", "where it lies")
    for number, (name, results) in enumerate(columns.items(), 1):
        for dither, result in results.items():
            place = (left + number * (size + GAP), top + row_height * dither)
            heading = f"{name}, dithered" if dither else name
            draw_cell(sheet, place, enlarged(crop.of(shown_on_screen(result.pixels))), heading, result.caption)


def draw_cell(sheet: Image.Image, corner: tuple[int, int], image: Image.Image, heading: str, caption: str) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    write(pen, (left, top), heading, image.width, INK, 14)
    write(pen, (left, top + LINE), caption, image.width, FAINT, 13)
    sheet.paste(image, (left, top + 2 * LINE))


def write(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, width: int, color: tuple[int, ...], size: int
) -> None:
    """Write one line, in smaller letters where it would not fit the width."""
    font = ImageFont.load_default(size)
    while size > 8 and font.getlength(text) > width:
        size -= 1
        font = ImageFont.load_default(size)
    pen.text(corner, text, color, font)


def enlarged(pixels: Pixels) -> Image.Image:
    height, width = pixels.shape[:2]
    return Image.fromarray(pixels).resize((ZOOM * width, ZOOM * height), Image.Resampling.NEAREST)


def overview(pixels: Pixels, crop: Crop, size: int) -> Image.Image:
    """Draw the whole picture in a square of `size`, with a frame around the crop."""
    image = Image.fromarray(pixels)
    scale = size / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    frame = [round(scale * edge) for edge in (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)]
    ImageDraw.Draw(image).rectangle(frame, outline=MARK, width=2)
    canvas = Image.new("RGB", (size, size), PAPER)
    canvas.paste(image)
    return canvas


def shown_on_screen(pixels: Pixels) -> Pixels:
    return on_background(pixels, "checkerboard")


def choose_crops(pixels: Pixels, side: int) -> list[Crop]:
    """Choose squares of `side` pixels, or less in a small picture, that do not overlap where there is room.

    What decides, over all squares half a side apart: for the gradient, from where to where four fifths
    of the means of 8 x 8 pixels go, in the channel where it is most, while not even the steepest hundredth
    of the steps between neighbours is steep; for the edge, that hundredth against the middle one; for the
    colours, how much red-green and yellow-blue vary.
    """
    height, width = pixels.shape[:2]
    side = min(side, height, width)
    squares = [
        (top, left)
        for top in range(0, height - side + 1, max(1, side // 2))
        for left in range(0, width - side + 1, max(1, side // 2))
    ]
    scores = np.array([rate(Crop("", *square, side).of(shown_on_screen(pixels))) for square in squares])
    chosen: list[Crop] = []
    for name, column in zip(("smooth gradient", "edge beside flat area", "many colours"), scores.T, strict=True):
        order = np.argsort(-column, kind="stable")
        ranked = [Crop(name, top, left, side) for top, left in (squares[number] for number in order)]
        free = (crop for crop in ranked if not any(crop.overlaps(other) for other in chosen))
        chosen.append(next(free, ranked[0]))
    return chosen


def rate(pixels: Pixels) -> tuple[float, float, float]:
    """Rate a square (side, side, 3) as gradient, as edge beside a flat area, and for its colours."""
    red, green, blue = np.moveaxis(pixels.astype(np.float64), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    steps = np.concatenate([[0], *(np.abs(np.diff(luma, axis=axis)).ravel() for axis in (0, 1))])
    steepest, middle = np.quantile(steps, [0.99, 0.5])
    blocks = sliding_window_view(pixels, (min(8, len(luma)),) * 2, axis=(0, 1))[::8, ::8].mean(axis=(3, 4))
    lowest, highest = np.quantile(blocks, [0.1, 0.9], axis=(0, 1))
    variation = np.std([red - green, blue - (red + green) / 2], axis=(1, 2)).sum()
    return float((highest - lowest).max() / (1 + steepest) ** 2), float(steepest / (2 + middle)), float(variation)
