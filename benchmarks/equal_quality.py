"""How many bytes JPEG, WebP and AVIF need to look as good as a palette PNG of kmc.

    python benchmarks/equal_quality.py --pictures FOLDER -o benchmarks/equal_quality.json

Every picture is compressed by kmc with preset="looks" to each number of colours, and by each codec at several
qualities. Looks are SSIMULACRA2 as kmc.evaluate has it. A codec's bytes at the score of kmc's picture are read off the
line through its qualities, the bytes on a log axis; beyond its ends the outer piece goes on. Codecs are Pillow's, with
the options below and its defaults for the rest.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import machine
import numpy as np
import photographs
from numpy.typing import NDArray
from PIL import Image, features
from tqdm import tqdm

import kmc
from kmc.evaluate import ssimulacra2

__all__ = ["CODECS", "bytes_at", "measure", "table"]

Pixels = NDArray[np.uint8]
Line = list[tuple[float, int]]  # score and bytes


class Codec(NamedTuple):
    """A lossy codec of Pillow's."""

    qualities: Sequence[int]
    options: dict[str, Any]


CODECS = {
    "JPEG": Codec((8, 20, 40, 65, 85, 95), {"optimize": True, "progressive": True}),
    "WebP": Codec((5, 20, 45, 70, 85, 95), {"method": 6}),
    "AVIF": Codec((20, 35, 50, 65, 80, 90), {}),
}
COLORS = (16, 64, 256)


def codecs() -> dict[str, Codec]:
    """Give the codecs that this Pillow has."""
    return {name: codec for name, codec in CODECS.items() if name == "JPEG" or features.check(name.lower())}


def encoded(pixels: Pixels, name: str, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, quality=quality, **CODECS[name].options)
    return file.getvalue()


def line_of(pixels: Pixels, name: str) -> Line:
    """Measure a codec on a picture: its scores and bytes, ascending."""
    contents = [encoded(pixels, name, quality) for quality in CODECS[name].qualities]
    return sorted((ssimulacra2(pixels, content), len(content)) for content in contents)


def bytes_at(line: Line, score: float) -> float:
    """Read the bytes at a score off the line."""
    scores = [point[0] for point in line]
    place = min(max(int(np.searchsorted(scores, score)), 1), len(line) - 1)
    (low, fewer), (high, more) = line[place - 1], line[place]
    share = (score - low) / max(high - low, 1e-9)
    return math.exp(math.log(fewer) + share * (math.log(more) - math.log(fewer)))


def measure(paths: Sequence[Path], output: Path, threads: int) -> dict[str, Any]:
    """Measure every picture; the JSON is written after each."""
    names = codecs()
    document: dict[str, Any] = {"machine": machine.describe(threads), "records": []}
    for path in tqdm(paths, unit="picture"):
        pixels = photographs.rgb(path)
        lines = {name: line_of(pixels, name) for name in names}
        for k in COLORS:
            compressed = kmc.compress(pixels, k, preset="looks", threads=threads)
            content = compressed.to_bytes()
            score = ssimulacra2(pixels, content)
            record = {"picture": path.name, "k": k, "score": score, "kmc": len(content)}
            record.update({name: round(bytes_at(line, score)) for name, line in lines.items()})
            document["records"].append(record)
        output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def table(records: Sequence[dict[str, Any]]) -> str:
    """Write geometric means of the bytes as Markdown, and each codec's share of kmc's."""
    names = [name for name in CODECS if name in records[0]]
    head = ["kmc, preset looks", "SSIMULACRA2, mean", "kmc PNG: bytes", *(f"{name}: bytes" for name in names)]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for k in sorted({record["k"] for record in records}):
        own = [record for record in records if record["k"] == k]
        png = statistics.geometric_mean(record["kmc"] for record in own)
        cells = [f"k={k}", f"{statistics.fmean(record['score'] for record in own):.1f}", f"{png:,.0f}"]
        for name in names:
            size = statistics.geometric_mean(record[name] for record in own)
            smaller = sum(record[name] < record["kmc"] for record in own)
            cells.append(f"{size:,.0f} ({size / png:.2f}; smaller on {smaller} of {len(own)})")
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N pictures")
    parser.add_argument("--threads", type=int, default=machine.usable_cores())
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="JSON")
    options = parser.parse_args(arguments)
    paths = photographs.in_folder(options.pictures)[: options.first]
    if not paths:
        parser.error(f"{options.pictures} has no pictures; give a folder that has some")
    print(table(measure(paths, options.output, options.threads)["records"]))


if __name__ == "__main__":
    main()
