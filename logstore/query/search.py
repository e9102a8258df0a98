"""Which records match: skip bitmaps first, then DuckDB over the groups that are left."""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING

from logstore.query.filters import Filter
from logstore.query.links import linked_to
from logstore.query.literals import required_texts
from logstore.query.parts import GROUP, Part
from logstore.query.skipbitmap import GRAM
from logstore.query.where import Condition, all_of, facts, text
from logstore.query.workingcopy import WorkingCopy

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from logstore.query.cleartables import ClearTables

SCAN_FROM = 0.25
"""Share of groups that may match from which a plain scan is faster."""

_RANGES_AT_ONCE = 16

Span = tuple[int, int]
"""Records [first, end)."""


def matching(
    cursor: DuckDBPyConnection, tables: WorkingCopy | ClearTables, found: Filter, first: int = 0
) -> NDArray[np.int64] | range:
    """Indexes from `first` on of records that match, ascending; a range when all do.

    Raises:
        KeyUnavailable: the filter asks for content and there is none.
        UsageError: the pattern is too long.
    """
    import numpy as np

    conditions = facts(
        found,
        content=tables.content,
        linked=lambda who: linked_to(cursor, who.sql, who.values),
    )
    wanted = text(found)
    size = tables.size
    if not conditions and wanted is None:
        return range(first, size)
    low = [Condition("index >= ?", (first,))] if first else []
    if wanted is None or not isinstance(tables, WorkingCopy):
        hits = [_ask(cursor, "base.records", all_of([*low, *conditions]))]
    else:
        whole = all_of([*conditions, wanted])
        hits = _by_text(cursor, tables, found, whole, first)
    hit = np.concatenate(hits) if hits else np.empty(0, dtype=np.int64)
    hit = hit[hit < size]
    return hit if len(hit) < 2 or bool((hit[1:] > hit[:-1]).all()) else np.sort(hit)


def _by_text(
    cursor: DuckDBPyConnection,
    tables: WorkingCopy,
    found: Filter,
    whole: Condition,
    first: int,
) -> list[NDArray[np.int64]]:
    spans = candidate_spans(cursor, tables, found, first)
    if spans is None:
        low = Condition("index >= ?", (first,))
        return [_ask(cursor, "base.records", all_of([low, whole]))]
    hits = [
        _ask(cursor, table, _within(ranges[start : start + _RANGES_AT_ONCE], whole))
        for table, ranges in spans
        for start in range(0, len(ranges), _RANGES_AT_ONCE)
    ]
    tail = Condition("index >= ?", (max(first, tables.tail_first),))
    return [*hits, _ask(cursor, tables.tables()[-1][2], all_of([tail, whole]))]


def candidate_spans(
    cursor: DuckDBPyConnection, tables: WorkingCopy, found: Filter, first: int
) -> list[tuple[str, list[Span]]] | None:
    """(table, spans) of the parts that may match, or None when a scan is the better way."""
    needles = required_texts(found.text, exact=found.exact) if found.regex else [found.text]
    folded = [_folded(cursor, needle) for needle in needles]
    folded = [needle for needle in folded if len(needle) >= GRAM]
    if not folded:
        return None
    names = {low: name for low, _, name in tables.tables()}
    spans: list[tuple[str, list[Span]]] = []
    groups = left = 0
    for part in [part for part in tables.parts if part.end > first]:
        may = tables.maps(part).candidates(folded[0])
        for needle in folded[1:]:
            may &= tables.maps(part).candidates(needle)
        groups += len(may)
        left += int(may.sum())
        spans.append((names[part.first], group_spans(part, may, first)))
    return None if groups and left > SCAN_FROM * groups else spans


def group_spans(part: Part, may: NDArray[np.bool_], first: int = 0) -> list[Span]:
    """Runs of neighbouring groups as spans of records."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[0], may.astype(np.int8), [0]])))
    spans = [
        (max(part.first + int(low) * GROUP, first), min(part.first + int(high) * GROUP, part.end))
        for low, high in zip(edges[::2], edges[1::2], strict=True)
    ]
    return [span for span in spans if span[0] < span[1]]


def _folded(cursor: DuckDBPyConnection, needle: str) -> bytes:
    ((folded,),) = cursor.execute("SELECT lower(?::VARCHAR)", [needle]).fetchall()
    return str(folded).encode()


def _within(ranges: list[Span], whole: Condition) -> Condition:
    outer = Condition("index BETWEEN ? AND ?", (ranges[0][0], ranges[-1][1] - 1))
    either = Condition(
        " OR ".join(["index BETWEEN ? AND ?"] * len(ranges)),
        tuple(value for low, high in ranges for value in (low, high - 1)),
    )
    return all_of([outer, either, whole])


def _ask(cursor: DuckDBPyConnection, table: str, where: Condition) -> NDArray[np.int64]:
    import numpy as np

    answer = cursor.execute(f"SELECT index FROM {table} WHERE {where.sql}", list(where.values))
    found = answer.fetchnumpy()["index"]
    return np.asarray(found, dtype=np.int64)
