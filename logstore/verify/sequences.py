"""Which sequence numbers a source has used: gaps mean records lost before they were captured. Pure.

Numbers may arrive out of order and in any portion; what is kept is a short list of runs.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_RUNS = 10_000
"""Runs kept for one source; numbers so scattered say nothing about gaps."""

Run = tuple[int, int]
"""First and last number of a run without gaps."""


class Sequence:
    """The numbers one source has used.

    Attributes:
        runs: disjoint runs, ascending, not touching each other.
        repeated: how often a number came again.
        scattered: there were too many runs to keep; `runs` is empty.
    """

    __slots__ = ("repeated", "runs", "scattered")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.repeated = 0
        self.scattered = False

    def add(self, numbers: Iterable[int]) -> None:
        """Take numbers in any order."""
        given = sorted(numbers)
        if given:
            self._merge(_runs(given), len(given))

    def merge(self, other: Sequence) -> None:
        """Take another portion of the same source."""
        self.repeated += other.repeated
        self.scattered |= other.scattered
        if other.runs:
            self._merge(other.runs, _count(other.runs))

    def gaps(self) -> list[Run]:
        """Runs of numbers that are missing between the first and the last one seen."""
        pairs = zip(self.runs, self.runs[1:], strict=False)
        return [(left[1] + 1, right[0] - 1) for left, right in pairs]

    def _merge(self, runs: list[Run], count: int) -> None:
        if self.scattered:
            self.runs = []
            return
        before = _count(self.runs)
        if self.runs and runs[0][0] > self.runs[-1][0]:
            tail = self.runs.pop()  # the usual case: numbers go on where they stood
            self.runs += _joined([tail, *runs])
        else:
            self.runs = _joined(sorted([*self.runs, *runs]))
        self.repeated += before + count - _count(self.runs)
        if len(self.runs) > MAX_RUNS:
            self.scattered, self.runs = True, []


def _runs(ascending: list[int]) -> list[Run]:
    first, last = ascending[0], ascending[-1]
    if last - first == len(ascending) - 1 and len(set(ascending)) == len(ascending):
        return [(first, last)]
    return _joined([(number, number) for number in ascending])


def _joined(ascending: list[Run]) -> list[Run]:
    joined = [ascending[0]]
    for first, last in ascending[1:]:
        start, end = joined[-1]
        if first <= end + 1:
            joined[-1] = (start, max(end, last))
        else:
            joined.append((first, last))
    return joined


def _count(runs: list[Run]) -> int:
    return sum(last - first + 1 for first, last in runs)
