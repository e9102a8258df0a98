"""What a screen or `aircon search` asks: select by filter, page by index, one record in full.

A selection is in order of event time, as a responder reads it, and not in the order of the log.
Pages are read by record index and never by OFFSET, so any page of any selection costs the same.
Every method may be called from any thread; `cancel` stops what is running.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from logstore.errors import AirconError, NotFound
from logstore.query.access import AccessEvent, Action
from logstore.query.detail import open_record
from logstore.query.engine import Engine
from logstore.query.filters import Filter
from logstore.query.pages import fetch_rows
from logstore.query.repeats import Repeats, read_repeats
from logstore.query.rows import Detail, Histogram, Row, SameCall, Selection
from logstore.query.running import content_needed
from logstore.query.search import matching
from logstore.query.similar import similar_to
from logstore.query.timeline import Timeline
from logstore.query.workingcopy import WorkingCopy

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

MAX_CONVERSATION = 500
"""Most records of one conversation that are opened."""

MAX_SAME_CALL = 100
"""Most records of one call that are named."""


class Explorer:
    """Questions of a person who looks around."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._timeline = Timeline()
        self._repeats: Repeats | None = None
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Take in what the writer added; returns the records that can be seen."""
        return self.engine.refresh()

    def cancel(self) -> None:
        """Stop what is running, from any thread; it raises `QueryRefused`."""
        self.engine.interrupt()

    def select(self, found: Filter) -> Selection:
        """The records that match a filter, by event time.

        Raises:
            KeyUnavailable: it asks for content and there is no passphrase.
            QueryRefused: a bad pattern, or cancelled.
            UsageError: the pattern is too long.
        """
        try:
            with self.engine.running() as cursor:
                size = self.engine.size
                hits = matching(cursor, self.engine.tables, found)
            hits = self._in_order(hits, size)
        except AirconError as error:
            self._report("search", found.describe(), error=error.what)
            raise
        self._report("search", found.describe(), rows=len(hits))
        return Selection(found, size, hits)

    def extend(self, selection: Selection) -> Selection:
        """The same selection with what was added since at its end; only new records are looked at.

        What was there keeps its place, and what comes stands below it even when its event is older.
        """
        import numpy as np

        if selection.label or selection.size >= self.engine.size:
            return selection
        with self.engine.running() as cursor:
            size = self.engine.size
            more = matching(cursor, self.engine.tables, selection.filter, selection.size)
        if isinstance(selection.indexes, range) and isinstance(more, range):
            return replace(selection, size=size, indexes=range(more.stop))
        if not len(more):
            return replace(selection, size=size)
        self._report("search", selection.filter.describe(), rows=len(more))
        joined = np.concatenate([np.asarray(selection.indexes), np.asarray(more)])
        return replace(selection, size=size, indexes=joined)

    def rows(
        self, selection: Selection, start: int, count: int, *, newest_first: bool = False
    ) -> list[Row]:
        """One page; `start` counts from the newest when `newest_first`."""
        return self._rows(
            selection.slice(start, count, newest_first=newest_first),
            selection.label or selection.filter.describe(),
        )

    def histogram(self, selection: Selection, buckets: int) -> Histogram:
        """Calls over event time, in `buckets` equal buckets, empty ones included.

        The range is the filter's where it states one, else from the first to the last record.
        Calls are counted as far as `find_calls` told their records apart, and never waits for it.
        """
        with self._lock, self.engine.running() as cursor:
            self._timeline.extend(cursor, self.engine.size)
            repeats = self._repeats
            found = self._timeline.histogram(selection, max(buckets, 1), repeats)
            told = repeats is not None and self._timeline.is_told(repeats)
        return replace(found, settled=told or not self.engine.content)

    def find_calls(self) -> None:
        """Find out which records are of one call; seconds where the log is large and has grown.

        Without the passphrase that cannot be known.
        """
        if not self.engine.content:
            return
        size = self.engine.size
        self.engine.know_calls()
        with self._lock, self.engine.running() as cursor:
            self._repeats = read_repeats(cursor, size)

    def detail(self, index: int) -> Detail:
        """One record in full, read from the evidence.

        Raises:
            NotFound: there is no such record.
            TamperingFound: the evidence does not hold.
        """
        with self.engine.running() as cursor:
            detail = self._open(cursor, index, self._one_row(cursor, index))
        self._report("detail", f"record {index}", rows=1, indexes=[index])
        return detail

    def find(self, identifier: str) -> int:
        """Index of the record with a UUID.

        Raises:
            NotFound: no record has it.
        """
        with self.engine.running() as cursor:
            rows = cursor.execute(
                "SELECT index FROM base.records WHERE id = ?", [identifier.lower()]
            ).fetchall()
        if not rows:
            raise NotFound(f"no record has the id {identifier}")
        return int(rows[0][0])

    def conversation(self, index: int) -> list[Detail]:
        """The records of the same conversation, session or trace, oldest first, in full.

        At most `MAX_CONVERSATION` of them, those nearest to the record.

        Raises:
            NotFound: there is no such record.
        """
        with self.engine.running() as cursor:
            self._one_row(cursor, index)
            indexes = self._same_conversation(cursor, index)
            rows = fetch_rows(cursor, self.engine.tables, indexes)
            details = [self._open(cursor, row.index, row) for row in rows]
        self._report("detail", f"conversation of record {index}", rows=len(rows), indexes=indexes)
        return sorted(details, key=lambda detail: (detail.row.time_us, detail.row.index))

    def similar(self, index: int, limit: int = 200) -> Selection:
        """Records whose text resembles this one's, best `limit` of them, by event time.

        Raises:
            KeyUnavailable: there is no passphrase.
        """
        tables = self.engine.tables
        if not isinstance(tables, WorkingCopy):
            raise content_needed("similar text")
        with self.engine.running() as cursor:
            size = self.engine.size
            hits = similar_to(cursor, tables, index, limit)
        found = self._in_order(hits, size)
        self._report("similar", f"similar to record {index}", rows=len(found))
        return Selection(Filter(), size, found, f"similar to record {index}")

    # -- inside -------------------------------------------------------------------------------

    def _in_order(self, hits: NDArray[np.int64] | range, size: int) -> NDArray[np.int64] | range:
        if len(hits) < 2:
            return hits
        with self._lock, self.engine.running() as cursor:
            self._timeline.extend(cursor, size)
            return self._timeline.in_order(hits)

    def _rows(self, indexes: list[int], text: str) -> list[Row]:
        if not indexes:
            return []
        with self.engine.running() as cursor:
            rows = fetch_rows(cursor, self.engine.tables, indexes)
        if self.engine.content:
            self._report("rows", text, rows=len(rows), indexes=indexes)
        return rows

    def _one_row(self, cursor: DuckDBPyConnection, index: int) -> Row:
        rows = fetch_rows(cursor, self.engine.tables, [index])
        if not rows:
            raise NotFound(f"there is no record {index}; the log has {self.engine.size}")
        return rows[0]

    def _open(self, cursor: DuckDBPyConnection, index: int, row: Row) -> Detail:
        same = self._same_call(cursor, index)
        return open_record(self.engine.reader, row, self.engine.verified_to, same)

    def _same_call(self, cursor: DuckDBPyConnection, index: int) -> SameCall:
        if not self.engine.content:
            return SameCall()
        self.engine.know_calls()
        found = cursor.execute(
            "SELECT o.index, o.is_primary FROM base.calls c JOIN base.calls o ON o.root = c.root "
            f"WHERE c.index = ? ORDER BY o.index LIMIT {MAX_SAME_CALL}",
            [index],
        ).fetchall()
        others = [int(each) for each, _ in found if each != index]
        return SameCall(others, next((int(each) for each, primary in found if primary), index))

    def _same_conversation(self, cursor: DuckDBPyConnection, index: int) -> list[int]:
        names = ("conversation_id", "session_id", "trace_id") if self.engine.content else ()
        for name in (*names, "session"):
            rows = cursor.execute(
                f"SELECT {name} FROM base.records WHERE index = ? AND {name} IS NOT NULL", [index]
            ).fetchall()
            if rows:
                found = cursor.execute(
                    f"SELECT index FROM base.records WHERE {name} = ? "
                    f"ORDER BY abs(index - ?) LIMIT {MAX_CONVERSATION}",
                    [rows[0][0], index],
                ).fetchall()
                return sorted(int(each[0]) for each in found)
        return [index]

    def _report(
        self,
        action: Action,
        text: str,
        *,
        rows: int = 0,
        indexes: Sequence[int] = (),
        error: str = "",
    ) -> None:
        self.engine.report(AccessEvent(action, text, rows, tuple(indexes), error))
