"""kmc.kmeans beside scikit-learn's KMeans on points of any dimension: python benchmarks/points.py --json points.json.

Every contender gets the same float32 points, start, stop rule (`tol`) and number of threads, and they run in turn, so
that what else the machine does falls on all. A time is the median of the repeats of a whole fit, seeding included where
the start is "k-means++". scikit-learn rounds differently and so may take other rounds: inertia and rounds are printed.
On a machine with other work, `--threads 1` and the ratio of processor times tell more than the ratio of times.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import rivals
from numpy.typing import NDArray

import kmc

__all__ = ["CONTENDERS", "clusters", "compare", "uniform"]

Points: TypeAlias = NDArray[np.float32]
Fit: TypeAlias = tuple[float, int]  # inertia, rounds
Start: TypeAlias = str | Points


def clusters(n: int, d: int, k: int) -> Points:
    """Draw from k Gaussians of deviation 0.15 with centres in the unit cube; one point in 20 from the whole cube."""
    rng = np.random.default_rng([n, d, k])
    points = rng.random((k, d))[rng.integers(0, k, n)] + rng.normal(size=(n, d)) * 0.15
    noise = rng.random(n) < 0.05
    points[noise] = rng.random((int(noise.sum()), d))
    return points.astype(np.float32)


def uniform(n: int, d: int, k: int) -> Points:
    """Draw from the unit cube."""
    return np.random.default_rng([n, d]).random((n, d), dtype=np.float32)


def fit_kmc(algorithm: str) -> Callable[[Points, int, Start, float, int, int], Fit]:
    """Cluster by kmc.kmeans."""

    def fit(points: Points, k: int, start: Start, tol: float, rounds: int, threads: int) -> Fit:
        result = kmc.kmeans(points, k, init=start, tol=tol, algorithm=algorithm, num_iterations=rounds, threads=threads)
        return result.inertia, result.n_iter

    return fit


def fit_scikit_learn(algorithm: str) -> Callable[[Points, int, Start, float, int, int], Fit]:
    """Cluster by sklearn.cluster.KMeans; :func:`rivals.equal_threads` sets the threads."""

    def fit(points: Points, k: int, start: Start, tol: float, rounds: int, threads: int) -> Fit:
        from sklearn.cluster import KMeans

        kmeans = KMeans(k, init=start, n_init=1, max_iter=rounds, tol=tol, algorithm=algorithm, random_state=0).fit(
            points
        )
        return float(kmeans.inertia_), int(kmeans.n_iter_)

    return fit


CONTENDERS = {
    "kmc auto": fit_kmc("auto"),
    "kmc lloyd": fit_kmc("lloyd"),
    "kmc elkan": fit_kmc("elkan"),
    "scikit-learn lloyd": fit_scikit_learn("lloyd"),
    "scikit-learn elkan": fit_scikit_learn("elkan"),
}


def compare(
    points: Points, k: int, start: Start, tol: float, rounds: int, threads: int, repeats: int
) -> dict[str, dict[str, Any]]:
    """Give seconds, inertia and rounds of each contender."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    processor_times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    found: dict[str, Fit] = {}
    with rivals.equal_threads(threads):
        for _ in range(repeats):
            for name, fit in CONTENDERS.items():
                begin, begin_processor = time.perf_counter(), time.process_time()
                found[name] = fit(points, k, start, tol, rounds, threads)
                times[name].append(time.perf_counter() - begin)
                processor_times[name].append(time.process_time() - begin_processor)
    return {
        name: {
            "seconds": statistics.median(times[name]),
            "processor_seconds": statistics.median(processor_times[name]),
            "inertia": found[name][0],
            "rounds": found[name][1],
        }
        for name in CONTENDERS
    }


def row(measured: dict[str, dict[str, Any]]) -> str:
    """Write one line: milliseconds (rounds) of each, and what auto takes and leaves of scikit-learn's least."""
    auto = measured["kmc auto"]
    theirs = [found for name, found in measured.items() if "scikit" in name]
    cells = [f"{1000 * found['seconds']:.0f} ({found['rounds']})" for found in measured.values()]
    for what, digits in (("seconds", 2), ("processor_seconds", 2), ("inertia", 5)):
        cells.append(f"{auto[what] / min(found[what] for found in theirs):.{digits}f}")
    return " | ".join(cells)


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
    parser.add_argument("--rounds", type=int, default=300, help="the most rounds, for a quick look")
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
    print(f"| data | start | d | k | {' | '.join(CONTENDERS)} | time ratio | processor time ratio | inertia ratio |")
    print("|" + " --- |" * (7 + len(CONTENDERS)))
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
            points, k, chosen if start == "given" else start, given.tol, given.rounds, given.threads, given.repeats
        )
        print(f"| {data} | {start} | {d} | {k} | {row(measured)} |", flush=True)
        results.append({"data": data, "start": start, "n": given.points, "d": d, "k": k, "measured": measured})
    if given.json:
        settings = {"tol": given.tol, "rounds": given.rounds, "threads": given.threads, "repeats": given.repeats}
        machine = {"processor": platform.processor() or platform.machine(), "instruction_set": kmc.instruction_set()}
        versions = {"kmc": kmc.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__}
        report = {"settings": settings, "machine": machine, "versions": versions, "results": results}
        Path(given.json).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
