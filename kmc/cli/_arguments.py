"""What the commands' argument parsers share."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from kmc.errors import KmcFileError

__all__ = [
    "Commands",
    "Parser",
    "add_command",
    "finite",
    "names",
    "number_or_word",
    "print_text",
    "unused_name",
    "whole_number",
]


class Parser(argparse.ArgumentParser):
    """A parser that states what is wrong in one line, without the usage above it.

    Values may begin with a hyphen where an option needs one, as in ``--ext -small.png``.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        words = list(sys.argv[1:] if args is None else args)
        for i in range(len(words) - 1, 0, -1):
            if words[i - 1] == "--ext":
                words[i - 1 : i + 1] = [f"--ext={words[i]}"]
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"kmc: {message}; see {self.prog} --help\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def add_command(commands: Commands, name: str, summary: str, text: str, end: str | None = None) -> Parser:
    """Add a command whose help shows `text` before the options and `end` behind them, line by line as written."""
    return commands.add_parser(
        name,
        help=summary,
        description=text,
        epilog=end,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole_number(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is not a whole number; give one such as 16"
        raise argparse.ArgumentTypeError(message) from None


def number_or_word(text: str) -> float | str:
    """Read a number; a word is given as it is, for the library knows which words mean something."""
    try:
        return float(text)
    except ValueError:
        return text


def names(text: str) -> list[str]:
    """Read names with commas between them; the library knows which there are."""
    return [name.strip() for name in text.split(",")]


def unused_name(output: Path) -> str:
    """Give the name of an output that was not named, unless there is such a file: it is not replaced."""
    if output.exists():
        raise KmcFileError(f"{str(output)!r} exists already; name it with -o to replace it, or give another name")
    return str(output)


def finite(value: float) -> float | None:
    """Give `value`, or None where it is infinite, which JSON cannot say."""
    return value if math.isfinite(value) else None


def print_text(text: str) -> None:
    """Print to stdout; characters that its encoding has not, as a file name may hold, are escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
