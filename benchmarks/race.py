"""kmc and its rivals on the same pictures, in turn: time, error and, if asked, memory.

    python benchmarks/race.py --pictures FOLDER --megapixels 0.4,2.5,10,24 -o benchmarks/race.json

Every picture is made as large as each number of megapixels says; for each number of colours all
rivals run once, then all run again, so that what else the machine does meets them all. A time is
the median over these rounds. A call of less than half a second is run twice in its turn and the
second counts: it has warmed its own caches and memory, and waiting threads of the rival before it
have gone to sleep. Slow rivals run as often as fits, at least once, and not at all where they would
take longer than --limit, judged by what they took before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import machine
import numpy as np
import peak_memory
import photographs
from numpy.typing import NDArray
from PIL import Image
from rivals import RIVALS, Quantized, Rival, equal_threads
from tqdm import tqdm

from kmc.evaluate import mse

__all__ = ["race"]

WARM_SECONDS = 0.5  # a call that is shorter runs once uncounted in each turn
SUM_SECONDS = 10.0  # no further round for a rival whose rounds would take longer than this

Record: TypeAlias = dict[str, Any]


def race(
    pixels: NDArray[np.uint8], k: int, entrants: Sequence[Rival], threads: int, rounds: int
) -> Iterator[tuple[Rival, Record]]:
    """Measure each rival on one picture.

    Yields
    ------
    rival : Rival
    record : dict
        Of ``seconds`` (the median), ``rounds`` (how many there were) and ``mse``.
    """
    seconds: dict[str, list[float]] = {rival.name: [] for rival in entrants}
    errors: dict[str, float] = {}
    for turn in range(rounds):
        for rival in entrants:
            before = seconds[rival.name]
            if turn and sum(before) + before[0] > SUM_SECONDS:
                continue
            quantized, passed = take_turn(rival, pixels, k, threads)
            before.append(passed)
            if not turn:
                errors[rival.name] = mse(pixels, quantized.palette[quantized.indices])
            del quantized
    for rival in entrants:
        times = seconds[rival.name]
        yield rival, {"seconds": statistics.median(times), "rounds": len(times), "mse": errors[rival.name]}


def take_turn(rival: Rival, pixels: NDArray[np.uint8], k: int, threads: int) -> tuple[Quantized, float]:
    quantized, passed = rival.timed(pixels, k, threads)
    if passed >= WARM_SECONDS:
        return quantized, passed
    del quantized
    return rival.timed(pixels, k, threads)


def expected_seconds(records: Sequence[Record], rival: Rival, n_pixels: int, k: int) -> float:
    """Scale what the rival took last; nothing is known before its first run."""
    for record in reversed(records):
        if record["rival"] == rival.name:
            work = record["width"] * record["height"] * record["k"]
            return float(record["seconds"] * n_pixels * k / work)
    return 0.0


def peak_mib(rival: Rival, pixels: NDArray[np.uint8], k: int, threads: int) -> float | None:
    """Measure the memory in a process of its own; a program's is not seen."""
    if rival.is_program:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.ppm"
        Image.fromarray(pixels).save(path)
        return peak_memory.peak_mib("rival", rival.name, path, k, threads)


def run(options: argparse.Namespace) -> Record:
    """Race on every picture, size and number of colours, and write what was measured."""
    document: Record = {
        "machine": machine.describe(options.threads),
        "records": [],
        "absent": {name: reason for name in options.rivals if (reason := RIVALS[name].missing())},
        "left_out": [],
    }
    present = [RIVALS[name] for name in options.rivals if name not in document["absent"]]
    for rival in present:
        rival.quantize(photographs.noise(), 2, options.threads)  # loads the library
    cells = [(path, size, k) for path in options.paths for size in options.megapixels for k in options.colors]
    with equal_threads(options.threads):
        for path, size, k in tqdm(cells, unit="race"):
            original = photographs.rgb(path)
            pixels = photographs.of_megapixels(original, size) if size else original
            add_cell(document, pixels, {"picture": path.name, "megapixels": size, "k": k}, present, options)
            # After each cell, so that a long race that is broken off has measured something.
            options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def add_cell(
    document: Record, pixels: NDArray[np.uint8], cell: Record, present: Sequence[Rival], options: argparse.Namespace
) -> None:
    """Race on one picture of one size for one number of colours."""
    height, width = pixels.shape[:2]
    cell = {**cell, "width": width, "height": height, "megapixels": cell["megapixels"] or round(pixels.size / 3e6, 2)}
    entrants = []
    for rival in present:
        expected = expected_seconds(document["records"], rival, height * width, cell["k"])
        if expected <= options.limit:
            entrants.append(rival)
        else:
            document["left_out"].append({"rival": rival.name, **cell, "expected_seconds": expected})
    for rival, measured in race(pixels, cell["k"], entrants, options.threads, options.rounds):
        record = {"rival": rival.name, "settings": rival.settings, **cell, **measured}
        if options.memory and cell["k"] == options.colors[-1]:
            record["peak_mib"] = peak_mib(rival, pixels, cell["k"], options.threads)
        document["records"].append(record)


def numbers(kind: type) -> Any:
    """Read numbers with commas between them, in rising order."""

    def read(text: str) -> list[Any]:
        return sorted(kind(word) for word in text.split(","))

    return read


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="default: two photographs of scikit-learn's")
    parser.add_argument(
        "--megapixels", type=numbers(float), default=[None], metavar="M,M", help="default: as large as they are"
    )
    parser.add_argument("--colors", type=numbers(int), default=[16, 64, 256], metavar="K,K", help="16,64,256")
    parser.add_argument("--threads", type=int, default=machine.usable_cores(), help="for everyone (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each runs (%(default)s)")
    parser.add_argument(
        "--rivals", default="", metavar="WORD,WORD", help="only those whose name contains one of these words"
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that one call may take (%(default)s)")
    parser.add_argument("--memory", action="store_true", help="measure memory too, for the largest number of colours")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="JSON")
    options = parser.parse_args(arguments)
    words = options.rivals.split(",")
    options.rivals = [name for name in RIVALS if any(word in name for word in words)]
    if not options.rivals:
        parser.error(f"no rival's name contains {' or '.join(words)}; there are: {'; '.join(RIVALS)}")
    options.paths = photographs.in_folder(options.pictures) if options.pictures else photographs.bundled()
    if not options.paths:
        parser.error(f"{options.pictures} has no pictures; give a folder that has some")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    # A library may warn, for example of fewer distinct colours than k; that must not end or clutter the run.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        document = run(options)
    for name, reason in document["absent"].items():
        print(f"{name}: left out, {reason}", file=sys.stderr)
    print(f"{len(document['records'])} records in {options.output} after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
