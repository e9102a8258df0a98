"""Which seals that do not hold stand where one is due, and which only bear such a name. Pure.

A name is whatever somebody gave to something: what it says of records counts only as far as seals
that hold, or write-ahead files, leave a place for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

Span = tuple[int, int]
"""(first record, count) in the name of a seal."""


def standing(good: Iterable[Span], bad: Collection[Span]) -> tuple[set[Span], list[Span]]:
    """Bad seals that fill gaps between good ones, and those that may stand behind the last.

    Args:
        good: spans of seals that hold.
        bad: spans in the names of those that do not.

    Returns:
        The spans that together fill a whole gap; and those that lead on from the end of the last
        good seal, in order, whose ends nothing here proves.
    """
    filling: set[Span] = set()
    at = 0
    for first, count in sorted(good):
        if first > at:
            ways = _ways(bad, at, first)
            if any(start + length == first for start, length in ways):
                filling.update(ways)
        at = max(at, first + count)
    return filling, _ways(bad, at, None)


def reached(behind: Iterable[Span], sealed: int, firsts: Iterable[int]) -> int:
    """Where unsealed records begin: a write-ahead file says so, behind seals that are bad or not.

    Args:
        behind: bad seals that lead on from the last good one.
        sealed: where that one ends.
        firsts: first records of write-ahead files.
    """
    ends = {sealed, *(first + count for first, count in behind)}
    return min((first for first in firsts if first in ends), default=sealed)


def _ways(bad: Collection[Span], start: int, end: int | None) -> list[Span]:
    """Spans that lead on from a record, one after the other, and not beyond another."""
    ends = {start}
    found = []
    for first, count in sorted(bad):
        if first in ends and count and (end is None or first + count <= end):
            ends.add(first + count)
            found.append((first, count))
    return found
