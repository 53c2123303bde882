"""How good it looks: every measure of kmc and its rivals, dithered and not, and sheets to look at.

    python benchmarks/quality.py --pictures FOLDER -o quality.json --table quality.md --sheets FOLDER

Every picture is compressed to each number of colours in every way; what came out is compared with
the original by all measures of kmc.evaluate. File sizes are those of kmc's PNG encoder for everyone,
then of oxipng at level 3 where pyoxipng is installed. The table has means over the pictures; the
JSON has every record. A sheet shows three crops of one picture, enlarged, by everyone side by side.

Pictures with transparency keep it, and only those take part that keep it too. Their PSNR in the table
and all figures of looks are the worst of three backgrounds (kmc.metrics.backgrounds).

--looks-metrics names a program that replaces SSIMULACRA2 and adds butteraugli's 3-norm. It is called as
`PROGRAM WIDTH HEIGHT ORIGINAL RESULT`, the pictures being raw RGB bytes, and prints the two numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import contact_sheet
import machine
import numpy as np
import photographs
import rivals
from numpy.typing import NDArray
from tqdm import tqdm

import kmc
from kmc.encode import png_bytes
from kmc.errors import KmcError
from kmc.evaluate import psnr
from kmc.load import load
from kmc.metrics.backgrounds import pairs_on_backgrounds

__all__ = ["Way", "against", "measure", "table", "ways"]

Pixels: TypeAlias = NDArray[np.uint8]
Record: TypeAlias = dict[str, Any]

RIVALS = (
    "Pillow FASTOCTREE",
    "Pillow MEDIANCUT",
    "imagequant",
    "pngquant",
    "quantette Wu, Oklab",
    "quantette k-means, Oklab",
    "scikit-learn KMeans, distinct colours",
)
BASELINE = "quantette k-means, Oklab, dithered"

# What kmc.compress is told, and the values of `dither` that make sense with it; None stands for a picture that is
# dithered by what it is told. What this version of kmc does not know is left out.
KMC: dict[str, tuple[dict[str, Any], tuple[bool | None, ...]]] = {
    "kmc": ({}, (False, True)),
    "kmc, best": ({"effort": "best"}, (False, True)),
    "kmc, Oklab": ({"space": "oklab"}, (False, True)),
    "kmc, Oklab, best": ({"space": "oklab", "effort": "best"}, (False, True)),
    "kmc, Oklab, blue noise": ({"space": "oklab", "dither": "blue-noise"}, (None,)),
    "kmc, looks": ({"preset": "looks"}, (None,)),
    "kmc, looks, best": ({"preset": "looks", "effort": "best"}, (None,)),
}

# Heading, key in a record, digits.
COLUMNS = (
    ("SSIMULACRA2", "ssimulacra2", 1),
    ("butteraugli", "butteraugli", 2),
    ("MS-SSIM", "ms_ssim", 4),
    ("SSIM", "ssim", 4),
    ("CIEDE2000", "ciede2000", 2),
    ("95 %", "ciede2000_p95", 2),
    ("PSNR dB", "psnr_shown", 2),
    ("MSE", "mse", 1),
    ("KiB", "kib", 1),
    ("KiB, oxipng", "kib_oxipng", 1),
)


@dataclass(frozen=True)
class Way:
    """One way to compress: a rival, dithered or not.

    Attributes
    ----------
    column : str
        The rival's name.
    dither : bool
        Whether it dithers.
    quantize : callable
        ``quantize(pixels, k, threads)`` gives palette and indices.
    takes_alpha : bool
        Whether pixels (h, w, 4) may be given.
    """

    column: str
    dither: bool
    quantize: Callable[[Pixels, int, int], rivals.Quantized]
    takes_alpha: bool

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.column}, dithered" if self.dither else self.column


def ways(threads: int) -> tuple[list[Way], dict[str, str]]:
    """List the ways that can be gone here, and why the others cannot."""
    found: list[Way] = []
    absent: dict[str, str] = {}
    for name in RIVALS:
        rival = rivals.RIVALS[name]
        if missing := rival.missing():
            absent[name] = missing
            continue
        found += [rival_way(rival, dither) for dither in ((False, True) if rival.dithers else (False,))]
    for name, (options, dithers) in KMC.items():
        for dither in dithers:
            way = kmc_way(name, {**options, **({"dither": 1.0} if dither else {})}, dither is not False)
            try:
                way.quantize(photographs.noise(), 4, threads)
            except (TypeError, KmcError):
                absent[way.name] = "this version of kmc.compress does not take its arguments"
            else:
                found.append(way)
    return found, absent


def rival_way(rival: rivals.Rival, dither: bool) -> Way:
    def quantize(pixels: Pixels, k: int, threads: int) -> rivals.Quantized:
        return rival.quantize(pixels, k, threads, **({"dither": True} if dither else {}))

    return Way(rival.name, dither, quantize, dither in rival.rgba)


def kmc_way(name: str, options: dict[str, Any], dither: bool) -> Way:
    def quantize(pixels: Pixels, k: int, threads: int) -> rivals.Quantized:
        compressed = kmc.compress(pixels, k, threads=threads, **options)
        return rivals.Quantized(compressed.palette.colors, compressed.indices)

    return Way(name, dither, quantize, takes_alpha=True)


def measure(pixels: Pixels, quantized: rivals.Quantized, looks_program: str | None = None) -> Record:
    """Compare palette[indices] with the original by every measure, and encode it."""
    compressed = quantized.palette[quantized.indices]
    metrics = ("ciede2000", "ms_ssim") if looks_program else "all"
    record: Record = kmc.evaluate(pixels, compressed, metrics=metrics).to_dict()
    unknown = ("bits_per_pixel", "bytes_original", "bytes_compressed", "compression_ratio")  # of arrays
    record = {key: value for key, value in record.items() if key not in unknown}
    shown = min(psnr(*pair) for pair in pairs_on_backgrounds(pixels, compressed))
    record["psnr_shown"] = shown if math.isfinite(shown) else None
    if looks_program:
        record["ssimulacra2"], record["butteraugli"] = run_looks_program(looks_program, pixels, compressed)
    content = png_bytes(np.ascontiguousarray(quantized.indices, dtype=np.uint8), quantized.palette)
    record["kib"] = len(content) / 1024
    record["kib_oxipng"] = oxipng_kib(content)
    return record


def run_looks_program(program: str, pixels: Pixels, compressed: Pixels) -> tuple[float, float]:
    """Run the program on each background; give the worst SSIMULACRA2 and the worst butteraugli."""
    height, width = pixels.shape[:2]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("original.rgb", "result.rgb")]
        for pair in pairs_on_backgrounds(pixels, compressed):
            for path, picture in zip(paths, pair, strict=True):
                path.write_bytes(picture.tobytes())
            command = [program, str(width), str(height), *map(str, paths)]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            figures.append([float(word) for word in output.split()])
    ssimulacra2, butteraugli = zip(*figures, strict=True)
    return min(ssimulacra2), max(butteraugli)


def oxipng_kib(content: bytes) -> float | None:
    try:
        import oxipng
    except ImportError:
        return None
    return len(oxipng.optimize_from_memory(content, level=3)) / 1024


def read(path: Path) -> Pixels:
    """Read a picture as RGBA where something shines through it, else as RGB."""
    pixels = load(path).pixels
    if pixels.shape[2] == 4 and pixels[..., 3].min() < 255:
        return pixels
    return photographs.rgb(path)


def run(options: argparse.Namespace) -> Record:
    """Measure every way on every picture for every number of colours."""
    present, absent = ways(options.threads)
    document: Record = {"machine": machine.describe(options.threads), "records": [], "absent": absent}
    cells = [(path, k) for path in options.paths for k in options.colors]
    with rivals.equal_threads(options.threads):
        for path, k in tqdm(cells, unit="picture"):
            pixels = read(path)
            fit = [way for way in present if pixels.shape[2] == 3 or way.takes_alpha]
            columns: dict[str, dict[bool, contact_sheet.Result]] = {}
            for way in fit:
                quantized = way.quantize(pixels, k, options.threads)
                record = measure(pixels, quantized, options.looks_metrics)
                head = {"picture": path.name, "k": k, "way": way.name, "dither": way.dither}
                document["records"].append({**head, **record})
                result = contact_sheet.Result(quantized.palette[quantized.indices], caption(record))
                columns.setdefault(way.column, {})[way.dither] = result
            if options.sheets:
                write_sheet(options.sheets, path, k, pixels, columns)
            options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")  # hours may follow
    return document


def caption(record: Record) -> str:
    parts = []
    for label, key, digits in (("S2", "ssimulacra2", 1), ("dE", "ciede2000", 2), ("dB", "psnr_shown", 1)):
        if record.get(key) is not None:
            parts.append(f"{label} {record[key]:.{digits}f}")
    return "   ".join(parts)


def write_sheet(
    folder: Path, path: Path, k: int, pixels: Pixels, columns: dict[str, dict[bool, contact_sheet.Result]]
) -> None:
    crops = contact_sheet.choose_crops(pixels, 80)
    title = (
        f"{path.name}, k={k}, crops at {contact_sheet.ZOOM}x.   Figures are of the whole picture; "
        "S2: SSIMULACRA2 (higher is better), dE: mean CIEDE2000 (lower is better), dB: PSNR"
    )
    folder.mkdir(parents=True, exist_ok=True)
    contact_sheet.draw_sheet(title, pixels, columns, crops).save(folder / f"{path.stem}-{k}.png")


def table(records: Sequence[Record], baseline: str = BASELINE) -> str:
    """Turn the records into Markdown: a table for each number of colours, means over the pictures."""
    blocks = []
    columns = [column for column in COLUMNS if any(record.get(column[1]) is not None for record in records)]
    for k in sorted({record["k"] for record in records}):
        of_k = [record for record in records if record["k"] == k]
        names = list(dict.fromkeys(record["way"] for record in of_k))
        header = [f"k={k}", *(heading for heading, _, _ in columns), f"SSIMULACRA2 against {baseline}"]
        rows = [header, ["---", *["---:"] * (len(header) - 1)]]
        for name in names:
            own = [record for record in of_k if record["way"] == name]
            cells = [show(mean(own, key), digits) for _, key, digits in columns]
            rows.append([f"**{name}**" if name.startswith("kmc") else name, *cells, against(of_k, name, baseline)])
        blocks.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(blocks) + "\n"


def mean(records: Sequence[Record], key: str) -> float | None:
    """Average what is known: a picture that came back exactly has no PSNR, a small one no MS-SSIM."""
    values = [record[key] for record in records if record.get(key) is not None]
    return statistics.fmean(values) if values else None


def show(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def against(records: Sequence[Record], name: str, baseline: str) -> str:
    """Say by how many points a way is above the baseline, and on how many of the pictures."""
    scores: dict[str, dict[str, float]] = {name: {}, baseline: {}}
    for record in records:
        if record["way"] in scores and record.get("ssimulacra2") is not None:
            scores[record["way"]][record["picture"]] = record["ssimulacra2"]
    gains = [
        score - scores[baseline][picture] for picture, score in scores[name].items() if picture in scores[baseline]
    ]
    if not gains or name == baseline:
        return ""
    return f"{statistics.fmean(gains):+.1f}, above on {sum(gain > 0 for gain in gains)} of {len(gains)}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="default: two photographs of scikit-learn's")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N pictures")
    parser.add_argument("--colors", default="4,16,64,256", metavar="K,K", help="%(default)s")
    parser.add_argument("--threads", type=int, default=machine.usable_cores(), help="for everyone (%(default)s)")
    parser.add_argument("--looks-metrics", metavar="PROGRAM", help="measures SSIMULACRA2 and butteraugli")
    parser.add_argument("--against", default=BASELINE, metavar="WAY", help="whom all are compared with (%(default)s)")
    parser.add_argument("--table", type=Path, metavar="MD", help="default: printed")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER", help="write PICTURE-K.png there")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="JSON")
    options = parser.parse_args(arguments)
    options.colors = [int(word) for word in options.colors.split(",")]
    options.paths = photographs.in_folder(options.pictures) if options.pictures else photographs.bundled()
    options.paths = options.paths[: options.first]
    if not options.paths:
        parser.error(f"{options.pictures} has no pictures; give a folder that has some")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    with warnings.catch_warnings():  # a library may warn, for example of fewer distinct colours than k
        warnings.simplefilter("ignore")
        document = run(options)
    for name, reason in document["absent"].items():
        print(f"{name}: left out, {reason}", file=sys.stderr)
    text = table(document["records"], options.against)
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
