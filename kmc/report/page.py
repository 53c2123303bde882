"""The page: list of Shown -> HTML with style, script and all pictures in it."""

from __future__ import annotations

import importlib.util
import math
import shlex
from importlib.resources import files
from typing import Any

from kmc._version import __version__
from kmc.curve_svg import Curve, curve_svg
from kmc.errors import KmcImportError
from kmc.evaluate import Evaluation
from kmc.notebook import hex_codes, score_rows
from kmc.report.measure import Measured, Result
from kmc.report.shown import ERROR_TICKS, LEAST_ERROR, MOST_ERROR, Shown, error_color_codes

__all__ = ["require_jinja", "write_page"]

SPACES = {"srgb": "sRGB", "oklab": "Oklab"}
# Of Okabe and Ito's colours, which most people can tell apart, those that show on white and on black.
SPACE_COLORS = {"srgb": "#0a84c8", "oklab": "#d55e00"}
PICTURE_COLORS = ("#0a84c8", "#d55e00", "#009e73", "#c46a9d", "#c08a00", "#8a8a8a")

# Heading, field of Evaluation, pattern, what it means. Those that no result has are left out.
METRICS = (
    ("MSE", "mse", ".4g", "Mean squared error of the 8-bit samples; lower is better"),
    ("PSNR, dB", "psnr", ".2f", "Peak signal-to-noise ratio; higher is better"),
    ("SSIM", "ssim", ".4f", "Structural similarity; 1 is identical"),
    ("MS-SSIM", "ms_ssim", ".4f", "Structural similarity at five scales; 1 is identical"),
    ("SSIMULACRA2", "ssimulacra2", ".1f", "How it looks: 100 is identical, 90 cannot be told apart, 70 high, 30 low"),
    ("CIEDE2000", "ciede2000", ".2f", "Mean colour difference; 1 is just noticeable"),
    ("CIEDE2000, 95 %", "ciede2000_p95", ".2f", "Colour difference that 95 of 100 pixels stay below"),
    ("bits per pixel", "bits_per_pixel", ".2f", "Of the PNG file"),
    ("ratio", "compression_ratio", ".1f", "Size of the original file by that of the PNG file"),
)
CHARTS = (
    ("PSNR in dB", "psnr"),
    ("SSIM", "ssim"),
    ("SSIMULACRA2", "ssimulacra2"),
    ("Mean colour difference, CIEDE2000", "ciede2000"),
    ("Size of the PNG file in bytes", "bytes_compressed"),
)


def require_jinja() -> None:
    """Say what is missing before the work begins."""
    if importlib.util.find_spec("jinja2") is None:
        raise KmcImportError(
            "reports are made with Jinja2, which is not installed; install it with pip install 'kmc-image[report]'"
        )


def write_page(pictures: list[Shown]) -> str:
    """Fill the template."""
    from jinja2 import Environment, StrictUndefined

    folder = files("kmc.report")
    template, style, script = (
        folder.joinpath(name).read_text("utf-8") for name in ("page.html.j2", "page.css", "page.js")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        style=style,
        script=script,
        version=__version__,
        pictures=[_picture(shown) for shown in pictures],
        data=[_data(shown) for shown in pictures],
        comparison=_comparison([shown.measured for shown in pictures]) if len(pictures) > 1 else "",
        error_ticks=[(tick, _error_place(tick)) for tick in ERROR_TICKS],
        error_colors=error_color_codes(),
    )


def _error_place(error: float) -> float:
    return 100 * math.log(error / LEAST_ERROR) / math.log(MOST_ERROR / LEAST_ERROR)


def _key(result: Result) -> str:
    return f"{result.space}|{'dithered' if result.dither else 'plain'}|{result.k}"


def _curve_name(space: str, dithered: bool) -> str:
    return SPACES[space] + (", dithered" if dithered else "")


def _picture(shown: Shown) -> dict[str, Any]:
    """Give what the template says of one picture."""
    measured, picture = shown.measured, shown.measured.picture
    start = next(result.evaluation for result in measured.results if _key(result) == _start(measured))
    n_bytes = "" if picture.n_bytes is None else f", {_bytes(picture.n_bytes)}"
    return {
        "name": _printable(measured.name),
        "facts": f"{picture.width:,} x {picture.height:,} pixels, {measured.n_colors:,} colours{n_bytes}",
        "n_pixels": f"{picture.width:,} x {picture.height:,}",
        "n_colors": f"{measured.n_colors:,}",
        "k": measured.selection.k,
        "reason": measured.selection.reason,
        "has_alpha": picture.channels == 4,
        "views": [view.title for view in shown.views],
        "ks": [(str(k), f"{k}") for k in sorted({result.k for result in measured.results})],
        "score": {
            "psnr": _figure(start.psnr, ".2f"),
            "ssim": _figure(start.ssim, ".4f"),
            "bytes": _bytes(start.bytes_compressed),
        },
        "headings": _headings(measured.results),
        "groups": _groups(measured.results),
        "charts": _charts(measured),
        "legend": [
            (_curve_name(space, dithered), SPACE_COLORS[space], dithered)
            for space in SPACES
            for dithered in (False, True)
        ],
        "sweep": score_rows(measured.selection.scores),
        "perceptual": measured.results[0].evaluation.ciede2000 is not None,
    }


def _data(shown: Shown) -> dict[str, Any]:
    """Give what the script needs of one picture."""
    measured = shown.measured
    return {
        "start": _start(measured),
        "views": [
            {"width": view.width, "height": view.height, "original": view.original, "note": view.note}
            for view in shown.views
        ],
        "results": {
            _key(result): {
                "label": f"{len(result.palette):,} colours",
                "figures": _tiles(result),
                "colors": hex_codes(result.palette),
                "shares": [round(float(share), 6) for share in result.shares],
                "command": _command(measured.name, result),
                "images": [view.results[number] for view in shown.views],
            }
            for number, result in enumerate(measured.results)
        },
    }


def _start(measured: Measured) -> str:
    """Give the key of the result that is shown first: the recommended k, or the one nearest to it."""
    plain = [result for result in measured.results if result.space == "srgb" and not result.dither]
    return _key(min(plain, key=lambda result: (abs(math.log(result.k / measured.selection.k)), result.k)))


def _tiles(result: Result) -> list[tuple[str, str, str]]:
    """Give name, figure and a remark for each of the large figures."""
    evaluation = result.evaluation
    smaller = evaluation.compression_ratio
    tiles = [
        ("PNG file", _bytes(evaluation.bytes_compressed), f"1 : {smaller:.1f} of the original file" if smaller else ""),
        (
            "PSNR",
            "no loss" if math.isinf(evaluation.psnr) else f"{evaluation.psnr:.2f} dB",
            f"MSE {evaluation.mse:.4g}",
        ),
        ("SSIM", _figure(evaluation.ssim, ".4f"), "1 is identical"),
        ("Time", f"{1000 * result.seconds:,.0f} ms", "to compress, all pixels"),
    ]
    if evaluation.ssimulacra2 is not None:
        tiles[2] = ("SSIMULACRA2", f"{evaluation.ssimulacra2:.1f}", f"SSIM {_figure(evaluation.ssim, '.4f')}")
    return tiles


def _command(name: str, result: Result) -> str:
    options = "" if result.space == "srgb" else " --space oklab"
    options += f" --dither {result.dither:g}" if result.dither else ""
    path = shlex.quote(_printable(name))
    return f"kmc compress {'./' if path.startswith('-') else ''}{path} -k {result.k}{options}"


def _known_metrics(results: list[Result]) -> list[tuple[str, str, str, str]]:
    return [metric for metric in METRICS if any(getattr(r.evaluation, metric[1]) is not None for r in results)]


def _headings(results: list[Result]) -> list[tuple[str, str]]:
    shown = [(heading, meaning) for heading, _, _, meaning in _known_metrics(results)]
    return [("colours", "In the palette"), ("bytes", "Of the PNG file"), *shown, ("seconds", "To compress")]


def _groups(results: list[Result]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Give the rows of the table below the name of their space and dithering."""
    groups: dict[str, list[dict[str, Any]]] = {}
    metrics = _known_metrics(results)
    for result in results:
        evaluation = result.evaluation
        cells = [
            f"{len(result.palette):,}",
            _figure(evaluation.bytes_compressed, ",d"),
            *(_figure(getattr(evaluation, field), pattern) for _, field, pattern, _ in metrics),
            f"{result.seconds:.3f}",
        ]
        row = {"key": _key(result), "k": result.k, "cells": cells}
        groups.setdefault(_curve_name(result.space, bool(result.dither)), []).append(row)
    return list(groups.items())


def _charts(measured: Measured) -> list[str]:
    """Draw the recommended k's curve, and one chart for each measure."""
    selection = measured.selection
    errors = Curve("sRGB", [(score.k, score.mse) for score in selection.scores], SPACE_COLORS["srgb"])
    charts = [curve_svg("MSE, log axis: where it bends", [errors], log=True, marked=selection.k)]
    for title, field in CHARTS:
        curves: dict[str, list[tuple[int, float | None]]] = {}
        for result in measured.results:
            name = _curve_name(result.space, bool(result.dither))
            curves.setdefault(name, []).append((result.k, _value(result.evaluation, field)))
        drawn = [
            Curve(name, points, SPACE_COLORS["oklab" if name.startswith("Oklab") else "srgb"], "dithered" in name)
            for name, points in curves.items()
        ]
        if any(curve.known for curve in drawn):
            charts.append(curve_svg(title, drawn))
    return charts


def _comparison(pictures: list[Measured]) -> str:
    curves = [
        Curve(
            _printable(measured.name),
            [(score.k, score.psnr) for score in measured.selection.scores],
            PICTURE_COLORS[number % len(PICTURE_COLORS)],
            number >= len(PICTURE_COLORS),
        )
        for number, measured in enumerate(pictures)
    ]
    return curve_svg("PSNR in dB, sRGB, not dithered", curves)


def _value(evaluation: Evaluation, field: str) -> float | None:
    value = getattr(evaluation, field)
    return None if value is None else float(value)


def _figure(value: float | None, pattern: str) -> str:
    if value is None or math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else format(value, pattern)


def _bytes(n: int | None) -> str:
    if not n:
        return "–"
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}" if n < 999.5 * size else f"{n / size:,.0f} {unit}"
    return f"{n} bytes"


def _printable(name: str) -> str:
    """Give a name that UTF-8 can write: a file's may hold bytes that are no text."""
    return name.encode("utf-8", "backslashreplace").decode()
