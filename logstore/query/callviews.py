"""Which records are of one call, as tables of an instance: ``base.calls`` and ``base.once``.

Found out only when a question needs it, and anew when the log has grown. Calls of several records
are put together for every question at first; from the second question about the same records on,
they stand in a table of their own, which takes about as long to make as answering twice.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING

from logstore.query import views
from logstore.query.calls import COLUMNS, calls_table
from logstore.query.columns import CAPTURED_KINDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_GATHERED = 250_000
"""Most calls of several records kept as a table, about 1.6 KB of memory each."""

_CAPTURED = f"SELECT 1 FROM base.records WHERE index >= ? AND kind IN {CAPTURED_KINDS} LIMIT 1"
_PATIENCE = 2  # questions about the same records that it takes


class CallViews:
    """Keeps the tables up to date. Its owner lets one thread in at a time.

    Args:
        connection: the instance, with ``base.known``.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._size = -1
        self._shared = 0
        self._asked = 0
        connection.execute(f"CREATE TABLE base.calls ({COLUMNS})")
        connection.execute(f"CREATE VIEW base.once AS {views.SINGLE_CALLS}")

    def forget(self) -> None:
        """The records changed."""
        self._size = -1

    def is_current(self, cursor: DuckDBPyConnection, size: int) -> bool:
        """Whether it is known which of the first `size` records are of one call.

        The log's own events, access records among them, are of none and ask for nothing anew.
        """
        if 0 <= self._size < size and not cursor.execute(_CAPTURED, [self._size]).fetchone():
            self._size = size
        return self._size == size

    def find(self, cursor: DuckDBPyConnection, size: int) -> None:
        """Find out which records are of one call.

        Args:
            cursor: of the instance.
            size: records that it holds.
        """
        found = calls_table(cursor)
        cursor.register("calls_found", found)
        cursor.execute("BEGIN TRANSACTION")
        cursor.execute("CREATE OR REPLACE TABLE base.calls AS SELECT * FROM calls_found")
        select = views.SHARED_CALLS if found.num_rows else views.SINGLE_CALLS
        cursor.execute(f"CREATE OR REPLACE VIEW base.once AS {select}")
        cursor.execute("DROP TABLE IF EXISTS base.gathered")
        cursor.execute("COMMIT")
        cursor.unregister("calls_found")
        self._size, self._asked = size, 0
        self._shared = len(found.column("root").unique())

    def is_worth_gathering(self) -> bool:
        """Count a question about calls; whether to `gather` before it is answered."""
        self._asked += 1
        return self._asked == _PATIENCE and 0 < self._shared <= MAX_GATHERED

    def gather(self, cursor: DuckDBPyConnection) -> None:
        """Put the calls of several records together for this question and the following ones."""
        cursor.execute("BEGIN TRANSACTION")
        cursor.execute(f"CREATE OR REPLACE TABLE base.gathered AS {views.GATHERED}")
        cursor.execute(f"CREATE OR REPLACE VIEW base.once AS {views.GATHERED_CALLS}")
        cursor.execute("COMMIT")
