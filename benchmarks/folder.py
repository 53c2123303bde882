"""A folder of pictures through ``kmc compress`` and through pngquant, in turn: pictures a second and peak memory.

python benchmarks/folder.py FOLDER [--files 1000] [--colors 64] [--threads 2] [--rounds 4]

The PNG files of FOLDER are repeated, as links of other names, until there are as many as asked for. Both programs get
the same files in the same order, in `rounds` parts that take turns; pngquant runs as ``xargs -n 8 -P THREADS`` with
one thread in each process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

SUFFIX = "-pngquant.png"


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = _linked(arguments.folder, folder, arguments.files, arguments.rounds)
        seconds: dict[str, float] = {"kmc": 0.0, "pngquant": 0.0}
        peak = 0.0
        n_bytes = dict.fromkeys(seconds, 0)
        for part in parts:
            for rival in seconds if shutil.which("pngquant") else ["kmc"]:
                out = Path(name, "out")
                out.mkdir()
                start = time.perf_counter()
                peak = max(peak, _run(rival, part, out, arguments))
                seconds[rival] += time.perf_counter() - start
                n_bytes[rival] += sum(path.stat().st_size for path in out.iterdir())
                shutil.rmtree(out)
    record = {
        "files": arguments.files,
        "colors": arguments.colors,
        "threads": arguments.threads,
        "pictures_per_second": {rival: arguments.files / time for rival, time in seconds.items() if time},
        "bytes": n_bytes,
        "peak_mebibytes": peak,
        "machine": describe(arguments.threads),
    }
    print(json.dumps(record, indent=1))
    if seconds["pngquant"]:
        print(f"throughput / pngquant's: {seconds['pngquant'] / seconds['kmc']:.2f}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--colors", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    return parser.parse_args()


def _linked(source: Path, folder: Path, n_files: int, n_parts: int) -> list[list[Path]]:
    """Make links to the PNG files of `source`, as many as asked for, in folders for each part."""
    originals = itertools.cycle(sorted(source.resolve().glob("*.png")))
    links = []
    for number, original in zip(range(n_files), originals, strict=False):
        link = folder / f"part{number % n_parts}" / f"{number:04}-{original.name}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(original)
        links.append(link)
    return [links[part::n_parts] for part in range(n_parts)]


def _run(rival: str, files: list[Path], out: Path, arguments: argparse.Namespace) -> float:
    """Compress the files; give the peak of kmc's resident memory in MiB."""
    colors, threads = str(arguments.colors), str(arguments.threads)
    if rival == "kmc":
        command = [sys.executable, "-m", "kmc", "compress", str(files[0].parent), "-o", str(out), "-k", colors]
        process = subprocess.Popen([*command, "--threads", threads, "--no-skip-if-larger", "--quiet"])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit("kmc compress failed")
        return usage.ru_maxrss / 1024
    # Copies of the links, for pngquant writes beside its input; one thread in each process, as xargs runs several.
    inputs = [out / path.name for path in files]
    for link, path in zip(inputs, files, strict=True):
        link.symlink_to(path.resolve())
    words = ["xargs", "-0", "-n", "8", "-P", threads, "pngquant", "--ext", SUFFIX, colors]
    names = "\0".join(map(str, inputs)).encode()
    subprocess.run(words, input=names, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for link in inputs:
        link.unlink()
    return 0.0


if __name__ == "__main__":
    main()
