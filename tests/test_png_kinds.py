"""PNG files of every kind that PngSuite has, and the damaged ones: what Pillow decodes comes back, or one sentence."""

from __future__ import annotations

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import kmc
from kmc.cli import main
from kmc.errors import KmcFileError
from kmc.formats.png_chunks import SIGNATURE, chunk, chunks_of

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(color_type, depth) for color_type, depths in DEPTHS.items() for depth in depths]
# Of each pass of Adam7: first row and column, and the steps between them.
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def packed_rows(samples, depth):
    """Rows of samples (h, w, c) as bytes, each behind the filter "none"."""
    if not samples.size:
        return b""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        data = rows.astype(">u2").view(np.uint8)
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[..., np.newaxis], axis=2)[..., 8 - depth :]
        data = np.packbits(bits.reshape(len(rows), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in data)


def png(color_type, depth, height=32, width=32, interlaced=False, before=b"", pieces=1, level=6, seed=0):
    """A PNG file of few colours, and the chunks `before` its pixels."""
    rng = np.random.default_rng(seed)
    most = min(1 << depth, 7 if color_type == 3 else 1 << 16)
    few = rng.integers(0, most, size=(9, SAMPLES[color_type]))
    samples = few[rng.integers(0, 9, size=(height, width))]
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [samples]
    data = zlib.compress(b"".join(packed_rows(part, depth) for part in parts), level)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced)
    palette = chunk(b"PLTE", rng.integers(0, 256, size=(7, 3), dtype=np.uint8)[:most].tobytes())
    step = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[at : at + step]) for at in range(0, len(data), step))
    body = [chunk(b"IHDR", header), palette * (color_type == 3), before, idat, chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(body)


def assert_comes_back(data):
    """What has no more than k colours is as Pillow decodes it; colour under alpha 0 means nothing."""
    small = kmc.compress(data, 4096)
    assert small.lossless
    with Image.open(io.BytesIO(data)) as image:
        deep = image.mode.startswith("I")
        image.load()
        if deep:
            image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
        expected = np.asarray(image.convert("RGBA"))
    found = np.asarray(small.to_pil().convert("RGBA"))
    seen = expected[..., 3] > 0
    np.testing.assert_array_equal(found[..., 3], expected[..., 3])
    np.testing.assert_array_equal(found[seen], expected[seen])


@pytest.mark.parametrize(("color_type", "depth"), KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_color_types_and_depths(color_type, depth, interlaced):
    assert_comes_back(png(color_type, depth, interlaced=interlaced))


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 9, 33, 40])
@pytest.mark.parametrize("interlaced", [False, True])
def test_odd_sizes(side, interlaced):
    assert_comes_back(png(3, 4, side, side, interlaced))


ANCILLARY = {
    "bKGD": lambda color_type: {3: b"\1"}.get(color_type, b"\0\1" * (1 if color_type in (0, 4) else 3)),
    "gAMA": lambda _: struct.pack(">I", 250_000),
    "cHRM": lambda _: struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    "pHYs": lambda _: struct.pack(">IIB", 1, 4, 0),
    "sBIT": lambda color_type: b"\5" * {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[color_type],
    "tIME": lambda _: struct.pack(">H5B", 2000, 2, 29, 12, 34, 56),
    "sPLT": lambda _: b"six\0\x08" + bytes(6) * 6,
    "tEXt": lambda _: b"Title\0PngSuite",
    "zTXt": lambda _: b"Description\0\0" + zlib.compress(b"text" * 100),
    "iTXt": lambda _: b"Author\0\0\0en\0\0" + "ä".encode(),
    "eXIf": lambda _: b"MM\0*\0\0\0\x08\0\0\0\0\0\0",
}


@pytest.mark.parametrize("kind", ANCILLARY)
@pytest.mark.parametrize("color_type", SAMPLES)
def test_chunks_beside_the_picture(kind, color_type):
    assert_comes_back(png(color_type, 8, before=chunk(kind.encode(), ANCILLARY[kind](color_type))))


@pytest.mark.parametrize(("color_type", "content"), [(3, b"\0\x80\xff"), (0, b"\0\3"), (2, b"\0\1\0\2\0\3")])
def test_transparency_without_an_alpha_channel(color_type, content):
    assert_comes_back(png(color_type, 8, before=chunk(b"tRNS", content)))


@pytest.mark.parametrize(("pieces", "level"), [(1, 0), (1, 9), (4, 6), (100, 6)])
def test_how_the_pixels_are_packed(pieces, level):
    assert_comes_back(png(2, 8, pieces=pieces, level=level))


def with_header(**changes):
    """A file whose header says something else, under a check sum that fits."""
    data = png(0, 8)
    (_, header), *rest = chunks_of(data)
    names = ("width", "height", "depth", "color", "packing", "filter", "lace")
    fields = dict(zip(names, struct.unpack(">IIBBBBB", header), strict=True))
    header = struct.pack(">IIBBBBB", *(fields | changes).values())
    return SIGNATURE + b"".join(chunk(*part) for part in [(b"IHDR", header), *rest])


def with_bad_sum(kind):
    data = bytearray(png(0, 8))
    place = data.index(kind)
    (length,) = struct.unpack_from(">I", data, place - 4)
    data[place + 4 + length] ^= 1
    return bytes(data)


DAMAGED = {
    "signature 1": b"\x88" + png(0, 8)[1:],
    "signature 2": png(0, 8).replace(b"PNG", b"pNG", 1),
    "signature 7": png(0, 8).replace(b"\r\n\x1a\n", b"\n\x1a\n", 1),
    "line ends": png(0, 8).replace(b"\r\n", b"\n"),
    "header sum": with_bad_sum(b"IHDR"),
    "pixel sum": with_bad_sum(b"IDAT"),
    "no pixels": b"".join([SIGNATURE, *(chunk(*part) for part in chunks_of(png(0, 8)) if part[0] != b"IDAT")]),
    "color type 1": with_header(color=1),
    "color type 9": with_header(color=9),
    "depth 0": with_header(depth=0),
    "depth 3": with_header(depth=3),
    "depth 99": with_header(depth=99),
    "no width": with_header(width=0),
    "cut off": png(2, 8)[:150],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(name, tmp_path, capsys):
    path, output = tmp_path / "x.png", tmp_path / "out.png"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(KmcFileError, match=r"x\.png") as caught:
        kmc.compress(path)
    assert "\n" not in str(caught.value)
    assert main(["compress", str(path), "-o", str(output)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("kmc: ")
    assert message.count("\n") == 1
    assert not output.exists()


def test_every_kind_is_another_file():
    files = [png(*kind, interlaced=lace) for kind, lace in itertools.product(KINDS, (False, True))]
    assert len(set(files)) == 2 * len(KINDS)
