"""What a file says about a picture beside its pixels: PIL image -> Metadata -> the chunks of a file.

Colours without their profile or gamma, and a scan without its resolution, are shown wrong; so these are kept unless
they are to go. Text, EXIF and XMP are about the picture's making, cost bytes and may tell where somebody lives: they
are kept if asked for.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kmc.formats.png_chunks import chunk
from kmc.loading.code_points import CodePoints
from kmc.loading.picture_file import quiet_pillow

__all__ = ["KEPT", "Metadata", "described_by_exif", "png_chunks", "webp_options"]

# What of it is written, by choice.
KEPT = ("display", "all", "none")

XMP_KEYWORD = "XML:com.adobe.xmp"
EXIF_KEYWORD = "Raw profile type exif"
EXIF_MARK = b"Exif\0\0"
METRES_PER_INCH = 0.0254
ICC_SIGNATURE = b"acsp"
ORIENTATION = 0x0112
XMP_TAG = 700
# Of EXIF's types SHORT and LONG.
NUMBER_CODES = {3: "H", 4: "I"}


@dataclass(frozen=True)
class Metadata:
    """What a file says beside the pixels; all of it may be missing.

    Attributes
    ----------
    icc_profile : bytes
        Of RGB colours; profiles of other kinds are applied when a picture is loaded.
    cicp : tuple of 4 ints
        Colour primaries, transfer function, matrix and range by the numbers of ITU-T H.273 (PNG's cICP chunk); where
        there are any, they count and not the profile or gamma.
    srgb_intent : int
        0 to 3: the colours are sRGB, and the rendering intent (PNG's sRGB chunk).
    gamma : float
        A sample is light to the power of this, such as 0.45455 (PNG's gAMA chunk).
    chromaticities : tuple of 8 floats
        x, y of the white point, of red, green and blue (PNG's cHRM chunk).
    dpi : tuple of 2 floats
        Pixels per inch, across and down.
    pixel_aspect : tuple of 2 ints
        Pixels per unit across and down where the unit is not known.
    texts : tuple of (keyword, text)
    exif : bytes
        From its TIFF header on; the orientation in it is 1, as pixels are turned when they are loaded.
    xmp : bytes
        The same holds for its orientation.
    """

    icc_profile: bytes | None = None
    cicp: CodePoints | None = None
    srgb_intent: int | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    dpi: tuple[float, float] | None = None
    pixel_aspect: tuple[int, int] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    exif: bytes | None = None
    xmp: bytes | None = None

    def __repr__(self) -> str:
        names = [name for name, value in vars(self).items() if value]
        return f"Metadata({', '.join(names) or 'nothing'})"

    @classmethod
    def of(cls, image: Image.Image, *, sides_swapped: bool = False, cicp: CodePoints | None = None) -> Metadata:
        """Collect it from a PIL image that has been loaded; what is damaged counts as missing.

        Parameters
        ----------
        image : PIL image
        sides_swapped : bool
            Whether turning the picture upright makes its width its height.
        cicp : tuple of 4 ints, optional
            What Pillow leaves out.
        """
        info = image.info
        dpi = _positive_pair(info.get("dpi"))
        aspect = _positive_pair(info.get("aspect"))
        if sides_swapped:
            dpi, aspect = dpi and dpi[::-1], aspect and aspect[::-1]
        profile = info.get("icc_profile")
        intent = info.get("srgb")
        return cls(
            icc_profile=profile if isinstance(profile, bytes) and profile[36:40] == ICC_SIGNATURE else None,
            cicp=cicp,
            srgb_intent=intent if intent in range(4) else None,
            gamma=gamma if isinstance(gamma := info.get("gamma"), float) and gamma > 0 else None,
            chromaticities=info.get("chromaticity"),
            dpi=dpi,
            pixel_aspect=(int(aspect[0]), int(aspect[1])) if aspect else None,
            texts=_texts_of(image),
            exif=_exif_of(image),
            xmp=_xmp_of(image),
        )

    def without_color(self) -> Metadata:
        """Drop what says how colours look: for those that have become sRGB."""
        return replace(self, icc_profile=None, cicp=None, srgb_intent=None, gamma=None, chromaticities=None)

    def for_display(self) -> Metadata:
        """Keep what is needed to show the picture right: profile, gamma, resolution."""
        return replace(self, texts=(), exif=None, xmp=None)


def _positive_pair(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 2**31 and 0 < y < 2**31 else None


def _texts_of(image: Image.Image) -> tuple[tuple[str, str], ...]:
    texts: dict[Any, str] | None = None
    if getattr(image, "is_animated", False) and image.format == "PNG":  # where `text` would decode all frames
        texts = {key: text for key, text in image.info.items() if isinstance(text, str)}
    elif hasattr(image, "text"):  # of PNG files, read on to their end
        texts = image.text
    if isinstance(texts, dict):
        return tuple((key, text) for key, text in texts.items() if key not in (XMP_KEYWORD, EXIF_KEYWORD))
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace")
    return (("Comment", comment.replace("\0", "")),) if comment and isinstance(comment, str) else ()


def _exif_of(image: Image.Image) -> bytes | None:
    try:
        data = image.info.get("exif")
        if data is None and EXIF_KEYWORD in image.info:
            data = bytes.fromhex("".join(image.info[EXIF_KEYWORD].split("\n")[3:]))
        if data is None and hasattr(image, "tag_v2"):
            data = _exif_of_tiff(image)
    except Exception:  # damaged EXIF data raise nearly anything; the pixels are still good
        return None
    return _turned_exif(data.removeprefix(EXIF_MARK)) if isinstance(data, bytes) else None


# The tags of a TIFF file that are not about how its pixels are stored: description, make, model, software, date,
# artist, copyright; and the two folders that EXIF adds, of the photograph and of the place.
TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432)
EXIF_FOLDERS = (0x8769, 0x8825)


def _exif_of_tiff(image: Image.Image) -> bytes | None:
    exif, tags = Image.Exif(), _described(image.getexif())
    for tag, value in tags.items():
        exif[tag] = value
    return exif.tobytes() if tags else None


def _described(exif: Image.Exif) -> dict[int, Any]:
    """Give the tags that do not say how pixels are stored; folders as dicts."""
    tags = {tag: exif[tag] for tag in TIFF_TAGS if tag in exif}
    return tags | {tag: folder for tag in EXIF_FOLDERS if (folder := exif.get_ifd(tag))}


def described_by_exif(exif: bytes | None) -> dict[int, Any]:
    """Give the tags of EXIF data that a TIFF file may have beside its own; none if they are damaged."""
    if exif is None:
        return {}
    found = Image.Exif()
    try:
        with quiet_pillow():
            found.load(EXIF_MARK + exif)
            return _described(found)
    except Exception:  # as above
        return {}


def _turned_exif(exif: bytes) -> bytes | None:
    """Set the orientation to 1 in place; written anew, makers' notes would lose what they point to."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    turned = bytearray(exif)
    try:
        (folder,) = struct.unpack_from(order + "I", exif, 4)
        (n_tags,) = struct.unpack_from(order + "H", exif, folder)
        for entry in range(folder + 2, folder + 2 + 12 * n_tags, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == ORIENTATION and kind in NUMBER_CODES:
                struct.pack_into(order + NUMBER_CODES[kind], turned, entry + 8, 1)
    except struct.error:
        return None
    return bytes(turned)


def _xmp_of(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get(XMP_KEYWORD) or getattr(image, "tag_v2", {}).get(XMP_TAG)
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if not isinstance(xmp, bytes) or not xmp:
        return None
    return re.sub(rb'(tiff:Orientation(?:=["\']|>))[0-9]', rb"\g<1>1", xmp).rstrip(b"\0 ")


def png_chunks(metadata: Metadata) -> bytes:
    """Give the chunks of a PNG file that say it."""
    info = PngInfo()
    for kind, content in _color_chunks(metadata):
        info.add(kind, content)
    if metadata.dpi:
        per_metre = (min(round(number / METRES_PER_INCH), 2**31 - 1) for number in metadata.dpi)
        info.add(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    elif metadata.pixel_aspect:
        info.add(b"pHYs", struct.pack(">IIB", *metadata.pixel_aspect, 0))
    for keyword, text in metadata.texts:
        info.add_text(keyword, text, zip=len(text) > 1000)
    if metadata.xmp:
        info.add_itxt(XMP_KEYWORD, metadata.xmp)
    if metadata.exif:
        info.add(b"eXIf", metadata.exif)
    return b"".join(chunk(kind, content) for kind, content, *_ in info.chunks)


def _color_chunks(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Give kind and content of those that say how colours look."""
    if metadata.cicp:
        yield b"cICP", bytes(metadata.cicp)
    if metadata.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile, 9)
    elif metadata.srgb_intent is not None:  # a file may not have both
        yield b"sRGB", bytes([metadata.srgb_intent])
    if metadata.gamma:
        yield b"gAMA", struct.pack(">I", round(metadata.gamma * 100_000))
    if metadata.chromaticities:
        yield b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in metadata.chromaticities))


def webp_options(metadata: Metadata) -> dict[str, bytes]:
    """Give what Pillow writes of it to a WebP file."""
    options = {
        "icc_profile": metadata.icc_profile,
        "exif": metadata.exif and EXIF_MARK + metadata.exif,
        "xmp": metadata.xmp,
    }
    return {name: value for name, value in options.items() if value}
