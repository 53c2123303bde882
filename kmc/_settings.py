"""What ``compress()`` was asked for, checked and complete."""

from __future__ import annotations

from typing import NamedTuple

from kmc import _threads
from kmc._validate import choice, real_number, whole_number
from kmc.color_kmeans import EFFORTS
from kmc.colorspace import SPACES
from kmc.errors import KmcTypeError, KmcValueError
from kmc.palette import MOST_COLORS

__all__ = ["Dithering", "Settings", "checked_settings"]


class Preset(NamedTuple):
    """What a preset says of the arguments of its fields' names."""

    space: str
    dither: float
    compactness: float


# What arguments are that were left out.
#
# Of "small": with 0.05 a picture of Kodak's had the SSIMULACRA2 that it had with 0 in a file 10 % smaller, at 16 and at
# 64 colours, and with 0.15 4 points less. On two of CQ100, more colours with 0.12 made smaller files of the same
# SSIMULACRA2 than fewer with 0.06: by 5 % to 12 %.
PRESETS = {
    "exact": Preset("srgb", 0.0, 0.0),
    "looks": Preset("oklab", 0.8, 0.0),
    "small": Preset("oklab", 0.5, 0.1),
}
MOST_DITHERED_COLORS = 256
MOST_COMPACTED_COLORS = 256
BLUE_NOISE_AMOUNT = 0.8


class Dithering(NamedTuple):
    """How much, above 0 to 1, and by which method of :func:`kmc.dither.dither`."""

    amount: float
    method: str


class Settings(NamedTuple):
    """Arguments of ``compress()``."""

    k: int
    num_iterations: int | None
    effort: str
    space: str
    dithering: Dithering | None
    seed: int
    threads: int
    compactness: float = 0.0


def checked_settings(
    k: int,
    preset: str,
    num_iterations: int | None,
    effort: str,
    space: str | None,
    dither: float | str | None,
    compactness: float | None,
    seed: int,
    threads: int | None,
) -> Settings:
    """Check the arguments and put in what the preset says of those that are None."""
    k = whole_number("k", k, 1, MOST_COLORS, "a palette file holds up to 256")
    defaults = PRESETS[choice("preset", preset, tuple(PRESETS))]
    if num_iterations is not None:
        num_iterations = whole_number("num_iterations", num_iterations, 1, 2**31 - 1, "leave it out to converge")
    settings = Settings(
        k=k,
        num_iterations=num_iterations,
        effort=choice("effort", effort, tuple(EFFORTS)),
        space=choice("space", defaults.space if space is None else space, SPACES),
        dithering=_checked_dithering(defaults.dither if dither is None else dither),
        compactness=_checked_compactness(defaults.compactness if compactness is None else compactness),
        seed=whole_number("seed", seed, 0, 2**63 - 1, "0 is the default"),
        threads=_threads.resolve(threads),
    )
    if settings.dithering and k > MOST_DITHERED_COLORS:
        raise KmcValueError(
            f"dithering works with up to {MOST_DITHERED_COLORS} colours, got k = {k}; use a smaller k or dither=0"
        )
    if settings.compactness and k > MOST_COMPACTED_COLORS:
        raise KmcValueError(
            f"compactness works with up to {MOST_COMPACTED_COLORS} colours, got k = {k}; "
            "use a smaller k or compactness=0"
        )
    return settings


def _checked_compactness(compactness: float) -> float:
    return real_number(
        "compactness", compactness, 0, "give 0 for none, 0.06 for smaller files that look nearly the same"
    )


def _checked_dithering(dither: float | str) -> Dithering | None:
    advice = 'give 0 for none, 0.8 for what looks best on photographs, or "blue-noise"'
    if isinstance(dither, str):
        if dither != "blue-noise":
            raise KmcValueError(f"dither must be a number from 0 to 1 or 'blue-noise', got {dither!r}; {advice}")
        return Dithering(BLUE_NOISE_AMOUNT, "blue-noise")
    if dither is None:
        raise KmcTypeError(f"dither must be a number from 0 to 1 or 'blue-noise', got None; {advice}")
    amount = real_number("dither", dither, 0, advice)
    if amount > 1:
        raise KmcValueError(f"dither must be a number from 0 to 1 or 'blue-noise', got {amount:g}; {advice}")
    return Dithering(amount, "floyd-steinberg") if amount else None
