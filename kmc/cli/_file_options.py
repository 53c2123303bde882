"""Options about what a file holds beside the pixels of one frame, and how large it may be."""

from __future__ import annotations

import argparse
import re
from typing import Any

__all__ = ["add_file_options", "file_options"]


def add_file_options(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    add = group.add_argument
    add(
        "--optimize",
        choices=("fast", "default", "max"),
        help="how much time a smaller PNG may take; max needs kmc-image[max] (default: default, for several pictures "
        "fast)",
    )
    add(
        "--profile",
        choices=("keep", "srgb"),
        default="keep",
        help="keep: a colour profile is written to OUT, too; srgb: it is applied to the pixels (default keep)",
    )
    metadata = group.add_mutually_exclusive_group()
    metadata.add_argument(
        "--metadata",
        choices=("display", "all", "none"),
        default="display",
        help="display: profile, gamma and resolution, so that OUT is shown right; all: texts, EXIF and XMP, too; "
        "none: nothing, and the colours are converted to sRGB (default display)",
    )
    for option, value in (("--keep-metadata", "all"), ("--strip", "none")):
        metadata.add_argument(
            option, dest="metadata", action="store_const", const=value, help=f"the same as --metadata {value}"
        )
    add(
        "--frames",
        choices=("all", "first"),
        default="all",
        help="all: an animation stays one, in GIF, WebP or PNG; first: the first frame or page alone (default all)",
    )
    add(
        "--frame-palettes",
        action="store_true",
        help="a palette for each frame of an animation in place of one for all; GIF and WebP only",
    )
    add(
        "--max-pixels",
        type=_pixels,
        metavar="N",
        help="refuse pictures of more pixels, such as 300MP or 300000000 (default: Pillow's limit, 179MP)",
    )


def file_options(arguments: argparse.Namespace, optimize: str) -> dict[str, Any]:
    """Give those that are about a file and not for kmc.compress(); `optimize` where none was asked for."""
    options = {name: getattr(arguments, name) for name in ("metadata", "frames", "frame_palettes")}
    return {**options, "optimize": arguments.optimize or optimize}


def _pixels(text: str) -> int:
    """Read a number of pixels or megapixels."""
    match = re.fullmatch(r"(\d+)|(\d+\.?\d*|\.\d+) ?MP", text, re.IGNORECASE | re.ASCII)
    number = 0 if match is None else int(match[1]) if match[1] else round(float(match[2]) * 1e6)
    if not 1 <= number < 2**62:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels; give one such as 300MP or 300000000")
    return number
