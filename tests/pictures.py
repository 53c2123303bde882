"""Small generated pictures for the tests: the same ones for the same arguments, everywhere."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def _in_shape(pixels: Pixels, channels: int) -> Pixels:
    """One channel as (h, w), more as (h, w, c)."""
    return np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)


def gradient(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Smooth ramps, each channel in a direction of its own; nearly every pixel another colour."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    share = rng.random(channels)
    ramps = share * rows[..., np.newaxis] + (1 - share) * columns[..., np.newaxis]
    return _in_shape(np.rint(ramps * 255).astype(np.uint8), channels)


def photograph(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Correlated noise of several scales, as rough as a photograph; the fourth channel is alpha."""
    rng = np.random.default_rng(seed)
    field = np.zeros((height, width, channels))
    for octave in range(1, 6):
        coarse = rng.integers(0, 256, size=(2**octave, 2**octave, channels), dtype=np.uint8)
        for channel in range(channels):
            layer = Image.fromarray(coarse[..., channel])
            layer = layer.resize((width, height), Image.Resampling.BICUBIC)
            field[..., channel] += np.asarray(layer) / 2.0**octave
    field += rng.normal(0, 2, size=field.shape)
    return _in_shape(np.clip(np.rint(field), 0, 255).astype(np.uint8), channels)


def few_colors(height: int, width: int, k: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Exactly `k` distinct colours, strewn about; `height * width` must be at least `k`.

    At four channels no two colours are both entirely transparent.
    """
    rng = np.random.default_rng(seed)
    palette = np.empty((k, channels), dtype=np.uint8)
    codes = rng.choice(256 ** min(channels, 3), size=k, replace=False)
    for channel in range(min(channels, 3)):
        palette[:, channel] = codes >> (8 * channel) & 255
    if channels == 4:
        palette[:, 3] = rng.integers(1, 256, size=k)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, size=height * width - k)])
    return _in_shape(palette[rng.permutation(labels)].reshape(height, width, channels), channels)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Every sample at random; with alpha, a third of the pixels is entirely transparent."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(height, width, channels), dtype=np.uint8)
    if channels == 4:
        pixels[rng.random((height, width)) < 1 / 3, 3] = 0
    return _in_shape(pixels, channels)


def file_bytes(image: Pixels | Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()
