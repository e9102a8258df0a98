"""DuckDB answers as Arrow, by the one way that 1.5 and 2.x share without copying rows twice.

There are no parameters: 1.5 puts the answer of a relation that has some together value by value,
twelve times as dear as without (measured), and 2.x copies what `execute` answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def arrow_table(connection: DuckDBPyConnection, sql: str) -> pa.Table:
    """The whole answer of a SELECT."""
    return connection.sql(sql).to_arrow_table()


def arrow_batches(
    connection: DuckDBPyConnection, sql: str, rows: int
) -> tuple[list[str], pa.RecordBatchReader]:
    """DuckDB types of the columns, and a stream of batches of about `rows` rows."""
    relation = connection.sql(sql)
    return [str(kind) for kind in relation.types], relation.to_arrow_reader(rows)
