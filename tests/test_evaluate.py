"""``kmc.evaluate``: pictures and files in, all measures out; each measure by itself is in test_metrics.py."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from compared import PHOTOGRAPHS, posterize, random_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import file_bytes
from PIL import Image

import kmc
from kmc.errors import KmcFileNotFoundError, KmcTypeError, KmcValueError
from kmc.evaluate import Evaluation, ciede2000, evaluate, ms_ssim, mse, psnr, ssim
from kmc.metrics import similarity


@pytest.fixture(params=PHOTOGRAPHS, scope="module")
def photograph(request):
    return PHOTOGRAPHS[request.param]()


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
        path.write_bytes(file_bytes(original))
        content = file_bytes(compressed)
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
        content = file_bytes(pixels)
        evaluation = evaluate(pixels, content)
        assert evaluation.bits_per_pixel == 8 * len(content) / (20 * 30)
        assert evaluation.compression_ratio is None

    @pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4)])
    def test_compressed_image(self, shape):
        original = random_pixels(shape)
        compressed = kmc.compress(original, 8)
        evaluation = evaluate(file_bytes(original.squeeze()), compressed)
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
