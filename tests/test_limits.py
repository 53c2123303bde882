"""The figures of LIMITS.md: where they come from, and that the page says what holds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import kmc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import equal_quality
import limits

PAGE = limits.PAGE.read_text(encoding="utf-8")


def test_bytes_between_two_qualities():
    line = [(10.0, 1000), (50.0, 4000), (90.0, 16000)]
    assert equal_quality.bytes_at(line, 50) == pytest.approx(4000)
    assert equal_quality.bytes_at(line, 30) == pytest.approx(2000)
    assert equal_quality.bytes_at(line, 70) == pytest.approx(8000)
    assert equal_quality.bytes_at(line, -30) == pytest.approx(250)  # the outer piece goes on
    assert equal_quality.bytes_at(line, 100) == pytest.approx(16000 * 2**0.5)


def test_table_of_bytes():
    records = [
        {"picture": "a", "k": 16, "score": 30.0, "kmc": 1000, "JPEG": 400},
        {"picture": "b", "k": 16, "score": 40.0, "kmc": 4000, "JPEG": 6400},
    ]
    last = equal_quality.table(records).splitlines()[-1]
    assert last == "| k=16 | 35.0 | 2,000 | 1,600 (0.80; smaller on 1 of 2) |"


def test_a_line_of_a_codec():
    pytest.importorskip("ssimulacra2")
    pixels = limits.photograph()[100:196, 100:196].copy()
    line = equal_quality.line_of(pixels, "JPEG")
    assert len(line) == len(equal_quality.CODECS["JPEG"].qualities)
    assert [size for _, size in line] == sorted(size for _, size in line)


def test_what_the_page_says_of_clusters_holds():
    picture, is_red = limits.stripes()
    assert limits.share_right(is_red.astype(int), is_red) == 1
    assert limits.share_right(kmc.compress(picture, 2).indices, is_red) < 0.75


def test_what_the_page_says_of_rare_colors_holds():
    picture, is_berry = limits.berries()
    few, more = (kmc.compress(picture, k).image[is_berry].mean(axis=0) for k in (8, 16))
    assert few[0] < few[1]  # the berries are green
    assert more[0] > 2 * more[1]
    fixed = kmc.compress(picture, 8, fixed=[[190, 70, 50]]).image[is_berry].mean(axis=0)
    assert fixed[0] > 2 * fixed[1]
    flat = kmc.compress(picture, 8, weighting="flatness").image[is_berry].mean(axis=0)
    assert flat[0] < flat[1]


def test_a_table_goes_between_its_marks():
    text = "before\n<!-- a:begin -->\nold\n<!-- a:end -->\nafter"
    assert limits.fill(text, "a", "new") == "before\n<!-- a:begin -->\n\nnew\n\n<!-- a:end -->\nafter"
    with pytest.raises(ValueError, match="has no <!-- b:begin -->"):
        limits.fill(text, "b", "new")


def test_the_page_is_filled_and_its_pictures_are_there():
    for name, content in re.findall(r"<!-- (\w+):begin -->(.*?)<!-- \1:end -->", PAGE, re.S):
        assert content.count("|") > 10, name
    pictures = re.findall(r"\((benchmarks/pictures/[^)]+)\)", PAGE)
    assert len(pictures) >= 4
    for picture in pictures:
        assert (limits.ROOT / picture).is_file()
    assert sum((limits.ROOT / picture).stat().st_size for picture in pictures) < 300_000
