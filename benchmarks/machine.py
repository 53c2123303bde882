"""What is recorded of the machine that measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kmc

__all__ = ["describe", "usable_cores"]

PACKAGES = (
    "numpy",
    "pillow",
    "scikit-learn",
    "scikit-learn-intelex",
    "opencv-python-headless",
    "opencv-python",
    "faiss-cpu",
    "imagequant",
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
