"""Rows into a Parquet file: exact values, typed columns, never over an existing file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.columns import Column, plain
from logstore.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 8_192


def write_parquet(path: Path, columns: Sequence[Column], data: Iterable[Sequence[object]]) -> int:
    """Write rows in batches; memory stays flat.

    Returns:
        How many rows were written.

    Raises:
        UsageError: the file exists already.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([pa.field(_text(column.name), _type(column)) for column in columns])
    count = 0
    source = iter(data)
    with create_file(path) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(source, _BATCH)):
            values = zip(*batch, strict=True)
            arrays = [
                pa.array([_value(value, column) for value in cells], _type(column))
                for cells, column in zip(values, columns, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(batch)
    return count


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as it is.

    Raises:
        UsageError: the file exists already.
    """
    import pyarrow.parquet as pq

    with create_file(path) as sink:
        pq.write_table(table, sink, compression="zstd")


def create_file(path: Path) -> Any:
    """Open a new file for an export; it is readable by its owner only, as it may hold content.

    Raises:
        UsageError: it exists already.
    """
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise UsageError(
            f"{path} exists already",
            kept="It was not touched.",
            todo="Choose another name, or remove it first.",
        ) from None


def _type(column: Column) -> pa.DataType:
    import pyarrow as pa

    types: dict[str, Any] = {
        "int": pa.int64(),
        "duration": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
        "list": pa.list_(pa.string()),
    }
    chosen: pa.DataType = types.get(column.kind, pa.string())
    return chosen


def _value(value: object, column: Column) -> object:
    if value is None or column.kind in ("int", "duration", "float", "bool", "time"):
        return value
    if column.kind == "list" and isinstance(value, list | tuple):
        return [_text(str(item)) for item in value]
    return _text(value if isinstance(value, str) else str(plain(value)))


def _text(text: str) -> str:
    """The text itself, with lone surrogates, which UTF-8 does not have, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
