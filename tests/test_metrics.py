"""Each measure by itself, compared with its definition and with other libraries."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from compared import PHOTOGRAPHS, posterize, random_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import file_bytes
from scipy.ndimage import correlate1d
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from sklearn.datasets import load_sample_image

from kmc.errors import KmcImportError, KmcValueError
from kmc.evaluate import ciede2000, evaluate, ms_ssim, mse, psnr, ssim, ssimulacra2
from kmc.metrics.backgrounds import BACKGROUNDS, on_background
from kmc.metrics.color_difference import _Greatest, delta_e


@pytest.fixture(params=PHOTOGRAPHS, scope="module")
def photograph(request):
    return PHOTOGRAPHS[request.param]()


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
        (tmp_path / "original.png").write_bytes(file_bytes(original))
        (tmp_path / "compressed.png").write_bytes(file_bytes(compressed))
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
