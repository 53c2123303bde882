"""Pictures with alpha: k-means under the rule that opaque stays opaque, and dithering by what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from everywhere import everywhere
from numpy.typing import NDArray

import kmc
from kmc import _kernels, alpha_kmeans
from kmc._reference import alpha_cells, alpha_labels
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


def histogram_of(pixels: Pixels) -> ColorHistogram:
    histogram = ColorHistogram.from_pixels(pixels, 1)
    shown = histogram.colors[:, 3] > 0
    return ColorHistogram(histogram.colors[shown], histogram.counts[shown])


def fitted(histogram: ColorHistogram, k: int, space: str = "srgb", **options: Any) -> alpha_kmeans.AlphaFit:
    settings: dict[str, Any] = {"trials": 8, "rounds": 100, "tol": 0.0, "coarse_tol": 1e-3, "threads": 2}
    return fit_alpha(histogram.colors, histogram.counts, space, k, **(settings | options))


def weighted_points(n: int, spread: int, seed: int = 0) -> tuple[Array, Array]:
    """Points in lumps, some of them the same, and weights."""
    rng = np.random.default_rng(seed)
    lumps = rng.integers(0, 1700, size=(20, 4))
    points = lumps[rng.integers(20, size=n)] + rng.integers(-spread, spread + 1, size=(n, 4))
    return np.clip(points, 0, 1785).astype(np.int16), rng.integers(1, 1 << 20, size=n)


NO_LOW = np.zeros(4, dtype=np.int16)


@pytest.mark.parametrize("shift", [-1, 0, 7, 20, 31])
def test_cells_are_the_means_of_what_shares_a_key(shift: int) -> None:
    points, weights = weighted_points(3000, 12)
    for n_soft in (0, 1100, 3000):
        ordered = _kernels.AlphaPoints(points, weights, n_soft, NO_LOW, 2)
        cells = ordered.cells(shift)
        expected = []
        for kind in (slice(n_soft), slice(n_soft, None)):
            if shift < 0:
                expected.append(sorted(zip(points[kind].tolist(), weights[kind].tolist(), strict=True)))
            else:
                means = alpha_cells(points[kind], weights[kind], NO_LOW, shift).values()
                expected.append(sorted((mean.tolist(), weight) for mean, weight in means))
        assert (cells.n_soft, len(cells)) == (len(expected[0]), len(expected[0]) + len(expected[1]))
        if shift >= 0:
            apart = int(ordered.splits()[shift:].sum()) + (0 < n_soft < 3000) + 1
            assert apart == len(cells)
        labels = np.empty(len(cells), dtype=np.int32)
        everything = [*expected[0], *expected[1]]
        sums = cells.round(np.zeros((1, 4), dtype=np.int16), 0, labels, 1)[0]
        assert sums[4] == weights.sum()
        np.testing.assert_array_equal(sums[:4], sum(np.array(mean) * weight for mean, weight in everything))
        assert cells.squares == sum(int(np.square(mean).sum()) * weight for mean, weight in everything)


@pytest.mark.parametrize("k", [1, 2, 5, 16, 17, 33, 200])
def test_labels_are_those_of_all_distances(k: int, isa: str) -> None:
    for n, spread in ((1000, 3), (1, 0), (63, 300), (65, 900)):  # with many ties, and in wide blocks
        points, weights = weighted_points(n, spread, seed=k)
        centroids = np.concatenate([points, np.zeros((k, 4), dtype=np.int16)])[:k].copy()
        for n_soft, n_opaque in ((n, 0), (n // 3, k // 2), (n // 3, min(k, 3)), (0, k)):
            cells = _kernels.AlphaPoints(points, weights, n_soft, NO_LOW, 1).cells(-1)
            labels = np.empty(n, dtype=np.int32)
            sums = cells.round(centroids, n_opaque, labels, 3)
            order = np.concatenate([order_of(points[:n_soft]), n_soft + order_of(points[n_soft:])])
            expected = alpha_labels(points[order], centroids, n_soft, n_opaque)
            np.testing.assert_array_equal(labels, expected)
            for j in range(k):
                own = order[expected == j]
                np.testing.assert_array_equal(sums[j, :4], weights[own] @ points[own].astype(np.int64))
                assert sums[j, 4] == weights[own].sum()


def order_of(points: Array) -> Array:
    """The Z-order of points, of equal ones as they come."""
    keys = np.zeros(len(points), dtype=np.int64)
    for bit in range(32):
        keys |= (points[:, 3 - bit % 4].astype(np.int64) >> 3 + bit // 4 & 1) << bit
    order: Array = np.argsort(keys, kind="stable")
    return order


@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize("k", [2, 9, 40])
def test_a_fit_is_a_fixed_point_under_the_rule(k: int, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpha_kmeans, "FEW_COLORS", 1 << 20)
    histogram = histogram_of(feathered())
    colors, weights = histogram.colors, histogram.counts
    fit = fitted(histogram, k, space, rounds=1000)
    assert fit.converged
    assert 1 <= fit.n_opaque < k
    first, n_soft = k - fit.n_opaque, int(np.count_nonzero(colors[:, 3] < 255))
    points = points_of_pixels(colors, space, 0, 1).astype(float)
    centroids = fit.centroids / alpha_kmeans.SCALES[space] + alpha_kmeans.ZEROS[space]
    labels = alpha_labels(points, np.rint(centroids).astype(np.int64), n_soft, fit.n_opaque)
    np.testing.assert_allclose(centroids[first:, 3], points[-1, 3], atol=1e-6)
    for j in range(k):
        mean = np.average(points[labels == j], axis=0, weights=weights[labels == j])
        mean[3] = points[-1, 3] if j >= first else mean[3]
        np.testing.assert_allclose(centroids[j], mean, atol=1e-6)
    exact = points_of(colors, space)
    inertia = (weights * np.square(exact - fit.centroids[labels]).sum(axis=1)).sum()
    assert fit.inertia == pytest.approx(inertia, rel=0.02)  # of points that are rounded to eighths of a level


def test_the_search_lowers_the_inertia() -> None:
    histograms = [histogram_of(feathered(seed=seed)) for seed in range(3)]
    found = [sum(fitted(each, 40, trials=trials).inertia for each in histograms) for trials in (0, 24, 100)]
    assert found[1] < 0.993 * found[0]
    assert found[2] < found[1]


def test_without_opaque_points_it_is_as_good_as_kmeans() -> None:
    pixels = feathered()
    pixels[..., 3] = np.minimum(pixels[..., 3], 254)
    histogram = histogram_of(pixels)
    points, weights = points_of(histogram.colors), histogram.counts.astype(np.float64)
    best = min(kmeans(points, 16, weights=weights, seed=seed).inertia for seed in range(3))
    assert fitted(histogram, 16, trials=50).inertia < 1.01 * best


def test_many_colours_are_searched_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    histogram = histogram_of(feathered(120, 180))
    whole = fitted(histogram, 12, trials=24)
    for name, value in (("FEW_COLORS", 100), ("FEW_CELLS", 300), ("MANY_CELLS", 2000)):
        monkeypatch.setattr(alpha_kmeans, name, value)
    sizes = [len(cloud) for cloud in alpha_kmeans._clouds(histogram.colors, histogram.counts, "srgb", 12, 1)]
    assert len(sizes) == 3
    assert sizes[0] <= 301
    assert sizes[1] <= 2001
    assert sizes[2] <= len(histogram)
    assert fitted(histogram, 12, trials=24).inertia < 1.02 * whole.inertia


def test_any_number_of_threads_and_instruction_set() -> None:
    pixels = feathered(150, 300)
    assert len(histogram_of(pixels)) > alpha_kmeans.FEW_COLORS
    everywhere(lambda threads: kmc.compress(pixels, 24, threads=threads))


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
    for space, scale in (("srgb", 2040 / (510 * 255)), ("oklab", 8), ("ycc", 8)):
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
    same = kmc.compress(pixels, 16, preset="looks", dither=0.7)
    np.testing.assert_array_equal(looks.indices, same.indices)
    for space in ("srgb", "oklab"):
        other = kmc.compress(pixels, 16, preset="looks", space=space)
        assert (looks.palette.colors != other.palette.colors).any()
    plain = kmc.compress(pixels, 16, preset="looks", dither=0)
    assert worst_mse(pixels, plain.image) < worst_mse(pixels, looks.image)
