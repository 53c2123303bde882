"""Which instruction set the kernels use: the best that the processor has, or the one that KMC_ISA names."""

from __future__ import annotations

import os

from kmc._openmp import _kernels
from kmc.errors import KmcValueError

__all__ = ["instruction_set", "instruction_sets", "use"]


def instruction_sets() -> tuple[str, ...]:
    """Give the instruction sets that this build and this processor have, best first.

    Examples
    --------
    >>> import kmc
    >>> kmc.instruction_sets()[-1]
    'generic'
    """
    names: tuple[str, ...] = _kernels.instruction_sets()
    return names


def instruction_set() -> str:
    """Give the instruction set in use: "avx512", "avx2", "neon" or "generic".

    It is the best that the processor has, or what the environment variable KMC_ISA names; results are the same.

    Examples
    --------
    >>> import kmc
    >>> kmc.instruction_set() in kmc.instruction_sets()
    True
    """
    name: str = _kernels.instruction_set()
    return name


def use(name: str) -> None:
    """Use one of :func:`instruction_sets`. It changes the time only; tests try each."""
    if name not in instruction_sets():
        have = ", ".join(instruction_sets())
        raise KmcValueError(
            f"instruction set {name!r} is not available; this processor has {have}; set KMC_ISA to one of them"
        )
    _kernels.set_instruction_set(name)


if os.environ.get("KMC_ISA"):
    use(os.environ["KMC_ISA"])
