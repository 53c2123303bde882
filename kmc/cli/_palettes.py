"""Colours that a command is given: ``--palette`` and ``--fixed``."""

from __future__ import annotations

import argparse

import numpy as np

from kmc.errors import KmcValueError
from kmc.palette import Palette
from kmc.palette_file import parse_hex

__all__ = ["given_colors"]


def given_colors(arguments: argparse.Namespace) -> Palette | None:
    """Give the colours that are to be fixed, if any; a whole palette also says how many there are (``k``)."""
    if arguments.palette is not None:
        palette = Palette.load(arguments.palette)
        arguments.k = len(np.unique(palette.colors, axis=0))
        return palette
    if arguments.fixed is None:
        return None
    if colors := parse_hex(arguments.fixed.split(",")):
        return Palette(np.array(colors))
    if arguments.fixed.lower().endswith((".gpl", ".hex")):
        return Palette.load(arguments.fixed)
    raise KmcValueError(
        f"--fixed must be colours such as #ff0000,#00ff00 or the name of a .gpl or .hex file, got {arguments.fixed!r}; "
        "write rrggbb or rrggbbaa for each"
    )
