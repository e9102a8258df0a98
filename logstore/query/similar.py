"""Records whose text resembles one record's: shared rare passages, then overlap of 5-grams.

The text is cut into short passages. The skip bitmaps tell for each how many groups
may hold it; the rarest passages choose the groups to read, so boilerplate that stands everywhere
chooses nothing. What is read is ranked by the share of five-character runs it has in common, which
works alike for languages that put no spaces between words.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logstore.query.columns import CAPTURED_KINDS
from logstore.query.parts import GROUP, Part
from logstore.query.search import Span, group_spans

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from logstore.query.workingcopy import WorkingCopy

_SPACED = (20, 12)
"""Length and stride of passages in letters of scripts that put spaces between words."""

_DENSE = (8, 5)
"""The same for scripts that say as much in fewer signs."""

_PASSAGES = 48
_LOOKED_FOR = 12
_TEXT = 4_000
_GROUPS = 32
_READ = 5_000
_SHINGLE = 5
_LEAST = 0.1
_SAID = f"left(lower(concat_ws(' ', substring(input_text, ask_at + 1), output_text)), {_TEXT})"


def similar_to(
    cursor: DuckDBPyConnection, tables: WorkingCopy, index: int, limit: int
) -> NDArray[np.int64]:
    """Indexes of at most `limit` records that resemble record `index`, ascending."""
    import numpy as np

    rows = cursor.execute(
        f"SELECT {_SAID} FROM base.records WHERE index = ? AND kind IN {CAPTURED_KINDS}", [index]
    ).fetchall()
    said = str(rows[0][0] or "") if rows else ""
    cut = passages(said)
    if not cut:
        return np.empty(0, dtype=np.int64)
    rare, spans = _where_rare(tables, cut, index)
    ranked = _ranked(_read(cursor, rare, spans), said, index)
    return np.array(sorted(found for _, found in ranked[:limit]), dtype=np.int64)


def passages(said: str) -> list[str]:
    """Overlapping passages of a text, spread over its length."""
    dense = len(said.encode("utf-8", "replace")) > 1.5 * len(said)
    length, stride = _DENSE if dense else _SPACED
    if len(said) <= length:
        return [said] if len(said) >= _SHINGLE else []
    starts = list(range(0, len(said) - length + 1, stride))
    step = max(len(starts) // _PASSAGES, 1)
    return list(dict.fromkeys(said[at : at + length] for at in starts[::step]))[:_PASSAGES]


def shingles(said: str) -> set[str]:
    """Every run of five characters."""
    return {said[at : at + _SHINGLE] for at in range(len(said) - _SHINGLE + 1)}


def _where_rare(
    tables: WorkingCopy, cut: list[str], index: int
) -> tuple[list[str], list[tuple[str, list[Span]]]]:
    """The rarest passages, and the spans that may hold them within the budget of groups."""
    import numpy as np

    parts = list(tables.parts)
    may = [[tables.maps(part).candidates(passage.encode()) for part in parts] for passage in cut]
    counts = [sum(int(each.sum()) for each in maps) for maps in may]
    order = sorted(range(len(cut)), key=lambda at: counts[at])[:_LOOKED_FOR]
    chosen = [np.zeros_like(each) for each in may[0]] if parts else []
    for at in order:
        joined = [have | new for have, new in zip(chosen, may[at], strict=True)]
        if sum(int(each.sum()) for each in joined) > _GROUPS and any(each.any() for each in chosen):
            break
        chosen = joined
    chosen = _nearest(parts, chosen, index)
    names = {low: name for low, _, name in tables.tables()}
    spans = [
        (names[part.first], group_spans(part, each))
        for part, each in zip(parts, chosen, strict=True)
        if each.any()
    ]
    tail = tables.tables()[-1]
    if tail[1] > tail[0]:
        spans.append((tail[2], [(tail[0], tail[1])]))
    return [cut[at] for at in order], spans


def _nearest(
    parts: list[Part], chosen: list[NDArray[np.bool_]], index: int
) -> list[NDArray[np.bool_]]:
    """At most the budget of groups, those nearest to the record first."""
    import numpy as np

    places = [
        (abs(part.first + int(group) * GROUP - index), at, int(group))
        for at, (part, each) in enumerate(zip(parts, chosen, strict=True))
        for group in np.flatnonzero(each)
    ]
    kept = [np.zeros_like(each) for each in chosen]
    for _, at, group in sorted(places)[:_GROUPS]:
        kept[at][group] = True
    return kept


def _read(
    cursor: DuckDBPyConnection, rare: list[str], spans: list[tuple[str, list[Span]]]
) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    either = "|".join(re.escape(passage) for passage in rare)  # one pass of RE2 over each text
    for table, ranges in spans:
        within = " OR ".join(["index BETWEEN ? AND ?"] * len(ranges))
        bounds = [value for low, high in ranges for value in (low, high - 1)]
        found += cursor.execute(
            f"SELECT index, said FROM (SELECT index, {_SAID} AS said FROM {table} "
            f"WHERE ({within}) AND kind IN {CAPTURED_KINDS}) "
            f"WHERE regexp_matches(said, ?) LIMIT {_READ}",
            [*bounds, either],
        ).fetchall()
    return found


def _ranked(read: list[tuple[int, str]], said: str, index: int) -> list[tuple[float, int]]:
    mine = shingles(said)
    scored: list[tuple[float, int]] = []
    for other, text in read:
        theirs = shingles(text)
        shared = len(mine & theirs)
        # The smaller text decides: an attack phrase pasted into a long message still counts.
        score = shared / max(min(len(mine), len(theirs)), 1)
        if other != index and score >= _LEAST:
            scored.append((score, other))
    return sorted(scored, key=lambda each: (-each[0], each[1]))
