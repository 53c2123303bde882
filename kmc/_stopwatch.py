"""How long each stage took."""

from __future__ import annotations

from time import perf_counter

__all__ = ["Stopwatch"]


class Stopwatch:
    """Runs from the start; each lap is written down.

    Attributes
    ----------
    seconds : dict of str to float
        By name, in the order of the laps.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        """Write down the time since the last lap."""
        now = perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
