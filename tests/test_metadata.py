"""What files say beside the pixels: read, written by choice, and never twice."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from pictures import few_colors, file_bytes
from PIL import Image, PngImagePlugin
from profiles import DISPLAY_P3, rgb_profile, srgb_curve

import kmc
from kmc.errors import KmcFileError, KmcValueError
from kmc.formats.png_chunks import chunk, with_chunks
from kmc.load import load
from kmc.loading.metadata import Metadata

PROFILE = rgb_profile(DISPLAY_P3, srgb_curve())
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" note="kept"/></x:xmpmeta>'


def exif_of(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    exif[0x8769] = {0x9286: b"ASCII\0\0\0a comment"}
    exif[0x8825] = {1: "N"}
    return exif


def source(file_format):
    """A picture 6 wide and 4 high that is shown 4 wide and 6 high, with all that its format can say."""
    options = {"dpi": (100, 200), "exif": exif_of().tobytes(), "icc_profile": PROFILE, "xmp": XMP}
    if file_format == "PNG":
        options["pnginfo"] = texts = PngImagePlugin.PngInfo()
        texts.add_text("Title", "Bild")
        texts.add_itxt("Author", "Zoë 日本", "en", "")
        texts.add_text("Long", "x" * 5000, zip=True)
        texts.add_itxt("XML:com.adobe.xmp", XMP)
        del options["xmp"]
    if file_format == "TIFF":
        exif = exif_of()
        exif[700] = options.pop("xmp")
        options["exif"] = exif.tobytes()
    if file_format == "JPEG":
        options["comment"] = "Bild"
    if file_format == "WebP":
        options["lossless"] = True
    return file_bytes(few_colors(4, 6, 5), file_format, **options)


SOURCES = ["PNG", "JPEG", "TIFF", "WebP"]
TARGETS = ["PNG", "TIFF", "WebP"]


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_all_is_kept_if_asked_for(name, target):
    small = kmc.compress(source(name), 64)
    assert small.image.shape == (6, 4, 3)
    image = opened(small.to_bytes(target, metadata="all"))
    exif = image.getexif()
    assert image.size == (4, 6)
    assert exif.get(0x0112, 1) == 1
    assert exif[0x010F] == "maker"
    assert exif.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
    assert exif.get_ifd(0x8825)[1] == "N"
    assert image.info["icc_profile"] == PROFILE
    turned = (b' tiff:Orientation="1"', b" ")  # of TIFF files Pillow takes it out
    assert image.info["xmp"].rstrip(b"\0") in [XMP.replace(b' tiff:Orientation="6"', text) for text in turned]
    if target != "WebP" and name != "WebP":  # which have no place for it
        np.testing.assert_allclose([float(number) for number in image.info["dpi"]], (200, 100), atol=0.02)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_by_default_what_shows_the_picture_right_is_kept(name, target):
    image = opened(kmc.compress(source(name), 64).to_bytes(target))
    assert image.info["icc_profile"] == PROFILE
    assert not image.getexif().get_ifd(0x8769)
    assert 0x010F not in image.getexif()
    assert "xmp" not in image.info
    assert not getattr(image, "text", {})
    if target != "WebP" and name != "WebP":
        np.testing.assert_allclose([float(number) for number in image.info["dpi"]], (200, 100), atol=0.02)


@pytest.mark.parametrize("target", [*TARGETS, "GIF"])
def test_nothing_is_written_if_nothing_is_asked_for(target):
    image = opened(kmc.compress(source("PNG"), 64).to_bytes(target, metadata="none"))
    assert not {"icc_profile", "xmp", "exif", "gamma"} & set(image.info)
    assert image.info.get("dpi", (1, 1)) == (1, 1)  # what Pillow makes of a TIFF file that has none
    assert not getattr(image, "text", {})


def test_texts_of_png():
    image = opened(kmc.compress(source("PNG"), 64).to_bytes(metadata="all"))
    texts = dict(image.text)
    texts.pop("XML:com.adobe.xmp")
    assert texts == {"Title": "Bild", "Author": "Zoë 日本", "Long": "x" * 5000}
    assert image.text["Author"].lang == "en"


def test_texts_of_animated_png():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "Bild")
    frames = [Image.fromarray(few_colors(4, 6, 5, seed=seed)) for seed in range(3)]
    data = file_bytes(frames[0], save_all=True, append_images=frames[1:], pnginfo=texts)
    animation = kmc.compress_animation(data, 16)
    assert opened(animation.to_bytes("PNG", metadata="all")).text == {"Title": "Bild"}
    assert opened(animation.to_bytes("PNG")).text == {}


def test_comments():
    small = kmc.compress(source("JPEG"), 64)
    assert opened(small.to_bytes(metadata="all")).text["Comment"] == "Bild"
    image = opened(small.to_bytes("GIF", metadata="all"))
    assert image.info["comment"] == b"Bild"
    again = kmc.compress(small.to_bytes("GIF", metadata="all"), 64)
    assert opened(again.to_bytes(metadata="all")).text["Comment"] == "Bild"


def test_exif_of_old_png_files():
    exif = exif_of().tobytes().removeprefix(b"Exif\0\0")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
    small = kmc.compress(file_bytes(few_colors(4, 6, 5), pnginfo=texts), 5)
    image = opened(small.to_bytes(metadata="all"))
    assert small.image.shape == (6, 4, 3)
    assert image.text == {}
    assert image.getexif()[0x0112] == 1
    assert image.getexif()[0x010F] == "maker"


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "size"), [(3, 2), (4, 4)])
def test_the_orientation_is_set_where_it_stands(order, kind, size):
    def numbers(*pairs):
        return b"".join(number.to_bytes(n_bytes, order) for number, n_bytes in pairs)

    value = numbers((6, size)).ljust(4, b"\0")
    exif = {"little": b"II*\0", "big": b"MM\0*"}[order] + numbers((8, 4), (1, 2), (0x0112, 2), (kind, 2), (1, 4))
    exif += value + numbers((0, 4)) + b"maker's note"
    picture = load(file_bytes(few_colors(4, 6, 5), "WebP", lossless=True, exif=exif))
    assert picture.shape == (6, 4, 3)
    expected = exif.replace(value + numbers((0, 4)), numbers((1, size)).ljust(4, b"\0") + numbers((0, 4)))
    assert picture.metadata.exif == expected


def test_damaged_exif_is_left_out_of_tiff(recwarn):
    exif = exif_of().tobytes().removeprefix(b"Exif\0\0")
    for length in range(12, len(exif), 5):
        data = file_bytes(few_colors(4, 6, 5), "WebP", lossless=True, exif=exif[:length])
        opened(kmc.compress(data, 5).to_bytes("TIFF", metadata="all"))
    assert not recwarn.list


def test_pixels_that_are_not_square():
    data = with_chunks(file_bytes(few_colors(4, 6, 5)), chunk(b"pHYs", (1).to_bytes(4) + (4).to_bytes(4) + b"\0"))
    picture = load(data)
    assert picture.metadata.pixel_aspect == (1, 4)
    assert opened(kmc.compress(picture, 5).to_bytes()).info["aspect"] == (1, 4)


@pytest.mark.parametrize("dpi", [(0, 0), (-1, 5), (float("nan"), 1), (float("inf"), 1), "many", (1e30, 1), None, (1,)])
def test_resolutions_that_mean_nothing(dpi):
    image = Image.fromarray(few_colors(4, 6, 5))
    image.info["dpi"] = dpi
    assert load(image).metadata == Metadata()


def test_arrays_have_no_metadata():
    small = kmc.compress(few_colors(4, 6, 5), 5)
    assert small.metadata == Metadata()
    assert repr(small.metadata) == "Metadata(nothing)"
    assert small.to_bytes(metadata="all") == small.to_bytes(metadata="none")


def test_a_palette_that_is_applied_keeps_the_metadata_of_the_picture():
    palette = kmc.compress(few_colors(4, 6, 5), 5).palette
    assert palette.apply(source("PNG")).metadata.icc_profile == PROFILE


@pytest.mark.parametrize("word", ["keep", "", None])
def test_words_for_metadata(word, tmp_path):
    small = kmc.compress(few_colors(4, 6, 5), 5)
    with pytest.raises((KmcValueError, TypeError), match="metadata must be one of 'display', 'all', 'none'"):
        small.save(tmp_path / "out.png", metadata=word)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("in_place", [True, False])
def test_times_of_a_file(tmp_path, in_place):
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(file_bytes(few_colors(4, 6, 5)))
    os.utime(source, ns=(10**18, 12 * 10**17))
    small = kmc.compress(source, 4)
    small.save(source if in_place else output, times_of=source)
    assert (source if in_place else output).stat().st_mtime_ns == 12 * 10**17
    small.save(output)
    assert output.stat().st_mtime_ns > 12 * 10**17


def test_times_of_a_file_that_is_not_there(tmp_path):
    with pytest.raises(KmcFileError, match=r"out\.png"):
        kmc.compress(few_colors(4, 6, 5), 4).save(tmp_path / "out.png", times_of=tmp_path / "missing.png")
    assert not list(tmp_path.iterdir())
