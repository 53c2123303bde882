"""Folders of pictures: which files, under what names, what is kept, and that nothing is ever lost."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pictures import few_colors, file_bytes, noise, photograph
from PIL import Image

import kmc
from kmc import cli
from kmc.encode import png_bytes, write_atomically
from kmc.file_plan import plan_files


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The current folder, with the folder photos in it: four pictures in three folders, and a text."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(["a.png", "b.bmp", "in/a.png", "in/deep/c.tif"]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(40 + number, 50)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


def outcomes(results):
    return {result.input: result.outcome for result in results}


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_folder_with_its_folders(photos):
    results = list(kmc.compress_many("photos", 4, output="small", recursive=True))
    assert files_in("small") == ["a.png", "b.png", "in/a.png", "in/deep/c.png"]
    assert {result.outcome for result in results} == {"compressed"}
    for result in results:
        expected = kmc.compress(result.input, 4)
        np.testing.assert_array_equal(np.asarray(Image.open(result.output).convert("RGB")), expected.image)
        assert result.bytes_after == Path(result.output).stat().st_size
        assert result.bytes_before == Path(result.input).stat().st_size
        assert (result.width, result.height, result.colors) == (50, expected.shape[0], 4)
        assert result.psnr == expected.psnr


def test_only_the_folder_itself_unless_asked(photos):
    list(kmc.compress_many("photos", 4, output="small"))
    assert files_in("small") == ["a.png", "b.png"]


def test_results_beside_their_originals_are_no_pictures_of_the_next_run(photos):
    first = outcomes(kmc.compress_many("photos", 4))
    assert first == {"photos/a.png": "compressed", "photos/b.bmp": "compressed"}
    assert files_in("photos") == ["a-kmc.png", "a.png", "b-kmc.png", "b.bmp", "in/a.png", "in/deep/c.tif", "notes.txt"]
    assert outcomes(kmc.compress_many("photos", 4)) == {"photos/a.png": "skipped", "photos/b.bmp": "skipped"}


def test_a_folder_for_results_inside_the_folder_is_left_out(photos):
    for _ in range(2):
        list(kmc.compress_many("photos", 4, output="photos/small", recursive=True))
    assert files_in("photos/small") == ["a.png", "b.png", "in/a.png", "in/deep/c.png"]


def test_a_second_run_does_what_is_left(photos):
    list(kmc.compress_many("photos", 4, output="small"))
    Path("small/b.png").unlink()
    later = time.time() + 10
    Image.fromarray(photograph(9, 9)).save("photos/a.png")
    os.utime("photos/a.png", (later, later))
    expected = {"photos/a.png": "compressed", "photos/b.bmp": "compressed"}
    assert outcomes(kmc.compress_many("photos", 4, output="small")) == expected
    os.utime("small/a.png", (later, later))
    assert set(outcomes(kmc.compress_many("photos", 4, output="small")).values()) == {"skipped"}
    assert set(outcomes(kmc.compress_many("photos", 4, output="small", force=True)).values()) == {"compressed"}


def test_an_original_that_is_smaller_is_kept_and_copied(photos):
    flat = Image.new("RGB", (64, 64), (200, 30, 40))
    flat.save("photos/flat.webp", lossless=True)
    os.utime("photos/flat.webp", (1_000_000_000, 1_000_000_000))
    results = {result.input: result for result in kmc.compress_many("photos", 4, output="small")}
    kept = results["photos/flat.webp"]
    assert (kept.outcome, kept.output) == ("kept", "small/flat.webp")
    assert "bytes" in kept.message
    assert Path("small/flat.webp").read_bytes() == Path("photos/flat.webp").read_bytes()
    assert Path("small/flat.webp").stat().st_mtime == 1_000_000_000
    assert outcomes(kmc.compress_many("photos", 4, output="small"))["photos/flat.webp"] == "skipped"
    anyway = outcomes(kmc.compress_many("photos/flat.webp", 4, output="other", skip_if_larger=False))
    assert anyway == {"photos/flat.webp": "compressed"}
    assert files_in("other") == ["flat.png"]


def test_in_place_keeps_permissions_and_times(photos):
    Path("photos/a.png").chmod(0o640)
    os.utime("photos/a.png", (1_000_000_000, 1_100_000_000))
    before = Path("photos/b.bmp").read_bytes()
    found = outcomes(kmc.compress_many("photos", 4, in_place=True))
    assert found == {"photos/a.png": "compressed", "photos/b.bmp": "kept"}
    status = Path("photos/a.png").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, 1_100_000_000)
    assert len(np.unique(np.asarray(Image.open("photos/a.png").convert("RGB")).reshape(-1, 3), axis=0)) == 4
    assert Path("photos/b.bmp").read_bytes() == before
    written = Path("photos/a.png").read_bytes()
    assert outcomes(kmc.compress_many("photos", 4, in_place=True))["photos/a.png"] == "skipped"
    assert Path("photos/a.png").read_bytes() == written


def test_a_file_that_fails_does_not_stop_the_rest(photos):
    Path("photos/a.png").write_bytes(Path("photos/a.png").read_bytes()[:300])
    Path("photos/aa.png").write_bytes(b"")
    results = {result.input: result for result in kmc.compress_many("photos", 4, output="small")}
    assert [results[f"photos/{name}"].outcome for name in ("a.png", "aa.png", "b.bmp")] == [
        "failed",
        "failed",
        "compressed",
    ]
    assert "photos/a.png" in results["photos/a.png"].message
    assert "empty" in results["photos/aa.png"].message
    assert files_in("small") == ["b.png"]


def test_what_cannot_be_written_fails_and_the_rest_go_on(photos, monkeypatch):
    def write(path, data, **options):
        if path.name == "b.png":
            raise OSError(28, "No space left on device")
        write_atomically(path, data, **options)

    monkeypatch.setattr("kmc.many.write_atomically", write)
    results = {result.input: result for result in kmc.compress_many("photos", 4, output="small", recursive=True)}
    failed = results.pop("photos/b.bmp")
    assert (failed.outcome, failed.output) == ("failed", None)
    assert "No space left" in failed.message
    assert {result.outcome for result in results.values()} == {"compressed"}
    assert files_in("small") == ["a.png", "in/a.png", "in/deep/c.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_among_pictures_are_left_alone(photos):
    os.mkfifo(photos / "endless.png")
    (photos / "nowhere.png").symlink_to("missing")
    for inputs in ("photos", "photos/*.png"):
        names = [plan.input.name for plan in plan_files(inputs, output="small")]
        assert "a.png" in names
        assert "nowhere.png" in names
        assert "endless.png" not in names


def test_two_pictures_of_one_name_get_two_results(photos):
    Image.fromarray(photograph(30, 30)).save("photos/a.bmp")
    list(kmc.compress_many("photos", 4, output="small"))
    assert files_in("small") == ["a.bmp.png", "a.png", "b.png"]


def test_patterns_endings_and_other_formats_of_inputs(photos):
    found = list(kmc.compress_many("photos/**/*.[pt][ni][gf]", 4, ending="-small.png", recursive=False))
    assert {result.output for result in found} == {
        "photos/a-small.png",
        "photos/in/a-small.png",
        "photos/in/deep/c-small.png",
    }


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_same_files_for_any_number_of_jobs(photos, jobs):
    for number in range(12):
        Image.fromarray(noise(20, 20 + number)).save(f"photos/n{number}.png")
    list(kmc.compress_many("photos", 4, output="one", jobs=1, threads=1))
    results = list(kmc.compress_many("photos", 4, output="many", jobs=jobs, threads=5))
    assert len(results) == 14
    assert files_in("many") == files_in("one")
    for name in files_in("one"):
        assert Path("many", name).read_bytes() == Path("one", name).read_bytes()


def test_closing_ends_the_work(photos):
    for number in range(30):
        Image.fromarray(photograph(60, 60)).save(f"photos/n{number}.png")
    with kmc.compress_many("photos", 4, output="small", jobs=1) as results:
        next(results)
    n_written = len(files_in("small"))
    assert 1 <= n_written < 10
    time.sleep(0.1)
    assert len(files_in("small")) == n_written
    assert list(results) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"inputs": "photos", "k": 300}, "k must be a whole number from 1 to 256, got 300"),
        ({"inputs": "photos", "effort": "huge"}, "effort must be one of"),
        ({"inputs": "photos", "dither": 2}, "dither must be a number from 0 to 1"),
        ({"inputs": "photos", "jobs": 0}, "jobs must be a whole number from 1"),
        ({"inputs": "photos", "init": np.zeros((16, 3))}, "init must be a word"),
        ({"inputs": "missing/*.png"}, "no file matches 'missing/*.png'"),
        ({"inputs": "empty"}, "there is no picture in the folder 'empty'"),
        ({"inputs": 5}, "inputs must be paths"),
        ({"inputs": [5]}, "inputs must be paths, got int"),
        ({"inputs": "photos", "in_place": True, "output": "small"}, "in_place=True excludes"),
        ({"inputs": "photos", "output": "photos/a.png"}, "'photos/a.png' is a file"),
        ({"inputs": "photos", "output": "small.png"}, "'small.png' ends as a picture's name does"),
        ({"inputs": "photos", "ending": ".jpg"}, "cannot hold a palette as '.jpg'"),
        ({"inputs": "photos", "output": "photos"}, "would be replaced by its result"),
        ({"inputs": ["photos/a.png", "photos/in/a.png"], "output": "small"}, "would both become 'small/a.png'"),
    ],
)
def test_bad_arguments_are_told_before_any_file_is_touched(photos, arguments, words):
    Path("empty").mkdir()
    before = files_in(".")
    with pytest.raises(kmc.errors.KmcError) as raised:
        kmc.compress_many(arguments.pop("inputs"), **arguments)
    assert words in str(raised.value)
    assert files_in(".") == before


def test_a_missing_file_is_one_that_fails(photos):
    (result,) = kmc.compress_many(["photos/none.png"], 4)
    assert result.outcome == "failed"
    assert "'photos/none.png'" in result.message


def command(capsys, *arguments):
    exit_code = cli.main([str(argument) for argument in arguments])
    return exit_code, *capsys.readouterr()


def test_the_command_tells_what_it_did(photos, capsys):
    Image.new("RGB", (64, 64), (200, 30, 40)).save("photos/flat.webp", lossless=True)
    exit_code, out, err = command(capsys, "compress", "photos", "-o", "small", "-k", 4, "--recursive")
    assert (exit_code, err) == (0, "")
    kept, summary = out.splitlines()
    assert kept.startswith("photos/flat.webp: kept, the result would have ")
    assert summary.startswith("5 files (4 compressed, 1 kept) in ")
    assert "% saved" in summary
    assert command(capsys, "compress", "photos", "-o", "small", "-k", 4, "-r", "--quiet") == (0, "", "")


def test_the_command_reports_failures_and_goes_on(photos, capsys):
    Path("photos/a.png").write_bytes(b"GIF89a")
    exit_code, out, err = command(capsys, "compress", "photos/a.png", "photos/b.bmp", "-k", 4)
    assert exit_code == 1
    assert out.startswith("2 files (1 compressed, 1 failed)")
    first, last = err.splitlines()
    assert first.startswith("kmc: 'photos/a.png'")
    assert last == "kmc: 1 of 2 files failed"


def test_lines_of_json(photos, capsys):
    exit_code, out, err = command(capsys, "compress", "photos", "-k", 4, "--ext", "-small.png", "--json")
    assert exit_code == 0
    records = {record["input"]: record for record in map(json.loads, out.splitlines())}
    assert sorted(records) == ["photos/a.png", "photos/b.bmp"]
    assert records["photos/a.png"]["output"] == "photos/a-small.png"
    assert list(records["photos/a.png"]) == list(kmc.FileResult.__dataclass_fields__)
    assert err.startswith("2 files (2 compressed)")


def test_stdin_and_stdout(photos):
    data = Path("photos/a.png").read_bytes()
    process = [sys.executable, "-m", "kmc", "compress", "-", "-k", "4"]
    piped = subprocess.run([*process, "-o", "-"], input=data, capture_output=True, check=True, timeout=60)
    expected = kmc.compress("photos/a.png", 4)
    assert piped.stdout == png_bytes(expected.indices, expected.palette.colors)
    assert piped.stderr == b""
    assert subprocess.run(process, input=data, capture_output=True, check=True, timeout=60).stdout == piped.stdout
    small = file_bytes(few_colors(8, 8, 2))
    kept = subprocess.run([*process, "--skip-if-larger"], input=small, capture_output=True, check=True, timeout=60)
    assert len(kept.stdout) <= len(small)
    assert Image.open(io.BytesIO(kept.stdout)).size == (8, 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "photos/a.png"], "- stands for one picture"),
        (["photos", "-o", "-"], "- stands for one picture"),
        (["photos/a.png", "-o", "-", "--json"], "would both go to stdout"),
    ],
)
def test_a_hyphen_in_the_wrong_place(photos, capsys, arguments, words):
    exit_code, out, err = command(capsys, "compress", *arguments)
    assert (exit_code, out) == (1, "")
    assert words in err


def test_one_picture_keeps_the_original_where_asked(photos, capsys):
    Image.new("RGB", (64, 64), (200, 30, 40)).save("photos/flat.webp", lossless=True)
    exit_code, out, _ = command(capsys, "compress", "photos/flat.webp", "-o", "flat.png", "--skip-if-larger")
    assert exit_code == 0
    assert out.startswith("photos/flat.webp: kept, the result would have")
    assert not Path("flat.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a child")
def test_ctrl_c_stops_amid_the_work_and_says_how_far_it_came(tmp_path):
    (tmp_path / "photos").mkdir()
    data = file_bytes(photograph(500, 700))
    for number in range(300):
        (tmp_path / "photos" / f"{number}.png").write_bytes(data)
    arguments = [sys.executable, "-m", "kmc", "compress", "photos", "-o", "small", "-k", "64"]
    # Where the tests run in the background, shells have children ignore the signal.
    with subprocess.Popen(
        arguments,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not list(tmp_path.glob("small/*.png")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert err.startswith(b"kmc: interrupted after ")
    written = list((tmp_path / "small").iterdir())
    assert 1 <= len(written) < 300
    assert len({path.read_bytes() for path in written}) == 1
    Image.open(written[0]).load()


# Forks, so that each run begins at once; exits with a sentence if a run that was killed left something broken.
KILLED_RUNS = """
import os, random, signal, sys, time
from pathlib import Path
from kmc.many import compress_many

originals = {path: path.read_bytes() for path in Path("photos").iterdir()}
results = {path: Path("whole", path.name).read_bytes() for path in originals}
list(compress_many("photos", 4, output="warm", jobs=1, threads=1))  # what is loaded at the first call, is
chance = random.Random(1)
n_replaced = 0
whole = 0
for run in range(51):
    for path, data in originals.items():
        path.write_bytes(data)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        for _ in compress_many("photos", 4, in_place=True, jobs=1, threads=1):
            pass
        os._exit(0)
    if run:  # the first runs to its end, and tells how long that takes
        time.sleep(chance.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    whole = whole or time.perf_counter() - start
    for path in Path("photos").iterdir():
        if path.suffix == ".tmp":
            path.unlink()
        elif path.read_bytes() == results[path]:
            n_replaced += 1
        elif path.read_bytes() != originals[path]:
            sys.exit(f"{path} is neither the original nor the result")
    if not all(path.exists() for path in originals):
        sys.exit("a file is gone")
print(n_replaced)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_run_that_is_killed_leaves_every_file_whole(photos):
    for name in ("b.bmp", "notes.txt"):
        (photos / name).unlink()
    for number in range(15):
        Image.fromarray(photograph(60, 60 + number)).save(photos / f"{number}.png")
    for directory in ("in/deep", "in"):
        for path in (photos / directory).iterdir():
            path.unlink()
        (photos / directory).rmdir()
    list(kmc.compress_many("photos", 4, output="whole"))
    process = subprocess.run([sys.executable, "-c", KILLED_RUNS], capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert 16 < int(process.stdout) < 51 * 16  # some were killed amid the work
