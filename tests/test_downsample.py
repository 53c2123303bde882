"""downsample(): sizes, and colours that are the averages of areas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import gradient, noise

from kmc.downsample import downsample
from kmc.errors import KmcTypeError, KmcValueError
from kmc.load import Picture, load


def picture_of(height, width, channels=3):
    return load(noise(height, width, channels))


def block_means(pixels, block):
    height, width, channels = pixels.shape
    blocks = pixels.reshape(height // block, block, width // block, block, channels)
    return blocks.mean(axis=(1, 3), dtype=np.float64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("block", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32])
def test_a_whole_factor_averages_blocks(channels, block, kind):
    picture = picture_of(24, 36, channels)
    small = downsample(picture, kind(block))
    assert small.pixels.dtype == np.uint8
    assert small.pixels.flags.c_contiguous
    np.testing.assert_allclose(small.pixels, block_means(picture.pixels, block), atol=0.6)


@pytest.mark.parametrize("block", [2, 3])
def test_a_limit_that_a_whole_factor_meets_is_the_same(block):
    picture = picture_of(120, 240)
    limit = f"{120 * 240 / block**2 / 1e6}MP"
    np.testing.assert_array_equal(downsample(picture, limit).pixels, downsample(picture, block).pixels)


def test_a_fraction_averages_areas_too():
    picture = load(gradient(100, 150))
    small = downsample(picture, 2.5)
    assert (small.height, small.width) == (40, 60)
    means = block_means(picture.pixels, 5)  # of 2 x 2 pixels of the result
    np.testing.assert_allclose(block_means(small.pixels, 2), means, atol=3)


def test_partial_blocks_at_the_edges():
    picture = load(np.array([[10, 20, 90]], dtype=np.uint8))
    np.testing.assert_array_equal(downsample(picture, 2).pixels[..., 0], [[15, 90]])


def test_transparent_pixels_lend_no_color():
    pixels = np.empty((4, 4, 4), dtype=np.uint8)
    pixels[:] = [255, 0, 0, 0]  # red that nobody can see
    pixels[::2] = [0, 100, 200, 255]
    small = downsample(load(pixels), 2)
    np.testing.assert_allclose(small.pixels[..., 3], 127.5, atol=1)
    np.testing.assert_allclose(small.pixels[..., :3], np.broadcast_to([0, 100, 200], (2, 2, 3)), atol=1)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 30), (5, 8)),
        ((20, 30, 1), (5, 8, 1)),
        ((20, 30, 3), (5, 8, 3)),
        ((20, 30, 4), (5, 8, 4)),
    ],
)
def test_the_shape_keeps_its_form(shape, expected):
    small = downsample(load(np.zeros(shape, dtype=np.uint8)), 4)
    assert small.shape == expected
    assert small.pixels.shape == (5, 8, shape[2] if len(shape) == 3 else 1)


@pytest.mark.parametrize("limit", [1, 1.0, "1MP", "0.000600MP", " 2.5 mp "])
def test_nothing_to_do_gives_the_picture_itself(limit):
    picture = picture_of(20, 30)
    assert downsample(picture, limit) is picture


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.one_of(
        st.integers(1, 10**9),
        st.floats(1, 50),
        st.floats(1e-9, 2e-3).map(lambda mp: f"{mp:.12f}MP"),
    ),
)
def test_never_larger_and_never_empty(height, width, limit):
    picture = Picture(np.zeros((height, width, 3), dtype=np.uint8), (height, width, 3))
    small = downsample(picture, limit)
    assert 1 <= small.height <= height
    assert 1 <= small.width <= width
    if isinstance(limit, str) and float(limit[:-2]) > 0:
        assert small.height * small.width <= max(1, float(limit[:-2]) * 1e6)


def test_a_thin_picture_keeps_within_the_limit():
    small = downsample(Picture(np.zeros((1, 100_000, 1), dtype=np.uint8), (1, 100_000)), "0.01MP")
    assert small.shape == (1, 10_000)


@pytest.mark.parametrize(
    "limit",
    [
        0,
        0.5,
        -2,
        float("nan"),
        float("inf"),
        "",
        "4",
        "MP",
        "0MP",
        "-1MP",
        "nanMP",
        "1e3MP",
        "1 GP",
    ],
)
def test_values_that_make_no_sense(limit):
    with pytest.raises(KmcValueError, match=r"^downsample .*1\.5MP") as caught:
        downsample(picture_of(4, 4), limit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [True, None, [2], b"2MP", 2j])
def test_types_that_make_no_sense(limit):
    with pytest.raises(KmcTypeError, match=r"^downsample .*1\.5MP"):
        downsample(picture_of(4, 4), limit)
