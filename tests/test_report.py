"""``kmc report``: what is in the page, and the page in a browser."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import sys

import numpy as np
import pytest
from pictures import few_colors, file_bytes, noise, photograph
from PIL import Image

import kmc
from kmc import cli
from kmc.errors import KmcError, KmcImportError, KmcTypeError, KmcValueError
from kmc.report import make_report, shown

pytest.importorskip("jinja2")


def report(path, image, **options):
    """Make a page of one picture and give the page and the data in it."""
    make_report([image], path, **{"ks": [3, 8], "metrics": "core", **options})
    page = path.read_text("utf-8")
    return page, data_of(page)[0]


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def pixels_of(address, mode):
    kind, content = re.fullmatch(r"data:image/(png|jpeg);base64,(.+)", address).groups()
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.format == kind.upper()
        return np.asarray(image.convert(mode))


# Without a browser


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_each_result_is_in_the_page_as_compress_gives_it(tmp_path, channels, mode):
    picture = photograph(40, 56, channels)
    _, data = report(tmp_path / "a.html", picture)
    assert set(data["results"]) == {
        f"{s}|{d}|{k}" for s in ("srgb", "oklab") for d in ("plain", "dithered") for k in (3, 8)
    }
    for key, result in data["results"].items():
        space, dither, k = key.split("|")
        expected = kmc.compress(picture, int(k), space=space, dither=0.8 if dither == "dithered" else 0)
        np.testing.assert_array_equal(pixels_of(result["images"][0], mode), np.asarray(expected.to_pil()))
        assert len(result["colors"]) == len(result["shares"]) == len(expected.palette)
        assert sum(result["shares"]) == pytest.approx(1, abs=1e-4)
        figures = {name: figure for name, figure, _ in result["figures"]}
        assert figures["PSNR"] == f"{expected.psnr:.2f} dB"
    assert [view["width"] for view in data["views"]] == [56, 56]


def test_the_table_has_the_figures_of_evaluate(tmp_path):
    picture = photograph(40, 56)
    page, _ = report(tmp_path / "a.html", picture, metrics=["ciede2000"], ks=[5])
    expected = kmc.evaluate(picture, kmc.compress(picture, 5), metrics="ciede2000")
    row = re.search(r'<tr data-key="srgb\|plain\|5">(.*?)</tr>', page, re.S)[1]
    cells = re.findall(r"<td>(.*?)</td>", row)
    assert cells[:2] == ["5", f"{expected.bytes_compressed:,}"]
    assert {f"{expected.mse:.4g}", f"{expected.psnr:.2f}", f"{expected.ssim:.4f}", f"{expected.ciede2000:.2f}"} <= set(
        cells
    )


def test_what_is_too_large_is_shown_smaller_with_a_detail(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "BUDGET", 90_000)
    monkeypatch.setattr("kmc.report.measure.DETAIL_PIXELS", 600)
    monkeypatch.setattr("kmc.report.measure.ERROR_PIXELS", 600)
    picture = noise(200, 300)
    page, data = report(tmp_path / "a.html", picture)
    assert len(page) < 90_000 * 4 / 3 + 120_000
    whole, detail, errors = data["views"]
    assert whole["width"] < 300
    assert errors["width"] == whole["width"]
    assert (detail["width"], detail["height"]) == (30, 20)
    top, left = (int(re.search(rf"{word} from (\d+)", detail["note"])[1]) for word in ("rows", "columns"))
    for key in ("srgb|plain|8", "oklab|dithered|3"):
        space, dither, k = key.split("|")
        full = kmc.compress(picture, int(k), space=space, dither=0.8 if dither == "dithered" else 0)
        images = data["results"][key]["images"]
        np.testing.assert_array_equal(pixels_of(images[1], "RGB"), full.image[top : top + 20, left : left + 30])
        small = pixels_of(images[0], "RGB")
        assert small.shape[1] == whole["width"]
        palette = {tuple(color) for color in full.palette.colors.tolist()}
        assert {tuple(color) for color in small.reshape(-1, 3).tolist()} <= palette


def test_the_detail_is_where_the_error_is(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "MOST_SHOWN", 1000)
    monkeypatch.setattr("kmc.report.measure.DETAIL_PIXELS", 600)
    picture = np.full((80, 120, 3), 90, dtype=np.uint8)
    picture[50:65, 80:100] = noise(15, 20)
    _, data = report(tmp_path / "a.html", picture)
    detail = data["views"][1]
    top, left = (int(re.search(rf"{word} from (\d+)", detail["note"])[1]) for word in ("rows", "columns"))
    assert 40 <= top <= 60
    assert 65 <= left <= 95


def test_a_page_of_several_pictures(tmp_path):
    names = ["<b>&'\".png", "</script><script>alert(1)</script>.png", os.fsdecode(b"\xff\xfe.png")]
    make_report([noise(20, 30, c) for c in (1, 3, 4)], tmp_path / "a.html", names=names, ks=[3], metrics="core")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert page.count('role="tab" id=') == 3
    assert "alert(1)</script>" not in page
    assert "&lt;b&gt;&amp;&#39;&#34;.png" in page
    assert page.count("<script") == 2
    assert "udcff" in page
    assert len(data_of(page)) == 3


def test_the_page_names_no_other_place(tmp_path):
    page, _ = report(tmp_path / "a.html", photograph(30, 40))
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"https?://[^\"' ]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, never fetched
    assert not re.search(r"\b(src|href)=\"(?!data:)", page)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((1, 1), 7, dtype=np.uint8),
        np.full((5, 9, 3), 7, dtype=np.uint8),
        few_colors(12, 12, 4),
        np.zeros((6, 6, 4), dtype=np.uint8),
        noise(1, 200),
    ],
)
def test_pictures_that_are_extreme(tmp_path, picture):
    page, data = report(tmp_path / "a.html", picture, ks=None)
    assert data["start"] in data["results"]
    n_colors = len(kmc.ColorHistogram.from_pixels(picture.reshape(*picture.shape[:2], -1)))
    ks = sorted({int(key.split("|")[2]) for key in data["results"]})
    assert sum(k >= n_colors for k in ks) == 1  # those above keep every colour too
    assert "nan" not in page.lower().split('id="data"')[0]


def test_what_a_report_does_not_take(tmp_path, monkeypatch):
    path, picture = tmp_path / "a.html", noise(9, 9)
    for images in ("photo.png", b"", [], picture):
        with pytest.raises(KmcTypeError, match="sequence of one or more pictures"):
            make_report(images, path)
    with pytest.raises(KmcValueError, match="1 images and 2 names"):
        make_report([picture], path, names=["a", "b"])
    for ks, words in [([0], "got 0"), ([300], "got 300"), ([], "ks is empty"), ([2.5], r"got 2\.5")]:
        with pytest.raises(KmcError, match=words):
            make_report([picture], path, ks=ks)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KmcImportError, match=r"kmc-image\[report\]"):
        make_report([picture], path)
    assert not path.exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in [("a.png", 0), ("b c.png", 1)]:
        (tmp_path / name).write_bytes(file_bytes(photograph(24, 36, seed=seed)))
    return tmp_path


def test_the_command(folder, capsys):
    assert cli.main(["report", "a.png", "b c.png", "-k", "4,2", "--metrics", "core"]) == 0
    out, err = capsys.readouterr()
    path = folder / "a-report.html"
    assert out == f"a-report.html: 2 pictures, {path.stat().st_size:,} bytes\n"
    assert err == ""  # no progress bar where nobody looks
    data = data_of(path.read_text("utf-8"))
    assert data[1]["results"]["oklab|dithered|4"]["command"] == "kmc compress 'b c.png' -k 4 --space oklab --dither 0.8"
    assert cli.main(["report", "a.png"]) == 1
    assert "a-report.html' exists already" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["report", "--help"])
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert "kmc report a.png b.png c.png -o report.html" in out
    assert max(map(len, out.splitlines())) <= 100


def test_an_old_page_stays_where_a_new_one_cannot_be_made(folder, capsys):
    (folder / "old.html").write_text("old")
    assert cli.main(["report", "a.png", "absent.png", "-k", "2", "-o", "old.html"]) == 1
    assert "absent.png' does not exist" in capsys.readouterr().err
    assert cli.main(["report", "a.png", "-k", "2", "-o", "absent/page.html"]) == 1
    assert "folder" in capsys.readouterr().err
    assert (folder / "old.html").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b c.png", "old.html"]


@pytest.mark.parametrize("word", ["x", "4,", "2.5"])
def test_numbers_of_colors_that_are_none(word, capsys):
    with pytest.raises(SystemExit):
        cli.main(["report", "a.png", "-k", word])
    assert "is not a whole number" in capsys.readouterr().err


# In a browser


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    programs = ("chromium", "chromium-browser", "google-chrome")
    program = next((path for name in programs if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    as_root = sys.platform == "linux" and os.geteuid() == 0
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if as_root else [])
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The path of a page of one picture, and that of a page of two."""
    folder = tmp_path_factory.mktemp("report")
    options = {"ks": [2, 4, 16], "metrics": "core"}
    make_report([photograph(60, 90)], folder / "one.html", names=["one.png"], **options)
    two = [photograph(40, 60, 4), photograph(60, 40, seed=3)]
    make_report(two, folder / "two.html", names=["first.png", "second.png"], **options)
    return folder / "one.html", folder / "two.html"


class Visit:
    """A page in the browser, and what went wrong in it."""

    def __init__(self, context, path):
        self.problems = []
        self.requests = []
        self.page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.as_uri()
        self.page.goto(self.address)

    def value(self, selector=".divider"):
        return int(self.page.locator(selector).first.get_attribute("aria-valuenow"))

    def data(self):
        return json.loads(self.page.locator("#data").inner_text())

    def shown(self):
        """Say which picture is on top: its address, once it is decoded."""
        image = self.page.locator(".after img").first
        return image.evaluate("async image => { await image.decode(); return image.src; }")


@pytest.fixture
def visit(browser, request):
    """Open a page; afterwards nothing may have gone wrong, and nothing may have been fetched."""
    visits = []
    context = browser.new_context(viewport={"width": 1200, "height": 900}, **getattr(request, "param", {}))
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    def open_page(path):
        visits.append(Visit(context, path))
        return visits[-1]

    yield open_page
    for one in visits:
        assert one.problems == []
        assert {url for url in one.requests if not url.startswith("data:")} == {one.address}
    context.close()


def test_drag_the_divider(visit, pages):
    one = visit(pages[0])
    assert one.value() == 50
    stage, grip = one.page.locator(".stage").bounding_box(), one.page.locator(".divider").bounding_box()
    one.page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    one.page.mouse.down()
    one.page.mouse.move(stage["x"] + 0.2 * stage["width"], stage["y"] + 5, steps=4)
    one.page.mouse.up()
    assert one.value() == 20
    assert "80%" in one.page.locator(".before").evaluate("layer => layer.style.clipPath")
    assert "20%" in one.page.locator(".after").evaluate("layer => layer.style.clipPath")
    one.page.mouse.move(stage["x"] + 0.9 * stage["width"], stage["y"] + 5)
    assert one.value() == 20  # let go


def test_choose_k_dithering_and_space(visit, pages):
    one = visit(pages[0])
    results = one.data()[0]["results"]
    for label, group in [("16", "Colours (k)"), ("error diffusion", "Dithering"), ("Oklab", "Distances in")]:
        one.page.get_by_role("group", name=group).get_by_role("radio", name=label).check()
    result = results["oklab|dithered|16"]
    assert one.shown() == result["images"][0]
    assert one.page.locator(".tiles dd").first.inner_text() == result["figures"][0][1]
    assert one.page.locator(".command code").inner_text() == result["command"]
    assert one.page.locator(".swatches button").count() == 16
    assert one.page.locator("tr.now[data-key]").get_attribute("data-key") == "oklab|dithered|16"
    one.page.get_by_role("button", name="Show 2 colours, sRGB", exact=True).click()
    assert one.shown() == results["srgb|plain|2"]["images"][0]
    assert one.page.locator(".swatches button").count() == 2


def test_copy_colors(visit, pages):
    one = visit(pages[0])
    one.page.get_by_role("radio", name="by share").check()
    swatch = one.page.locator(".swatches button").first
    swatch.click()
    one.page.wait_for_selector(".toast.shown")
    copied = one.page.evaluate("navigator.clipboard.readText()")
    start = one.data()[0]["results"][one.data()[0]["start"]]
    assert copied == start["colors"][int(np.argmax(start["shares"]))] == swatch.locator("code").inner_text()
    assert one.page.locator(".toast").inner_text() == f"{copied} copied"
    one.page.get_by_role("button", name="Copy all").click()
    one.page.wait_for_function("document.querySelector('.toast').textContent.includes('colours')")
    assert sorted(one.page.evaluate("navigator.clipboard.readText()").split()) == sorted(start["colors"])


def test_by_keyboard_alone(visit, pages):
    one = visit(pages[0])
    keyboard = one.page.keyboard

    def tab_to(selector):
        for _ in range(40):
            keyboard.press("Tab")
            if one.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    tab_to(".stage")
    keyboard.press("+")
    keyboard.press("ArrowRight")
    assert one.page.locator(".zoom output").inner_text() == "1.5 x"
    keyboard.press("0")
    tab_to(".divider")
    for key, value in [("ArrowLeft", 48), ("Shift+ArrowRight", 58), ("PageDown", 48), ("Home", 0), ("End", 100)]:
        keyboard.press(key)
        assert one.value() == value
    assert one.page.locator(".zoom output").inner_text() == "1.0 x"
    tab_to("input[name='view-0']")
    keyboard.press("ArrowRight")
    assert one.page.locator(".scale").is_visible()
    tab_to("input[name='k-0']")
    before = one.shown()
    keyboard.press("ArrowRight")
    assert one.shown() != before
    tab_to(".swatches button")
    keyboard.press("Enter")
    one.page.wait_for_selector(".toast.shown")
    assert re.fullmatch("#[0-9a-f]{6}", one.page.evaluate("navigator.clipboard.readText()"))


def test_zoom_and_move_in_step(visit, pages):
    one = visit(pages[0])
    one.page.get_by_role("button", name="Zoom in").click()
    one.page.get_by_role("button", name="Zoom in").click()
    box = one.page.locator(".stage").bounding_box()
    before = one.page.locator(".before img").evaluate("image => image.style.transform")
    one.page.mouse.move(box["x"] + 30, box["y"] + 30)
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + 90, box["y"] + 60, steps=3)
    one.page.mouse.up()
    places = [
        one.page.locator(f".{name} img").evaluate("image => image.style.transform") for name in ("before", "after")
    ]
    assert places[0] == places[1] != before
    assert "scale(2.25)" in places[0]
    assert one.value() == 50  # the divider stays while the picture moves
    one.page.mouse.move(box["x"] + 50, box["y"] + 50)
    one.page.keyboard.down("Control")
    one.page.mouse.wheel(0, -100)
    one.page.keyboard.up("Control")
    one.page.wait_for_function("parseFloat(document.querySelector('.zoom output').textContent) > 2.3")
    one.page.get_by_role("button", name="Fit").click()
    assert "translate(0%, 0%) scale(1)" in one.page.locator(".after img").evaluate("image => image.style.transform")


def test_several_pictures(visit, pages):
    two = visit(pages[1])
    first, second = (two.page.get_by_role("tab", name=name) for name in ("first.png", "second.png"))
    assert (first.get_attribute("aria-selected"), second.get_attribute("aria-selected")) == ("true", "false")
    first.focus()
    two.page.keyboard.press("ArrowRight")
    assert second.get_attribute("aria-selected") == "true"
    assert two.page.get_by_role("tabpanel").get_attribute("id") == "picture-1"
    image = two.page.locator("#picture-1 .after img")
    assert image.evaluate(
        "async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; }"
    ) == [40, 60]
    two.page.get_by_role("button", name="first.png").click()
    assert two.page.get_by_role("tabpanel").get_attribute("id") == "picture-0"


def test_a_long_command_does_not_widen_the_page(visit, pages):
    one = visit(pages[0])
    one.page.locator("input[value='oklab']").check()
    one.page.locator("input[value='dithered']").check()
    for width in (1000, 375):
        one.page.set_viewport_size({"width": width, "height": 812})
        panel = one.page.locator(".panel").bounding_box()
        for part in (".command", ".tiles", ".panel .card"):
            box = one.page.locator(part).first.bounding_box()
            assert box["x"] + box["width"] <= panel["x"] + panel["width"] + 0.5 <= width


def test_on_a_phone(visit, pages):
    for path in pages:
        one = visit(path)
        one.page.set_viewport_size({"width": 375, "height": 812})
        assert one.page.evaluate("document.documentElement.scrollWidth") == 375
        box = one.page.locator(".stage").first.bounding_box()
        assert box["width"] > 300 or box["height"] > 300
        for button in one.page.locator("main:not([hidden]) .chips span").all():
            assert button.bounding_box()["height"] >= 30


@pytest.mark.parametrize("visit", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_words_can_be_read_in_light_and_in_dark(visit, pages, request):
    one = visit(pages[0])
    ink, paper = one.page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    luminance = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (ink, paper)]
    assert abs(luminance[0] - luminance[1]) > 500
    is_dark = one.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (luminance[1] < luminance[0]) == is_dark
