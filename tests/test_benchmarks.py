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
import machine
import peak_memory
import photographs
import race
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
            (palette, indices, _), seconds = rival.timed(PIXELS, 16, 1)
        assert seconds > 0
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
        assert rivals.program("no_such_program")() == "no_such_program is not installed"

    def test_what_is_not_to_be_counted_is_not(self):
        palette, indices = np.zeros((1, 3), np.uint8), np.zeros((40, 60), np.uint8)
        rival = made_up_entrant(lambda *_: rivals.Quantized(palette, indices, 123.0))
        assert rival.timed(PIXELS, 1, 1)[1] == 123.0


def made_up_entrant(quantize, name="made up"):
    return rivals.Rival(name, "As it comes.", lambda: None, quantize)


class TestRace:
    def test_in_turn(self):
        calls = []

        def entrant(name, seconds):
            def quantize(pixels, k, threads):
                calls.append(name)
                return rivals.Quantized(pixels.reshape(-1, 3), np.arange(pixels[..., 0].size).reshape(40, 60), seconds)

            return made_up_entrant(quantize, name)

        entrants = [entrant("long", 1.0), entrant("longer", 7.0), entrant("short", 0.25)]
        records = {rival.name: record for rival, record in race.race(PIXELS, 2, entrants, 1, 3)}
        assert calls == ["long", "longer", "short", "short", *2 * ["long", "short", "short"]]
        assert records["long"] == {"seconds": 1.0, "rounds": 3, "mse": 0.0}
        assert records["longer"]["rounds"] == 1

    def test_slow_rivals_are_left_out(self):
        records = [{"rival": "made up", "width": 10, "height": 5, "k": 4, "seconds": 2.0}]
        rival = made_up_entrant(None)
        assert race.expected_seconds(records, rival, 100, 8) == 8.0
        assert race.expected_seconds([], rival, 100, 8) == 0.0

    def test_from_the_shell(self, picture, tmp_path, capsys):
        out = tmp_path / "race.json"
        sizes = ["--megapixels", "0.001", "--colors", "4,2", "--threads", "1", "--rounds", "2"]
        words = ["--rivals", "kmc.compress,FASTOCTREE", "--pictures", str(picture.parent)]
        race.main([*sizes, *words, "--memory", "-o", str(out)])
        document = json.loads(out.read_text())
        assert document["machine"]["threads"] == 1
        found = [record for record in document["records"] if record["rival"] == "Pillow FASTOCTREE"]
        assert [(record["megapixels"], record["k"]) for record in found] == [(0.001, 2), (0.001, 4)]
        assert (found[0]["width"], found[0]["height"]) == (39, 26)
        assert ["peak_mib" in record for record in found] == [False, True]
        assert f"records in {out}" in capsys.readouterr().out
        assert "kmc.compress" in report.summary(document)

    def test_nothing_to_race(self, tmp_path, capsys):
        for arguments, words in (
            (["--rivals", "nobody"], "no rival's name contains nobody"),
            (["--pictures", str(tmp_path)], "has no pictures"),
        ):
            with pytest.raises(SystemExit):
                race.main([*arguments, "-o", str(tmp_path / "race.json")])
            assert words in capsys.readouterr().err


class TestStages:
    @pytest.mark.parametrize("name", stages.STAGES)
    def test_stage_can_be_repeated(self, name, picture):
        call = stages.STAGES[name](picture, 4, 1)
        for _ in range(2):
            assert call.run(*call.arguments()) is not None
        assert call.moved > 0

    def test_memory_has_a_speed(self):
        assert 1e8 < machine.bytes_per_second(2) < 1e13

    def test_names(self):
        expected = (
            "load", "histogram", "sample", "cluster", "seeding", "assignment", "update", "palette", "map", "apply",
            "encode", "evaluate",
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

    def test_of_megapixels(self):
        large = photographs.of_megapixels(PIXELS, 0.02)
        assert large.shape == (115, 173, 3)
        np.testing.assert_array_equal(large[40:80, 120:], PIXELS[:, :53])
        small = photographs.of_megapixels(PIXELS, 0.0006)
        np.testing.assert_allclose(small[0, 0], PIXELS[:2, :2].mean(axis=(0, 1)), atol=0.5)
        np.testing.assert_array_equal(photographs.of_megapixels(PIXELS, 0.0024), PIXELS)


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


def made_up_record(rival, k, seconds, error, picture="a.jpg", megapixels=2.5):
    settings = f"How {rival} is called."
    cell = {"picture": picture, "megapixels": megapixels, "k": k, "rounds": 7}
    return {"rival": rival, "settings": settings, **cell, "seconds": seconds, "mse": error}


def made_up_stage(stage, k, seconds):
    info = {"stage": stage, "meaning": "Work.", "picture": "a.jpg", "k": k, "peak_mib": None, "moved": 1_234_000}
    return {"stats": {"median": seconds}, "extra_info": info}


MACHINE = {
    "date": "2026-01-02",
    "cpu": "A Processor",
    "cores": 4,
    "system": "Linux",
    "threads": 2,
    "instruction_set": "avx2",
    "versions": {"Python": "3.11.1", "numpy": "2.0"},
}

RACE = {
    "machine": MACHINE,
    "absent": {"lost": "lost is not installed"},
    "left_out": [{"rival": "slow", "megapixels": 2.5, "k": 64}],
    "records": [
        made_up_record("kmc.compress", 16, 0.002, 120.0),
        made_up_record("Pillow FASTOCTREE", 16, 0.004, 360.0),
        made_up_record("slow", 16, 2.4691, 0.0) | {"peak_mib": 12.34},
        made_up_record("kmc.compress", 64, 0.004, 37.5),
        made_up_record("kmc.compress", 16, 0.008, 30.0, "b.jpg"),
        made_up_record("Pillow FASTOCTREE", 16, 0.004, 30.0, "b.jpg"),
    ],
}

STAGES = {
    "machine_info": {"kmc": MACHINE | {"bytes_per_second": 2e9}},
    "benchmarks": [made_up_stage("fit", 16, 0.001234), made_up_stage("fit", 64, 0.0123)],
}


class TestReport:
    def test_details(self):
        lines = report.details(RACE, STAGES).splitlines()
        assert "2026-01-02: A Processor, 4 cores, Linux; kmc's avx2 kernels; 2 threads" in lines[0]
        assert "Python 3.11.1, numpy 2.0" in lines[0]
        assert "| 2.5 megapixels | k=16: ms | MSE | k=64: ms | MSE | peak MiB |" in lines
        assert "| --- | ---: | ---: | ---: | ---: | ---: |" in lines
        assert "| **kmc.compress** | 4.00 | 60.0 | 4.00 | 37.5 |  |" in lines
        assert "| slow | 2,469 (1,235) | 0 (0) |  |  | 12.3 |" in lines
        assert "| slow | How slow is called. |" in lines
        assert "- Not measured: lost (lost is not installed)." in lines
        assert "- slow was left out, as too slow, at 2.5 megapixels k=64." in lines
        assert "| fit | 1.23 | 0.617 | 1.23 (2.00) | 12.3 (19.9) | Work. |" in lines

    def test_ratios_are_means_over_pictures(self):
        assert report.ratios(RACE["records"], "seconds", "Pillow FASTOCTREE", "kmc.compress") == [2.0, 0.5]
        text = report.details(RACE, STAGES)
        assert "| Pillow FASTOCTREE | 4.00 (1.00) | 104 (1.73) |  |  |  |" in text
        assert "| 2.5 | 16 | 1.00 (2.00) |" in text  # what is watched: the mean and the worst

    def test_summary_is_of_the_middle_number_of_colours(self):
        lines = report.summary(RACE).splitlines()
        assert "| k=64 | 2.5 MP: ms | MSE |" in lines
        assert lines[-1] == "| **kmc.compress** | 4.00 | 37.5 |"

    @pytest.fixture
    def files(self, tmp_path):
        files = {name: tmp_path / name for name in ("race", "stages", "readme", "details")}
        files["race"].write_text(json.dumps(RACE))
        files["stages"].write_text(json.dumps(STAGES))
        for name in ("readme", "details"):
            files[name].write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nThe end.\n")
        return files

    @staticmethod
    def write(files):
        options = ["--readme", str(files["readme"]), "--details", str(files["details"])]
        report.main([str(files["race"]), str(files["stages"]), *options])

    def test_files_are_rewritten_between_the_markers(self, files):
        for _ in range(2):  # the second time over what the first has written
            self.write(files)
            for name in ("readme", "details"):
                text = files[name].read_text()
                assert text.startswith(f"# Title\n\n{report.BEGIN}\n\nMeasured on")
                assert text.endswith(f" |\n\n{report.END}\n\nThe end.\n")
                assert "old" not in text

    @pytest.mark.parametrize("text", ["", report.BEGIN, report.END, f"{report.END}\n{report.BEGIN}\n"])
    def test_without_markers_nothing_is_written(self, files, text):
        files["details"].write_text(text)
        before = files["readme"].read_text()
        with pytest.raises(SystemExit, match="add the two lines"):
            self.write(files)
        assert files["details"].read_text() == text
        assert files["readme"].read_text() == before

    def test_missing_measurements(self, files):
        files["race"].unlink()
        with pytest.raises(SystemExit, match="race"):
            self.write(files)

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.00123, "0.001"), (0.123, "0.123"), (9.994, "9.99"), (12345.6, "12,346")],
    )
    def test_number(self, value, text):
        assert report.number(value) == text


class TestPlots:
    @pytest.fixture
    def plots(self):
        pytest.importorskip("matplotlib")
        return pytest.importorskip("plots")

    def test_every_rival_is_drawn(self, plots, tmp_path):
        for along, name in (("megapixels", "sizes"), ("k", "colors"), ("k", "scaling")):
            cells = [{along: value} for value in (2, 8)]
            records = [
                made_up_record(rival, **{"k": 16, **cell}, seconds=0.01 * n * cell[along], error=1.0)
                for n, rival in enumerate(("kmc.compress", "Pillow FASTOCTREE", "other"), start=1)
                for cell in cells
            ]
            (tmp_path / f"{name}.json").write_text(json.dumps({"records": records}))
        files = [f"--{name}={tmp_path / name}.json" for name in ("sizes", "colors", "scaling")]
        plots.main([*files, "--out", str(tmp_path)])
        for name in ("time_by_megapixels", "time_by_colors", "scaling"):
            assert "</svg>" in (tmp_path / f"{name}.svg").read_text()

    def test_points_of_a_line(self, plots):
        (ours, octree, slow) = plots.rival_lines(RACE["records"], "k")
        assert ours.x == [16, 64]
        assert ours.y == pytest.approx([4.0, 4.0])
        assert ours.width > octree.width
        assert len({ours.color, octree.color, slow.color}) == 3

    def test_proportion_ends_where_the_highest_line_ends(self, plots):
        lines = [plots.Line("", [1, 10], [2.0, 30.0], "", "-", 1), plots.Line("", [1, 100], [1.0, 50.0], "", "-", 1)]
        assert plots.proportion(lines)[1:3] == ([2.0, 100], [1.0, 50.0])

    @pytest.mark.parametrize(
        ("heights", "placed"),
        [
            ([0.5, 0.1, 0.9], [0.5, 0.1, 0.9]),
            ([0.5, 0.5], [0.45, 0.55]),
            ([0.54, 0.5, 0.46], [0.6, 0.5, 0.4]),
            ([1.0, 1.0, 0.0], [0.9, 1.0, 0.0]),
            ([0.0, 0.0], [0.0, 0.1]),
        ],
    )
    def test_names_do_not_touch(self, plots, heights, placed):
        assert plots.spread(heights, 0.1) == pytest.approx(placed)


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
    for name in ("china.jpg-4-cluster", "temple.png-8-cluster"):
        assert f"[{name}]" in result.stdout
