"""``kmc compress`` for several pictures: progress on a terminal, a line for what was not compressed, a summary."""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmc.cli._arguments import print_text
from kmc.cli._file_options import file_options
from kmc.errors import KmcError, KmcValueError, KmcWarning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmc.many import FileResult, FileResults

__all__ = ["compress_folder", "is_for_many"]


def is_for_many(arguments: argparse.Namespace) -> bool:
    """Whether the arguments ask for the treatment of several pictures."""
    name = arguments.inputs[0]
    if len(arguments.inputs) > 1 or arguments.in_place or arguments.ext is not None or arguments.recursive:
        return True
    if name == "-":
        return False
    output = arguments.output or ""
    return (
        (name != "" and Path(name).is_dir())
        or (glob.has_magic(name) and not os.path.lexists(name))
        or output.endswith(("/", os.sep))
        or (output != "" and Path(output).is_dir())
    )


def compress_folder(arguments: argparse.Namespace, options: dict[str, Any]) -> str | None:
    """Compress the files, folders and patterns that were named.

    Returns
    -------
    str or None
        The summary.

    Raises
    ------
    KmcError
        Some files failed.
    KeyboardInterrupt
        With how far it came.
    """
    from kmc.api import POOR_PSNR
    from kmc.many import compress_many

    if "-" in (*arguments.inputs, arguments.output):
        raise KmcValueError("- stands for one picture on stdin or stdout; give files and a folder for several")
    start = time.perf_counter()
    poor = _collected_warnings()  # before the first thread: each puts back what it found
    results = compress_many(
        arguments.inputs,
        arguments.k,
        output=arguments.output,
        ending=arguments.ext,
        in_place=arguments.in_place,
        recursive=arguments.recursive,
        skip_if_larger=arguments.skip_if_larger is not False,
        force=arguments.force,
        jobs=arguments.jobs,
        threads=arguments.threads,
        **file_options(arguments, "fast"),
        **options,
    )
    summary = _Summary()
    try:
        with results:
            for result in _with_progress(results, arguments.quiet):
                summary.add(result)
                _tell(result, arguments)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f" after {summary.text(time.perf_counter() - start)}; every file is whole") from None
    text = summary.text(time.perf_counter() - start)
    if arguments.json and not arguments.quiet:
        print(text, file=sys.stderr)
    elif not arguments.quiet:
        print_text(text)
    if poor:
        print(
            f"kmc: {len(poor)} of {summary.outcomes.total()} pictures have a PSNR below {POOR_PSNR:g} dB with so few "
            "colours, so areas and shades merge; a larger -k shows more, dithering keeps shades",
            file=sys.stderr,
        )
    if failed := summary.outcomes["failed"]:
        raise KmcError(f"{failed} of {summary.outcomes.total()} files failed")
    return None


def _collected_warnings() -> list[str]:
    """Collect kmc's own warnings from here on, for one line at the end: they do not name the file."""
    collected: list[str] = []
    show = warnings.showwarning

    def collect(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, KmcWarning):
            collected.append(str(message))
        else:
            show(message, category, *rest, **more)

    warnings.showwarning = collect  # until main() puts back what was there
    return collected


def _with_progress(results: FileResults, quiet: bool) -> Iterable[FileResult]:
    if quiet or not sys.stderr.isatty():
        return results
    from tqdm import tqdm

    progress: Iterable[FileResult] = tqdm(results, total=results.total, unit="file", leave=False)
    return progress


def _tell(result: FileResult, arguments: argparse.Namespace) -> None:
    """Print a line of JSON, or one for a file that was not compressed."""
    if arguments.json:
        _print_line(json.dumps(result.to_dict()))
    elif result.outcome == "failed":
        print("kmc:", result.message, file=sys.stderr)
    elif result.outcome == "kept" and not arguments.quiet:
        _print_line(f"{result.input}: kept, {result.message}")


def _print_line(text: str) -> None:
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm.external_write_mode():
            print_text(text)
    else:
        print_text(text)


class _Summary:
    """Counts of outcomes and bytes."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.bytes_before = self.bytes_after = 0

    def add(self, result: FileResult) -> None:
        """Count one file."""
        self.outcomes[result.outcome] += 1
        if result.bytes_before is not None and result.bytes_after is not None:
            self.bytes_before += result.bytes_before
            self.bytes_after += result.bytes_after

    def text(self, seconds: float) -> str:
        """Give one line."""
        total = self.outcomes.total()
        parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        text = f"{total} file{'s'[total == 1 :]}{f' ({parts})' if parts else ''} in {seconds:.1f} s"
        if self.bytes_before:
            saved = 1 - self.bytes_after / self.bytes_before
            text += f": {self.bytes_before:,} -> {self.bytes_after:,} bytes, {saved:.1%} saved"
        return text
