"""Which SQL a person may run: one SELECT over the views, or a description of one.

The text is parsed by DuckDB itself, and the parse tree is walked: every table must be a view or a
name the statement defines itself, every table function must be on a short list, and functions that
look at settings or wait are refused. What this file lets through still runs in a locked instance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from logstore.errors import QueryRefused
from logstore.query import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_SQL = 65_536
"""Longest statement in characters."""

TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "json_each", "json_tree", "repeat"}
)
"""Table functions that read nothing but their arguments."""

_FUNCTIONS = frozenset(
    {
        "current_setting", "getenv", "getvariable", "sleep_ms", "pg_sleep", "write_log", "nextval",
        "currval", "txid_current", "which_secret", "set_config", "in_search_path",
        "json_execute_serialized_sql", "from_substrait", "query", "query_table",
        "current_connection_id", "current_query", "current_schemas", "get_block_size",
    }
)  # fmt: skip
_PREFIXES = ("pg_", "duckdb_", "pragma_", "inet_", "has_", "sqlite_", "read_", "parquet_")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?\s+(?=\S)", re.IGNORECASE)

_TABLES = "tables"

Kind = Literal["rows", "explain", "show"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that may run.

    Attributes:
        kind: ``rows`` yields rows, ``explain`` a plan, ``show`` lists the views.
        sql: the text to run.
        views: views it names.
        columns: columns it names, lower-case; ``*`` when it asks for all.
    """

    kind: Kind
    sql: str
    views: frozenset[str]
    columns: frozenset[str]


def check(connection: DuckDBPyConnection, text: str, views: Collection[str]) -> Statement:
    """Parse a statement and refuse what is not plain reading.

    Args:
        connection: any instance; only its parser is used.
        text: the SQL.
        views: names that may be queried.

    Raises:
        QueryRefused: it is more or other than one reading statement; the message says why.
    """
    if len(text) > MAX_SQL:
        raise _refused(f"the statement is longer than {MAX_SQL} characters")
    if "\0" in text:
        raise _refused("the statement holds a NUL character")
    explained = _EXPLAIN.match(text)
    body = text[explained.end() :] if explained else text
    tree = _parse(connection, body)
    names, columns = _walk(tree, frozenset(views))
    if _is_show(tree):
        return Statement("show", body, frozenset(), frozenset())
    kind: Kind = "explain" if explained else "rows"
    return Statement(kind, text, names, columns)


def _parse(connection: DuckDBPyConnection, text: str) -> dict[str, Any]:
    import duckdb

    try:
        statements = connection.extract_statements(text)
        if len(statements) != 1:
            raise _refused(
                "nothing to run"
                if not statements
                else "one statement at a time; for PIVOT, name the values with IN (...)"
            )
        if statements[0].type != duckdb.StatementType.SELECT:
            kind = str(statements[0].type).rpartition(".")[2]
            raise _refused(f"{kind} is not reading")
        rows = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()
        tree: dict[str, Any] = json.loads(rows[0][0])
    except duckdb.Error as error:
        what, todo = refusals.explain(str(error))
        raise QueryRefused(
            f"this SQL cannot be read: {what}", kept="Nothing was run.", todo=todo
        ) from None
    except RecursionError:
        raise _refused("the statement is nested too deeply") from None
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise _refused(str(tree.get("error_message", "it is no SELECT")))
    return tree


def _walk(tree: dict[str, Any], views: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Check every node; returns the views and columns named."""
    defined = _defined(tree)
    names: set[str] = set()
    columns: set[str] = set()
    for node in _nodes(tree):
        kind = node.get("type")
        if kind == "BASE_TABLE":
            name = _table(node, views, defined)
            names |= {name} & views
        elif kind == "TABLE_FUNCTION":
            _table_function(node)
        elif kind == "SHOW_REF":
            names |= _show(node, views)
        elif kind == "STAR":
            columns.add("*")
        elif node.get("class") == "FUNCTION" or "function_name" in node:
            _function(node)
        elif kind == "COLUMN_REF":
            columns |= {str(part).lower() for part in node.get("column_names", ())}
    return frozenset(names), frozenset(columns)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _defined(tree: dict[str, Any]) -> frozenset[str]:
    """Names that WITH clauses define; only plain ones, so none can stand for a file."""
    found: set[str] = set()
    for node in _nodes(tree):
        entries = node.get("cte_map")
        for entry in entries.get("map", ()) if isinstance(entries, dict) else ():
            name = str(entry.get("key", "")).lower()
            if not _PLAIN.fullmatch(name) or name.startswith((*_PREFIXES, "information_schema")):
                raise _refused(f"{name!r} is no name for a WITH clause")
            found.add(name)
    return frozenset(found)


def _table(node: dict[str, Any], views: frozenset[str], defined: frozenset[str]) -> str:
    name = str(node.get("table_name", "")).lower()
    schema = str(node.get("schema_name", "")).lower()
    if node.get("catalog_name") or schema not in {"", "main"}:
        raise _refused(f"{schema}.{name} is not one of the views")
    if node.get("at_clause"):
        raise _refused("AT (...) is not available")
    if name not in views and (schema or name not in defined):
        raise QueryRefused(
            f"refused: there is no view {name!r}",
            todo="Views: " + ", ".join(sorted(views)) + ". Files cannot be queried.",
        )
    return name


def _table_function(node: dict[str, Any]) -> None:
    function = node.get("function") or {}
    name = str(function.get("function_name", "")).lower()
    if name not in TABLE_FUNCTIONS:
        raise _refused(f"the table function {name}() is not available")


def _shown(node: dict[str, Any]) -> str:
    return str(node.get("table_name", "")).strip('"').lower()


def _show(node: dict[str, Any], views: frozenset[str]) -> set[str]:
    """The view that a SHOW names itself, if any; DuckDB 1.5 puts it into a query instead."""
    if node.get("catalog_name") or node.get("schema_name"):
        raise _refused("SHOW ... FROM is not available")
    if node.get("query") is not None or _shown(node) == _TABLES:
        return set()
    if _shown(node) not in views:
        raise _refused("of SHOW, only SHOW TABLES and SHOW <view> are available")
    return {_shown(node)}


def _is_show(tree: dict[str, Any]) -> bool:
    """Whether the statement is SHOW TABLES, which is answered from the registered views."""
    return any(
        node.get("type") == "SHOW_REF" and node.get("query") is None and _shown(node) == _TABLES
        for node in _nodes(tree)
    )


def _function(node: dict[str, Any]) -> None:
    name = str(node.get("function_name", "")).lower()
    if name in _FUNCTIONS or name.startswith(_PREFIXES):
        raise _refused(f"the function {name}() is not available")


def _refused(why: str) -> QueryRefused:
    return QueryRefused(
        f"refused: {why}",
        kept="Nothing was run.",
        todo="One SELECT, EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES over the views.",
    )
