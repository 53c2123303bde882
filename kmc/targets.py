"""A quality or a size in place of k: the fewest colours that reach it, or the most that fit.

Exact figures cost a whole ``compress()`` each, so candidates come from a sweep (:mod:`kmc.selection.sweep`), whose
figures cost a fraction and are corrected by what the exact ones so far have shown. What comes back was measured
exactly: it reaches the target, and the neighbouring k does not.
"""

from __future__ import annotations

import bisect
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kmc._settings import Settings
from kmc._validate import real_number, whole_number
from kmc.compressed_image import CompressedImage
from kmc.errors import KmcQualityError, KmcTypeError, KmcValueError
from kmc.formats.png import PNG_MAX_COLORS
from kmc.load import Picture
from kmc.metrics.similarity import WINDOW, ssim
from kmc.selection.sweep import Sweep

__all__ = ["Targets", "checked_targets", "reach"]

# pngquant's scale in PSNR: medians of ten pictures of Kodak and CQ100 that imagequant mapped without dithering to as
# few colours as the quality asks for; 99 goes on in that line. 100 is lossless.
QUALITIES = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
PSNR_OF_QUALITIES = (0.0, 28.1, 30.0, 31.4, 32.3, 33.2, 34.3, 35.3, 36.8, 38.6, 41.4, 45.0)


# In dB: more than any picture of 8 bits with an error has.
LOSSLESS = 140.0
# After so many candidates that estimates named the rest is halved.
MOST_LOOKS = 6


class Targets(NamedTuple):
    """What a result has to reach: PSNR in dB, SSIM, bytes; and the PSNR that is enough, where more is accepted."""

    min_psnr: float
    min_ssim: float
    max_bytes: float
    enough_psnr: float

    @property
    def has_quality(self) -> bool:
        """Whether a quality is asked for, not only a size."""
        return max(self.min_psnr, self.enough_psnr, self.min_ssim) > 0


def checked_targets(
    min_psnr: float | None, min_ssim: float | None, quality: str | int | None, max_bytes: int | None
) -> Targets | None:
    """Check the arguments; None where there are none."""
    if min_psnr is min_ssim is quality is max_bytes is None:
        return None
    least, enough = (0.0, 0.0) if quality is None else _psnr_of_quality(quality)
    if min_psnr is not None:
        least = max(least, real_number("min_psnr", min_psnr, 0, "35 is good, 45 is next to lossless"))
    similar = 0.0 if min_ssim is None else real_number("min_ssim", min_ssim, 0, "0.95 is good, 1 is lossless")
    if similar > 1:
        raise KmcValueError(f"min_ssim must be a number from 0 to 1, got {similar:g}; 0.95 is good, 1 is lossless")
    size = math.inf
    if max_bytes is not None:
        size = whole_number("max_bytes", max_bytes, 1, 2**63 - 1, "give the most bytes that the PNG file may have")
    return Targets(least, similar, size, max(least, enough))


def reach(
    picture: Picture, targets: Targets, settings: Settings, compress_with: Callable[[int], CompressedImage]
) -> CompressedImage:
    """Give the picture with the fewest colours, up to settings.k, that reach the targets.

    Of a size alone, with the most colours that fit into it. `compress_with` gives the picture with k colours.

    Raises
    ------
    KmcQualityError
        Even the most colours do not reach the quality, or the fewest do not fit into the size.
    """
    if targets.min_ssim and min(picture.height, picture.width) < WINDOW:
        size = f"{picture.width} x {picture.height}"
        raise KmcValueError(f"min_ssim needs a picture of {WINDOW} x {WINDOW} pixels, got {size}; use min_psnr")
    if settings.k > PNG_MAX_COLORS and targets.max_bytes < math.inf:
        raise KmcValueError(f"max_bytes needs k up to {PNG_MAX_COLORS}, which a PNG holds, got {settings.k}; lower k")
    search = _Search(picture, settings, compress_with)
    if not targets.has_quality:
        return search.largest_within(targets.max_bytes)
    found = search.smallest_reaching(targets)
    if targets.max_bytes < math.inf and len(found.to_bytes()) > targets.max_bytes:
        raise KmcQualityError(
            f"the quality takes {len(found.palette)} colours and {len(found.to_bytes()):,} bytes, more than "
            f"max_bytes = {targets.max_bytes:,.0f}; lower the quality or raise max_bytes"
        )
    return found


class _Search:
    """Exact results by k, and a sweep to look for the next candidate."""

    def __init__(self, picture: Picture, settings: Settings, compress_with: Callable[[int], CompressedImage]) -> None:
        self.picture = picture
        self.compress_with = compress_with
        self.sweep = Sweep(picture, settings)
        self.most = min(settings.k, len(self.sweep.histogram))
        self.results: dict[int, CompressedImage] = {}

    def result(self, k: int) -> CompressedImage:
        if k not in self.results:
            self.results[k] = self.compress_with(k)
        return self.results[k]

    def smallest_reaching(self, targets: Targets) -> CompressedImage:
        most = self.result(self.most)
        if most.psnr < targets.min_psnr:
            raise _out_of_reach(self.most, "a PSNR", f"{most.psnr:.2f} dB", f"{targets.min_psnr:.2f}")
        k = 1
        if targets.enough_psnr:
            is_enough = most.psnr >= targets.enough_psnr
            k = self._first(_Psnr(self, targets.enough_psnr)) if is_enough else self.most
        if targets.min_ssim:
            similarity = _Ssim(self, targets.min_ssim)
            if similarity.measure(self.most) < similarity.target:
                reached = _ssim_of(self.picture, most)
                raise _out_of_reach(self.most, "an SSIM", f"{reached:.4f}", f"{targets.min_ssim:g}")
            k = max(k, self._first(similarity))
        return self.result(k)

    def largest_within(self, most_bytes: float) -> CompressedImage:
        size = _Size(self, math.nextafter(most_bytes, math.inf))
        if size.measure(self.most) < size.target:
            return self.result(self.most)
        too_large = self._first(size)
        if too_large == 1:
            raise KmcQualityError(
                f"one colour takes {len(self.result(1).to_bytes()):,} bytes, more than max_bytes = {most_bytes:,.0f}; "
                "raise max_bytes"
            )
        return self.result(too_large - 1)

    def _first(self, figure: _Figure) -> int:
        """Give a k that measures at least the target where k - 1 does not; the most colours do.

        Figures rise with k, and what an estimate is off by changes little from one k to the next: so the k at which the
        corrected estimates pass the target is measured, and corrects them for the next look.
        """
        low, high, offset = 0, self.most, 0.0
        for look in itertools.count():
            if high - low <= 1:
                break
            if look < MOST_LOOKS:
                place = bisect.bisect_left(range(low + 1, high), figure.target - offset, key=figure.estimate)
                k = min(low + 1 + place, high - 1)
            else:
                k = (low + high) // 2
            value = figure.measure(k)
            offset = value - figure.estimate(k)
            low, high = (low, k) if value >= figure.target else (k, high)
        return high


class _Figure(ABC):
    """A figure that rises with k, on a scale on which estimates are off by about the same everywhere."""

    def __init__(self, search: _Search, target: float) -> None:
        self.search = search
        self.target = target

    @abstractmethod
    def measure(self, k: int) -> float:
        """Give it exactly."""

    @abstractmethod
    def estimate(self, k: int) -> float:
        """Give it as the sweep has it."""


class _Psnr(_Figure):
    def measure(self, k: int) -> float:
        return self.search.result(k).psnr

    def estimate(self, k: int) -> float:
        return min(self.search.sweep.fit(k).psnr, LOSSLESS)


class _Ssim(_Figure):
    """In decibels of what is missing to 1."""

    def __init__(self, search: _Search, target: float) -> None:
        super().__init__(search, _missing_decibels(target))

    def measure(self, k: int) -> float:
        return _missing_decibels(_ssim_of(self.search.picture, self.search.result(k)))

    def estimate(self, k: int) -> float:
        return _missing_decibels(self.search.sweep.ssim(k))


class _Size(_Figure):
    """The logarithm of the bytes."""

    def __init__(self, search: _Search, target: float) -> None:
        super().__init__(search, math.log(target))

    def measure(self, k: int) -> float:
        return math.log(len(self.search.result(k).to_bytes()))

    def estimate(self, k: int) -> float:
        return math.log(self.search.sweep.n_bytes(k))


def _missing_decibels(similarity: float) -> float:
    return -10 * math.log10(max(1 - similarity, 10 ** (-LOSSLESS / 10)))


def _ssim_of(picture: Picture, result: CompressedImage) -> float:
    return ssim(picture.pixels, result.palette.colors[result.indices])


def _out_of_reach(most: int, figure: str, reached: str, wanted: str) -> KmcQualityError:
    return KmcQualityError(
        f"{most} colours reach {figure} of {reached}, below {wanted}; allow more colours or lower the quality"
    )


def _psnr_of_quality(quality: str | int) -> tuple[float, float]:
    """Give the PSNR that "60-80" must and should reach; "80" or 80 must reach what it says."""
    advice = "give two whole numbers from 0 to 100 such as '60-80', or one"
    words = str(quality).split("-") if isinstance(quality, (str, int)) and not isinstance(quality, bool) else []
    if len(words) == 2 and not words[0]:  # "-80" as pngquant has it
        words[0] = "0"
    if not 1 <= len(words) <= 2 or not all(word.isascii() and word.isdigit() for word in words):
        kind = KmcValueError if isinstance(quality, str) else KmcTypeError
        raise kind(f"quality must be a range such as '60-80', got {quality!r}; {advice}")
    least, enough = int(words[0]), int(words[-1])
    if not least <= enough <= 100:
        raise KmcValueError(f"quality must rise from 0 to 100, got {quality!r}; {advice}")
    return _psnr_of(least), _psnr_of(enough)


def _psnr_of(quality: int) -> float:
    if quality == 100:
        return LOSSLESS
    return float(np.interp(quality, QUALITIES, PSNR_OF_QUALITIES))
