"""``kmc report``: a page on which pictures with few colours stand beside their originals."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kmc.cli._arguments import Commands, add_command, names, unused_name, whole_number

__all__ = ["add_report"]

_HELP = """\
Write one HTML page to look at and decide: original and result with a slider between them, for
several numbers of colours, dithered and not, in sRGB and in Oklab; palettes, curves, every figure,
the error map. The page loads nothing. It needs Jinja2: pip install 'kmc-image[report]'.

examples:
  kmc report photo.jpg                          to photo-report.html
  kmc report photo.jpg -o report.html -k 8,16,24
  kmc report a.png b.png c.png -o report.html   several pictures, with a comparison
"""


def add_report(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "report", "write a page to compare numbers of colours", _HELP)
    add = parser.add_argument
    add("inputs", metavar="IN", nargs="+", help="a picture, in any format that Pillow reads")
    add(
        "-o",
        "--output",
        metavar="OUT.html",
        help="the page to write; replaced if it exists (default: the first IN's name with -report.html for its ending, "
        "which must not exist yet)",
    )
    add(
        "-k",
        type=_ks,
        metavar="N,N",
        help="numbers of colours, each 1 to 256 (default 4,8,16,32,64,256 and what kmc.choose_k recommends)",
    )
    add(
        "--metrics",
        type=names,
        metavar="NAMES",
        help="as for kmc evaluate (default: all up to half a megapixel, core above)",
    )
    add("--seed", type=whole_number, default=0, metavar="N", help="of all random numbers (default 0)")
    add("--threads", type=whole_number, metavar="N", help="at most so many (default: all cores)")
    parser.set_defaults(run=_report)


def _ks(text: str) -> list[int]:
    return [whole_number(word) for word in text.split(",")]


def _report(arguments: argparse.Namespace) -> str:
    from kmc.report import make_report

    output = arguments.output or _default_output(arguments.inputs[0])
    n_bytes = make_report(
        arguments.inputs,
        output,
        names=[Path(path).name or path for path in arguments.inputs],
        ks=arguments.k,
        metrics=arguments.metrics,
        seed=arguments.seed,
        threads=arguments.threads,
        progress=sys.stderr.isatty(),
    )
    n_pictures = len(arguments.inputs)
    return f"{output}: {n_pictures} picture{'s'[n_pictures == 1 :]}, {n_bytes:,} bytes"


def _default_output(path: str) -> str:
    return unused_name(Path(path).parent / f"{Path(path).stem}-report.html")
