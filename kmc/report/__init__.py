"""One self-contained HTML page on which a person looks at pictures with k colours and decides.

The way of a report: measure.py compresses each picture in every way and measures; shown.py makes what the page shows,
small enough to be in it; page.py fills page.html.j2 with it, and with page.css and page.js. Jinja2 is the extra
``report``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence

from kmc._validate import whole_number
from kmc.encode import check_target, write_atomically
from kmc.errors import KmcTypeError, KmcValueError
from kmc.load import ImageLike, Picture
from kmc.report.measure import measure_all
from kmc.report.page import require_jinja, write_page
from kmc.report.shown import show

__all__ = ["make_report"]

MOST_COLORS = 256


def make_report(
    images: Sequence[ImageLike | Picture],
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    ks: Iterable[int] | None = None,
    metrics: str | Collection[str] | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> int:
    """Write a page that shows pictures with few colours beside their originals.

    Each picture is compressed to every k in sRGB and in Oklab, with and without dithering. The page needs no network
    and has less than 5 MB for one picture, for n pictures about the square root of n times as much: what does not fit
    is shown smaller, with a detail at full size. All figures are of the full picture.

    Parameters
    ----------
    images : sequence of path, open binary file, bytes, PIL image or array
        One or more, as for :func:`kmc.compress`.
    path : path
        The file to write, wholly or not at all; an existing file is replaced.
    names : sequence of str, optional
        What the page calls the pictures; "picture 1" and so on by default.
    ks : iterable of int, optional
        Numbers of colours, each 1 to 256; by default 4, 8, 16, 32, 64, 256 and what :func:`kmc.choose_k` recommends.
    metrics : str or collection of str, optional
        As for :func:`kmc.evaluate`; by default "all" up to half a megapixel and "core" above.
    seed : int
        Of all chance.
    threads : int, optional
        Every core if left out.
    progress : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    int
        The size of the page in bytes.

    Raises
    ------
    KmcImportError
        Jinja2 is not installed.
    KmcValueError, KmcTypeError, KmcFileError
        One sentence: what came, what is accepted, what to do.
    """
    require_jinja()
    if isinstance(images, (str, bytes, os.PathLike)) or not isinstance(images, Sequence) or not images:
        raise KmcTypeError("images must be a sequence of one or more pictures; for one picture give [picture]")
    names = [f"picture {number}" for number in range(1, len(images) + 1)] if names is None else names
    if len(names) != len(images):
        raise KmcValueError(f"there are {len(images)} images and {len(names)} names; give one name for each picture")
    chosen_ks = None if ks is None else sorted({_checked_k(k) for k in ks})
    if chosen_ks == []:
        raise KmcValueError("ks is empty; give at least one number of colours, or leave it out")
    check_target(path)  # before the work and not only after it
    shown = []
    for image, name in zip(images, names, strict=True):
        measured = measure_all(image, name, chosen_ks, metrics, seed, threads, progress)
        shown.append(show(measured, n_pictures=len(images), threads=threads))
    content = write_page(shown).encode()
    write_atomically(path, content)
    return len(content)


def _checked_k(k: object) -> int:
    return whole_number("k", k, 1, MOST_COLORS, "a palette file holds up to 256 colours")
