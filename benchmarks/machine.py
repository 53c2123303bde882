"""What is recorded of the machine that measured."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import kmc

__all__ = ["bytes_per_second", "describe", "usable_cores"]

PACKAGES = (
    "numpy",
    "pillow",
    "scikit-learn",
    "scikit-learn-intelex",
    "opencv-python-headless",
    "opencv-python",
    "faiss-cpu",
    "imagequant",
    "pyoxipng",
    "ssimulacra2",
)

CPU_INFO = Path("/proc/cpuinfo")


def describe(threads: int) -> dict[str, Any]:
    """Say what measures: day, processor, threads, instruction set, versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": processor(),
        "cores": usable_cores(),
        "system": platform.system(),
        "threads": threads,
        "instruction_set": kmc.instruction_set(),
        "versions": versions(),
    }


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bytes_per_second(threads: int) -> float:
    """Measure how fast the memory is read: the best of seven sums over 64 MiB for each thread, all at once."""
    blocks = [np.ones(1 << 23) for _ in range(threads)]
    best = math.inf
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(7):
            start = time.perf_counter()
            list(pool.map(np.sum, blocks))  # numpy lets other threads run meanwhile
            best = min(best, time.perf_counter() - start)
    return sum(block.nbytes for block in blocks) / best


def processor() -> str:
    """Name the processor as its maker does, where the system tells."""
    found = re.search(r"model name\s*:\s*(.+)", CPU_INFO.read_text()) if CPU_INFO.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "kmc": kmc.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if shutil.which("pngquant"):
        output = subprocess.run(["pngquant", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found["pngquant"] = output.split()[0]
    return found
