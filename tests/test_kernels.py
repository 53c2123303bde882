"""Every kernel on every instruction set against the plain reference, bit for bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmc import _kernels, _reference
from kmc._tiles import Tiles, middle
from kmc.kmeans import _Assigner, _Elkan

Array = NDArray[Any]

DTYPES = ["uint8", "float32", "float64"]
# Lengths around the tile (32), the range (1024) and the part (4096).
LENGTHS = [1, 2, 31, 32, 33, 1023, 1025, 4097]


def make_points(n: int, d: int, dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype == "uint8":
        return rng.integers(0, 256, (n, d), dtype=np.uint8)
    return (rng.random((n, d)) * 20 - 10).astype(dtype)


def unaligned(array: Array) -> Array:
    """Give a copy whose data starts one element past any boundary that vectors like."""
    room = np.empty(array.size + 65, dtype=array.dtype)
    skip = (-room.ctypes.data % 64) // array.itemsize + 1
    copy = room[skip : skip + array.size].reshape(array.shape)
    copy[...] = array
    assert copy.ctypes.data % 64 == array.itemsize % 64
    return copy


def assign(points: Array, centroids: Array, threads: int = 1, assigner: type = _Assigner) -> Array:
    labels = np.zeros(len(points), dtype=np.int32)
    assigner(points, centroids, threads).assign(centroids, labels)
    return labels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_assign_equals_the_reference_for_odd_lengths(isa: str, n: int, dtype: str) -> None:
    points = unaligned(make_points(n, 3, dtype))
    centroids = make_points(7, 3, dtype, seed=1).astype(np.float64) + 0.25
    expected = _reference.assign(points, centroids)
    np.testing.assert_array_equal(assign(points, centroids), expected)
    np.testing.assert_array_equal(assign(points, centroids, assigner=_Elkan), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 16, 17, 64, 129])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 15, 16, 17, 33])
def test_assign_equals_the_reference_for_every_shape(isa: str, k: int, d: int, dtype: str) -> None:
    points = make_points(100, d, dtype)
    centroids = make_points(k, d, dtype, seed=1).astype(np.float64)
    expected = _reference.assign(points, centroids)
    np.testing.assert_array_equal(assign(points, centroids), expected)
    np.testing.assert_array_equal(assign(points, centroids, assigner=_Elkan), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_assign_in_4096_dimensions(isa: str, dtype: str) -> None:
    points = make_points(40, 4096, dtype)
    centroids = points[:5].astype(np.float64)
    expected = _reference.assign(points, centroids)
    np.testing.assert_array_equal(assign(points, centroids, threads=2), expected)
    np.testing.assert_array_equal(assign(points, centroids, assigner=_Elkan), expected)


@pytest.mark.parametrize("assigner", [_Assigner, _Elkan])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_index(isa: str, dtype: str, assigner: type) -> None:
    """Every point is as far from several centroids, exactly."""
    grid = np.stack(np.meshgrid(*[np.arange(0, 9)] * 3), axis=-1).reshape(-1, 3).astype(dtype)
    centroids = np.concatenate([grid[::37], grid[::37], grid[::11]]).astype(np.float64)
    expected = _reference.assign(grid, centroids)
    assert len(np.unique(expected)) < len(centroids)
    np.testing.assert_array_equal(assign(grid, centroids, assigner=assigner), expected)


@pytest.mark.parametrize("assigner", [_Assigner, _Elkan])
def test_what_float32_cannot_tell_apart_is_decided_in_float64(isa: str, assigner: type) -> None:
    points = np.full((50, 2), 1000.5, dtype=np.float32)
    centroids = np.array([[1000.0, 1000.5], [1000.0 + 1e-9, 1000.5], [1000.0, 1000.5]])
    np.testing.assert_array_equal(assign(points, centroids, assigner=assigner), np.ones(50))


@pytest.mark.parametrize("assigner", [_Assigner, _Elkan])
@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1e15, "float32"), (1e-14, "float32"), (1e149, "float64"), (1e-140, "float64")],
)
def test_extreme_sizes(isa: str, scale: float, dtype: str, assigner: type) -> None:
    points = (make_points(200, 3, "float64") / 10 * scale).astype(dtype)
    centroids = points[:9].astype(np.float64)
    np.testing.assert_array_equal(assign(points, centroids, assigner=assigner), _reference.assign(points, centroids))


@pytest.mark.parametrize("dtype", DTYPES)
def test_elkan_follows_moving_centroids(isa: str, dtype: str) -> None:
    """The bounds are carried over rounds in which centroids creep, stay and jump."""
    points = make_points(1500, 4, dtype)
    rng = np.random.default_rng(2)
    centroids = points[:40].astype(np.float64)
    labels = np.zeros(len(points), dtype=np.int32)
    elkan = _Elkan(points, centroids, 2)
    for scale in [1, 0.1, 0.01, 0, 1e-6, 5, 0.001, 0, 0]:
        elkan.assign(centroids, labels)
        np.testing.assert_array_equal(labels, _reference.assign(points, centroids))
        moved = centroids + rng.normal(size=centroids.shape) * scale * rng.integers(0, 2, (40, 1))
        elkan.centroids_moved(centroids, moved)
        centroids = moved


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_distances_equal_the_reference(isa: str, n: int, dtype: str) -> None:
    """And their weighted sums, part by part."""
    points = unaligned(make_points(n, 5, dtype))
    tiles = Tiles(points, middle(points), 2)
    real = tiles.origin.dtype
    rng = np.random.default_rng(0)
    most, weights = (rng.random(n) * 300).astype(real), rng.random(n)
    centroids = make_points(6, 5, "float64").astype(real) - tiles.origin
    for m, used in itertools.product(range(1, 7), (None, weights)):
        dist2, part_sums = np.empty((m, n), dtype=real), np.empty((-(-n // _kernels.PART_SIZE), m))
        _kernels.distances(tiles.array, centroids[:m], most, used, dist2, part_sums, 2)
        expected = _reference.distances(points.astype(real) - tiles.origin, centroids[:m], real)
        np.testing.assert_array_equal(dist2, np.minimum(expected, most))
        sums = dist2.astype(np.float64) @ (np.ones(n) if used is None else used)
        np.testing.assert_allclose(part_sums.sum(axis=0), sums, rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 31, 33, 1025])
def test_tiles_hold_the_points(n: int, dtype: str) -> None:
    points = unaligned(make_points(n, 5, dtype))
    tiles = Tiles(points, middle(points), 2)
    rows = tiles.array.transpose(0, 2, 1).reshape(-1, 6)
    np.testing.assert_array_equal(rows[:n, :5], points.astype(tiles.origin.dtype) - tiles.origin)
    np.testing.assert_array_equal(rows[n:], np.broadcast_to(rows[n - 1], rows[n:].shape))
    lengths = np.linalg.norm(rows[:, :5].astype(np.float64), axis=1)
    assert (rows[:, 5] >= lengths).all()
    np.testing.assert_allclose(rows[:, 5], lengths, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("far", [0.0, 1e3, 1e6])
def test_clusters_far_apart_leave_scores_no_digits(isa: str, far: float, dtype: str) -> None:
    """Scores are off by the distance from the middle, here up to a million times that between centroids."""
    rng = np.random.default_rng(0)
    points = rng.integers(0, 40, (300, 6)) / 8 + far * rng.integers(-1, 2, (300, 1))
    points = np.ascontiguousarray(points.clip(0, 255) if dtype == "uint8" else points).astype(dtype)
    centroids = points[:60].astype(np.float64)
    centroids[40:] += rng.normal(size=(20, 6)) * 1e-3
    np.testing.assert_array_equal(assign(points, centroids), _reference.assign(points, centroids))


@pytest.mark.parametrize("dtype", DTYPES)
def test_own_dist2_equals_the_reference(dtype: str) -> None:
    points, centroids = make_points(3001, 3, dtype), make_points(6, 3, "float64")
    labels = np.random.default_rng(0).integers(0, 6, 3001, dtype=np.int32)
    dist2 = np.empty(3001)
    _kernels.own_dist2(points, centroids, labels, dist2, 2)
    np.testing.assert_array_equal(dist2, _reference.own_dist2(points, centroids, labels))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 4095, 4097, 20000])
def test_update_equals_the_reference(n: int, dtype: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    points = make_points(n, 3, dtype)
    weights = rng.random(n) if weighted else None
    old, new = rng.integers(0, 9, (2, n), dtype=np.int32)
    sums, weight_sums = np.zeros((9, 3)), np.zeros(9)
    assert _kernels.update(points, weights, None, old, sums, weight_sums, 2) == n
    for got, expected in zip((sums, weight_sums), _reference.update(points, weights, old, 9), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)

    assert _kernels.update(points, weights, old, new, sums, weight_sums, 2) == (old != new).sum()
    for got, expected in zip((sums, weight_sums), _reference.update(points, weights, new, 9), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)


def test_update_of_whole_numbers_is_exact() -> None:
    rng = np.random.default_rng(0)
    points = make_points(50000, 3, "uint8")
    weights = rng.integers(1, 1000, 50000).astype(np.float64)
    old, new = rng.integers(0, 9, (2, 50000), dtype=np.int32)
    sums, weight_sums = np.zeros((9, 3)), np.zeros(9)
    _kernels.update(points, weights, None, old, sums, weight_sums, 2)
    _kernels.update(points, weights, old, new, sums, weight_sums, 3)
    expected_sums, expected_weights = _reference.update(points, weights, new, 9)
    np.testing.assert_array_equal(sums, expected_sums)
    np.testing.assert_array_equal(weight_sums, expected_weights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 7, 4096, 4097, 9000])
def test_weighted_sums(n: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.random(n).astype(dtype), rng.random(n)
    part_sums = np.empty(-(-n // _kernels.PART_SIZE))
    for used in (None, weights):
        _kernels.weighted_sums(values, used, part_sums, 2)
        expected = values.sum(dtype=np.float64) if used is None else values.astype(np.float64) @ used
        np.testing.assert_allclose(part_sums.sum(), expected, rtol=1e-13)


def test_shapes_that_would_corrupt_memory_are_caught() -> None:
    points, centroids = make_points(10, 3, "float64"), make_points(4, 3, "float64")
    with pytest.raises(AssertionError):
        _kernels.own_dist2(points, centroids[:, :2].copy(), np.zeros(10, np.int32), np.empty(10), 1)
    with pytest.raises(AssertionError):
        _Assigner(points, centroids, 1).assign(centroids, np.zeros(9, np.int32))
    tiles = Tiles(points, middle(points), 1)
    with pytest.raises(AssertionError):
        _kernels.distances(tiles.array, centroids, np.empty(33), None, np.empty((4, 33)), np.empty((1, 4)), 1)
