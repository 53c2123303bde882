"""The command ``kmc``, one module for each of its commands.

Data go to stdout, messages to stderr, one line each. Exit code 0 is success, 1 failure, 2 wrong
usage, 99 a quality out of reach, 130 Ctrl-C, 141 a reader that went away (as in ``kmc ... | head -0``). What is slow to
import is imported where it is used, so that ``kmc --help`` answers at once. The process begins in ``kmc/__main__.py``.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kmc._version import __version__
from kmc.cli._arguments import Parser, print_text
from kmc.cli.choose_k import add_choose_k
from kmc.cli.compress import add_compress
from kmc.cli.evaluate import add_evaluate
from kmc.cli.report import add_report
from kmc.errors import KmcError, KmcQualityError, KmcWarning

__all__ = ["main"]

_END = """\
kmc COMMAND --help tells more, with examples.

exit codes: 0 success, 1 failure, 2 wrong usage, 99 a quality or size out of reach, 130 Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version`` (0), and on wrong usage (2).
    """
    try:
        arguments = _make_parser().parse_args(argv)
        with _warnings_as_messages(getattr(arguments, "quiet", False)):
            text = arguments.run(arguments)
        if text is not None:
            print_text(text)
    except KeyboardInterrupt as interrupt:
        return _fail(f"interrupted{interrupt}", 130)
    except BrokenPipeError:
        # What is still buffered must not fail once more when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _fail("not enough memory for this picture; give a smaller one")
    except KmcQualityError as error:
        return _fail(str(error), 99)
    except (KmcError, OSError) as error:
        return _fail(str(error))
    return 0


def _fail(message: str, exit_code: int = 1) -> int:
    print("kmc:", " ".join(message.split()), file=sys.stderr)
    return exit_code


@contextmanager
def _warnings_as_messages(quiet: bool) -> Iterator[None]:
    """Print kmc's own warnings as it prints everything else, or not at all."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_as_message(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, KmcWarning):
                _fail(str(message))
            else:
                show(message, category, *rest, **more)

        warnings.showwarning = show_as_message
        warnings.simplefilter("ignore" if quiet else "always", KmcWarning)
        yield


class _Version(argparse.Action):
    """Print version, instruction set and threads; they are looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_args: object) -> None:
        import kmc

        threads = kmc.max_threads()
        print(f"kmc {__version__} ({kmc.instruction_set()}, {threads} thread{'s'[threads == 1 :]})")
        parser.exit()


def _make_parser() -> Parser:
    parser = Parser(
        prog="kmc",
        description="Compress pictures with k-means.",
        epilog=_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        help="print the version, the instruction set in use and the number of threads",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    add_compress(commands)
    add_evaluate(commands)
    add_choose_k(commands)
    add_report(commands)
    return parser
