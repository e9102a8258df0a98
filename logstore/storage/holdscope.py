"""Which records a legal hold is to cover, from what a person asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from logstore.errors import UsageError
from logstore.formats.custody import Placed
from logstore.formats.leaf import parse

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

MOST_RANGES = 1_000
"""Most ranges of one hold: where there are more, the nearest are joined, which holds more."""

_RANGE = re.compile(r"(\d{1,15})(-(\d{0,15}))?")


def parse_records(said: str, review: str, then_days: int) -> Placed:
    """A scope from ``3``, ``10-20,31`` or ``100-`` (that one and all that come).

    Raises:
        UsageError: it is none.
    """
    spans, onward = [], None
    for word in said.split(","):
        match = _RANGE.fullmatch(word.strip())
        if match is None:
            raise UsageError(
                f"--records {said!r} names no records", todo="Say 3, 10-20,31 or 100-."
            )
        first = int(match[1])
        if match[3] == "":
            onward = first if onward is None else min(onward, first)
        else:
            spans.append((first, int(match[3] or match[1])))
    if any(last < first for first, last in spans):
        raise UsageError(f"--records {said!r} has a range that ends before it begins")
    return _scope(spans, onward, review, then_days)


def between(
    reader: LogReader, period: tuple[int | None, int | None], review: str, then_days: int
) -> Placed:
    """The scope of all records whose event lies in a period; what comes later too if it is open.

    Args:
        reader: of the log.
        period: first moment and the first one behind the last, microseconds since 1970 UTC; None
            for no bound. Without an end, every record that comes from now on is held.
        review: see `Placed.review`.
        then_days: see `Placed.then_days`.

    Raises:
        UsageError: no record is of that period, and none that comes can be.
        TamperingFound: an index object is missing or not the pinned bytes.
    """
    onward = reader.size if period[1] is None else None
    spans = _runs(_within(reader, *period))
    if not spans and onward is None:
        raise UsageError("no record is of that period", kept="Nothing is held.")
    return _scope(spans, onward, review, then_days)


def _scope(
    spans: Iterable[tuple[int, int]], onward: int | None, review: str, then_days: int
) -> Placed:
    """The scope in its shortest form."""
    merged = _joined(spans, MOST_RANGES)
    while onward is not None and merged and merged[-1][1] >= onward - 1:
        onward = min(onward, merged.pop()[0])
    return Placed([end for span in merged for end in span], onward, review, then_days)


def words(scope: Placed) -> str:
    """The scope as a person reads it, and as `parse_records` takes it."""
    pairs = zip(scope.records[::2], scope.records[1::2], strict=True)
    said = [f"{low}" if low == high else f"{low}-{high}" for low, high in pairs]
    return ",".join(said if scope.onward is None else [*said, f"{scope.onward}-"])


def _within(reader: LogReader, since_us: int | None, until_us: int | None) -> Iterator[int]:
    """Indexes of the records of a period, ascending."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted: Any = pc.scalar(True)
    wanted = wanted if since_us is None else wanted & (pc.field("time_us") >= since_us)
    wanted = wanted if until_us is None else wanted & (pc.field("time_us") < until_us)
    for pin in reader.pins:
        with reader.index(pin) as path:
            found = pq.read_table(path, columns=["index", "time_us"]).filter(wanted)
        yield from cast("list[int]", found.column("index").to_pylist())
    for index, raw in enumerate(reader.tail.leaves, reader.tail.first):
        moment = parse(raw).time_us
        if (since_us is None or moment >= since_us) and (until_us is None or moment < until_us):
            yield index


def _runs(indexes: Iterable[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for index in indexes:
        if spans and spans[-1][1] == index - 1:
            spans[-1] = (spans[-1][0], index)
        else:
            spans.append((index, index))
    return spans


def _joined(spans: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Ascending ranges that do not touch, at most so many."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    if len(merged) <= most:
        return merged
    gaps = sorted(range(1, len(merged)), key=lambda at: merged[at][0] - merged[at - 1][1])
    kept = sorted(gaps[len(merged) - most :])  # the widest gaps stay
    starts = [0, *kept]
    return [
        (merged[start][0], merged[end - 1][1])
        for start, end in zip(starts, [*kept, len(merged)], strict=True)
    ]
