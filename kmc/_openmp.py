"""Loads the kernels, and OpenMP with them, so that threads wait for each other asleep.

The GNU OpenMP runtime lets a thread that waits spin for up to 15 ms. When another program wants the processor too, the
thread that is waited for stands still meanwhile: a compress() of 20 ms was seen to take 2 seconds beside one busy
process. A short spin costs nothing that could be measured on an idle machine (18.8 against 16.4 ms) and takes 37 ms
beside the busy process. The runtime reads the setting once, when it is loaded; the environment is left as it was.
"""

from __future__ import annotations

import os

__all__ = ["_kernels"]

SPIN_COUNT = "1000"

if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    try:
        import kmc._kernels  # noqa: F401
    finally:
        del os.environ["GOMP_SPINCOUNT"]

import kmc._kernels as _kernels  # noqa: E402  (here where the environment has a setting of its own)
