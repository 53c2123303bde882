"""Builds kmc's one extension: Cython around the C kernels of src_c.

The metadata is in pyproject.toml. Switches, by environment variable:

KMC_SANITIZE=1    address and undefined-behaviour sanitizers; run with LD_PRELOAD=$(gcc -print-file-name=libasan.so)
                  ASAN_OPTIONS=detect_leaks=0
KMC_COVERAGE=1    line tracing in the Cython code, for coverage reports (slow)
KMC_NO_OPENMP=1   a single-threaded build
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SANITIZE = os.environ.get("KMC_SANITIZE") == "1"
COVERAGE = os.environ.get("KMC_COVERAGE") == "1"
NO_OPENMP = os.environ.get("KMC_NO_OPENMP") == "1"

# One wheel for CPython 3.11 and newer. Line tracing and free-threaded builds need the full C API.
FREE_THREADED = "t" in getattr(sys, "abiflags", "")
STABLE_ABI = not COVERAGE and not FREE_THREADED and sys.implementation.name == "cpython"

GNU_FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise"]
SANITIZE_FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g1", "-O1"]
# Compile and link flags that turn OpenMP on: GCC and Clang; Apple's Clang with libomp installed.
OPENMP_FLAGS = (["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])


class BuildExt(build_ext):  # type: ignore[misc]
    """Adds the flags that the compiler at hand understands."""

    def build_extensions(self) -> None:
        """Set the flags, then build."""
        msvc = self.compiler.compiler_type == "msvc"
        compile_flags = MSVC_FLAGS if msvc else GNU_FLAGS
        link_flags: list[str] = []
        if SANITIZE:
            compile_flags, link_flags = compile_flags + SANITIZE_FLAGS, link_flags + SANITIZE_FLAGS
        if not NO_OPENMP:
            openmp = (["/openmp"], []) if msvc else self.openmp_flags()
            compile_flags, link_flags = compile_flags + openmp[0], link_flags + openmp[1]
        for extension in self.extensions:
            extension.extra_compile_args = compile_flags
            extension.extra_link_args = link_flags
        if not msvc:
            self.compile_side_by_side()
        super().build_extensions()

    def compile_side_by_side(self) -> None:
        """Let the compiler take several files at a time; one after another they take it half a minute."""
        compile_files = self.compiler.compile

        def compile_each(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: compile_files([source], **options), sources)
            return [path for paths in objects for path in paths]

        self.compiler.compile = compile_each

    def openmp_flags(self) -> tuple[list[str], list[str]]:
        """Give the first flags with which an OpenMP program compiles and links, or none."""
        for compile_flags, link_flags in OPENMP_FLAGS:
            if self.links(
                "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n",
                compile_flags,
                link_flags,
            ):
                return compile_flags, link_flags
        print("kmc: this compiler has no OpenMP; kmc will run on one thread", file=sys.stderr)
        return [], []

    def links(self, source: str, compile_flags: list[str], link_flags: list[str]) -> bool:
        """Tell whether a C program compiles and links with these flags."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program.c"
            program.write_text(source)
            compiler = [*self.compiler.compiler, *compile_flags, *link_flags]
            command = [*compiler, str(program), "-o", str(program.with_suffix(""))]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0


macros: list[tuple[str, str | None]] = []
if STABLE_ABI:
    macros.append(("Py_LIMITED_API", "0x030B0000"))
if COVERAGE:
    macros += [
        ("CYTHON_TRACE", "1"),
        ("CYTHON_TRACE_NOGIL", "1"),
        ("CYTHON_USE_SYS_MONITORING", "0"),
    ]

extension = Extension(
    "kmc._kernels",
    sources=["kmc/_kernels.pyx", *sorted(str(path) for path in Path("src_c").rglob("*.c"))],
    depends=sorted(str(path) for path in Path("src_c").rglob("*.h")),
    include_dirs=["src_c"],
    define_macros=macros,
    py_limited_api=STABLE_ABI,
)

setup(
    ext_modules=cythonize([extension], compiler_directives={"linetrace": COVERAGE}),  # type: ignore[no-untyped-call]
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
