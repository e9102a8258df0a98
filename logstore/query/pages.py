"""Rows of a list, fetched by record index."""

# ruff: noqa: S608 - names inside SQL are constants of this package; values are bound

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from logstore.query.rows import Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from logstore.query.cleartables import ClearTables
    from logstore.query.workingcopy import WorkingCopy

_GAP = 32
"""Records between two wanted ones that are cheaper to read than to skip."""

_AT_ONCE = 200

_CLEAR = "index, id, time_us, kind, operation, application"
_FACTS = (
    "input_tokens, output_tokens, duration_us, error_type, coalesce(tool_names, []), "
    "coalesce(capture_gaps, [])"
)
_MODEL = "coalesce(response_model, request_model), model_version"
_OPEN = (
    f"{_CLEAR}, user_id, coalesce(session_id, session), {_MODEL}, "
    f"input_preview, output_preview, {_FACTS}, content_state"
)
_LOCKED = (
    f"{_CLEAR}, NULL, session, {_MODEL}, NULL, NULL, {_FACTS}, "
    "CASE WHEN body_len IS NULL THEN 'no-body' ELSE 'locked' END"
)


def fetch_rows(
    cursor: DuckDBPyConnection, tables: WorkingCopy | ClearTables, indexes: Sequence[int]
) -> list[Row]:
    """Rows in the order of `indexes`; records that do not exist are left out."""
    columns = _OPEN if tables.content else _LOCKED
    wanted = sorted(set(indexes))
    found: dict[int, Row] = {}
    spans = [
        (max(low, first), min(high, end - 1), name)
        for first, end, name in tables.tables()
        for low, high in runs([index for index in wanted if first <= index < end])
    ]
    for start in range(0, len(spans), _AT_ONCE):
        some = spans[start : start + _AT_ONCE]
        sql = " UNION ALL ".join(
            f"SELECT {columns} FROM {name} WHERE index BETWEEN ? AND ?" for _, _, name in some
        )
        bounds = [value for low, high, _ in some for value in (low, high)]
        for values in cursor.execute(sql, bounds).fetchall():
            found[values[0]] = Row(*values)
    return [found[index] for index in indexes if index in found]


def runs(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending indexes as inclusive ranges, small gaps included."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and index - found[-1][1] <= _GAP:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
