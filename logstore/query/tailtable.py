"""Records newer than the last part, in memory: never on disk, so never plaintext on disk."""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING

from logstore.query.arrow import arrow_table

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_numbers = count()

_FEW = 32
"""Up to so many rows are inserted as plain values: to read Arrow, DuckDB first loads a part of it
that nothing else needs (50 ms of the console's start, where there are a few unsealed records)."""


class TailTable:
    """One table of the instance that grows at its end.

    Attributes:
        begin: index of its first record.
        end: index just behind its last record.
        name: its SQL name.
    """

    def __init__(
        self, connection: DuckDBPyConnection, types: Mapping[str, str], begin: int
    ) -> None:
        self.begin = self.end = begin
        self.name = f"base.tail_{next(_numbers)}"
        self._connection = connection
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        connection.execute(f"CREATE TABLE {self.name} ({columns})")

    def extend(self, batches: Iterable[pa.RecordBatch | pa.Table]) -> None:
        """Append records, in order."""
        for batch in batches:
            if batch.num_rows <= _FEW:
                self._insert(batch)
            else:
                self._connection.register("tail_batch", batch)
                self._connection.execute(f"INSERT INTO {self.name} SELECT * FROM tail_batch")
                self._connection.unregister("tail_batch")
            self.end += batch.num_rows

    def _insert(self, batch: pa.RecordBatch | pa.Table) -> None:
        if batch.num_rows:
            marks = ", ".join("?" * batch.num_columns)
            values = [list(row.values()) for row in batch.to_pylist()]
            self._connection.executemany(f"INSERT INTO {self.name} VALUES ({marks})", values)

    def take_over(self, other: TailTable) -> None:
        """Copy what `other` holds from this table's begin on."""
        if other.begin <= self.begin <= other.end:
            self._connection.execute(
                f"INSERT INTO {self.name} SELECT * FROM {other.name} WHERE index >= ?", [self.begin]
            )
            self.end = other.end

    def to_arrow(self) -> pa.Table:
        """Every record in it, in log order."""
        return arrow_table(self._connection, f"SELECT * FROM {self.name} ORDER BY index")

    def drop(self) -> None:
        """Remove it."""
        self._connection.execute(f"DROP TABLE {self.name}")
