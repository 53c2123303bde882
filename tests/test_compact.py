"""Indices that compress well: the kernel against its reference, files against files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import few_colors, noise, photograph

import kmc
from kmc import _kernels, compact
from kmc import _reference_compact as reference
from kmc.compact import compacted
from kmc.dither import points_of_pixels
from kmc.dithered_fit import BLUR, _colors_of_points
from kmc.errors import KmcTypeError, KmcValueError
from kmc.formats import png
from kmc.formats.png import bits_per_pixel, packed, png_bytes
from kmc.palette import Palette

Array = NDArray[Any]


def random_palette(k: int, channels: int) -> Palette:
    colors = np.random.default_rng(k).integers(0, 256, size=(k, channels), dtype=np.uint8)
    if channels == 4:
        colors[: k // 2, 3], colors[0] = 255, 0
    return Palette.from_colors(colors)


def call(
    pixels: Array, palette: Palette, indices: Array, lam: float, scale: float, differences: bool = False
) -> dict[str, Any]:
    """What the kernel and its reference are told."""
    height, width, channels = pixels.shape
    points = points_of_pixels(pixels.reshape(-1, channels), "oklab", 0, 1).reshape(height, width, 4)
    kinds, forbidden = compact._kinds(pixels, palette)
    bits = 8 if differences else bits_per_pixel(len(palette))
    rows = png.differences(indices) if differences else packed(indices, bits)
    return {
        "points": points,
        "kinds": kinds,
        "weights": compact._weights(points[:, :, 0]).astype(np.float32),
        "entries": (entries := points_of_pixels(palette.colors, "oklab", 0, 1)),
        "near": compact._nearest_entries(entries),
        "forbidden": forbidden,
        "bits": bits,
        "differences": differences,
        "prices": (compact._literal_prices(rows, bits, lam), *compact._match_prices(lam)),
        "blur": BLUR.astype(np.float32),
        "scale": scale,
    }


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("k", "shape", "lam", "differences"),
    [
        (2, (5, 41), 2e6, False),
        (4, (9, 33), 1e6, False),
        (13, (66, 5), 1e6, False),
        (40, (5, 19), 4e5, False),
        (40, (5, 19), 4e5, True),
        (13, (66, 5), 1e6, True),
    ],
)
@pytest.mark.parametrize("scale", [0.0, 0.0011])
def test_the_kernel_equals_its_reference(
    channels: int, k: int, shape: tuple[int, int], lam: float, differences: bool, scale: float
) -> None:
    pixels = photograph(*shape, channels).reshape(*shape, channels)
    if channels == 4:
        pixels[:4, :, 3], pixels[4:, :5, 3] = 0, 255
    palette = random_palette(k, channels)
    start = np.random.default_rng(0).integers(0, len(palette), size=shape, dtype=np.uint8)
    told = call(pixels, palette, start, lam, scale, differences)
    indices = start.copy()
    _kernels.compact(*told.values(), indices, 3)
    np.testing.assert_array_equal(indices, reference.compact(told, start))
    assert (indices != start).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 70), (70, 1), (3, 3), (65, 2)])
@pytest.mark.parametrize(("k", "differences"), [(2, False), (5, False), (30, False), (30, True)])
def test_every_shape(shape: tuple[int, int], k: int, differences: bool) -> None:
    pixels = noise(*shape)
    palette = random_palette(k, 3)
    indices = np.zeros(shape, dtype=np.uint8)
    told = call(pixels, palette, indices, 1e5, 0.0011, differences)
    _kernels.compact(*told.values(), indices, 2)
    np.testing.assert_array_equal(indices, reference.compact(told, np.zeros(shape, dtype=np.uint8)))


@pytest.mark.parametrize("preset", ["exact", "looks"])
@pytest.mark.parametrize("k", [12, 48])
def test_files_get_smaller_and_the_error_little_larger(preset: str, k: int) -> None:
    picture = photograph(160, 200)
    plain = kmc.compress(picture, k, preset=preset)
    small = kmc.compress(picture, k, preset=preset, compactness=0.1)
    assert len(small.to_bytes()) < 0.93 * len(plain.to_bytes())
    assert small.psnr > plain.psnr - 1


def test_with_many_colors_differences_are_chosen_which_lose_less() -> None:
    picture = photograph(160, 200)
    plain = kmc.compress(picture, 200, preset="looks")
    assert compact._as_in_a_file(plain.palette.colors, plain.indices)[2]
    moved, indices = compacted(picture, plain.palette, plain.indices, 0.3, dithered=True)
    assert len(png_bytes(indices, moved.colors)) < 0.6 * len(plain.to_bytes())
    assert np.square(moved.colors[indices].astype(float) - picture).mean() < plain.mse


def test_of_noise_no_differences_are_taken() -> None:
    indices = np.random.default_rng(0).geometric(0.05, size=(90, 90)).clip(max=199).astype(np.uint8)
    colors, same, by_differences = compact._as_in_a_file(random_palette(200, 3).colors, indices)
    assert not by_differences
    assert len(colors) == len(np.unique(indices))
    np.testing.assert_array_equal(colors[same], random_palette(200, 3).colors[indices])


def test_more_compactness_smaller_files() -> None:
    picture = photograph(128, 128)
    sizes = [len(kmc.compress(picture, 32, compactness=amount).to_bytes()) for amount in (0, 0.02, 0.1, 0.5, 2)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.5 * sizes[0]


def test_errors_weigh_less_where_the_lightness_varies() -> None:
    lightness = points_of_pixels(photograph(30, 40).reshape(-1, 3), "oklab", 0, 1)[:, 0].reshape(30, 40)
    padded = np.pad(lightness, 3, mode="edge").astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    activities = windows.std(axis=(2, 3)) + compact.LEAST_ACTIVITY
    expected = compact.WEIGHT_ONE * activities.mean() / activities
    np.testing.assert_allclose(compact._weights(lightness), expected, rtol=0.02, atol=1)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dithered", [False, True])
def test_the_same_bytes_for_any_number_of_threads(isa: str, channels: int, dithered: bool) -> None:
    pixels = photograph(300, 90, channels).reshape(300, 90, channels)
    palette = random_palette(30, channels)
    start = np.random.default_rng(0).integers(0, len(palette), size=(300, 90), dtype=np.uint8)
    first = None
    for threads in (1, 2, 5):
        moved, indices = compacted(pixels, palette, start, 0.1, dithered=dithered, threads=threads)
        result = moved.colors.tobytes() + indices.tobytes()
        assert first is None or result == first
        first = result


def test_opaque_and_transparent_pixels_stay_so() -> None:
    picture = photograph(90, 120, 4)
    picture[:30, :, 3] = 255
    picture[30:50, :, 3] = 0
    small = kmc.compress(picture, 20, preset="small", compactness=1)
    assert (small.image[:30, :, 3] == 255).all()
    assert (small.image[30:50] == 0).all()


def test_a_picture_of_few_colors_stays_exact() -> None:
    picture = few_colors(40, 50, 20)
    small = kmc.compress(picture, 20, preset="small", compactness=5)
    assert small.lossless
    np.testing.assert_array_equal(small.image, picture)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_points_become_the_colors_they_were(channels: int, space: str) -> None:
    colors = random_palette(200, channels).colors
    points = points_of_pixels(colors, space, 0, 1).astype(float)
    reread = _colors_of_points(points, space, channels).astype(int)
    alphas = colors[:, 3:] / 255 if channels == 4 else 1
    assert (np.abs(reread - colors) * alphas).max() < 4


def test_given_indices_are_not_changed() -> None:
    pixels, palette = photograph(40, 40), random_palette(9, 3)
    start = np.zeros((40, 40), dtype=np.uint8)
    compacted(pixels, palette, start, 0.5, dithered=True)
    assert not start.any()


def test_the_palette_is_ordered_and_its_indices_with_it() -> None:
    pixels, palette = photograph(60, 60), kmc.compress(photograph(60, 60), 24).palette
    moved, indices = compacted(pixels, palette, palette.apply(pixels).indices, 0.0, dithered=False, space="srgb")
    np.testing.assert_array_equal(moved.colors, Palette.from_colors(moved.colors).colors)
    assert np.square(moved.colors[indices].astype(float) - pixels).mean() <= kmc.compress(pixels, 24).mse * 1.01
    assert len(png_bytes(indices, moved.colors)) > 0


@pytest.mark.parametrize(
    ("compactness", "kind", "words"),
    [
        (-0.1, KmcValueError, "compactness must be a number from 0 up, got -0.1"),
        (float("nan"), KmcValueError, "compactness must be a number from 0 up"),
        ("much", KmcTypeError, "compactness must be a number from 0 up, got 'much'"),
    ],
)
def test_what_is_no_compactness(compactness: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        kmc.compress(photograph(8, 8), 4, compactness=compactness)


def test_too_many_colors() -> None:
    with pytest.raises(KmcValueError, match=r"compactness works with up to 256 colours, got k = 257"):
        kmc.compress(photograph(8, 8), 257, compactness=0.1)
