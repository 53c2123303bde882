"""What ``compress()`` was asked for, checked and complete."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmc import _threads
from kmc._validate import choice, real_array, real_number, whole_number
from kmc.color_kmeans import EFFORTS
from kmc.colorspace import SPACES
from kmc.errors import KmcTypeError, KmcValueError
from kmc.palette import MOST_COLORS, Palette, checked_colors
from kmc.seeding import METHODS

__all__ = ["WEIGHTINGS", "Dithering", "Settings", "checked_init", "checked_settings"]


class Preset(NamedTuple):
    """What a preset says of the arguments of its fields' names."""

    space: str
    dither: float
    compactness: float
    with_alpha: WithAlpha | None = None


class WithAlpha(NamedTuple):
    """What it says of `space` and `dither` for pictures with alpha, and how much flat pixels weigh there."""

    space: str
    dither: float
    flat_weight: int


# What arguments are that were left out.
#
# Of "small": many colours with much compactness make smaller files of a SSIMULACRA2 than few with little. On four parts
# of pictures of Kodak and CQ100 the smallest of SSIMULACRA2 10 to 65 had 0.5, and were 1.2 to 3 times as large with at
# most 0.12. At 0.5 smooth areas have streaks that are seen at 3x, at 0.25 they are fainter than the dots of dithering.
# Strengths of dithering from 0.25 to 0.8 were mostly within 5 %; without any, files were up to 36 % larger.
#
# With alpha pictures are laid over others in sRGB, and premultiplied Oklab is not what is seen then; "ycc" is a
# linear map of sRGB in which lightness weighs more. On the 36 tuned of 71 pictures it is 1.6 (k=16) and 1.1 (k=64)
# points above sRGB with the same PSNR to 0.1 dB. Most are drawings, in which soft edges, few but full of error, take
# entries away from shades. On fifteen, at k=16, SSIMULACRA2 and PSNR as the worst of three backgrounds are by so much
# above those of imagequant, dithered: with 0.8 of the error 3.2 and 0.8 dB, with 0.6 1.9 and 1.3; with 0.6 and
# weights up to 2 3.0 and 1.2, up to 3 3.7 and 1.1, up to 4 3.8 and 1.0. On cut-outs of photographs, glows and glass
# 0.6 leaves islands without dots in gradients: on eighteen, k=16, beside imagequant at its best speed, it is 2.6 and
# 0.2 dB above, 0.7 5.3 above and 0.2 dB below; on the drawings it is alike.
PRESETS = {
    "exact": Preset("srgb", 0.0, 0.0),
    "looks": Preset("oklab", 0.8, 0.0, WithAlpha("ycc", 0.7, 3)),
    "small": Preset("oklab", 0.5, 0.25, WithAlpha("srgb", 0.5, 3)),
}
MOST_DITHERED_COLORS = 256
MOST_COMPACTED_COLORS = 256
BLUE_NOISE_AMOUNT = 0.8
# How much flat pixels weigh, noisy ones being 1.
WEIGHTINGS = {"pixels": 1, "flatness": 16}
NO_COLORS = np.empty((0, 1), dtype=np.uint8)


class Dithering(NamedTuple):
    """How much, above 0 to 1, and by which method of :func:`kmc.dither.dither`."""

    amount: float
    method: str


class Settings(NamedTuple):
    """Arguments of ``compress()``; `fixed` (f, c): different colours, the first of the palette."""

    k: int
    num_iterations: int | None
    effort: str
    space: str
    dithering: Dithering | None
    seed: int
    threads: int
    compactness: float = 0.0
    fixed: NDArray[np.uint8] = NO_COLORS
    flat_weight: int = 1
    with_alpha: WithAlpha | None = None  # as far as arguments were left out

    def for_channels(self, channels: int) -> Settings:
        """Give the settings for a picture of so many channels: a preset may say something else of those with alpha."""
        if channels < 4 or self.with_alpha is None:
            return self
        space, amount, flat_weight = self.with_alpha
        dithering = self.dithering
        if dithering is not None and dithering.method == "floyd-steinberg":
            dithering = dithering._replace(amount=amount)
        return self._replace(space=space, dithering=dithering, flat_weight=flat_weight)

    @property
    def n_free(self) -> int:
        """How many entries are to be found."""
        return self.k - len(self.fixed)


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
    weighting: str = "pixels",
    fixed: Palette | ArrayLike | None = None,
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
        flat_weight=WEIGHTINGS[choice("weighting", weighting, tuple(WEIGHTINGS))],
        fixed=NO_COLORS if fixed is None else _checked_fixed(fixed, k),
        with_alpha=_left_out(defaults.with_alpha, space, dither, weighting),
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
    if settings.compactness and len(settings.fixed):
        raise KmcValueError("compactness moves entries and fixed colours stay; give compactness=0 or no fixed colours")
    return settings


def _left_out(
    preset: WithAlpha | None, space: str | None, dither: float | str | None, weighting: str
) -> WithAlpha | None:
    """Give what the preset says of pictures with alpha, with the arguments that were given in its place."""
    if preset is None:
        return None
    return WithAlpha(
        preset.space if space is None else space,
        preset.dither if not isinstance(dither, (int, float)) else float(dither),
        max(preset.flat_weight, WEIGHTINGS[weighting]),
    )


def _checked_compactness(compactness: float) -> float:
    return real_number(
        "compactness", compactness, 0, "give 0 for none, 0.25 for much smaller files that look nearly the same"
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


def _checked_fixed(fixed: Palette | ArrayLike, k: int) -> NDArray[np.uint8]:
    """Give the different colours in their order."""
    colors = fixed.colors if isinstance(fixed, Palette) else checked_colors("fixed", fixed)
    if colors.shape[1] == 4:
        colors = np.where(colors[:, 3:] > 0, colors, np.uint8(0))  # as histograms have what is transparent
    colors = colors[np.sort(np.unique(colors, axis=0, return_index=True)[1])]
    if len(colors) > k:
        raise KmcValueError(f"fixed holds {len(colors)} colours and k is {k}; give fewer colours or a larger k")
    return colors


def checked_init(init: str | ArrayLike, k: int, channels: int) -> str | NDArray[np.float64]:
    """Check where to start: a method, or colours (k, channels), one for each that is to be found."""
    if isinstance(init, str):
        return choice("init", init, ("auto", *METHODS))
    if init is None:
        raise KmcTypeError("init must be a word or an array (k, c) of colours, got None; leave it out for the default")
    colors = real_array("init", init, 2, "(k, c)").astype(np.float64)
    if colors.shape != (k, channels):
        raise KmcValueError(
            f"init must hold one colour for each cluster, shape {(k, channels)}, got {colors.shape}; "
            "pass as many rows as k and as many columns as the picture has channels"
        )
    if colors.min() < 0 or colors.max() > 255:
        raise KmcValueError(
            f"init must hold 8-bit values from 0 to 255, got {colors.min():g} to {colors.max():g}; scale them"
        )
    return colors
