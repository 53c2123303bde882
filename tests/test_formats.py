"""Still pictures in each format: the same pixels again, and what a format cannot hold."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from pictures import few_colors, file_bytes, gradient, noise, photograph
from PIL import Image

import kmc
from kmc.cli import main
from kmc.encode import FORMATS
from kmc.errors import KmcValueError
from kmc.formats.gif import gif_bytes
from kmc.loading.metadata import Metadata

NAMES = ["PNG", "GIF", "WebP", "TIFF"]
ENDINGS = {"PNG": ".png", "GIF": ".gif", "WebP": ".webp", "TIFF": ".tif"}


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


def as_rgba(pixels):
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    rgba = np.full((*pixels.shape[:2], 4), 255, dtype=np.uint8)
    rgba[..., :3] = pixels[..., :3]
    if pixels.shape[2] == 4:
        rgba[..., 3] = pixels[..., 3]
    return rgba


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("k", [1, 2, 3, 16, 17, 255, 256])
def test_each_format_decodes_to_the_picture(name, channels, k):
    pixels = few_colors(21, 33, k, channels, seed=k)
    if channels == 4:
        pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255) if name == "GIF" else pixels[..., 3]
        pixels[pixels[..., 3] == 0] = 0
    small = kmc.compress(pixels, 256)
    assert small.lossless
    np.testing.assert_array_equal(decoded(small.to_bytes(name)) * (as_rgba(pixels)[..., 3:] > 0), as_rgba(pixels))


@pytest.mark.parametrize("name", NAMES)
def test_the_ending_says_the_format(name, tmp_path):
    small = kmc.compress(photograph(20, 30), 16)
    path = tmp_path / f"out{ENDINGS[name].upper()}"
    small.save(path)
    assert path.read_bytes() == small.to_bytes(name.lower())
    with Image.open(path) as image:
        assert image.format == name.upper()
        assert (image.mode == "P") == (name != "WebP")
    np.testing.assert_array_equal(decoded(path.read_bytes())[..., :3], small.image)


def test_partial_transparency_in_gif():
    colors = np.array([[10, 20, 30, 0], [40, 50, 60, 127], [70, 80, 90, 128], [1, 2, 3, 255]], dtype=np.uint8)
    indices = np.arange(4, dtype=np.uint8).reshape(2, 2).repeat(3, axis=1)
    found = decoded(gif_bytes(indices, colors, Metadata()))
    assert found[:, ::3, 3].tolist() == [[0, 0], [255, 255]]
    np.testing.assert_array_equal(found[1, ::3, :3], colors[2:, :3])


def test_codes_of_a_gif_are_as_short_as_its_palette_allows():
    for k, bits in ((2, 2), (4, 2), (5, 3), (16, 4), (17, 5), (256, 8)):
        data = kmc.compress(few_colors(20, 30, k), 256).to_bytes("GIF")
        table = 3 << max(1, (k - 1).bit_length())
        place = 13 + table + 8 + 10  # header, palette, timing, place
        assert data[place] == bits, k


@pytest.mark.parametrize("name", ["PNG", "GIF", "TIFF"])
def test_more_colors_than_a_palette_holds(name):
    small = kmc.compress(noise(20, 30), 300)
    with pytest.raises(KmcValueError, match=f"300 colours and a {name} palette .*at most 256"):
        small.to_bytes(name)
    np.testing.assert_array_equal(decoded(small.to_bytes("WebP"))[..., :3], small.image)


@pytest.mark.parametrize(
    ("name", "shape"), [("WebP", (1, 16384)), ("WebP", (16384, 1)), ("GIF", (1, 65536)), ("GIF", (65536, 1))]
)
def test_sides_that_are_too_long(name, shape):
    small = kmc.compress(np.zeros(shape, dtype=np.uint8), 2)
    with pytest.raises(KmcValueError, match=f"{shape[1]} x {shape[0]} pixels and a side of a {name} picture at most"):
        small.to_bytes(name)


@pytest.mark.parametrize("shape", [(1, 1), (10, 30000), (30000, 10)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_smallest_and_long_pictures(shape, channels):
    pixels = few_colors(*shape, 1 if shape == (1, 1) else 7, channels)
    small = kmc.compress(file_bytes(pixels), 16)
    np.testing.assert_array_equal(small.image, pixels)
    for name in NAMES:
        if channels == 4 and name == "GIF":
            continue
        if max(shape) > 16383 and name == "WebP":
            continue
        np.testing.assert_array_equal(decoded(small.to_bytes(name)), as_rgba(pixels))


@pytest.mark.parametrize("shape", [(10, 30000), (30000, 10)])
def test_a_long_picture_of_many_colors(shape):
    pixels = gradient(*shape)
    small = kmc.compress(file_bytes(pixels), 64)
    assert small.psnr > 25
    np.testing.assert_array_equal(decoded(small.to_bytes())[..., :3], small.image)


@pytest.mark.parametrize("ending", [".png", ".gif", ".webp", ".tif", ".tiff"])
def test_the_command_writes_each(ending, tmp_path, capsys):
    source, output = tmp_path / "in.png", tmp_path / f"out{ending}"
    source.write_bytes(file_bytes(photograph(20, 30)))
    assert main(["compress", str(source), "-k", "8", "-o", str(output)]) == 0
    assert len(np.unique(decoded(output.read_bytes()).reshape(-1, 4), axis=0)) == 8
    assert "8 colours" in capsys.readouterr().out


def test_resolution_in_tiff():
    image = Image.fromarray(few_colors(5, 6, 4))
    data = file_bytes(image, dpi=(300, 150))
    found = Image.open(io.BytesIO(kmc.compress(data, 4).to_bytes("TIFF")))
    np.testing.assert_allclose([float(number) for number in found.info["dpi"]], (300, 150), atol=0.02)


def test_chunks_of_webp_have_even_lengths():
    data = kmc.compress_animation(file_bytes(photograph(5, 7), "GIF"), 5).to_bytes("WebP")
    position = 12
    while position < len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + length % 2
    assert position == len(data)
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def test_formats_are_told_apart_by_their_endings():
    endings = [suffix for file_format in FORMATS for suffix in file_format.suffixes]
    assert len(set(endings)) == len(endings)
