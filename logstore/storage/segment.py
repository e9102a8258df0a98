"""Building the body object of a segment: the content of each set of keys in blocks of its own."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import xxhash

from logstore.formats import blocks
from logstore.formats.group import Content
from logstore.formats.pins import ObjectPin
from logstore.keys.keystore import KeyStore

if TYPE_CHECKING:
    import pyarrow as pa

_PART_BYTES = 4 * 2**20  # raw bytes of one body block; a busy person has several
_BODY_ROW_GROUP = 2**20  # encrypted bytes per row group of a body object: what one record costs
Owned = dict[tuple[str, ...], list[tuple[int, Content]]]
"""By the ids that open them: (index - first of the segment, nonce32 || content), ascending."""

_Row = tuple[int, tuple[str, ...], list[int], bytes]  # part, key ids, indexes, block


def owned_by(owners: Sequence[tuple[str, ...] | None], bodies: Sequence[Content | None]) -> Owned:
    """Content by the ids that open it.

    Args:
        owners: of each record the ids that open its body, or None.
        bodies: nonce32 || content of each, or None.
    """
    owned: Owned = {}
    for offset, (ids, body) in enumerate(zip(owners, bodies, strict=True)):
        if ids is not None and body is not None:
            owned.setdefault(ids, []).append((offset, body))
    return owned


class BlockBuilder:
    """Seals content into blocks, in threads that begin at once. A context manager.

    Args:
        owned: what is sealed.
        keys: where its keys are.
        context: what the blocks are bound to.
    """

    def __init__(self, owned: Owned, keys: KeyStore, context: blocks.BlockContext) -> None:
        self._owned = owned
        self._keys = keys
        self._context = context
        self._pool = ThreadPoolExecutor(2, "aircon-seal")
        batches = _batches(sorted(owned))
        self._made = deque(self._pool.submit(self._seal_all, batch) for batch in batches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def finish(self, packed: Callable[[int], None] | None = None) -> memoryview | None:
        """The body object, or None when there is no content.

        Args:
            packed: told now and then how many further records are in it.

        Raises:
            KeyDestroyed: a key is no more.
            KeyUnavailable: a key was never here.
        """
        return _body_parquet(self._rows(packed)) if self._made else None

    def _rows(self, packed: Callable[[int], None] | None) -> Iterator[_Row]:
        while self._made:
            rows = self._made.popleft().result()
            yield from rows
            if packed is not None:
                packed(sum(len(indexes) for _, _, indexes, _ in rows))

    def _seal_all(self, key_sets: Sequence[tuple[str, ...]]) -> list[_Row]:
        rows: list[_Row] = []
        for ids in key_sets:
            found = [self._keys.key(each).key for each in ids]
            key = blocks.block_key(found, ids, self._context)
            for part, entries in enumerate(_parts(self._owned[ids])):
                block = blocks.seal(key, entries, self._context.bind(ids, part))
                indexes = [self._context.first + offset for offset, _ in entries]
                rows.append((part, ids, indexes, block))
        return rows


def block_object(owned: Owned, keys: KeyStore, context: blocks.BlockContext) -> memoryview:
    """A body object of some content at least; see `BlockBuilder`.

    Raises:
        KeyDestroyed: a key is no more.
        KeyUnavailable: a key was never here.
    """
    with BlockBuilder(owned, keys, context) as builder:
        return builder.finish() or memoryview(b"")


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


def _body_parquet(rows: Iterable[_Row]) -> memoryview:
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
    return memoryview(sink.getvalue())


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


def pin_bytes(key: str, data: bytes | memoryview, retain_until_us: int) -> ObjectPin:
    """The pin of an object's bytes."""
    return ObjectPin(
        key,
        len(data),
        hashlib.sha256(data).hexdigest(),
        xxhash.xxh3_128_hexdigest(data),
        retain_until_us,
    )
