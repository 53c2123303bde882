"""The command line where it works; what goes wrong is in test_bad_input.py."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from pictures import few_colors, file_bytes, gradient, noise, photograph
from PIL import Image

import kmc
from kmc import cli

COMPRESS_KEYS = [
    "input",
    "output",
    "width",
    "height",
    "channels",
    "frames",
    "k",
    "colors",
    "lossless",
    "n_iter",
    "converged",
    "mse",
    "psnr",
    "bytes_before",
    "bytes_after",
    "seconds",
    "timings",
]
EVALUATE_KEYS = {
    "mse",
    "psnr",
    "ssim",
    "lossless",
    "colors_original",
    "colors_compressed",
    "bytes_original",
    "bytes_compressed",
    "bits_per_pixel",
    "compression_ratio",
    "ciede2000",
    "ciede2000_p95",
    "ms_ssim",
    "ssimulacra2",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with one picture in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(file_bytes(photograph(24, 36)))
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command that must succeed and give what it printed to stdout."""

    def run_command(*arguments):
        assert cli.main([str(argument) for argument in arguments]) == 0
        out, err = capsys.readouterr()
        assert re.sub(r"kmc: \d colours leave a PSNR.*\n", "", err) == ""
        assert out.endswith("\n")
        return out

    return run_command


def run_process(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


def refuse_constants(name):
    raise AssertionError(f"{name} is not JSON")


def parse(text):
    return json.loads(text, parse_constant=refuse_constants)


# compress


def test_compress_writes_what_the_api_gives(folder, run):
    out = run("compress", "photo.png", "-k", 5, "-o", "out.png")
    expected = kmc.compress(folder / "photo.png", 5)
    np.testing.assert_array_equal(np.asarray(Image.open("out.png").convert("RGB")), expected.image)
    assert (folder / "out.png").read_bytes() == expected.to_bytes()
    for word in ["photo.png -> out.png", "36 x 24 pixels", "5 colours", "k = 5", "MSE", " dB"]:
        assert word in out
    before, after = (folder / "photo.png").stat().st_size, (folder / "out.png").stat().st_size
    assert f"{before:,} -> {after:,} bytes" in out
    assert sorted(path.name for path in folder.iterdir()) == ["out.png", "photo.png"]


def test_options_reach_the_api(folder, run, monkeypatch):
    seen = {}

    def compress(_picture, k, **options):
        seen.update(options, k=k)
        return kmc.compress(gradient(4, 4), 2)

    monkeypatch.setattr("kmc.api.compress", compress)
    arguments = ["compress", "photo.png", "-o", "out.png"]
    run(*arguments)
    defaults = {
        "k": 16,
        "num_iterations": None,
        "init": "auto",
        "effort": "balanced",
        "preset": "exact",
        "space": None,
        "dither": None,
        "compactness": None,
        "weighting": "pixels",
        "fixed": None,
        "downsample": None,
        "seed": 0,
        "threads": None,
        "profile": "keep",
        "max_pixels": None,
        "min_psnr": None,
        "min_ssim": None,
        "quality": None,
        "max_bytes": None,
    }
    assert seen == defaults
    for option, text, value in [
        ("-k", "7", 7),
        ("--num-iterations", "3", 3),
        ("--init", "k-means++", "k-means++"),
        ("--init", "random", "random"),
        ("--init", "wu", "wu"),
        ("--weighting", "flatness", "flatness"),
        ("--effort", "fast", "fast"),
        ("--effort", "best", "best"),
        ("--preset", "looks", "looks"),
        ("--space", "oklab", "oklab"),
        ("--dither", "0.5", 0.5),
        ("--dither", "blue-noise", "blue-noise"),
        ("--compactness", "0.1", 0.1),
        ("--preset", "small", "small"),
        ("--downsample", "4", 4),
        ("--downsample", "2.5", 2.5),
        ("--downsample", "1.5MP", "1.5MP"),
        ("--seed", "11", 11),
        ("--profile", "srgb", "srgb"),
        ("--max-pixels", "3MP", 3_000_000),
        ("--max-pixels", "1234", 1234),
        ("--threads", "2", 2),
        ("--min-psnr", "30", 30),
        ("--min-ssim", "0.9", 0.9),
        ("--quality", "60-80", "60-80"),
        ("--max-bytes", "5000", 5000),
    ]:
        run(*arguments, option, text)
        name = option.lstrip("-").replace("-", "_")
        most = 256 if name in ("min_psnr", "min_ssim", "quality", "max_bytes") else 16
        assert seen == defaults | {"k": most} | {name: value}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_json_of_compress(folder, run, channels):
    (folder / "in.png").write_bytes(file_bytes(noise(20, 30, channels)))
    record = parse(run("compress", "in.png", "-k", 3, "-o", "out.png", "--json"))
    assert list(record) == COMPRESS_KEYS
    expected = kmc.compress("in.png", 3)
    assert record["input"] == "in.png"
    assert record["output"] == "out.png"
    assert (record["width"], record["height"], record["channels"]) == (30, 20, channels)
    assert (record["k"], record["colors"]) == (3, 3)
    assert record["lossless"] is False
    assert record["n_iter"] == expected.n_iter
    assert record["converged"] == expected.converged
    assert record["mse"] == expected.mse
    assert record["psnr"] == pytest.approx(10 * math.log10(255**2 / expected.mse))
    assert record["bytes_before"] == (folder / "in.png").stat().st_size
    assert record["bytes_after"] == (folder / "out.png").stat().st_size
    assert record["seconds"] > 0


def test_a_picture_of_few_colors_is_kept(folder, run):
    (folder / "in.png").write_bytes(file_bytes(few_colors(9, 9, 6)))
    record = parse(run("compress", "in.png", "-o", "out.png", "--json"))
    assert record["lossless"] is True
    assert record["psnr"] is None
    assert record["mse"] == 0
    assert (record["k"], record["colors"]) == (16, 6)
    out = run("compress", "in.png", "-o", "out.png")
    assert "PSNR infinite" in out
    record = parse(run("evaluate", "in.png", "out.png", "--json"))
    assert record["lossless"] is True
    assert record["psnr"] is None


def test_the_default_output_lies_beside_the_input_and_is_never_replaced(folder, capsys, run):
    (folder / "below").mkdir()
    (folder / "below" / "a.b.tif").write_bytes(file_bytes(gradient(9, 9), "TIFF"))
    run("compress", "below/a.b.tif", "-k", 3)
    output = folder / "below" / "a.b-kmc.png"
    assert output.exists()
    output.write_bytes(b"precious")
    assert cli.main(["compress", "below/a.b.tif"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "a.b-kmc.png' exists already" in err
    assert "-o" in err
    assert output.read_bytes() == b"precious"
    run("compress", "below/a.b.tif", "-k", 3, "-o", output)
    assert output.read_bytes() != b"precious"


def test_the_output_may_be_the_input(folder, run):
    expected = kmc.compress("photo.png", 4).to_bytes()
    run("compress", "photo.png", "-k", 4, "-o", "photo.png")
    assert (folder / "photo.png").read_bytes() == expected
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_a_name_that_is_no_text(folder):
    name = os.fsdecode(b"\xff\xfe.png")
    try:
        (folder / name).write_bytes((folder / "photo.png").read_bytes())
    except OSError:
        pytest.skip("the file system takes no such names")
    for options in ([], ["--json"]):
        done = run_process("-m", "kmc", "compress", name, "-o", "out.png", *options)
        assert done.returncode == 0, done.stderr
        assert "udcff" in done.stdout


# evaluate


def test_evaluate(folder, run):
    run("compress", "photo.png", "-k", 4, "-o", "small.png")
    expected = kmc.evaluate("photo.png", "small.png")
    record = parse(run("evaluate", "photo.png", "small.png", "--json"))
    assert set(record) == EVALUATE_KEYS
    assert record == {**expected.to_dict(), "lossless": False}
    out = run("evaluate", "photo.png", "small.png")
    assert f"{expected.mse:.4g}" in out
    assert f"{expected.psnr:.2f}" in out
    assert "SSIM" in out


def test_metrics_of_evaluate(folder, run):
    run("compress", "photo.png", "-k", 4, "-o", "small.png")
    expected = kmc.evaluate("photo.png", "small.png", metrics="all")
    assert parse(run("evaluate", "photo.png", "small.png", "--json", "--metrics", "all")) == {
        **expected.to_dict(),
        "lossless": False,
    }
    out = run("evaluate", "photo.png", "small.png", "--metrics", "ciede2000, ms_ssim")
    assert f"CIEDE2000          {expected.ciede2000:.3f}" in out
    assert "SSIMULACRA2" not in out


def test_metrics_that_do_not_exist(folder, capsys):
    assert cli.main(["evaluate", "photo.png", "photo.png", "--metrics", "ciede2000,vmaf"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "got 'vmaf'" in err


# The rest


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    threads = kmc.max_threads()
    expected = f"kmc {kmc.__version__} ({kmc.instruction_set()}, {threads} thread"
    assert capsys.readouterr().out.startswith(expected)


@pytest.mark.parametrize("command", [[], ["compress"], ["evaluate"], ["choose-k"], ["report"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    out, err = capsys.readouterr()
    assert stop.value.code == 0
    assert err == ""
    assert max(map(len, out.splitlines())) <= 100
    if command:
        assert f"kmc {command[0]} photo.jpg" in out
        keys = {"compress": COMPRESS_KEYS, "evaluate": EVALUATE_KEYS}.get(command[0], [])
        assert all(key in out for key in keys)


@pytest.mark.parametrize("arguments", [[], ["shrink"], ["compress"], ["evaluate", "a.png"]])
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert stop.value.code == 2
    assert out == ""
    assert err.startswith("kmc: ")
    assert err.count("\n") == 1
    assert "--help" in err


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
    ],
)
def test_what_ends_the_work(folder, capsys, monkeypatch, error, exit_code, words):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("kmc.api.compress", fail)
    assert cli.main(["compress", "photo.png", "-o", "out.png"]) == exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kmc: ")
    assert words in err
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


def test_arguments_come_from_the_process_by_default(folder, run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kmc", "compress", "photo.png", "-k", "2"])
    assert cli.main() == 0
    assert (folder / "photo-kmc.png").exists()


def test_python_m_kmc(folder):
    done = run_process("-m", "kmc", "compress", "photo.png", "-k", "3", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert parse(done.stdout)["output"] == "photo-kmc.png"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_went_away(folder):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_process("-m", "kmc", "evaluate", "photo.png", "photo.png", stdout=writer)
    finally:
        os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""
