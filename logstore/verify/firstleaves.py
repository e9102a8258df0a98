"""Reading the first leaves of an index object whose whole-file hash was found right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from logstore.errors import FormatError
from logstore.formats.frontier import Frontier
from logstore.formats.leaf import leaf_hash
from logstore.formats.pins import SegmentPin


def leaves_of(path: Path, count: int) -> list[bytes]:
    """The first `count` leaves, reading only the row groups that hold them.

    Raises:
        FormatError: the object can not be read.
    """
    return [leaf for piece in _pieces(path, count) for leaf in piece]


def edge_at(path: Path, pin: SegmentPin, before: Frontier, size: int) -> Frontier:
    """The tree's edge at a size within a segment.

    Args:
        path: the segment's index object.
        pin: the segment.
        before: the tree's edge at its start.
        size: records in the tree, more than `pin.first` and at most `pin.end`.

    Raises:
        FormatError: the object can not be read.
    """
    edge = before.copy()
    for piece in _pieces(path, size - pin.first):
        edge.extend(list(map(leaf_hash, piece)))
    return edge


def _pieces(path: Path, count: int) -> Iterator[list[bytes]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        for group in range(file.metadata.num_row_groups):
            if count <= 0:
                return
            table = file.read_row_group(group, columns=["leaf"], use_threads=False)
            column = table.column("leaf").slice(0, count)
            count -= len(column)
            yield cast("list[bytes]", column.to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"{path.name} can not be read: {error}") from None
