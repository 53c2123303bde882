"""Pictures with alpha: k-means under the rule that opaque stays opaque, and dithering by what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import kmc
from kmc import _kernels, alpha_kmeans
from kmc.alpha_kmeans import fit_alpha
from kmc.colorspace import points_of
from kmc.dither import FLAT, points_of_pixels, targets_of
from kmc.histogram import ColorHistogram
from kmc.kmeans import kmeans
from kmc.metrics.backgrounds import pairs_on_backgrounds
from kmc.palette import Palette

Pixels = NDArray[np.uint8]
Array = NDArray[Any]


def feathered(height: int = 60, width: int = 90, seed: int = 0) -> Pixels:
    """A coloured ramp with noise whose alpha falls off, few pixels of which are opaque."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 30, size=(height, width, 3))
    colors = np.stack([x * 220 / width, 0 * x + 90, y * 220 / height], axis=2) + noise
    alpha = np.clip(310 - 300 * np.hypot(y / height - 0.5, x / width - 0.5) * 2, 0, 255)
    return np.concatenate([colors, alpha[..., np.newaxis]], axis=2).astype(np.uint8)


def shadowed(size: int = 64) -> Pixels:
    """A flat opaque square with a soft shadow below it, on nothing."""
    y, x = np.mgrid[:size, :size]
    pixels = np.zeros((size, size, 4), dtype=np.uint8)
    pixels[..., 3] = np.clip(200 - 12 * np.hypot(y - size / 2 - 6, x - size / 2), 0, 120)
    pixels[size // 4 : size * 5 // 8, size // 4 : size * 3 // 4] = (200, 60, 20, 255)
    return pixels


def worst_mse(original: Pixels, result: Pixels) -> float:
    return max(float(np.square(a - b.astype(float)).mean()) for a, b in pairs_on_backgrounds(original, result))


def points_and_weights(pixels: Pixels, space: str) -> tuple[Array, Array, int]:
    histogram = ColorHistogram.from_pixels(pixels, 1)
    shown = histogram.colors[:, 3] > 0
    colors, weights = histogram.colors[shown], histogram.counts[shown].astype(np.float64)
    return points_of(colors, space), weights, int(np.count_nonzero(colors[:, 3] == 255))


def nearest_of(points: Array, centroids: Array) -> Array:
    """The labels of ``alpha_kmeans.h``, in float32."""
    dist2 = np.zeros((len(points), len(centroids)), dtype=np.float32)
    for t in range(4):
        dist2 += np.square(points[:, t, np.newaxis] - centroids[:, t].astype(np.float32))
    labels: Array = dist2.argmin(axis=1)
    return labels


def fitted(points: Array, weights: Array, n_opaque: int, k: int, **options: Any) -> alpha_kmeans.AlphaFit:
    settings: dict[str, Any] = {"trials": 8, "rounds": 100, "tol": 0.0, "coarse_tol": 1e-3, "threads": 2}
    return fit_alpha(points, weights, n_opaque, k, **(settings | options))


@pytest.mark.parametrize("k", [1, 2, 5, 31, 32, 33, 200])
def test_labels_are_those_of_all_distances(k: int) -> None:
    rng = np.random.default_rng(k)
    points = rng.integers(-40, 40, size=(5000, 4)).astype(np.float32)  # so many ties
    centroids = rng.integers(-40, 40, size=(k, 4)).astype(np.float64)
    columns = np.full((4, k + _kernels.ALPHA_BLOCK), np.inf, dtype=np.float32)
    columns[:, :k] = centroids.T
    for first in {0, k // 3, k - 1}:
        labels = np.full(len(points), -1, dtype=np.int32)
        _kernels.alpha_labels(points, columns, first, k, labels, 2)
        np.testing.assert_array_equal(labels, first + nearest_of(points, centroids[first:]))


@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize("k", [2, 9, 40])
def test_a_fit_is_a_fixed_point_under_the_rule(k: int, space: str) -> None:
    points, weights, n_opaque = points_and_weights(feathered(), space)
    fit = fitted(points, weights, n_opaque, k, rounds=1000)
    assert fit.converged
    assert 1 <= fit.n_opaque < k
    first, n_soft = k - fit.n_opaque, len(points) - n_opaque
    labels = nearest_of(points, fit.centroids)
    labels[n_soft:] = first + nearest_of(points[n_soft:], fit.centroids[first:])
    assert (fit.centroids[first:, 3] == points[-1, 3]).all()
    for j in range(k):
        own = labels == j
        mean = np.average(points[own].astype(float), axis=0, weights=weights[own])
        mean[3] = points[-1, 3] if j >= first else mean[3]
        np.testing.assert_allclose(fit.centroids[j], mean, rtol=1e-6, atol=1e-3)
    inertia = (weights * np.square(points.astype(float) - fit.centroids[labels]).sum(axis=1)).sum()
    assert fit.inertia == pytest.approx(inertia, rel=1e-6)


def test_the_search_lowers_the_inertia() -> None:
    points, weights, n_opaque = points_and_weights(feathered(), "srgb")
    found = [fitted(points, weights, n_opaque, 24, trials=trials).inertia for trials in (0, 8, 100)]
    assert found[1] < 0.997 * found[0]
    assert found[2] <= found[1]


def test_without_opaque_points_it_is_as_good_as_kmeans() -> None:
    pixels = feathered()
    pixels[..., 3] = np.minimum(pixels[..., 3], 254)
    points, weights, n_opaque = points_and_weights(pixels, "srgb")
    assert n_opaque == 0
    best = min(kmeans(points, 16, weights=weights, seed=seed).inertia for seed in range(3))
    assert fitted(points, weights, n_opaque, 16, trials=50).inertia < 1.01 * best


def test_many_colours_are_searched_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    points, weights, n_opaque = points_and_weights(feathered(), "srgb")
    whole = fitted(points, weights, n_opaque, 12)
    monkeypatch.setattr(alpha_kmeans, "MOST_CELLS", 700)
    cells = alpha_kmeans._cells(points, weights, n_opaque, 1)
    assert 24 <= len(cells.points) <= 700
    assert cells.weights.sum() == weights.sum()
    assert cells.weights[cells.n_soft :].sum() == weights[len(points) - n_opaque :].sum()
    assert (cells.points[cells.n_soft :, 3] == points[-1, 3]).all()
    assert fitted(points, weights, n_opaque, 12).inertia < 1.05 * whole.inertia


def test_any_number_of_threads() -> None:
    pixels = np.tile(feathered(120, 200), (2, 2, 1))
    pixels[..., 0] += np.random.default_rng(0).integers(0, 9, size=pixels.shape[:2], dtype=np.uint8)
    for options in ({}, {"preset": "looks"}):
        one, three = (kmc.compress(pixels, 24, threads=threads, **options) for threads in (1, 3))  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.palette.colors, three.palette.colors)
        np.testing.assert_array_equal(one.indices, three.indices)


def test_few_opaque_pixels_of_many_hues_get_more_than_one_entry() -> None:
    y, x = np.mgrid[:60, :100]
    alpha = np.clip(y * 255 / 56, 0, 255)
    pixels = np.stack([255 * x / 99, 0 * x + 60, 255 - 255 * x / 99, alpha], axis=2).astype(np.uint8)
    with_rule, without = (kmc.compress(pixels, 32, init=init) for init in ("auto", "k-means++"))
    assert 2 <= np.count_nonzero(with_rule.palette.colors[:, 3] == 255) < 24
    assert worst_mse(pixels, with_rule.image) < 0.8 * worst_mse(pixels, without.image)


@pytest.mark.parametrize("options", [{}, {"preset": "looks"}, {"dither": 0.8}, {"dither": "blue-noise"}])
@pytest.mark.parametrize("k", [1, 2, 3, 16])
def test_kinds_of_pixels_stay(k: int, options: dict[str, Any]) -> None:
    for pixels in (feathered(), shadowed()):
        seen = kmc.compress(pixels, k, **options).image
        if k > 2:
            assert (seen[pixels[..., 3] == 0] == 0).all()
        if k > 1:
            assert (seen[pixels[..., 3] == 255, 3] == 255).all()


def test_colour_under_alpha_0_does_not_matter() -> None:
    pixels = shadowed()
    other = pixels.copy()
    other[other[..., 3] == 0, :3] = np.random.default_rng(0).integers(0, 256, size=3)
    for preset in ("exact", "looks"):
        one, two = (kmc.compress(each, 8, preset=preset).image for each in (pixels, other))
        np.testing.assert_array_equal(one, two)


def test_distance_in_dithering_is_that_of_clustering(isa: str) -> None:
    colors = np.random.default_rng(0).integers(0, 256, size=(300, 4), dtype=np.uint8)
    colors[:20, 3] = 255
    for space, scale in (("srgb", 2040 / (510 * 255)), ("oklab", 8)):
        points = points_of_pixels(colors, space, 0, 1).astype(float)
        expected = points_of(colors, space).astype(float) * scale
        for i, j in ((0, 1), (5, 200), (100, 150), (30, 31)):
            apart = np.abs(np.linalg.norm(points[i] - points[j]) - np.linalg.norm(expected[i] - expected[j]))
            assert apart < 3


def test_flat_areas_of_an_entrys_colour_take_no_error(isa: str) -> None:
    pixels = shadowed()
    pixels[2:9, 2:9] = (10, 20, 30, 100)
    palette = Palette(np.array([[0, 0, 0, 0], [200, 60, 20, 255], [10, 20, 30, 100], [10, 20, 30, 90]], dtype=np.uint8))
    targets = targets_of(palette, "srgb", pixels.size, 1)
    points = np.empty(pixels.shape, dtype=np.int16)
    _kernels.points_of_picture(pixels, targets, kmc.colorspace.LINEAR, 1638, points, 1)
    same = np.zeros(pixels.shape[:2], dtype=bool)
    same[3:8, 3:8] = True
    assert (points[..., 3][same] == 7 * 100 + FLAT).all()
    assert (points[2, 2:9, 3] == 7 * 100).all()
    assert points[20, 32, 3] == 7 * 255 + FLAT
    assert points[50, 32, 3] < FLAT  # in the shadow, which is no entry's


def test_presets_have_settings_for_alpha() -> None:
    pixels = feathered()
    looks = kmc.compress(pixels, 16, preset="looks")
    same = kmc.compress(pixels, 16, preset="looks", space="srgb", dither=0.6)
    other = kmc.compress(pixels, 16, preset="looks", space="oklab")
    np.testing.assert_array_equal(looks.indices, same.indices)
    assert (looks.palette.colors != other.palette.colors).any()
    plain = kmc.compress(pixels, 16, preset="looks", dither=0)
    assert worst_mse(pixels, plain.image) < worst_mse(pixels, looks.image)
