r"""What arguments of kmc.compress do to looks and error: means over a folder of pictures.

    python benchmarks/arguments.py --pictures FOLDER --looks-metrics PROGRAM --colors 16,64,256 \
        "space=srgb" "space=oklab" "space=srgb dither=0.8" "space=oklab dither=0.8"

Each last argument is one way to call kmc.compress. PROGRAM is that of quality.py: SSIMULACRA2 and butteraugli.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from quality import read, run_looks_program
from tqdm import tqdm

import kmc


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--looks-metrics", metavar="PROGRAM", required=True)
    parser.add_argument("--colors", default="16,64,256")
    parser.add_argument("ways", nargs="+", metavar="'NAME=VALUE ...'")
    options = parser.parse_args(argv)
    ks = [int(k) for k in options.colors.split(",")]
    paths = sorted(path for path in options.pictures.iterdir() if path.suffix in (".png", ".jpg"))
    figures = [[_measure(path, ks, way, options.looks_metrics) for way in options.ways] for path in tqdm(paths)]
    print("| mean SSIMULACRA2 / butteraugli / MSE |", " | ".join(f"k={k}" for k in ks), "|")
    print("| --- |", " | ".join("---: " for _ in ks), "|")
    for way, of_way in zip(options.ways, np.mean(figures, axis=0), strict=True):
        print(f"| {way} |", " | ".join("{:.1f} / {:.2f} / {:.4g}".format(*row) for row in of_way), "|")


def _measure(path: Path, ks: list[int], way: str, program: str) -> list[tuple[float, float, float]]:
    pixels, found = read(path), []
    options: dict[str, Any] = {name: _value(word) for name, word in (pair.split("=") for pair in way.split())}
    for k in ks:
        compressed = kmc.compress(pixels, k, **options)
        found.append((*run_looks_program(program, pixels, compressed.image), compressed.mse))
    return found


def _value(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


if __name__ == "__main__":
    main()
