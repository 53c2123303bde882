"""How many threads a piece of work gets.

The number is an argument of every kernel call and never a global setting. ``None`` means what OpenMP would use, which
respects OMP_NUM_THREADS, the processor affinity and threadpoolctl.
"""

from __future__ import annotations

import os

from kmc import _kernels
from kmc._validate import whole_number

__all__ = ["for_work", "max_threads", "resolve"]

MOST_THREADS = 1024

# Opening a parallel region costs 5 to 20 microseconds; a core does this many multiply-adds in about as long.
SERIAL_OPERATIONS = 1 << 17

# The GNU OpenMP runtime hangs in a forked child when the parent has run a parallel region: the child stays alone.
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def max_threads() -> int:
    """Give the number of threads that is used where none is asked for: what OpenMP would use, 1 in a forked child.

    Examples
    --------
    >>> import kmc
    >>> kmc.max_threads() >= 1
    True
    """
    return 1 if _forked else int(_kernels.max_threads())


def resolve(threads: int | None) -> int:
    """Give the number of threads for an argument `threads`: None, or a whole number from 1."""
    if threads is None:
        return max_threads()
    count = whole_number("threads", threads, 1, MOST_THREADS, "leave it out to use every core")
    return 1 if _forked else count


def for_work(threads: int, operations: float) -> int:
    """Give the number of threads that pays for so many multiply-adds: one for small work."""
    return 1 if operations < SERIAL_OPERATIONS else threads
