"""Draw how time grows with the picture and with the palette, for all rivals and for kmc alone.

    python benchmarks/plots.py --sizes sizes.json --colors colors.json --scaling scaling.json

Each JSON is one run of race.py: `sizes` over megapixels for one number of colours, `colors` over
numbers of colours for one size, `scaling` over both, of kmc alone. The pictures are SVG without a
background, in colours that most colour-blind people can tell apart and that show on white and on
black; each line has its name at its end, in its colour.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report import FAST, OURS, distinct, mean, select

__all__ = ["draw", "spread"]

Record: TypeAlias = dict[str, Any]

# Okabe and Ito's colours, those that show on both backgrounds; a family of rivals has one colour.
FAMILIES = {
    "kmc": "#d55e00",
    "quantette": "#0a84c8",
    "Pillow": "#009e73",
    "imagequant": "#c46a9d",
    "pngquant": "#c46a9d",
    "scikit-learn": "#c08a00",
}
OTHERS = "#8a8a8a"
INK = "#808080"  # of axes and words: contrast 4 to white and 5 to black
GRID = "#80808040"

# Families with more than one line tell them apart by dashes.
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))

STYLE: Any = {
    "svg.fonttype": "path",
    "svg.hashsalt": "kmc",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.transparent": True,
}

LABEL_GAP = 0.042  # of the axes' height: the least distance of two names


class Line(NamedTuple):
    """One line of a plot: its name, points, and looks."""

    name: str
    x: list[float]
    y: list[float]
    color: str
    dashes: Any
    width: float


def rival_lines(records: Sequence[Record], along: str) -> list[Line]:
    """Make a line for each rival."""
    lines: list[Line] = []
    for name in distinct(records, "rival"):
        x, y = points(select(records, rival=name), along)
        color = next((color for family, color in FAMILIES.items() if name.startswith(family)), OTHERS)
        dashes = DASHES[sum(line.color == color for line in lines) % len(DASHES)]
        lines.append(Line(name, x, y, color, dashes, 2.6 if name in (OURS, FAST) else 1.2))
    return lines


def scaling_lines(records: Sequence[Record], along: str, fixed: str, unit: str) -> list[Line]:
    """Make a line for each value of what is held fixed."""
    values = sorted(distinct(records, fixed))
    shades = mpl.colormaps["viridis"](np.linspace(0.3, 0.85, len(values)))
    return [
        Line(unit.format(value), *points(select(records, **{fixed: value}), along), mpl.colors.to_hex(shade), "-", 1.6)
        for value, shade in zip(values, shades, strict=True)
    ]


def points(records: Sequence[Record], along: str) -> tuple[list[float], list[float]]:
    x = sorted(distinct(records, along))
    return x, [1000 * mean(select(records, **{along: value}), "seconds") for value in x]


def draw(axes: Axes, lines: Sequence[Line], label: str) -> None:
    """Draw lines on logarithmic axes, and their names at the right."""
    for line in lines:
        axes.plot(line.x, line.y, color=line.color, linestyle=line.dashes, linewidth=line.width, marker=".", ms=4)
    axes.set(xscale="log", yscale="log", xlabel=label)
    ticks = sorted({value for line in lines for value in line.x if line.color != INK})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.yaxis.set_major_formatter(
        mpl.ticker.FuncFormatter(lambda ms, _: f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s")
    )
    axes.grid(color=GRID, linewidth=0.6)
    name_lines(axes, lines)


def name_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Write the names beside the axes, as near to the lines' ends as they do not touch."""
    ends = [axes.transLimits.transform(axes.transScale.transform((line.x[-1], line.y[-1]))) for line in lines]
    heights = spread([end[1] for end in ends], LABEL_GAP)
    for line, end, height in zip(lines, ends, heights, strict=True):
        axes.annotate(
            line.name,
            xy=(end[0], end[1]),
            xytext=(1.06, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color=line.color,
            fontweight="bold" if line.width > 2 else "normal",
            arrowprops={"arrowstyle": "-", "color": line.color, "linewidth": 0.5, "alpha": 0.6, "relpos": (0, 0.5)},
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart until none is nearer to the next than `gap`, and all are from 0 to 1 if there is room."""
    order = np.argsort(heights, kind="stable")
    groups: list[list[int]] = []  # neighbours, each group around its members' mean

    def middle(group: Sequence[int]) -> float:
        half = gap * (len(group) - 1) / 2
        return max(half, min(1 - half, float(np.mean([heights[i] for i in group]))))

    for index in order:
        groups.append([int(index)])
        while len(groups) > 1:
            *_, below, above = groups
            if middle(above) - middle(below) >= gap * (len(above) + len(below)) / 2:
                break
            groups[-2:] = [below + above]
    placed = {i: middle(group) + gap * (n - (len(group) - 1) / 2) for group in groups for n, i in enumerate(group)}
    return [placed[i] for i in range(len(heights))]


def proportion(lines: Sequence[Line]) -> Line:
    """Make the line of time in proportion that ends where the highest line ends."""
    last = max(line.x[-1] for line in lines)
    highest = max(line.y[-1] for line in lines)
    lowest = min(min(line.y) for line in lines)
    first = max(min(line.x[0] for line in lines), last * lowest / highest)
    return Line("in proportion", [first, last], [highest * first / last, highest], INK, (0, (1, 2)), 1.0)


def rivals_figure(records: Sequence[Record], along: str, label: str) -> Figure:
    """Draw every rival."""
    figure, axes = plt.subplots(figsize=(8.6, 5.4), layout="constrained")
    draw(axes, rival_lines(records, along), label)
    return figure


def scaling_figure(records: Sequence[Record]) -> Figure:
    """Draw kmc alone: beside each other over megapixels and over colours, with the slope of proportion."""
    ours = select(records, rival=OURS)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6), layout="constrained", sharey=True)
    for axes, lines, label in (
        (left, scaling_lines(ours, "megapixels", "k", "k={}"), "megapixels"),
        (right, scaling_lines(ours, "k", "megapixels", "{:g} MP"), "k"),
    ):
        draw(axes, [proportion(lines), *lines], label)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("sizes", "colors", "scaling"):
        parser.add_argument(f"--{name}", type=Path, metavar="JSON", required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/pictures"), help="folder (%(default)s)")
    options = parser.parse_args(arguments)
    sizes, colors, scaling = (
        json.loads(path.read_text(encoding="utf-8"))["records"]
        for path in (options.sizes, options.colors, options.scaling)
    )
    options.out.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {
            "time_by_megapixels": rivals_figure(sizes, "megapixels", f"megapixels (k={sizes[0]['k']})"),
            "time_by_colors": rivals_figure(colors, "k", f"k ({colors[0]['megapixels']:g} megapixels)"),
            "scaling": scaling_figure(scaling),
        }
        for name, figure in figures.items():
            figure.savefig(options.out / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)
            print(options.out / f"{name}.svg")


if __name__ == "__main__":
    main()
