"""The space in which distance between colours is measured: colors (u, c) uint8 -> points (u, d) and back.

"srgb"   8-bit values as they are: least MSE.
"oklab"  lightness and two axes of colour in which equal distances look about equally far (Ottosson, "A perceptual color
         space for image processing", 2020), times 255. Grey has one axis: its points are (lightness,).
"ycc"    of RGBA alone: lightness and two axes of colour of premultiplied sRGB, times 255. A linear map, which holds on
         any background; halfway between sRGB and distances that a luma and weaker axes of colour give.

With alpha a distance is the mean of what is seen on black and on white, where a premultiplied value v with alpha a
differs by dv and by dv - da: (dv^2 + (dv - da)^2) / 2 = (dv - da / 2)^2 + (da / 2)^2. So the points have v - a / 2 for
each value that the background changes, and alpha with the weight of their number. They are scaled so that in sRGB they
are whole numbers, exact in float32.

The engine for pictures takes grey and RGB on a grid of 8 bits: :func:`grid_of`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmc import _kernels, _threads
from kmc.histogram import ColorHistogram

__all__ = ["SPACES", "centroids_of_grid", "colors_of", "colors_of_premultiplied", "grid_of", "points_of"]

SPACES = ("srgb", "oklab")

Colors = NDArray[np.uint8]
Points = NDArray[Any]
Centroids = NDArray[np.float64]


def _linear_light(level: float) -> float:
    """Give the light of a level from 0 to 255, 0 to 1 (IEC 61966-2-1)."""
    value = level / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


LINEAR = np.array([_linear_light(level) for level in range(256)], dtype=np.float32)
# Light above the i-th of these is at least level i + 1.
BETWEEN_LEVELS = np.array([_linear_light(level + 0.5) for level in range(255)])

# Of Ottosson's article: Oklab to the cube roots of cone responses, and cone responses to linear sRGB.
CONES_OF_OKLAB = np.array(
    [
        [1.0, 1.0, 1.0],
        [0.3963377774, -0.1055613458, -0.0894841775],
        [0.2158037573, -0.0638541728, -1.2914855480],
    ]
)
RGB_OF_CONES = np.array(
    [
        [4.0767416621, -1.2684380046, -0.0041960863],
        [-3.3077115913, 2.6097574011, -0.7034186147],
        [0.2309699292, -0.3413193965, 1.7076147010],
    ]
)

# Of sRGB to lightness and two axes of colour, and back. A distance, squared, is a sixth of r^2 + g^2 + b^2 + 3 y^2 +
# 0.64 (r - y)^2 + 0.64 (b - y)^2, where y is the luma of Rec. 601. dither.h has the same, in whole numbers.
YCC_OF_SRGB = np.array([[1295, 1705, 0], [1885, -816, -1644], [916, -889, 1644]]) / 4096
SRGB_OF_YCC = np.array(
    [
        [1.0, 1.0, 1.0],
        [1.6428152493, -0.7595307918, -0.7595307918],
        [0.3311817254, -0.9678971252, 1.5235870597],
    ]
)
OKLAB_SCALE = 255
# What makes a and b non-negative.
GRID_OFFSET = np.array([0.0, 128, 128])
# Of alpha in sRGB, where three values change with the background: sqrt(3), rounded to what keeps points exact.
ALPHA_WEIGHT = 1.75


def points_of(colors: Colors, space: str = "srgb", threads: int = 1) -> Points:
    """Give the points of colours.

    Parameters
    ----------
    colors : ndarray (u, c) uint8, c = 1, 3 or 4
    space : {"srgb", "oklab"}
    threads : int
        Changes the time only.

    Returns
    -------
    points : ndarray (u, c)
        sRGB: uint8 for grey and RGB, which are returned as they are; float32 from -65025 to 113794 for RGBA, which is
        510 times the distance. Oklab: float32, lightness from 0 to 255.
    """
    if space == "oklab":
        return _oklab(colors, threads)
    if colors.shape[1] != 4:
        return colors
    if space == "ycc":
        return _ycc(colors)
    alpha = 255 * colors[:, 3].astype(np.float32)
    points = colors.astype(np.float32)
    points[:, :3] *= 2 * points[:, 3:]
    points[:, :3] -= alpha[:, np.newaxis]
    points[:, 3] = ALPHA_WEIGHT * alpha
    return points


def _oklab(colors: Colors, threads: int) -> NDArray[np.float32]:
    channels = colors.shape[1]
    rgb = np.repeat(colors, 3, axis=1) if channels == 1 else colors
    points = np.empty(rgb.shape, dtype=np.float32)
    _kernels.oklab(rgb, LINEAR, points, _threads.for_work(threads, 16 * colors.size))
    points *= np.float32(OKLAB_SCALE)
    if channels == 4:
        points[:, 3] /= 2
        points[:, 0] -= points[:, 3]
    return np.ascontiguousarray(points[:, :channels])


def _ycc(colors: Colors) -> NDArray[np.float32]:
    alpha = colors[:, 3:] / 255
    points = np.empty(colors.shape, dtype=np.float32)
    points[:, :3] = _product(colors[:, :3] * alpha, YCC_OF_SRGB)
    points[:, 3] = 127.5 * alpha[:, 0]
    points[:, 0] -= points[:, 3]
    return points


def colors_of(centroids: Centroids, space: str = "srgb") -> Colors:
    """Give the 8-bit colours nearest to centroids in the space of :func:`points_of`.

    Parameters
    ----------
    centroids : ndarray (k, c) float64
    space : {"srgb", "oklab"}

    Returns
    -------
    colors : ndarray (k, c) uint8
        Straight alpha. A colour that rounds to alpha 0 is (0, 0, 0, 0).
    """
    if centroids.shape[1] != 4:
        return _levels_of_oklab(centroids) if space == "oklab" else _round(centroids)
    return colors_of_premultiplied(*_straight(centroids, space), space)


def colors_of_premultiplied(values: Centroids, alphas: NDArray[np.float64], space: str) -> Colors:
    """Give the RGBA nearest to values (k, 3) times alpha, in the scale of points without it, and alphas from 0 to 1."""
    colors = np.zeros((len(values), 4), dtype=np.uint8)
    colors[:, 3] = _round(255 * alphas)
    seen = colors[:, 3] > 0
    colors[seen, :3] = _levels_of(values[seen] / alphas[seen, np.newaxis], space)
    return colors


def _straight(centroids: Centroids, space: str) -> tuple[Centroids, NDArray[np.float64]]:
    """Give premultiplied values (k, 3), in the scale of points without alpha, and alpha (k,) from 0 to 1."""
    values = centroids[:, :3].copy()
    if space != "srgb":
        values[:, 0] += centroids[:, 3]
        return values, centroids[:, 3] * (2 / OKLAB_SCALE)
    alphas = centroids[:, 3] / (ALPHA_WEIGHT * 255 * 255)
    return (values / 255 + 255 * alphas[:, np.newaxis]) / 2, alphas


def _levels_of(values: Centroids, space: str) -> Colors:
    if space == "oklab":
        return _levels_of_oklab(values)
    return _round(_product(values, SRGB_OF_YCC) if space == "ycc" else values)


def _round(values: NDArray[np.float64]) -> Colors:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _levels_of_oklab(centroids: Centroids) -> Colors:
    """Give RGB (k, 3), or grey (k, 1) of lightness alone; what sRGB does not have is cut off."""
    lab = np.zeros((len(centroids), 3))
    lab[:, : centroids.shape[1]] = centroids / OKLAB_SCALE
    cones = _product(lab, CONES_OF_OKLAB)
    light = _product(cones * cones * cones, RGB_OF_CONES)
    levels: Colors = np.searchsorted(BETWEEN_LEVELS, light[:, : centroids.shape[1]]).astype(np.uint8)
    return levels


def _product(rows: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each row by the matrix, in one order on every machine, which BLAS does not promise."""
    first, second, third = (rows[:, i, np.newaxis] * matrix[i] for i in range(3))
    product: NDArray[np.float64] = first + second + third
    return product


def grid_of(histogram: ColorHistogram, space: str, threads: int = 1) -> tuple[Colors, NDArray[np.int64]]:
    """Give points (m, c) uint8 for the engine, in the order of their keys, and how many pixels each stands for.

    Of grey and RGB. In sRGB these are the colours. In Oklab points are rounded to a grid of 8 bits, about as fine as
    the colours themselves; what falls together is joined.
    """
    colors, counts = histogram.colors, histogram.counts
    if space == "srgb":
        return colors, counts
    points = points_of(colors, space, threads)
    if colors.shape[1] == 1:
        levels, own = np.unique(_round(points[:, 0]), return_inverse=True)
        sums = np.zeros(len(levels), dtype=np.int64)
        np.add.at(sums, own, counts)
        return levels[:, np.newaxis], sums
    grid = np.empty_like(colors)
    _kernels.oklab_grid(points, grid, _threads.for_work(threads, 16 * colors.size))
    joined, _, index = _kernels.count_colors(grid, threads)
    return joined, _kernels.sum_counts(grid, counts, index, len(joined))


def centroids_of_grid(centroids: Centroids, space: str) -> Centroids:
    """Bring centroids of :func:`grid_of` to the space of :func:`points_of`."""
    if space == "srgb":
        return centroids
    moved: Centroids = centroids - GRID_OFFSET[: centroids.shape[1]]
    return moved
