from __future__ import annotations

import importlib.util
import io
import json
import math
from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import correlate1d
from skimage import data as skimage_data
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from sklearn.datasets import load_sample_image

import kmc
from kmc.errors import KmcFileNotFoundError, KmcImportError, KmcTypeError, KmcValueError
from kmc.evaluate import Evaluation, ciede2000, evaluate, ms_ssim, mse, psnr, ssim, ssimulacra2
from kmc.metrics import similarity
from kmc.metrics.backgrounds import BACKGROUNDS, on_background
from kmc.metrics.color_difference import _Greatest, delta_e

PHOTOGRAPHS = {
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
    "astronaut": skimage_data.astronaut,
    "coffee": skimage_data.coffee,
    "grey": skimage_data.camera,
    "odd": lambda: load_sample_image("china.jpg")[3:310, 5:284],
    "window": lambda: load_sample_image("flower.jpg")[200:211, 200:211],
    "one_row_of_windows": lambda: load_sample_image("flower.jpg")[200:211, 100:500],
}


@pytest.fixture(params=PHOTOGRAPHS, scope="module")
def photograph(request):
    return PHOTOGRAPHS[request.param]()


def posterize(pixels, step=32):
    return (pixels // step * step + step // 2).astype(np.uint8)


def reference_ssim(original, compressed):
    return structural_similarity(
        original,
        compressed,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1 if original.ndim == 3 else None,
    )


def random_pixels(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def reference_ciede2000(original, compressed):
    first, second = (
        rgb2lab(np.broadcast_to(p.reshape(*p.shape[:2], -1), (*p.shape[:2], 3))) for p in (original, compressed)
    )
    differences = deltaE_ciede2000(first, second)
    return differences.mean(), np.percentile(differences, 95)


def reference_ms_ssim(original, compressed):
    """The definition of Wang, Simoncelli and Bovik for one channel, in as few words as possible."""
    x, y = original.astype(float), compressed.astype(float)
    result = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            x, y = reference_half(x), reference_half(y)
        mean_x, mean_y = window_means(x), window_means(y)
        variance_x, variance_y = window_means(x * x) - mean_x**2, window_means(y * y) - mean_y**2
        covariance = window_means(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
        contrast_and_structure = (2 * covariance + 58.5225) / (variance_x + variance_y + 58.5225)
        local = contrast_and_structure * luminance if scale == 4 else contrast_and_structure
        result *= max(local.mean(), 0) ** weight
    return result


def window_means(values):
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    for axis in (0, 1):
        values = correlate1d(values, weights / weights.sum(), axis)
    return values[5:-5, 5:-5]


def reference_half(values):
    height, width = values.shape
    values = np.pad(values, ((0, height % 2), (0, width % 2)), "edge")
    return (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4


def plainly_on(background, pixels):
    """Mix pixel by pixel with whole numbers; half a step is rounded up."""
    mixed = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    for (y, x), alpha in np.ndenumerate(pixels[..., 3].astype(int)):
        grey = {"black": 0, "white": 255, "checkerboard": 153 if (y // 8 + x // 8) % 2 == 0 else 102}[background]
        for channel in range(3):
            exact = int(pixels[y, x, channel]) * alpha + grey * (255 - alpha)
            mixed[y, x, channel] = round(exact / 255)  # never half way between, as 255 is odd
    return mixed


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class TestAgainstScikitImage:
    def test_mse_and_psnr(self, photograph):
        compressed = posterize(photograph)
        assert mse(photograph, compressed) == mean_squared_error(photograph, compressed)
        expected = peak_signal_noise_ratio(photograph, compressed, data_range=255)
        assert psnr(photograph, compressed) == pytest.approx(expected, rel=1e-14)

    @pytest.mark.parametrize("step", [2, 32, 128])
    def test_ssim(self, photograph, step):
        compressed = posterize(photograph, step)
        expected = reference_ssim(photograph, compressed)
        assert ssim(photograph, compressed) == pytest.approx(expected, abs=1e-10)

    @pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (254, 255), (255, 0), (0, 0)])
    def test_ssim_of_flat_pictures(self, low, high):
        original = np.full((40, 30, 3), low, dtype=np.uint8)
        compressed = np.full((40, 30, 3), high, dtype=np.uint8)
        assert mse(original, compressed) == (high - low) ** 2
        expected = reference_ssim(original, compressed)
        assert ssim(original, compressed) == pytest.approx(expected, abs=1e-10)

    @given(
        st.tuples(st.integers(11, 90), st.integers(11, 290), st.sampled_from([1, 3])),
        st.integers(0, 2**32 - 1),
        st.sampled_from([1, 2, 255]),
    )
    @settings(max_examples=30, deadline=None)
    def test_ssim_of_noise_on_any_size(self, shape, seed, levels):
        values = np.random.default_rng(seed).integers(0, levels, (2, *shape), endpoint=True)
        original, compressed = (values * (255 // levels)).astype(np.uint8)
        expected = reference_ssim(original, compressed)
        assert ssim(original, compressed) == pytest.approx(expected, abs=1e-10)
        assert mse(original, compressed) == mean_squared_error(original, compressed)

    def test_ssim_of_rgba(self):
        original = random_pixels((50, 60, 4))
        original[..., 3] |= 1  # nothing entirely transparent: scikit-image knows no alpha
        compressed = posterize(original)
        expected = reference_ssim(original, compressed)
        assert ssim(original, compressed) == pytest.approx(expected, abs=1e-10)
        assert mse(original, compressed) == mean_squared_error(original, compressed)


# Of the pairs that Sharma, Wu and Dalal publish with their paper: those at which implementations go wrong (hues on
# both sides of 0, hues just below and above half a turn apart, no chroma), large differences, and ordinary ones.
PUBLISHED_PAIRS = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, -1, 2), (50, 0, 0), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.001), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
    ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (56, -27, -3), 31.9030),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


class TestColorDifference:
    @pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED_PAIRS)
    def test_published_pairs(self, first, second, expected):
        assert delta_e(np.array(first, dtype=float), np.array(second, dtype=float)) == pytest.approx(expected, abs=5e-5)

    @pytest.mark.parametrize("step", [2, 32, 128])
    def test_photographs_as_by_scikit_image(self, photograph, step):
        compressed = posterize(photograph, step)
        assert ciede2000(photograph, compressed) == pytest.approx(reference_ciede2000(photograph, compressed), abs=1e-9)

    @given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 8, 255]))
    @settings(max_examples=30, deadline=None)
    def test_noise_as_by_scikit_image(self, height, width, seed, most):
        """Few pixels and many ties are where a percentile goes wrong."""
        generator = np.random.default_rng(seed)
        original = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        compressed = np.minimum(original, 255 - most) + generator.integers(0, most, original.shape, np.uint8, True)
        assert ciede2000(original, compressed) == pytest.approx(reference_ciede2000(original, compressed), abs=1e-7)

    def test_percentile_of_a_picture_of_many_tiles(self):
        """The greatest differences come in the first tiles, in the last, and all over."""
        ramp = np.arange(300 * 700).reshape(300, 700) * 255 // (300 * 700)
        black = np.zeros((300, 700, 3), dtype=np.uint8)
        for grey in (ramp, ramp[::-1], ramp % 7):
            compressed = np.dstack([grey] * 3).astype(np.uint8)
            assert ciede2000(black, compressed) == pytest.approx(reference_ciede2000(black, compressed), abs=1e-9)

    def test_the_greatest_are_kept_in_bounded_memory(self):
        greatest = _Greatest(30)
        values = np.random.default_rng(0).integers(0, 500, (200, 40)).astype(float)  # with ties
        for row in values:
            greatest.add(row)
            assert sum(map(len, greatest._parts)) <= 2 * 30 + 40
        np.testing.assert_array_equal(greatest.ascending(), np.sort(values, axis=None)[-30:])

    def test_grey_is_its_rgb(self):
        grey, other = random_pixels((2, 30, 40))
        assert ciede2000(grey, other) == ciede2000(np.dstack([grey] * 3), other)


class TestMultiScale:
    @pytest.mark.parametrize("step", [2, 32, 128])
    @pytest.mark.parametrize("shape", [(176, 176), (177, 203), (254, 331)])
    def test_plain_reference(self, shape, step):
        original = load_sample_image("china.jpg")[100 : 100 + shape[0], 200 : 200 + shape[1]]
        compressed = posterize(original, step)
        expected = np.mean([reference_ms_ssim(original[..., c], compressed[..., c]) for c in range(3)])
        assert ms_ssim(original, compressed) == pytest.approx(expected, abs=1e-12)

    def test_grey(self):
        original = load_sample_image("flower.jpg")[:200, :300, 1]
        compressed = posterize(original)
        assert ms_ssim(original, compressed) == pytest.approx(reference_ms_ssim(original, compressed), abs=1e-12)
        assert ms_ssim(np.dstack([original] * 3), compressed) == pytest.approx(ms_ssim(original, compressed))

    def test_negative_averages_count_as_0(self):
        original = random_pixels((176, 176))
        assert ms_ssim(original, 255 - original) == 0

    def test_identical_pictures(self):
        original = random_pixels((180, 190, 3))
        assert ms_ssim(original, original.copy()) == 1

    def test_smallest_picture(self):
        original = random_pixels((175, 300, 3))
        assert evaluate(original, original, metrics="ms_ssim").ms_ssim is None
        with pytest.raises(KmcValueError, match=r"300 x 175 pixels and MS-SSIM needs 176 x 176"):
            ms_ssim(original, original)


class TestSsimulacra2:
    @pytest.fixture(autouse=True)
    def package(self):
        return pytest.importorskip("ssimulacra2")

    @pytest.mark.parametrize("channels", [1, 3])
    def test_files_give_the_same(self, package, tmp_path, channels):
        original = load_sample_image("china.jpg")[100:160, 200:300]
        if channels == 1:
            original = original[..., 0]
        compressed = posterize(original)
        (tmp_path / "original.png").write_bytes(png(original))
        (tmp_path / "compressed.png").write_bytes(png(compressed))
        expected = package.compute_ssimulacra2(tmp_path / "original.png", tmp_path / "compressed.png")
        assert ssimulacra2(original, compressed) == expected
        assert evaluate(original, compressed, metrics="ssimulacra2").ssimulacra2 == expected

    def test_identical_pictures(self):
        pixels = random_pixels((20, 30, 3))
        assert ssimulacra2(pixels, pixels.copy()) == 100

    def test_smallest_picture(self):
        pixels = random_pixels((7, 30, 3))
        assert evaluate(pixels, pixels, metrics="ssimulacra2").ssimulacra2 is None
        with pytest.raises(KmcValueError, match=r"30 x 7 pixels and SSIMULACRA2 needs 8 x 8"):
            ssimulacra2(pixels, pixels)


class TestWithoutThePackage:
    @pytest.fixture(autouse=True)
    def hidden(self, monkeypatch):
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ssimulacra2" else find(name))

    def test_all_leaves_it_out(self):
        pixels = random_pixels((20, 30, 3))
        evaluation = evaluate(pixels, pixels, metrics="all")
        assert evaluation.ssimulacra2 is None
        assert evaluation.ciede2000 == 0

    def test_by_name_the_way_to_install_it_is_told(self):
        pixels = random_pixels((20, 30, 3))
        with pytest.raises(KmcImportError, match=r"pip install 'kmc-image\[metrics\]'"):
            ssimulacra2(pixels, pixels)
        with pytest.raises(KmcImportError, match=r"not installed"):
            evaluate(pixels, pixels, metrics=("ciede2000", "ssimulacra2"))


class TestBackgrounds:
    @pytest.mark.parametrize("background", BACKGROUNDS)
    def test_every_sample(self, background):
        pixels = random_pixels((21, 40, 4))
        pixels[:5, :, 3], pixels[5:10, :, 3] = 0, 255
        np.testing.assert_array_equal(on_background(pixels, background), plainly_on(background, pixels))

    def test_the_checkerboard_goes_on_from_strip_to_strip(self):
        clear = np.zeros((300, 400, 4), dtype=np.uint8)
        board = on_background(clear, "checkerboard")
        assert board[0, 0, 0] == 153
        for axis in (0, 1):
            np.testing.assert_array_equal(np.roll(board, 16, axis)[16:, 16:], board[16:, 16:])
            np.testing.assert_array_equal(np.roll(board, 8, axis)[16:, 16:], 255 - board[16:, 16:])

    def test_the_worst_counts(self):
        original = photograph_with_alpha()
        compressed = posterize(original, 16)
        compressed[..., 3] = original[..., 3]
        shown = {name: [on_background(p, name) for p in (original, compressed)] for name in BACKGROUNDS}
        found = evaluate(original, compressed, metrics=("ciede2000", "ms_ssim"))
        means, percentiles = zip(*(reference_ciede2000(*pair) for pair in shown.values()), strict=True)
        assert found.ciede2000 == pytest.approx(max(means), abs=1e-9)
        assert found.ciede2000_p95 == pytest.approx(max(percentiles), abs=1e-9)
        assert found.ms_ssim == min(ms_ssim(*pair) for pair in shown.values())

    def test_an_error_that_shows_on_one_background_only(self):
        """Black with alpha lost cannot be seen on black."""
        original = np.zeros((180, 180, 4), dtype=np.uint8)
        original[40:90, 40:120, 3] = 200
        compressed = original.copy()
        compressed[..., 3] //= 2
        white = [on_background(pixels, "white") for pixels in (original, compressed)]
        assert ciede2000(original, compressed) == ciede2000(*white)
        assert ciede2000(*(on_background(pixels, "black") for pixels in (original, compressed))) == (0, 0)

    def test_ssimulacra2_of_rgba(self):
        pytest.importorskip("ssimulacra2")
        original = photograph_with_alpha()[:40, 20:90]
        compressed = posterize(original)
        shown = [[on_background(pixels, name) for pixels in (original, compressed)] for name in BACKGROUNDS]
        assert ssimulacra2(original, compressed) == min(ssimulacra2(*pair) for pair in shown)

    def test_opaque_rgba_is_rgb(self):
        original, compressed = random_pixels((2, 30, 40, 3))
        opaque = np.dstack([original, np.full((30, 40), 255, dtype=np.uint8)])
        assert ciede2000(opaque, compressed) == ciede2000(original, compressed)

    def test_colour_of_transparent_pixels_does_not_count(self):
        original = photograph_with_alpha()
        compressed = original.copy()
        compressed[original[..., 3] == 0] = (1, 2, 3, 0)
        found = evaluate(original, compressed, metrics="all")
        assert (found.ciede2000, found.ciede2000_p95, found.ms_ssim) == (0, 0, 1)
        assert found.ssimulacra2 in (None, 100)


def photograph_with_alpha():
    rgb = load_sample_image("flower.jpg")[100:280, 200:390]
    alpha = np.clip(np.add.outer(np.arange(180), np.arange(190)) - 60, 0, 255)
    return np.dstack([rgb, alpha.astype(np.uint8)])


class TestMetrics:
    ADDED = ("ciede2000", "ciede2000_p95", "ms_ssim", "ssimulacra2")

    def test_by_default_nothing_is_added(self):
        evaluation = evaluate(*random_pixels((2, 180, 180, 3)))
        assert [getattr(evaluation, name) for name in self.ADDED] == [None] * 4

    @pytest.mark.parametrize("metrics", ["ciede2000", "ms_ssim", ["ms_ssim"], ("ciede2000", "core"), {"ms_ssim"}, ()])
    def test_what_is_asked_for(self, metrics):
        original, compressed = random_pixels((2, 180, 180, 3))
        evaluation = evaluate(original, compressed, metrics=metrics)
        assert evaluation.mse == mse(original, compressed)
        difference = ciede2000(original, compressed) if "ciede2000" in metrics else (None, None)
        assert (evaluation.ciede2000, evaluation.ciede2000_p95) == difference
        assert evaluation.ms_ssim == (ms_ssim(original, compressed) if "ms_ssim" in metrics else None)
        assert evaluation.ssimulacra2 is None

    @pytest.mark.parametrize(("metrics", "kind"), [
        ("looks", KmcValueError), (["ms_ssim", "vmaf"], KmcValueError), ("", KmcValueError),
        (3, KmcTypeError), (None, KmcTypeError), ([3], KmcTypeError),
    ])  # fmt: skip
    def test_what_does_not_exist(self, metrics, kind):
        with pytest.raises(kind, match=r"^metrics must be one .*'ciede2000'.* got"):
            evaluate("missing.png", "missing.png", metrics=metrics)


class TestMeasures:
    @given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)))
    @settings(deadline=None)
    def test_identical_pictures(self, pixels):
        evaluation = evaluate(pixels, pixels.copy())
        assert evaluation.mse == 0
        assert evaluation.psnr == math.inf
        assert evaluation.ssim == (1 if min(pixels.shape) >= 11 else None)

    def test_identical_photograph_has_ssim_of_exactly_1(self, photograph):
        assert ssim(photograph, photograph.copy()) == 1

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=20, deadline=None)
    def test_order_does_not_matter(self, seed):
        first, second = random_pixels((2, 20, 25, 3), seed)
        assert mse(first, second) == mse(second, first)
        assert psnr(first, second) == psnr(second, first)
        assert ssim(first, second) == pytest.approx(ssim(second, first), abs=1e-14)

    def test_largest_error(self):
        black = np.zeros((20, 20, 3), dtype=np.uint8)
        assert mse(black, ~black) == 65025
        assert psnr(black, ~black) == 0

    @pytest.mark.parametrize("tile", [(1, 1), (7, 13), (1000, 1000)])
    def test_tiles_do_not_show(self, monkeypatch, tile):
        original, compressed = random_pixels((2, 40, 50, 3))
        expected = mse(original, compressed), ssim(original, compressed)
        expected_difference = ciede2000(original, compressed)
        monkeypatch.setattr(similarity, "TILE_ROWS", tile[0])
        monkeypatch.setattr(similarity, "TILE_COLUMNS", tile[1])
        assert mse(original, compressed) == expected[0]
        assert ssim(original, compressed) == pytest.approx(expected[1], abs=1e-12)
        assert ciede2000(original, compressed) == pytest.approx(expected_difference, abs=1e-12)

    def test_inputs_stay_as_they_are(self):
        original, compressed = random_pixels((2, 30, 30, 4))
        copies = original.copy(), compressed.copy()
        evaluate(original, compressed)
        np.testing.assert_array_equal(original, copies[0])
        np.testing.assert_array_equal(compressed, copies[1])


class TestChannels:
    def test_grey_against_rgb(self):
        grey = random_pixels((30, 40))
        rgb = random_pixels((30, 40, 3), seed=1)
        expanded = np.dstack([grey, grey, grey])
        assert mse(grey, expanded) == 0
        assert ssim(expanded, grey) == 1
        assert mse(grey, rgb) == mse(expanded, rgb) == mse(rgb, grey[..., np.newaxis])
        assert ssim(grey, rgb) == ssim(expanded, rgb)

    def test_rgb_against_rgba(self):
        rgb = random_pixels((30, 40, 3))
        rgba = random_pixels((30, 40, 4), seed=1)
        opaque = np.dstack([rgb, np.full((30, 40), 255, dtype=np.uint8)])
        assert mse(rgb, opaque) == 0
        assert mse(rgb, rgba) == mse(opaque, rgba) == mse(rgba, rgb)
        assert ssim(rgb, rgba) == ssim(opaque, rgba)

    def test_grey_against_rgba(self):
        grey = random_pixels((30, 40))
        opaque = np.dstack([grey, grey, grey, np.full((30, 40), 255, dtype=np.uint8)])
        assert mse(grey, opaque) == 0

    def test_colour_of_transparent_pixels_does_not_count(self):
        original, compressed = random_pixels((2, 30, 40, 4))
        compressed[...] = original
        original[10:20, :, 3] = compressed[10:20, :, 3] = 0
        compressed[10:20, :, :3] = 77
        evaluation = evaluate(original, compressed)
        assert evaluation.mse == 0
        assert evaluation.ssim == 1
        assert evaluation.colors_original == evaluation.colors_compressed

    def test_colour_of_a_pixel_transparent_on_one_side_counts_as_0(self):
        original = np.full((12, 12, 4), 200, dtype=np.uint8)
        compressed = original.copy()
        compressed[..., 3] = 0
        assert mse(original, compressed) == 200**2


class TestFiles:
    def test_bytes_of_files(self, tmp_path):
        original, compressed = random_pixels((2, 20, 30, 3))
        path = tmp_path / "original.png"
        path.write_bytes(png(original))
        content = png(compressed)
        evaluation = evaluate(path, content)
        assert evaluation.mse == mse(original, compressed)
        assert evaluation.bytes_original == path.stat().st_size
        assert evaluation.bytes_compressed == len(content)
        assert evaluation.bits_per_pixel == 8 * len(content) / (20 * 30)
        assert evaluation.compression_ratio == path.stat().st_size / len(content)

    def test_bytes_of_arrays_are_unknown(self):
        original, compressed = random_pixels((2, 20, 30, 3))
        evaluation = evaluate(original, Image.fromarray(compressed))
        assert evaluation.bytes_original is None
        assert evaluation.bytes_compressed is None
        assert evaluation.bits_per_pixel is None
        assert evaluation.compression_ratio is None

    def test_array_against_file(self):
        pixels = random_pixels((20, 30, 3))
        content = png(pixels)
        evaluation = evaluate(pixels, content)
        assert evaluation.bits_per_pixel == 8 * len(content) / (20 * 30)
        assert evaluation.compression_ratio is None

    @pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4)])
    def test_compressed_image(self, shape):
        original = random_pixels(shape)
        compressed = kmc.compress(original, 8)
        evaluation = evaluate(png(original.squeeze()), compressed)
        assert evaluation.mse == mse(original, compressed.image) == mse(original, compressed)
        assert evaluation.mse == pytest.approx(compressed.mse)
        assert evaluation.ssim == ssim(original, compressed)
        assert evaluation.psnr == psnr(original, compressed)
        assert evaluation.colors_compressed == len(compressed.palette)
        assert evaluation.bytes_compressed == len(compressed.to_bytes())

    def test_compressed_image_agrees_with_its_file(self, tmp_path):
        original = random_pixels((20, 30, 3))
        compressed = kmc.compress(original, 8)
        compressed.save(tmp_path / "compressed.png")
        assert evaluate(original, compressed) == evaluate(original, tmp_path / "compressed.png")

    def test_compressed_image_with_more_colours_than_a_file_holds(self):
        original = random_pixels((30, 30, 3))
        evaluation = evaluate(original, kmc.compress(original, 300))
        assert evaluation.bytes_compressed is None
        assert evaluation.colors_compressed == 300

    def test_lossless(self):
        original = posterize(random_pixels((30, 30)))
        evaluation = evaluate(original, kmc.compress(original, 8))
        assert evaluation.mse == 0
        assert evaluation.colors_original == evaluation.colors_compressed == 8


class TestSmallPictures:
    @pytest.mark.parametrize("shape", [(1, 1), (10, 40), (40, 10, 3), (1, 500, 4)])
    def test_below_the_window(self, shape):
        original, compressed = random_pixels((2, *shape))
        evaluation = evaluate(original, compressed)
        assert evaluation.ssim is None
        assert evaluation.mse > 0
        with pytest.raises(KmcValueError, match=r"40 x 10 pixels|10 x 40|1 x 1|500 x 1"):
            ssim(original, compressed)


class TestErrors:
    @pytest.mark.parametrize("measure", [evaluate, mse, psnr, ssim, ciede2000, ms_ssim])
    def test_sizes_that_differ(self, measure):
        original = np.zeros((20, 30, 3), dtype=np.uint8)
        compressed = np.zeros((30, 20, 3), dtype=np.uint8)
        with pytest.raises(KmcValueError, match=r"original has 30 x 20 .* compressed 20 x 30; .*"):
            measure(original, compressed)

    @pytest.mark.parametrize("measure", [evaluate, mse, psnr, ssim, ciede2000, ms_ssim])
    def test_messages_name_the_picture(self, measure):
        good = np.zeros((20, 30, 3), dtype=np.uint8)
        with pytest.raises(KmcTypeError, match=r"^original is"):
            measure(None, good)
        with pytest.raises(KmcValueError, match=r"^compressed has 5 channels"):
            measure(good, np.zeros((20, 30, 5), dtype=np.uint8))

    def test_missing_file(self, tmp_path):
        good = np.zeros((20, 30, 3), dtype=np.uint8)
        with pytest.raises(KmcFileNotFoundError, match=r"missing\.png"):
            evaluate(good, tmp_path / "missing.png")


class TestEvaluation:
    KNOWN = Evaluation(
        mse=118.0612,
        psnr=27.409,
        ssim=0.82113,
        colors_original=96615,
        colors_compressed=16,
        bits_per_pixel=2.3128,
        bytes_original=196653,
        bytes_compressed=79012,
        compression_ratio=2.4889,
    )
    LOOKS = replace(KNOWN, ciede2000=2.34567, ciede2000_p95=5.5, ms_ssim=0.98765, ssimulacra2=71.239)
    UNKNOWN = Evaluation(
        mse=0.0,
        psnr=math.inf,
        ssim=None,
        colors_original=1,
        colors_compressed=1,
        bits_per_pixel=None,
        bytes_original=None,
        bytes_compressed=None,
        compression_ratio=None,
    )

    def test_to_dict_survives_json(self):
        fields = self.KNOWN.to_dict()
        assert json.loads(json.dumps(fields)) == fields
        assert Evaluation(**fields) == self.KNOWN
        assert Evaluation(**self.LOOKS.to_dict()) == self.LOOKS
        strict = json.dumps(self.UNKNOWN.to_dict(), allow_nan=False)
        assert json.loads(strict)["psnr"] is None

    def test_text(self):
        assert str(self.KNOWN) == repr(self.KNOWN)
        assert str(self.KNOWN).splitlines() == [
            "MSE                118.1",
            "PSNR               27.41 dB",
            "SSIM               0.8211",
            "colours            96,615 -> 16",
            "bytes              196,653 -> 79,012",
            "bits per pixel     2.313",
            "compression ratio  2.49",
        ]

    def test_text_of_the_added_metrics(self):
        lines, known = str(self.LOOKS).splitlines(), str(self.KNOWN).splitlines()
        assert lines == [
            *known[:3],
            "CIEDE2000          2.346 (95th percentile 5.500)",
            "MS-SSIM            0.9877",
            "SSIMULACRA2        71.24",
            *known[3:],
        ]

    def test_text_of_what_is_unknown(self):
        assert str(self.UNKNOWN).splitlines() == [
            "MSE                0",
            "PSNR               infinite",
            "SSIM               unknown (below 11 pixels)",
            "colours            1 -> 1",
            "bytes              unknown -> unknown",
            "bits per pixel     unknown",
            "compression ratio  unknown",
        ]

    def test_frozen(self):
        with pytest.raises(AttributeError):
            self.KNOWN.mse = 0.0
