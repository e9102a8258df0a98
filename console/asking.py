"""From a command's arguments to a question: the filter, the shape of the answer, its columns."""

from __future__ import annotations

import base64
import json
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.columns import RECORD_COLUMNS, Column
from console.output import Shape
from console.text import reveal
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.query.filters import Filter
    from logstore.query.rows import Detail, Row

TABLE = (
    Column("index", "int"),
    Column("time", "time", 24),
    Column("user", most=18),
    Column("model", most=20),
    Column("asked", most=34),
    Column("answered", most=34),
    Column("error", most=12),
)
"""Columns of a table of records."""

_FIELD = {
    "time": "time_us",
    "asked": "input_preview",
    "answered": "output_preview",
    "error": "error_type",
}

_INTERACTION = "interaction"
_ANY = "*"
_NAMES = (
    "user", "session", "conversation", "model", "model_version", "application", "environment",
    "operation", "source", "kind",
)  # fmt: skip


def shape(args: Namespace) -> Shape:
    """How the answer is to be written.

    Raises:
        UsageError: two formats at once.
    """
    asked = [name for name in ("json", "csv", "parquet") if getattr(args, name)]
    if len(asked) > 1:
        raise UsageError("one format at a time", todo=f"Choose one of --{', --'.join(asked)}.")
    if args.parquet:
        return Shape("parquet", Path(args.parquet))
    return Shape("json" if args.json else "csv" if args.csv else "table", wide=args.wide)


def wanted(args: Namespace, now_us: int) -> Filter:
    """The filter that a command's options say; interactions only, unless `--kind` says more.

    Raises:
        UsageError: a time that is none.
    """
    from logstore.query.filters import Filter

    given = {name: getattr(args, name) for name in _NAMES if getattr(args, name)}
    given["kind"] = _INTERACTION if args.kind is None else given.get("kind")
    if given["kind"] == _ANY:
        given["kind"] = None
    found = Filter(
        text=getattr(args, "text", ""),
        regex=args.regex,
        exact=args.exact,
        field=args.field or "any",
        errors_only=args.errors,
        **given,
    )
    since, until = period(args, now_us)
    return replace(found, since_us=since, until_us=until)


def period(args: Namespace, now_us: int) -> tuple[int | None, int | None]:
    """`--since`, inclusive, and `--until`, exclusive, in microseconds since 1970 UTC.

    Raises:
        UsageError: a time that is none.
    """
    from logstore.query.filters import parse_filter

    since = parse_filter(_timed("since", args.since), now_us).since_us
    return since, parse_filter(_timed("until", args.until), now_us).until_us


def _timed(key: str, said: str | None) -> str:
    return "" if not said else f'{key}:"{said.translate({0x22: None, 0x5C: None})}"'


def limit(args: Namespace, usual: int) -> int | None:
    """At most how many rows; None for all.

    Raises:
        UsageError: below 0.
    """
    asked = usual if args.limit is None else int(args.limit)
    if asked < 0:
        raise UsageError("--limit cannot be negative", todo="0 asks for all rows.")
    return asked or None


def columns(form: Shape) -> tuple[Column, ...]:
    """The columns of records in a format."""
    return TABLE if form.format == "table" else RECORD_COLUMNS


def cells_of(rows: Iterable[Row], chosen: tuple[Column, ...]) -> Iterator[tuple[object, ...]]:
    """Records as rows of output."""
    names = [_FIELD.get(column.name, column.name) for column in chosen]
    for row in rows:
        yield tuple(getattr(row, name) for name in names)


def detail_object(detail: Detail, *, raw: bool) -> dict[str, Any]:
    """One record as a JSON object: the clear part, what was decoded, and what is hidden in it."""
    row, body = detail.row, detail.body
    made: dict[str, Any] = {column.name: getattr(row, column.name) for column in RECORD_COLUMNS}
    made |= {
        "leaf": json.loads(detail.leaf),
        "interaction": detail.interaction_json,
        "unreadable": detail.unreadable,
        "verified_to": detail.verified_to,
        "same_call": detail.same_call,
        "counted": detail.same.primary,
        "hidden": [
            {"kind": each.kind, "at": each.at, "length": each.length, "text": each.text}
            for text in _texts(detail)
            for each in reveal(text)
        ],
    }
    if body is not None:
        made |= {
            "subjects": body.subjects,
            "raw_session": body.session,
            "conversation": body.conversation,
            "actor": body.actor,
            "note": body.note,
            "format": body.format,
        }
        if raw:
            made["raw"] = base64.b64encode(body.raw).decode()
    return made


def _texts(detail: Detail) -> Iterator[str]:
    call = detail.interaction
    if call is None:
        return
    yield from (part.text for part in call.system)
    for message in [*call.input, *call.output]:
        yield from (part.text for part in message.parts)
