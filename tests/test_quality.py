"""benchmarks/quality.py and its contact sheets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmc
from kmc.metrics.backgrounds import BACKGROUNDS, on_background

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import contact_sheet
import quality
import rivals
from contact_sheet import Crop, Result, choose_crops, draw_sheet

RAMP = np.dstack([np.linspace(20, 220, 64 * 64).reshape(64, 64).T] * 3).astype(np.uint8)


def with_alpha():
    pixels = np.dstack([RAMP, np.full((64, 64), 255, dtype=np.uint8)])
    pixels[:20] = 0
    pixels[20:30, :, 3] = 128
    return pixels


def is_present(name):
    return rivals.RIVALS[name].missing() is None


def block_error(pixels, compressed):
    """Root mean square difference between means of 8 x 8 pixels: what the eye sees from afar."""
    difference = pixels.astype(float) - compressed
    return np.sqrt(np.square(difference.reshape(8, 8, 8, 8, -1).mean(axis=(1, 3))).mean())


class TestRivals:
    @pytest.mark.parametrize("name", [name for name, rival in rivals.RIVALS.items() if rival.dithers])
    def test_dithering_keeps_the_mean_colour(self, name):
        if not is_present(name):
            pytest.skip(f"{name} is not installed")
        errors = {}
        for dither in (False, True):
            palette, indices, _ = rivals.RIVALS[name].quantize(RAMP, 5, 1, dither=dither)
            assert palette.shape[0] <= 5
            assert indices.max() < len(palette)
            errors[dither] = block_error(RAMP, palette[indices])
        assert errors[True] < 0.9 * errors[False]

    @pytest.mark.parametrize(
        ("name", "dither"), [(name, dither) for name, rival in rivals.RIVALS.items() for dither in rival.rgba]
    )
    def test_alpha_is_kept(self, name, dither):
        if not is_present(name):
            pytest.skip(f"{name} is not installed")
        pixels = with_alpha()
        palette, indices, _ = rivals.RIVALS[name].quantize(pixels, 16, 1, dither=dither)
        assert palette.shape[1] == 4
        alpha = palette[indices][..., 3].astype(int)
        assert alpha[:20].max() == 0
        assert alpha[30:].min() == 255
        assert 100 < alpha[20:30].mean() < 156


class TestWays:
    def test_each_is_there_or_told_why_not(self):
        present, absent = quality.ways(1)
        names = [way.name for way in present]
        assert len(set(names)) == len(names)
        assert {"kmc", "Pillow MEDIANCUT", "Pillow MEDIANCUT, dithered"} <= set(names)
        assert not set(absent) & set(names)
        everyone = {name.removesuffix(", dithered") for name in [*names, *absent]}
        assert everyone == {*quality.RIVALS, *quality.KMC}

    def test_only_some_take_alpha(self):
        takes_alpha = {way.name: way.takes_alpha for way in quality.ways(1)[0]}
        assert takes_alpha["kmc"]
        assert takes_alpha["Pillow FASTOCTREE"]
        assert not takes_alpha["Pillow FASTOCTREE, dithered"]
        assert not takes_alpha["Pillow MEDIANCUT"]


class TestMeasure:
    def test_figures_are_those_of_evaluate(self):
        small = kmc.compress(RAMP, 5)
        record = quality.measure(RAMP, rivals.Quantized(small.palette.colors, small.indices))
        expected = kmc.evaluate(RAMP, small.image, metrics="all")
        for key in ("mse", "psnr", "ssim", "ciede2000", "ciede2000_p95", "ssimulacra2"):
            assert record[key] == getattr(expected, key)
        assert record["psnr_shown"] == expected.psnr
        assert record["kib"] == len(small.to_bytes()) / 1024
        assert record["kib_oxipng"] is None or record["kib_oxipng"] <= record["kib"]

    def test_psnr_with_alpha_is_the_worst_of_the_backgrounds(self):
        pixels = with_alpha()
        small = kmc.compress(pixels, 4)
        record = quality.measure(pixels, rivals.Quantized(small.palette.colors, small.indices))
        on_each = [
            kmc.evaluate(*(on_background(picture, name) for picture in (pixels, small.image))).psnr
            for name in BACKGROUNDS
        ]
        assert record["psnr_shown"] == min(on_each)

    @pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
    def test_program_for_looks(self, tmp_path):
        program = tmp_path / "looks"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nwidth, height, first, second = sys.argv[1:]\n"
            "a, b = (Path(path).read_bytes() for path in (first, second))\n"
            "assert len(a) == len(b) == 3 * int(width) * int(height)\n"
            "print(sum(a) - sum(b), a[0] + b[0])\n"
        )
        program.chmod(0o755)
        pixels = with_alpha() // 8 * 8 + np.array([0, 0, 0, 7], dtype=np.uint8)
        pixels[:20, :, 3] = 0
        brighter = pixels.copy()
        brighter[30:, :, :3] += 1
        colors, indices = np.unique(brighter.reshape(-1, 4), axis=0, return_inverse=True)
        record = quality.measure(pixels, rivals.Quantized(colors, indices.reshape(64, 64)), str(program))
        assert record["ssimulacra2"] == -34 * 64 * 3
        assert record["butteraugli"] == 255 + 255  # the first pixel is transparent, so white there


class TestTable:
    RECORDS = (
        {"picture": "a", "k": 4, "way": "kmc", "mse": 10.0, "ssimulacra2": 50.0, "psnr_shown": 30.0},
        {"picture": "b", "k": 4, "way": "kmc", "mse": 20.0, "ssimulacra2": 60.0, "psnr_shown": None},
        {"picture": "a", "k": 4, "way": "other", "mse": 12.0, "ssimulacra2": 44.0, "psnr_shown": 28.0},
        {"picture": "b", "k": 4, "way": "other", "mse": 1234.0, "ssimulacra2": 61.0, "psnr_shown": 32.0},
        {"picture": "a", "k": 16, "way": "kmc", "mse": 1.0, "ssimulacra2": 80.0, "psnr_shown": 40.0},
    )

    def test_means_and_comparison(self):
        assert quality.table(self.RECORDS, "other").splitlines() == [
            "| k=4 | SSIMULACRA2 | PSNR dB | MSE | SSIMULACRA2 against other |",
            "| --- | ---: | ---: | ---: | ---: |",
            "| **kmc** | 55.0 | 30.00 | 15.0 | +2.5, above on 1 of 2 |",
            "| other | 52.5 | 30.00 | 623.0 |  |",
            "",
            "| k=16 | SSIMULACRA2 | PSNR dB | MSE | SSIMULACRA2 against other |",
            "| --- | ---: | ---: | ---: | ---: |",
            "| **kmc** | 80.0 | 40.00 | 1.0 |  |",
        ]


class TestSheet:
    def test_crops_are_where_things_go_wrong(self):
        generator = np.random.default_rng(0)
        pixels = generator.integers(90, 130, (120, 160, 1), dtype=np.uint8).repeat(3, axis=2)  # noise everywhere but
        pixels[:40, :40] = np.linspace(50, 200, 40).astype(np.uint8)[:, None, None]
        pixels[80:120, 40:60], pixels[80:120, 60:80] = 20, 240
        pixels[40:80, 120:160] = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        crops = choose_crops(pixels, 40)
        assert [(crop.top, crop.left) for crop in crops] == [(0, 0), (80, 40), (40, 120)]

    def test_crops_of_a_small_picture(self):
        crops = choose_crops(RAMP[:1, :7], 40)
        assert len(crops) == 3
        assert {crop.side for crop in crops} == {1}

    def test_crops_do_not_overlap(self):
        pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
        first, second, third = choose_crops(pixels, 40)
        assert not any([first.overlaps(second), first.overlaps(third), second.overlaps(third)])

    def test_each_result_stands_in_its_place(self):
        columns = {
            f"rival {number}": {
                dither: Result(RAMP // 2 + np.uint8(number + 20 * dither), "") for dither in (False, True)
            }
            for number in range(contact_sheet.COLUMNS + 1)
        }
        crop = Crop("ramp", 8, 16, 10)
        sheet = np.asarray(draw_sheet("title", RAMP, columns, [crop]))

        def shown(pixels):
            return np.kron(crop.of(pixels), np.ones((3, 3, 1), dtype=np.uint8))

        size, line, gap = 30, contact_sheet.LINE, contact_sheet.GAP
        row = size + 2 * line + gap
        for number, results in enumerate(columns.values()):
            block, column = divmod(number, len(columns) // 2)
            left = gap + (1 + column) * (size + gap)
            for dither, result in results.items():
                top = 4 * line + block * (2 * row + line) + dither * row
                np.testing.assert_array_equal(sheet[top : top + size, left : left + size], shown(result.pixels))
        np.testing.assert_array_equal(sheet[4 * line : 4 * line + size, gap : gap + size], shown(RAMP))


def test_a_whole_run(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.fromarray(RAMP).save(tmp_path / "in" / "opaque.png")
    Image.fromarray(with_alpha()).save(tmp_path / "in" / "transparent.png")
    out = tmp_path / "out.json"
    options = {"pictures": tmp_path / "in", "colors": "2,4", "threads": 1, "sheets": tmp_path / "sheets"}
    options |= {"against": "Pillow FASTOCTREE", "output": out}
    quality.main([f"--{name}={value}" for name, value in options.items()])
    records = json.loads(out.read_text())["records"]
    ways = {(record["picture"], record["way"]) for record in records}
    assert {("opaque.png", "Pillow MEDIANCUT"), ("transparent.png", "kmc")} <= ways
    assert ("transparent.png", "Pillow MEDIANCUT") not in ways
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == [
        "opaque-2.png", "opaque-4.png", "transparent-2.png", "transparent-4.png",
    ]  # fmt: skip
    assert "| **kmc** |" in capsys.readouterr().out
