"""The command and folders with what is more than pixels: animations, pages, profiles, metadata."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pictures import file_bytes, noise, photograph
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from profiles import DISPLAY_P3, rgb_profile, srgb_curve

import kmc
from kmc import cli


@cache
def film_bytes(file_format):
    """Three frames, in which a block moves."""
    frames = [photograph(40, 60) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame[10:20, 8 * number : 8 * number + 12] = photograph(10, 12, seed=number)
    images = [Image.fromarray(frame) for frame in frames]
    options = {"lossless": True} if file_format == "WebP" else {}
    return file_bytes(
        images[0], file_format, save_all=True, append_images=images[1:], duration=[40, 60, 80], loop=0, **options
    )


@cache
def files():
    still = Image.fromarray(photograph(60, 50))
    return {
        "a.gif": film_bytes("GIF"),
        "b.webp": film_bytes("WebP"),
        "c.png": film_bytes("PNG"),
        "still.gif": file_bytes(still.quantize(200), "GIF"),
        "pages.tif": file_bytes(still, "TIFF", save_all=True, append_images=[still]),
        "photo.bmp": file_bytes(still, "BMP"),
    }


@pytest.fixture
def films(tmp_path, monkeypatch):
    """The current folder, with films/ in it: three animations, a still GIF, a file of two pages, a photograph."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "films"
    folder.mkdir()
    for name, data in files().items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def run(capsys):
    """Run the command; give the exit code and what it printed to stdout and stderr."""

    def run_command(*arguments):
        try:
            exit_code = cli.main([str(argument) for argument in arguments])
        except SystemExit as wrong_usage:
            exit_code = wrong_usage.code
        return exit_code, *capsys.readouterr()

    return run_command


def frames_in(path):
    with Image.open(path) as image:
        return getattr(image, "n_frames", 1)


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def by_name(results):
    return {Path(result.input).name: result for result in results}


@pytest.mark.parametrize(
    ("source", "target", "file_format"),
    [("a.gif", "small.gif", "GIF"), ("b.webp", "small.png", "PNG"), ("c.png", "small.webp", "WebP")],
)
def test_an_animation_stays_one(films, run, source, target, file_format):
    exit_code, out, err = run("compress", f"films/{source}", "-k", 9, "--dither", "blue-noise", "-o", target, "--json")
    assert (exit_code, err) == (0, "")
    expected = kmc.compress_animation(films / source, 9, dither="blue-noise")
    assert Path(target).read_bytes() == expected.to_bytes(file_format)
    record = json.loads(out)
    assert (record["frames"], record["width"], record["height"]) == (3, 60, 40)
    assert (record["colors"], record["mse"]) == (len(expected.palettes[0]), expected.mse)
    assert record["bytes_after"] == Path(target).stat().st_size
    assert (record["n_iter"], record["converged"], record["timings"]) == (None, None, {})
    assert frames_in(target) == 3


def test_options_reach_an_animation(films, run):
    options = ["--fixed", "#ff0000,#000000", "--weighting", "flatness", "--downsample", "2", "--init", "wu"]
    assert run("compress", "films/a.gif", "-k", 9, *options, "-o", "small.gif")[0] == 0
    fixed = [[255, 0, 0], [0, 0, 0]]
    expected = kmc.compress_animation("films/a.gif", 9, fixed=fixed, weighting="flatness", downsample=2, init="wu")
    assert Path("small.gif").read_bytes() == expected.to_bytes()


def test_the_text_counts_frames(films, run):
    assert "60 x 40 pixels, 3 frames, 15 colours (k = 16)" in run("compress", "films/a.gif", "-o", "small.gif")[1]
    assert "frames" not in run("compress", "films/photo.bmp", "-o", "small.png")[1]


@pytest.mark.parametrize(
    ("source", "target"), [("a.gif", "a-kmc.gif"), ("b.webp", "b-kmc.webp"), ("still.gif", "still-kmc.png")]
)
def test_the_default_name_of_an_animation(films, run, source, target):
    assert run("compress", f"films/{source}", "-k", 4)[0] == 0
    assert frames_in(films / target) == frames_in(films / source)
    exit_code, _, err = run("compress", f"films/{source}", "-k", 4)
    assert exit_code == 1
    assert f"{target}' exists already" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["films/a.gif", "-o", "x.tif"], "'films/a.gif' is an animation and TIFF holds none; end the result's"),
        (
            ["films/pages.tif", "-o", "x.gif"],
            "'films/pages.tif' has several pages and one would be left; take the first",
        ),
        (["films/a.gif", "-o", "x.gif", "--compactness", "1"], "compactness is for still pictures only; leave it out"),
        (
            ["films/a.gif", "-o", "x.gif", "--min-psnr", "30", "--max-bytes", "9000"],
            "min_psnr and max_bytes are for still pictures only; leave them out",
        ),
        (
            ["films/a.gif", "-o", "x.gif", "--downsample", "2", "--frame-palettes"],
            "downsample is for the palette that all frames share; leave it out",
        ),
        (["films/a.gif", "-o", "x.gif", "--preset", "small"], "preset 'small' is for still pictures only"),
        (["films/a.gif", "-o", "x.png", "--frame-palettes"], "whose frames share a palette in PNG; leave"),
    ],
)
def test_what_cannot_be_kept_is_told(films, run, arguments, words):
    exit_code, out, err = run("compress", *arguments)
    assert (exit_code, out) == (1, "")
    assert words in err
    assert err.count("\n") == 1
    assert names_in(".") == ["films"]
    if not any(word in words for word in ("init", "preset", "palette")):
        assert "--frames first" in err
        assert run("compress", *arguments, "--frames", "first")[0] == 0
        assert frames_in(arguments[2]) == 1


def test_a_palette_for_each_frame(films, run):
    assert run("compress", "films/c.png", "-k", 5, "-o", "own.gif", "--frame-palettes")[0] == 0
    assert Path("own.gif").read_bytes() == kmc.compress_animation("films/c.png", 5, palette="frame").to_bytes("GIF")


def test_an_animation_through_a_pipe(films, capsysbinary, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((films / "a.gif").read_bytes())))
    assert cli.main(["compress", "-", "-o", "-", "-k", "6"]) == 0
    assert capsysbinary.readouterr().out == kmc.compress_animation(films / "a.gif", 6).to_bytes("PNG")


def test_a_folder_keeps_formats_of_animations(films):
    results = by_name(kmc.compress_many("films", 8, output="small"))
    assert names_in("small") == ["a.gif", "b.webp", "c.png", "pages.tif", "photo.png", "still.png"]
    assert {name: (result.outcome, result.frames) for name, result in results.items()} == {
        "a.gif": ("compressed", 3),
        "b.webp": ("compressed", 3),
        "c.png": ("compressed", 3),
        "pages.tif": ("kept", None),
        "photo.bmp": ("compressed", 1),
        "still.gif": ("compressed", 1),
    }
    for name in ("a.gif", "b.webp", "c.png"):
        expected = kmc.compress_animation(films / name, 8).to_bytes(name.rsplit(".")[1])
        assert Path("small", name).read_bytes() == expected
        assert results[name].bytes_after == len(expected)
    assert results["pages.tif"].message.startswith("it has several pages")
    assert Path("small/pages.tif").read_bytes() == (films / "pages.tif").read_bytes()
    assert {result.outcome for result in kmc.compress_many("films", 8, output="small")} == {"skipped"}


def test_animations_beside_their_originals(films):
    before = names_in(films)
    list(kmc.compress_many("films", 8))
    added = ["a-kmc.gif", "b-kmc.webp", "c-kmc.png", "photo-kmc.png", "still-kmc.png"]
    assert names_in(films) == sorted(before + added)
    again = by_name(kmc.compress_many("films", 8))
    assert sorted(again) == before
    assert {result.outcome for name, result in again.items() if name != "pages.tif"} == {"skipped"}


def test_an_ending_that_is_asked_for(films):
    list(kmc.compress_many(["films/a.gif", "films/b.webp"], 8, output="png", ending=".png"))
    assert {name: frames_in(Path("png", name)) for name in names_in("png")} == {"a.png": 3, "b.png": 3}
    (kept,) = kmc.compress_many("films/a.gif", 8, output="tif", ending=".tif")
    assert (kept.outcome, names_in("tif")) == ("kept", ["a.gif"])
    assert "it is an animation and TIFF holds none" in kept.message


def test_an_animation_is_not_replaced_unasked(films):
    data = (films / "a.gif").read_bytes()
    (result,) = kmc.compress_many("films/a.gif", 4, output="films")
    assert result.output == os.fspath(Path("films/a.png"))
    assert (films / "a.gif").read_bytes() == data
    assert frames_in("films/a.png") == 3


@pytest.mark.parametrize("n_whole", [1, 2])
def test_an_animation_that_is_cut_off_keeps_what_it_has(films, n_whole):
    data = (films / "a.gif").read_bytes()
    ends = [at for at in range(len(data)) if data.startswith(b"!\xf9\x04", at)]  # each frame begins so
    for cut in (1, 5, 9, 100, 600, 1500):
        cut_off = data[: ends[n_whole] + cut]
        (films / "a.gif").write_bytes(cut_off)
        (result,) = kmc.compress_many("films/a.gif", 8, in_place=True)
        if result.outcome == "compressed":
            assert result.frames == n_whole
        else:
            assert (films / "a.gif").read_bytes() == cut_off


@pytest.mark.parametrize("name", ["a.gif", "b.webp", "c.png"])
@pytest.mark.parametrize("frame_palettes", [False, True])
def test_animations_in_place(films, name, frame_palettes):
    path = films / name
    before = path.read_bytes()
    path.chmod(0o640)
    os.utime(path, (1_000_000_000, 1_100_000_000))
    options = {"in_place": True, "frame_palettes": frame_palettes, "dither": "blue-noise"}
    (first,) = kmc.compress_many(path, 8, **options)
    if name == "c.png" and frame_palettes:
        assert (first.outcome, path.read_bytes()) == ("kept", before)
        assert "share a palette in PNG" in first.message
        return
    assert (first.outcome, first.frames, frames_in(path)) == ("compressed", 3, 3)
    assert path.stat().st_size == first.bytes_after < len(before)
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime) == (0o640, 1_100_000_000)
    written = path.read_bytes()
    (second,) = kmc.compress_many(path, 8, **options)
    known = name == "c.png" or (name == "a.gif" and not frame_palettes)  # by the file's header
    assert second.outcome == ("skipped" if known else "kept")
    assert path.read_bytes() == written


def test_a_gif_in_place_is_done_once(films):
    outcomes = [next(kmc.compress_many("films/still.gif", k, in_place=True)).outcome for k in (9, 9, 7, 9)]
    assert outcomes == ["compressed", "skipped", "compressed", "skipped"]


def test_options_that_are_not_for_animations_keep_them(films, run):
    (kept,) = kmc.compress_many("films/a.gif", 8, output="small", compactness=0.1, min_psnr=30)
    assert (kept.outcome, names_in("small")) == ("kept", ["a.gif"])
    assert "compactness and min_psnr are for still pictures only" in kept.message
    exit_code, out, _ = run("compress", "films/a.gif", "-o", "one/", "-k", 1)
    assert exit_code == 0
    assert "a.gif: kept, an animation's palette holds 2 to 256 colours" in out


def test_the_first_frames_of_a_folder(films, run):
    exit_code, out, _ = run("compress", "films", "-o", "small", "-k", 4, "--frames", "first", "--json")
    assert exit_code == 0
    assert {json.loads(line)["frames"] for line in out.splitlines()} == {1}
    assert names_in("small") == ["a.png", "b.png", "c.png", "pages.png", "photo.png", "still.png"]
    assert {frames_in(path) for path in Path("small").iterdir()} == {1}


def test_an_animation_that_is_smaller_is_kept(films):
    small = kmc.compress_animation("films/a.gif", 4)
    small.save("films/a.gif")
    data = (films / "a.gif").read_bytes()
    (result,) = kmc.compress_many("films/a.gif", 256, output="small")
    assert (result.outcome, result.frames) == ("kept", 3)
    assert Path("small/a.gif").read_bytes() == data


def test_what_cannot_have_the_quality_is_kept(films):
    (kept,) = kmc.compress_many("films/photo.bmp", 2, output="small", min_psnr=60)
    assert (kept.outcome, names_in("small")) == ("kept", ["photo.bmp"])
    (result,) = kmc.compress_many("films/photo.bmp", output="more", min_ssim=0.9)
    assert result.outcome == "compressed"
    assert result.colors > 16
    assert kmc.evaluate("films/photo.bmp", "more/photo.png").ssim >= 0.9


# Metadata, profiles, limits


@pytest.fixture
def tagged(tmp_path, monkeypatch):
    """A picture with a profile, a resolution and a text."""
    monkeypatch.chdir(tmp_path)
    texts = PngInfo()
    texts.add_text("Author", "somebody")
    image = Image.fromarray(photograph(40, 50))
    image.save("photo.png", pnginfo=texts, icc_profile=rgb_profile(DISPLAY_P3, srgb_curve()), dpi=(300, 300))
    return tmp_path / "photo.png"


def kept_in(path):
    with Image.open(path) as image:
        image.load()
        return {key for key in ("icc_profile", "dpi", "Author") if key in image.info}


METADATA = [
    ([], "display", {"icc_profile", "dpi"}),
    (["--metadata", "display"], "display", {"icc_profile", "dpi"}),
    (["--metadata", "all"], "all", {"icc_profile", "dpi", "Author"}),
    (["--keep-metadata"], "all", {"icc_profile", "dpi", "Author"}),
    (["--metadata", "none"], "none", set()),
    (["--strip"], "none", set()),
]


@pytest.mark.parametrize(("options", "metadata", "expected"), METADATA)
def test_metadata(tagged, run, options, metadata, expected):
    assert run("compress", "photo.png", "-o", "small.png", *options)[0] == 0
    assert kept_in("small.png") == expected
    assert run("compress", "photo.png", "-o", "folder/", *options)[0] == 0
    assert kept_in("folder/photo.png") == expected
    list(kmc.compress_many("photo.png", output="many", metadata=metadata))
    assert Path("many/photo.png").read_bytes() == Path("folder/photo.png").read_bytes()


def test_metadata_of_animations(tagged, run):
    profile = rgb_profile(DISPLAY_P3, srgb_curve())
    frames = [Image.fromarray(photograph(30, 40, seed=seed)) for seed in range(2)]
    frames[0].save("film.png", save_all=True, append_images=frames[1:], icc_profile=profile, dpi=(72, 72))
    for options, expected in [([], {"icc_profile", "dpi"}), (["--strip"], set()), (["--profile", "srgb"], {"dpi"})]:
        assert run("compress", "film.png", "-o", "small.png", *options)[0] == 0
        assert (frames_in("small.png"), kept_in("small.png")) == (2, expected)


def test_metadata_is_one_choice(tagged, run):
    exit_code, _, err = run("compress", "photo.png", "--strip", "--keep-metadata")
    assert exit_code == 2
    assert "not allowed with argument" in err


def test_profiles(tagged, run):
    assert run("compress", "photo.png", "-o", "small.png", "--profile", "srgb")[0] == 0
    assert run("compress", "photo.png", "-o", "folder/", "--profile", "srgb")[0] == 0
    expected = kmc.compress("photo.png", profile="srgb")
    assert not np.array_equal(expected.image, kmc.compress("photo.png").image)
    for path in ("small.png", "folder/photo.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(path).convert("RGB")), expected.image)
        assert kept_in(path) == {"dpi"}


def test_the_limit_on_pixels(tagged, run):
    assert run("compress", "photo.png", "-o", "small.png", "--max-pixels", "2000")[0] == 0
    exit_code, _, err = run("compress", "photo.png", "-o", "less.png", "--max-pixels", "0.001999MP")
    assert exit_code == 1
    assert "'photo.png' has 50 x 40 pixels, which is more than max_pixels = 1999" in err
    (result,) = kmc.compress_many("photo.png", output="many", max_pixels=1999)
    assert result.outcome == "failed"
    assert "more than max_pixels = 1999" in result.message
    assert not Path("less.png").exists()


@pytest.mark.parametrize("text", ["0", "-5", "many", "1e6", "MP", "0MP", "3 GP", "9" * 30])
def test_limits_that_are_no_numbers(tagged, run, text):
    exit_code, out, err = run("compress", "photo.png", f"--max-pixels={text}")
    assert (exit_code, out) == (2, "")
    assert "is not a number of pixels; give one such as 300MP" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metadata": "some"}, "metadata must be one of"),
        ({"frames": "last"}, "frames must be one of"),
        ({"profile": "p3"}, "profile must be one of"),
        ({"max_pixels": 0}, "max_pixels must be a whole number"),
        ({"optimize": "most"}, "optimize must be one of"),
        ({"min_ssim": 2}, "min_ssim must be a number from 0 to 1"),
    ],
)
def test_wrong_options_are_told_before_any_file_is_touched(tagged, options, words):
    with pytest.raises(kmc.errors.KmcError, match=words):
        kmc.compress_many("photo.png", output="small", **options)
    assert names_in(".") == ["photo.png"]


def test_optimize_reaches_the_files_of_a_folder(tagged, run):
    Image.fromarray(photograph(100, 120)).save("photo.png")
    assert run("compress", "photo.png", "-o", "fast/")[0] == 0
    assert run("compress", "photo.png", "-o", "default/", "--optimize", "default")[0] == 0
    expected = kmc.compress("photo.png")
    assert Path("fast/photo.png").read_bytes() == expected.to_bytes(optimize="fast") != expected.to_bytes()
    assert Path("default/photo.png").read_bytes() == expected.to_bytes()


def test_poor_pictures_are_counted_in_one_line(films, run):
    for number in range(3):
        (films / f"noise{number}.png").write_bytes(file_bytes(noise(20, 20, seed=number)))
    arguments = ["compress", "films", "-o", "small", "-k", 2]
    exit_code, _, err = run(*arguments)
    assert exit_code == 0
    assert err.startswith("kmc: 3 of 9 pictures have a PSNR below 20 dB with so few colours")
    assert err.count("\n") == 1
    assert run(*arguments, "--force", "--quiet") == (0, "", "")
    assert run("compress", "films/noise0.png", "-k", 2, "--quiet") == (0, "", "")


# The table of other tools' options


def cells_of_kmc():
    """The last column of README's table, by the first."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    rows = readme.split("## Coming from pngquant")[1].split("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if row.startswith("|")]
    assert {len(row) for row in cells} == {6}
    return {row[0]: row[-1] for row in cells[2:]}


def spans_of_kmc():
    return [(name, span) for name, cell in cells_of_kmc().items() for span in re.findall("`([^`]+)`", cell)]


def test_the_table_names_an_option_in_nearly_every_row():
    with_options = {name for name, _ in spans_of_kmc()}
    assert len(cells_of_kmc()) >= 20
    assert set(cells_of_kmc()) - with_options == {"transparency", "fewer bits in a colour"}


@pytest.mark.parametrize(("row", "span"), spans_of_kmc())
def test_each_option_of_the_table_runs(films, capsysbinary, monkeypatch, row, span):
    if span == "--optimize max":
        pytest.importorskip("oxipng")
    (films.parent / "photos").mkdir()
    photo = films.parent / "photos" / "photo.png"
    photo.write_bytes(file_bytes(photograph(100, 120)))
    kmc.compress(photo, 16).palette.save("colors.gpl")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
    words = shlex.split(span)
    if words[0] != "kmc":
        words = ["kmc", "compress", "films/a.gif" if row == "animation" else "photos/photo.png", *words]
    assert cli.main(words[1:]) == 0
    assert capsysbinary.readouterr().err == b""
