"""kmc.kmeans against scikit-learn, and what must hold of it."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import kmc
from kmc import _reference  # fmt: skip

Array = NDArray[Any]


def inertia_of(points: Array, centroids: Array, labels: Array, weights: Array | None = None) -> float:
    errors = np.square(points.astype(np.float64) - centroids.astype(np.float64)[labels]).sum(axis=1)
    return float(errors.sum() if weights is None else errors @ weights)


def compare_with_scikit_learn(points: Array, weights: Array | None, init: Array, algorithm: str) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    k = len(init)
    theirs = cluster.KMeans(k, init=init, n_init=1, tol=0, max_iter=2000, algorithm=algorithm)
    theirs.fit(points.astype(np.float64), sample_weight=weights)
    ours = {
        name: kmc.kmeans(points, k, weights=weights, init=init, tol=0, num_iterations=2000, algorithm=name)
        for name in ("lloyd", "elkan")
    }
    lloyd, elkan = ours["lloyd"], ours["elkan"]
    np.testing.assert_array_equal(lloyd.labels, elkan.labels)
    np.testing.assert_array_equal(lloyd.centroids, elkan.centroids)
    assert lloyd.n_iter == elkan.n_iter
    assert lloyd.inertia == elkan.inertia
    assert lloyd.converged

    expected = inertia_of(points, theirs.cluster_centers_, theirs.labels_, weights)
    assert lloyd.inertia == pytest.approx(expected, rel=1e-6)
    assert lloyd.inertia == pytest.approx(inertia_of(points, lloyd.centroids, lloyd.labels, weights))
    assert (lloyd.labels == theirs.labels_).mean() >= 0.9999


# Colours are whole numbers, so many are as far from two centroids, exactly. scikit-learn's lloyd takes the mean off and
# multiplies matrices, which breaks ties by rounding errors and leads it elsewhere than its own elkan, used here.
@pytest.mark.parametrize("k", [16, 64])
def test_equals_scikit_learn_on_a_photograph(china: Array, k: int) -> None:
    points = china.reshape(-1, 3)[::4]
    colors = np.unique(points, axis=0)
    init = colors[np.random.default_rng(k).choice(len(colors), k, replace=False)]
    compare_with_scikit_learn(points, None, init.astype(np.float64), "elkan")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [2, 7, 50])
@pytest.mark.parametrize("d", [1, 2, 3, 8, 32])
def test_equals_scikit_learn_on_random_data(d: int, k: int, dtype: str, weighted: bool) -> None:
    rng = np.random.default_rng([d, k])
    points = rng.random((8000, d)).astype(dtype)
    weights = rng.random(8000) + 0.1 if weighted else None
    init = points[rng.choice(8000, k, replace=False)].astype(np.float64)
    compare_with_scikit_learn(points, weights, init, "lloyd")


def test_the_documented_stop_rules() -> None:
    points = np.random.default_rng(0).random((3000, 2))
    init = points[:20]
    assert kmc.kmeans(points, 20, init=init, num_iterations=1).n_iter == 1
    assert not kmc.kmeans(points, 20, init=init, num_iterations=3, tol=0).converged
    loose, tight = (kmc.kmeans(points, 20, init=init, tol=tol) for tol in (1e-2, 1e-6))
    assert loose.converged
    assert tight.converged
    assert loose.n_iter < tight.n_iter
    assert tight.inertia < loose.inertia


def test_a_number_of_rounds_is_the_textbook_algorithm(china: Array) -> None:
    points = china.reshape(-1, 3)[::50]
    init = points[:12].astype(np.float64)
    for rounds in (1, 2, 5, 20):
        ours = kmc.kmeans(points, 12, init=init, num_iterations=rounds, tol=0)
        centroids, labels = _reference.kmeans(points, None, init, rounds)
        np.testing.assert_allclose(ours.centroids, centroids, rtol=1e-13)
        np.testing.assert_array_equal(ours.labels, labels)


def test_inertia_never_rises(flower: Array) -> None:
    points = flower.reshape(-1, 3)[::20]
    inertias = [kmc.kmeans(points, 32, init="random", num_iterations=rounds, tol=0).inertia for rounds in range(1, 25)]
    assert all(after <= before * (1 + 1e-12) for before, after in itertools.pairwise(inertias))


def test_a_converged_result_is_a_fixed_point(flower: Array) -> None:
    points = flower.reshape(-1, 3)[::20]
    result = kmc.kmeans(points, 32, tol=0, num_iterations=2000)
    assert result.converged
    centroids, labels = _reference.kmeans(points, None, result.centroids, 1)
    np.testing.assert_array_equal(labels, result.labels)
    np.testing.assert_allclose(centroids, result.centroids, rtol=1e-13)


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_same_bytes_for_any_threads_and_instruction_set(dtype: str, algorithm: str) -> None:
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(30000, 5)) * 40 + 128).clip(0, 255).astype(dtype)
    weights = rng.random(30000)
    results = []
    for name in kmc.instruction_sets():
        kmc._isa.use(name)
        results += [
            kmc.kmeans(points, 24, weights=weights, threads=threads, algorithm=algorithm, num_iterations=20)
            for threads in (1, 2, 3, 7)
        ]
    kmc._isa.use(kmc.instruction_sets()[0])
    for result in results[1:]:
        assert result.centroids.tobytes() == results[0].centroids.tobytes()
        assert result.labels.tobytes() == results[0].labels.tobytes()
        assert result.inertia == results[0].inertia


@settings(max_examples=40, deadline=None)
@given(
    points=hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.integers(-50, 50)),
    data=st.data(),
)
def test_weights_equal_repeats(points: Array, data: st.DataObject) -> None:
    n = len(points)
    repeats = data.draw(hnp.arrays(np.int64, n, elements=st.integers(1, 4)))
    k = data.draw(st.integers(1, n))
    weighted = kmc.kmeans(points, k, weights=repeats, init=points[:k], num_iterations=3, tol=0)
    repeated = kmc.kmeans(np.repeat(points, repeats, axis=0), k, init=points[:k], num_iterations=3, tol=0)
    if len(np.unique(points[:k], axis=0)) == k and len(np.unique(weighted.labels)) == k:
        np.testing.assert_allclose(weighted.centroids, repeated.centroids, rtol=1e-9, atol=1e-9)
        assert weighted.inertia == pytest.approx(repeated.inertia, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    # Thousandths: subnormal products would be rounded otherwise.
    points=hnp.arrays(
        np.float64, st.tuples(st.integers(3, 60), st.integers(1, 3)), elements=st.integers(-(10**6), 10**6).map(float)
    ).map(lambda points: points / 1000),
    k=st.integers(1, 3),
    exponent=st.integers(-8, 8),
)
def test_scaled_weights_change_nothing(points: Array, k: int, exponent: int) -> None:
    weights = np.random.default_rng(len(points)).random(len(points)) + 0.5
    plain = kmc.kmeans(points, k, weights=weights)
    scaled = kmc.kmeans(points, k, weights=weights * 2.0**exponent)
    np.testing.assert_array_equal(plain.labels, scaled.labels)
    np.testing.assert_array_equal(plain.centroids, scaled.centroids)
    assert scaled.inertia == plain.inertia * 2.0**exponent


@settings(max_examples=60, deadline=None)
@given(
    points=hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.integers(-20, 20)),
    init=st.sampled_from(["random", "k-means++"]),
    algorithm=st.sampled_from(["lloyd", "elkan"]),
    data=st.data(),
)
def test_as_many_clusters_as_distinct_points_is_exact(points: Array, init: str, algorithm: str, data: Any) -> None:
    n_distinct = len(np.unique(points, axis=0))
    k = data.draw(st.integers(n_distinct, len(points)))
    result = kmc.kmeans(points, k, init=init, tol=0, algorithm=algorithm)
    assert result.inertia == pytest.approx(0, abs=1e-12)
    assert np.isfinite(result.centroids).all()


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
@pytest.mark.parametrize("weighted", [False, True])
def test_empty_clusters_get_the_points_of_most_error(algorithm: str, weighted: bool) -> None:
    points = np.array([[0.0], [0.1], [0.2], [50.0], [100.0]])
    weights = np.array([1.0, 1.0, 1.0, 1.0, 0.1]) if weighted else None
    far = [[0.1], [1e4], [-1e4]]
    result = kmc.kmeans(points, 3, weights=weights, init=far, num_iterations=1, tol=0, algorithm=algorithm)
    assert 100.0 in result.centroids
    assert 50.0 in result.centroids
    assert result.inertia < 0.03


def test_fractional_weights_leave_no_phantom_cluster() -> None:
    """Weights that went in and out again leave rounding errors; they must not pass for a cluster."""
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(size=(300, 1)), [[5.0]], [[-5.0]]])
    weights = rng.random(302) / 3
    result = kmc.kmeans(points, 30, weights=weights, init=np.linspace(-40, 40, 30)[:, None], tol=0)
    assert np.isfinite(result.centroids).all()
    assert np.abs(result.centroids).max() <= np.abs(points).max() + 1e-12
    assert len(np.unique(result.labels)) == 30


def test_n_init_keeps_the_best() -> None:
    points = np.random.default_rng(0).random((500, 2))
    single = [kmc.kmeans(points, 12, init="random", seed=seed).inertia for seed in range(3)]
    best = kmc.kmeans(points, 12, init="random", n_init=8)
    assert best.inertia <= kmc.kmeans(points, 12, init="random").inertia
    assert len(set(single)) > 1


def test_k_means_plus_plus_spreads_its_centroids() -> None:
    """Three far groups, of which one is a single point of little weight: random starts miss it, k-means++ does not."""
    points = np.concatenate([np.zeros((500, 2)), np.full((500, 2), 100.0), [[0.0, 1e5]]])
    for seed in range(10):
        result = kmc.kmeans(points, 3, seed=seed, num_iterations=1)
        assert result.inertia == 0
    assert any(kmc.kmeans(points, 3, init="random", seed=seed, num_iterations=1).inertia > 0 for seed in range(10))


def test_weights_steer_the_random_start() -> None:
    points = np.arange(100.0)[:, None]
    weights = np.where(np.arange(100) < 3, 1.0, 0.0)
    result = kmc.kmeans(points, 3, weights=weights, init="random", num_iterations=1, tol=0)
    assert sorted(result.centroids.ravel()) == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["int16", "int64", "uint16", "float16", "bool"])
def test_other_types_are_converted(dtype: str) -> None:
    points = np.array([[0, 0], [1, 1], [1, 0]], dtype=dtype)
    result = kmc.kmeans(points, 3)
    assert result.inertia == 0
    assert result.centroids.dtype == np.float64
    assert result.labels.dtype == np.int32


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e20, 1e30])
def test_float32_of_extreme_size_is_clustered_in_float64(scale: float) -> None:
    rng = np.random.default_rng(0)
    points = (np.concatenate([rng.random((50, 2)), rng.random((50, 2)) + 9]) * scale).astype(np.float32)
    labels = kmc.kmeans(points, 2).labels
    assert (labels[:50] == labels[0]).all()
    assert (labels[50:] != labels[0]).all()


def test_points_may_be_a_strided_view() -> None:
    points = np.random.default_rng(0).random((200, 6))
    view = points[::2, ::3]
    result, copied = kmc.kmeans(view, 4), kmc.kmeans(view.copy(), 4)
    np.testing.assert_array_equal(result.labels, copied.labels)


def test_auto_gives_what_the_named_algorithms_give() -> None:
    points = np.random.default_rng(0).random((3000, 20))
    results = [kmc.kmeans(points, 40, algorithm=name) for name in ("auto", "lloyd", "elkan")]
    for result in results[1:]:
        np.testing.assert_array_equal(result.labels, results[0].labels)


def test_repr_says_what_was_found() -> None:
    text = repr(kmc.kmeans([[0.0], [2.0]], 1))
    assert "k=1" in text
    assert "inertia=2" in text
    assert "converged" in text


def cluster_in_child(queue: Any) -> None:
    points = np.random.default_rng(0).random((20000, 3))
    queue.put((kmc.max_threads(), kmc.kmeans(points, 16, num_iterations=5).inertia))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_after_a_parallel_region_does_not_hang() -> None:
    points = np.random.default_rng(0).random((20000, 3))
    expected = kmc.kmeans(points, 16, num_iterations=5, threads=2).inertia
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=cluster_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == (1, expected)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert sys.is_finalizing() is False


def test_loading_leaves_the_environment_as_it_was() -> None:
    program = "import os, kmc; before = dict(os.environ); kmc.max_threads(); assert dict(os.environ) == before"
    for setting in ({}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}):
        environment = {name: value for name, value in os.environ.items() if "OMP_" not in name}
        subprocess.run([sys.executable, "-c", program], env=environment | setting, check=True)
