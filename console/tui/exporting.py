"""Export of what is on screen into a new file, page by page, with progress and cancel."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from console.columns import RECORD_COLUMNS, Column, moment, plain
from console.exports import create_file, write_parquet
from console.text import csv_cell
from console.tui.session import ExplorerLike
from logstore.errors import AirconError, UsageError
from logstore.query.rows import Detail, Row, Selection

Format = Literal["csv", "jsonl", "parquet"]

_PAGE = 2_048


class Cancelled(AirconError):
    """The person stopped an export; the file is gone."""


Progress = Callable[[int], bool]
"""``progress(rows) -> go on``: called before each page from the worker thread."""


def export_rows(
    explorer: ExplorerLike, chosen: Selection, form: Format, path: Path, progress: Progress
) -> int:
    """Write the rows of a selection.

    Returns:
        How many rows were written.

    Raises:
        UsageError: the file exists already, or cannot be written.
        Cancelled: `progress` said stop; nothing is left behind.
    """
    if path.exists():
        raise UsageError(f"{path} exists already", todo="Choose another name.")
    rows = _rows(explorer, chosen, progress)
    try:
        if form == "parquet":
            return write_parquet(path, RECORD_COLUMNS, map(_values, rows))
        with create_file(path) as sink, io.TextIOWrapper(sink, "utf-8", newline="") as text:
            return _csv(text, rows) if form == "csv" else _jsonl(text, rows)
    except Cancelled:
        path.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from None


def export_record(detail: Detail, path: Path) -> int:
    """Write one record whole, content included, as JSON.

    Raises:
        UsageError: the file exists already.
    """
    value = {
        **msgspec.to_builtins(detail.row),
        "leaf": detail.leaf.decode("utf-8", "replace"),
        "interaction": detail.interaction_json,
        "body": None if detail.body is None else msgspec.to_builtins(detail.body),
    }
    with create_file(path) as sink:
        sink.write(json.dumps(value, indent=2).encode() + b"\n")
    return 1


def _rows(explorer: ExplorerLike, chosen: Selection, progress: Progress) -> Iterator[Row]:
    for start in range(0, chosen.count, _PAGE):
        if not progress(start):
            raise Cancelled("The export was stopped.", kept="No file was left behind.")
        yield from explorer.rows(chosen, start, min(_PAGE, chosen.count - start))


def _values(row: Row) -> list[object]:
    return [getattr(row, column.name) for column in RECORD_COLUMNS]


def _csv(text: io.TextIOWrapper, rows: Iterator[Row]) -> int:
    writer = csv.writer(text)
    writer.writerow(column.name for column in RECORD_COLUMNS)
    count = 0
    for row in rows:
        writer.writerow(map(_csv_value, RECORD_COLUMNS, _values(row)))
        count += 1
    return count


def _csv_value(column: Column, value: object) -> object:
    if column.kind == "time" and isinstance(value, int):
        return moment(value)
    if isinstance(value, list):
        return csv_cell(" ".join(map(str, value)))
    return csv_cell(value) if isinstance(value, str) else value


def _jsonl(text: io.TextIOWrapper, rows: Iterator[Row]) -> int:
    count = 0
    for row in rows:
        # ASCII only: exact, and still harmless to whoever prints the file.
        text.write(json.dumps(plain(msgspec.to_builtins(row))) + "\n")
        count += 1
    return count
