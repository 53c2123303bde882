"""How much a compressed picture differs from its original, and what it saves.

In:  two pictures of the same size, each in any form that :func:`kmc.load.load` takes, or a
     :class:`~kmc.compressed_image.CompressedImage`.
Out: :class:`Evaluation`; or one number from :func:`mse`, :func:`psnr` or :func:`ssim`.

All measures are taken on the 8-bit samples. Of two pictures with different channels the poorer is
brought to the richer: grey becomes RGB, what has no alpha becomes opaque. The colour of an entirely
transparent pixel cannot be seen and counts as (0, 0, 0, 0) on both sides.

The pictures are read tile by tile, so that the working memory (about 6 MiB) does not grow with
them. Two threads over the tiles were tried and were no faster than one.

Reference: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kmc.compressed_image import CompressedImage
from kmc.encode import PNG_MAX_COLORS
from kmc.errors import KmcValueError
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load

__all__ = ["Evaluation", "evaluate", "mse", "psnr", "ssim"]

Pixels: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float64]

# Measured on 2 megapixels, RGB: 32x256 to 128x512 pixels within 10 % of each other, whole rows of
# 2560 pixels 1.4 times as long. With them ssim() took a third of scikit-image's time.
TILE_ROWS = 64
TILE_COLUMNS = 256

# The window of Wang et al., as scikit-image cuts it off: sigma 1.5, 3.5 sigma on either side.
RADIUS = 5
WINDOW = 2 * RADIUS + 1
WEIGHTS: Samples = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / 1.5) ** 2)
WEIGHTS /= WEIGHTS.sum()

PEAK = 255.0
C1 = (0.01 * PEAK) ** 2
C2 = (0.03 * PEAK) ** 2


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
            "colours": f"{self.colors_original:,d} -> {self.colors_compressed:,d}",
            "bytes": f"{before} -> {after}",
            "bits per pixel": show(self.bits_per_pixel, ".3f"),
            "compression ratio": show(self.compression_ratio, ".2f"),
        }
        return "\n".join(f"{name:18} {text}" for name, text in lines.items())


def evaluate(original: ImageLike, compressed: ImageLike | CompressedImage) -> Evaluation:
    """Compare a compressed picture with its original.

    Parameters
    ----------
    original : path, open binary file, bytes, PIL image, array or Picture
        See :func:`kmc.load.load`.
    compressed : the same, or CompressedImage
        A picture of the same height and width.

    Returns
    -------
    Evaluation

    Raises
    ------
    KmcValueError
        The pictures differ in size, or one of them cannot be used (see :func:`kmc.load.load`).
    KmcTypeError
        One of them is nothing that holds a picture.
    KmcFileError, KmcFileNotFoundError
        A file cannot be read as a picture, or is not there.

    Examples
    --------
    >>> import numpy as np
    >>> from kmc.evaluate import evaluate
    >>> original = np.zeros((16, 16, 3), dtype=np.uint8)
    >>> compressed = original + np.uint8(2)
    >>> evaluation = evaluate(original, compressed)
    >>> evaluation.mse, round(evaluation.psnr, 2), evaluation.colors_compressed
    (4.0, 42.11, 1)
    """
    first, second = _load_pair(original, compressed)
    error = _mse(first.pixels, second.pixels)
    n_pixels = first.height * first.width
    bytes_compressed = _size_of_file(compressed, second)
    return Evaluation(
        mse=error,
        psnr=_psnr_of(error),
        ssim=_ssim(first.pixels, second.pixels) if _fits_window(first) else None,
        colors_original=len(ColorHistogram.from_pixels(first.pixels)),
        colors_compressed=len(ColorHistogram.from_pixels(second.pixels)),
        bits_per_pixel=8 * bytes_compressed / n_pixels if bytes_compressed else None,
        bytes_original=first.n_bytes,
        bytes_compressed=bytes_compressed,
        compression_ratio=(first.n_bytes / bytes_compressed if first.n_bytes and bytes_compressed else None),
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
    if not _fits_window(first):
        raise KmcValueError(
            f"the pictures have {first.width} x {first.height} pixels and SSIM looks at windows of "
            f"{WINDOW} x {WINDOW}; give pictures of at least that size, or use MSE or PSNR"
        )
    return _ssim(first.pixels, second.pixels)


def _load_pair(original: ImageLike, compressed: ImageLike | CompressedImage) -> tuple[Picture, Picture]:
    first = load(original, name="original")
    image = compressed.image if isinstance(compressed, CompressedImage) else compressed
    second = load(image, name="compressed")
    if (first.height, first.width) != (second.height, second.width):
        raise KmcValueError(
            f"original has {first.width} x {first.height} pixels and compressed {second.width} x "
            f"{second.height}; only pictures of the same size can be compared, so resize one"
        )
    return first, second


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
    for tile in _tiles(height, width, overlap=0):
        difference = _samples(original[tile], channels)
        difference -= _samples(compressed[tile], channels)
        total += float(np.vdot(difference, difference))
    return total / float(height * width * channels)


def _fits_window(picture: Picture) -> bool:
    return min(picture.height, picture.width) >= WINDOW


def _ssim(original: Pixels, compressed: Pixels) -> float:
    """Mean of the local similarity over all places where the window lies in the picture."""
    channels = max(original.shape[2], compressed.shape[2])
    height, width = (length - 2 * RADIUS for length in original.shape[:2])
    total = 0.0
    for tile in _tiles(height, width, overlap=2 * RADIUS):
        x = _samples(original[tile], channels)
        y = _samples(compressed[tile], channels)
        total += float(_similarity(x, y, channels).sum())
    return total / float(height * width * channels)


def _tiles(height: int, width: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, TILE_ROWS):
        bottom = min(top + TILE_ROWS, height) + overlap
        for left in range(0, width, TILE_COLUMNS):
            yield slice(top, bottom), slice(left, min(left + TILE_COLUMNS, width) + overlap)


def _samples(pixels: Pixels, channels: int) -> Samples:
    """Give (h, w, 1, 3 or 4) pixels as (h, w * channels) float64, channels interleaved."""
    height, width = pixels.shape[:2]
    samples = np.empty((height, width, channels))
    samples[..., :3] = pixels[..., :3]  # grey is broadcast to the three
    if pixels.shape[2] == 4:
        samples[..., 3] = pixels[..., 3]
        samples[pixels[..., 3] == 0] = 0
    elif channels == 4:
        samples[..., 3] = PEAK
    return samples.reshape(height, width * channels)


def _similarity(x: Samples, y: Samples, channels: int) -> Samples:
    """SSIM at every place where the window lies in the tile; `x` and `y` are overwritten.

    The variances of x and y appear only as their sum, so that four blurred maps do. Identical
    tiles give exactly 1: every rounding in the numerator is then that in the denominator.
    """
    mean_x, mean_y, covariance = (_blur(samples, channels) for samples in (x, y, x * y))
    x *= x
    y *= y
    x += y
    variances = _blur(x, channels)

    mean_product = mean_x * mean_y
    mean_x *= mean_x
    mean_y *= mean_y
    mean_squares = mean_x
    mean_squares += mean_y
    covariance -= mean_product
    variances -= mean_squares

    similarity = 2 * mean_product + C1
    similarity *= 2 * covariance + C2
    mean_squares += C1
    variances += C2
    similarity /= mean_squares * variances
    return similarity


def _blur(samples: Samples, channels: int) -> Samples:
    """Weighted means of all windows: (h, w * channels) -> (h - 10, (w - 10) * channels)."""
    height, width = samples.shape
    height -= 2 * RADIUS
    width -= 2 * RADIUS * channels
    columns = _weighted_sum([samples[i : i + height] for i in range(WINDOW)])
    return _weighted_sum([columns[:, i : i + width] for i in range(0, WINDOW * channels, channels)])


def _weighted_sum(shifted: list[Samples]) -> Samples:
    """Sum of the eleven shifted views times WEIGHTS, which are symmetric: add first, then scale."""
    total: Samples = shifted[RADIUS] * WEIGHTS[RADIUS]
    pair = np.empty_like(total)
    for i in range(RADIUS):
        np.add(shifted[i], shifted[-1 - i], out=pair)
        pair *= WEIGHTS[i]
        total += pair
    return total
