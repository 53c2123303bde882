"""``kmc choose-k``: how many colours a picture needs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kmc.cli._arguments import Commands, add_command, whole_number

if TYPE_CHECKING:
    from kmc.selection.k_selection import KScore, KSelection

__all__ = ["add_choose_k"]

_HELP = """\
Try several numbers of colours, show what each loses and takes, and recommend one.

examples:
  kmc choose-k photo.jpg
  kmc choose-k photo.jpg --ks 2-20
  kmc choose-k photo.jpg --ks 4,8,16,32 --method silhouette
  kmc choose-k photo.jpg --method ssim --target 0.95
  kmc choose-k photo.jpg --method bytes --target 200000

Exact are MSE and PSNR. SSIM and bytes of pictures with more than 131072 pixels are estimated from
a part of them; where a target is given for them, the chosen k is exact.
"""

_JSON = """\
--json prints one object with these keys:
  input           the path
  k               the chosen one
  method, reason  how and why it was chosen
  scores          a list by ascending k, each with k, colors, inertia, mse, psnr (null where
                  infinite), ssim (null below 11 x 11 pixels), n_bytes, seconds, and, where the
                  method asks for them, silhouette, silhouette_error, simplified_silhouette,
                  calinski_harabasz and davies_bouldin
"""

PLOT_FORMATS = ("png", "svg", "pdf")

CURVE_ROWS = 10
CURVE_COLUMNS = 60
# From empty to full in eighths of a line, and what terminals without these characters get.
UNICODE_BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " ....:::#"


def add_choose_k(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "choose-k", "recommend a number of colours", _HELP, _JSON)
    add = parser.add_argument
    add("input", metavar="IN", help="the picture, in any format that Pillow reads")
    add(
        "--method",
        choices=("elbow", "silhouette", "calinski-harabasz", "davies-bouldin", "psnr", "ssim", "bytes"),
        default="elbow",
        help="by which the k is chosen; the last three need --target (default elbow)",
    )
    add("--target", type=float, metavar="T", help="PSNR in dB, SSIM or bytes, for the methods of these names")
    add("--ks", type=_numbers, metavar="LIST", help="such as 4,8,16 or 2-20 (default: 16 values from 2 to 256)")
    add("--space", choices=("srgb", "oklab"), default="srgb", help="in which distances are measured (default srgb)")
    add("--effort", choices=("fast", "balanced", "best"), default="balanced", help="as for compress (default balanced)")
    add("--seed", type=whole_number, default=0, metavar="N", help="of all random numbers (default 0)")
    add("--threads", type=whole_number, metavar="N", help="at most so many (default: all cores)")
    add("--plot", metavar="FILE", help="draw the curve to a PNG, SVG or PDF file; needs matplotlib")
    add("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_choose_k)


def _numbers(text: str) -> list[int]:
    """Read "4,8,16", "2-20" and mixtures of both."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = whole_number(first), whole_number(last if dash else first)
        if not 1 <= low <= high <= 65536:
            raise argparse.ArgumentTypeError(f"{part!r} is no range of numbers from 1 to 65536; give one such as 2-20")
        numbers += range(low, high + 1)
    return numbers


def _choose_k(arguments: argparse.Namespace) -> str:
    from kmc.choose_k import choose_k

    selection = choose_k(
        arguments.input,
        arguments.ks,
        arguments.method,
        target=arguments.target,
        space=arguments.space,
        effort=arguments.effort,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    if arguments.plot:
        _plot(selection, arguments.plot)
    if arguments.json:
        return json.dumps({"input": arguments.input, **selection.to_dict()})
    curve = _curve(selection.scores, selection.k, _bars())
    return f"{selection!r}\n\n{curve}" if curve else repr(selection)


def _plot(selection: KSelection, path: str) -> None:
    from kmc.encode import write_atomically
    from kmc.errors import KmcFileError
    from kmc.plots import selection_file

    kind = Path(path).suffix.lower()[1:]
    if kind not in PLOT_FORMATS:
        raise KmcFileError(f"{path!r} does not end in {' or '.join(PLOT_FORMATS)}; give the plot such a name")
    write_atomically(path, selection_file(selection, kind))


def _bars() -> str:
    """Choose the bars that stdout's encoding has."""
    try:
        UNICODE_BARS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return ASCII_BARS
    return UNICODE_BARS


def _curve(scores: Sequence[KScore], chosen: int, bars: str) -> str:
    """Draw the PSNR over k, a bar for each: "" where there are not two finite ones."""
    shown = [score for score in scores if score.psnr < float("inf")]
    if len(shown) < 2:
        return ""
    shown = shown[-CURVE_COLUMNS:]
    low, high = min(score.psnr for score in shown), max(score.psnr for score in shown)
    width = max(len(str(score.k)) for score in shown) + 1
    heights = [round((score.psnr - low) / max(high - low, 1e-9) * (8 * CURVE_ROWS - 1)) + 1 for score in shown]
    lines = []
    for row in reversed(range(CURVE_ROWS)):
        cells = [bars[min(max(height - 8 * row, 0), 8)] * (width - 1) for height in heights]
        label = f"{high:7.2f} dB" if row == CURVE_ROWS - 1 else f"{low:7.2f} dB" if row == 0 else ""
        lines.append(f"{label:>10} " + " ".join(cells))
    lines.append(" " * 11 + " ".join(str(score.k).rjust(width - 1) for score in shown))
    lines.append(" " * 11 + " ".join(("^" if score.k == chosen else "").rjust(width - 1) for score in shown))
    return "\n".join(line.rstrip() for line in lines)
