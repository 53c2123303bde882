"""The exact histogram and the final map against plain counting."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import kmc
from kmc import ColorHistogram, Palette, _kernels, _reference
from kmc.errors import KmcError
from kmc.histogram import keys_of
from kmc.remap import remap

Array = NDArray[Any]


def noise(height: int, width: int, channels: int, seed: int = 0) -> Array:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    if channels == 4:  # many opaque, many transparent, some between
        alpha = pixels[:, :, 3]
        alpha[alpha < 90] = 0
        alpha[alpha > 170] = 255
    return pixels


def few_colors(height: int, width: int, channels: int) -> Array:
    """Long runs of few colours, so that byte counters overflow."""
    colors = noise(1, 5, channels, seed=3)[0]
    which = np.random.default_rng(0).integers(0, 5, (height, width)) // 2
    return np.ascontiguousarray(colors[which])


def counted(histogram: ColorHistogram) -> dict[int, int]:
    keys = _reference.keys(histogram.colors).tolist()
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, histogram.counts.tolist(), strict=True))


def check_map(pixels: Array, histograms: dict[int, ColorHistogram], k: int) -> None:
    """Compare the map to k entries with the reference, for each number of threads and its histogram."""
    channels = pixels.shape[2]
    entries = np.unique(np.random.default_rng(1).integers(1, 256, (k, channels), dtype=np.uint8), axis=0)
    flat = pixels.reshape(-1, channels).copy()
    if channels == 4:
        flat[flat[:, 3] == 0] = 0
    colors, rows = np.unique(flat, axis=0, return_inverse=True)
    labels = _reference.nearest_entries(colors, entries)[rows]
    expected = np.square(flat - entries[labels].astype(float)).mean()
    for threads, histogram in histograms.items():
        indices, mse = remap(pixels, histogram, Palette(entries), threads)
        assert indices.dtype == (np.uint8 if len(entries) <= 256 else np.uint16)
        np.testing.assert_array_equal(indices.ravel(), labels)
        assert mse == pytest.approx(expected, rel=1e-12)


PICTURES = {
    "noise": noise,
    "few colours": few_colors,
    "one colour": lambda h, w, c: np.full((h, w, c), 255, dtype=np.uint8),
    "transparent": lambda h, w, c: np.zeros((h, w, c), dtype=np.uint8),
}
SHAPES = [(1, 1), (1, 2), (7, 13), (1, 1025), (255, 257), (400, 500)]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", PICTURES)
def test_counts_and_map_are_exact(kind: str, shape: tuple[int, int], channels: int) -> None:
    pixels = PICTURES[kind](*shape, channels)
    flat = pixels.reshape(-1, channels)
    expected, histograms = _reference.count_colors(flat), {}
    for threads in (1, 2, 3, 7):
        histograms[threads] = ColorHistogram.from_pixels(pixels, threads)
        assert counted(histograms[threads]) == expected
        assert histograms[threads].n_pixels == len(flat)

    check_map(pixels, histograms, 20)


@pytest.mark.parametrize("k", [1, 2, 256, 257, 600])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_map_to_small_and_large_palettes(channels: int, k: int) -> None:
    for shape in ((50, 60), (261, 253)):  # fewer and more than 2^16 pixels
        pixels = noise(*shape, channels)
        check_map(pixels, {2: ColorHistogram.from_pixels(pixels)}, k)


def test_ties_go_to_the_lowest_index() -> None:
    """A grid of entries, so that many colours are as far from two, four or eight of them."""
    pixels = noise(270, 270, 3) // 16 * 16
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 32)] * 3), axis=-1).reshape(-1, 3)
    entries = np.ascontiguousarray(grid[::2], dtype=np.uint8)
    indices, _ = remap(pixels, ColorHistogram.from_pixels(pixels), Palette(entries))
    np.testing.assert_array_equal(indices.ravel(), _reference.assign(pixels.reshape(-1, 3), entries))


@pytest.mark.parametrize("channels", [3, 4])
def test_every_instruction_set(isa: str, channels: int) -> None:
    pixels = noise(223, 457, channels)[:, 3:]  # starts off any boundary
    pixels = np.frombuffer(b"x" + pixels.tobytes(), dtype=np.uint8)[1:].reshape(pixels.shape)
    histogram = ColorHistogram.from_pixels(pixels)
    flat = pixels.reshape(-1, channels)
    assert counted(histogram) == _reference.count_colors(flat)
    check_map(pixels, {2: histogram}, 60)


def test_all_colours_there_are() -> None:
    """2^24 colours, each once."""
    keys = np.arange(1 << 24, dtype=np.uint32)
    pixels = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], axis=-1).astype(np.uint8)
    histogram = ColorHistogram.from_pixels(pixels)
    assert len(histogram) == 1 << 24
    assert (histogram.counts == 1).all()


@pytest.mark.parametrize(("times", "divisor"), [(9, 3), (260, 3), (600, 3), (1400, 1)])
def test_colours_that_come_again(times: int, divisor: int, isa: str) -> None:
    """Counted by sorting and as pixels in buckets, in tables where there are few blocks, and in more than one batch."""
    pixels = noise(1, 7777, 3) // divisor
    once, again = ColorHistogram.from_pixels(pixels), ColorHistogram.from_pixels(np.tile(pixels, (times, 1, 1)), 2)
    np.testing.assert_array_equal(again.colors, once.colors)
    np.testing.assert_array_equal(again.counts, once.counts * times)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_runs_of_any_length(threads: int, channels: int, isa: str) -> None:
    """Runs of eight pixels go another way than single ones, where they are many."""
    colors = noise(1, 4001, channels, seed=1)[0]
    lengths = np.random.default_rng(2).choice([1, 2, 7, 8, 9, 300], len(colors))
    pixels = np.concatenate([np.repeat(colors, lengths, axis=0), noise(1, 9999, channels, seed=3)[0]])
    histogram = ColorHistogram.from_pixels(pixels[:, None], threads)
    assert counted(histogram) == _reference.count_colors(pixels)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_that_tables_have_no_room_for(threads: int, isa: str) -> None:
    """Every 300th pixel, which is where a sample is taken, has one of few colours; all others have any."""
    pixels = noise(4096, 300, 3)
    pixels[:, 0] //= 32
    histogram = ColorHistogram.from_pixels(pixels, threads)
    keys, counts = np.unique(keys_of(pixels.reshape(-1, 3)), return_counts=True)
    np.testing.assert_array_equal(keys_of(histogram.colors), keys)
    np.testing.assert_array_equal(histogram.counts, counts)


@pytest.mark.parametrize("k", [2, 100, 256, 700])
@pytest.mark.parametrize("shift", [0, 5])
def test_large_pictures_are_mapped_like_small_ones(isa: str, k: int, shift: int) -> None:
    """Small: each colour is compared with each entry. Large: boxes of colours are looked up, marked or counted."""
    tile = noise(50, 511, 3) >> shift
    entries = np.random.default_rng(1).integers(0, 256 >> shift, (k, 3), dtype=np.uint8)
    small, mse = remap(tile, ColorHistogram.from_pixels(tile), Palette(entries))
    pixels = np.tile(tile, (31, 2, 1))
    more = np.concatenate([pixels, noise(60, 1022, 3)])
    for counted_pixels in (None, pixels, more):
        histogram = None if counted_pixels is None else ColorHistogram.from_pixels(counted_pixels)
        large, large_mse = remap(pixels, histogram, Palette(entries), 2)
        np.testing.assert_array_equal(large, np.tile(small, (31, 2)))
        assert large_mse == pytest.approx(mse, rel=1e-12)


@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize("kind", ["noise", "one colour", "few colours"])
def test_a_sample_joins_neighbours_to_their_mean(kind: str, bits: int, isa: str) -> None:
    pixels = PICTURES[kind](300, 250, 3) // 5
    alone = ColorHistogram.from_sample(pixels, 70_000)
    joined = ColorHistogram.from_sample(pixels, 70_000, bits)
    boxes, rows = np.unique(keys_of(alone.colors) >> np.uint32(3 * bits), return_inverse=True)
    counts = np.bincount(rows, alone.counts)
    means = [np.bincount(rows, alone.counts * levels) / counts for levels in alone.colors.T]
    assert len(joined) == len(boxes) <= len(alone)
    np.testing.assert_array_equal(joined.counts, counts)
    np.testing.assert_array_equal(joined.colors, np.floor(np.stack(means, axis=1) + 0.5))


def uneven_noise() -> Array:
    """Some boxes of colours have many pixels, most few; runs of equal pixels at the end."""
    alone = np.clip(np.random.default_rng(4).normal((90, 120, 60), (3, 20, 60), (6000, 3)), 0, 255).astype(np.uint8)
    return np.concatenate([alone, np.repeat(alone[:2000], 31, axis=0)])


def levels_of_mean(colors: Array, counts: Array) -> list[tuple[int, int]]:
    """Keys and counts of the levels around the mean of colours, each channel's upper one as often as its sum says."""
    count, sums = int(counts.sum()), counts @ colors
    above = sums - sums // count * count
    rank = np.arange(count)[:, None]
    keys, found = np.unique(keys_of((sums // count + (rank < above)).astype(np.uint8)), return_counts=True)
    return list(zip(keys.tolist(), found.tolist(), strict=True))


def divided(colors: Array, counts: Array, bits: int, bound: int, smallest: int) -> list[tuple[int, int]]:
    """Keys and counts of the boxes that the colours of a box of 2^bits levels a side are joined in."""
    count = int(counts.sum())
    is_wide = bits > 3 or count << 2 * bits > bound
    if bits == smallest and is_wide:
        return levels_of_mean(colors, counts)
    if not is_wide:
        mean = np.floor(counts @ colors / count + 0.5).astype(np.uint8)
        return [(int(keys_of(mean[None])[0]), count)]
    part = keys_of(colors) >> np.uint32(3 * (bits - 1))
    parts = [(colors[part == value], counts[part == value]) for value in np.unique(part)]
    return [box for of_part in parts for box in divided(*of_part, bits - 1, bound, smallest)]


@cache
def joined_noise(bits: int, bound: int) -> list[tuple[int, int]]:
    colors, counts = np.unique(uneven_noise(), axis=0, return_counts=True)
    return divided(colors, counts, 8, bound, bits)


@pytest.mark.parametrize("bits", [0, 1, 2])
@pytest.mark.parametrize("bound", [40, 2000, 10**9])
def test_a_sample_joins_wide_boxes_of_few_pixels(bits: int, bound: int, isa: str) -> None:
    pixels, expected = uneven_noise(), joined_noise(bits, bound)
    for threads in (1, 2, 7):
        colors, counts = _kernels.count_sample(pixels, len(pixels) // _kernels.SAMPLE_RUN, bits, bound, threads)
        assert list(zip(keys_of(colors).tolist(), counts.tolist(), strict=True)) == expected


@pytest.mark.parametrize("n_runs", [10, 17_001, 24_999])
def test_a_sample_has_a_run_of_each_stretch(n_runs: int, isa: str) -> None:
    """Pixels that tell where they are."""
    n = 100_001
    places = np.arange(n, dtype=np.uint32)
    pixels = np.stack([places >> 16, places >> 8 & 255, places & 255], axis=-1).astype(np.uint8)
    for threads in (1, 3):
        colors, counts = _kernels.count_sample(pixels, n_runs, 0, 0, threads)
        assert (counts == 1).all()
        runs = np.sort(colors.astype(np.int64) @ [65536, 256, 1]).reshape(n_runs, _kernels.SAMPLE_RUN)
        np.testing.assert_array_equal(runs, runs[:, :1] + np.arange(_kernels.SAMPLE_RUN))
        edges = np.arange(n_runs + 1) * n / n_runs
        assert (runs[:, 0] >= edges[:-1] - 2).all()
        assert (runs[:, -1] <= edges[1:]).all()
        assert n_runs > 24_000 or len(np.unique(runs[:, 0] - np.floor(edges[:-1]))) > 2


def test_a_sample_of_all_pixels_is_exact() -> None:
    pixels = np.concatenate([few_colors(300, 250, 3), noise(101, 251, 3)[:, :250]])
    sample, whole = ColorHistogram.from_sample(pixels, 200_000), ColorHistogram.from_pixels(pixels)
    np.testing.assert_array_equal(sample.colors, whole.colors)
    np.testing.assert_array_equal(sample.counts, whole.counts)


def test_boxes_that_occur_in_a_sample(isa: str) -> None:
    levels = np.arange(0, 256, 8, dtype=np.uint8)
    corners = np.stack(np.meshgrid(levels, levels[:5], levels[:3]), axis=-1).reshape(-1, 3)
    pixels = np.repeat(corners, 8192 // len(corners) + 5, axis=0)
    assert _kernels.sampled_boxes(pixels) == len(corners) == 480
    assert _kernels.sampled_boxes(pixels // 64) == 1


def test_one_colour_many_times() -> None:
    pixels = np.full((3000, 1000, 3), 7, dtype=np.uint8)
    histogram = ColorHistogram.from_pixels(pixels, 3)
    assert histogram.counts.tolist() == [3_000_000]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_order_depends_on_the_colours_only(channels: int) -> None:
    pixels = noise(300, 400, channels)
    shuffled = pixels.reshape(-1, channels)
    shuffled = shuffled[np.random.default_rng(0).permutation(len(shuffled))]
    one, other = ColorHistogram.from_pixels(pixels, 1), ColorHistogram.from_pixels(shuffled, 5)
    np.testing.assert_array_equal(one.colors, other.colors)
    np.testing.assert_array_equal(one.counts, other.counts)


def test_transparent_pixels_are_one_colour_and_the_first() -> None:
    pixels = noise(50, 50, 4)
    assert len(np.unique(pixels[pixels[:, :, 3] == 0], axis=0)) > 100
    histogram = ColorHistogram.from_pixels(pixels)
    assert histogram.has_transparent
    assert histogram.colors[0].tolist() == [0, 0, 0, 0]
    assert histogram.counts[0] == (pixels[:, :, 3] == 0).sum()
    assert (histogram.colors[1:, 3] > 0).all()
    assert not ColorHistogram.from_pixels(pixels[:, :, :3].copy()).has_transparent


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((3, 4, 2), dtype=np.uint8), r"shape \(h, w, c\) or \(n, c\) with c = 1, 3 or 4 .* got \(3, 4, 2\)"),
        (np.zeros((0, 3), dtype=np.uint8), "at least one colour"),
        (np.zeros((3, 4, 3)), "pixels must be an array of uint8, got one of float64"),
        ([[1, 2, 3]], "pixels must be an array of uint8, got list"),
    ],
)
def test_what_is_no_picture(pixels: Any, message: str) -> None:
    with pytest.raises(KmcError, match=message):
        ColorHistogram.from_pixels(pixels)


def test_pixels_in_another_order_are_counted() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-2, ::-1]
    np.testing.assert_array_equal(
        ColorHistogram.from_pixels(pixels).colors, ColorHistogram.from_pixels(pixels.copy()).colors
    )


def test_repr() -> None:
    assert repr(ColorHistogram.from_pixels(noise(2, 2, 3))) == "ColorHistogram(4 colours of 4 pixels)"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_histograms_add(channels: int) -> None:
    one = noise(300, 250, channels, seed=1).reshape(-1, channels)
    other = noise(40, 30, channels, seed=2).reshape(-1, channels) // 32 * 32
    added = ColorHistogram.from_pixels(one) + ColorHistogram.from_pixels(other)
    together = ColorHistogram.from_pixels(np.concatenate([one, other]))
    np.testing.assert_array_equal(added.colors, together.colors)
    np.testing.assert_array_equal(added.counts, together.counts)


def test_histograms_of_different_channels_do_not_add() -> None:
    grey, color = (ColorHistogram.from_pixels(np.zeros((2, 2, c), dtype=np.uint8)) for c in (1, 3))
    with pytest.raises(kmc.errors.KmcValueError, match="1 and 3 channels"):
        grey + color
