"""Silhouettes and their like against scikit-learn, with points written out as often as they weigh."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kmc
from kmc.errors import KmcTypeError, KmcValueError
from kmc.selection.cluster_scores import Clusters, calinski_harabasz, davies_bouldin

metrics = pytest.importorskip("sklearn.metrics")


def blobs(n: int, d: int, k: int, dtype: str, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    points = rng.uniform(40, 200, (k, d))[labels] + rng.normal(0, 15, (n, d))
    return np.clip(points, 0, 255).astype(dtype), labels


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(("n", "d", "k"), [(40, 1, 2), (333, 3, 5), (1025, 3, 9), (200, 17, 4), (64, 3, 63)])
def test_silhouette(isa: str, n: int, d: int, k: int, dtype: str) -> None:
    points, labels = blobs(n, d, k, dtype)
    expected = metrics.silhouette_score(points.astype(np.float64), labels)
    assert kmc.silhouette_score(points, labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_weights_are_repetitions(dtype: str) -> None:
    points, labels = blobs(300, 3, 6, dtype)
    labels[labels == 5] = 4
    labels[0] = 5  # alone in its cluster, or several times the same point
    for first in (1, 4):
        weights = np.random.default_rng(1).integers(1, 6, 300)
        weights[0] = first
        rows, own = np.repeat(points, weights, axis=0).astype(np.float64), np.repeat(labels, weights)
        expected = metrics.silhouette_score(rows, own)
        assert kmc.silhouette_score(points, labels, weights=weights) == pytest.approx(expected, abs=1e-6)
        clusters = Clusters(points, labels, weights.astype(np.float64), 2)
        assert calinski_harabasz(clusters) == pytest.approx(metrics.calinski_harabasz_score(rows, own), rel=1e-9)
        assert davies_bouldin(clusters) == pytest.approx(metrics.davies_bouldin_score(rows, own), rel=1e-9)


def test_points_without_weight_do_not_count() -> None:
    points, labels = blobs(100, 2, 3, "float64")
    weights = np.ones(100)
    weights[50:] = 0
    assert kmc.silhouette_score(points, labels, weights=weights) == kmc.silhouette_score(points[:50], labels[:50])


def test_any_labels_and_far_away_points() -> None:
    points, labels = blobs(200, 3, 3, "float64")
    expected = kmc.silhouette_score(points, labels)
    assert kmc.silhouette_score(points + 1e6, labels * 100 - 7) == pytest.approx(expected, abs=1e-6)


def test_identical_points() -> None:
    assert kmc.silhouette_score(np.zeros((6, 2)), [0, 0, 0, 1, 1, 1]) == 0


def test_the_same_everywhere(isa: str) -> None:
    points, labels = blobs(2000, 3, 7, "uint8")
    found = {kmc.silhouette_score(points, labels, threads=threads) for threads in (1, 2, 3)}
    assert found == {kmc.silhouette_score(points, labels)}
    assert FIRST.setdefault("silhouette", found) == found


FIRST: dict[str, set[float]] = {}


def test_a_sample_comes_with_its_error() -> None:
    points, labels = blobs(3000, 3, 5, "uint8", seed=3)
    weights = np.random.default_rng(0).integers(1, 50, 3000).astype(np.float64)
    clusters = Clusters(points, labels, weights, 1)
    exact, sampled = clusters.silhouette(), clusters.silhouette(300)
    assert exact.error == 0
    assert 0 < sampled.error < 0.03
    assert abs(sampled.mean - exact.mean) < 3 * sampled.error
    assert clusters.silhouette(600).error < sampled.error
    assert clusters.silhouette(3000) == exact
    assert kmc.silhouette_score(points, labels, weights=weights, sample=300) == sampled.mean


def test_simplified_silhouette() -> None:
    points, labels = blobs(500, 3, 4, "float64")
    means = np.array([points[labels == j].mean(axis=0) for j in range(4)])
    distances = np.linalg.norm(points[:, np.newaxis] - means, axis=2)
    own = distances[np.arange(500), labels]
    distances[np.arange(500), labels] = np.inf
    other = distances.min(axis=1)
    expected = np.mean((other - own) / np.maximum(own, other))
    assert Clusters(points, labels, np.ones(500), 1).simplified_silhouette() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "more", "kind", "words"),
    [
        ([0, 0, 0, 0], {}, KmcValueError, "2 to 3 clusters, got 1"),
        ([0, 1, 2, 3], {}, KmcValueError, "2 to 3 clusters, got 4"),
        ([0, 1, 1], {}, KmcValueError, "one entry for each of the 4"),
        ([0.0, 1.0, 1.0, 0.0], {}, KmcTypeError, "whole numbers"),
        ([0, 1, 1, 0], {"sample": 1}, KmcValueError, "sample must be"),
        ([0, 1, 1, 0], {"weights": [1, 2]}, KmcValueError, "weights"),
    ],
)
def test_bad_input(labels: Any, more: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        kmc.silhouette_score([[0.0], [1.0], [5.0], [6.0]], labels, **more)
