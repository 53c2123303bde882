"""What a notebook shows of a palette, a picture and a selection: HTML with everything in it, without matplotlib."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.compressed_image import CompressedImage
from kmc.curve_svg import Curve, curve_svg
from kmc.palette import Palette
from kmc.selection.k_selection import KScore, KSelection, _cells

__all__ = [
    "data_uri",
    "hex_codes",
    "image_html",
    "palette_html",
    "palette_png",
    "score_rows",
    "selection_html",
    "shares_of",
]

MOST_SWATCHES = 256
WIDEST = 1024  # pixels; notebooks are narrower
STRIP_HEIGHT = 32


def hex_codes(palette: Palette) -> list[str]:
    """Give the colours as CSS writes them: #rrggbb, or #rrggbbaa where something shines through."""
    colors = palette.colors
    if palette.channels == 1:
        colors = np.repeat(colors, 3, axis=1)
    codes = ["#" + bytes(color).hex() for color in colors]
    return [code.removesuffix("ff") if len(code) == 9 else code for code in codes]


def shares_of(compressed: CompressedImage) -> NDArray[np.float64]:
    """Give the share of the pixels (k,) that each palette entry has, 0 to 1."""
    counts = np.bincount(compressed.indices.ravel(), minlength=len(compressed.palette))
    return counts / compressed.indices.size


def data_uri(content: bytes, kind: str) -> str:
    """Give bytes of an image as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def palette_html(palette: Palette, shares: Sequence[float] | None = None) -> str:
    """Give a row of swatches, each with its code, and its share if known, as a tip."""
    codes = hex_codes(palette)
    tips = codes if shares is None else [f"{code}, {share:.2%}" for code, share in zip(codes, shares, strict=True)]
    swatches = "".join(
        f'<span title="{tip}" style="display:inline-block;width:22px;height:22px;border-radius:4px;'
        f'margin:0 3px 3px 0;background:{code};box-shadow:inset 0 0 0 1px #8886"></span>'
        for code, tip in zip(codes[:MOST_SWATCHES], tips, strict=False)
    )
    rest = f"<div>and {len(codes) - MOST_SWATCHES} more</div>" if len(codes) > MOST_SWATCHES else ""
    return f'<div style="max-width:{WIDEST}px;line-height:0">{swatches}</div>{rest}'


def palette_png(palette: Palette) -> bytes:
    """Give a strip of the colours, of equal widths, as a PNG file."""
    colors = palette.colors
    strip = np.repeat(colors[np.newaxis], max(1, WIDEST // len(colors)), axis=1)
    return _png(np.repeat(strip, STRIP_HEIGHT, axis=0))


def image_html(compressed: CompressedImage) -> str:
    """Give the picture, made smaller if it is wide, above its palette and what was lost."""
    width = compressed.indices.shape[1]
    if width <= WIDEST and len(compressed.palette) <= MOST_SWATCHES:
        content, note = compressed.to_bytes(), ""
    else:
        image = compressed.to_pil()
        image.thumbnail((WIDEST, WIDEST), Image.Resampling.BOX)
        content, note = _png(np.asarray(image)), ", shown smaller" if image.width < width else ""
    return (
        f'<img src="{data_uri(content, "png")}" alt="" style="max-width:100%">'
        f"<div>{escape(repr(compressed))}{note}</div>"
        f"{palette_html(compressed.palette, shares_of(compressed).tolist())}"
    )


def selection_html(selection: KSelection) -> str:
    """Give the curve of the error with the chosen k marked, the reason, and the table."""
    errors = Curve("MSE", [(score.k, score.mse) for score in selection.scores])
    ratios = Curve("SSIM", [(score.k, score.ssim) for score in selection.scores])
    charts = "".join(
        f'<div style="flex:1 1 300px;max-width:420px">{chart}</div>'
        for chart in (
            curve_svg("MSE, log axis", [errors], log=True, marked=selection.k),
            curve_svg("SSIM", [ratios], marked=selection.k),
        )
    )
    reason = escape(f"k = {selection.k} ({selection.method}): {selection.reason}")
    return f'<div style="display:flex;flex-wrap:wrap;gap:16px">{charts}</div><p><b>{reason}</b></p>{_table(selection)}'


def score_rows(scores: tuple[KScore, ...]) -> list[list[str]]:
    """Give the heading and the rows of the table of scores as text."""
    return [[{"nan": "–", "inf": "∞"}.get(cell, cell) for cell in row] for row in _cells(scores)]


def _table(selection: KSelection) -> str:
    heading, *rows = score_rows(selection.scores)
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in heading)]
    for score, row in zip(selection.scores, rows, strict=True):
        cells = (f"<b>{escape(cell)}</b>" if score.k == selection.k else escape(cell) for cell in row)
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    return '<table style="color:inherit;text-align:right">' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()
