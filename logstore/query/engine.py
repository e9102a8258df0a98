"""One engine, two doors: SQL from people, and the explorer's own questions.

With a key store the engine answers from the working copy; without one, from clear columns alone.
Every question is reported to `on_access` before its rows are handed out; if that fails, they are
not handed out.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from logstore.errors import AirconError
from logstore.query import statements, views
from logstore.query.access import AccessEvent, OnAccess
from logstore.query.arrow import arrow_batches
from logstore.query.build import Progress
from logstore.query.callviews import CallViews
from logstore.query.cleartables import ClearTables
from logstore.query.links import Links
from logstore.query.lockdown import Protection, instance, lock
from logstore.query.result import Result
from logstore.query.running import Runs, content_needed
from logstore.query.workingcopy import WorkingCopy, make_private

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from logstore.query.statements import Statement
    from logstore.storage.reader import LogReader

DEFAULT_ROWS = 100_000
"""Rows handed out unless the caller asks for another limit."""

DEFAULT_SECONDS = 120.0
"""Time one SQL question may take unless the caller says otherwise."""

_BATCH = 65_536
_CALL_COLUMNS = views.CALL_COLUMNS | {"*"}


class Engine:
    """Read-only questions to one log. Safe to use from several threads.

    Attributes:
        reader: the evidence.
        tables: where records stand, a `WorkingCopy` or `ClearTables`.
    """

    def __init__(
        self,
        reader: LogReader,
        work: Path,
        on_access: OnAccess | None,
        resources: tuple[int, str],
        on_progress: Progress | None,
    ) -> None:
        self.reader = reader
        self._work = work
        self._on_access = on_access
        self._threads, self._memory = resources
        self._on_progress = on_progress
        self._runs = Runs()
        self._lock = threading.RLock()
        self._calls: CallViews | None = None
        self._open()

    @classmethod
    def open(
        cls,
        reader: LogReader,
        *,
        work: Path,
        on_access: OnAccess | None = None,
        threads: int = 2,
        memory: str = "2GB",
        on_progress: Progress | None = None,
    ) -> Engine:
        """Open an engine, building what is missing of the working copy.

        Args:
            reader: the evidence; with its key store content can be asked, without it cannot.
            work: directory for the working copy.
            on_access: told of each question before its answer is handed out.
            threads: threads of DuckDB.
            memory: memory limit of DuckDB, e.g. ``2GB``.
            on_progress: told records done and to do while building; may raise to stop.

        Raises:
            TamperingFound: the evidence does not hold.
        """
        return cls(reader, work, on_access, (threads, memory), on_progress)

    def _open(self) -> None:
        self._connection, protection = instance(threads=self._threads, memory=self._memory)
        self._connection.execute("CREATE SCHEMA base")
        if self.reader.keys is not None:
            directory = self._work / "parts"
            make_private(self._work)
            self._allowed = {directory}
            copy = WorkingCopy(
                self.reader, directory, self._connection, protection, self._on_progress
            )
            self.tables: WorkingCopy | ClearTables = copy
        else:
            self.tables = ClearTables(self.reader, self._connection)
            self._allowed = self._index_folders()
        self._links = Links(self._connection, content=self.content)
        if self.content:
            self._calls = CallViews(self._connection)
        lock(self._connection, self._allowed)
        self._views_made = False
        self._take_in()

    def _index_folders(self) -> set[Path]:
        """Where index files lie: DuckDB asks where a file is, also when given its descriptor."""
        return {self.reader.files.place(pin.index).parent for pin in self.reader.pins}

    def _take_in(self) -> int:
        size = self.tables.refresh()
        anew = isinstance(self.tables, WorkingCopy) and self.tables.rewritten
        self._links.refresh(size, anew=anew)
        if anew and self._calls is not None:
            self._calls.forget()
        if isinstance(self.tables, WorkingCopy) and self.tables.built:
            self.report(AccessEvent("build", "working copy", rows=self.tables.built))
        return size

    def _create_views(self) -> None:
        """Make the views people query; at the first SQL, because the explorer needs none."""
        with self._lock:
            if self._views_made:
                return
            for view in views.registered():
                select = view.select(content=self.content)
                if select is not None:
                    self._connection.execute(f"CREATE OR REPLACE VIEW main.{view.name} AS {select}")
            self._views_made = True

    # -- where it stands ----------------------------------------------------------------------

    @property
    def content(self) -> bool:
        """Whether content can be asked."""
        return self.tables.content

    @property
    def protection(self) -> Protection:
        """How the working copy lies on disk."""
        return self.tables.protection

    @property
    def size(self) -> int:
        """Records that questions see."""
        return self.tables.size

    @property
    def verified_to(self) -> int:
        """Records below this index are covered by a verified checkpoint."""
        return min(self.reader.checkpoint.size, self.size)

    def refresh(self) -> int:
        """Take in what the writer added; returns the records that questions see."""
        with self._lock:
            self.reader.refresh()
            if not self.content and not self._index_folders() <= self._allowed:
                self.tables.close()
                self._connection.close()
                self._open()
                return self.size
            return self._take_in()

    def rebuild(self, period: str) -> int:
        """Build a period of the working copy anew, e.g. after an erasure; returns parts replaced.

        Args:
            period: month in which the records were recorded, ``YYYY-MM`` (UTC).
        """
        with self._lock:
            if not isinstance(self.tables, WorkingCopy):
                return 0
            replaced = len(self.tables.rebuild(period))
            self._links.refresh(self.size, anew=True)
            if self._calls is not None:
                self._calls.forget()
            return replaced

    def close(self) -> None:
        """Keep fresh records for the next start, and let go of every file."""
        with self._lock:
            self.tables.close()
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- asking -------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Stop every question that is being answered, from any thread."""
        self._runs.interrupt()

    def running(self, timeout_s: float | None = None) -> AbstractContextManager[DuckDBPyConnection]:
        """A cursor for the package's own questions; `interrupt` stops it."""
        return self._runs.running(self._connection, timeout_s=timeout_s, content=self.content)

    def report(self, event: AccessEvent) -> None:
        """Tell of an access; raises what the listener raises, and then nothing is handed out."""
        if self._on_access is not None:
            self._on_access(event)

    def sql(self, text: str, *, limit: int | None = None, timeout_s: float | None = None) -> Result:
        """Answer one read-only statement.

        Args:
            text: one SELECT, EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES.
            limit: most rows handed out; `Result.truncated` says whether there were more.
            timeout_s: most seconds it may take.

        Raises:
            QueryRefused: it is not reading only, fails, or exceeds a limit.
            KeyUnavailable: it asks for content and there is no passphrase.
        """
        limit = DEFAULT_ROWS if limit is None else max(limit, 0)
        try:
            result = self._answer(text, limit, DEFAULT_SECONDS if timeout_s is None else timeout_s)
        except AirconError as error:
            self.report(AccessEvent("sql", text, error=error.what))
            raise
        self.report(AccessEvent("sql", text, rows=len(result)))
        return result

    def _answer(self, text: str, limit: int, timeout_s: float) -> Result:
        self._create_views()
        with self.running(timeout_s) as cursor:
            names = {view.name for view in views.registered()}
            statement = statements.check(cursor, text, names)
            self._allow(statement)
            if statement.kind == "show":
                table, types = _list_of_views(self.content), ["VARCHAR", "VARCHAR"]
            else:
                size = min(limit + 1, _BATCH)
                types, batches = arrow_batches(cursor, statement.sql, size)
                table = _first_rows(batches, limit + 1)
            verified_to, size = self.verified_to, self.size
        truncated = table.num_rows > limit
        shown = _integers(table.slice(0, limit), types)
        return Result(shown, types, truncated, limit, verified_to, size)

    def _allow(self, statement: Statement) -> None:
        for name in sorted(statement.views):
            view = views.find(name)
            if view is not None and view.select(content=self.content) is None:
                raise content_needed(f"the view {name}")
        known = map(views.find, statement.views)
        if self.content and any(view is not None and view.needs_calls for view in known):
            self._count_calls()
        if self.content and statement.columns & _CALL_COLUMNS:
            self.know_calls()

    def know_calls(self) -> None:
        """Find out which records are of one call; done only when a question needs it."""
        with self._lock:
            calls, size = self._calls, self.size
            if calls is None:
                return
            with self.running() as cursor:
                if not calls.is_current(cursor, size):
                    calls.find(cursor, size)

    def _count_calls(self) -> None:
        """Get ready for a question that counts a call once."""
        with self._lock:
            self.know_calls()
            if self._calls is not None and self._calls.is_worth_gathering():
                with self.running() as cursor:
                    self._calls.gather(cursor)


def _first_rows(reader: pa.RecordBatchReader, count: int) -> pa.Table:
    """At most `count` rows, without computing the rest where DuckDB can stream."""
    import pyarrow as pa

    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows >= count:
            break
    return pa.Table.from_batches(batches, schema=reader.schema).slice(0, count)


def _integers(table: pa.Table, types: list[str]) -> pa.Table:
    """HUGEINT columns (sums) as int64 where they fit, instead of decimals."""
    import pyarrow as pa

    for position, kind in enumerate(types):
        if kind == "HUGEINT":
            try:
                column = table.column(position).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(position, table.column_names[position], column)
    return table


def _list_of_views(content: bool) -> pa.Table:
    import pyarrow as pa

    shown = [view for view in views.registered() if view.select(content=content) is not None]
    data: dict[str, list[Any]] = {
        "name": [view.name for view in shown],
        "help": [view.help for view in shown],
    }
    return pa.table(data)
