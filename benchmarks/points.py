"""kmc.kmeans beside scikit-learn's KMeans on points of any dimension: python benchmarks/points.py --json points.json.

Every contender gets the same float32 points, start, stop rule (`tol`) and number of threads, and they run in turn, so
that what else the machine does falls on all. A time is the median of the repeats of a whole fit, seeding included where
the start is "k-means++". scikit-learn rounds differently and so may take other rounds: inertia and rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import rivals
from numpy.typing import NDArray

import kmc

__all__ = ["CONTENDERS", "clusters", "compare", "uniform"]

Points: TypeAlias = NDArray[np.float32]
Fit: TypeAlias = tuple[float, int]  # inertia, rounds
Start: TypeAlias = str | Points

MOST_ROUNDS = 300


def clusters(n: int, d: int, k: int) -> Points:
    """Draw from k Gaussians of deviation 0.15 around centres in the unit cube, one point in twenty from the whole cube."""
    rng = np.random.default_rng([n, d, k])
    points = rng.random((k, d))[rng.integers(0, k, n)] + rng.normal(size=(n, d)) * 0.15
    noise = rng.random(n) < 0.05
    points[noise] = rng.random((int(noise.sum()), d))
    return points.astype(np.float32)


def uniform(n: int, d: int, k: int) -> Points:
    """Draw from the unit cube."""
    return np.random.default_rng([n, d]).random((n, d), dtype=np.float32)


def fit_kmc(algorithm: str) -> Callable[[Points, int, Start, float, int], Fit]:
    """Cluster by kmc.kmeans."""

    def fit(points: Points, k: int, start: Start, tol: float, threads: int) -> Fit:
        result = kmc.kmeans(
            points, k, init=start, tol=tol, algorithm=algorithm, num_iterations=MOST_ROUNDS, threads=threads
        )
        return result.inertia, result.n_iter

    return fit


def fit_scikit_learn(algorithm: str) -> Callable[[Points, int, Start, float, int], Fit]:
    """Cluster by sklearn.cluster.KMeans; :func:`rivals.equal_threads` sets the threads."""

    def fit(points: Points, k: int, start: Start, tol: float, threads: int) -> Fit:
        from sklearn.cluster import KMeans

        kmeans = KMeans(
            k, init=start, n_init=1, max_iter=MOST_ROUNDS, tol=tol, algorithm=algorithm, random_state=0
        ).fit(points)
        return float(kmeans.inertia_), int(kmeans.n_iter_)

    return fit


CONTENDERS = {
    "kmc auto": fit_kmc("auto"),
    "kmc lloyd": fit_kmc("lloyd"),
    "kmc elkan": fit_kmc("elkan"),
    "scikit-learn lloyd": fit_scikit_learn("lloyd"),
    "scikit-learn elkan": fit_scikit_learn("elkan"),
}


def compare(points: Points, k: int, start: Start, tol: float, threads: int, repeats: int) -> dict[str, dict[str, Any]]:
    """Give seconds, inertia and rounds of each contender."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    found: dict[str, Fit] = {}
    with rivals.equal_threads(threads):
        for _ in range(repeats):
            for name, fit in CONTENDERS.items():
                begin = time.perf_counter()
                found[name] = fit(points, k, start, tol, threads)
                times[name].append(time.perf_counter() - begin)
    return {
        name: {"seconds": statistics.median(times[name]), "inertia": found[name][0], "rounds": found[name][1]}
        for name in CONTENDERS
    }


def row(measured: dict[str, dict[str, Any]]) -> str:
    """Write one line: milliseconds (rounds) of each, auto's time over scikit-learn's better one, and its inertia's."""
    best = min((measured[name] for name in measured if "scikit" in name), key=lambda found: found["seconds"])
    auto = measured["kmc auto"]
    cells = [f"{1000 * found['seconds']:.0f} ({found['rounds']})" for found in measured.values()]
    ratios = [f"{auto['seconds'] / best['seconds']:.2f}", f"{auto['inertia'] / best['inertia']:.5f}"]
    return " | ".join(cells + ratios)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 3, 8, 16, 64, 128])
    parser.add_argument("--clusters", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--data", nargs="+", default=["clusters", "uniform"], choices=["clusters", "uniform"])
    parser.add_argument("--start", nargs="+", default=["given"], choices=["given", "k-means++"])
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="write what was measured here")
    return parser.parse_args()


def main() -> None:
    """Measure every shape and print a table."""
    import sklearn

    given = arguments()
    for name in set(CONTENDERS) - {*given.contenders, "kmc auto"}:
        del CONTENDERS[name]
    print(f"| data | start | d | k | {' | '.join(CONTENDERS)} | time ratio | inertia ratio |")
    print("|" + " --- |" * (6 + len(CONTENDERS)))
    results = []
    for data, start, d, k in [
        (data, start, d, k)
        for data in given.data
        for start in given.start
        for d in given.dimensions
        for k in given.clusters
    ]:
        points = globals()[data](given.points, d, k)
        chosen = points[np.random.default_rng(k).choice(len(points), k, replace=False)]
        measured = compare(
            points, k, chosen if start == "given" else start, given.tol, given.threads, given.repeats
        )
        print(f"| {data} | {start} | {d} | {k} | {row(measured)} |", flush=True)
        results.append({"data": data, "start": start, "n": given.points, "d": d, "k": k, "measured": measured})
    if given.json:
        settings = {"tol": given.tol, "threads": given.threads, "repeats": given.repeats}
        machine = {"processor": platform.processor() or platform.machine(), "instruction_set": kmc.instruction_set()}
        versions = {"kmc": kmc.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__}
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"settings": settings, "machine": machine, "versions": versions, "results": results}, file)


if __name__ == "__main__":
    main()
