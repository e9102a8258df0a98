"""Which records stand in which file of the working copy. Pure.

A part is an immutable file of consecutive records of one period, the calendar month (UTC) in
which they were *recorded*: recording order is log order, so a period is a run of the log and an
erasure or a rebuild touches a known few files. Event time would scatter one import over years of
periods. A part holds at most `PART_RECORDS` records, so that rebuilding one is seconds, not the
whole month; small ones at the end of the log are merged as they pile up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

GROUP = 2_048
"""Records of one skip bitmap; also one DuckDB vector."""

PART_RECORDS = 120 * GROUP
"""Most records of one part: two DuckDB row groups."""

_NAME = re.compile(r"(\d{4}-\d{2})\.(\d{15})-(\d{15})\.duckdb")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One file of the working copy.

    Attributes:
        first: index of its first record.
        end: index just behind its last record.
        period: month they were recorded in, ``YYYY-MM``.
    """

    first: int
    end: int
    period: str

    @property
    def count(self) -> int:
        """Number of records."""
        return self.end - self.first

    @property
    def file_name(self) -> str:
        """Its file name, which tells range and period and nothing else."""
        return f"{self.period}.{self.first:015d}-{self.end:015d}.duckdb"


def parse_name(name: str) -> Part | None:
    """The part a file name stands for, or None."""
    match = _NAME.fullmatch(name)
    if match is None or int(match[2]) >= int(match[3]):
        return None
    return Part(int(match[2]), int(match[3]), match[1])


def period_of(recorded_us: int) -> str:
    """Calendar month (UTC) of a moment in microseconds since 1970, ``YYYY-MM``."""
    try:
        return (_EPOCH + timedelta(microseconds=recorded_us)).strftime("%Y-%m")
    except OverflowError:
        return "9999-12" if recorded_us > 0 else "0001-01"


def cover(found: Iterable[Part], end: int) -> list[Part]:
    """Parts below `end` that do not overlap, the longest at each start; the rest is stale."""
    chosen: list[Part] = []
    for part in sorted(found, key=lambda part: (part.first, -part.end)):
        if part.end <= end and part.first >= (chosen[-1].end if chosen else 0):
            chosen.append(part)
    return chosen


def gaps(parts: Sequence[Part], end: int) -> list[tuple[int, int]]:
    """Ranges [first, end) of records that no part holds, in order."""
    missing: list[tuple[int, int]] = []
    at = 0
    for part in parts:
        if part.first > at:
            missing.append((at, part.first))
        at = part.end
    return missing + ([(at, end)] if at < end else [])


def merge_tail(parts: Sequence[Part], fresh: Part) -> list[Part]:
    """Parts at the end that `fresh` should swallow, so that only few small ones remain.

    A part is swallowed while it is of the same period, the result stays within `PART_RECORDS`,
    and it is at most twice what is swallowed already: each record is rewritten O(log n) times.
    """
    swallowed: list[Part] = []
    first = fresh.first
    for part in reversed(parts):
        grown = fresh.end - part.first
        if part.period != fresh.period or grown > PART_RECORDS:
            break
        if part.count > 2 * (fresh.end - first):
            break
        swallowed.append(part)
        first = part.first
    return swallowed[::-1]


def split_runs(first: int, recorded_us: Sequence[int]) -> list[Part]:
    """Cut consecutive records into runs of one period each."""
    runs: list[Part] = []
    start, period = first, period_of(recorded_us[0]) if recorded_us else ""
    for index, moment in enumerate(recorded_us, first):
        here = period_of(moment)
        if here != period or index - start >= PART_RECORDS:
            runs.append(Part(start, index, period))
            start, period = index, here
    if recorded_us:
        runs.append(Part(start, first + len(recorded_us), period))
    return runs
