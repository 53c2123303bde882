"""``python -m kmc`` is the command ``kmc``; both begin here."""

from __future__ import annotations

import sys

__all__ = ["run"]


def run() -> int:
    """Run the command line of this process and give the exit code; Ctrl-C while it loads ends it as it does later."""
    try:
        from kmc.cli import main

        return main()
    except KeyboardInterrupt:
        print("kmc: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
