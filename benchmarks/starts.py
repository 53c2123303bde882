"""What each way to start gives after k-means has converged, by which MSE, relative to k-means++.

    python benchmarks/starts.py --pictures FOLDER [--colors 16,64,256] [--seeds 3]

Each picture is compressed from each start of kmc.seeding until k-means converges; its MSE is divided by the mean of
those from k-means++ with so many seeds. Printed: the geometric mean over the pictures, and the worst of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

import kmc
from kmc.seeding import METHODS

STARTS = (*(method for method in METHODS if method != "k-means++"), "auto")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--colors", default="16,64,256")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(argv)
    paths = sorted(path for path in options.pictures.iterdir() if path.suffix in (".png", ".jpg"))
    ks = [int(k) for k in options.colors.split(",")]
    ratios = np.array([[_ratios(path, k, options.seeds) for k in ks] for path in tqdm(paths, file=sys.stderr)])
    print("| MSE / that of k-means++ |", " | ".join(f"k={k}: mean | worst" for k in ks), "|")
    print("| --- |", " | ".join("---: | ---:" for _ in ks), "|")
    for start, of_start in zip(STARTS, np.moveaxis(ratios, 2, 0), strict=True):
        means, worst = np.exp(np.log(of_start).mean(axis=0)), of_start.max(axis=0)
        cells = (f"{mean:.3f} | {most:.3f}" for mean, most in zip(means, worst, strict=True))
        print(f'| "{start}" |', " | ".join(cells), "|")


def _ratios(path: Path, k: int, seeds: int) -> list[float]:
    usual = np.mean([kmc.compress(path, k, init="k-means++", seed=seed).mse for seed in range(seeds)])
    return [float(kmc.compress(path, k, init=start).mse / usual) for start in STARTS]


if __name__ == "__main__":
    main()
