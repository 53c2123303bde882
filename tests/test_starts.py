"""Where k-means starts: maximin, and the cuts of "wu" and "pca"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import kmc
from kmc.seeding import METHODS, maximin, starting_centroids
from kmc.variance_cuts import MANY_POINTS, variance_cuts

Array = NDArray[Any]
NEW = ("maximin", "wu", "pca")


def clouds(n: int, d: int, dtype: str = "float64", seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    centers = rng.uniform(20, 230, (7, d))
    return np.clip(centers[rng.integers(0, 7, n)] + rng.normal(0, 12, (n, d)), 0, 255).astype(dtype)


def inertia(points: Array, weights: Array, labels: Array) -> float:
    total = 0.0
    for label in np.unique(labels):
        own, w = points[labels == label].astype(np.float64), weights[labels == label, None]
        total += float((w * np.square(own - (w * own).sum(axis=0) / w.sum())).sum())
    return total


def test_the_first_cut_is_the_best_of_all_planes_across_the_axes() -> None:
    points, weights = clouds(300, 3, "uint8"), np.random.default_rng(1).integers(1, 9, 300).astype(np.float64)
    planes = [points[:, axis] <= level for axis in range(3) for level in np.unique(points[:, axis])[:-1]]
    best = min(planes, key=lambda is_low: inertia(points, weights, is_low))
    means = [np.average(points[side], axis=0, weights=weights[side]) for side in (best, ~best)]
    np.testing.assert_allclose(variance_cuts(points, weights, 2, principal=False), means)


def test_pca_cuts_across_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    along, across = rng.normal(0, 50, 2000), rng.normal(0, 3, 2000)
    points = np.stack([along + across, along - across], axis=1)
    low, high = sorted(variance_cuts(points, None, 2, principal=True).tolist())
    assert low == pytest.approx([points[along < 0, t].mean() for t in (0, 1)], rel=0.1)
    assert high == pytest.approx([points[along > 0, t].mean() for t in (0, 1)], rel=0.1)
    # On the axes of coordinates a cut lets the other coordinate in.
    assert variance_cuts(points, None, 2, principal=True)[0, 0] != variance_cuts(points, None, 2, principal=False)[0, 0]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
def test_maximin_is_the_plain_algorithm(dtype: str, weighted: bool) -> None:
    points = clouds(500, 3, dtype)
    weights = np.random.default_rng(2).integers(0, 3, 500).astype(np.float64) if weighted else None
    counted = points if weights is None else points[weights > 0]
    expected = [np.average(points.astype(np.float64), axis=0, weights=weights)]
    for _ in range(9):
        dist2 = np.min([np.square(counted - centroid).sum(axis=1) for centroid in expected], axis=0)
        expected.append(counted[np.argmax(dist2)].astype(np.float64))
    np.testing.assert_allclose(maximin(points, weights, 10), expected)


@pytest.mark.parametrize("method", NEW)
@pytest.mark.parametrize("d", [1, 2, 5, 40])
def test_points_of_any_dimension(method: str, d: int) -> None:
    points = clouds(600, d)
    result = kmc.kmeans(points, 7, init=method)
    random = min(kmc.kmeans(points, 7, init="random", seed=seed).inertia for seed in range(3))
    assert result.inertia <= 1.3 * random
    assert kmc.kmeans(points, 7, init=method, seed=5, n_init=4).inertia == result.inertia  # nothing is drawn


@pytest.mark.parametrize("method", NEW)
def test_the_same_start_for_any_threads_and_instruction_set(method: str, isa: str) -> None:
    points, weights = clouds(50_000, 3, "uint8"), np.random.default_rng(0).integers(1, 50, 50_000).astype(np.float64)
    starts = [starting_centroids(method, points, weights, 20, (0, 0), threads) for threads in (1, 2, 5)]
    for start in starts:
        np.testing.assert_array_equal(start, starts[0])
    assert hash(starts[0].tobytes()) == SAME.setdefault(method, hash(starts[0].tobytes())), isa


SAME: dict[str, int] = {}


@pytest.mark.parametrize("principal", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_cells_stand_for_their_points(d: int, principal: bool) -> None:
    points = clouds(MANY_POINTS + 5000, d, "float32")
    few, many = (variance_cuts(p, None, 7, principal=principal) for p in (points[:MANY_POINTS], points))
    for centroids in (few, many):  # both find the seven clouds, whatever their order
        labels = np.square(points[:, None] - centroids).sum(axis=2).argmin(axis=1)
        assert inertia(points, np.ones(len(points)), labels) < 1.6 * 144 * d * len(points)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_different_points_than_clusters(method: str) -> None:
    points = np.array([[1.0, 2.0]] * 5 + [[3.0, 4.0]] * 5)
    assert kmc.kmeans(points, 4, init=method).inertia == 0
    assert kmc.kmeans(points[:5], 4, init=method).inertia == 0


@pytest.mark.parametrize("method", NEW)
def test_points_of_no_weight_do_not_count(method: str) -> None:
    points, weights = clouds(400, 3), np.ones(400)
    far = np.concatenate([points, np.full((3, 3), 1e6)])
    start = starting_centroids(method, points, weights, 8, (0, 0), 1)
    np.testing.assert_allclose(starting_centroids(method, far, np.append(weights, [0, 0, 0]), 8, (0, 0), 1), start)


@pytest.mark.parametrize("method", NEW)
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_pictures_from_every_start(china: Array, method: str, space: str) -> None:
    picture = china[::3, ::3].copy()
    result, usual = (kmc.compress(picture, 12, init=init, space=space) for init in (method, "k-means++"))
    assert len(result.palette) == 12
    assert result.mse < 1.25 * usual.mse


def test_a_word_that_is_no_start() -> None:
    with pytest.raises(kmc.errors.KmcValueError, match="'maximin', 'wu', 'pca'"):
        kmc.kmeans([[0.0], [1.0]], 2, init="median")
