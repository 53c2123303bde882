"""How small files are at the same look: kmc's smallest against those of its rivals, dithered.

    python benchmarks/file_size.py --pictures FOLDER --looks-metrics PROGRAM -o file_size.json

Each rival quantizes each picture to each number of colours, dithered, and oxipng at level 3 squeezes its file. Of kmc
that is the smallest file whose SSIMULACRA2 is no lower, over numbers of colours and compactnesses; with
optimize="max" if pyoxipng is installed, and with the default. Photographs are best dithered, as preset="small" does it;
for screens and pictures with alpha give --dither 0 --compactness 0,0.3,1. SSIMULACRA2 is that of PROGRAM, the worst of
three backgrounds for pictures with transparency (see quality.py). Without dithering, kmc's file is compared with
Pillow's optimize=True of the same palette and indices, and with what a compactness makes of it.

The medians over a folder's pictures are printed; the JSON has every record. --cache keeps what rivals gave.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import photographs
import rivals
from numpy.typing import NDArray
from PIL import Image
from quality import oxipng_kib, read, run_looks_program
from tqdm import tqdm

import kmc
from kmc.compact import compacted
from kmc.formats.png import png_bytes

Pixels: TypeAlias = NDArray[np.uint8]
Record: TypeAlias = dict[str, Any]

RIVALS = ("imagequant", "quantette k-means, Oklab")
# Numbers of colours that are tried of kmc: steps of a fifth or so.
COLORS = (4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)
UNDITHERED_COMPACTNESS = 0.05


class Try(NamedTuple):
    """A palette picture and how it looks."""

    palette: Pixels
    indices: Pixels
    ssimulacra2: float


class Tries(NamedTuple):
    """Functions of k and compactness, each of which does its work once."""

    at: Callable[[int, float], Try]
    n_bytes: Callable[[int, float, str], int]  # and `optimize`


def rival_record(name: str, path: Path, pixels: Pixels, k: int, options: argparse.Namespace) -> Record | None:
    """Give bytes and SSIMULACRA2 of a rival; None if it cannot take the picture or is not installed."""
    rival = rivals.RIVALS[name]
    if rival.missing() or (pixels.shape[2] == 4 and True not in rival.rgba):
        return None
    key = hashlib.sha256(f"{name} {k} ".encode() + path.read_bytes()).hexdigest()[:24]
    kept = options.cache / f"{key}.json" if options.cache else None
    if kept and kept.exists():
        record: Record = json.loads(kept.read_text(encoding="utf-8"))
        return record
    quantized = rival.quantize(pixels, k, options.threads, dither=True)
    kib = oxipng_kib(png_bytes(np.ascontiguousarray(quantized.indices, dtype=np.uint8), quantized.palette, "fast"))
    if kib is None:
        raise SystemExit("pyoxipng is not installed; pip install pyoxipng")
    ssimulacra2, _ = run_looks_program(options.looks_metrics, pixels, quantized.palette[quantized.indices])
    record = {"bytes": round(kib * 1024), "ssimulacra2": ssimulacra2}
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record), encoding="utf-8")
    return record


def tries_of(pixels: Pixels, options: argparse.Namespace) -> Tries:
    """Prepare to try any k and compactness."""
    dither = options.dither

    @functools.cache
    def plain(k: int) -> kmc.CompressedImage:
        """Without compactness, which then is tried at several values."""
        return kmc.compress(pixels, k, space="oklab", dither=dither, effort=options.effort, threads=options.threads)

    @functools.cache
    def tried(k: int, compactness: float) -> Try:
        base = plain(k)
        palette, indices = base.palette, base.indices
        if not base.lossless and compactness:
            palette, indices = compacted(
                pixels, palette, indices, compactness, dithered=dither > 0, threads=options.threads
            )
        ssimulacra2, _ = run_looks_program(options.looks_metrics, pixels, palette.colors[indices])
        return Try(palette.colors, indices, ssimulacra2)

    @functools.cache
    def n_bytes(k: int, compactness: float, optimize: str) -> int:
        one = tried(k, compactness)
        return len(png_bytes(one.indices, one.palette, optimize))

    return Tries(tried, n_bytes)


def smallest(tries: Tries, least: float, colors: Sequence[int], compactnesses: Sequence[float]) -> Record | None:
    """Find the smallest file that looks no worse; for each compactness the fewest colours, by bisection."""
    found: list[Record] = []
    for compactness in compactnesses:
        low, high = 0, len(colors) - 1
        if tries.at(colors[high], compactness).ssimulacra2 < least:
            continue
        while low < high:
            middle = (low + high) // 2
            if tries.at(colors[middle], compactness).ssimulacra2 >= least:
                high = middle
            else:
                low = middle + 1
        k, ssimulacra2 = colors[high], tries.at(colors[high], compactness).ssimulacra2
        sizes = {f"bytes_{optimize}": tries.n_bytes(k, compactness, optimize) for optimize in ("max", "default")}
        found.append({"k": k, "compactness": compactness, "ssimulacra2": ssimulacra2, **sizes})
    return min(found, key=lambda record: record["bytes_max"], default=None)


def dithered_records(path: Path, pixels: Pixels, options: argparse.Namespace) -> list[Record]:
    """Compare with every rival at every number of colours."""
    tries = tries_of(pixels, options)
    records = []
    for k in options.colors:
        for name in RIVALS:
            theirs = rival_record(name, path, pixels, k, options)
            if theirs is None:
                continue
            ours = smallest(tries, theirs["ssimulacra2"], options.our_colors, options.compactness)
            ratios = {
                f"ratio_{optimize}": ours[f"bytes_{optimize}"] / theirs["bytes"] if ours else math.inf
                for optimize in ("max", "default")
            }
            records.append({"against": name, "k": k, "theirs": theirs, "ours": ours, **ratios})
    return records


def undithered_records(pixels: Pixels, options: argparse.Namespace) -> list[Record]:
    """Compare with Pillow's file of the same palette and indices."""
    records = []
    for k in options.colors:
        plain = kmc.compress(pixels, k, threads=options.threads)
        theirs = len(pillow_file(plain))
        compact = plain
        if not plain.lossless:
            compact = kmc.compress(pixels, k, compactness=UNDITHERED_COMPACTNESS, threads=options.threads)
        records.append(
            {
                "against": "Pillow, optimize=True",
                "k": k,
                "theirs": {"bytes": theirs},
                "ratio_default": len(plain.to_bytes()) / theirs,
                "ratio_max": len(plain.to_bytes(optimize="max")) / theirs,
                "ratio_compact": len(compact.to_bytes()) / theirs,
                "psnr_lost": 0.0 if plain.lossless else plain.psnr - compact.psnr,
            }
        )
    return records


def pillow_file(compressed: kmc.CompressedImage) -> bytes:
    image = Image.fromarray(compressed.indices)
    colors = compressed.palette.colors
    image.putpalette(np.repeat(colors, 3, axis=1).tobytes() if colors.shape[1] == 1 else colors[:, :3].tobytes())
    alphas = {"transparency": colors[:, 3].tobytes()} if colors.shape[1] == 4 else {}
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, **alphas)
    return file.getvalue()


def table(records: Sequence[Record]) -> str:
    """Give medians of kmc's bytes over theirs as Markdown."""
    rows = [
        "| set | against | k | pictures | max | default | with compactness | PSNR lost, dB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups = dict.fromkeys((record["set"], record["against"], record["k"]) for record in records)
    whole = dict.fromkeys(("all", against, "all") for _, against, _ in groups)
    for group in (*groups, *whole):
        own = [
            record
            for record in records
            if record["against"] == group[1] and (group[0] == "all" or (record["set"], record["k"]) == group[::2])
        ]
        cells = []
        for key in ("ratio_max", "ratio_default", "ratio_compact", "psnr_lost"):
            values = [record[key] for record in own if key in record]
            cells.append(f"{statistics.median(values):.3f}" if values else "")
        rows.append(f"| {group[0]} | {group[1]} | {group[2]} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth picture of a folder")
    parser.add_argument("--colors", default="16,64,256", metavar="K,K", help="of the rivals (%(default)s)")
    parser.add_argument(
        "--our-colors", default=",".join(map(str, COLORS)), metavar="K,K", help="tried of kmc, rising (%(default)s)"
    )
    parser.add_argument("--compactness", default="0.1,0.3,0.6,1", metavar="C,C", help="tried of kmc (%(default)s)")
    parser.add_argument("--dither", type=float, default=0.5, help="of kmc (%(default)s); 0 for screens and drawings")
    parser.add_argument("--only", choices=("dithered", "undithered"), help="leave out the other comparison")
    parser.add_argument("--effort", default="best", help="of kmc (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="%(default)s")
    parser.add_argument("--looks-metrics", metavar="PROGRAM", help="needed unless --only undithered")
    parser.add_argument("--cache", type=Path, metavar="FOLDER")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="JSON")
    options = parser.parse_args(arguments)
    options.colors = [int(word) for word in options.colors.split(",")]
    options.our_colors = [int(word) for word in options.our_colors.split(",")]
    options.compactness = [float(word) for word in options.compactness.split(",")]
    if options.only != "undithered" and not options.looks_metrics:
        parser.error("SSIMULACRA2 needs --looks-metrics PROGRAM; without it, give --only undithered")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    paths = [path for folder in options.pictures for path in photographs.in_folder(folder)[:: options.every]]
    records: list[Record] = []
    for path in tqdm(paths, unit="picture"):
        pixels = read(path)
        head = {"set": path.parent.name, "picture": path.name}
        found = [] if options.only == "dithered" else undithered_records(pixels, options)
        if options.only != "undithered":
            found += dithered_records(path, pixels, options)
        records += [{**head, **record} for record in found]
        options.output.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")  # hours may follow
    print(table(records))


if __name__ == "__main__":
    main()
