"""Palettes as files: colors (k, c) <-> text, in the two forms that other programs read.

- ``.gpl``: GIMP, Inkscape, Krita. RGB only.
- ``.hex``: one colour a line, ``rrggbb`` or ``rrggbbaa``; grey as ``rrggbb``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kmc.encode import write_atomically
from kmc.errors import KmcFileError, KmcFileNotFoundError, KmcValueError

__all__ = ["parse_hex", "read_colors", "write_colors"]

StrPath = str | os.PathLike[str]
Colors = NDArray[np.uint8]

GPL_HEAD = "GIMP Palette"
GPL_COLOR = re.compile(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(\s.*)?")
HEX_COLOR = re.compile(r"\s*#?([0-9a-fA-F]{6}|[0-9a-fA-F]{8})\s*")


def write_colors(path: StrPath, colors: Colors) -> None:
    """Write colours to a file, wholly or not at all; the ending of its name says how."""
    if _suffix(path) == ".gpl":
        if colors.shape[1] == 4 and colors[:, 3].min() < 255:
            raise KmcValueError("the palette has transparent colours and a .gpl file holds none; end the name in .hex")
        lines = [GPL_HEAD, "Name: kmc", "Columns: 16", "#"]
        lines += ["{:3d} {:3d} {:3d}\t#{:02x}{:02x}{:02x}".format(*color, *color) for color in _rgb(colors).tolist()]
    else:
        lines = [bytes(color).hex() for color in (colors if colors.shape[1] == 4 else _rgb(colors))]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def read_colors(path: StrPath) -> Colors:
    """Read the colours (k, 3) or (k, 4) of a file that :func:`write_colors` or another program wrote."""
    suffix, name = _suffix(path), repr(os.fspath(path))
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise KmcFileNotFoundError(f"{name} does not exist; give the path of a palette file") from None
    except OSError as error:
        raise KmcFileError(f"{name} cannot be read ({error.strerror}); give the path of a palette file") from error
    colors = _parse_gpl(lines) if suffix == ".gpl" else parse_hex(lines)
    if not colors:
        what = (
            f"begins with {GPL_HEAD!r} and has lines like '255 128 0'" if suffix == ".gpl" else "has lines like ff8000"
        )
        raise KmcFileError(f"{name} is not a palette: a {suffix} file {what}; give another file")
    return np.array(colors, dtype=np.uint8)


def _suffix(path: StrPath) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".gpl", ".hex"):
        raise KmcFileError(f"{os.fspath(path)!r} is no name for a palette file; end it in .gpl or .hex")
    return suffix


def _rgb(colors: Colors) -> Colors:
    return np.broadcast_to(colors[:, :3], (len(colors), 3))  # grey: the one sample three times


def _parse_gpl(lines: list[str]) -> list[list[int]]:
    if not lines or lines[0].strip() != GPL_HEAD:
        return []
    found = [GPL_COLOR.fullmatch(line) for line in lines[1:]]
    colors = [[int(sample) for sample in match.groups()[:3]] for match in found if match]
    return colors if all(max(color) <= 255 for color in colors) else []


def parse_hex(lines: list[str]) -> list[list[int]]:
    """Give the colours of lines of rrggbb or rrggbbaa, all with alpha if one has; none if any line is no colour."""
    found = [HEX_COLOR.fullmatch(line) for line in lines if line.strip() and not line.lstrip().startswith(";")]
    if not all(found):
        return []
    colors = [list(bytes.fromhex(match[1])) for match in found if match]
    with_alpha = any(len(color) == 4 for color in colors)
    return [[*color, 255][:4] if with_alpha else color for color in colors]
