"""weighting="flatness": colours counted by how flat the picture is around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import few_colors, noise, photograph

import kmc
from kmc._settings import checked_settings
from kmc.flatness import (
    FLAT_WEIGHT,
    HALF_CONTRAST,
    MOST_WEIGHT,
    weigh_by_flatness,
    with_flat_areas,
    with_flat_colors,
)
from kmc.histogram import ColorHistogram
from kmc.palette import Palette
from kmc.stages import weighted_count

Array = NDArray[Any]


def reference_weights(pixels: Array) -> Array:
    """Weights (h, w) of pixels (h, w, c), in plain numpy."""
    seen = pixels.astype(np.int64)
    if seen.shape[2] == 4:
        seen[..., :3] = (seen[..., :3] * seen[..., 3:] + 127) // 255
    height, width, channels = seen.shape
    framed = np.pad(seen, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = [framed[y : y + height, x : x + width] for y, x in ((0, 1), (2, 1), (1, 0), (1, 2))]
    contrast = sum(np.abs(seen - other).sum(axis=2) for other in around) / (4 * channels)
    return np.rint(np.maximum(1, MOST_WEIGHT * HALF_CONTRAST / (HALF_CONTRAST + contrast))).astype(np.int64)


def reference_counts(pixels: Array, histogram: ColorHistogram) -> Array:
    """Counts times the mean weight of the pixels in the same box of colours."""
    flat, weights = pixels.reshape(-1, pixels.shape[2]), reference_weights(pixels).ravel()
    boxes, own = ([tuple(row) for row in box_of(colors)] for colors in (flat, histogram.colors))
    found: dict[Any, list[int]] = {}
    for box, weight in zip(boxes, weights.tolist(), strict=True):
        found.setdefault(box, []).append(weight)
    means = {box: np.mean(of_box) for box, of_box in found.items()}
    return np.rint([count * means[box] for count, box in zip(histogram.counts, own, strict=True)])


def box_of(colors: Array) -> list[list[int]]:
    if colors.shape[1] == 1:
        return colors.tolist()
    alpha = colors[:, 3:].astype(np.int64) if colors.shape[1] == 4 else 255
    return ((colors[:, :3].astype(np.int64) * alpha + 127) // 255 // 8).tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (600, 1), (2, 2), (37, 257), (260, 270)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [photograph, noise])
def test_counts_are_the_sums_of_weights(kind: Any, channels: int, shape: tuple[int, int]) -> None:
    pixels = kind(*shape, channels).reshape(*shape, channels)
    histogram = ColorHistogram.from_pixels(pixels)
    for threads in (1, 3):
        weighted = weigh_by_flatness(pixels, histogram, threads)
        np.testing.assert_array_equal(weighted.colors, histogram.colors)
        np.testing.assert_array_equal(weighted.counts, reference_counts(pixels, histogram))


def test_a_sample_is_weighted_by_all_pixels() -> None:
    pixels = photograph(300, 300, 3)
    sample, whole = ColorHistogram.from_sample(pixels, 10_000), ColorHistogram.from_pixels(pixels)
    weighted = weigh_by_flatness(pixels, sample, 2)
    np.testing.assert_array_equal(weighted.colors, sample.colors)
    assert np.ptp(weighted.counts / sample.counts) > 3
    ratios = dict(zip(map(bytes, whole.colors), weigh_by_flatness(pixels, whole, 2).counts / whole.counts, strict=True))
    expected = [ratios[bytes(color)] for color in sample.colors]
    np.testing.assert_allclose(weighted.counts / sample.counts, expected, atol=1)


def small_red_on_noise(seed: int) -> Array:
    """A square of one red, 12 x 12 pixels, on noise of 300 x 300."""
    picture = np.random.default_rng(seed).normal((80, 120, 100), 45, (300, 300, 3))
    picture[150:162, 200:212] = (210, 30, 30)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_a_small_red_thing_keeps_its_red(effort: str) -> None:
    """Of 180 in the pictures; eight colours leave 100 to 140 with flatness, by the minimum that noise leads to."""
    redness: dict[str, list[int]] = {"pixels": [], "flatness": []}
    for seed in range(4):
        picture = small_red_on_noise(seed)
        for weighting, found in redness.items():
            red, green, blue = kmc.compress(picture, 10, weighting=weighting, effort=effort).image[155, 205].astype(int)
            found.append(red - max(green, blue))
    assert max(redness["pixels"]) < 60
    assert min(redness["flatness"]) > 120


def test_plain_counts_have_the_least_error(china: Array) -> None:
    plain, flat = (kmc.compress(china, 16, weighting=weighting) for weighting in ("pixels", "flatness"))
    assert plain.mse < flat.mse < 1.2 * plain.mse
    assert kmc.compress(china, 16).to_bytes() == plain.to_bytes()


def test_the_same_bytes_for_any_threads(isa: str) -> None:
    picture = photograph(200, 300, 3)
    results = [kmc.compress(picture, 12, weighting="flatness", threads=threads).to_bytes() for threads in (1, 2, 5)]
    assert results[0] == results[1] == results[2]
    assert hash(results[0]) == SAME.setdefault("bytes", hash(results[0])), isa


SAME: dict[str, int] = {}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_few_colours_stay_exact(channels: int) -> None:
    assert kmc.compress(few_colors(60, 70, 9, channels), 9, weighting="flatness").lossless


def test_a_word_that_is_no_weighting() -> None:
    with pytest.raises(kmc.errors.KmcValueError, match="'pixels', 'flatness', got 'saliency'"):
        kmc.compress(photograph(9, 9, 3), 4, weighting="saliency")


GROUND, CARD = (39, 40, 34), (250, 250, 252)


def screen(channels: int = 3) -> Array:
    """A page: a ground with a card, and noise where the text would be."""
    pixels = np.full((200, 240, 3), GROUND, dtype=np.uint8)
    pixels[40:160, 40:120] = CARD
    pixels[60:140, 140:200] = np.random.default_rng(0).integers(40, 251, (80, 60, 1), dtype=np.uint8)
    if channels == 1:
        return np.ascontiguousarray(pixels[..., :1])
    return pixels if channels == 3 else np.dstack([pixels, np.full((200, 240), 255, dtype=np.uint8)])


def near_palette(channels: int) -> Array:
    """Entries that lie a level beside the ground and the card, and two of the noise."""
    colors = np.array([(40, 40, 33), (249, 250, 252), (110, 110, 110), (180, 180, 180)], dtype=np.uint8)
    if channels == 1:
        return np.array([[40], [249], [110], [180]], dtype=np.uint8)
    return colors if channels == 3 else np.column_stack([colors, np.full(4, 255, dtype=np.uint8)])


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_inside_flat_areas_count_thrice(channels: int) -> None:
    pixels = screen(channels)
    histogram = ColorHistogram.from_pixels(pixels)
    weighted = with_flat_areas(pixels, histogram, 2)
    np.testing.assert_array_equal(weighted.colors, histogram.colors)
    grown = weighted.counts / histogram.counts
    is_area = (histogram.colors == GROUND[:channels]).all(axis=1) | (histogram.colors == CARD[:channels]).all(axis=1)
    np.testing.assert_allclose(grown[is_area], FLAT_WEIGHT, rtol=0.05)
    assert (grown[~is_area] == 1).all()


def test_flat_colours_are_added_to_a_sample() -> None:
    pixels = screen()
    sample = ColorHistogram(np.array([[41, 41, 34], [128, 128, 128]], dtype=np.uint8), np.array([900, 100]))
    weighted = with_flat_areas(pixels, sample, 1)
    assert {bytes(color) for color in weighted.colors} == {
        bytes([41, 41, 34]),
        bytes([128] * 3),
        *map(bytes, (GROUND, CARD)),
    }
    assert weighted.n_pixels == pytest.approx(1000 + 2 * 1000 * 0.88, rel=0.03)  # of its pixels 0.88 are inside areas


def test_pictures_without_flat_areas_stay_as_they_are() -> None:
    pixels = photograph(120, 100, 3)
    pixels[10:30, 10:50] = 255  # a clipped light
    histogram = ColorHistogram.from_pixels(pixels)
    assert with_flat_areas(pixels, histogram, 1) is histogram


@pytest.mark.parametrize(
    ("channels", "dither", "is_weighted"), [(3, 0.8, True), (1, 0.8, True), (3, 0, False), (4, 0.8, False)]
)
def test_flat_areas_weigh_where_a_palette_dithers(channels: int, dither: float, is_weighted: bool) -> None:
    """With alpha the preset has weights of its own, and without dithering the promise is the least MSE."""
    pixels = screen(channels)
    settings = checked_settings(16, "exact", None, "balanced", None, dither, None, 0, 1)
    histogram, sample = weighted_count(pixels, pixels, settings)
    assert histogram is not None
    assert histogram.n_pixels == 200 * 240
    assert (sample.n_pixels > 2 * 200 * 240) == is_weighted


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_entries_of_flat_areas_become_exact(space: str, channels: int) -> None:
    pixels, palette = screen(channels), Palette(near_palette(channels))
    exact = with_flat_colors(palette, pixels, ColorHistogram.from_pixels(pixels), space, 2)
    expected = near_palette(channels)
    expected[0], expected[1] = pixels[0, 0], pixels[50, 50]
    assert sorted(exact.colors.tolist()) == sorted(expected.tolist())


def test_the_larger_of_two_areas_has_the_entry() -> None:
    pixels = screen()
    pixels[170:190, 10:60] = (36, 36, 30)
    palette = Palette(near_palette(3))
    exact = with_flat_colors(palette, pixels, ColorHistogram.from_pixels(pixels), "oklab", 2)
    assert GROUND in [tuple(color) for color in exact.colors.tolist()]


def test_what_is_not_flat_in_the_main_keeps_its_entries() -> None:
    pixels = photograph(120, 160)
    pixels[:12, :12] = pixels[0, 0]
    palette = Palette.from_colors(pixels[::40, ::40].reshape(-1, 3))
    assert with_flat_colors(palette, pixels, ColorHistogram.from_pixels(pixels), "oklab", 2) is palette


def test_fixed_entries_stay_and_none_is_lost() -> None:
    pixels = screen()
    histogram = ColorHistogram.from_pixels(pixels)
    palette = Palette(np.concatenate([near_palette(3), [GROUND]]).astype(np.uint8))
    exact = with_flat_colors(palette, pixels, histogram, "srgb", 2, n_fixed=1)
    np.testing.assert_array_equal(exact.colors[0], palette.colors[0])
    assert len(np.unique(exact.colors, axis=0)) == len(palette)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2), (3, 3)])
def test_tiny_pictures_have_flat_colors_too(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 7, dtype=np.uint8)
    palette = Palette(np.array([[8, 8, 8]], dtype=np.uint8))
    exact = with_flat_colors(palette, pixels, ColorHistogram.from_pixels(pixels), "srgb", 1)
    assert exact.colors.tolist() == ([[7, 7, 7]] if shape == (3, 3) else [[8, 8, 8]])


@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_flat_areas_of_a_dithered_screen_are_exact(effort: str) -> None:
    pixels = screen()
    shown = kmc.compress(pixels, 6, preset="looks", effort=effort).image
    np.testing.assert_array_equal(shown[:38], pixels[:38])
    np.testing.assert_array_equal(shown[42:158, 42:118], pixels[42:158, 42:118])
