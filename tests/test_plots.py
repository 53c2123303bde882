"""Plots, the error map, curves as SVG, and what a notebook shows."""

from __future__ import annotations

import base64
import io
import math
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from pictures import few_colors, noise, photograph
from PIL import Image

import kmc
from kmc.curve_svg import Curve, curve_svg
from kmc.errors import KmcImportError, KmcTypeError, KmcValueError
from kmc.metrics.error_map import area_errors, error_map
from kmc.notebook import hex_codes, shares_of
from kmc.selection.k_selection import KScore, KSelection


@pytest.fixture
def plots():
    """The module kmc.plots, drawing into memory; figures are closed afterwards."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from kmc import plots

    yield plots
    plt.close("all")


@pytest.fixture(scope="module")
def picture():
    return photograph(60, 90)


@pytest.fixture(scope="module")
def compressed(picture):
    return kmc.compress(picture, 6)


@pytest.fixture(scope="module")
def selection(compressed):
    """What choose_k returns, with figures that are easy to find again."""
    scores = [
        KScore(k, k, 0.0, mse, 10 * math.log10(255**2 / mse) if mse else math.inf, ssim, 100 * k, 0.01)
        for k, mse, ssim in [(2, 400.0, 0.5), (6, 100.0, 0.8), (16, 30.0, 0.9), (90, 0.0, 1.0)]
    ]
    return KSelection(tuple(scores), 6, "elbow", "the curve <bends> there", compressed)


# The error map


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_mean_square_of_the_error_map_is_the_mse(channels):
    picture = noise(33, 47, channels)
    compressed = kmc.compress(picture, 7)
    pixels = picture.reshape(33, 47, channels)
    errors = error_map(pixels, compressed.palette.colors[compressed.indices])
    assert errors.shape == (33, 47)
    assert np.mean(np.square(errors.astype(float))) == pytest.approx(compressed.mse, rel=1e-5)
    areas = area_errors(pixels, compressed.palette.colors[compressed.indices], (1, 1))
    assert areas[0, 0] ** 2 == pytest.approx(compressed.mse, rel=1e-5)


def test_an_error_is_where_it_is():
    original = np.zeros((4, 6, 3), dtype=np.uint8)
    changed = original.copy()
    changed[1, 5] = (6, 0, 0)
    errors = error_map(original, changed)
    assert errors[1, 5] == pytest.approx(math.sqrt(12))
    assert np.count_nonzero(errors) == 1
    areas = area_errors(original, changed, (2, 3))
    assert areas[0, 2] == pytest.approx(math.sqrt(3))
    assert np.count_nonzero(areas) == 1


# Curves


def parts_of(svg, tag):
    return ET.fromstring(svg).findall(f"{{http://www.w3.org/2000/svg}}{tag}")


def test_a_curve_has_its_points_where_they_belong():
    svg = curve_svg("PSNR", [Curve("sRGB", [(2, 20.0), (4, 30.0), (16, 40.0), (32, math.inf), (64, None)])], marked=4)
    circles = parts_of(svg, "circle")
    assert [circle.get("data-k") for circle in circles] == ["2", "4", "16"]
    across, up = ([float(circle.get(name)) for circle in circles] for name in ("cx", "cy"))
    assert across[2] - across[1] == pytest.approx(2 * (across[1] - across[0]), abs=0.2)  # a log axis
    assert up[0] - up[1] == pytest.approx(up[1] - up[2], abs=0.2)
    words = [text.text for text in parts_of(svg, "text")]
    assert "k = 4" in words
    assert {"20", "30", "40"} <= set(words)
    marked = next(line for line in parts_of(svg, "line") if line.get("class") == "marked")
    assert float(marked.get("x1")) == across[1]


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [0.0, 0.0], [1e-3, 2e6], [0.991, 0.992], [-0.2, 0.4]])
@pytest.mark.parametrize("log", [False, True])
def test_curves_of_all_kinds_can_be_drawn(values, log):
    svg = curve_svg("error", [Curve("a", list(zip([2, 8], values, strict=False)))], log=log)
    shown = [value for value in values if value > 0 or not log]
    circles = parts_of(svg, "circle")
    assert len(circles) == len(shown)
    for circle in circles:
        assert 50 <= float(circle.get("cx")) <= 360
        assert 30 <= float(circle.get("cy")) <= 200
    assert shown or "nothing to draw" in svg


def test_words_of_a_curve_are_escaped():
    svg = curve_svg("a < b", [Curve('"x" & <y>', [(2, 1.0)])])
    assert parts_of(svg, "circle")[0].get("data-curve") == '"x" & <y>'


# matplotlib


def test_plot_of_a_selection(plots, selection):
    ax = selection.plot()
    errors, mark = ax.lines
    np.testing.assert_array_equal(errors.get_xdata(), [2, 6, 16, 90])
    np.testing.assert_array_equal(errors.get_ydata()[:3], [400, 100, 30])
    assert list(mark.get_xdata()) == [6, 6]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "k = 6" in ax.get_title()
    assert plots.plot_selection(selection, ax) is ax
    assert Image.open(io.BytesIO(plots.selection_file(selection, "png"))).width > 500


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("with_original", [False, True])
def test_plot_of_a_compressed_picture(plots, channels, with_original):
    original = noise(20, 30, channels)
    compressed = kmc.compress(original, 5)
    figure = compressed.plot(original if with_original else None)
    titles = [ax.get_title() for ax in figure.axes]
    assert ("error map" in titles) == ("original" in titles) == with_original
    assert any(title.startswith("5 colours") for title in titles)
    figure.savefig(io.BytesIO(), dpi=30)
    cloud = next(ax for ax in figure.axes if hasattr(ax, "get_zlim"))
    assert len(cloud.collections) == 1 + with_original
    assert len(cloud.collections[-1].get_offsets()) == 5
    strip = next(ax for ax in figure.axes if ax.get_title().startswith("palette"))
    np.testing.assert_allclose([bar.get_width() for bar in strip.patches], shares_of(compressed))


def test_what_plots_do_not_take(plots, compressed, picture):
    with pytest.raises(KmcValueError, match="90 x 59 pixels and the compressed picture 90 x 60"):
        compressed.plot(picture[1:])
    import matplotlib.pyplot as plt

    with pytest.raises(KmcTypeError, match="projection='3d'"):
        plots.plot_colors(compressed, ax=plt.subplots()[1])


def test_without_matplotlib(compressed, selection, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for plot in (compressed.plot, selection.plot):
        with pytest.raises(KmcImportError, match=r"kmc-image\[plot\]"):
            plot()
    for shown in (compressed, selection, compressed.palette):
        assert shown._repr_html_()


# Notebooks


def decoded(html):
    content = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_html_of_a_compressed_picture_has_its_pixels(channels):
    compressed = kmc.compress(noise(20, 30, channels), 9)
    html = compressed._repr_html_()
    image = decoded(html).convert(compressed.to_pil().mode)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(compressed.to_pil()))
    assert html.count("<span title=") == 9


def test_html_of_large_pictures_and_palettes_is_small():
    compressed = kmc.compress(photograph(30, 2000), 300)
    html = compressed._repr_html_()
    assert decoded(html).width == 1024
    assert "shown smaller" in html
    assert "and 44 more" in html


def test_html_of_a_selection(selection):
    html = selection._repr_html_()
    assert html.count("<svg") == 2
    assert html.count("<tr>") == 5
    assert "<b>6</b>" in html
    assert "&lt;bends&gt;" in html


def test_png_of_a_palette():
    palette = kmc.compress(few_colors(9, 9, 4), 4).palette
    strip = np.asarray(Image.open(io.BytesIO(palette._repr_png_())))
    np.testing.assert_array_equal(np.unique(strip.reshape(-1, 3), axis=0), np.unique(palette.colors, axis=0))
    assert palette._repr_html_().count("<span title=") == 4


def test_hex_codes():
    assert hex_codes(kmc.Palette([[0], [128]])) == ["#000000", "#808080"]
    assert hex_codes(kmc.Palette([[1, 2, 255]])) == ["#0102ff"]
    assert hex_codes(kmc.Palette([[1, 2, 3, 255], [1, 255, 255, 0]])) == ["#010203", "#01ffff00"]
