"""Whether a Parquet object has nothing but its column chunks, and honest statistics.

A Parquet reader believes its footer. So bytes that no column chunk owns are refused (bloom filters
and page indexes would let a query skip rows), and every minimum, maximum and null count must be
true of the values: a query engine skips whole row groups on their word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logstore.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAGIC = b"PAR1"

MAX_GROUP_BYTES = 4 * 2**30
"""Largest row group, uncompressed, that is read."""


def open_parquet(data: pa.Buffer, schema: pa.Schema) -> pq.ParquetFile:
    """Open an object's bytes and check its layout.

    Raises:
        FormatError: another schema, bytes that no column chunk owns, or not Parquet at all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        found = file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"not a Parquet file: {error}") from None
    if not found.equals(schema) or file.metadata.metadata:
        raise FormatError("its schema is not the one that sealing writes")
    _check_coverage(file.metadata, data)
    return file


def _check_coverage(metadata: pq.FileMetaData, data: pa.Buffer) -> None:
    at = len(MAGIC)
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        if row_group.total_byte_size > MAX_GROUP_BYTES:
            raise FormatError(f"row group {group} is larger than any that sealing writes")
        for number in range(row_group.num_columns):
            chunk = row_group.column(number)
            if _start(chunk) != at or chunk.file_path:
                raise FormatError(f"bytes before column {chunk.path_in_schema} belong to nothing")
            at += chunk.total_compressed_size
    footer = int.from_bytes(bytes(data[data.size - 8 : data.size - 4]), "little")
    if at + footer + 8 != data.size:
        raise FormatError("bytes before the footer belong to nothing")


def _start(chunk: pq.ColumnChunkMetaData) -> int:
    starts = [chunk.data_page_offset]
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        starts.append(chunk.dictionary_page_offset)
    return min(starts)


def false_statistics(group: pq.RowGroupMetaData, table: pa.Table) -> str | None:
    """Name of the first column whose statistics are not true of its values, or None."""
    import pyarrow as pa

    for number in range(group.num_columns):
        chunk = group.column(number)
        if chunk.num_values and chunk.statistics is not None:
            name = chunk.path_in_schema.split(".")[0]
            values: Any = table.column(name)
            if pa.types.is_list(values.type):
                flat = [piece.flatten() for piece in values.chunks]
                values = pa.chunked_array(flat, values.type.value_type)
            if not _sound(chunk.statistics, chunk.num_values, values):
                return name
    return None


def _sound(statistics: Any, slots: int, values: pa.ChunkedArray[Any]) -> bool:
    import pyarrow.compute as pc

    present = len(values) - values.null_count
    if statistics.has_null_count and statistics.null_count != slots - present:
        return False
    if not statistics.has_min_max or not present:
        return True
    actual: Any = pc.min_max(values)
    low, high = actual["min"].as_py(), actual["max"].as_py()
    # A type the footer invents would not compare; the schema was checked, so it can not differ.
    return bool(statistics.min <= low and statistics.max >= high)
