"""weighting="flatness": colours counted by how flat the picture is around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import few_colors, noise, photograph

import kmc
from kmc.flatness import HALF_CONTRAST, MOST_WEIGHT, weigh_by_flatness
from kmc.histogram import ColorHistogram

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


def small_red_on_noise() -> Array:
    """A square of one red, 12 x 12 pixels, on noise of 300 x 300."""
    picture = np.random.default_rng(0).normal((80, 120, 100), 45, (300, 300, 3))
    picture[150:162, 200:212] = (210, 30, 30)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_a_small_red_thing_keeps_its_red(effort: str) -> None:
    picture = small_red_on_noise()
    redness = {}
    for weighting in ("pixels", "flatness"):
        red, green, blue = kmc.compress(picture, 8, weighting=weighting, effort=effort).image[155, 205].astype(int)
        redness[weighting] = red - max(green, blue)
    assert redness["pixels"] < 60  # of 180 in the picture
    assert redness["flatness"] > 120


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
