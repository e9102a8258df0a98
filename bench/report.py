"""How figures are shown: what was measured, beside what, and the ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        what: what was measured.
        value: the figure.
        unit: its unit.
        floor: name of the floor or peer measured in the same run.
        floor_value: its figure; 0 when there is none.
        aim: what the project wants, in words.
        higher_is_better: False for times and sizes.
    """

    what: str
    value: float
    unit: str
    floor: str = ""
    floor_value: float = 0.0
    aim: str = ""
    higher_is_better: bool = True

    @property
    def ratio(self) -> float:
        """How many times the floor or peer."""
        return self.value / self.floor_value if self.floor_value else 0.0

    def line(self) -> str:
        """The row as text."""
        ratio = f"{self.ratio:7.2f}x" if self.floor_value else " " * 8
        beside = f"{self.floor} {_figure(self.floor_value)}" if self.floor_value else self.floor
        return f"{self.what:<46} {_figure(self.value):>11} {self.unit:<10} {ratio}  {beside:<40} {self.aim}"


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rate(count: int, act: Callable[[], object]) -> float:
    """Items per second of one run."""
    start = time.perf_counter()
    act()
    return count / (time.perf_counter() - start)


def median_pairs(
    ours: Callable[[], float], theirs: Callable[[], float], runs: int = 3
) -> tuple[float, float]:
    """Medians of two measurements taken in turn, so that drift of the machine hits both."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def warm_ms(act: Callable[[], object], runs: int = 5) -> float:
    """Best of several warm runs, in milliseconds."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - start)
    return best * 1000
