"""Reading the first leaves of an index object whose whole-file hash was found right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from logstore.errors import FormatError
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import leaf_hash
from logstore.formats.pins import SegmentPin

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def leaves_of(source: Path | bytes, count: int) -> list[bytes]:
    """The first `count` leaves, reading only the row groups that hold them.

    Raises:
        FormatError: the object can not be read.
    """
    return [leaf for piece in _pieces(source, count) for leaf in piece]


def edge_at(source: Path | bytes, pin: SegmentPin, before: Frontier, size: int) -> Frontier:
    """The tree's edge at a size within a segment.

    Args:
        source: the segment's index object.
        pin: the segment.
        before: the tree's edge at its start.
        size: records in the tree, more than `pin.first` and at most `pin.end`.

    Raises:
        FormatError: the object can not be read.
    """
    edge = before.copy()
    for piece in _pieces(source, size - pin.first):
        edge.extend(list(map(leaf_hash, piece)))
    return edge


def parquet_file(source: Path | bytes) -> pq.ParquetFile:
    """A Parquet file by its path or its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)


def _pieces(source: Path | bytes, count: int) -> Iterator[list[bytes]]:
    import pyarrow as pa

    try:
        file = parquet_file(source)
        for group in range(file.metadata.num_row_groups):
            if count <= 0:
                return
            table = file.read_row_group(group, columns=["leaf"], use_threads=False)
            column = table.column("leaf").slice(0, count)
            count -= len(column)
            yield cast("list[bytes]", column.to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"an index object can not be read: {error}") from None
