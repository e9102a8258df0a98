"""Building the two objects of a segment from the records of a write-ahead file."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xxhash

from logstore.formats import blocks
from logstore.formats.columns import table
from logstore.formats.group import Content
from logstore.formats.leaf import parse, parse_all
from logstore.formats.pins import ObjectPin, SupplementPin, supplements_among
from logstore.keys.keystore import KeyStore

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 16_384
"""Rows per row group of an index object."""

_PART_BYTES = 4 * 2**20  # raw bytes of one body block; a busy person has several
_SLICE = 8192  # leaves parsed at a time: their objects stay within the processor's cache
_DESTROYED = "key.destroyed"
_BODY_ROW_GROUP = 8 * 2**20  # encrypted bytes per row group of a body object
_Row = tuple[int, tuple[str, ...], list[int], bytes]  # part, key ids, indexes, block
_PLAIN_COLUMNS = {"id", "leaf", "index", "time_us", "recorded_us", "mono_us", "seq"}


@dataclass(slots=True)
class ClearPart:
    """What the leaves of a segment say.

    Attributes:
        first: index of the first record.
        count: how many.
        moments: when the first and the last were recorded, microseconds since 1970 UTC.
        keys: of each record the ids that open its body, or None where it has none.
        destroyed: ids of keys that records say were destroyed.
        supplements: supplements that records pin.
        tables: the index, in portions.
    """

    first: int
    count: int
    moments: tuple[int, int]
    keys: list[tuple[str, ...] | None] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    supplements: list[SupplementPin] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)


def clear_part(raw: Sequence[bytes]) -> ClearPart:
    """Parse the leaves of a segment, strictly.

    Raises:
        FormatError: one is not a leaf.
    """
    ends = parse(raw[0]), parse(raw[-1])
    part = ClearPart(ends[0].index, len(raw), (ends[0].recorded_us, ends[1].recorded_us))
    for start in range(0, len(raw), _SLICE):
        piece = raw[start : start + _SLICE]
        leaves = parse_all(piece)
        part.tables.append(table(leaves, piece))
        part.keys += [None if leaf.body is None else tuple(leaf.body.keys) for leaf in leaves]
        part.destroyed += [str(leaf.clear["key"]) for leaf in leaves if leaf.kind == _DESTROYED]
        part.supplements += supplements_among(leaves)
    return part


def index_bytes(tables: Sequence[pa.Table]) -> bytes:
    """The index object of consecutive records: typed clear columns and the leaves."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.concat_tables(tables)
    sink = pa.BufferOutputStream()
    coded: Any = [name for name in data.schema.names if name not in _PLAIN_COLUMNS]
    pq.write_table(
        data,
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=coded,
        store_schema=False,
    )
    return sink.getvalue().to_pybytes()


def body_bytes(
    owners: Sequence[tuple[str, ...] | None],
    bodies: Sequence[Content | None],
    keys: KeyStore,
    context: blocks.BlockContext,
) -> bytes | None:
    """The body object of a segment, or None when no record of it has a body.

    Args:
        owners: of each record the ids that open its body, or None.
        bodies: nonce32 || content of each, or None.
        keys: where those keys are.
        context: the segment.

    Raises:
        KeyDestroyed: a key was destroyed between append and seal: that content is left out by
            the caller first.
    """
    owned: dict[tuple[str, ...], list[tuple[int, Content]]] = {}
    for offset, (ids, body) in enumerate(zip(owners, bodies, strict=True)):
        if ids is not None and body is not None:
            owned.setdefault(ids, []).append((offset, body))
    return block_object(owned, keys, context) if owned else None


def block_object(
    owned: Mapping[tuple[str, ...], list[tuple[int, Content]]],
    keys: KeyStore,
    context: blocks.BlockContext,
) -> bytes:
    """A body object.

    Args:
        owned: by the ids that open them, (index - `context.first`, nonce32 || content), ascending.
        keys: where those keys are.
        context: what the blocks are bound to.

    Raises:
        KeyDestroyed: a key is no more.
        KeyUnavailable: a key was never here.
    """

    def seal_all(key_sets: Sequence[tuple[str, ...]]) -> list[_Row]:
        rows: list[_Row] = []
        for ids in key_sets:
            key = blocks.block_key([keys.key(each).key for each in ids], ids, context)
            for part, entries in enumerate(_parts(owned[ids])):
                block = blocks.seal(key, entries, context.bind(ids, part))
                indexes = [context.first + offset for offset, _ in entries]
                rows.append((part, ids, indexes, block))
        return rows

    with ThreadPoolExecutor(2, "aircon-seal") as pool:
        batches = pool.map(seal_all, _batches(sorted(owned)))
        rows = list(itertools.chain.from_iterable(batches))
    return _body_parquet(rows)


def _batches(key_sets: list[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    """Portions large enough that handing them to a thread costs nothing beside the work."""
    for start in range(0, len(key_sets), 64):
        yield key_sets[start : start + 64]


def _parts(entries: list[tuple[int, Content]]) -> Iterator[list[tuple[int, Content]]]:
    part: list[tuple[int, Content]] = []
    size = 0
    for entry in entries:
        if part and size + len(entry[1]) > _PART_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[1])
    if part:
        yield part


def body_schema() -> pa.Schema:
    """Arrow schema of a body object: one row per block."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("part", pa.int32(), nullable=False),
            pa.field("keys", pa.list_(pa.string()), nullable=False),
            pa.field("indexes", pa.list_(pa.int64()), nullable=False),
            pa.field("block", pa.binary(), nullable=False),
        ]
    )


def _body_parquet(rows: Iterable[_Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    schema = body_schema()
    compression: dict[str, Any] = {
        "part": "zstd",
        "keys.list.element": "zstd",
        "indexes.list.element": "zstd",
    }
    with pq.ParquetWriter(
        sink, schema, compression=compression, use_dictionary=False, store_schema=False
    ) as writer:
        for group in _row_groups(rows):
            columns = [list(column) for column in zip(*group, strict=True)]
            arrays = [
                pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=2**30)
    return sink.getvalue().to_pybytes()


def _row_groups(
    rows: Iterable[_Row],
) -> Iterator[list[_Row]]:
    group: list[_Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[3])
        if size >= _BODY_ROW_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def pin_bytes(key: str, data: bytes, retain_until_us: int) -> ObjectPin:
    """The pin of an object's bytes."""
    return ObjectPin(
        key,
        len(data),
        hashlib.sha256(data).hexdigest(),
        xxhash.xxh3_128_hexdigest(data),
        retain_until_us,
    )
