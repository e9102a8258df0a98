"""Clear columns only: the sealed index files as they lie, and the unsealed records in memory.

Nothing is decrypted and nothing is written. Files are an explicit list, each checked against its
pin and held open from then on, so DuckDB reads what was checked or, once something else was put
under its name, nothing; a file nobody pinned is not looked at. Content columns do not exist here,
so a question about content fails instead of being answered with NULLs.
"""

# ruff: noqa: S608 - names inside SQL are constants of this package; paths come from verified pins

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from logstore.query.columns import CAPTURED_KINDS, CLEAR_COLUMNS, clear_types
from logstore.query.lockdown import Protection, quoted
from logstore.query.recordbatches import clear_table
from logstore.query.tailtable import TailTable
from logstore.storage.verifiedfiles import HeldFiles

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from logstore.storage.reader import LogReader


class ClearTables:
    """Clear columns of one log, queryable as ``base.records`` of an instance.

    Attributes:
        content: False: there are no content columns.
        protection: nothing of this is on disk beyond the evidence itself.
    """

    content = False

    def __init__(self, reader: LogReader, connection: DuckDBPyConnection) -> None:
        self.protection = Protection(True, "no working copy: only clear columns are read")
        self._reader = reader
        self._connection = connection
        self._held = HeldFiles(reader.files)
        self._files: list[Path] = []
        self._tail = TailTable(connection, clear_types(), 0)
        self._old_tails: list[TailTable] = []  # for questions that are under way
        self._publish()

    @property
    def size(self) -> int:
        """Records covered."""
        return self._tail.end

    def tables(self) -> list[tuple[int, int, str]]:
        """(first, end, SQL name); clear columns need no cutting, so it is one."""
        return [(0, self.size, "base.records")]

    def refresh(self) -> int:
        """Take in what the reader has now; returns the records covered.

        Raises:
            TamperingFound: an index file is not the one that was sealed.
        """
        while self._old_tails:
            self._old_tails.pop().drop()
        self._files = [self._held.path(pin.index) for pin in self._reader.pins]
        old = self._tail
        if old.begin != self._reader.sealed:
            self._tail = TailTable(self._connection, clear_types(), self._reader.sealed)
        missing = self._reader.size - self._tail.end
        if missing > 0:
            self._tail.extend([clear_table(self._reader.table(self._tail.end, missing))])
        self._publish()
        if old is not self._tail:
            self._old_tails.append(old)
        return self.size

    def close(self) -> None:
        """Let go of the files; there is nothing to keep."""
        self._held.close()

    def _publish(self) -> None:
        names = ", ".join(f'"{name}"' for name in CLEAR_COLUMNS)
        union = f"SELECT * FROM {self._tail.name}"
        if self._files:
            files = ", ".join(quoted(str(path)) for path in self._files)
            said = "json_extract(decode(leaf), '$.clear')::VARCHAR"
            union = (
                f"SELECT {names}, CASE WHEN kind IN {CAPTURED_KINDS} THEN NULL ELSE {said} END "
                f"AS clear FROM read_parquet([{files}]) UNION ALL {union}"
            )
        self._connection.execute(f"CREATE OR REPLACE VIEW base.records AS {union}")
