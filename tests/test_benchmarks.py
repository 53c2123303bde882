"""The benchmarks still run, and the report says what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmc.evaluate import mse

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import demo
import peak_memory
import photographs
import report
import rivals
import stages

BENCHMARKS = Path(demo.__file__).parent
PIXELS = photographs.rgb(photographs.china())[150:190, 300:360].copy()


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "temple.png"
    Image.fromarray(PIXELS).save(path)
    return path


class TestRivals:
    @pytest.fixture(params=rivals.RIVALS)
    def rival(self, request):
        rival = rivals.RIVALS[request.param]
        if missing := rival.missing():
            pytest.skip(missing)
        return rival

    def test_palette_and_indices(self, rival):
        with rivals.equal_threads(1):
            palette, indices = rival.quantize(PIXELS, 16, 1)
        assert palette.dtype == np.uint8
        assert palette.shape[0] <= 16
        assert palette.shape[1] == 3
        assert indices.shape == (40, 60)
        assert indices.max() < len(palette)
        assert mse(PIXELS, palette[indices]) < PIXELS.var(axis=(0, 1)).mean() / 2

    def test_settings_are_stated(self, rival):
        assert rival.settings.endswith(".")

    def test_missing_library_is_named(self):
        assert rivals.module("no_such_library")() == "no_such_library is not installed"


class TestStages:
    @pytest.mark.parametrize("name", stages.STAGES)
    def test_stage_can_be_repeated(self, name, picture):
        call = stages.STAGES[name](picture, 4, 1)
        for _ in range(2):
            assert call.run(*call.arguments()) is not None

    def test_names(self):
        expected = (
            "load", "histogram", "seeding", "assignment", "update", "fit", "remap", "encode",
            "evaluate",
        )  # fmt: skip
        assert tuple(stages.STAGES) == expected


@pytest.mark.skipif(not peak_memory.CLEAR_REFS.exists(), reason="only Linux tells")
class TestPeakMemory:
    def test_sees_what_is_freed_again(self):
        assert 60 <= peak_memory.grown_mib(lambda: np.ones(64 * 2**20, dtype=np.uint8)) < 70

    @pytest.mark.parametrize(("kind", "name"), [("rival", "kmc.compress"), ("stage", "histogram")])
    def test_in_a_process_of_its_own(self, kind, name, picture):
        assert peak_memory.peak_mib(kind, name, picture, 4, 1) >= 0


class TestPhotographs:
    def test_in_folder(self, picture):
        (picture.parent / "notes.txt").write_text("no picture")
        assert photographs.in_folder(picture.parent) == [picture]
        np.testing.assert_array_equal(photographs.rgb(picture), PIXELS)


class TestDemo:
    def test_on_a_given_picture(self, picture, tmp_path, capsys):
        out, before_after = tmp_path / "out", tmp_path / "pictures" / "before_after.png"
        arguments = [picture, "-k", 8, "--out", out, "--before-after", before_after]
        demo.main([str(argument) for argument in arguments])
        lines = capsys.readouterr().out.splitlines()
        with Image.open(out / "temple-8.png") as image:
            error = mse(PIXELS, image)
            assert image.size == (60, 40)
            assert len(image.convert("RGB").getcolors()) == 8
        kmc_row = next(line for line in lines if line.startswith("kmc  ")).split()
        assert kmc_row[2] == f"{error:.2f}"
        assert kmc_row[4] == f"{(out / 'temple-8.png').stat().st_size:,d}"
        assert any(line.startswith("scikit-learn KMeans") for line in lines)
        with Image.open(before_after) as image:
            assert image.size == (60 + demo.GAP + 60, 40)


def made_up_rival(rival, k, seconds, error, peak=1.5):
    return {
        "stats": {"median": seconds},
        "extra_info": {
            "rival": rival,
            "settings": f"How {rival} is called.",
            "picture": "a.jpg",
            "width": 640,
            "height": 427,
            "k": k,
            "mse": error,
            "psnr": 27.412 if error else float("inf"),
            "peak_mib": peak,
        },
    }


def made_up_stage(stage, k, seconds):
    info = {"stage": stage, "meaning": "Work.", "picture": "a.jpg", "k": k, "peak_mib": None}
    return {"stats": {"median": seconds}, "extra_info": info}


DOCUMENT = {
    "datetime": "2026-01-02T03:04:05+00:00",
    "machine_info": {
        "cpu": {"brand_raw": "A Processor"},
        "system": "Linux",
        "kmc": {
            "cores": 4,
            "threads": 2,
            "instruction_set": "avx2",
            "versions": {"Python": "3.11.1", "numpy": "2.0"},
        },
    },
    "benchmarks": [
        made_up_rival("kmc.compress", 16, 0.002, 118.061),
        made_up_rival("slow", 16, 2.4691, 0.0, None),
        made_up_rival("kmc.compress", 64, 0.0040, 37.5, 12.34),
        made_up_stage("fit", 16, 0.001234),
        made_up_stage("fit", 64, 0.0123),
    ],
}


class TestReport:
    def test_tables(self):
        lines = report.render(DOCUMENT).splitlines()
        assert "2026-01-02: A Processor, 4 cores, Linux; kmc's avx2 kernels; 2 threads" in lines[0]
        assert "Python 3.11.1, numpy 2.0" in lines[0]
        assert "|  | k=16: ms | MSE (PSNR) | k=64: ms | MSE (PSNR) | peak MiB |" in lines
        assert "| --- | ---: | ---: | ---: | ---: | ---: |" in lines
        ours = "| **kmc.compress** | 2.00 | 118 (27.41 dB) | 4.00 | 37.5 (27.41 dB) | 12.3 |"
        assert ours in lines
        assert "| slow | 2,469 (1,235) | 0 (exact) |  |  |  |" in lines
        assert "- slow: How slow is called." in lines
        assert "| fit | 1.23 | 12.3 | Work. |" in lines

    def test_readme_is_rewritten_between_the_markers(self, tmp_path):
        measurements, readme = tmp_path / "measured.json", tmp_path / "README.md"
        measurements.write_text(json.dumps(DOCUMENT))
        readme.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nThe end.\n")
        for _ in range(2):  # the second time over what the first has written
            report.main([str(measurements), str(readme)])
            text = readme.read_text()
            assert text.startswith(f"# Title\n\n{report.BEGIN}\n\nMeasured on")
            assert text.endswith(f"| Work. |\n\n{report.END}\n\nThe end.\n")
            assert "old" not in text

    @pytest.mark.parametrize("text", ["", report.BEGIN, report.END, f"{report.END}\n{report.BEGIN}\n"])
    def test_readme_without_markers_is_left_alone(self, tmp_path, text):
        measurements, readme = tmp_path / "measured.json", tmp_path / "README.md"
        measurements.write_text(json.dumps(DOCUMENT))
        readme.write_text(text)
        with pytest.raises(SystemExit, match="add the two lines"):
            report.main([str(measurements), str(readme)])
        assert readme.read_text() == text

    def test_missing_measurements(self, tmp_path):
        with pytest.raises(SystemExit, match=r"missing\.json"):
            report.main([str(tmp_path / "missing.json"), str(tmp_path / "README.md")])

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.00123, "0.001"), (0.123, "0.123"), (9.994, "9.99"), (12345.6, "12,346")],
    )
    def test_number(self, value, text):
        assert report.number(value) == text


def test_benchmarks_are_collected(picture):
    pytest.importorskip("pytest_benchmark")
    folder = ["--pictures", str(picture.parent), "--max-colors", "4,8"]
    command = [sys.executable, "-m", "pytest", str(BENCHMARKS), "-p", "benchmark", *folder]
    result = subprocess.run(
        [*command, "--collect-only", "-q"],
        capture_output=True,
        text=True,
        cwd=BENCHMARKS.parent,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for name in ("china.jpg-4-kmc.compress", "temple.png-8-kmc.compress", "temple.png-8-fit"):
        assert f"[{name}]" in result.stdout
