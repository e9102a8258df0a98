"""Columns of the working copy: the clear ones of the index, then the decrypted ones."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from logstore.formats.clearfields import FIELDS, FieldType
from logstore.formats.columns import BASE_TYPES
from logstore.formats.record import CAPTURED

if TYPE_CHECKING:
    import pyarrow as pa

CAPTURED_KINDS = "(" + ", ".join(f"'{kind}'" for kind in sorted(CAPTURED)) + ")"
"""The kinds that hold what applications did, as SQL; every other kind is an event of the log."""

CLEAR_COLUMNS = (
    "index", "id", "kind", "time_us", "recorded_us", "source", "seq", "recorded_by",
    "subjects", "body_len", *(field.column for field in FIELDS),
)  # fmt: skip
"""Clear columns that queries see, in order; `subjects` holds key tokens."""

TEXT_COLUMNS = (
    "system_text", "input_text", "output_text", "tool_text", "error_message", "note",
)  # fmt: skip
"""Decrypted texts that a search over every field looks in."""

CONTENT_COLUMNS = (
    "user_id", "more_users", "session_id", "conversation_id", "actor", "client_address",
    "response_id", "trace_id", "span_id", "parent_span_id", *TEXT_COLUMNS, "ask_at",
    "input_preview", "output_preview", "parts",
    "span_key", "parent_key", "response_key", "call_key", "said_key", "content_state",
)  # fmt: skip
"""Decrypted columns of the `records` table, in order; the keys tell which records are one call."""

CONTENT_WORDS = frozenset(CONTENT_COLUMNS) | {
    "user_ids", "text", "role", "arguments", "call_id", "interaction_id", "is_primary",
    "captures",
}  # fmt: skip
"""Column names that exist only with the passphrase; used to say so when one is missing."""

_SQL: dict[FieldType, str] = {
    "str": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "strs": "VARCHAR[]",
}  # fmt: skip
_PART = (
    'STRUCT("side" VARCHAR, "position" INTEGER, "role" VARCHAR, "type" VARCHAR, "name" VARCHAR, '
    '"call_id" VARCHAR, "col" VARCHAR, "at" INTEGER, "len" INTEGER)[]'
)
_CONTENT_SQL = {
    "more_users": "VARCHAR[]", "ask_at": "INTEGER", "parts": _PART, "span_key": "UBIGINT",
    "parent_key": "UBIGINT", "response_key": "UBIGINT", "call_key": "UBIGINT",
    "said_key": "UBIGINT",
}  # fmt: skip


@functools.cache
def clear_types() -> dict[str, str]:
    """DuckDB types of the clear columns and of `clear`, in order.

    They say what `records_schema` says, for tables that are made before the first record is
    there: Arrow, and what DuckDB loads to read it, cost a tenth of a second at every start.
    """
    kinds = BASE_TYPES | {field.column: field.type for field in FIELDS}
    return {**{name: _SQL[kinds[name]] for name in CLEAR_COLUMNS}, "clear": "VARCHAR"}


@functools.cache
def records_types() -> dict[str, str]:
    """DuckDB types of the columns of the `records` table, in order."""
    return clear_types() | {name: _CONTENT_SQL.get(name, "VARCHAR") for name in CONTENT_COLUMNS}


@functools.cache
def content_schema() -> pa.Schema:
    """Arrow schema of the decrypted columns.

    `parts` lists every message part: `side` (system, input, output), `position` of its message,
    and where its text stands: `at` and `len` in characters of column `col`.
    """
    import pyarrow as pa

    part = pa.struct(
        [
            ("side", pa.string()),
            ("position", pa.int32()),
            ("role", pa.string()),
            ("type", pa.string()),
            ("name", pa.string()),
            ("call_id", pa.string()),
            ("col", pa.string()),
            ("at", pa.int32()),
            ("len", pa.int32()),
        ]
    )
    special = {
        "more_users": pa.list_(pa.string()),
        "ask_at": pa.int32(),
        "parts": pa.list_(part),
        "span_key": pa.uint64(),
        "parent_key": pa.uint64(),
        "response_key": pa.uint64(),
        "call_key": pa.uint64(),
        "said_key": pa.uint64(),
    }
    return pa.schema([(name, special.get(name, pa.string())) for name in CONTENT_COLUMNS])


@functools.cache
def records_schema() -> pa.Schema:
    """Arrow schema of the `records` table: clear columns, `clear` JSON of events, content."""
    import pyarrow as pa

    from logstore.formats.columns import schema

    clear = schema()
    fields = [clear.field(name) for name in CLEAR_COLUMNS]
    return pa.schema([*fields, pa.field("clear", pa.string()), *content_schema()])
