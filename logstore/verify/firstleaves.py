"""Reading the first leaves of an index object whose whole-file hash was found right."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from logstore.errors import FormatError
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import leaf_hash
from logstore.formats.pins import SegmentPin

if TYPE_CHECKING:
    import pyarrow.parquet as pq


_BATCH = 4096

Source = Path | bytes | mmap.mmap
"""A Parquet object by its path or its bytes."""


def leaves_of(source: Source, count: int) -> list[bytes]:
    """The first `count` leaves, reading only the row groups that hold them.

    Raises:
        FormatError: the object can not be read.
    """
    return [leaf for piece in _pieces(source, count) for leaf in piece]


def edge_at(source: Source, pin: SegmentPin, before: Frontier, size: int) -> Frontier:
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


def parquet_file(source: Source) -> pq.ParquetFile:
    """A Parquet file by its path or its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(source, Path):
        return pq.ParquetFile(source)
    return pq.ParquetFile(pa.BufferReader(pa.py_buffer(source)))


def _pieces(source: Source, count: int) -> Iterator[list[bytes]]:
    import pyarrow as pa

    try:
        file = parquet_file(source)
        # Of a row group only the pages are unpacked that hold what is wanted.
        size = max(min(count, _BATCH), 1)
        for batch in file.iter_batches(size, columns=["leaf"], use_threads=False):
            if count <= 0:
                return
            column = batch.column("leaf").slice(0, count)
            count -= len(column)
            yield cast("list[bytes]", column.to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"an index object can not be read: {error}") from None
