"""kmc.Palette on its own: applied to pictures that it was not made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import noise, photograph

import kmc
from kmc import _reference
from kmc.palette import Palette

Array = NDArray[Any]


def random_palette(k: int, channels: int, seed: int = 0) -> Palette:
    return Palette.from_colors(noise(k, 1, max(channels, 3), seed).reshape(k, -1)[:, :channels].copy())


@pytest.mark.parametrize("k", [1, 2, 16, 256, 700])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (9, 7), (251, 267)])  # the last has more than 2^16 pixels
def test_apply_gives_the_nearest_entries(shape: tuple[int, int], channels: int, k: int) -> None:
    pixels = photograph(*shape, channels, seed=k).reshape(*shape, channels)
    palette = random_palette(k, channels)
    flat = pixels.reshape(-1, channels).copy()
    nearest = _reference.nearest_entries(flat, palette.colors)
    if channels == 4:
        flat[flat[:, 3] == 0] = 0
    differences = flat.astype(np.float64) - palette.colors[nearest]
    for threads in (1, 2, 5):
        result = palette.apply(pixels, threads)
        np.testing.assert_array_equal(result.indices.ravel(), nearest)
        np.testing.assert_array_equal(result.palette.colors, palette.colors)
        assert result.mse == pytest.approx(float(np.square(differences).mean()), rel=1e-12)
        assert result.image.shape == pixels.shape


def test_apply_on_every_instruction_set(isa: str) -> None:
    pixels, palette = noise(211, 353, 3), random_palette(100, 3)
    result = palette.apply(pixels)
    nearest = _reference.assign(pixels.reshape(-1, 3), palette.colors.astype(np.float64))
    np.testing.assert_array_equal(result.indices.ravel(), nearest)


def test_grey_and_colour_meet() -> None:
    grey, color = photograph(20, 30, 1), photograph(20, 30, 3)
    on_grey = random_palette(9, 3).apply(grey)
    np.testing.assert_array_equal(on_grey.image, random_palette(9, 3).apply(np.dstack([grey] * 3)).image)
    of_grey = random_palette(9, 1).apply(color)
    assert (np.ptp(of_grey.image, axis=2) == 0).all()
    with_alpha = random_palette(9, 4).apply(color)
    assert with_alpha.image.shape == (20, 30, 4)


def test_opaque_rgba_takes_a_palette_without_alpha() -> None:
    color = photograph(20, 30, 3)
    opaque = np.dstack([color, np.full((20, 30), 255, np.uint8)])
    palette = random_palette(9, 3)
    np.testing.assert_array_equal(palette.apply(opaque).image[:, :, :3], palette.apply(color).image)


def test_transparency_is_not_lost_in_silence() -> None:
    with pytest.raises(kmc.errors.KmcValueError, match="transparent pixels and the palette has no alpha"):
        random_palette(9, 3).apply(noise(20, 30, 4))


@pytest.mark.parametrize("suffix", [".gpl", ".hex"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_palette_survives_a_file(suffix: str, channels: int, tmp_path: Path) -> None:
    palette, path = random_palette(37, channels), tmp_path / f"palette{suffix}"
    palette.save(path)
    np.testing.assert_array_equal(Palette.load(path).colors, np.broadcast_to(palette.colors, (len(palette), 3)))


def test_alpha_survives_a_hex_file_only(tmp_path: Path) -> None:
    palette = random_palette(37, 4)
    palette.save(tmp_path / "palette.hex")
    np.testing.assert_array_equal(Palette.load(tmp_path / "palette.hex").colors, palette.colors)
    with pytest.raises(kmc.errors.KmcValueError, match=r"\.gpl file holds none"):
        palette.save(tmp_path / "palette.gpl")
    assert not (tmp_path / "palette.gpl").exists()


def test_files_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "a.gpl").write_text("GIMP Palette\r\nName: x\n# remark\n 255 128   0\tOrange\n0 0 0\n")
    (tmp_path / "b.hex").write_text("; remark\n#FF8000\n\n000000ff\n")
    assert Palette.load(tmp_path / "a.gpl").colors.tolist() == [[255, 128, 0], [0, 0, 0]]
    assert Palette.load(tmp_path / "b.hex").colors.tolist() == [[255, 128, 0, 255], [0, 0, 0, 255]]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.gpl", ""), ("a.gpl", "255 0 0\n"), ("a.gpl", "GIMP Palette\n256 0 0\n"), ("a.hex", ""), ("a.hex", "ff80\n")],
)
def test_files_that_are_no_palettes(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(kmc.errors.KmcFileError, match="is not a palette"):
        Palette.load(tmp_path / name)


def test_names_that_are_no_palette_files(tmp_path: Path) -> None:
    with pytest.raises(kmc.errors.KmcFileNotFoundError, match="does not exist"):
        Palette.load(tmp_path / "none.hex")
    with pytest.raises(kmc.errors.KmcFileError, match=r"end it in \.gpl or \.hex"):
        random_palette(2, 3).save(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        ([[0, 0]], "shape"),
        (np.zeros((0, 3)), "shape"),
        ([[0, 0, 256]], "0 to 255"),
        ([[0, 0, -1]], "0 to 255"),
        ([[0.5, 0, 0]], "whole numbers"),
        (["#ff0000"], "real numbers"),
        ([0, 0, 0], "shape"),
    ],
)
def test_what_is_no_palette(colors: Any, message: str) -> None:
    with pytest.raises(kmc.errors.KmcError, match=message):
        Palette(colors)


def test_colors_of_other_channels_have_no_nearest_entry() -> None:
    with pytest.raises(kmc.errors.KmcValueError, match=r"shape \(u, 3\) as the palette's have, got \(2, 4\)"):
        Palette([[0, 0, 0]]).nearest(np.zeros((2, 4), dtype=np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
def test_centroids_that_round_to_one_colour_make_room_for_the_worst(channels: int) -> None:
    levels = np.repeat(np.array([[10], [11], [40], [90]], dtype=np.uint8), channels, axis=1)
    histogram = kmc.ColorHistogram(levels, np.array([50, 50, 3, 2]))
    centroids = np.repeat(np.array([[10.6], [11.2], [11.4]]), channels, axis=1)
    palette = Palette.from_centroids(centroids, histogram)
    assert palette.colors[:, 0].tolist() == [11, 40, 90]  # 2 * 79^2 is more than 3 * 29^2, so 90 comes first, then 40


@pytest.mark.parametrize(("channels", "space"), [(1, "srgb"), (3, "srgb"), (3, "oklab"), (4, "srgb"), (4, "oklab")])
def test_exactly_as_many_entries_as_asked_for(channels: int, space: str) -> None:
    """In Oklab several centroids among these dark colours round to one."""
    picture = np.random.default_rng(3).integers(0, 6 if channels > 1 else 30, (90, 100, channels), dtype=np.uint8)
    if channels == 4:
        picture[..., 3] = 255
    n_colors = len(np.unique(picture.reshape(-1, channels), axis=0))
    for k in range(2, n_colors + 2, 12):
        colors = kmc.compress(picture, k, space=space).palette.colors
        assert len(np.unique(colors, axis=0)) == len(colors) == min(k, n_colors)
