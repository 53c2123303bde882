"""Make the pictures and fill the tables of LIMITS.md.

    python benchmarks/limits.py                                         # pictures, and the tables that are quick
    python benchmarks/limits.py --equal-quality equal_quality.json      # also that of equal_quality.py's measurement
    python benchmarks/limits.py --pictures FOLDER                       # measures that first, half an hour or so

The pictures are generated or come with scikit-learn and scikit-image.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equal_quality
import machine
import numpy as np
import photographs
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.mixture import GaussianMixture

import kmc
from kmc.load import ImageLike

__all__ = ["clusters", "fill", "gradient", "main", "share_right", "stripes"]

Pixels = NDArray[np.uint8]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "LIMITS.md"
PICTURES = ROOT / "benchmarks" / "pictures"
HEIGHT, WIDTH, GAP = 126, 200, 6
BERRY_CROP = (slice(HEIGHT // 2, HEIGHT), slice(70, 70 + WIDTH // 2))  # enlarged; two of three berries are in it
CROP = (slice(70, 70 + HEIGHT), slice(45, 45 + WIDTH))

# Heading, field of kmc.Evaluation, pattern.
FIGURES = (
    ("PSNR, dB", "psnr", ".1f"),
    ("SSIM", "ssim", ".3f"),
    ("SSIMULACRA2", "ssimulacra2", ".1f"),
    ("CIEDE2000", "ciede2000", ".2f"),
)


# Pictures


def gradient(height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Make an evening sky: smooth from blue over rose to orange, a little lighter to the right."""
    down = np.linspace(0, 1, height)[:, np.newaxis]
    colors = np.array([[38, 58, 120], [196, 128, 148], [250, 190, 120]])
    sky = np.stack([np.interp(down, [0, 0.6, 1], channel) for channel in colors.T], axis=-1)
    light = 0.9 + 0.1 * np.linspace(0, 1, width)[np.newaxis, :, np.newaxis]
    return np.rint(sky * light).astype(np.uint8)


def stripes(height: int = HEIGHT, width: int = WIDTH) -> tuple[Pixels, NDArray[np.bool_]]:
    """Make two materials in stripes, red and ochre, under light that fades; and which pixel is which."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    is_red = (rows + columns) // 40 % 2 == 0
    light = 0.3 + 0.7 * columns[..., np.newaxis] / (width - 1)
    colors = np.where(is_red[..., np.newaxis], [225, 80, 60], [215, 175, 80]) * light
    return np.clip(np.rint(colors + rng.normal(0, 2, colors.shape)), 0, 255).astype(np.uint8), is_red


def berries(height: int = HEIGHT, width: int = WIDTH) -> tuple[Pixels, NDArray[np.bool_]]:
    """Make many greens and, on about a thousandth of the pixels, three red berries; and where these are."""
    rng = np.random.default_rng(1)
    small = rng.normal(0, 1, (height // 8, width // 8)).astype(np.float32)
    leaves = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    image = np.array([70, 130, 60]) + leaves[..., np.newaxis] * [38, 34, 26] + rng.normal(0, 2, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    is_berry = np.zeros((height, width), dtype=bool)
    for row, column in ((40, 60), (80, 160), (105, 100)):
        is_berry |= (rows - row) ** 2 + (columns - column) ** 2 < 4
    image[is_berry] = (190, 70, 50)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), is_berry


def drawing(height: int = 400, width: int = 640) -> Pixels:
    """Make a chart of few flat colours."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    colors = ["#0a84c8", "#d55e00", "#009e73", "#c46a9d", "#c08a00", "#8a8a8a"]
    for number in range(18):
        top = height - 40 - (number * 137 % 310)
        draw.rectangle((30 + 33 * number, top, 52 + 33 * number, height - 40), fill=colors[number % 6])
    for line in range(30, height - 30, 40):
        draw.line((20, line, width - 20, line), fill="#d8d8d8")
        draw.text((22, line - 12), f"{height - line} units", fill="black")
    return np.asarray(image)


def photograph() -> Pixels:
    """Give scikit-learn's photograph of a temple; of it and its results the pictures show :data:`CROP`."""
    return photographs.rgb(photographs.china())


def side_by_side(path: Path, pictures: Sequence[Pixels]) -> None:
    """Write pictures of one height in a row."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    row = [part for picture in pictures for part in (picture, gap)][:-1]
    Image.fromarray(np.hstack(row)).save(path, "PNG", optimize=True)


# Figures


def encoded(pixels: Pixels, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format, **options)
    return file.getvalue()


def row(name: str, original: Pixels, result: ImageLike | kmc.CompressedImage) -> list[str]:
    """Give name, bytes and figures of a result."""
    found = kmc.evaluate(original, result, metrics="all")
    cells = [name, f"{found.bytes_compressed:,}"]
    for _, field, pattern in FIGURES:
        value = getattr(found, field)
        cells.append("" if value is None else "no loss" if value == np.inf else format(value, pattern))
    return cells


def markdown(head: str, rows: Sequence[Sequence[str]]) -> str:
    headings = [head, "bytes", *(heading for heading, _, _ in FIGURES)]
    return as_table([headings, *rows])


def as_table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kmc_row(original: Pixels, k: int, **options: Any) -> list[str]:
    words = "".join(f", {name}={value!r}" for name, value in options.items())
    return row(f"kmc, k={k}{words}", original, kmc.compress(original, k, **options))


def banding() -> str:
    sky = gradient()
    results = [kmc.compress(sky, 12), kmc.compress(sky, 12, preset="looks")]
    side_by_side(PICTURES / "limits_banding.png", [sky, *(result.image for result in results)])
    rows = [kmc_row(sky, k) for k in (12, 64, 256)] + [
        kmc_row(sky, 12, preset="looks"),
        kmc_row(sky, 256, preset="looks"),
    ]
    return markdown("a generated sky", [*rows, row("JPEG, quality 90", sky, encoded(sky, "JPEG", quality=90))])


def many_colors() -> str:
    picture = photograph()
    shown = [picture, *(kmc.compress(picture, k).image for k in (4, 16))]
    side_by_side(PICTURES / "limits_small_k.png", [image[CROP] for image in shown])
    rows = [kmc_row(picture, k) for k in (4, 16, 64, 256)]
    return markdown("a photograph", [*rows, row("JPEG, quality 75", picture, encoded(picture, "JPEG", quality=75))])


def rare_colors() -> str:
    picture, is_berry = berries()
    results = {k: kmc.compress(picture, k).image for k in (4, 8, 16, 64)}
    shown = [image[BERRY_CROP].repeat(2, axis=0).repeat(2, axis=1) for image in (picture, results[8], results[16])]
    side_by_side(PICTURES / "limits_rare.png", shown)
    rows = [["", "mean colour of the berries"], ["original", words_of(picture[is_berry])]]
    rows += [[f"kmc, k={k}", words_of(result[is_berry])] for k, result in results.items()]
    return f"The berries are {is_berry.mean():.2%} of the pixels.\n\n{as_table(rows)}"


def words_of(colors: Pixels) -> str:
    return "rgb({:.0f}, {:.0f}, {:.0f})".format(*colors.mean(axis=0))


def share_right(labels: NDArray[Any], is_red: NDArray[np.bool_]) -> float:
    """Give the share of pixels in the cluster of their material, whichever of the two that is."""
    right = float(np.mean((labels == 0) == is_red))
    return max(right, 1 - right)


def clusters() -> str:
    picture, is_red = stripes()
    compressed = kmc.compress(picture, 2)
    points = picture.reshape(-1, 3).astype(np.float64)
    mixture = GaussianMixture(2, n_init=5, init_params="random_from_data", random_state=0).fit(points[::13])
    labels = mixture.predict(points).reshape(is_red.shape)
    means = np.stack([picture[labels == label].mean(axis=0) for label in range(2)]).round().astype(np.uint8)
    side_by_side(PICTURES / "limits_clusters.png", [picture, compressed.image, means[labels]])
    oklab = kmc.compress(picture, 2, space="oklab")
    rows = [
        ["two clusters by", "pixels with those of their material", "MSE of the two colours"],
        ["k-means, sRGB", f"{share_right(compressed.indices, is_red):.1%}", f"{compressed.mse:,.0f}"],
        ["k-means, Oklab", f"{share_right(oklab.indices, is_red):.1%}", f"{oklab.mse:,.0f}"],
        ["Gaussian mixture", f"{share_right(labels, is_red):.1%}", f"{kmc.evaluate(picture, means[labels]).mse:,.0f}"],
    ]
    return as_table(rows)


def looks() -> str:
    picture = photograph()
    ways: list[dict[str, Any]] = [{}, {"space": "oklab"}, {"dither": 0.8}, {"space": "oklab", "dither": 0.8}]
    ways += [{"preset": "looks", "effort": "best"}]
    shown = [kmc.compress(picture, 16, **way).image[CROP] for way in (ways[0], ways[1], ways[-1])]
    side_by_side(PICTURES / "limits_looks.png", shown)
    return markdown("a photograph", [kmc_row(picture, 16, **way) for way in ways])


def lossless() -> str:
    chart, picture = drawing(), photograph()
    rows = [row("chart: PNG, RGB", chart, encoded(chart, "PNG", optimize=True)), kmc_row(chart, 256)]
    rows += [row("chart: JPEG, quality 90", chart, encoded(chart, "JPEG", quality=90))]
    rows[1][0] = "chart: " + rows[1][0]
    rows += [row("photograph: PNG, RGB", picture, encoded(picture, "PNG", optimize=True)), kmc_row(picture, 256)]
    rows += [row("photograph: JPEG, quality 90", picture, encoded(picture, "JPEG", quality=90))]
    rows[4][0] = "photograph: " + rows[4][0]
    return markdown("", rows)


def equal(document: dict[str, Any]) -> str:
    recorded = document["machine"]
    versions = recorded["versions"]
    n_pictures = len({record["picture"] for record in document["records"]})
    options = "; ".join(
        f"{name} {', '.join(f'{key}={value}' for key, value in codec.options.items()) or 'as it comes'}"
        for name, codec in equal_quality.CODECS.items()
    )
    return (
        f"{n_pictures} pictures, geometric means; in brackets the bytes divided by kmc's. Measured on "
        f"{recorded['date']} with kmc {versions['kmc']}, Pillow {versions['pillow']} ({options}) and ssimulacra2 "
        f"{versions['ssimulacra2']}; {recorded['cpu']}, {recorded['system']}."
        f"\n\n{equal_quality.table(document['records'])}"
    )


def fill(text: str, name: str, content: str) -> str:
    """Put a table between the marks of its name."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin} with {end} after it; put them where the table belongs")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="measure bytes at equal quality on these")
    parser.add_argument(
        "--equal-quality", type=Path, metavar="JSON", default=ROOT / "benchmarks" / "equal_quality.json"
    )
    options = parser.parse_args(arguments)
    if options.pictures:
        equal_quality.measure(photographs.in_folder(options.pictures), options.equal_quality, machine.usable_cores())
    tables = {table.__name__: table() for table in (banding, many_colors, rare_colors, clusters, looks, lossless)}
    if options.equal_quality.exists():
        tables["equal"] = equal(json.loads(options.equal_quality.read_text(encoding="utf-8")))
    text = PAGE.read_text(encoding="utf-8")
    for name, content in tables.items():
        text = fill(text, name, content)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
