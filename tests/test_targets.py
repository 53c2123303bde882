"""compress() to a quality or a size, and its warning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pictures import few_colors, noise, photograph
from PIL import Image

import kmc
from kmc import cli
from kmc.errors import KmcQualityError, KmcTypeError, KmcValueError, KmcWarning
from kmc.metrics.similarity import ssim


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return photograph(200, 300)


def test_fewest_colors_for_a_psnr(photo: np.ndarray) -> None:
    found = kmc.compress(photo, min_psnr=31)
    k = len(found.palette)
    assert found.psnr >= 31 > kmc.compress(photo, k - 1).psnr
    np.testing.assert_array_equal(found.indices, kmc.compress(photo, k).indices)


def test_fewest_colors_for_an_ssim(photo: np.ndarray) -> None:
    found = kmc.compress(photo, min_ssim=0.85)
    assert ssim(photo, found.image) >= 0.85 > ssim(photo, kmc.compress(photo, len(found.palette) - 1).image)


def test_most_colors_for_a_size(photo: np.ndarray) -> None:
    limit = len(kmc.compress(photo, 20).to_bytes()) + 100
    found = kmc.compress(photo, max_bytes=limit)
    assert len(found.to_bytes()) <= limit < len(kmc.compress(photo, len(found.palette) + 1).to_bytes())


def test_quality_asks_for_the_upper_and_accepts_the_lower(photo: np.ndarray) -> None:
    assert kmc.compress(photo, quality="10-40").psnr >= 33.2
    assert len(kmc.compress(photo, 8, quality="0-80").palette) == 8
    assert kmc.compress(photo, quality=30).psnr >= 32.3
    assert kmc.compress(photo, quality="-30").psnr == kmc.compress(photo, quality="0-30").psnr
    with pytest.raises(KmcQualityError, match="8 colours reach a PSNR of"):
        kmc.compress(photo, 8, quality="70-80")
    assert kmc.compress(few_colors(20, 20, 9), quality=100).lossless


def test_several_at_once(photo: np.ndarray) -> None:
    alone = kmc.compress(photo, min_psnr=30)
    both = kmc.compress(photo, min_psnr=30, min_ssim=0.85, max_bytes=10**6)
    assert len(both.palette) == max(len(alone.palette), len(kmc.compress(photo, min_ssim=0.85).palette))
    with pytest.raises(KmcQualityError, match="more than max_bytes"):
        kmc.compress(photo, min_psnr=30, max_bytes=1000)


def test_the_other_options_count(photo: np.ndarray) -> None:
    found = kmc.compress(photo, min_psnr=27, dither=0.8, space="oklab")
    fewer = kmc.compress(photo, len(found.palette) - 1, dither=0.8, space="oklab")
    assert found.psnr >= 27 > fewer.psnr


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_alpha(channels: int) -> None:
    picture = photograph(60, 80, channels)
    assert kmc.compress(picture, min_psnr=28).psnr >= 28


def test_one_color_is_enough() -> None:
    flat = np.full((20, 20), 90, dtype=np.uint8)
    for target in ({"min_psnr": 50}, {"min_ssim": 1}, {"max_bytes": 10_000}, {"quality": 100}):
        assert len(kmc.compress(flat, **target).palette) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"min_psnr": 80}, "PSNR of .*below 80"),
        ({"min_ssim": 1}, "SSIM of .*below 1"),
        ({"max_bytes": 5}, "one colour"),
    ],
)
def test_out_of_reach(photo: np.ndarray, target: dict[str, Any], words: str) -> None:
    with pytest.raises(KmcQualityError, match=words):
        kmc.compress(photo, 16, **target)


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ({"min_psnr": -1}, KmcValueError, "min_psnr"),
        ({"min_psnr": "35"}, KmcTypeError, "min_psnr"),
        ({"min_ssim": 1.5}, KmcValueError, "min_ssim"),
        ({"max_bytes": 0}, KmcValueError, "max_bytes"),
        ({"max_bytes": 2.5}, KmcTypeError, "max_bytes"),
        ({"quality": "80-60"}, KmcValueError, "quality must rise"),
        ({"quality": "good"}, KmcValueError, "quality must be a range"),
        ({"quality": 0.8}, KmcTypeError, "quality must be a range"),
        ({"quality": "50-101"}, KmcValueError, "quality must rise from 0 to 100"),
        ({"max_bytes": 100, "k": 300}, KmcValueError, "max_bytes needs k up to 256"),
        ({"min_ssim": 0.5}, KmcValueError, "11 x 11"),
    ],
)
def test_bad_targets(target: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        kmc.compress(noise(10, 40), **target)


def test_command(photo: np.ndarray, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "photo.png", tmp_path / "small.png"
    Image.fromarray(photo).save(source)
    assert cli.main(["compress", str(source), "-o", str(target), "--min-psnr", "30"]) == 0
    assert kmc.evaluate(photo, target).psnr >= 30
    target.unlink()
    assert cli.main(["compress", str(source), "-o", str(target), "--quality", "99-100", "-k", "4"]) == 99
    assert "below 45.00" in capsys.readouterr().err
    assert not target.exists()
    assert cli.main(["compress", str(source), "-o", str(target), "--max-bytes", "9000", "--min-ssim", "0.2"]) == 0
    assert target.stat().st_size <= 9000


class TestWarning:
    def test_poor_result(self, photo: np.ndarray) -> None:
        with pytest.warns(KmcWarning, match=r"2 colours leave a PSNR of 1\d\.\d dB") as caught:
            kmc.compress(noise(40, 40), 2)
        assert len(caught) == 1
        assert caught[0].filename == __file__

    @pytest.mark.filterwarnings("error")
    def test_none_where_it_is_meant(self, photo: np.ndarray) -> None:
        kmc.compress(photo, 16)
        kmc.compress(noise(40, 40), 2, dither=0.8)
        kmc.compress(noise(40, 40), 256)

    def test_command(self, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "noise.png"
        Image.fromarray(noise(40, 40)).save(path)
        assert cli.main(["compress", str(path), "-k", "2"]) == 0
        err = capsys.readouterr().err
        assert err.startswith("kmc: 2 colours leave a PSNR of 1")
        assert err.count("\n") == 1
