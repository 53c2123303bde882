"""Fixed colours, palettes for several pictures, palettes that are applied; and every option on odd pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import few_colors, file_bytes, gradient, noise, photograph

import kmc
from kmc import _reference, cli
from kmc._settings import checked_settings
from kmc.color_kmeans import ENGINE_MOST_COLORS, _within_bounds, cluster_colors
from kmc.dither import points_of_pixels
from kmc.dithered_fit import _colors_of_points
from kmc.histogram import ColorHistogram
from kmc.palette import Palette

Array = NDArray[Any]

BRAND = np.array([[255, 0, 0], [0, 0, 255], [1, 2, 3]], dtype=np.uint8)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"effort": "fast"},
    {"effort": "best"},
    {"space": "oklab"},
    {"weighting": "flatness"},
    {"init": "wu"},
    {"init": "pca", "weighting": "flatness"},
    {"init": "maximin", "space": "oklab"},
    {"init": "random", "num_iterations": 2},
    {"dither": 0.7},
    {"dither": "blue-noise"},
    {"preset": "looks"},
    {"preset": "looks", "effort": "best", "weighting": "flatness"},
    {"downsample": 2},
]
IDS = [" ".join(f"{name}={value}" for name, value in options.items()) or "defaults" for options in OPTIONS]
with_every_option = pytest.mark.parametrize("options", OPTIONS, ids=IDS)


def distinct(colors: Array) -> int:
    return len(ColorHistogram.from_pixels(np.ascontiguousarray(colors)))


# Fixed colours


@with_every_option
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_fixed_colours_stand_first_and_as_they_are(options: dict[str, Any], channels: int) -> None:
    palette = kmc.compress(photograph(50, 60, channels), 8, fixed=BRAND, **options).palette.colors
    assert len(palette) == distinct(palette) == 8
    np.testing.assert_array_equal(palette[:3, :3], BRAND)
    assert palette.shape[1] == max(3, channels)
    assert (palette[:3, 3:] == 255).all()


@pytest.mark.parametrize("init", ["auto", "wu"])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_the_others_are_fitted_around_them(init: str, space: str) -> None:
    """As good as what k-means would have found anyway, and no worse than k-means that knows nothing of them."""
    picture = photograph(90, 100, 3)
    free = kmc.compress(picture, 12, space=space)
    same = kmc.compress(picture, 12, space=space, init=init, fixed=free.palette.colors[:5])
    assert same.mse < 1.1 * free.mse
    around = kmc.compress(picture, 12, space=space, init=init, fixed=BRAND)
    replaced = Palette(np.concatenate([BRAND, kmc.compress(picture, 9, space=space, init=init).palette.colors]))
    assert around.mse <= 1.01 * replaced.apply(picture, space=space).mse


def test_free_centroids_are_the_means_of_their_colours() -> None:
    picture = photograph(60, 70, 3)
    result = kmc.compress(picture, 6, fixed=BRAND, init="wu", num_iterations=300)
    assert result.converged
    labels = _reference.assign(picture.reshape(-1, 3), result.palette.colors.astype(np.float64))
    for entry in range(3, 6):
        mean = picture.reshape(-1, 3)[labels == entry].mean(axis=0)
        assert np.abs(mean - result.palette.colors[entry]).max() < 1.5  # rounded entries shift a few labels


def test_as_many_as_k_only_map() -> None:
    picture, colors = photograph(40, 50, 3), noise(1, 16, 3).reshape(16, 3)
    for options in ({}, {"dither": 0.8}, {"dither": "blue-noise", "space": "oklab"}, {"preset": "looks"}):
        mapped = kmc.compress(picture, 16, fixed=colors, **options)
        np.testing.assert_array_equal(mapped.palette.colors, colors)
        space, dither = (options.get("space", "srgb"), options.get("dither", 0))
        if "preset" in options:
            space, dither = "oklab", 0.8
        applied = Palette(colors).apply(picture, dither=dither, space=space)
        np.testing.assert_array_equal(applied.indices, mapped.indices)
        assert applied.mse == mapped.mse


def test_a_palette_or_an_array_and_repeated_colours() -> None:
    picture = photograph(30, 40, 3)
    of_array = kmc.compress(picture, 7, fixed=[[255, 0, 0], [0, 0, 255], [255, 0, 0]])
    of_palette = kmc.compress(picture, 7, fixed=Palette([[255, 0, 0], [0, 0, 255]]))
    assert of_array.to_bytes() == of_palette.to_bytes()
    assert len(of_array.palette) == 7


def test_colours_that_the_picture_has_take_no_room_twice() -> None:
    picture = few_colors(40, 50, 8, 3)
    colors = np.unique(picture.reshape(-1, 3), axis=0)
    assert kmc.compress(picture, 8, fixed=colors[::-1][:4]).lossless
    assert kmc.compress(picture, 9, fixed=[[9, 9, 9]]).lossless
    assert len(kmc.compress(picture, 8, fixed=[[9, 9, 9]]).palette) == 8  # one of its colours has to go
    assert len(kmc.compress(picture, 20, fixed=BRAND).palette) == 11


def test_transparency_around_fixed_colours() -> None:
    picture = noise(40, 50, 4)
    clear, opaque = picture[..., 3] == 0, picture[..., 3] == 255
    for fixed, place in ((BRAND, 3), (np.array([[7, 7, 7, 0], [255, 0, 0, 255]]), 0), ([[9, 9, 9, 99]], 1)):
        result = kmc.compress(picture, 12, fixed=fixed)
        assert result.palette.colors[place].tolist() == [0, 0, 0, 0]
        assert (result.palette.colors[:, 3] == 0).sum() == 1
        assert (result.image[clear] == 0).all()
        assert (result.image[opaque, 3] == 255).all()
    with pytest.raises(kmc.errors.KmcValueError, match="transparent pixels and the palette has no alpha"):
        kmc.compress(picture, 3, fixed=BRAND)


def test_an_init_of_the_free_ones() -> None:
    picture = photograph(30, 40, 3)
    start = noise(1, 5, 3).reshape(5, 3)
    assert kmc.compress(picture, 8, fixed=BRAND, init=start, num_iterations=3).n_iter == 3
    with pytest.raises(kmc.errors.KmcValueError, match=r"shape \(5, 3\), got \(8, 3\)"):
        kmc.compress(picture, 8, fixed=BRAND, init=np.zeros((8, 3)))


def test_the_same_bytes_with_fixed_colours(isa: str) -> None:
    picture = photograph(200, 200, 3)
    for preset in ("exact", "looks"):
        results = {kmc.compress(picture, 9, fixed=BRAND, preset=preset, threads=n).to_bytes() for n in (1, 2, 5)}
        assert len(results) == 1
        assert results == SAME.setdefault(preset, results), isa


SAME: dict[str, set[bytes]] = {}


# Several pictures


def test_one_picture_alone_has_the_palette_of_compress() -> None:
    picture = photograph(50, 60, 3)
    for options in ({}, {"init": "wu"}, {"weighting": "flatness"}, {"fixed": BRAND}, {"space": "oklab"}):
        palette = kmc.fit_palette([picture], 9, **options)
        np.testing.assert_array_equal(palette.colors, kmc.compress(picture, 9, **options).palette.colors)


def test_several_pictures_are_one() -> None:
    pictures = [photograph(40, 50, 3, seed) for seed in range(3)]
    palette = kmc.fit_palette(iter(pictures), 10)
    np.testing.assert_array_equal(palette.colors, kmc.compress(np.concatenate(pictures), 10).palette.colors)


def test_grey_colour_and_alpha_in_any_order(tmp_path: Path) -> None:
    kinds = [photograph(30, 40, channels) for channels in (1, 3, 4)]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, kind in zip(paths, kinds, strict=True):
        path.write_bytes(file_bytes(kind))
    first = kmc.fit_palette(paths, 9)
    assert first.channels == 4
    np.testing.assert_array_equal(kmc.fit_palette(kinds[::-1], 9).colors, first.colors)
    assert kmc.fit_palette(kinds[:2], 9).channels == 3
    assert kmc.fit_palette(kinds[:1], 9).channels == 1
    assert kmc.fit_palette(kinds[:1], 9, fixed=BRAND).channels == 3


def test_only_one_picture_is_in_memory() -> None:
    alive: list[Any] = []

    def one_by_one() -> Iterator[Array]:
        import weakref

        for seed in range(4):
            assert all(reference() is None for reference in alive[:-1])
            picture = photograph(60, 70, 3, seed)
            alive.append(weakref.ref(picture))
            yield picture
            del picture

    assert len(kmc.fit_palette(one_by_one(), 5)) == 5


def test_few_colours_of_several_pictures_stay_exact() -> None:
    pictures = [few_colors(20, 30, 4, 3, seed) for seed in range(3)]
    palette = kmc.fit_palette(pictures, 12)
    assert all(palette.apply(picture).lossless for picture in pictures)
    assert all(palette.apply(picture, dither="blue-noise").lossless for picture in pictures)


@pytest.mark.parametrize("images", ["photo.png", b"bytes", Path("photo.png"), photograph(9, 9, 3), 5, None])
def test_one_picture_is_no_list(images: Any) -> None:
    with pytest.raises(kmc.errors.KmcTypeError, match=r"pictures in a list.*give \[picture\]"):
        kmc.fit_palette(images, 4)


def test_no_picture_at_all() -> None:
    with pytest.raises(kmc.errors.KmcValueError, match="at least one picture"):
        kmc.fit_palette([], 4)


# A palette that is applied


def test_dithering_with_a_palette() -> None:
    ramp = gradient(60, 80, 1)
    palette = Palette([[0], [255], [0]])  # a repeated entry keeps its place
    flat, dithered = palette.apply(ramp), palette.apply(ramp, dither=1)
    assert dithered.mse > flat.mse
    assert abs(dithered.image.mean() - ramp.mean()) < abs(flat.image.mean() - ramp.mean()) + 1
    blocks = np.abs(
        dithered.image.reshape(6, 10, 8, 10).mean(axis=(1, 3)) - ramp.reshape(6, 10, 8, 10).mean(axis=(1, 3))
    )
    assert blocks.max() < 40
    np.testing.assert_array_equal(dithered.palette.colors, palette.colors)
    with pytest.raises(kmc.errors.KmcValueError, match="up to 256 colours"):
        Palette(noise(300, 1, 3).reshape(-1, 3)).apply(ramp, dither=0.5)


@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_dithering_calls_points_are_colours(space: str, channels: int) -> None:
    colors = noise(1, 500, channels, 3).reshape(500, channels)
    if channels == 4:
        colors[:, 3] |= 192  # where alpha is low, colour is too coarse in premultiplied points
    back = _colors_of_points(points_of_pixels(colors, space, 0, 1).astype(np.float64), space, channels)
    assert np.abs(back.astype(int) - colors).max() <= (2 if space == "srgb" else 6)


# Every option on odd pictures


@with_every_option
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_at_most_k_colours_stay_exact(options: dict[str, Any], channels: int) -> None:
    picture = few_colors(30, 41, 7, channels)
    for more in ({}, {"fixed": np.unique(picture.reshape(-1, channels), axis=0)[2:5]}):
        result = kmc.compress(picture, 7, **options, **more)
        assert result.lossless
        np.testing.assert_array_equal(result.image, picture)


@with_every_option
@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000)])
def test_odd_shapes(options: dict[str, Any], shape: tuple[int, int]) -> None:
    for channels in (3, 4):
        picture = gradient(*shape, channels)
        for k in (1, 2, 5):
            result = kmc.compress(picture, k, **options)
            assert result.image.shape == picture.shape
            assert len(result.palette) == min(k, distinct(picture.reshape(-1, channels)))


@with_every_option
def test_one_and_two_colours(options: dict[str, Any]) -> None:
    for channels in (1, 3, 4):
        for k in (1, 2):
            assert len(kmc.compress(photograph(30, 31, channels), k, **options).palette) == k


@with_every_option
def test_entirely_transparent(options: dict[str, Any]) -> None:
    picture = noise(20, 30, 4)
    picture[..., 3] = 0
    for k in (1, 2, 9):
        result = kmc.compress(picture, k, **options)
        assert result.lossless
        assert len(result.palette) == 1
    around = kmc.compress(picture, 3, fixed=[[255, 0, 0], [0, 255, 0]], **options)
    assert not around.image.any()
    assert kmc.compress(picture, 2, fixed=[[255, 0, 0, 9], [0, 255, 0, 255]], **options).image.shape == picture.shape


def test_a_smaller_picture_of_too_few_colours_will_not_do() -> None:
    picture = photograph(40, 50, 3)
    assert len(kmc.compress(picture, 30, downsample=10).palette) == 30


def test_counts_that_the_engine_can_add_up() -> None:
    counts = np.array([2**40, 2**39, 5], dtype=np.int64)
    bounded = _within_bounds(counts)
    assert bounded.max() < 2**31
    assert bounded[0] == 2 * bounded[1]
    assert bounded[2] == 1
    many = np.full(2**12, 2**29, dtype=np.int64)
    assert _within_bounds(many).sum() < 2**38
    assert _within_bounds(counts[2:]) is not None
    assert ENGINE_MOST_COLORS < 65536


@pytest.mark.parametrize("times", [2**33, 2**36])
def test_counts_that_the_engine_refuses(times: int) -> None:
    histogram = ColorHistogram.from_pixels(noise(60, 50, 3))
    settings = checked_settings(8, "exact", None, "balanced", "srgb", 0.0, 0.0, 0, 2)
    expected = cluster_colors(histogram, "auto", settings)
    scaled = cluster_colors(ColorHistogram(histogram.colors, histogram.counts * times), "auto", settings)
    np.testing.assert_array_equal(scaled.centroids, expected.centroids)


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": np.zeros((5, 3))}, None),  # one colour five times
        ({"fixed": noise(1, 5, 3).reshape(5, 3)}, "fixed holds 5 colours and k is 4; give fewer colours or a larger k"),
        ({"fixed": [[0, 0]]}, r"fixed must have the shape \(k, 1\)"),
        ({"fixed": [0, 0, 0]}, "fixed must have shape"),
        ({"fixed": [[0, 0, 256]]}, "fixed must be whole numbers from 0 to 255"),
        ({"fixed": []}, "fixed must have shape"),
        ({"fixed": "#ff0000"}, "fixed must hold real numbers"),
        ({"dither": 2}, "dither must be a number from 0 to 1"),
        ({"dither": "foo"}, "'blue-noise', got 'foo'"),
        ({"init": "median"}, "'auto', 'k-means\\+\\+', 'random', 'maximin', 'wu', 'pca'"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str | None) -> None:
    picture = photograph(9, 9, 3)
    if message is None:
        assert len(kmc.compress(picture, 4, **options).palette) == 4
        return
    with pytest.raises(kmc.errors.KmcError, match=message) as caught:
        kmc.compress(picture, 4, **options)
    assert "\n" not in str(caught.value)


# The command


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, output = tmp_path / "in.png", tmp_path / "out.png"
    picture.write_bytes(file_bytes(photograph(30, 40, 3)))
    (tmp_path / "brand.hex").write_text("ff0000\n0000ff\n010203\n")
    assert run("compress", picture, "-o", output, "--palette", tmp_path / "brand.hex") == 0
    assert "3 colours (k = 3)" in capsys.readouterr().out
    for fixed in (tmp_path / "brand.hex", "#ff0000, 0000ff,#010203"):
        assert run("compress", picture, "-o", output, "-k", 6, "--fixed", fixed, "--weighting", "flatness") == 0
        assert "6 colours (k = 6)" in capsys.readouterr().out
    assert run("compress", picture, "-o", output, "-k", 2, "--fixed", tmp_path / "brand.hex") == 1
    assert "fixed holds 3 colours and k is 2" in capsys.readouterr().err
    assert run("compress", picture, "-o", output, "--fixed", "red") == 1
    assert "--fixed must be colours such as #ff0000" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        run("compress", picture, "--fixed", "#ff0000", "--palette", "x.hex")
    assert stop.value.code == 2
