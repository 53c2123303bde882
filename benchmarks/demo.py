"""Compress one photograph with kmc and with scikit-learn's KMeans, and print both side by side.

python benchmarks/demo.py [PICTURE] [-k 16] [--before-after PNG]
"""

from __future__ import annotations

import argparse
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import photographs
from numpy.typing import NDArray
from PIL import Image
from rivals import RIVALS, Quantized, Rival, equal_threads

import kmc
from kmc.encode import png_bytes, write_atomically
from kmc.evaluate import mse, psnr

OURS = RIVALS["kmc.compress"]
THEIRS = RIVALS["scikit-learn KMeans, all pixels"]

RUNS = 3
BEFORE_AFTER_SIDE = 400  # pixels: two of these as PNG stay below 300 KiB
GAP = 8


@dataclass(frozen=True)
class Result:
    """What one way of compressing gave."""

    seconds: float
    mse: float
    psnr: float
    png: bytes


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, nargs="?", default=photographs.china())
    parser.add_argument("-k", type=int, default=16, help="colours, 1 to 256 (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (%(default)s)")
    parser.add_argument("--before-after", type=Path, metavar="PNG", help="write a small picture of both here too")
    options = parser.parse_args(arguments)

    pixels = photographs.rgb(options.picture)
    threads = kmc.max_threads()
    kmc_result, sklearn_result = compare(pixels, options.k, threads)
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"{options.picture.stem}-{options.k}.png"
    write_atomically(target, kmc_result.png)
    print(summary(options.picture.name, pixels, options.k, threads, kmc_result, sklearn_result))
    print(f"kmc's picture is in {target}")
    if options.before_after:
        write_before_after(options.before_after, pixels, options.k)
        print(f"Before and after are in {options.before_after}")


def compare(pixels: NDArray[np.uint8], k: int, threads: int) -> tuple[Result, Result]:
    """Run both in turn, after each has run once on a tiny picture."""
    for rival in (OURS, THEIRS):
        rival.quantize(photographs.noise(), 2, threads)
    seconds: dict[str, list[float]] = {OURS.name: [], THEIRS.name: []}
    quantized: dict[str, Quantized] = {}
    with equal_threads(threads):
        for _ in range(RUNS):
            for rival in (OURS, THEIRS):
                quantized[rival.name], passed = rival.timed(pixels, k, threads)
                seconds[rival.name].append(passed)

    def result(rival: Rival) -> Result:
        palette, indices, _ = quantized[rival.name]
        compressed = palette[indices]
        return Result(
            statistics.median(seconds[rival.name]),
            mse(pixels, compressed),
            psnr(pixels, compressed),
            png_bytes(indices, palette),
        )

    return result(OURS), result(THEIRS)


def summary(name: str, pixels: NDArray[np.uint8], k: int, threads: int, ours: Result, theirs: Result) -> str:
    height, width = pixels.shape[:2]
    n_colors = len(kmc.ColorHistogram.from_pixels(pixels))
    n_bytes = len(full_color_png(pixels))

    def row(label: str, result: Result) -> str:
        return (
            f"{label:20} {result.seconds:9.4f} {result.mse:9.2f} {result.psnr:9.2f} "
            f"{len(result.png):11,d} {n_bytes / len(result.png):10.2f}"
        )

    plural = "" if threads == 1 else "s"
    return "\n".join(
        [
            f"{name}: {width} x {height} pixels, {n_colors:,d} colours, as PNG {n_bytes:,d} bytes",
            f"to k = {k} colours on {threads} thread{plural}:",
            "",
            f"{'':20} {'seconds':>9} {'MSE':>9} {'PSNR dB':>9} {'PNG bytes':>11} {'ratio':>10}",
            row("kmc", ours),
            row("scikit-learn KMeans", theirs),
            "",
            f"kmc was {theirs.seconds / ours.seconds:.3g} times as fast as scikit-learn, "
            f"with {ours.mse / theirs.mse:.4f} times its error.",
            f"Medians of {RUNS} runs in turn, array in, palette and indices out, after one run of "
            "each on a tiny picture;",
            "scikit-learn with init k-means++ and n_init=1; both results written by the same PNG writer.",
        ]
    )


def full_color_png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_before_after(path: Path, pixels: NDArray[np.uint8], k: int) -> None:
    """Write the picture, made small, beside the same with k colours."""
    image = Image.fromarray(pixels)
    image.thumbnail((BEFORE_AFTER_SIDE, BEFORE_AFTER_SIDE), Image.Resampling.LANCZOS)
    before = np.asarray(image)
    after = kmc.compress(before, k).image
    gap = np.full((before.shape[0], GAP, 3), 255, dtype=np.uint8)
    both = Image.fromarray(np.hstack([before, gap, after]))
    path.parent.mkdir(parents=True, exist_ok=True)
    both.save(path, "PNG", optimize=True)


if __name__ == "__main__":
    main()
