"""How much a compressed picture differs from its original, and what it saves.

In:  two pictures of the same size, each in any form that :func:`kmc.load.load` takes, or a
     :class:`~kmc.compressed_image.CompressedImage`.
Out: :class:`Evaluation`; or the figures of one measure from the function of its name.

MSE, PSNR and SSIM are taken on the 8-bit samples. Of two pictures with different channels the
poorer is brought to the richer: grey becomes RGB, what has no alpha becomes opaque. The colour of
an entirely transparent pixel cannot be seen and counts as (0, 0, 0, 0) on both sides. Samples are
compared as they are where both files have the same colour profile or gamma, and with arrays and PIL
images, which may have lost theirs; otherwise both are converted to sRGB first.

CIEDE2000, MS-SSIM and SSIMULACRA2 say how different pictures look. Where one of the two has
transparency, both are laid on black, on white and on a checkerboard (:mod:`kmc.metrics.backgrounds`), and
each figure is the worst of the three.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc._validate import choice
from kmc.compressed_image import CompressedImage
from kmc.errors import KmcImportError, KmcTypeError, KmcValueError
from kmc.formats.png import PNG_MAX_COLORS
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.loading.color_profile import color_of, to_srgb
from kmc.loading.picture_file import is_file_like
from kmc.metrics import color_difference, similarity
from kmc.metrics.backgrounds import pairs_on_backgrounds
from kmc.metrics.similarity import MS_SSIM_SIDE, WINDOW, samples_of, tiles

__all__ = ["Evaluation", "ciede2000", "evaluate", "ms_ssim", "mse", "psnr", "ssim", "ssimulacra2"]

Pixels: TypeAlias = NDArray[np.uint8]

PEAK = 255.0
SSIMULACRA2_SIDE = 8  # what is smaller has no scale that it looks at

# What evaluate() leaves out unless it is asked for: each takes as long as all the rest, or many times as long.
PERCEPTUAL = ("ciede2000", "ms_ssim", "ssimulacra2")
METRICS = ("core", "all", *PERCEPTUAL)


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What :func:`evaluate` found; None stands for what cannot be known.

    Attributes
    ----------
    mse : float
        Mean squared error over all samples (height * width * channels), 0 to 65025.
    psnr : float
        Peak signal-to-noise ratio in dB, ``10 * log10(255**2 / mse)``; infinite if nothing differs.
    ssim : float or None
        Mean structural similarity, -1 to 1, where 1 means identical. None for pictures narrower or
        lower than its window of 11 pixels.
    colors_original, colors_compressed : int
        Number of distinct colours.
    bits_per_pixel : float or None
        8 * bytes_compressed / number of pixels.
    bytes_original, bytes_compressed : int or None
        Size of the files; of a CompressedImage the size that its PNG file has. None for arrays and
        PIL images, and for a CompressedImage with more colours than a file can hold.
    compression_ratio : float or None
        bytes_original / bytes_compressed.
    ciede2000, ciede2000_p95 : float or None
        Mean and 95th percentile over the pixels of the colour difference CIEDE2000, 0 to about 120; a difference of
        1 is just noticeable. None unless asked for.
    ms_ssim : float or None
        Multi-scale structural similarity, 0 to 1, where 1 means identical. None unless asked for, and for pictures
        with a side below 176 pixels.
    ssimulacra2 : float or None
        SSIMULACRA2, at most 100, which means identical; 90 cannot be told apart, 70 is high, 30 low quality. None
        unless asked for, for pictures with a side below 8 pixels, and where the package ssimulacra2 is not installed.
    """

    mse: float
    psnr: float
    ssim: float | None
    colors_original: int
    colors_compressed: int
    bits_per_pixel: float | None
    bytes_original: int | None
    bytes_compressed: int | None
    compression_ratio: float | None
    ciede2000: float | None = None
    ciede2000_p95: float | None = None
    ms_ssim: float | None = None
    ssimulacra2: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """Give the fields for JSON, which knows no infinity: an infinite `psnr` becomes None."""
        fields = asdict(self)
        if math.isinf(self.psnr):
            fields["psnr"] = None
        return fields

    def __repr__(self) -> str:
        def show(value: float | None, pattern: str) -> str:
            return "unknown" if value is None else format(value, pattern)

        decibels = "infinite" if math.isinf(self.psnr) else f"{self.psnr:.2f} dB"
        similarity = f"unknown (below {WINDOW} pixels)" if self.ssim is None else f"{self.ssim:.4f}"
        before, after = show(self.bytes_original, ",d"), show(self.bytes_compressed, ",d")
        lines = {
            "MSE": f"{self.mse:.4g}",
            "PSNR": decibels,
            "SSIM": similarity,
            **self._perceptual_lines(),
            "colours": f"{self.colors_original:,d} -> {self.colors_compressed:,d}",
            "bytes": f"{before} -> {after}",
            "bits per pixel": show(self.bits_per_pixel, ".3f"),
            "compression ratio": show(self.compression_ratio, ".2f"),
        }
        return "\n".join(f"{name:18} {text}" for name, text in lines.items())

    def _perceptual_lines(self) -> dict[str, str]:
        """Show the measures that were asked for and could be taken."""
        lines = {}
        if self.ciede2000 is not None:
            lines["CIEDE2000"] = f"{self.ciede2000:.3f} (95th percentile {self.ciede2000_p95:.3f})"
        if self.ms_ssim is not None:
            lines["MS-SSIM"] = f"{self.ms_ssim:.4f}"
        if self.ssimulacra2 is not None:
            lines["SSIMULACRA2"] = f"{self.ssimulacra2:.2f}"
        return lines


def evaluate(
    original: ImageLike, compressed: ImageLike | CompressedImage, *, metrics: str | Collection[str] = "core"
) -> Evaluation:
    """Compare a compressed picture with its original.

    Parameters
    ----------
    original : path, open binary file, bytes, PIL image or array
        As for :func:`kmc.compress`.
    compressed : the same, or CompressedImage
        A picture of the same height and width.
    metrics : {"core", "all", "ciede2000", "ms_ssim", "ssimulacra2"} or several of these, optional
        What to measure beside MSE, PSNR and SSIM, which are always there. "core" adds nothing, "all" whatever can be
        measured here.

    Returns
    -------
    Evaluation

    Raises
    ------
    KmcValueError
        The pictures differ in size, or one of them cannot be used (see :func:`kmc.load.load`); there is no such
        metric.
    KmcTypeError
        One of them is nothing that holds a picture.
    KmcFileError, KmcFileNotFoundError
        A file cannot be read as a picture, or is not there.
    KmcImportError
        "ssimulacra2" is asked for by name, and its package is not installed.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    2004. Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003. Sharma, Wu
    and Dalal, "The CIEDE2000 color-difference formula", 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import evaluate
    >>> original = np.zeros((16, 16, 3), dtype=np.uint8)
    >>> compressed = original + np.uint8(2)
    >>> evaluation = evaluate(original, compressed, metrics="ciede2000")
    >>> evaluation.mse, round(evaluation.psnr, 2), evaluation.colors_compressed
    (4.0, 42.11, 1)
    >>> round(evaluation.ciede2000, 3)
    0.315
    """
    chosen = _chosen(metrics)
    first, second = _load_pair(original, compressed)
    error = _mse(first.pixels, second.pixels)
    n_pixels = first.height * first.width
    bytes_compressed = _size_of_file(compressed, second)
    return Evaluation(
        mse=error,
        psnr=_psnr_of(error),
        ssim=similarity.ssim(first.pixels, second.pixels) if _fits(first, WINDOW) else None,
        colors_original=len(ColorHistogram.from_pixels(first.pixels)),
        colors_compressed=len(ColorHistogram.from_pixels(second.pixels)),
        bits_per_pixel=8 * bytes_compressed / n_pixels if bytes_compressed else None,
        bytes_original=first.n_bytes,
        bytes_compressed=bytes_compressed,
        compression_ratio=(first.n_bytes / bytes_compressed if first.n_bytes and bytes_compressed else None),
        **_perceptual(first, second, chosen),
    )


def mse(original: ImageLike, compressed: ImageLike | CompressedImage) -> float:
    """Mean squared error over all samples of two pictures of the same size, 0 to 65025.

    Parameters, errors and the treatment of channels are those of :func:`evaluate`. The sum is
    exact; only the division by the number of samples rounds.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import mse
    >>> mse(np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 3, dtype=np.uint8))
    9.0
    """
    first, second = _load_pair(original, compressed)
    return _mse(first.pixels, second.pixels)


def psnr(original: ImageLike, compressed: ImageLike | CompressedImage) -> float:
    """Peak signal-to-noise ratio of two pictures in dB, infinite if nothing differs.

    Parameters, errors and the treatment of channels are those of :func:`evaluate`.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import psnr
    >>> round(psnr(np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 3, dtype=np.uint8)), 2)
    38.59
    """
    return _psnr_of(mse(original, compressed))


def ssim(original: ImageLike, compressed: ImageLike | CompressedImage) -> float:
    """Mean structural similarity of two pictures, -1 to 1; 1 means identical.

    As Wang et al. define it: a Gaussian window of 11 pixels with sigma 1.5, K1 = 0.01, K2 = 0.03,
    the mean over all places where the whole window lies in the picture, and over the channels.
    Equal to scikit-image's ``structural_similarity`` with ``gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=-1``.

    Parameters and the treatment of channels are those of :func:`evaluate`.

    Raises
    ------
    KmcValueError
        The pictures are narrower or lower than the window, and for the reasons that
        :func:`evaluate` has.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import ssim
    >>> ramp = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    >>> ssim(ramp, ramp)
    1.0
    """
    first, second = _load_pair(original, compressed)
    _require_side(first, "SSIM", WINDOW)
    return similarity.ssim(first.pixels, second.pixels)


def ciede2000(original: ImageLike, compressed: ImageLike | CompressedImage) -> tuple[float, float]:
    """Mean and 95th percentile of the colour difference CIEDE2000 over all pixels.

    As Sharma, Wu and Dalal define it, between colours in CIELAB with the white D65. Equal to scikit-image's
    ``deltaE_ciede2000`` of ``rgb2lab``. 0 means identical, 1 is just noticeable side by side. Where one of the
    pictures has transparency, each of the two numbers is the worst of three backgrounds
    (:mod:`kmc.metrics.backgrounds`).

    Parameters and errors are those of :func:`evaluate`.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import ciede2000
    >>> mean, percentile = ciede2000(np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 255, dtype=np.uint8))
    >>> round(mean, 6), round(percentile, 6)
    (100.0, 100.0)
    """
    first, second = _load_pair(original, compressed)
    return _ciede2000(first, second)


def ms_ssim(original: ImageLike, compressed: ImageLike | CompressedImage) -> float:
    """Multi-scale structural similarity of two pictures, 0 to 1; 1 means identical.

    As Wang, Simoncelli and Bovik define it for grey, with five scales weighted 0.0448, 0.2856, 0.3001, 0.2363 and
    0.1333 and the window of :func:`ssim`. At each scale the local values are averaged over all places where the
    whole window lies in the picture; the product over the scales is taken for each of the channels red, green and
    blue, and the mean of the three is what comes back. A negative average counts as 0. Where one of the pictures has
    transparency, it is the worst of three backgrounds (:mod:`kmc.metrics.backgrounds`).

    Parameters are those of :func:`evaluate`.

    Raises
    ------
    KmcValueError
        The pictures have a side below 176 pixels, and for the reasons that :func:`evaluate` has.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import ms_ssim
    >>> ramp = np.add.outer(np.arange(176), np.arange(176)).astype(np.uint8)
    >>> ms_ssim(ramp, ramp)
    1.0
    """
    first, second = _load_pair(original, compressed)
    _require_side(first, "MS-SSIM", MS_SSIM_SIDE)
    return _ms_ssim(first, second)


def ssimulacra2(original: ImageLike, compressed: ImageLike | CompressedImage) -> float:
    """SSIMULACRA2 of two pictures, at most 100, which means identical; 90 cannot be told apart, 30 is low quality.

    By the package ssimulacra2, which takes some microseconds and 500 bytes for each pixel and reads up to two points
    lower than the reference in C++ where quality is poor: compare only figures of the same program. Where one of the
    pictures has transparency, it is the worst of three backgrounds (:mod:`kmc.metrics.backgrounds`).

    Parameters are those of :func:`evaluate`.

    Raises
    ------
    KmcImportError
        The package is not installed.
    KmcValueError
        The pictures have a side below 8 pixels, and for the reasons that :func:`evaluate` has.
    """
    _require_ssimulacra2()
    first, second = _load_pair(original, compressed)
    _require_side(first, "SSIMULACRA2", SSIMULACRA2_SIDE)
    return _ssimulacra2(first, second)


def _chosen(metrics: str | Collection[str]) -> set[str]:
    """Give the names of the measures to take beside the core; "all" leaves out what is not installed."""
    names = {metrics} if isinstance(metrics, str) else metrics
    if not isinstance(names, Collection):
        words = ", ".join(repr(word) for word in METRICS)
        raise KmcTypeError(f"metrics must be one or several of {words}, got {metrics!r}; name them as texts")
    chosen = {choice("metrics", name, METRICS) for name in names}
    if "ssimulacra2" in chosen:
        _require_ssimulacra2()
    if "all" in chosen:
        chosen |= {name for name in PERCEPTUAL if name != "ssimulacra2" or _has_ssimulacra2()}
    return chosen


def _has_ssimulacra2() -> bool:
    return importlib.util.find_spec("ssimulacra2") is not None


def _require_ssimulacra2() -> None:
    if not _has_ssimulacra2():
        raise KmcImportError(
            "SSIMULACRA2 is measured by the package ssimulacra2, which is not installed; install it with "
            "pip install 'kmc-image[metrics]' (or pip install ssimulacra2), or use MS-SSIM"
        )


def _load_pair(original: ImageLike, compressed: ImageLike | CompressedImage) -> tuple[Picture, Picture]:
    pair = (original, compressed)
    first = load(original, name="original")
    if isinstance(compressed, CompressedImage):
        second = replace(load(compressed.image), metadata=compressed.metadata)
    else:
        second = load(compressed, name="compressed")
    if (first.height, first.width) != (second.height, second.width):
        raise KmcValueError(
            f"original has {first.width} x {first.height} pixels and compressed {second.width} x "
            f"{second.height}; only pictures of the same size can be compared, so resize one"
        )
    if not all(map(_tells_colors, pair)) or color_of(first.metadata) == color_of(second.metadata):
        return first, second
    return _in_srgb(first), _in_srgb(second)


def _tells_colors(image: object) -> bool:
    """Whether an object that has no profile is known to be sRGB: arrays and PIL images may have lost theirs."""
    return not isinstance(image, Image.Image) and (isinstance(image, Picture | CompressedImage) or is_file_like(image))


def _in_srgb(picture: Picture) -> Picture:
    pixels = picture.pixels.copy()
    to_srgb(pixels, picture.metadata)
    return replace(picture, pixels=pixels, metadata=picture.metadata.without_color())


def _size_of_file(compressed: ImageLike | CompressedImage, picture: Picture) -> int | None:
    if not isinstance(compressed, CompressedImage):
        return picture.n_bytes
    if len(compressed.palette) > PNG_MAX_COLORS:
        return None
    return len(compressed.to_bytes())


def _psnr_of(error: float) -> float:
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def _mse(original: Pixels, compressed: Pixels) -> float:
    """Mean of squared differences; every partial sum is a whole number below 2**53, so exact."""
    channels = max(original.shape[2], compressed.shape[2])
    height, width = original.shape[:2]
    total = 0.0
    for tile in tiles(height, width):
        difference = samples_of(original[tile], channels)
        difference -= samples_of(compressed[tile], channels)
        total += float(np.vdot(difference, difference))
    return total / float(height * width * channels)


def _fits(picture: Picture, side: int) -> bool:
    return min(picture.height, picture.width) >= side


def _require_side(picture: Picture, metric: str, side: int) -> None:
    if not _fits(picture, side):
        raise KmcValueError(
            f"the pictures have {picture.width} x {picture.height} pixels and {metric} needs {side} x {side}; "
            "give pictures of at least that size, or use MSE or PSNR"
        )


def _perceptual(first: Picture, second: Picture, chosen: set[str]) -> dict[str, float]:
    """Take the measures that were chosen and that the size of the pictures allows."""
    found = {}
    if "ciede2000" in chosen:
        found["ciede2000"], found["ciede2000_p95"] = _ciede2000(first, second)
    if "ms_ssim" in chosen and _fits(first, MS_SSIM_SIDE):
        found["ms_ssim"] = _ms_ssim(first, second)
    if "ssimulacra2" in chosen and _fits(first, SSIMULACRA2_SIDE):
        found["ssimulacra2"] = _ssimulacra2(first, second)
    return found


def _ciede2000(first: Picture, second: Picture) -> tuple[float, float]:
    pairs = pairs_on_backgrounds(first.pixels, second.pixels)
    means, percentiles = zip(*(color_difference.ciede2000(*pair) for pair in pairs), strict=True)
    return max(means), max(percentiles)


def _ms_ssim(first: Picture, second: Picture) -> float:
    return min(similarity.ms_ssim(*pair) for pair in pairs_on_backgrounds(first.pixels, second.pixels))


def _ssimulacra2(first: Picture, second: Picture) -> float:
    from ssimulacra2 import compute_ssimulacra2

    pairs = pairs_on_backgrounds(first.pixels, second.pixels)
    return min(float(compute_ssimulacra2(*(_as_file(pixels) for pixels in pair))) for pair in pairs)


def _as_file(pixels: Pixels) -> io.BytesIO:
    """Write a file that is quick to read: the package takes nothing else."""
    file = io.BytesIO()
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, "PPM")
    file.seek(0)
    return file
