"""Colours to points and back, in every space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from everywhere import everywhere
from numpy.typing import NDArray
from pictures import noise, photograph

import kmc
from kmc.colorspace import GRID_OFFSET, SPACES, centroids_of_grid, colors_of, grid_of, points_of
from kmc.histogram import ColorHistogram, keys_of

Array = NDArray[Any]

# Of Ottosson's article on Oklab.
M1 = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
               [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
M2 = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
               [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def oklab_by_definition(colors: Array) -> Array:
    values = colors / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ M1.T) @ M2.T


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n", [1, 255, 256, 257, 9001])
def test_oklab_is_ottossons(n: int, threads: int) -> None:
    colors = np.concatenate([noise(n, 1, 3).reshape(-1, 3), [[0, 0, 0], [255, 255, 255], [0, 0, 1]]]).astype(np.uint8)
    np.testing.assert_allclose(points_of(colors, "oklab", threads), 255 * oklab_by_definition(colors), atol=255 * 3e-5)


def test_white_and_greys_have_no_colour() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    points = points_of(greys, "oklab")
    assert points[-1, 0] == pytest.approx(255, abs=255 * 3e-5)
    assert np.abs(points[:, 1:]).max() < 255 * 3e-5
    np.testing.assert_allclose(points_of(greys[:, :1].copy(), "oklab"), points[:, :1])


def test_ycc_weighs_lightness_more() -> None:
    """A sixth of r^2 + g^2 + b^2 + 3 y^2 + 0.64 (r - y)^2 + 0.64 (b - y)^2; grey has lightness alone."""
    one, other = noise(50, 2, 4).astype(np.uint8).transpose(1, 0, 2)
    one[:, 3] = other[:, 3] = 255
    red, green, blue = (one.astype(float) - other)[:, :3].T
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    squares = red**2 + green**2 + blue**2 + 3 * luma**2 + 0.64 * ((red - luma) ** 2 + (blue - luma) ** 2)
    difference = points_of(one, "ycc").astype(float) - points_of(other, "ycc")
    np.testing.assert_allclose((difference**2).sum(axis=1), squares / 6, rtol=2e-3)
    greys = points_of(np.array([[0, 0, 0, 255], [90, 90, 90, 255], [255, 255, 255, 255]], dtype=np.uint8), "ycc")
    np.testing.assert_allclose(greys, [[-127.5, 0, 0, 127.5], [-37.5, 0, 0, 127.5], [127.5, 0, 0, 127.5]], atol=1e-4)


@pytest.mark.parametrize("space", [*SPACES, "ycc"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_colours_survive_the_way_and_back(channels: int, space: str) -> None:
    colors = np.ascontiguousarray(noise(500, 1, max(channels, 3)).reshape(500, -1)[:, :channels])
    if channels == 4:
        colors[colors[:, 3] == 0] = 0
        colors[:, 3] |= 192
    np.testing.assert_array_equal(colors_of(points_of(colors, space).astype(np.float64), space), colors)


def test_what_srgb_does_not_have_is_cut_off() -> None:
    outside = 255 * np.array([[1.2, 0, 0], [-0.1, 0, 0], [0.5, 0.4, 0.2]])
    colors = colors_of(outside, "oklab")
    assert colors[:2].tolist() == [[255, 255, 255], [0, 0, 0]]
    assert colors[2, 0] == 255


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_grid_keeps_every_pixel_and_is_in_order(channels: int, space: str) -> None:
    histogram = ColorHistogram.from_pixels(noise(300, 300, channels).reshape(-1, channels))
    grid, counts = grid_of(histogram, space)
    assert counts.sum() == histogram.n_pixels
    assert (np.diff(keys_of(grid).astype(np.int64)) > 0).all()
    points = points_of(histogram.colors, space).astype(np.float64)
    mean = (points * histogram.counts[:, None]).sum(axis=0) / histogram.n_pixels
    mean_of_grid = (centroids_of_grid(grid.astype(np.float64), space) * counts[:, None]).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(mean_of_grid, mean, atol=0.05)


def test_distance_with_alpha_is_that_on_black_and_on_white() -> None:
    colors = noise(300, 1, 4).reshape(-1, 4)
    alpha = colors[:, 3:] / 255
    on = [colors[:, :3] * alpha + background * (1 - alpha) for background in (0, 255)]
    seen = sum(np.square(picture[:150] - picture[150:]).sum(axis=1) for picture in on) / 2
    points = points_of(colors).astype(np.float64) / 510
    dist2 = np.square(points[:150] - points[150:]).sum(axis=1)
    np.testing.assert_allclose(dist2, seen, rtol=0.03)  # 1.75 for the square root of 3


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_oklab_gives_the_same_bytes_and_nearest_entries(channels: int) -> None:
    picture = photograph(310, 290, channels).reshape(310, 290, channels)
    result = everywhere(lambda threads: kmc.compress(picture, 20, space="oklab", threads=threads))[0]
    palette = points_of(result.palette.colors, "oklab").astype(np.float64)
    points = points_of(picture.reshape(-1, channels), "oklab").astype(np.float64)[::7]
    dist2 = np.square(points[:, None] - palette).sum(axis=2)
    np.testing.assert_array_equal(result.indices.ravel()[::7], dist2.argmin(axis=1))


def test_oklab_has_less_error_where_it_counts() -> None:
    picture = photograph(200, 200, 3)
    points = points_of(picture.reshape(-1, 3), "oklab")

    def error(space: str) -> float:
        return float(
            np.square(points_of(kmc.compress(picture, 12, space=space).image.reshape(-1, 3), "oklab") - points).mean()
        )

    assert error("oklab") < 0.97 * error("srgb")


@pytest.mark.parametrize("n_colors", [1, 1000, 100_000])
def test_the_grid_of_oklab_is_the_rounded_points(n_colors: int) -> None:
    colors = np.unique(np.random.default_rng(n_colors).integers(0, 256, size=(n_colors, 3), dtype=np.uint8), axis=0)
    histogram = ColorHistogram.from_pixels(np.repeat(colors, 1 + colors[:, 0] % 3, axis=0)[np.newaxis])
    rounded = np.rint(points_of(histogram.colors, "oklab") + GRID_OFFSET).astype(np.uint8)
    keys, own = np.unique(keys_of(rounded), return_inverse=True)
    for threads in (1, 3):
        grid, counts = grid_of(histogram, "oklab", threads)
        np.testing.assert_array_equal(keys_of(grid), keys)
        np.testing.assert_array_equal(counts, np.bincount(own, weights=histogram.counts))
