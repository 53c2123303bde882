"""How much memory one call needs at its peak, beyond what was there before it.

Each call runs in a fresh process, which loads the picture, runs the same call on a tiny one (so
that libraries and threads are there) and only then looks. It reads the kernel's own record of the
largest resident set (VmHWM in /proc/self/status, reset just before), which sees every allocation,
Python's or not, and is free of what a child inherits in ru_maxrss. Blocks from 64 KiB on are given
back to the system when freed, so that none left from before hides a new one. On Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from photographs import noise, rgb
from rivals import RIVALS, equal_threads

__all__ = ["peak_mib"]

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def peak_mib(kind: str, name: str, path: Path, k: int, threads: int) -> float | None:
    """Measure one call on one picture.

    Parameters
    ----------
    kind : {"rival", "stage"}
    name : str
        Key of ``RIVALS`` or ``STAGES``.
    path : Path
        The picture.
    k, threads : int

    Returns
    -------
    float or None
        MiB; None where the system does not tell.
    """
    if not CLEAR_REFS.exists():
        return None
    command = [sys.executable, __file__, kind, name, str(path), str(k), str(threads)]
    environment = {
        **os.environ,
        "MALLOC_MMAP_THRESHOLD_": str(64 * 1024),
        "PYTHONPATH": os.pathsep.join(sys.path),  # the kmc that is measured here, installed or not
    }
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(result.stdout)


def grown_mib(call: Callable[[], object]) -> float:
    """Run `call` and give the largest growth of the resident set meanwhile."""
    CLEAR_REFS.write_text("5")
    before = status_kib("VmRSS")
    call()
    return max(0, status_kib("VmHWM") - before) / 1024


def status_kib(field: str) -> int:
    """Read one line, such as ``VmHWM:  123456 kB``, of this process's status."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


def main(kind: str, name: str, path: str, k: str, threads: str) -> None:
    if kind == "stage":
        from stages import STAGES

        prepared = STAGES[name](Path(path), int(k), int(threads))
        arguments = prepared.arguments()
        print(grown_mib(lambda: prepared.run(*arguments)))
        return
    quantize = RIVALS[name].quantize
    quantize(noise(), 2, int(threads))
    pixels = rgb(Path(path))
    with equal_threads(int(threads)):
        print(grown_mib(lambda: quantize(pixels, int(k), int(threads))))


if __name__ == "__main__":
    main(*sys.argv[1:])
