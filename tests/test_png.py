"""Palette PNG files, read back chunk by chunk; the order of their entries."""

from __future__ import annotations

import io
import sys
import zlib

import numpy as np
import pytest
from pictures import noise, photograph
from PIL import Image

import kmc
from kmc.errors import KmcImportError, KmcValueError
from kmc.formats import palette_order
from kmc.formats.palette_order import meeting_order
from kmc.formats.png import OPTIMIZE, packed, png_bytes


def indices_below(k, shape=(16, 17), dtype=np.uint8):
    labels = np.random.default_rng(k).integers(0, k, size=shape)
    labels.flat[:k] = np.arange(min(k, labels.size))
    return labels.astype(dtype)


def palette_of(k, channels):
    return np.random.default_rng(k).integers(0, 256, size=(k, channels), dtype=np.uint8)


def chunks_of(data):
    """The chunks of a PNG file in their order: [(kind, content), ...]."""
    chunks, position = [], 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("k", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_png_holds_the_picture_in_the_fewest_bits(k, bits, channels):
    indices, palette = indices_below(k), palette_of(k, channels)
    data = png_bytes(indices, palette)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    mode = "RGBA" if channels == 4 else "RGB"
    expected = np.broadcast_to(palette, (k, 3)) if channels == 1 else palette
    np.testing.assert_array_equal(np.asarray(image.convert(mode)), expected[indices])

    chunks = dict(chunks_of(data))
    assert chunks[b"IHDR"][8:10] == bytes([bits, 3])  # colour type 3: palette
    assert len(chunks[b"PLTE"]) == 3 * k
    assert (b"tRNS" in chunks) == (channels == 4)


def test_opaque_entries_take_no_room_in_trns():
    palette = palette_of(4, 4)
    palette[:, 3] = [255, 7, 255, 255]
    assert dict(chunks_of(png_bytes(indices_below(4), palette)))[b"tRNS"] == b"\x07"
    palette[:, 3] = 255
    assert b"tRNS" not in dict(chunks_of(png_bytes(indices_below(4), palette)))


def test_indices_of_16_bits_and_of_any_layout():
    palette = palette_of(9, 3)
    indices = indices_below(9, dtype=np.uint16)
    for layout in (indices, np.asfortranarray(indices), indices[::2, ::-1].astype(np.uint8)):
        image = Image.open(io.BytesIO(png_bytes(layout, palette)))
        np.testing.assert_array_equal(np.asarray(image), layout)


def test_nothing_but_the_picture_is_in_the_file():
    kinds = [kind for kind, _ in chunks_of(png_bytes(indices_below(4), palette_of(4, 3)))]
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]


def test_more_colors_than_a_png_palette_holds():
    with pytest.raises(KmcValueError, match=r"257 colours .* at most 256") as caught:
        png_bytes(indices_below(257, (20, 20), np.uint16), palette_of(257, 3))
    assert "\n" not in str(caught.value)


def pixels_of(data, mode="RGBA"):
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


def filters_of(data):
    """Every row's filter, of 8 bits for each pixel."""
    chunks = dict(chunks_of(data))
    width = int.from_bytes(chunks[b"IHDR"][:4])
    return set(zlib.decompress(chunks[b"IDAT"])[:: width + 1])


@pytest.mark.parametrize("optimize", OPTIMIZE)
@pytest.mark.parametrize(("k", "channels"), [(2, 3), (12, 4), (60, 1), (60, 4), (256, 3)])
def test_every_effort_keeps_every_pixel(optimize, k, channels):
    if optimize == "max":
        pytest.importorskip("oxipng")
    indices, palette = indices_below(k, (40, 37)), palette_of(k, channels)
    colors = np.repeat(palette, 3, axis=1) if channels == 1 else palette
    mode = "RGBA" if channels == 4 else "RGB"
    np.testing.assert_array_equal(pixels_of(png_bytes(indices, palette, optimize), mode), colors[indices])


def test_more_effort_smaller_files():
    pytest.importorskip("oxipng")
    small = kmc.compress(photograph(150, 150), 200)
    sizes = [len(small.to_bytes(optimize=optimize)) for optimize in OPTIMIZE]
    assert sizes[2] < min(sizes[:2])


def test_on_smooth_pictures_differences_of_reordered_entries_win():
    small = kmc.compress(photograph(200, 200, 1), 200)
    shuffled = np.random.default_rng(0).permutation(len(small.palette))
    places = np.argsort(shuffled)[small.indices].astype(np.uint8)
    data = png_bytes(places, small.palette.colors[shuffled])
    assert filters_of(data) == {1}
    assert len(data) < 0.9 * len(png_bytes(places, small.palette.colors[shuffled], "fast"))
    np.testing.assert_array_equal(pixels_of(data, "L"), small.image)


def test_the_given_order_stays_where_its_differences_take_fewer_bits():
    steps = np.random.default_rng(0).choice([5, -12], size=(60, 90))
    given = (steps.cumsum(axis=1) % 200).astype(np.uint8)
    shuffled = np.random.default_rng(1).permutation(200).astype(np.uint8)[given]
    data = png_bytes(given, palette_of(200, 3))
    assert filters_of(data) == {1}
    assert len(data) < 0.6 * len(png_bytes(shuffled, palette_of(200, 3)))


def test_on_noise_the_indices_themselves_win():
    assert filters_of(png_bytes(indices_below(200, (90, 90)), palette_of(200, 3))) == {0}


def test_entries_that_no_pixel_has_are_left_out():
    indices = np.array([[3, 9, 200], [200, 9, 9]], dtype=np.uint8)
    palette = palette_of(256, 4)
    palette[[3, 200], 3] = 255
    palette[9, 3] = 77
    data = png_bytes(indices, palette)
    chunks = dict(chunks_of(data))
    assert chunks[b"IHDR"][8] == 2  # bits
    assert len(chunks[b"PLTE"]) == 9
    assert chunks[b"tRNS"] == bytes([77])
    np.testing.assert_array_equal(pixels_of(data), palette[indices])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_packed_pixels(bits):
    indices = indices_below(1 << bits, (5, 13))
    rows = ["".join(f"{index:0{bits}b}" for index in row) for row in indices]
    expected = [[int(row[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(row), 8)] for row in rows]
    assert packed(indices, bits).tolist() == expected


def test_the_same_bytes_for_any_number_of_threads():
    small = kmc.compress(photograph(120, 120), 64)
    assert small.to_bytes(threads=1) == small.to_bytes(threads=4)


def test_max_without_oxipng(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "oxipng", None)
    small = kmc.compress(noise(8, 8), 4)
    with pytest.raises(KmcImportError, match=r'optimize="max" needs pyoxipng, which is not installed; pip install'):
        small.save(tmp_path / "small.png", optimize="max")
    assert not list(tmp_path.iterdir())


def test_what_is_no_effort():
    with pytest.raises(KmcValueError, match=r"optimize must be one of 'fast', 'default', 'max', got 'best'"):
        kmc.compress(noise(8, 8), 4).to_bytes(optimize="best")


def slow_meeting_order(indices, k):
    """Place after place as in the paper of Pinho and Neves, with counts of pairs."""
    meetings = np.zeros((k, k), dtype=int)
    for one, other in ((indices[:, :-1], indices[:, 1:]), (indices[:-1], indices[1:])):
        for i, j in zip(one.ravel(), other.ravel(), strict=True):
            if i != j:
                meetings[i, j] += 1
                meetings[j, i] += 1
    order = [int(meetings.sum(axis=1).argmax())]
    while len(order) < k:
        rest = [entry for entry in range(k) if entry not in order]
        entry = max(rest, key=lambda entry: (sum(meetings[entry, placed] for placed in order), -entry))
        n = len(order)
        to_left = sum((n + 1 - 2 * (place + 1)) * meetings[entry, placed] for place, placed in enumerate(order))
        order = [entry, *order] if to_left > 0 else [*order, entry]
    return order


@pytest.mark.parametrize("k", [1, 2, 17, 60])
def test_order_of_entries_that_meet(k):
    indices = indices_below(k, (30, 41))
    order = meeting_order(indices, k)
    assert order.tolist() == slow_meeting_order(indices, k)


@pytest.mark.parametrize("k", [255, 256])
def test_many_entries_that_meet(k):
    indices = indices_below(k, (40, 41))
    expected = np.zeros((k, k), dtype=int)
    for one, other in ((indices[:, :-1], indices[:, 1:]), (indices[:-1], indices[1:])):
        np.add.at(expected, (one, other), one != other)
    np.testing.assert_array_equal(palette_order._meetings(indices, k), expected + expected.T)
    assert sorted(meeting_order(indices, k)) == list(range(k))


def test_a_ramp_is_put_in_its_order():
    shuffled = np.random.default_rng(1).permutation(50).astype(np.uint8)
    order = meeting_order(np.tile(shuffled, (3, 1)), 50).tolist()
    assert order in (shuffled.tolist(), shuffled[::-1].tolist())
