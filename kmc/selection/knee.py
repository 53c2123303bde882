"""Which k: rows of figures by ascending k -> the place of the one to take, and why in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kmc.errors import KmcQualityError
from kmc.selection.k_selection import KScore

__all__ = ["best_by", "elbow", "first_reaching"]

Choice = tuple[int, str]

# An error of half a level: nobody sees less, and the logarithm of 0 is not a number.
LEAST_MSE = 0.25
# How many times steeper the curve is before a knee than behind it, and how far below the straight line it lies.
# Pictures of 3 to 12 colours with noise reach 3 to 20 and 0.15 to 0.6, photographs 0.9 to 1.5 and 0.05 to 0.15: there
# the error falls by about the same share with every doubling of k.
LEAST_TURN = 2.0
LEAST_BEND = 0.1
# Where nothing bends: from about here on few people see at first sight that colours are missing.
GOOD_PSNR = 30.0


def elbow(scores: Sequence[KScore]) -> Choice:
    """Find the knee of the curve of the error (Satopaa et al. 2011): log2 MSE over log2 k.

    Both axes are scaled to 0 to 1; the knee is where the curve lies farthest below the straight line from its first
    point to its last. Where the curve is not `LEAST_TURN` times as steep before that point as behind it, or less than
    `LEAST_BEND` below that line, there is no knee, and the smallest k of `GOOD_PSNR` is taken, or the largest k.

    References
    ----------
    Satopaa, Albrecht, Irwin and Raghavan, "Finding a 'kneedle' in a haystack: detecting knee points in system
    behavior", 2011.
    """
    if scores[0].mse <= LEAST_MSE:
        return 0, f"already k = {scores[0].k} leaves next to no error"
    knee = _knee(scores)
    if knee:
        return knee, (
            f"the curve of the error bends most at k = {scores[knee].k}: fewer colours cost much, more gain little"
        )
    good = [place for place, score in enumerate(scores) if score.psnr >= GOOD_PSNR]
    if good:
        return good[0], (
            f"the error falls evenly with k, without an elbow; k = {scores[good[0]].k} is the first of "
            f"{GOOD_PSNR:.0f} dB PSNR"
        )
    return len(scores) - 1, (
        f"the error falls evenly with k, without an elbow, and no k reaches {GOOD_PSNR:.0f} dB PSNR: "
        "the largest was taken"
    )


def _knee(scores: Sequence[KScore]) -> int:
    """Give the place of the knee, 0 if there is none."""
    across = np.log2([score.k for score in scores])
    down = -np.log2([max(score.mse, LEAST_MSE) for score in scores])
    if len(scores) < 3 or down[-1] <= down[0]:
        return 0
    bends = (down - down[0]) / (down[-1] - down[0]) - (across - across[0]) / (across[-1] - across[0])
    knee = int(np.argmax(bends))
    if not 0 < knee < len(scores) - 1 or bends[knee] < LEAST_BEND:
        return 0
    before, behind = np.diff(down)[knee - 1 : knee + 1] / np.diff(across)[knee - 1 : knee + 1]
    return knee if before >= LEAST_TURN * behind else 0


def best_by(scores: Sequence[KScore], field: str, name: str, lowest: bool = False) -> Choice:
    """Find the highest (or lowest) figure; of equal ones that of the smallest k."""
    known = [(place, getattr(score, field)) for place, score in enumerate(scores) if getattr(score, field) is not None]
    if not known:
        return 0, f"no k gives two clusters or more to compare by the {name}, so the smallest was taken"
    place, value = min(known, key=lambda pair: pair[1] if lowest else -pair[1])
    return place, f"the {name} is {'lowest' if lowest else 'highest'} at k = {scores[place].k}: {value:.4g}"


def first_reaching(n: int, guess: int, reaches: Callable[[int], bool], complaint: Callable[[], str]) -> int:
    """Find the first of `n` places that reaches a target, looking from a guess on.

    Raises
    ------
    KmcQualityError
        None does.
    """
    place = guess
    while place < n and not reaches(place):
        place += 1
    if place == n:
        raise KmcQualityError(complaint())
    while place > 0 and reaches(place - 1):
        place -= 1
    return place
