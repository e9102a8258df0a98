"""`aircon sql`: one read-only statement over the views."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.columns import Column, Kind
from console.opening import OpenStore
from console.stoppable import stoppable
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.query.result import Result

_USUAL = 1_000
_ALL = 2**31
_MAX_STATEMENT = 1_000_000
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def run(args: argparse.Namespace) -> int:
    """Ask, and say up to which record the answer was verified."""
    form = asking.shape(args)
    most = asking.limit(args, _USUAL if form.format == "table" else 0)
    statement = _statement(args.statement)
    with OpenStore(args, "sql") as store:
        engine = store.engine
        result = stoppable(
            lambda: engine.sql(statement, limit=most or _ALL, timeout_s=args.timeout or 60.0),
            engine.interrupt,
        )
        if form.file is not None:
            from console.exports import write_arrow

            facts = {"rows": len(result), "text": statement, "file": str(form.file)}
            store.record_access("access.export", facts)
            write_arrow(form.file, result.to_arrow())
            diagnostics.note(f"{len(result):,} rows written to {form.file}")
        else:
            output.rows(columns_of(result), result.rows, form, more=result.truncated)
        diagnostics.note(store.verified_words(result.size))
    return diagnostics.OK


def columns_of(result: Result) -> list[Column]:
    """The columns of an answer."""
    pairs = zip(result.columns, result.types, strict=True)
    return [Column(name, _kind(kind), most=60) for name, kind in pairs]


def _kind(duckdb_type: str) -> Kind:
    if duckdb_type in _INTEGERS or duckdb_type in ("HUGEINT", "UBIGINT"):
        return "int"
    if duckdb_type in ("DOUBLE", "FLOAT") or duckdb_type.startswith("DECIMAL"):
        return "float"
    return "bool" if duckdb_type == "BOOLEAN" else "any"


def _statement(said: str) -> str:
    text = sys.stdin.read(_MAX_STATEMENT + 1) if said == "-" else said
    if len(text) > _MAX_STATEMENT:
        raise UsageError(f"a statement has at most {_MAX_STATEMENT:,} characters")
    return text
