"""kmc.compress: the whole way of a picture."""

from __future__ import annotations

import io
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from everywhere import everywhere
from numpy.typing import NDArray
from pictures import few_colors, gradient, noise, photograph
from PIL import Image

import kmc
from kmc import _reference
from kmc._settings import Settings
from kmc.color_kmeans import EFFORTS, FEW_COLORS, cluster_colors
from kmc.colorspace import colors_of, points_of

Array = NDArray[Any]


def true_mse(original: Array, result: Array) -> float:
    return float(np.square(original.astype(np.float64) - result.astype(np.float64)).mean())


@pytest.mark.parametrize("k", [1, 2, 3, 16, 64, 256])
def test_a_photograph(china: Array, k: int) -> None:
    result = kmc.compress(china, k)
    assert len(result.palette) == k
    assert result.indices.shape == china.shape[:2]
    assert result.indices.dtype == np.uint8
    assert result.image.shape == china.shape
    assert result.mse == pytest.approx(true_mse(china, result.image), rel=1e-12)
    assert result.psnr == pytest.approx(10 * math.log10(255**2 / result.mse))
    assert not result.lossless
    assert result.converged


@pytest.mark.parametrize("k", [16, 48])
def test_no_worse_than_scikit_learn(china: Array, k: int) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    picture = china[::2, ::2].copy()
    colors, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    theirs = [
        cluster.KMeans(k, n_init=1, tol=0, max_iter=1000, random_state=seed)
        .fit(colors.astype(np.float64), sample_weight=counts)
        .inertia_
        for seed in range(3)
    ]
    assert kmc.compress(picture, k).mse <= 1.01 * np.mean(theirs) / picture.size


def test_every_pixel_has_its_nearest_entry(flower: Array) -> None:
    result = kmc.compress(flower, 40)
    pixels = flower.reshape(-1, 3)[::7]
    nearest = _reference.distances(pixels, result.palette.colors).min(axis=0)
    chosen = np.square(pixels - result.palette.colors[result.indices.ravel()[::7]].astype(np.float64)).sum(axis=1)
    np.testing.assert_array_equal(chosen, nearest)


def test_random_start_and_a_number_of_rounds_is_the_textbook_algorithm(china: Array) -> None:
    """Rounds of assign and update on the pixels, then each pixel gets its centroid's colour."""
    picture = china[::3, ::3].copy()
    pixels = picture.reshape(-1, 3)
    start = pixels[np.random.default_rng(0).choice(len(pixels), 10, replace=False)]
    for rounds in (1, 3):
        centroids, _ = _reference.kmeans(pixels, None, start.astype(np.float64), rounds)
        palette = np.unique(np.rint(centroids).astype(np.uint8), axis=0)
        labels = _reference.assign(pixels, palette)
        result = kmc.compress(picture, 10, init=start, num_iterations=rounds)
        assert result.n_iter == rounds
        np.testing.assert_array_equal(np.unique(result.palette.colors, axis=0), palette)
        assert result.mse == pytest.approx(true_mse(pixels, palette[labels]))
    random = kmc.compress(picture, 10, init="random", num_iterations=4)
    assert random.n_iter == 4
    assert random.mse > kmc.compress(picture, 10).mse * 0.99


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("k", [12, 40, 256])
def test_a_picture_of_few_colours_comes_back_exactly(channels: int, k: int) -> None:
    rng = np.random.default_rng(k)
    colors = rng.integers(1, 256, (12, channels), dtype=np.uint8)
    picture = colors[rng.integers(0, 12, (30, 41))]
    result = kmc.compress(picture, k)
    np.testing.assert_array_equal(result.image, picture)
    assert result.lossless
    assert result.mse == 0
    assert result.psnr == math.inf
    assert result.n_iter == 0
    assert kmc.compress(picture, k, downsample=3).lossless


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1)])
def test_grey_stays_grey(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = kmc.compress(picture, 5)
    assert result.image.shape == shape
    assert result.palette.colors.shape == (5, 1)
    assert result.to_pil().mode == "L"
    reread = Image.open(io.BytesIO(result.to_bytes())).convert("RGB")
    np.testing.assert_array_equal(np.asarray(reread)[:, :, 0], result.image.reshape(20, 30))


def soft_disc() -> Array:
    """A disc of changing colour with a soft edge on transparent ground of many hidden colours."""
    y, x = np.mgrid[:80, :90]
    picture = np.random.default_rng(0).integers(0, 256, (80, 90, 4), dtype=np.uint8)
    picture[:, :, 0], picture[:, :, 1] = 2 * x, 3 * y
    picture[:, :, 3] = (255 * np.clip(30.5 - np.hypot(x - 45, y - 40), 0, 4) / 4).astype(np.uint8)
    return picture


def test_alpha_is_kept() -> None:
    picture = soft_disc()
    result = kmc.compress(picture, 24)
    alpha, original = result.image[:, :, 3].astype(int), picture[:, :, 3].astype(int)
    assert (alpha[original == 0] == 0).all()
    assert (result.palette.colors[:, 3] == 0).sum() == 1
    assert result.palette.colors[0].tolist() == [0, 0, 0, 0]
    assert np.abs(alpha - original).mean() < 3
    reread = np.asarray(Image.open(io.BytesIO(result.to_bytes())).convert("RGBA"))
    np.testing.assert_array_equal(reread, result.image)
    hidden = picture.copy()
    hidden[original == 0, :3] = 0
    assert result.mse == pytest.approx(true_mse(hidden, result.image))


def test_nearest_is_measured_in_premultiplied_space() -> None:
    colors = soft_disc().reshape(-1, 4)[::11]
    palette = kmc.compress(soft_disc(), 24).palette
    np.testing.assert_array_equal(palette.nearest(colors), _reference.nearest_entries(colors, palette.colors))
    image = palette.apply(soft_disc()).image
    for alpha in (0, 255):  # what is transparent or opaque stays it
        assert (soft_disc()[..., 3] == alpha).any()
        assert (image[..., 3][soft_disc()[..., 3] == alpha] == alpha).all()


@pytest.mark.parametrize(
    "options", [{}, {"preset": "looks"}, {"k": 99, "min_psnr": 30}, {"fixed": [[9, 8, 7, 255], [9, 8, 7, 6]]}]
)
def test_opaque_alpha_changes_nothing(options: dict[str, Any]) -> None:
    rgb = photograph(60, 80)
    opaque = np.dstack([rgb, np.full((60, 80), 255, dtype=np.uint8)])
    options = {"k": 16} | options
    result, expected = kmc.compress(opaque, **options), kmc.compress(rgb, **options)
    assert result.image.shape == opaque.shape
    assert result.palette.colors.shape == (len(expected.palette), 4)
    np.testing.assert_array_equal(result.image[..., :3], expected.image[..., :3])
    assert (result.image[..., 3] == 255).all()
    assert result.mse == expected.mse == pytest.approx(kmc.evaluate(rgb, result).mse)
    assert result.to_bytes() == expected.to_bytes()
    mapped = expected.palette.apply(opaque)
    np.testing.assert_array_equal(mapped.image[..., :3], expected.palette.apply(rgb).image[..., :3])
    assert mapped.image.shape == opaque.shape


def test_an_entirely_transparent_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 4), dtype=np.uint8)
    picture[:, :, 3] = 0
    for k in (1, 2, 16):
        result = kmc.compress(picture, k)
        assert result.lossless
        assert len(result.palette) == 1
        assert not result.image.any()


def test_one_colour_for_a_picture_with_transparent_pixels() -> None:
    result = kmc.compress(soft_disc(), 1)
    assert len(result.palette) == 1
    assert 0 < result.palette.colors[0, 3] < 255


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1), (1, 100000, 3), (3, 1, 4)])
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for k in (1, 2, 7):
        assert kmc.compress(picture, k).image.shape == shape


@pytest.mark.parametrize("k", [257, 5000])
def test_more_than_256_colours_stay_in_memory(china: Array, k: int, tmp_path: Path) -> None:
    result = kmc.compress(china[::2, ::2], k, num_iterations=2, init="random")
    assert len(result.palette) > 256
    assert result.indices.dtype == np.uint16
    assert result.mse == pytest.approx(true_mse(china[::2, ::2], result.image))
    assert result._repr_png_() is None
    with pytest.raises(kmc.errors.KmcValueError, match="256"):
        result.save(tmp_path / "large.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("downsample", [2, 3.5, "0.02MP"])
def test_downsample_fits_on_less_and_maps_all(china: Array, downsample: float | str) -> None:
    result, full = kmc.compress(china, 32, downsample=downsample), kmc.compress(china, 32)
    assert result.image.shape == china.shape
    assert result.mse == pytest.approx(true_mse(china, result.image))
    assert full.mse < result.mse < 1.5 * full.mse


@pytest.mark.parametrize("init", ["auto", "random", "k-means++"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_same_bytes_for_any_threads_and_instruction_set(china: Array, channels: int, init: str) -> None:
    picture = np.dstack([china, china[:, ::-1, :1]])[:: 1 + channels // 4, ::2, :channels].copy()
    results = everywhere(lambda threads: kmc.compress(picture, 24, init=init, threads=threads))
    assert len({(result.inertia, result.n_iter, result.mse) for result in results}) == 1


@pytest.mark.parametrize("effort", ["balanced", "fast"])
@pytest.mark.parametrize("kind", [photograph, gradient, noise])
def test_the_same_bytes_for_several_pictures_and_k(kind: Any, effort: str) -> None:
    picture = kind(397, 401, 3, seed=5)
    for k in (2, 16, 255, 300):
        results = everywhere(lambda threads, k=k: kmc.compress(picture, k, effort=effort, threads=threads))
        assert len({(result.inertia, result.mse) for result in results}) == 1


@pytest.mark.parametrize("k", [4, 16, 64, 256])
def test_fast_is_nearly_as_good(china: Array, k: int) -> None:
    fast, balanced = kmc.compress(china, k, effort="fast"), kmc.compress(china, k)
    assert fast.mse == pytest.approx(true_mse(china, fast.image), rel=1e-12)
    assert fast.mse < 1.03 * balanced.mse
    nearest = balanced.palette.apply(china).mse
    assert nearest == balanced.mse
    assert fast.palette.apply(china).mse == fast.mse  # every pixel has its nearest entry


def test_fast_keeps_few_colours() -> None:
    picture = few_colors(500, 500, 40, 3)
    assert kmc.compress(picture, 40, effort="fast").lossless


@pytest.mark.parametrize("channels", [1, 4])
def test_fast_without_a_sample(channels: int) -> None:
    picture = photograph(400, 400, channels)
    result = kmc.compress(picture, 16, effort="fast")
    assert result.mse <= 1.1 * kmc.compress(picture, 16).mse


def test_timings_tell_every_stage(china: Array) -> None:
    timings = kmc.compress(china, 4).timings
    assert list(timings) == ["load", "downsample", "histogram", "cluster", "palette", "map"]
    assert all(seconds >= 0 for seconds in timings.values())


def test_the_seed_matters_only_to_chance(china: Array) -> None:
    picture = china[::4, ::4].copy()
    one, same, other = (kmc.compress(picture, 8, init="random", seed=seed) for seed in (1, 1, 2))
    assert one.to_bytes() == same.to_bytes()
    assert one.to_bytes() != other.to_bytes()


def test_the_input_is_not_changed(china: Array) -> None:
    picture = china.copy()
    picture.flags.writeable = False
    kmc.compress(picture, 16)
    np.testing.assert_array_equal(picture, china)


def test_memory_stays_within_twice_the_input(china: Array) -> None:
    """As numpy counts it; benchmarks/peak_memory.py asks the system."""
    picture = np.asarray(Image.fromarray(china).resize((6000, 4000), Image.Resampling.BILINEAR))
    tracemalloc.start()
    try:
        result = kmc.compress(picture, 16, num_iterations=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(result.palette) == 16
    assert peak <= 2 * picture.nbytes


def test_files(china: Array, tmp_path: Path) -> None:
    Image.fromarray(china).save(tmp_path / "china.png")
    result = kmc.compress(tmp_path / "china.png", 16)
    result.save(tmp_path / "small.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "small.png").convert("RGB")), result.image)
    assert (tmp_path / "small.png").stat().st_size == len(result.to_bytes())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("small")] == ["small.png"]
    assert result._repr_png_() == result.to_bytes()
    assert result.to_pil().mode == "RGB"


def test_repr(china: Array) -> None:
    assert repr(kmc.compress(china, 16)).startswith("CompressedImage(640x427, 16 colours, PSNR 27.")
    assert "lossless" in repr(kmc.compress(np.zeros((2, 2), dtype=np.uint8), 2))
    assert repr(kmc.compress(np.zeros((2, 2, 3), dtype=np.uint8), 2).palette) == "Palette(1 colours: #000000)"


def test_palette_goes_from_dark_to_light(china: Array) -> None:
    luma = kmc.compress(china, 32).palette.colors @ np.array([299, 587, 114])
    assert (np.diff(luma) >= 0).all()


def test_colours_survive_the_way_to_points_and_back() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3, 4):
        colors = rng.integers(0, 256, (2000, channels), dtype=np.uint8)
        if channels == 4:
            colors[colors[:, 3] == 0] = 0
        np.testing.assert_array_equal(colors_of(points_of(colors).astype(np.float64)), colors)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("best", "one of"),
        (None, "leave it out"),
        ([[0, 0, 0]], "as many rows as k"),
        ([[0, 0], [1, 1]], "as many rows as k"),
        ([[0, 0, 0], [256, 0, 0]], "0 to 255"),
        ([[0, 0, 0], [np.nan, 0, 0]], "finite"),
        ("k-means", "one of"),
        (object(), "real numbers"),
    ],
)
def test_bad_init(init: Any, message: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    with pytest.raises((kmc.errors.KmcValueError, kmc.errors.KmcTypeError), match=message):
        kmc.compress(picture, 2, init=init)


@pytest.mark.parametrize("k", [2, 16, 64, 200])
@pytest.mark.parametrize("size", [40, 300])
def test_the_result_is_a_fixed_point(flower: Array, size: int, k: int) -> None:
    """One more plain round of k-means on all pixels lowers the inertia by no more than the tolerance allows."""
    histogram = kmc.ColorHistogram.from_pixels(np.ascontiguousarray(flower[:size, :size]))
    clustering = cluster_colors(histogram, "auto", Settings(k, None, "balanced", "srgb", None, 0, 2))
    assert clustering.converged
    again = kmc.kmeans(
        histogram.colors, k, weights=histogram.counts, init=clustering.centroids, num_iterations=1, tol=0
    )
    few = len(histogram) <= FEW_COLORS
    np.testing.assert_allclose(clustering.inertia, again.inertia, rtol=1e-11 if few else 2 * EFFORTS["balanced"].tol)
    assert not few or np.abs(again.centroids - clustering.centroids).max() < 1e-9


def test_counts_around_what_a_byte_holds(isa: str) -> None:
    """Clusters keep the sums of their colours: a fixed point's centroids are the means, whatever the counts are."""
    rng = np.random.default_rng(7)
    keys = np.sort(rng.choice(1 << 24, 3000, replace=False))
    planes = [sum((keys >> 3 * bit + 2 - channel & 1) << bit for bit in range(8)) for channel in range(3)]
    counts = rng.choice([1, 2, 254, 255, 256, 257, 511, 512, 70000], len(keys))
    histogram = kmc.ColorHistogram(np.stack(planes, axis=1).astype(np.uint8), counts)
    clustering = cluster_colors(histogram, "auto", Settings(20, None, "balanced", "srgb", None, 0, 2))
    labels = np.argmin(np.square(histogram.colors[:, None] - clustering.centroids).sum(axis=2), axis=1)
    means = [np.average(histogram.colors[labels == j], axis=0, weights=counts[labels == j]) for j in range(20)]
    np.testing.assert_allclose(clustering.centroids, means, rtol=1e-12)


def test_some_rounds_of_the_engine(flower: Array) -> None:
    rounds = [kmc.compress(flower, 64, num_iterations=n) for n in (1, 4)]
    assert [result.n_iter for result in rounds] == [1, 4]
    assert rounds[1].inertia <= rounds[0].inertia


@pytest.mark.parametrize("threads", [1, 3, 7, 16])
@pytest.mark.parametrize("n_colors", [2, 3, 6])
def test_fewer_colours_than_threads(n_colors: int, threads: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (n_colors, 3), dtype=np.uint8)
    picture = np.resize(colors, (20, 30, 3))
    assert len(kmc.compress(picture, n_colors - 1, threads=threads).palette) == n_colors - 1


DITHERED = [
    {"preset": "looks"},
    {"preset": "looks", "effort": "best"},
    {"preset": "looks", "effort": "fast"},
    {"dither": "blue-noise"},
    {"dither": 0.5},
    {"dither": 1, "space": "oklab"},
]


@pytest.mark.parametrize("options", DITHERED)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_dithered(channels: int, options: dict[str, Any]) -> None:
    picture = photograph(150, 170, channels).reshape(150, 170, channels)
    if channels == 4:
        picture[:40, :, 3] = 255
        picture[40:60, :, 3] = 0
    result = kmc.compress(picture, 12, **options)
    assert len(result.palette) == 12
    seen = picture.copy()
    if channels == 4:
        seen[picture[..., 3] == 0] = 0
        np.testing.assert_array_equal(result.image[40:60], 0)
        np.testing.assert_array_equal(result.image[:40, :, 3], 255)
    assert result.mse == pytest.approx(true_mse(seen, result.image), rel=1e-12)
    preset_space = "srgb" if channels == 4 else "oklab"
    plain = kmc.compress(picture, 12, space=options.get("space", preset_space if "preset" in options else "srgb"))
    assert result.mse > plain.mse  # what dithering costs, and the proof that it ran
    blurred = [p.reshape(30, 5, 34, 5, channels).mean(axis=(1, 3)) for p in (seen, result.image, plain.image)]
    if channels < 4:  # what it gains: means of areas are nearer
        assert true_mse(blurred[0], blurred[1]) < true_mse(blurred[0], blurred[2])


@pytest.mark.parametrize("options", DITHERED)
def test_few_colours_stay_exact_with_dithering(options: dict[str, Any]) -> None:
    for channels in (1, 3, 4):
        picture = few_colors(60, 70, 9, channels)
        assert kmc.compress(picture, 9, **options).lossless


@pytest.mark.parametrize("options", DITHERED[:4])
def test_dithering_gives_the_same_bytes(options: dict[str, Any]) -> None:
    picture = photograph(140, 133, 3)
    everywhere(lambda threads: kmc.compress(picture, 20, threads=threads, **options))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (700, 1), (2, 2)])
def test_dithering_of_odd_shapes(shape: tuple[int, int]) -> None:
    for k in (1, 2, 16):
        for options in DITHERED:
            assert kmc.compress(photograph(*shape, 3), k, **options).image.shape == (*shape, 3)


def test_best_has_less_error(flower: Array) -> None:
    for k in (16, 64):
        best, balanced = kmc.compress(flower, k, effort="best"), kmc.compress(flower, k)
        assert best.inertia <= balanced.inertia
        assert best.mse < 1.001 * balanced.mse  # the centroids are rounded in between
    assert best.mse < balanced.mse


def test_best_searches_thoroughly() -> None:
    """Without noise, or without what trials have shown, the ratios' mean is above .9915."""
    picture = photograph(140, 133, 3)
    pairs = [(kmc.compress(picture, k, effort="best"), kmc.compress(picture, k)) for k in (64, 256)]
    assert np.mean([best.inertia / balanced.inertia for best, balanced in pairs]) < 0.9911
    everywhere(lambda threads: kmc.compress(picture, 64, effort="best", threads=threads))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dither": 2}, "from 0 to 1"),
        ({"dither": -0.1}, "from 0"),
        ({"dither": "foo"}, "'blue-noise', got 'foo'"),
        ({"dither": True}, "got True"),
        ({"preset": "nice"}, "'exact', 'looks'"),
        ({"space": "lab"}, "'srgb', 'oklab'"),
        ({"effort": "much"}, "'fast', 'balanced', 'best'"),
        ({"preset": "looks", "k": 300}, "up to 256 colours"),
    ],
)
def test_bad_looks(options: dict[str, Any], message: str) -> None:
    with pytest.raises(kmc.errors.KmcError, match=message):
        kmc.compress(photograph(9, 9, 3), **({"k": 4} | options))
