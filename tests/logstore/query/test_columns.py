from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pytest

from logstore.query.columns import CLEAR_COLUMNS, clear_types, records_schema, records_types
from logstore.query.tailtable import TailTable


def described(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    rows = connection.execute(f"DESCRIBE {table}").fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


@pytest.mark.parametrize(
    ("types", "names"),
    [(records_types(), records_schema().names), (clear_types(), [*CLEAR_COLUMNS, "clear"])],
)
def test_a_table_made_without_arrow_has_the_columns_arrow_would_give_it(
    types: Mapping[str, str], names: list[str]
) -> None:
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE SCHEMA base")
    made = TailTable(connection, types, 0)
    schema = pa.schema([records_schema().field(name) for name in names])
    connection.register("empty", schema.empty_table())
    connection.execute("CREATE TABLE by_arrow AS SELECT * FROM empty")
    assert described(connection, made.name) == described(connection, "by_arrow")
    connection.close()
