"""The newest records of some sources by their clear part, without reading what lies before them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import msgspec

from logstore.formats.leaf import Leaf, parse

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from logstore.storage.reader import LogReader


def newest_first(reader: LogReader, under: str, since_us: int = 0) -> Iterator[Leaf]:
    """Leaves of the records of some sources, newest first; reads only as far as it is asked.

    Args:
        reader: of the log.
        under: what the names of the sources begin with.
        since_us: when whatever lies before need not be looked at, microseconds since 1970 UTC.

    Raises:
        TamperingFound: an index object is missing or not the pinned bytes.
    """
    mark = b'"source":' + msgspec.json.encode(under)[:-1]
    for raw in reversed(reader.tail.leaves):
        if mark in raw:
            leaf = parse(raw)
            if leaf.source.startswith(under):
                yield leaf
    if not reader.pins:
        return
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for pin in reversed(reader.pins):
        with reader.index(pin) as path:
            file = pq.ParquetFile(path)
            for number in reversed(range(file.metadata.num_row_groups)):
                clear = _columns(file, number, "source", "recorded_us")
                if (pc.max(clear["recorded_us"]).as_py() or 0) < since_us:
                    return
                chosen = pc.starts_with(clear["source"], under)
                if pc.any(chosen).as_py():
                    leaves = _columns(file, number, "leaf")["leaf"].filter(chosen)
                    yield from map(parse, reversed(cast("list[bytes]", leaves.to_pylist())))


def _columns(file: pq.ParquetFile, group: int, *names: str) -> pa.Table:
    return file.read_row_group(group, columns=list(names), use_threads=False)
