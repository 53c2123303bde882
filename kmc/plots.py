"""Plots by matplotlib (the extra ``plot``): a selection's curve; a picture's palette, cloud of colours and errors."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmc.compressed_image import CompressedImage
from kmc.errors import KmcImportError, KmcTypeError, KmcValueError
from kmc.histogram import ColorHistogram
from kmc.load import ImageLike, Picture, load
from kmc.metrics.error_map import error_map
from kmc.notebook import hex_codes, shares_of
from kmc.selection.k_selection import KSelection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_colors", "plot_compressed", "plot_errors", "plot_palette", "plot_selection", "selection_file"]

# Of Okabe and Ito's colours, which most people can tell apart, those that show on white and on black.
BLUE, ORANGE = "#0a84c8", "#d55e00"
MOST_CLOUD_COLORS = 8000  # more hide each other and take seconds to draw
LEAST_LABELLED_SHARE = 0.045  # of the strip's width; a code needs that much room


def plot_selection(selection: KSelection, ax: Axes | None = None) -> Axes:
    """Draw the error, and SSIM beside it, over k, both axes of colours and error logarithmic; mark the chosen k.

    Parameters
    ----------
    selection : KSelection
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KmcImportError
        matplotlib is not installed.
    """
    plt = _pyplot()
    ax = plt.subplots(figsize=(7, 4.2), layout="constrained")[1] if ax is None else ax
    assert ax is not None
    ks = [score.k for score in selection.scores]
    errors = [score.mse if score.mse > 0 else np.nan for score in selection.scores]
    similarity = [score.ssim for score in selection.scores]
    ax.plot(ks, errors, "o-", color=BLUE, markersize=4)
    ax.set_xscale("log", base=2)
    if np.isfinite(errors).any():
        ax.set_yscale("log")
    ax.set_xticks(_apart(ks), [str(k) for k in _apart(ks)])
    ax.minorticks_off()
    ax.set(xlabel="colours (k)")
    ax.set_ylabel("MSE", color=BLUE)
    ax.axvline(selection.k, color="0.5", linestyle="--", linewidth=1)
    ax.set_title(f"k = {selection.k} ({selection.method})", fontsize=11)
    if np.isfinite(similarity).any():
        beside = ax.twinx()
        beside.plot(ks, similarity, "s-", color=ORANGE, markersize=3, linewidth=1)
        beside.set_ylabel("SSIM", color=ORANGE)
        beside.spines["top"].set_visible(False)
    ax.spines["top"].set_visible(False)
    ax.grid(axis="y", alpha=0.25)
    return ax


def selection_file(selection: KSelection, kind: str) -> bytes:
    """Give the plot of a selection as a file of a kind that matplotlib writes, such as "png" or "svg"."""
    plt = _pyplot()
    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    plot_selection(selection, ax)
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150)
    plt.close(figure)
    return file.getvalue()


def plot_compressed(compressed: CompressedImage, original: ImageLike | Picture | None = None) -> Figure:
    """Draw a compressed picture, its palette with shares, the cloud of colours with the centroids, and the error map.

    Parameters
    ----------
    compressed : CompressedImage
    original : path, open binary file, bytes, PIL image or array, optional
        What was compressed. Without it there are no cloud of its colours and no error map.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    KmcImportError
        matplotlib is not installed.
    KmcValueError
        The pictures differ in size.
    """
    plt = _pyplot()
    picture = None if original is None else _loaded(original, compressed)
    panels = [["picture", "cloud"], ["strip", "strip"]] if picture is None else PANELS
    figure: Figure
    figure, axes = plt.subplot_mosaic(
        panels,
        figsize=(9, 5) if picture is None else (11, 7.5),
        height_ratios=[1, 0.13] if picture is None else [1, 1, 0.16],
        per_subplot_kw={"cloud": {"projection": "3d"}},
        layout="constrained",
    )
    if picture is not None:
        _show(axes["original"], picture.pixels, "original")
        plot_errors(compressed, picture, axes["errors"])
    error = "no loss" if compressed.lossless else f"PSNR {compressed.psnr:.2f} dB"
    pixels = compressed.palette.colors[compressed.indices]
    _show(axes["picture"], pixels, f"{len(compressed.palette)} colours, {error}")
    plot_colors(compressed, picture, axes["cloud"])
    plot_palette(compressed, axes["strip"])
    return figure


PANELS = [["original", "picture"], ["errors", "cloud"], ["strip", "strip"]]


def plot_palette(compressed: CompressedImage, ax: Axes | None = None) -> Axes:
    """Draw the palette as a strip in which each colour is as wide as its share of the pixels."""
    plt = _pyplot()
    ax = plt.subplots(figsize=(9, 1.2), layout="constrained")[1] if ax is None else ax
    assert ax is not None
    shares = shares_of(compressed)
    codes = hex_codes(compressed.palette)
    starts = np.cumsum(shares) - shares
    ax.barh(0, shares, left=starts, color=codes, height=1)
    for code, share, start in zip(codes, shares, starts, strict=True):
        if share >= LEAST_LABELLED_SHARE:
            ax.text(start + share / 2, -0.58, f"{code}\n{share:.1%}", ha="center", va="top", fontsize=7)
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    ax.set_title(f"palette: {len(codes)} colours by share of the pixels", fontsize=10)
    ax.axis("off")
    return ax


def plot_colors(compressed: CompressedImage, original: ImageLike | Picture | None = None, ax: Any = None) -> Any:
    """Draw the cloud of colours in RGB, and the palette in it: spheres, the larger the more pixels they stand for.

    Parameters
    ----------
    compressed : CompressedImage
    original : path, open binary file, bytes, PIL image, array or Picture, optional
        The cloud is that of its colours; at most 8000 of them are drawn.
    ax : mpl_toolkits.mplot3d.Axes3D, optional

    Returns
    -------
    mpl_toolkits.mplot3d.Axes3D
    """
    plt = _pyplot()
    ax = plt.figure(figsize=(6, 6), layout="constrained").add_subplot(projection="3d") if ax is None else ax
    if not hasattr(ax, "get_zlim"):
        raise KmcTypeError(f"ax must have three dimensions, got {type(ax).__name__}; make it with projection='3d'")
    if original is not None:
        colors = ColorHistogram.from_pixels(_loaded(original, compressed).pixels).colors
        cloud = _rgb(colors[:: -(-len(colors) // MOST_CLOUD_COLORS)])
        ax.scatter(*cloud.T, c=cloud / 255, s=3, alpha=0.35, linewidths=0, depthshade=False)
    entries = _rgb(compressed.palette.colors)
    sizes = 25 + 600 * np.sqrt(shares_of(compressed)) * min(1, 16 / len(entries))
    ax.scatter(*entries.T, c=entries / 255, s=sizes, edgecolors="black", linewidths=0.7, depthshade=False)
    ax.set(xlabel="red", ylabel="green", zlabel="blue", xlim=(0, 255), ylim=(0, 255), zlim=(0, 255))
    ax.set_title("colours and centroids", fontsize=10)
    ax.tick_params(labelsize=7)
    ax.set_box_aspect(None, zoom=0.85)  # or the words at the axes are cut off
    return ax


def plot_errors(compressed: CompressedImage, original: ImageLike | Picture, ax: Axes | None = None) -> Axes:
    """Draw the error of every pixel, in 8-bit levels; the scale ends where one pixel in 200 is above."""
    plt = _pyplot()
    ax = plt.subplots(figsize=(7, 5), layout="constrained")[1] if ax is None else ax
    assert ax is not None
    errors = error_map(_loaded(original, compressed).pixels, compressed.palette.colors[compressed.indices])
    most = max(1.0, float(np.percentile(errors, 99.5)))
    drawn = ax.imshow(errors, cmap="inferno", vmin=0, vmax=most)
    ax.figure.colorbar(drawn, ax=ax, shrink=0.8, label="error in levels")
    ax.set_title("error map", fontsize=10)
    ax.axis("off")
    return ax


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise KmcImportError(
            "plots are drawn by matplotlib, which is not installed; install it with pip install 'kmc-image[plot]'"
        ) from None
    return plt


def _loaded(original: ImageLike | Picture, compressed: CompressedImage) -> Picture:
    picture = load(original, name="original")
    height, width = compressed.indices.shape
    if (picture.height, picture.width) != (height, width):
        raise KmcValueError(
            f"original has {picture.width} x {picture.height} pixels and the compressed picture {width} x {height}; "
            "give the picture that was compressed"
        )
    return picture


def _show(ax: Axes, pixels: NDArray[np.uint8], title: str) -> None:
    ax.imshow(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)
    ax.set_title(title, fontsize=10)
    ax.axis("off")


def _rgb(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.broadcast_to(colors[:, :3], (len(colors), 3))


def _apart(ks: list[int]) -> list[int]:
    """Those of ks, ascending, whose numbers do not touch on a log axis."""
    least = (np.log2(ks[-1]) - np.log2(ks[0])) / 16
    kept = ks[:1]
    for k in ks[1:]:
        if np.log2(k) - np.log2(kept[-1]) >= least:
            kept.append(k)
    return kept
