"""``python -m kmc`` is the command ``kmc``."""

from __future__ import annotations

import sys

from kmc.cli import main

if __name__ == "__main__":
    sys.exit(main())
