"""How figures are shown: what was measured, beside what, and the ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        what: what was measured.
        value: the figure.
        unit: its unit.
        floor: name of the floor or peer measured in the same run.
        floor_value: its figure in the same unit; 0 when there is none.
        aim: what the project wants, in words.
    """

    what: str
    value: float
    unit: str
    floor: str = ""
    floor_value: float = 0.0
    aim: str = ""

    @property
    def ratio(self) -> float:
        """How many times the floor or peer; 0 when there is none."""
        return self.value / self.floor_value if self.floor_value else 0.0

    def line(self) -> str:
        """The row as text."""
        ratio = f"{self.ratio:.2f}x" if self.floor_value else ""
        beside = f"{self.floor} {_figure(self.floor_value)}" if self.floor_value else self.floor
        figure = _figure(self.value)
        return f"{self.what:<44} {figure:>9} {self.unit:<10} {ratio:>8}  {beside:<46} {self.aim}"


HEADING = (
    f"{'what':<44} {'figure':>9} {'unit':<10} {'ratio':>8}  {'beside, in the same run':<46} aim"
)
"""Stands above the rows."""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return float(statistics.median(values))


def turns(acts: Sequence[Callable[[], float]], runs: int) -> list[float]:
    """Medians of measurements taken in turn, so that drift of the machine hits all of them."""
    taken = [[act() for act in acts] for _ in range(runs)]
    return [median(values) for values in zip(*taken, strict=True)]


def spent(act: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def warm_ms(act: Callable[[], object], runs: int = 5) -> float:
    """Median of several runs after one that warms up, in milliseconds."""
    act()
    return median(spent(act) for _ in range(runs)) * 1000
