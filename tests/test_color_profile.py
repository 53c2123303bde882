"""Profiles and gamma: kept, or applied; compared with the formulas that define the colour spaces."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures import few_colors, file_bytes, noise, photograph
from PIL import Image, PngImagePlugin
from profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    cmyk_profile,
    gamma_curve,
    grey_profile,
    rgb_profile,
    srgb_curve,
    srgb_light,
    to_srgb,
)

import kmc
from kmc.errors import KmcValueError
from kmc.formats.png_chunks import chunk, with_chunks
from kmc.load import load
from kmc.loading.color_profile import is_srgb

PROFILES = {
    "Adobe RGB": (ADOBE_RGB, gamma_curve(563 / 256), lambda samples: samples ** (563 / 256)),
    "Display P3": (DISPLAY_P3, srgb_curve(), srgb_light),
}
IS_SRGB = rgb_profile(SRGB, srgb_curve())


def with_profile(pixels, profile, file_format="PNG", **options):
    return file_bytes(pixels, file_format, icc_profile=profile, **options)


def profile_of(data):
    return Image.open(io.BytesIO(data)).info.get("icc_profile")


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("channels", [3, 4])
def test_profiles_are_applied_if_asked_for(name, channels):
    primaries, transfer, light = PROFILES[name]
    pixels = noise(40, 50, channels)
    picture = load(with_profile(pixels, rgb_profile(primaries, transfer)), profile="srgb")
    expected = to_srgb(pixels[..., :3], primaries, light)
    assert np.abs(picture.pixels[..., :3] - expected).max() < 2.1  # tables of LittleCMS have 8 bits in the dark
    assert np.abs(picture.pixels[..., :3] - expected).mean() < 0.35
    np.testing.assert_array_equal(picture.pixels[..., 3:], pixels[..., 3:])
    assert np.abs(pixels[..., :3] - expected).mean() > 3
    assert picture.metadata.icc_profile is None


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("file_format", ["PNG", "WebP", "TIFF"])
def test_profiles_are_kept_by_default(name, file_format):
    profile = rgb_profile(*PROFILES[name][:2])
    pixels = few_colors(9, 11, 16)
    small = kmc.compress(with_profile(pixels, profile), 16)
    np.testing.assert_array_equal(small.image, pixels)
    data = small.to_bytes(file_format)
    assert profile_of(data) == profile
    np.testing.assert_array_equal(load(data).pixels, pixels)


@pytest.mark.parametrize(("file_format", "metadata"), [("GIF", "display"), ("PNG", "none"), ("WebP", "none")])
def test_without_their_profile_colors_become_srgb(file_format, metadata):
    primaries, transfer, light = PROFILES["Display P3"]
    pixels = few_colors(9, 11, 16)
    small = kmc.compress(with_profile(pixels, rgb_profile(primaries, transfer)), 16)
    data = small.to_bytes(file_format, metadata=metadata)
    assert profile_of(data) is None
    assert np.abs(load(data).pixels - to_srgb(pixels, primaries, light)).max() < 2.1


def test_a_profile_that_is_srgb_is_not_worth_its_bytes():
    assert is_srgb(IS_SRGB)
    assert not is_srgb(rgb_profile(*PROFILES["Display P3"][:2]))
    assert not is_srgb(b"nonsense")
    pixels = few_colors(9, 11, 16)
    small = kmc.compress(with_profile(pixels, IS_SRGB), 16)
    assert profile_of(small.to_bytes()) is None
    assert profile_of(small.to_bytes(metadata="all")) == IS_SRGB
    np.testing.assert_array_equal(load(small.to_bytes()).pixels, pixels)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_of_grey_is_applied_as_palettes_are_rgb(mode):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(grey).convert(mode)
    picture = load(with_profile(image, grey_profile(1.0)))
    expected = to_srgb(np.dstack([grey] * 3), SRGB, lambda samples: samples)
    assert np.abs(picture.pixels[..., :3] - expected[..., : picture.channels]).max() < 1.1
    assert picture.metadata.icc_profile is None


def test_a_profile_of_cmyk_is_applied():
    inks = np.zeros((8, 32, 4), dtype=np.uint8)
    inks[:, 8:16, 3] = 255  # black
    inks[:, 16:24, 0] = 255  # cyan: lightness 80 and no colour in this profile
    inks[:, 24:, :3] = 255  # lightness 40
    image = (
        Image.fromarray(inks, "CMYK")
        if not hasattr(Image, "frombytes")
        else Image.frombytes("CMYK", (32, 8), inks.tobytes())
    )
    picture = load(with_profile(image, cmyk_profile(), "TIFF"))
    # sRGB of L* = 100, 0, 80, 40
    for column, grey in ((4, 255), (12, 0), (20, 198), (28, 94)):
        assert np.abs(picture.pixels[4, column].astype(int) - grey).max() <= 3, column
    assert picture.metadata.icc_profile is None
    plain = load(file_bytes(image, "TIFF")).pixels
    assert plain[4, 20].tolist() == [0, 255, 255]


@pytest.mark.parametrize("profile", [b"", b"nonsense", b"\0" * 200, IS_SRGB[:140], b"\0" * 36 + b"acsp" + b"\0" * 100])
@pytest.mark.parametrize("choice", ["keep", "srgb"])
def test_a_damaged_profile_counts_as_none(profile, choice):
    pixels = few_colors(6, 7, 5)
    for image in (pixels, Image.frombytes("CMYK", (2, 1), bytes(8))):
        data = with_profile(image, profile, "TIFF" if isinstance(image, Image.Image) else "PNG")
        picture = load(data, profile=choice)
        np.testing.assert_array_equal(picture.pixels, pixels if image is pixels else np.full((1, 2, 3), 255))
    kmc.compress(with_profile(pixels, profile), 5, profile=choice).to_bytes("GIF")


# Gamma


def with_gamma(pixels, gamma, chromaticities=None):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", round(gamma * 100_000).to_bytes(4))
    if chromaticities:
        chunks.add(b"cHRM", b"".join(round(number * 100_000).to_bytes(4) for number in chromaticities))
    return file_bytes(pixels, pnginfo=chunks)


@pytest.mark.parametrize("primaries", [None, DISPLAY_P3, ADOBE_RGB])
@pytest.mark.parametrize("gamma", [0.35, 0.45455, 1.0])
def test_gamma_and_chromaticities(gamma, primaries):
    pixels = photograph(20, 30)
    chromaticities = primaries and (0.3127, 0.329, *(number for pair in primaries for number in pair))
    data = with_gamma(pixels, gamma, chromaticities)
    kept = load(data)
    np.testing.assert_array_equal(kept.pixels, pixels)
    again = Image.open(io.BytesIO(kmc.compress(data, 4).to_bytes()))
    assert again.info["gamma"] == gamma
    assert again.info.get("chromaticity") == chromaticities
    found = load(data, profile="srgb").pixels
    if gamma == 0.45455 and primaries is None:  # sRGB, as browsers have it
        np.testing.assert_array_equal(found, pixels)
    else:
        expected = to_srgb(pixels, primaries or SRGB, lambda samples: samples ** (1 / gamma))
        assert np.abs(found - expected).max() < 1


def test_chromaticities_on_a_line_are_left_out():
    pixels = photograph(5, 6)
    found = load(with_gamma(pixels, 1.0, (0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.4, 0.4)), profile="srgb").pixels
    np.testing.assert_array_equal(found, load(with_gamma(pixels, 1.0), profile="srgb").pixels)


def test_srgb_chunk_is_stronger_than_gamma():
    pixels = photograph(5, 6)
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", b"\1")
    chunks.add(b"gAMA", (100_000).to_bytes(4))
    data = file_bytes(pixels, pnginfo=chunks)
    np.testing.assert_array_equal(load(data, profile="srgb").pixels, pixels)
    assert Image.open(io.BytesIO(kmc.compress(data, 4).to_bytes())).info["srgb"] == 1


def test_grey_with_gamma_stays_one_channel():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = load(with_gamma(grey, 1.0), profile="srgb")
    expected = to_srgb(np.dstack([grey] * 3), SRGB, lambda samples: samples)[..., :1]
    assert picture.shape == (16, 16)
    assert np.abs(picture.pixels - expected).max() < 1


@pytest.mark.parametrize("word", ["sRGB", "convert", None])
def test_words_for_profiles(word):
    with pytest.raises((KmcValueError, TypeError), match=r"profile must be one of 'keep', 'srgb'"):
        kmc.compress(noise(3, 3), 2, profile=word)


# Colour spaces by number


def with_code_points(pixels, *numbers, **options):
    return with_chunks(file_bytes(pixels, **options), chunk(b"cICP", bytes(numbers)))


def test_code_points_are_kept_in_png():
    data = with_code_points(photograph(20, 30), 12, 13, 0, 1)
    small = kmc.compress(data, 8)
    assert b"cICP\x0c\x0d\x00\x01" in small.to_bytes()
    assert b"cICP" not in small.to_bytes(metadata="none")
    assert load(small.to_bytes()).metadata.cicp == (12, 13, 0, 1)


@pytest.mark.parametrize(
    ("numbers", "primaries", "light"),
    [
        ((12, 13, 0, 1), DISPLAY_P3, srgb_light),
        ((12, 8, 0, 1), DISPLAY_P3, lambda samples: samples),
        ((1, 4, 0, 1), SRGB, lambda samples: samples**2.2),
    ],
)
def test_code_points_are_applied_if_asked_for(numbers, primaries, light):
    pixels = photograph(20, 30)
    found = load(with_code_points(pixels, *numbers), profile="srgb")
    assert np.abs(found.pixels - to_srgb(pixels, primaries, light)).max() < 1
    assert found.metadata.cicp is None


@pytest.mark.parametrize(
    "numbers", [(1, 13, 0, 1), (9, 16, 0, 1), (12, 13, 0, 0), (12, 13, 1, 1), (2, 2, 0, 1), (12, 13, 0)]
)
def test_code_points_of_srgb_or_without_known_light_change_nothing(numbers):
    pixels = photograph(20, 30)
    np.testing.assert_array_equal(load(with_code_points(pixels, *numbers), profile="srgb").pixels, pixels)


def test_code_points_are_stronger_than_a_profile():
    pixels = photograph(20, 30)
    data = with_code_points(pixels, 1, 13, 0, 1, icc_profile=rgb_profile(DISPLAY_P3, srgb_curve()))
    np.testing.assert_array_equal(load(data, profile="srgb").pixels, pixels)
    small = kmc.compress(data, 8)
    assert profile_of(small.to_bytes("WebP")) and profile_of(small.to_bytes())  # noqa: PT018


@pytest.mark.parametrize("data", [with_code_points(few_colors(20, 30, 9), 12, 13, 0, 1), None])
def test_what_has_become_srgb_is_compared_as_it_is_seen(data):
    data = data or with_profile(few_colors(20, 30, 9), rgb_profile(DISPLAY_P3, srgb_curve()))
    small = kmc.compress(data, 256)
    assert small.lossless
    assert kmc.evaluate(data, small).mse == kmc.evaluate(data, small.to_bytes()).mse == 0
    assert kmc.evaluate(data, small.to_bytes("GIF")).mse == 0
    # Neither array nor PIL image say anything of colours; a file that does not is sRGB.
    assert kmc.evaluate(data, small.image).mse == kmc.evaluate(data, small.to_pil()).mse == 0
    assert kmc.evaluate(data, file_bytes(small.image)).mse > 1
