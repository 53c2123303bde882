"""A curve over the number of colours as SVG, for a page or a notebook: no library, no style sheet.

Words and axes have the colour of the text around them, so that it shows on white and on black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Curve", "curve_svg"]

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 34, 34
LEAST_GAP = 22  # between the numbers below the axis
MOST_TICKS = 4  # between the ends of a log axis


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes
    ----------
    name : str
        What it shows.
    points : sequence of (int, float or None)
        k and the value there; None and what is not finite is left out.
    color : str
        A CSS colour.
    dashed : bool
    """

    name: str
    points: Sequence[tuple[int, float | None]]
    color: str = "#0a84c8"
    dashed: bool = False

    @property
    def known(self) -> list[tuple[int, float]]:
        """The points that can be drawn."""
        return [(k, value) for k, value in self.points if value is not None and math.isfinite(value)]


def curve_svg(title: str, curves: Sequence[Curve], *, log: bool = False, marked: int | None = None) -> str:
    """Draw curves over k, on a log axis.

    Parameters
    ----------
    title : str
        Above the chart; say the unit in it.
    curves : sequence of Curve
    log : bool
        Whether values are on a log axis too; those that are not positive are left out.
    marked : int, optional
        A k to mark by an upright line.

    Returns
    -------
    str
        An ``svg`` element.

    Examples
    --------
    >>> from kmc.curve_svg import Curve, curve_svg
    >>> curve_svg("PSNR in dB", [Curve("sRGB", [(2, 20.0), (4, 24.0)])])[:4]
    '<svg'
    """
    drawn = [[(k, value) for k, value in curve.known if value > 0 or not log] for curve in curves]
    ks = sorted({k for points in drawn for k, _ in points})
    values = [value for points in drawn for _, value in points]
    parts = [_text(LEFT - 40, 16, title, "start", 'font-size="13" font-weight="600"')]
    if not ks:
        parts.append(_text(WIDTH / 2, HEIGHT / 2, "nothing to draw: no colour was lost", "middle"))
    else:
        ticks = _log_ticks(min(values), max(values)) if log else _ticks(min(values), max(values))
        across = _Scale(ks[0], ks[-1], LEFT, WIDTH - RIGHT, log=True)
        up = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, log=log)
        parts += _axes(ks, ticks, across, up, marked)
        for curve, points in zip(curves, drawn, strict=True):
            parts += _line(curve, points, across, up)
    label = escape(f"{title} against the number of colours", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="currentColor">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Scale:
    """From values to places in the drawing."""

    first: float
    last: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        if self.first == self.last:
            return (self.start + self.end) / 2
        if self.log:
            share = math.log(value / self.first) / math.log(self.last / self.first)
        else:
            share = (value - self.first) / (self.last - self.first)
        return round(self.start + share * (self.end - self.start), 1)


def _axes(ks: list[int], ticks: list[float], across: _Scale, up: _Scale, marked: int | None) -> list[str]:
    parts = []
    for tick in ticks:
        y = up(tick)
        parts.append(_stroke(LEFT, y, WIDTH - RIGHT, y, 0.18))
        parts.append(_text(LEFT - 6, y + 4, _short(tick), "end"))
    last = -math.inf
    for k in ks:
        if across(k) - last >= LEAST_GAP:
            last = across(k)
            parts.append(_text(last, HEIGHT - BOTTOM + 16, str(k), "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "colours (k)", "middle", 'opacity="0.7"'))
    if marked is not None and ks[0] <= marked <= ks[-1]:
        x = across(marked)
        parts.append(_stroke(x, TOP - 4, x, HEIGHT - BOTTOM, 0.6, 'stroke-dasharray="3 3" class="marked"'))
        anchor = "end" if x > WIDTH - 60 else "start"
        parts.append(_text(x + (-4 if anchor == "end" else 4), TOP, f"k = {marked}", anchor, 'font-weight="600"'))
    return parts


def _line(curve: Curve, points: list[tuple[int, float]], across: _Scale, up: _Scale) -> list[str]:
    places = [(across(k), up(value)) for k, value in points]
    dashes = ' stroke-dasharray="5 4"' if curve.dashed else ""
    path = " ".join(f"{x:g},{y:g}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{curve.color}" stroke-width="1.8"{dashes}/>']
    for (k, value), (x, y) in zip(points, places, strict=True):
        name = escape(curve.name, quote=True)
        parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="{curve.color}" data-k="{k}" data-curve="{name}">'
            f"<title>{name}, k = {k}: {value:.4g}</title></circle>"
        )
    return parts


def _text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def _stroke(x1: float, y1: float, x2: float, y2: float, opacity: float, more: str = "") -> str:
    place = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f'<line {place} stroke="currentColor" stroke-opacity="{opacity:g}" {more}/>'


def _ticks(least: float, most: float, about: int = 4) -> list[float]:
    """Round numbers, evenly spaced, that reach from below `least` to above `most`."""
    span = (most - least) or abs(most) or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * n for n in (1, 2, 5, 10) if power * n * about >= span)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _log_ticks(least: float, most: float) -> list[float]:
    """1, 2 and 5 times powers of ten, from below `least` to above `most`; many are thinned to powers of ten."""
    powers = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    low = max(tick for tick in ticks if tick <= least)
    high = min(tick for tick in ticks if tick >= most and tick > low)
    between = [tick for tick in ticks if low < tick < high]
    if len(between) > MOST_TICKS:
        # Not so near to an end that the numbers touch.
        between = [10.0**power for power in powers if 2 * low < 10.0**power < high / 2]
    return [low, *between, high]


def _short(value: float) -> str:
    """Write a tick: 0.85, 32, 400 k, 1.5 M."""
    for factor, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"
