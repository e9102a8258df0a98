"""Building the index object of a segment while its leaves come in."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from logstore.formats.columns import schema, table
from logstore.formats.custody import CustodyEvent, events_among
from logstore.formats.leaf import Leaf, parse_all
from logstore.formats.pins import SupplementPin, supplements_among

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP = 8_192
"""Rows per row group of an index object."""

_SLICE = 1024  # leaves parsed at a time, so that they stay in the cache: 0.6x the time of 8192
_DESTROYED = "key.destroyed"
_PLAIN_COLUMNS = {"id", "leaf", "index", "time_us", "recorded_us", "mono_us", "seq"}


@dataclass(slots=True)
class ClearPart:
    """What the leaves of a segment say.

    Attributes:
        first: index of the first record; -1 before it came.
        moments: when the first and the last were recorded, microseconds since 1970 UTC.
        keys: of each record the ids that open its body, or None where it has none.
        destroyed: ids of keys that records say were destroyed.
        supplements: supplements that records pin.
        custody: records of holds and retention.
    """

    first: int = -1
    moments: tuple[int, int] = (0, 0)
    keys: list[tuple[str, ...] | None] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    supplements: list[SupplementPin] = field(default_factory=list)
    custody: list[CustodyEvent] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Records so far."""
        return len(self.keys)

    def take(self, leaves: Sequence[Leaf]) -> None:
        """Take the leaves that follow."""
        if self.first < 0:
            self.first = leaves[0].index
            self.moments = (leaves[0].recorded_us, 0)
        self.moments = (self.moments[0], leaves[-1].recorded_us)
        self.keys += [None if leaf.body is None else tuple(leaf.body.keys) for leaf in leaves]
        self.destroyed += [str(leaf.clear["key"]) for leaf in leaves if leaf.kind == _DESTROYED]
        self.supplements += supplements_among(leaves)
        self.custody += events_among(leaves)


class IndexBuilder:
    """Typed clear columns and the leaves of consecutive records as Parquet.

    Parsing needs the interpreter and compressing does not, so a second thread compresses one row
    group while the leaves of the next are parsed. A context manager.

    Attributes:
        part: what the leaves said so far.
    """

    def __init__(self) -> None:
        import pyarrow as pa

        self.part = ClearPart()
        self._sink = pa.BufferOutputStream()
        self._writer = _writer(self._sink)
        self._pool = ThreadPoolExecutor(1, "aircon-seal-index")
        self._under_way: Future[None] | None = None
        self._tables: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, raw: Sequence[bytes]) -> None:
        """Parse the leaves that follow, strictly.

        Raises:
            FormatError: one is not a leaf.
        """
        at = 0
        while at < len(raw):
            piece = raw[at : at + min(_SLICE, ROW_GROUP - self._rows)]
            leaves = parse_all(piece)
            self.part.take(leaves)
            self._tables.append(table(leaves, piece))
            self._rows += len(piece)
            if self._rows == ROW_GROUP:
                self._write()
            at += len(piece)

    def end(self) -> ClearPart:
        """What the leaves said, once all were taken; the last may yet be compressed."""
        if self._rows:
            self._write()
        return self.part

    def finish(self) -> memoryview:
        """The object, after `end`."""
        import pyarrow as pa

        self._wait()
        self._writer.close()
        data = memoryview(self._sink.getvalue())
        pa.default_memory_pool().release_unused()  # before the blocks need as much again
        return data

    def _write(self) -> None:
        self._wait()
        self._under_way = self._pool.submit(_write, self._writer, self._tables)
        self._tables, self._rows = [], 0

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()


def _writer(sink: pa.BufferOutputStream) -> pq.ParquetWriter:
    import pyarrow.parquet as pq

    coded: Any = [name for name in schema().names if name not in _PLAIN_COLUMNS]
    return pq.ParquetWriter(
        sink,
        schema(),
        compression="zstd",
        compression_level=3,
        use_dictionary=coded,
        store_schema=False,
    )


def _write(writer: pq.ParquetWriter, tables: list[pa.Table]) -> None:
    import pyarrow as pa

    writer.write_table(pa.concat_tables(tables), row_group_size=ROW_GROUP)
