"""Dithering and the fit to it: every instruction set and number of threads against the plain reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmc import _isa, _kernels, looks
from kmc import _reference_dither as reference
from kmc.colorspace import LINEAR, points_of
from kmc.dither import FLAT, GAIN_ONE, LESS, SPACES, dither, points_of_pixels
from kmc.dithered_fit import BLUR, BLUR_ONE, POLISH_SHARE, DitheredFit
from kmc.entry_search import search_entries
from kmc.fitted_tiles import fitted_tiles
from kmc.histogram import ColorHistogram
from kmc.looks import fit_palette_to_dithering
from kmc.palette import Palette
from tests.pictures import few_colors, gradient, noise, photograph

GAIN = 1638
N_FITTED = 1 << 18
SHAPES = [(1, 1), (1, 70), (70, 1), (9, 13), (17, 8), (190, 8), (8, 67), (500, 3)]
Points = NDArray[Any]


def palette_of(k: int, channels: int, seed: int = 0) -> Palette:
    """Any k colours: with alpha some transparent, some opaque, some between."""
    colors = np.random.default_rng(seed).integers(0, 256, size=(k, channels), dtype=np.uint8)
    if channels == 4:
        colors[: k // 2, 3] = 255
        colors[:1] = 0
    return Palette.from_colors(colors)


def targets_for(palette: Palette, space: str, n_pixels: int, threads: int) -> tuple[_kernels.Targets, Points]:
    """Targets, and the entries for the reference."""
    entries = points_of_pixels(palette.colors, space, 0, 1)
    channels = palette.colors.shape[1]
    return _kernels.Targets(entries, SPACES[space], channels, n_pixels, threads), entries.astype(int)


def points_for(pixels: NDArray[np.uint8], space: str) -> NDArray[np.int16]:
    """Points (h, w, 4), some of which take no error, with alpha some a part of it."""
    points = points_of_pixels(pixels.reshape(-1, pixels.shape[2]), space, GAIN, 1)
    if pixels.shape[2] < 4:
        points[::5, 3] = 0
    else:
        less = np.random.default_rng(0).integers(0, 16, len(points), dtype=np.int16)
        points[:, 3] += LESS * np.where(points[:, 3] > 0, less, less // 15 * 15)
    return points.reshape(*pixels.shape[:2], 4)


@pytest.mark.parametrize("n_pixels", [1, 1 << 20], ids=["compare-all", "lists"])
@pytest.mark.parametrize(
    ("channels", "space"), [(3, "srgb"), (3, "oklab"), (4, "srgb"), (4, "oklab"), (4, "ycc")], ids=str
)
@pytest.mark.parametrize("k", [1, 2, 7, 40, 256])
def test_diffuse_and_polish_are_the_references(isa: str, k: int, channels: int, space: str, n_pixels: int) -> None:
    height, width = SHAPES[(k + channels) % len(SHAPES)]
    palette = palette_of(k, channels)
    targets, entries = targets_for(palette, space, n_pixels, 3)
    weights = looks._polish_weights()
    for pixels in (photograph(height, width, channels), noise(height, width, channels)):
        points = points_for(pixels, space)
        indices = np.full((height, width), 255, dtype=np.uint8)
        _kernels.diffuse_points(points, targets, GAIN, indices, 3)
        expected = reference.diffuse(points, entries, GAIN, space, channels == 4)
        np.testing.assert_array_equal(indices, expected)
        _kernels.polish_points(points, targets, weights, indices, 3)
        np.testing.assert_array_equal(
            indices, reference.polish(points, entries, weights, expected, space, channels == 4)
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(isa: str, shape: tuple[int, int]) -> None:
    pixels = noise(*shape)
    targets, entries = targets_for(palette_of(30, 3), "srgb", 1 << 20, 2)
    points = points_for(pixels, "srgb")
    indices = np.empty(shape, dtype=np.uint8)
    _kernels.diffuse_points(points, targets, GAIN, indices, 2)
    expected = reference.diffuse(points, entries, GAIN, "srgb", False)
    np.testing.assert_array_equal(indices, expected)
    _kernels.polish_points(points, targets, looks._polish_weights(), indices, 2)
    np.testing.assert_array_equal(
        indices, reference.polish(points, entries, looks._polish_weights(), expected, "srgb", False)
    )


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_entries_that_lie_close_together(isa: str, space: str, channels: int) -> None:
    """Lists of single cells that are longer than a chunk, and others beside them."""
    colors = np.random.default_rng(1).integers(100, 112, size=(200, channels), dtype=np.uint8)
    colors[:20] = palette_of(20, channels).colors
    palette = Palette.from_colors(colors)
    targets, entries = targets_for(palette, space, 1 << 20, 2)
    pixels = noise(21, 130, channels)
    pixels[:, 20:] = 96 + pixels[:, 20:] // 16
    points = points_for(pixels, space)
    indices = np.empty(pixels.shape[:2], dtype=np.uint8)
    _kernels.diffuse_points(points, targets, GAIN, indices, 2)
    np.testing.assert_array_equal(indices, reference.diffuse(points, entries, GAIN, space, channels == 4))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [1, 2, 5, 63, 1030])
def test_no_gain_inside_areas_of_an_entrys_color(isa: str, channels: int, width: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(90, 93, size=(12, width, channels), dtype=np.uint8)
    for left in range(0, width, 7):  # one of the colours is no entry
        pixels[2:10, left : left + 6] = 80 + left // 7 % 3 * 10
    palette = Palette.from_colors(np.repeat(np.array([[80], [90]], dtype=np.uint8), channels, axis=1))
    targets, _ = targets_for(palette, "srgb", 1 << 20, 2)
    points = np.empty((12, width, 4), dtype=np.int16)
    _kernels.points_of_picture(pixels, targets, LINEAR, GAIN, points, 2)
    framed = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    sides = [framed[1:-1, :-2], framed[1:-1, 2:], framed[:-2, 1:-1], framed[2:, 1:-1]]
    held = ((pixels == 80) | (pixels == 90)).all(axis=2) & (pixels == pixels[..., :1]).all(axis=2)
    expected = held & np.all([(side == pixels).all(axis=2) for side in sides], axis=0)
    expected[:, [0, -1]] = False
    still = points[..., 3] >= FLAT if channels == 4 else points[..., 3] == 0
    assert expected.any() == (width > 2)
    np.testing.assert_array_equal(still, expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 257), (4, 600)])
def test_busy_pixels_take_less(shape: tuple[int, int]) -> None:
    """The differences from four neighbours, of colour times alpha and of alpha, look up how much less."""
    pixels = noise(*shape, 4)
    pixels[:, ::7, 3] = 0
    less_of = np.random.default_rng(0).integers(0, 15, 4 * 4 * 255 + 1, dtype=np.uint8)
    points = points_of_pixels(pixels.reshape(-1, 4), "srgb", GAIN, 1).reshape(*shape, 4)
    points[:, ::5, 3] += FLAT
    expected = points.copy()
    framed = np.pad(pixels.astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    sides = [framed[1:-1, :-2], framed[1:-1, 2:], framed[:-2, 1:-1], framed[2:, 1:-1]]
    contrast = np.sum([np.abs(side - pixels) for side in sides], axis=0)
    seen = contrast[..., :3].sum(axis=2) * pixels[..., 3].astype(int) // 255 + contrast[..., 3]
    marked = (points[..., 3] > 0) & (points[..., 3] < FLAT)
    expected[..., 3] += np.where(marked, LESS * less_of[seen].astype(np.int16), 0)
    _kernels.mark_busy_points(pixels, less_of, points, 3)
    np.testing.assert_array_equal(points, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_points_of_oklab(isa: str, channels: int) -> None:
    pixels = noise(40, 50, channels).reshape(-1, channels)
    rgb = np.repeat(pixels, 3, axis=1) if channels == 1 else pixels
    expected = points_of(rgb, "oklab") * (2040 / 255)  # which has tests of its own
    points = points_of_pixels(pixels, "oklab", GAIN_ONE, 2)
    assert np.abs(points[:, :3] - expected).max() < 0.52
    assert (points[:, 3] == GAIN_ONE).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_points_are_those_of_the_generic_kernels(isa: str, channels: int) -> None:
    for n in (1, 7, 8, 65, 2000):
        pixels = noise(n, 1, channels).reshape(n, channels)
        points = [points_of_pixels(pixels, space, GAIN, 1) for space in SPACES]
        _isa.use("generic")
        expected = [points_of_pixels(pixels, space, GAIN, 1) for space in SPACES]
        _isa.use(isa)
        np.testing.assert_array_equal(points, expected)


def test_normal_equations(isa: str) -> None:
    points = points_for(photograph(23, 31), "oklab")
    indices = np.random.default_rng(0).integers(0, 9, size=points.shape[:2], dtype=np.uint8)
    points[..., 3] = 1
    points[2:5, :, 3] = 0
    blurred = np.empty_like(points)
    _kernels.blur_points(points, BLUR, blurred, 2)
    meetings, blurred_sums, sums, counts, still = _kernels.normal_equations(points, blurred, indices, BLUR, 9, 3)
    matrix, expected_sums, expected_counts = reference.normal_equations(points, indices, BLUR, 9)
    np.testing.assert_array_equal(meetings + meetings.T, 2 * matrix)
    np.testing.assert_array_equal(blurred_sums, expected_sums)
    np.testing.assert_array_equal(counts, expected_counts)
    np.testing.assert_array_equal(still, np.bincount(indices[2:5].ravel(), minlength=9))
    np.testing.assert_array_equal(sums, reference.sums(points, indices, 9))


def test_solve(isa: str) -> None:
    rng = np.random.default_rng(0)
    root = rng.random((40, 40))
    matrix, right = root @ root.T + np.eye(40), rng.random((40, 4))
    expected = np.linalg.solve(matrix, right)
    _kernels.solve(matrix, right)
    np.testing.assert_allclose(right, expected, rtol=1e-9)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_the_same_bytes_for_any_number_of_threads(isa: str, space: str, channels: int) -> None:
    pixels = photograph(300, 90, channels).reshape(300, 90, channels)
    palette = palette_of(30, channels)
    first = None
    for threads in (1, 2, 3, 7):
        fitted, indices = fit_palette_to_dithering(
            pixels, palette, ColorHistogram.from_pixels(pixels), rounds=2, space=space, threads=threads, trials=2
        )
        results = [fitted.colors.tobytes(), indices.tobytes()]
        results += [
            dither(pixels, palette, 0.8, method=method, space=space, threads=threads).tobytes()
            for method in ("floyd-steinberg", "blue-noise")
        ]
        assert first is None or results == first
        first = results


def test_a_picture_of_the_palettes_colors_stays_exact() -> None:
    pixels = few_colors(64, 50, 30)
    palette = Palette.from_colors(np.unique(pixels.reshape(-1, 3), axis=0))
    np.testing.assert_array_equal(palette.colors[dither(pixels, palette, 1.0)], pixels)


def test_flat_areas_that_the_palette_holds_have_no_dots() -> None:
    pixels = photograph(60, 60)
    pixels[20:50, 20:50] = (200, 30, 90)
    palette = Palette.from_colors(np.concatenate([palette_of(8, 3).colors, pixels[30:31, 30]]))
    seen = palette.colors[dither(pixels, palette, 0.9)]
    np.testing.assert_array_equal(seen[21:49, 21:49], pixels[21:49, 21:49])


def test_flat_areas_keep_their_color_through_the_fit() -> None:
    pixels = photograph(60, 60)
    pixels[20:50, 20:50] = (200, 30, 90)
    palette = Palette.from_colors(np.concatenate([palette_of(8, 3).colors, pixels[30:31, 30]]))
    fitted, indices = fit_palette_to_dithering(pixels, palette, ColorHistogram.from_pixels(pixels))
    assert (fitted.colors != palette.colors).any()
    np.testing.assert_array_equal(fitted.colors[indices][21:49, 21:49], pixels[21:49, 21:49])


def test_stripes_leave_no_seam() -> None:
    """Rows where a stripe begins differ from the picture about as much as others do: without a warm-up five times."""
    y, x = np.mgrid[:480, :600]
    pixels = np.stack([60 + y / 6 + x / 40, 110 + y / 5, 200 + y / 12], axis=-1).astype(np.uint8)
    seams = [first - 1 for first, _ in reference.stripes(480)[1:]]
    ratios = []
    for seed in range(12):
        palette = palette_of(12, 3, seed)
        difference = palette.colors[dither(pixels, palette)].astype(float) - pixels
        steps = np.abs(np.diff(difference.mean(axis=1), axis=0)).sum(axis=1)
        ratios.append(steps[seams].mean() / steps[8:].mean())
    assert len(seams) == 3
    assert np.mean(ratios) < 3


def test_alpha_stays_what_it_is() -> None:
    pixels = noise(80, 60, 4)
    pixels[::3, :, 3] = 255
    palette = palette_of(50, 4)
    for method in ("floyd-steinberg", "blue-noise"):
        seen = palette.colors[dither(pixels, palette, method=method)]
        for alpha in (0, 255):
            assert (seen[pixels[..., 3] == alpha, 3] == alpha).all()


@pytest.mark.parametrize("method", ["floyd-steinberg", "blue-noise"])
def test_dithering_keeps_the_mean(method: str) -> None:
    pixels = gradient(128, 128)
    levels = np.array([0, 85, 170, 255], dtype=np.uint8)
    palette = Palette.from_colors(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3))
    seen = palette.colors[dither(pixels, palette, 0.9, method=method, space="srgb")].astype(float)
    flat = np.abs((seen - pixels)[16:112, 16:112].reshape(6, 16, 6, 16, 3).mean(axis=(1, 3)))
    assert flat.mean() < 8


def test_the_fit_lowers_the_blurred_error() -> None:
    pixels = photograph(120, 160)
    palette = palette_of(16, 3, seed=1)
    ndimage = pytest.importorskip("scipy.ndimage")

    def seen_error(used: Palette, indices: NDArray[np.uint8]) -> float:
        difference = used.colors[indices].astype(float) - pixels
        return float((ndimage.gaussian_filter(difference, (0.85, 0.85, 0)) ** 2).mean())

    before = seen_error(palette, dither(pixels, palette, 0.8))
    after = seen_error(*fit_palette_to_dithering(pixels, palette, ColorHistogram.from_pixels(pixels)))
    assert after < 0.7 * before


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_fixed", [0, 3])
def test_entries_taken_elsewhere_lower_the_error(isa: str, channels: int, n_fixed: int) -> None:
    """A small field of a colour of its own, that no entry is near to: rounds do not bring one there."""
    pixels = photograph(120, 160, channels).reshape(120, 160, channels) // 2
    pixels[20:60, 20:60, 0] = 250
    palette = palette_of(8, channels)
    dark = Palette.from_colors(palette.colors[n_fixed:] // 3, palette.colors[:n_fixed] // 3)
    fit = DitheredFit(pixels, ColorHistogram.from_pixels(pixels), 1638, "oklab", 1, n_fixed)
    start = fit.best_of_rounds(dark, 3)
    before = fit.dither(start)
    assert search_entries(fit, start, 0) is start
    found = search_entries(fit, start, 6)
    assert fit.dither(found) < before
    assert len(found) == len(start)
    np.testing.assert_array_equal(found.colors[:n_fixed], dark.colors[:n_fixed])


def test_the_error_of_a_fit_is_that_of_the_picture() -> None:
    """The sums that it is made of give the differences of what is seen."""
    pixels = photograph(90, 70)
    fit = DitheredFit(pixels, ColorHistogram.from_pixels(pixels), 1638, "srgb", 1, 0)
    window = np.outer(BLUR, BLUR) / BLUR.sum() ** 2
    ndimage = pytest.importorskip("scipy.ndimage")
    errors, expected = [], []
    for seed in (1, 2, 3):
        palette = palette_of(12, 3, seed=seed)
        errors.append(fit.dither(palette) / BLUR_ONE**2)
        points = points_of_pixels(pixels.reshape(-1, 3), "srgb", 0, 1)[:, :3].astype(float)
        entries = points_of_pixels(palette.colors, "srgb", 0, 1)[:, :3].astype(float)
        difference = points.reshape(90, 70, 3) - entries[dither(pixels, palette, 0.8, space="srgb")]
        blurred = np.stack([ndimage.convolve(difference[..., t], window, mode="constant") for t in range(3)], axis=-1)
        expected.append((difference * blurred).sum() + POLISH_SHARE * (difference**2).sum())
    np.testing.assert_allclose(np.diff(errors), np.diff(expected), rtol=0.02)


def test_blue_noise_ranks_are_a_permutation_and_evenly_spread() -> None:
    from kmc._blue_noise import MASK

    assert sorted(MASK.ravel().tolist()) == list(range(4096))
    dark = (MASK < 512).reshape(8, 8, 8, 8).sum(axis=(1, 3))
    assert dark.min() >= 5
    assert dark.max() <= 11


def test_a_large_screen_is_fitted_where_something_is_drawn() -> None:
    pixels = np.full((1000, 900, 3), 240, dtype=np.uint8)
    pixels[700:764, 500:628] = noise(64, 128)
    pixels[20:60, 20:60] = (30, 90, 200)
    tiles = fitted_tiles(pixels, N_FITTED)
    assert tiles is not None
    assert tiles.size < pixels.size // 10
    for part in (pixels[700:764, 500:628], pixels[20:60, 20:60]):
        colors = [np.unique(part.reshape(-1, 3), axis=0).tolist(), np.unique(tiles.reshape(-1, 3), axis=0).tolist()]
        assert {tuple(color) for color in colors[0]} <= {tuple(color) for color in colors[1]}


@pytest.mark.parametrize("shape", [(1000, 900), (64, 10000), (900, 1400)])
def test_tiles_of_a_photograph_are_spread(shape: tuple[int, int]) -> None:
    rows, columns = np.indices(shape)
    noisy = noise(*shape)
    pixels = np.stack([noisy[..., 0], rows * 256 // shape[0], columns * 256 // shape[1]], axis=-1).astype(np.uint8)
    tiles = fitted_tiles(pixels, N_FITTED)
    assert tiles is not None
    assert tiles.shape[0] * tiles.shape[1] <= 1.1 * N_FITTED
    np.testing.assert_allclose(tiles.reshape(-1, 3).mean(axis=0), pixels.reshape(-1, 3).mean(axis=0), atol=8)


def test_a_screen_with_much_drawn_all_over_is_only_dithered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmc.fitted_tiles.MOST_DRAWN_PIXELS", 1 << 15)
    pixels = np.full((640, 640, 3), 240, dtype=np.uint8)
    pixels[::64, ::320] = 30
    for y, x in ((y, x) for y in range(0, 640, 128) for x in range(0, 640, 128)):
        pixels[y + 10 : y + 50, x + 10 : x + 50] = noise(40, 40)
    palette = palette_of(8, 3)
    histogram = ColorHistogram.from_pixels(pixels)
    fitted, indices = fit_palette_to_dithering(
        pixels, palette, histogram, polish_rounds=0, strength=0.7, n_fitted=1 << 15
    )
    np.testing.assert_array_equal(fitted.colors, palette.colors)
    np.testing.assert_array_equal(indices, dither(pixels, palette, 0.7))
